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
    assert_eq!(study.test.weights, Chosen::Last);
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

/// Values of the factors at every point.
fn levels(text: &str) -> Vec<Vec<Value>> {
    let variants = load(text, &[]).unwrap().variants().unwrap();
    variants.into_iter().map(|variant| variant.levels).collect()
}

const MAML: &str = "[learners.maml]\ninner_lr = 0.3\n";

#[test]
fn a_grid_is_every_combination_and_lands_in_the_settings() {
    let text = format!(
        "{MAML}[factors]\nlearner.inner_lr = {{ low = 0.01, high = 1.0, scale = \"log\", levels = 3 }}\n\
         \"network.norm\" = [\"batch\", \"none\"]\n"
    );
    let study = load(&text, &[]).unwrap();
    let variants = study.variants().unwrap();
    let found: Vec<(f64, String)> = variants
        .iter()
        .map(|variant| {
            let lr = &variant.study.learners[0].learner.settings["inner_lr"];
            (
                lr.as_f64().unwrap(),
                String::from(variant.study.network.norm),
            )
        })
        .collect();
    let expected = [0.01, 0.1, 1.0].map(|lr| ["batch", "none"].map(|norm| (lr, norm)));
    for ((lr, norm), (right, name)) in found.iter().zip(expected.concat()) {
        assert!((lr - right).abs() < 1e-12 && norm == name, "{found:?}");
    }
    assert_eq!(found.len(), 6);
    // The written study is the same study.
    let written = study.to_toml().unwrap();
    assert_eq!(load(&written, &[]).unwrap().to_toml().unwrap(), written);
    assert_eq!(levels(&written), levels(&text));
}

#[test]
fn initial_weights_have_a_distribution_by_name() {
    use metastable_models::Init;
    let of = |study: &Study| Init::from(study.network.init);
    assert_eq!(of(&load(MAML, &[]).unwrap()), Init::HeUniform);
    let named = load(MAML, &["network.init=torch"]).unwrap();
    assert_eq!(of(&named), Init::Torch);
    let written = named.to_toml().unwrap();
    assert_eq!(of(&load(&written, &[]).unwrap()), Init::Torch);
    check_refused(MAML, &["network.init=xaver"], &["init", "xavier"]);

    // A distribution is a setting like others: it may be a factor.
    let text = format!("{MAML}[factors]\nnetwork.init = [\"he-uniform\", \"xavier\"]\n");
    let variants = load(&text, &[]).unwrap().variants().unwrap();
    let found: Vec<Init> = variants.iter().map(|variant| of(&variant.study)).collect();
    assert_eq!(found, [Init::HeUniform, Init::Xavier]);
}

#[test]
fn whole_numbers_stay_whole_and_designs_stay_in_bounds() {
    for method in ["sobol", "latin-hypercube"] {
        let text = format!(
            "{MAML}[design]\nmethod = \"{method}\"\npoints = 32\n[factors]\n\
             learner.inner_steps = {{ low = 1, high = 4 }}\n\
             learner.outer_lr = {{ low = 0.001, high = 0.1, scale = \"log\" }}\n\
             network.width = [8, 16, 32]\n"
        );
        let points = levels(&text);
        assert_eq!(points.len(), 32);
        for point in &points {
            assert!((1..=4).contains(&point[0].as_i64().unwrap()));
            assert!((0.001..=0.1).contains(&point[1].as_f64().unwrap()));
            assert!([8, 16, 32].contains(&point[2].as_i64().unwrap()));
        }
        // Half of a logarithmic scale is under its geometric middle.
        let low = points.iter().filter(|it| it[1].as_f64() < Some(0.01));
        assert_eq!(low.count(), 16);
        assert_eq!(points, levels(&text));
    }
}

