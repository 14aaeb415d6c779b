//! Settings as users write them: names, defaults, bounds, refusals.

use metastable_algorithms::{
    AlgorithmError, LEARNERS, LearnerConfig, OptimizerConfig, TrainConfig,
};
use proptest::prelude::*;
use serde_json::json;

/// Every refusal names the setting or the name at fault.
fn refused(study: &str, mentions: &str) {
    let config: LearnerConfig = toml::from_str(study).unwrap();
    let message = match config.validate() {
        Ok(_) => panic!("accepted: {study}"),
        Err(error) => error.to_string(),
    };
    assert!(message.contains(mentions), "`{mentions}` not in: {message}");
}

#[test]
fn studies_are_read_and_defaults_filled_in() {
    let study = "name = \"maml\"\ninner_lr = 1\ninner_steps = 5";
    let config: LearnerConfig = toml::from_str(study).unwrap();
    let checked = config.validate().unwrap();
    let settings = &checked.config().settings;
    assert_eq!(settings["inner_lr"], json!(1.0));
    assert_eq!(settings["test_inner_steps"], json!(5));
    assert_eq!(settings["trajectory"], json!("auto"));
    let study = "name = \"matching\"\nmetric = \"euclidean\"";
    let config: LearnerConfig = toml::from_str(study).unwrap();
    let checked = config.validate().unwrap();
    assert_eq!(checked.config().settings["temperature"], json!(1.0));
}

#[test]
fn what_is_checked_once_is_accepted_again_unchanged() {
    for entry in LEARNERS {
        let checked = LearnerConfig::named(entry.name).validate().unwrap();
        assert_eq!(
            checked.config().settings,
            entry.defaults(),
            "{}",
            entry.name
        );
        let again = checked.config().validate().unwrap();
        assert_eq!(again.config(), checked.config(), "{}", entry.name);
        assert!(!entry.defaults().is_empty() && !entry.citation.is_empty());
    }
}

#[test]
fn mistakes_are_refused_by_name() {
    refused(
        "name = \"leap\"",
        "maml, fomaml, maml-pp, imaml, meta-sgd, support-maml, anil, boil, reptile, protonet, matching, r2d2, nearest-mean, simple-shot, baseline, baseline-pp",
    );
    refused(
        "name = \"maml\"\ninner_step = 3",
        "inner_step`, expected one of",
    );
    refused("name = \"protonet\"\ninner_lr = 0.1", "inner_lr");
    refused("name = \"fomaml\"\ntrajectory = \"stored\"", "trajectory");
    refused("name = \"maml\"\ninner_lr = -0.1", "inner_lr = -0.1");
    refused(
        "name = \"maml\"\ninner_lr = inf",
        "settings of learner `maml`",
    );
    refused("name = \"protonet\"\ntemperature = 0.0", "temperature = 0");
    refused("name = \"matching\"\nmetric = \"manhattan\"", "manhattan");
}

#[test]
fn training_settings_read_as_documented() {
    let study = "outer_lr = 0.01\noptimizer = { kind = \"sgd\", momentum = 0.9 }\n\
                 schedule = { kind = \"step\", every = 2000 }\nclip_norm = 10";
    let config: TrainConfig = toml::from_str(study).unwrap();
    assert_eq!(config.optimizer, OptimizerConfig::Sgd { momentum: 0.9 });
    assert_eq!(config.clip_norm, Some(10.0));
    assert!(config.validate().is_ok());
    assert_eq!(TrainConfig::default().clip_norm, None);
    for wrong in [
        "outer_learning_rate = 0.01",
        "optimizer = { kind = \"adam\", momentum = 0.9 }",
        "schedule = { kind = \"linear\" }",
    ] {
        assert!(toml::from_str::<TrainConfig>(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    /// `validate` is total, and what it accepts is within bounds, NaN and infinities included.
    #[test]
    fn validation_accepts_exactly_the_bounds(
        outer_lr in proptest::num::f64::ANY, beta1 in proptest::num::f64::ANY,
        clip_norm in proptest::option::of(proptest::num::f64::ANY), meta_batch in 0..3_usize,
    ) {
        let config = TrainConfig {
            outer_lr,
            meta_batch,
            clip_norm,
            optimizer: OptimizerConfig::Adam { beta1, beta2: 0.999, epsilon: 1e-8 },
            ..TrainConfig::default()
        };
        let within = outer_lr.is_finite() && outer_lr >= 0.0
            && (0.0..1.0).contains(&beta1)
            && clip_norm.is_none_or(|limit| limit.is_finite() && limit > 0.0)
            && meta_batch > 0;
        match config.validate() {
            Ok(plan) => prop_assert!(within && plan.config() == &config),
            Err(AlgorithmError::Setting { .. }) => prop_assert!(!within),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
