//! What a learner says of itself to a list of learners, and how one is built by name.
//!
//! It knows no learner; [`crate::registry`] lists those of this crate, and another crate its own.

use std::fmt;
use std::sync::Arc;

use metastable_models::Beside;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AlgorithmError, HeadStart, Learner};

/// One learner as the registry knows it.
#[derive(Debug)]
pub struct LearnerEntry {
    /// As written in a study.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// The paper.
    pub citation: &'static str,
    /// What the learner needs at the end of the network.
    pub head: Head,
    /// Settings with every default filled in; names and types are checked, bounds are not.
    pub complete: fn(&Value) -> Result<Value, serde_json::Error>,
    /// The learner with checked settings.
    pub build: fn(&Value) -> Result<Box<dyn AnyLearner>, AlgorithmError>,
}

impl LearnerEntry {
    /// The line of a learner that is what its `learner` table says: names and types are checked as `L` is read from it.
    #[must_use]
    pub const fn of<L>(
        name: &'static str,
        summary: &'static str,
        citation: &'static str,
        head: Head,
    ) -> Self
    where
        L: AnyLearner + Serialize + DeserializeOwned + 'static,
    {
        Self {
            name,
            summary,
            citation,
            head,
            complete: |settings| serde_json::to_value(L::deserialize(settings)?),
            build: |settings| match L::deserialize(settings) {
                Ok(learner) => Ok(Box::new(learner)),
                // Its name is set by whoever checks it.
                Err(source) => Err(AlgorithmError::Settings {
                    learner: "",
                    source,
                }),
            },
        }
    }

    /// The learner's settings and their defaults: the valid names of a study's `learner` table, but for `name`.
    #[must_use]
    pub fn defaults(&self) -> Map<String, Value> {
        match (self.complete)(&Value::Object(Map::new())) {
            Ok(Value::Object(settings)) => settings,
            // A learner whose own defaults do not parse is our bug; the battery over the registry finds it.
            Ok(_) | Err(_) => Map::new(),
        }
    }

    /// The learner with these settings, checked.
    ///
    /// # Errors
    /// [`AlgorithmError::Settings`] (unknown name, wrong type), [`AlgorithmError::Setting`] (out of bounds).
    pub fn checked(
        &'static self,
        settings: &Map<String, Value>,
    ) -> Result<CheckedLearner, AlgorithmError> {
        let given = Value::Object(settings.clone());
        let learner = (self.build)(&given).map_err(|error| match error {
            AlgorithmError::Settings { source, .. } => AlgorithmError::Settings {
                learner: self.name,
                source,
            },
            other => other,
        })?;
        let completed = (self.complete)(&given).map_err(|source| AlgorithmError::Settings {
            learner: self.name,
            source,
        })?;
        let settings = match completed {
            Value::Object(settings) => settings,
            // Settings that are no table have no names to fill in.
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => settings.clone(),
        };
        Ok(CheckedLearner {
            entry: self,
            config: LearnerConfig {
                name: self.name.to_owned(),
                settings,
            },
            learner: Arc::from(learner),
        })
    }
}

/// End of the network that a learner works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A linear layer with `n_way` outputs.
    Linear,
    /// A linear layer with one output, which is copied for each class of a task.
    Tied,
    /// None: the outputs are the embedding.
    None,
    /// What lies beside the network, and is learnt with it: rates ([`Beside::Copy`], [`Beside::PerTensor`]) beside a linear layer with
    /// `n_way` outputs, all others beside the embedding.
    Beside(Beside),
    /// None for a task: beside the embedding lies a linear map of the features with an output for each training class, and behind those
    /// so many rows more, whose meaning is the learner's ([`crate::pretraining`]).
    Classes {
        /// Rows that stand for no class.
        spare: usize,
    },
}

impl Head {
    /// Outputs of the head that is learnt for tasks of `n_way` classes; none for an embedding.
    #[must_use]
    pub fn outputs(self, n_way: usize) -> Option<usize> {
        match self {
            Self::Linear => Some(n_way),
            Self::Beside(Beside::Copy | Beside::PerTensor(_)) => Some(n_way),
            Self::Tied => Some(1),
            Self::None
            | Self::Classes { .. }
            | Self::Beside(Beside::Nothing | Beside::Numbers(_) | Beside::Linear(_)) => None,
        }
    }

    /// Whether it knows one number of classes alone.
    #[must_use]
    pub fn is_bound(self) -> bool {
        matches!(
            self,
            Self::Linear | Self::Beside(Beside::Copy | Beside::PerTensor(_))
        )
    }

    /// What lies beside the network, where so many classes are trained on, turns counted where they are classes.
    #[must_use]
    pub fn beside(self, n_classes: usize) -> Beside {
        match self {
            Self::Beside(beside) => beside,
            Self::Classes { spare } => Beside::Linear(n_classes + spare),
            Self::Linear | Self::Tied | Self::None => Beside::Nothing,
        }
    }
}

/// A learner in either precision; `&dyn AnyLearner` coerces to `&dyn Learner<f32>` and `&dyn Learner<f64>`.
pub trait AnyLearner: Learner<f32> + Learner<f64> {}

impl<L: Learner<f32> + Learner<f64>> AnyLearner for L {}

