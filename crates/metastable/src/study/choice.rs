//! Settings that are one of a few words: read once, an enum from then on, and written as the same words.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// An enum whose values are words of a study; an unknown word is answered with the nearest one.
macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub(crate) enum $name {
            $($(#[$of])* $variant,)+
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(word: String) -> Result<Self, String> {
                match word.as_str() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(crate::study::section::suggestion(other, &[$($word),+])),
                }
            }
        }

        impl From<$name> for String {
            fn from(choice: $name) -> Self {
                let word = match choice {
                    $($name::$variant => $word,)+
                };
                word.to_owned()
            }
        }
    };
}

choices! {
    /// Which weights are tested.
    Chosen {
        /// Those of the best validation.
        Best = "best",
        /// Those after the last step.
        Last = "last",
    }
}

choices! {
    /// What of several checkpoints is averaged at test.
    Combine {
        /// The class probabilities that each of them predicts.
        Probabilities = "probabilities",
        /// Their weights, into one.
        Weights = "weights",
    }
}

choices! {
    /// How hidden activations are normalised; [`metastable_models::Norm`] without its numbers.
    NormKind {
        Batch = "batch",
        Running = "running",
        PerStep = "per-step",
        None = "none",
    }
}

choices! {
    /// How initial weights are drawn; [`metastable_models::Init`].
    InitKind {
        HeUniform = "he-uniform",
        HeNormal = "he-normal",
        Torch = "torch",
        Xavier = "xavier",
    }
}

impl From<InitKind> for metastable_models::Init {
    fn from(kind: InitKind) -> Self {
        match kind {
            InitKind::HeUniform => Self::HeUniform,
            InitKind::HeNormal => Self::HeNormal,
            InitKind::Torch => Self::Torch,
            InitKind::Xavier => Self::Xavier,
        }
    }
}

choices! {
    /// How a gradient becomes an update; [`metastable_algorithms::OptimizerConfig`] without its numbers.
    OptimizerKind {
        Adam = "adam",
        Sgd = "sgd",
    }
}

choices! {
    /// How the outer step size changes; [`metastable_algorithms::ScheduleConfig`] without its numbers.
    ScheduleKind {
        Constant = "constant",
        Cosine = "cosine",
        Step = "step",
    }
}

choices! {
    /// Which tasks of a meta-batch count; [`metastable_algorithms::TaskWeighting`] without its number.
    WeightingKind {
        Mean = "mean",
        Max = "max",
        Cvar = "cvar",
    }
}

/// For serde: a value of another crate, as the word that it is written with.
pub(crate) fn write<V: Display, S: Serializer>(value: &V, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// For serde: a value of another crate, from the word that it is written with.
pub(crate) fn read<'de, V, D>(from: D) -> Result<V, D::Error>
where
    V: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let word = String::deserialize(from)?;
    word.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_and_written_and_another_is_answered() {
        let read = |word: &str| serde_json::from_value::<NormKind>(word.into());
        assert_eq!(read("per-step").unwrap(), NormKind::PerStep);
        assert_eq!(serde_json::to_value(NormKind::PerStep).unwrap(), "per-step");
        let error = read("batches").unwrap_err().to_string();
        assert!(error.contains("did you mean \"batch\""), "{error}");
    }
}
