//! What a metric is, and the open table in which results lie.
//!
//! A metric is one file: a result type, a pure function on tables, and a constant that binds both to an identifier;
//! and one line in [`crate::registry`]. Results lie in [`Measures`] by identifier and come out typed:
//! `measures.get::<Spread>()`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::AnalysisError;
use crate::findings::Finding;
use crate::group::{LearnerRuns, SettingRuns, StudyRuns};
use crate::options::Options;

/// A result type and the identifier under which it is stored. No field may be NaN or infinite: JSON has neither.
pub trait Measure: Serialize + DeserializeOwned {
    /// Lower-case identifier, unique in the registry.
    const ID: &'static str;
}

/// Results by identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Measures(BTreeMap<String, serde_json::Value>);

impl Measures {
    /// The result of one metric; none where the data could not carry it.
    #[must_use]
    pub fn get<M: Measure>(&self) -> Option<M> {
        self.0
            .get(M::ID)
            .and_then(|value| M::deserialize(value).ok())
    }

    /// The result of a metric that is one number ([`Measured::number`]).
    #[must_use]
    pub fn number(&self, id: &str) -> Option<f64> {
        self.0.get(id).and_then(serde_json::Value::as_f64)
    }

    /// Identifiers of the results that are there.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn insert(&mut self, id: &str, value: serde_json::Value) {
        self.0.insert(id.to_owned(), value);
    }
}

/// What a metric returns: a result, or none where the data cannot carry it, and its sentences.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub(crate) value: Option<serde_json::Value>,
    pub(crate) findings: Vec<Finding>,
}

impl Measured {
    /// A result and its sentences.
    ///
    /// # Errors
    /// [`AnalysisError::Encoding`] if the result does not come back from JSON, as with a NaN in it.
    pub fn new<M: Measure>(result: &M, findings: Vec<Finding>) -> Result<Self, AnalysisError> {
        let encoding = |reason: serde_json::Error| AnalysisError::Encoding {
            metric: M::ID.to_owned(),
            reason: reason.to_string(),
        };
        let value = serde_json::to_value(result).map_err(encoding)?;
        M::deserialize(&value).map_err(encoding)?;
        Ok(Self {
            value: Some(value),
            findings,
        })
    }

    /// A result that is one number, or none, without a sentence: a metric that needs no result type of its own.
    ///
    /// # Errors
    /// [`AnalysisError::Encoding`] if the number is NaN or infinite.
    pub fn number(id: &str, value: Option<f64>) -> Result<Self, AnalysisError> {
        let encoded = value.map(|value| {
            let number = serde_json::Number::from_f64(value);
            number.ok_or_else(|| AnalysisError::Encoding {
                metric: id.to_owned(),
                reason: format!("{value} is not a number of JSON"),
            })
        });
        Ok(Self {
            value: encoded.transpose()?.map(serde_json::Value::Number),
            findings: Vec::new(),
        })
    }

    /// No result: the data cannot carry this metric.
    #[must_use]
    pub fn absent() -> Self {
        Self::default()
    }
}

/// A metric of one learner in one setting.
pub struct LearnerMetric {
    /// Identifier, that of its [`Measure`].
    pub id: &'static str,
    /// One line for a heading.
    pub title: &'static str,
    /// Measures.
    pub measure: fn(&LearnerRuns<'_>, &Options) -> Result<Measured, AnalysisError>,
}

/// A metric across the learners of one setting.
pub struct SettingMetric {
    /// Identifier, that of its [`Measure`].
    pub id: &'static str,
    /// One line for a heading.
    pub title: &'static str,
    /// Measures.
    pub measure: fn(&SettingRuns<'_>, &Options) -> Result<Measured, AnalysisError>,
}

/// A metric across all settings of a study.
pub struct StudyMetric {
    /// Identifier, that of its [`Measure`].
    pub id: &'static str,
    /// One line for a heading.
    pub title: &'static str,
    /// Measures.
    pub measure: fn(&StudyRuns<'_>, &Options) -> Result<Measured, AnalysisError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_out_as_it_went_in() {
        let mut measures = Measures::default();
        let measured = Measured::number("least", Some(0.1 + 0.2)).unwrap();
        measures.insert("least", measured.value.unwrap());
        assert_eq!(measures.number("least"), Some(0.1 + 0.2));
        assert_eq!(measures.number("most"), None);
        assert!(Measured::number("least", None).unwrap().value.is_none());
        for value in [f64::NAN, f64::INFINITY] {
            let error = Measured::number("least", Some(value)).unwrap_err();
            assert!(error.to_string().contains("least"), "{error}");
        }
    }
}