#[test]
fn settings_set_episodes_of_training_and_test() {
    let study = load(
        "[learners.protonet]\n[settings.a]\nway = 5\n[settings.b]\nway = 20\nshot = 5\n",
        &[],
    )
    .unwrap();
    let shapes: Vec<[usize; 4]> = study
        .variants()
        .unwrap()
        .iter()
        .map(|variant| {
            let study = &variant.study;
            [
                study.episode.way,
                study.test.way,
                study.episode.shot,
                study.test.shot,
            ]
        })
        .collect();
    assert_eq!(shapes, [[5, 5, 1, 1], [20, 20, 5, 5]]);
}

#[test]
fn complaints_about_designs_name_the_line() {
    let refused = |text: &str, expected: &[&str]| {
        let text = format!("{MAML}{text}");
        let study = load(&text, &[]);
        let message = match study.and_then(|study| study.variants()) {
            Ok(_) => panic!("{text} is accepted"),
            Err(error) => format!("{error:#}"),
        };
        for part in expected {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    };
    let f = "[factors]\n";
    refused(
        &format!("{f}learner.iner_lr = [0.1, 0.2]"),
        &["s.toml:4", "did you mean \"inner_lr\""],
    );
    refused(
        &format!("{f}learner.inner_lr = [0.1]"),
        &["s.toml:4", "two values"],
    );
    refused(
        &format!("{f}learner.inner_lr = [0.1, 0.1]"),
        &["s.toml:4", "twice"],
    );
    refused(
        &format!("{f}learner.inner_lr = {{ low = 1.0, high = 0.1 }}"),
        &["s.toml:4", "the range is empty"],
    );
    refused(
        &format!("{f}learner.inner_lr = {{ low = 0.0, high = 0.1, scale = \"log\", levels = 3 }}"),
        &["s.toml:4", "above 0"],
    );
    refused(
        &format!("{f}learner.inner_lr = {{ low = 0.1, high = 0.2 }}"),
        &["s.toml:4", "levels = 5"],
    );
    refused(
        &format!("{f}learner.inner_lr = {{ low = 0.1, hihg = 0.2 }}"),
        &["s.toml:4", "did you mean \"high\""],
    );
    refused(
        &format!("{f}learner.inner_lr = {{ low = 0.1, high = 0.2, scale = \"lgo\" }}"),
        &["s.toml:4", "did you mean \"log\""],
    );
    refused(
        &format!("{f}learner.inner_lr = [0.1, \"x\"]"),
        &["s.toml:4", "learners.maml.inner_lr = \"x\""],
    );
    refused(
        &format!("{f}leaner.inner_lr = [0.1, 0.2]"),
        &["s.toml:4", "did you mean \"learner\""],
    );
    refused(
        "[design]\nmethod = \"soboll\"",
        &["s.toml:4", "did you mean \"sobol\""],
    );
    refused("[design]\npoints = 8", &["s.toml:4", "there is no factor"]);
    refused(
        "[settings.a]\nwya = 5",
        &["s.toml:4", "did you mean \"way\""],
    );
    refused(
        "[analysis]\nlevel = 2.0",
        &["s.toml:4", "analysis.level = 2"],
    );
    let streams = load("seeds = 2\n[learners.maml]\n[streams]\ninit = 2\n", &[]);
    assert!(format!("{:#}", streams.unwrap_err()).contains("s.toml:1: seeds = 2"));
}

/// The split of a built-in study is for its own data: a user's images are split as their layout tells, unless somebody says how.
#[test]
fn own_images_are_split_by_their_layout_in_built_in_studies_too() {
    let shorthand = |path, flag, value: &str| Shorthand {
        path,
        flag,
        value: value.to_owned(),
    };
    let own = || shorthand("data.set", "--dataset", "folder:icons");
    let split = |sets: &[&str], shorthands: &[Shorthand]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Study::load("quick", &sets, shorthands).unwrap().data.split
    };
    assert_eq!(split(&[], &[own()]), "auto");
    assert_eq!(split(&["data.split=random"], &[own()]), "random");
    let said = shorthand("data.split", "--split", "folders");
    assert_eq!(split(&[], &[own(), said]), "folders");
    let glyphs = shorthand("data.set", "--dataset", "omniglot");
    assert_eq!(split(&[], &[glyphs]), "random-alphabets");
}
