//! `log.jsonl`: one line each few outer steps. Without clock times, so that equal runs leave equal bytes.

use std::path::Path;

use anyhow::{Context, Result};
use metastable_algorithms::StepReport;
use serde::{Deserialize, Serialize};

use crate::files::read_text;

/// One line. Means are over the outer steps since the line before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogLine {
    /// Outer steps made.
    pub(crate) step: usize,
    /// Mean query loss of the training episodes, in nats.
    pub(crate) train_loss: f64,
    /// Their mean query accuracy, 0 to 1.
    pub(crate) train_accuracy: f64,
    /// Mean Euclidean norm of the meta-gradient, before clipping.
    pub(crate) gradient_norm: f64,
    /// Updates that clipping shortened.
    pub(crate) n_clipped: usize,
    /// Step size of the last update.
    pub(crate) outer_lr: f64,
    /// On the fixed validation episodes, at the lines that validate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) validation_accuracy: Option<f64>,
    /// In nats; absent too if the adaptation to some episode blew up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) validation_loss: Option<f64>,
}

/// Sums since the last line; part of the state, or a resumed run would log other means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    n: usize,
    loss: f64,
    accuracy: f64,
    gradient_norm: f64,
    n_clipped: usize,
}

impl Pending {
    /// Adds one outer step.
    pub(crate) fn add(&mut self, report: &StepReport) {
        self.n += 1;
        self.loss += report.loss;
        self.accuracy += report.accuracy;
        self.gradient_norm += report.gradient_norm;
        self.n_clipped += usize::from(report.clipped);
    }

    /// The line that ends at `report`; starts the sums again.
    pub(crate) fn line(&mut self, report: &StepReport) -> LogLine {
        #[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
        let n = self.n.max(1) as f64;
        let sums = std::mem::take(self);
        LogLine {
            step: report.step,
            train_loss: sums.loss / n,
            train_accuracy: sums.accuracy / n,
            gradient_norm: sums.gradient_norm / n,
            n_clipped: sums.n_clipped,
            outer_lr: report.outer_lr,
            validation_accuracy: report.validation.map(|validation| validation.accuracy),
            validation_loss: report
                .validation
                .map(|validation| validation.loss)
                .filter(|loss| loss.is_finite()),
        }
    }
}

impl LogLine {
    /// As it stands in the file.
    pub(crate) fn text(&self) -> Result<String> {
        let mut text = serde_json::to_string(self)?;
        text.push('\n');
        Ok(text)
    }
}

/// All lines of a log.
pub(crate) fn read(path: &Path) -> Result<Vec<LogLine>> {
    read_text(path)?
        .lines()
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("while reading line {} of {}", index + 1, path.display()))
        })
        .collect()
}
