//! `log.jsonl`: one line each few outer steps. Without clock times, so that equal runs leave equal bytes.

use std::path::Path;

use anyhow::{Context, Result};
use metastable_algorithms::{Inspection, OBSERVED_TASKS, Observation, StepReport, Validation};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::growing::Growing;
use super::tasks::Tasks;
use crate::files::read_text;

/// A log has about so many lines at the most, and so many rows of norms: longer trainings are told in longer steps.
pub(crate) const MOST_LINES: usize = 1000;
const MOST_NORMS: usize = 4000;

/// One line. Means are over the outer steps since the line before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogLine {
    /// Outer steps made.
    pub(crate) step: usize,
    /// Mean query loss of the training episodes, in nats; of a regression their mean squared error.
    pub(crate) train_loss: f64,
    /// Their mean query accuracy, 0 to 1. It is NaN, and not in the file, where a guest does not report it, and of a regression.
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    pub(crate) train_accuracy: f64,
    /// Mean Euclidean norm of the meta-gradient, before clipping. It is NaN, and not in the file, where a guest does not say.
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    pub(crate) gradient_norm: f64,
    /// Updates that clipping shortened.
    pub(crate) n_clipped: usize,
    /// Step size of the last update; as for the norm.
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    pub(crate) outer_lr: f64,
    /// On the fixed validation episodes, at the lines that validate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) validation_accuracy: Option<f64>,
    /// In nats, or the mean squared error; absent too if the adaptation to some episode blew up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) validation_loss: Option<f64>,
    /// Mean of `|theta' - theta| / |theta|`.
    #[serde(
        default = "unknown",
        skip_serializing_if = "is_unknown",
        serialize_with = "short"
    )]
    pub(crate) update_ratio: f64,
    /// Mean of `|gbar|^2`, and of `sum_t |g_t|^2` over the tasks of a meta-batch.
    #[serde(
        default = "both_unknown",
        skip_serializing_if = "are_unknown",
        serialize_with = "short"
    )]
    pub(crate) gradient_squares: [f64; 2],
    /// Mean query loss of each outer step, in order.
    #[serde(default, serialize_with = "short")]
    pub(crate) losses: Vec<f64>,
    /// Norm of the meta-gradient in each layer, of every step (of every few in long trainings).
    #[serde(default, serialize_with = "short")]
    pub(crate) layer_norms: Vec<Vec<f64>>,
    /// At the steps that observe.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        serialize_with = "short"
    )]
    pub(crate) observation: Option<Observation>,
    /// Number of the domain of each task that was observed, where the data set is several.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) domains: Vec<u32>,
    /// At the lines that validate.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        serialize_with = "short"
    )]
    pub(crate) inspection: Option<Inspection>,
}

/// What has gathered since the last line; part of the state, or a resumed run would log something else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    step: usize,
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    outer_lr: f64,
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    accuracy: f64,
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    gradient_norm: f64,
    n_clipped: usize,
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    update_ratio: f64,
    #[serde(default = "both_unknown", skip_serializing_if = "are_unknown")]
    gradient_squares: [f64; 2],
    losses: Vec<f64>,
    layer_norms: Vec<Vec<f64>>,
}

impl Pending {
    /// Adds one outer step of a training of `outer_steps`.
    pub(crate) fn add(&mut self, report: &StepReport, outer_steps: usize) {
        self.step = report.step;
        self.outer_lr = report.outer_lr;
        self.accuracy += report.accuracy;
        self.gradient_norm += report.gradient_norm;
        self.n_clipped += usize::from(report.clipped);
        let signal = &report.signal;
        self.update_ratio += signal.update_ratio;
        self.gradient_squares[0] += signal.mean_square;
        self.gradient_squares[1] += signal.sum_of_squares;
        self.losses.push(report.loss);
        let has_layers = !signal.layer_norms.is_empty();
        if has_layers && report.step.is_multiple_of(outer_steps.div_ceil(MOST_NORMS)) {
            self.layer_norms.push(signal.layer_norms.clone());
        }
    }

