//! What one run answered to the question of [`crate::probe::representation`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;

/// Features of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// `within / between` of each task's queries in the last features, as they judge: after adaptation.
    pub separation: Vec<f64>,
    /// Share of queries that are nearer to the center of another class, each task.
    pub misplaced: Vec<f64>,
    /// Movement of prototypes over support draws relative to the distance of the nearest other prototype.
    pub prototype_spread: Vec<f64>,
    /// Effective rank of the last features over images of many classes.
    pub effective_rank: f64,
    /// Width of the last features.
    pub width: usize,
    /// What adaptation changes in each layer; empty for a learner without an inner loop.
    pub layers: Vec<Layer>,
}

/// What adaptation changes in one layer, task by task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Name of the layer.
    pub name: String,
    /// CKA of the queries' features before and after; empty for the head, which is no feature.
    pub cka: Vec<f64>,
    /// `|phi - theta| / |theta|` over the weights of the layer.
    pub weight_change: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for table in [&self.separation, &self.misplaced, &self.prototype_spread] {
            check_table(what, table, table.len(), 1)?;
        }
        for layer in &self.layers {
            check_table(what, &layer.cka, layer.cka.len(), 1)?;
            check_table(what, &layer.weight_change, layer.weight_change.len(), 1)?;
        }
        Ok(())
    }
}
