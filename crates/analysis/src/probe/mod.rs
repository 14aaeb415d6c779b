//! What a trained learner answered when it was asked after its run: plain tables, and what they say.
//!
//! A run is tested once; a *probe* asks its weights further questions (other support sets, other label orders, other
//! step sizes, curvature, other data). The answers of one run are one [`Probe`], every table optional. A file each:
//! table, estimate over runs, sentence.

pub mod coupling;
pub mod example_influence;
pub mod label_order;
mod pool;
pub mod step_sizes;
pub mod support_sets;

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;

/// The answers of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// Identifier of the run.
    pub run: String,
    /// C1 and C2: other support sets for the same task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_sets: Option<support_sets::Answers>,
    /// C3: other orders of the classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_order: Option<label_order::Answers>,
    /// C5: other inner step sizes, and the curvature that bounds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_sizes: Option<step_sizes::Answers>,
    /// C6: queries judged together and one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupling: Option<coupling::Answers>,
    /// D2: one support example exchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example_influence: Option<example_influence::Answers>,
}

impl Probe {
    /// Takes over every table that `other` has.
    pub fn absorb(&mut self, other: Self) {
        let Self {
            run: _,
            support_sets,
            label_order,
            step_sizes,
            coupling,
            example_influence,
        } = other;
        take(&mut self.support_sets, support_sets);
        take(&mut self.label_order, label_order);
        take(&mut self.step_sizes, step_sizes);
        take(&mut self.coupling, coupling);
        take(&mut self.example_influence, example_influence);
    }

    /// Checks every table.
    ///
    /// # Errors
    /// [`AnalysisError`] naming the run and what is wrong.
    pub fn check(&self) -> Result<(), AnalysisError> {
        let of = |what: &str| format!("{what} of the probe of run `{}`", self.run);
        if let Some(answers) = &self.support_sets {
            answers.check(&of("support sets"))?;
        }
        if let Some(answers) = &self.label_order {
            answers.check(&of("label orders"))?;
        }
        if let Some(answers) = &self.step_sizes {
            answers.check(&of("step sizes"))?;
        }
        if let Some(answers) = &self.coupling {
            answers.check(&of("coupling"))?;
        }
        if let Some(answers) = &self.example_influence {
            answers.check(&of("exchanged examples"))?;
        }
        Ok(())
    }
}

fn take<T>(place: &mut Option<T>, other: Option<T>) {
    if other.is_some() {
        *place = other;
    }
}