    /// The line that ends at the last step added, with what was seen there; starts again. None if no step waits for one.
    pub(crate) fn line(&mut self, seen: Option<&StepReport>) -> Option<LogLine> {
        let sums = std::mem::take(self);
        if sums.losses.is_empty() {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
        let n = sums.losses.len() as f64;
        let validation = seen.and_then(|report| report.validation);
        Some(LogLine {
            step: sums.step,
            train_loss: sums.losses.iter().sum::<f64>() / n,
            train_accuracy: sums.accuracy / n,
            gradient_norm: sums.gradient_norm / n,
            n_clipped: sums.n_clipped,
            outer_lr: sums.outer_lr,
            validation_accuracy: validation.and_then(|validation| finite(validation.accuracy)),
            validation_loss: validation.and_then(|validation| finite(validation.loss)),
            update_ratio: sums.update_ratio / n,
            gradient_squares: sums.gradient_squares.map(|sum| sum / n),
            losses: sums.losses,
            layer_norms: sums.layer_norms,
            observation: seen.and_then(|report| report.observation.clone()),
            domains: Vec::new(),
            inspection: seen.and_then(|report| report.inspection.clone()),
        })
    }
}

impl LogLine {
    /// With the domains of the tasks that were observed, out of meta-batches of `meta_batch`.
    pub(crate) fn of_domains(mut self, tasks: &Tasks<'_>, meta_batch: usize) -> Self {
        if self.observation.is_some() {
            let first = (self.step - 1) * meta_batch;
            self.domains = tasks.domains(first, meta_batch.min(OBSERVED_TASKS));
        }
        self
    }

    /// The same step with other validations than it was logged with.
    pub(crate) fn see(&mut self, validation: &Validation, inspection: Option<Inspection>) {
        self.validation_accuracy = finite(validation.accuracy);
        self.validation_loss = finite(validation.loss);
        self.inspection = inspection;
    }

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

fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}

/// What a guest does not say; JSON has no number for it.
fn unknown() -> f64 {
    f64::NAN
}

fn both_unknown() -> [f64; 2] {
    [f64::NAN; 2]
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_unknown(number: &f64) -> bool {
    number.is_nan()
}

fn are_unknown(numbers: &[f64; 2]) -> bool {
    numbers.iter().all(|number| number.is_nan())
}

/// Writes every number with a point in five digits: there is one for each step and layer.
fn short<V: Serialize, S: Serializer>(value: &V, serializer: S) -> Result<S::Ok, S::Error> {
    let mut tree = serde_json::to_value(value).map_err(serde::ser::Error::custom)?;
    shorten(&mut tree);
    tree.serialize(serializer)
}

fn shorten(tree: &mut Value) {
    match tree {
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(map) => map.values_mut().for_each(shorten),
        Value::Number(number) if number.is_f64() => {
            let short = number
                .as_f64()
                .and_then(|number| format!("{number:.4e}").parse::<f64>().ok());
            if let Some(short) = short.and_then(serde_json::Number::from_f64) {
                *number = short;
            }
        }
        _ => {}
    }
}

/// Appends a line, if there is one.
pub(super) fn note(log: &mut Growing, line: Option<LogLine>) -> Result<()> {
    match line {
        Some(line) => log.append(line.text()?.as_bytes()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_does_not_say_comes_back_as_no_number() {
        let line = LogLine {
            step: 4,
            train_loss: 1.5,
            train_accuracy: f64::NAN,
            gradient_norm: f64::NAN,
            n_clipped: 0,
            outer_lr: f64::NAN,
            validation_accuracy: None,
            validation_loss: None,
            update_ratio: f64::NAN,
            gradient_squares: [f64::NAN; 2],
            losses: vec![1.5],
            layer_norms: Vec::new(),
            observation: None,
            domains: Vec::new(),
            inspection: None,
        };
        let text = line.text().unwrap();
        assert!(!text.contains("null"), "{text}");
        let read: LogLine = serde_json::from_str(&text).unwrap();
        let [mean_square, sum_of_squares] = read.gradient_squares;
        for number in [
            read.train_accuracy,
            read.gradient_norm,
            read.outer_lr,
            read.update_ratio,
            mean_square,
            sum_of_squares,
        ] {
            assert!(number.is_nan(), "{number}");
        }
    }
}