/// A learner's name and settings as a user writes them, unchecked.
///
/// ```
/// # use metastable_algorithms::LearnerConfig;
/// let config: LearnerConfig = serde_json::from_str(r#"{ "name": "maml", "inner_steps": 5 }"#)?;
/// let checked = config.validate()?;
/// assert_eq!(checked.config().settings["test_inner_steps"], 5); // defaults are filled in
///
/// let wrong: LearnerConfig = serde_json::from_str(r#"{ "name": "maml", "inner_step": 5 }"#)?;
/// assert!(wrong.validate().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerConfig {
    /// A name in [`crate::LEARNERS`].
    pub name: String,
    /// The settings of that learner; [`LearnerEntry::defaults`] has their names.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

impl LearnerConfig {
    /// A learner with its default settings.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            settings: Map::new(),
        }
    }

    /// The same with one setting changed.
    #[must_use]
    pub fn with(mut self, setting: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(setting.to_owned(), value.into());
        self
    }

    /// Checks name, settings and bounds, and builds the learner, which is one of `entries`: [`crate::LEARNERS`], or those of
    /// another crate.
    ///
    /// # Errors
    /// [`AlgorithmError::UnknownLearner`], [`AlgorithmError::Settings`] (unknown name, wrong type),
    /// [`AlgorithmError::Setting`] (out of bounds).
    pub fn validate_among(
        &self,
        entries: &[&'static LearnerEntry],
    ) -> Result<CheckedLearner, AlgorithmError> {
        let entry = *entries
            .iter()
            .find(|entry| entry.name == self.name)
            .ok_or_else(|| AlgorithmError::UnknownLearner {
                name: self.name.clone(),
                known: entries
                    .iter()
                    .map(|entry| entry.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            })?;
        entry.checked(&self.settings)
    }
}

/// A learner with checked settings, ready to run.
#[derive(Clone)]
pub struct CheckedLearner {
    entry: &'static LearnerEntry,
    config: LearnerConfig,
    learner: Arc<dyn AnyLearner>,
}

impl fmt::Debug for CheckedLearner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CheckedLearner").field(&self.config).finish()
    }
}

impl CheckedLearner {
    /// Its line in the registry.
    #[must_use]
    pub fn entry(&self) -> &'static LearnerEntry {
        self.entry
    }

    /// Inner steps that have step sizes of their own, learnt: at least one where its setting `learnt_rates` asks for them.
    fn learnt_rates(&self) -> Option<usize> {
        let settings = &self.config.settings;
        let n_steps = settings.get("inner_steps")?.as_u64()?;
        let is_asked = settings.get("learnt_rates")?.as_bool()?;
        is_asked.then(|| usize::try_from(n_steps).unwrap_or(usize::MAX).max(1))
    }

    /// What it needs at the end of the network: of its entry, unless its settings `head` or `learnt_rates` say another.
    #[must_use]
    pub fn head(&self) -> Head {
        let start = self.config.settings.get("head");
        match start.and_then(|start| HeadStart::deserialize(start).ok()) {
            None | Some(HeadStart::Linear) => match self.learnt_rates() {
                Some(n_steps) => Head::Beside(Beside::PerTensor(n_steps)),
                None => self.entry.head,
            },
            Some(HeadStart::Prototypes) => Head::None,
            Some(HeadStart::Tied) => Head::Tied,
        }
    }

    /// The settings with every default filled in: what a record of the run holds.
    #[must_use]
    pub fn config(&self) -> &LearnerConfig {
        &self.config
    }

    /// The same settings with another learner behind them: one whose answers come from elsewhere, once that is there.
    #[must_use]
    pub fn answered_by(self, learner: Arc<dyn AnyLearner>) -> Self {
        Self { learner, ..self }
    }

    /// The same learner with one setting changed.
    ///
    /// # Errors
    /// Those of [`LearnerEntry::checked`].
    pub fn with(&self, setting: &str, value: impl Into<Value>) -> Result<Self, AlgorithmError> {
        let config = self.config.clone().with(setting, value);
        self.entry.checked(&config.settings)
    }

    /// The learner in single precision (training).
    #[must_use]
    pub fn single(&self) -> &dyn Learner<f32> {
        &*self.learner
    }

    /// The learner in double precision (derivative checks and analysis).
    #[must_use]
    pub fn double(&self) -> &dyn Learner<f64> {
        &*self.learner
    }
}

/// Settings of one learner out of a study's table.
pub(crate) fn parse<C: DeserializeOwned>(settings: &Value) -> Result<C, serde_json::Error> {
    C::deserialize(settings)
}

/// The settings of a learner with inner steps, every default filled in; at test and validation as many steps as in training, if nothing
/// else is said.
pub(crate) fn complete_steps<C: DeserializeOwned + Serialize>(
    settings: &Value,
) -> Result<Value, serde_json::Error> {
    let mut completed = serde_json::to_value(parse::<C>(settings)?)?;
    if completed["test_inner_steps"].is_null() {
        completed["test_inner_steps"] = completed["inner_steps"].clone();
    }
    Ok(completed)
}

/// [`parse`] for a learner that is being built: what is wrong is told with its name.
pub(crate) fn parse_for<C: DeserializeOwned>(
    learner: &'static str,
    settings: &Value,
) -> Result<C, AlgorithmError> {
    parse(settings).map_err(|source| AlgorithmError::Settings { learner, source })
}
