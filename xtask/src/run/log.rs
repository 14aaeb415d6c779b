//! `log.jsonl`: one line each few outer steps. Without clock times, so that equal runs leave equal bytes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
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

/// The log being written.
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    /// Lines written; the state remembers how many belong to it.
    pub(crate) n_lines: usize,
}

impl Log {
    /// Opens the log at its first `n_lines` lines; what a crash left behind them is cut off.
    pub(crate) fn open(path: &Path, n_lines: usize) -> Result<Self> {
        let text = if path.exists() {
            read_text(path)?
        } else {
            String::new()
        };
        let kept: Vec<&str> = text.split_inclusive('\n').take(n_lines).collect();
        if kept.len() < n_lines {
            bail!(
                "{} has {} lines where the state beside it counts {n_lines}; remove the folder to run it again",
                path.display(),
                kept.len()
            );
        }
        let n_bytes: usize = kept.iter().map(|line| line.len()).sum();
        let open = || -> std::io::Result<File> {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            file.set_len(n_bytes as u64)?;
            Ok(file)
        };
        Ok(Self {
            file: open().with_context(|| format!("while opening {}", path.display()))?,
            path: path.to_owned(),
            n_lines,
        })
    }

    /// Appends a line.
    pub(crate) fn write(&mut self, line: &LogLine) -> Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file
            .write_all(text.as_bytes())
            .with_context(|| format!("while writing {}", self.path.display()))?;
        self.n_lines += 1;
        Ok(())
    }

    /// Makes the lines safe before a state counts on them.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file
            .sync_data()
            .with_context(|| format!("while writing {}", self.path.display()))
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
