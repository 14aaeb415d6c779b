//! Studies are read as they are written, and complaints point at the place.

use super::*;

fn load(text: &str, sets: &[&str]) -> Result<Study> {
    let mut tree = tree::parse(text, "s.toml")?;
    for assignment in sets {
        tree::set(&mut tree, assignment)?;
    }
    Study::read(&tree)
}

fn check_refused(text: &str, sets: &[&str], expected: &[&str]) {
    let message = format!("{:#}", load(text, sets).unwrap_err());
    for part in expected {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn built_in_studies_are_valid_and_come_back_from_their_written_form() {
    for builtin in STUDIES {
        let study = Study::load(builtin.name, &[], &[]).unwrap();
        assert_eq!(study.head.name, builtin.name);
        let written = study.to_toml().unwrap();
        let again = load(&written, &[]).unwrap();
        assert_eq!(again.to_toml().unwrap(), written);
    }
}

#[test]
fn learner_settings_fall_back_and_set_overrides_all() {
    let text = "[learner]\nouter_steps = 5\n[learners.maml]\ninner_lr = 0.2\n[learners.b]\nalgorithm = \"maml\"\n";
    let study = load(text, &[]).unwrap();
    let inner_lr =
        |study: &Study, index: usize| study.learners[index].learner.settings["inner_lr"].as_f64();
    assert_eq!(study.learners[1].name, "b");
    assert_eq!(study.learners[1].training.outer_steps, 5);
    assert_eq!(inner_lr(&study, 0), Some(0.2));
    assert_ne!(inner_lr(&study, 1), Some(0.2));
    let study = load(text, &["learner.inner_lr=0.7"]).unwrap();
    assert_eq!(
        (inner_lr(&study, 0), inner_lr(&study, 1)),
        (Some(0.7), Some(0.7))
    );
}

#[test]
fn defaults_of_one_setting_may_depend_on_another() {
    let study = load("[learners.matching]\nmetric = \"euclidean\"\n", &[]).unwrap();
    assert_eq!(study.learners[0].learner.settings["temperature"], 1.0);
}

#[test]
fn words_need_no_quotes_on_the_command_line() {
    let study = load(
        "[learners.maml]\n",
        &["data.set=folder:/a b", "test.weights=last"],
    )
    .unwrap();
    assert_eq!(study.data.set, "folder:/a b");
    assert_eq!(study.test.weights, "last");
}

#[test]
fn complaints_name_file_line_and_nearest() {
    check_refused(
        "sedes = 3\n[learners.maml]\n",
        &[],
        &["s.toml:1", "did you mean \"seeds\""],
    );
    check_refused("\n\n[tset]\n", &[], &["s.toml:3", "did you mean \"test\""]);
    check_refused(
        "[learners.maml]\ninner_lr = \"x\"\n",
        &[],
        &["s.toml:2", "learners.maml.inner_lr = \"x\""],
    );
    check_refused(
        "[learner]\nfoo = 1\n[learners.maml]\n",
        &[],
        &["s.toml:2", "[learner]", "\"foo\""],
    );
    check_refused("a = = 1\n", &[], &["s.toml:1", "TOML"]);
    check_refused("", &[], &["[learners.maml]"]);
    check_refused(
        "[learners.maml]\n",
        &["test.way=[1]"],
        &["--set test.way=[1]", "an array"],
    );
    check_refused("[learners.maml]\n", &["learner.outer_lr=nan"], &["finite"]);
    check_refused(
        "[learners.maml]\nschedule = \"cosin\"\n",
        &[],
        &["s.toml:2", "did you mean \"cosine\""],
    );
}
