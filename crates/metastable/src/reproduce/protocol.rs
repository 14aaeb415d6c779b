//! Under which circumstances a number was obtained, ours and theirs, and in what two of them differ.

use metastable_data::Rotations;
use metastable_models::Norm;
use serde::{Deserialize, Serialize};

use crate::run::RunConfig;
use crate::study::Chosen;

/// How classes were split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SplitWord {
    Random,
    RandomAlphabets,
    Vinyals,
    Lake,
    Alphabets,
    /// One that no study has.
    Other,
}

/// Quarter turns of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Turns {
    AsClasses,
    Augment,
    Off,
}

/// What normalises at test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Normalisation {
    /// Statistics of all queries of a task together (transductive).
    Batch,
    /// Statistics of the supports and one query at a time.
    BatchAlone,
    Running,
    PerStep,
    None,
}

/// Which weights were tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Tested {
    Best,
    Last,
}

macro_rules! protocol {
    ($($(#[$about:meta])* $field:ident: $type:ty,)+) => {
        /// What is absent is not known.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Protocol {
            $($(#[$about])* #[serde(skip_serializing_if = "Option::is_none")] pub(super) $field: Option<$type>,)+
            /// Where the protocol was read.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) source: Option<String>,
        }

        impl Protocol {
            /// Names of what can differ.
            pub(super) const FIELDS: [&'static str; [$(stringify!($field)),+].len()] = [$(stringify!($field)),+];

            /// These, and the others' where these are not known.
            pub(super) fn over(self, other: Self) -> Self {
                Self {
                    $($field: self.$field.or(other.$field),)+
                    source: self.source.or(other.source),
                }
            }

            /// Each field as a word, in the order of [`Self::FIELDS`].
            fn words(&self) -> Vec<Option<String>> {
                let word = |value: serde_json::Value| match value {
                    serde_json::Value::String(word) => word,
                    other => other.to_string(),
                };
                vec![$(self.$field.map(|it| word(serde_json::json!(it))),)+]
            }
        }
    };
}

protocol! {
    split: SplitWord,
    /// In training.
    rotations: Turns,
    test_rotations: Turns,
    /// Of each class, at test.
    queries: usize,
    /// Test tasks.
    tasks: usize,
    normalisation: Normalisation,
    weights: Tested,
    /// Checkpoints whose predictions are averaged.
    ensemble: usize,
    /// Trainings behind the number.
    runs: usize,
    train_way: usize,
    train_queries: usize,
    meta_batch: usize,
    outer_steps: usize,
}

/// Fields that change how well a number is known, and not what it is expected to be.
const PRECISION: [&str; 2] = ["tasks", "runs"];

impl Protocol {
    /// That of a run of ours.
    pub(super) fn of(config: &RunConfig) -> Self {
        let turns = |rotations| match rotations {
            Rotations::AsClasses => Turns::AsClasses,
            Rotations::Augment => Turns::Augment,
            Rotations::Off => Turns::Off,
        };
        let rule = config.data.split.split(':').next().unwrap_or_default();
        let split = serde_json::from_value(rule.into()).unwrap_or(SplitWord::Other);
        Self {
            split: Some(split),
            rotations: Some(turns(config.data.rotations)),
            test_rotations: Some(turns(config.data.test_rotations)),
            queries: Some(config.test.query),
            tasks: Some(config.test.episodes),
            normalisation: Some(match config.network.norm {
                Norm::Batch => Normalisation::Batch,
                Norm::Running => Normalisation::Running,
                Norm::PerStep { .. } => Normalisation::PerStep,
                Norm::None => Normalisation::None,
            }),
            weights: Some(match config.test.weights {
                Chosen::Best => Tested::Best,
                Chosen::Last => Tested::Last,
            }),
            ensemble: Some(match config.test.averages_weights() {
                true => 1,
                false => config.test.checkpoints,
            }),
            runs: None,
            train_way: Some(config.episode.n_way),
            train_queries: Some(config.episode.n_query),
            meta_batch: Some(config.training.meta_batch),
            outer_steps: Some(config.training.outer_steps),
            source: None,
        }
    }

    /// `test_rotations (off, there as-classes)` for each field that is known on both sides and is another.
    pub(super) fn differences(&self, theirs: &Self) -> Vec<String> {
        let both = self.words().into_iter().zip(theirs.words());
        let named = Self::FIELDS.iter().zip(both);
        named
            .filter(|(name, _)| !PRECISION.contains(name))
            .filter_map(|(name, (ours, theirs))| difference(name, &ours?, &theirs?))
            .collect()
    }
}

/// `name (ours, there theirs)`, if the two are not the same.
pub(super) fn difference(name: &str, ours: &str, theirs: &str) -> Option<String> {
    (ours != theirs).then(|| format!("{name} ({ours}, there {theirs})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_does_not_differ() {
        let ours = Protocol {
            test_rotations: Some(Turns::Off),
            queries: Some(15),
            tasks: Some(600),
            ..Protocol::default()
        };
        let theirs = Protocol {
            test_rotations: Some(Turns::AsClasses),
            tasks: Some(1000),
            outer_steps: Some(60_000),
            ..Protocol::default()
        };
        let found = ours.differences(&theirs);
        assert_eq!(found, ["test_rotations (off, there as-classes)"]);
        let joined = theirs.clone().over(ours.clone());
        assert_eq!((joined.queries, joined.tasks), (Some(15), Some(1000)));
    }
}
