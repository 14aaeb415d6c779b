//! One run as the tables ask for it.

use anyhow::{Result, anyhow};
use metastable_analysis::Adaptation;

use crate::campaign::Finished;
use crate::campaign::folder::Index;
use crate::run::answers::Answers;
use crate::run::log::{self, LogLine};
use crate::run::record::{Record, RunResult};
use crate::run::{regression, results, returns};
use crate::signals::{self, Signal};

/// A finished run of a study, all of it read.
pub(crate) struct Subject {
    /// Name of the study.
    pub(crate) study: String,
    pub(crate) run: Finished,
    pub(crate) result: RunResult,
    pub(crate) log: Vec<LogLine>,
    /// Numbers of the log that stand in lists or groups, with the step of their line.
    pub(crate) signals: Vec<(usize, Signal)>,
    /// Absent if the training diverged.
    pub(crate) test: Option<Answers>,
    /// Mean squared error on each test task of a regression; empty for classes and without a test.
    pub(crate) errors: Vec<f64>,
    /// Mean return on each test task of a policy; empty for others and without a test.
    pub(crate) returns: Vec<f64>,
    /// Accuracy on each test task, 0 to 1; empty for a policy, a regression and without a test.
    pub(crate) accuracies: Vec<f64>,
    /// The same of the weights that were not chosen, if they are others.
    pub(crate) other: Option<Vec<f64>>,
    pub(crate) adaptation: Option<Adaptation>,
    /// Everything that was chosen for the run.
    pub(crate) settings: Vec<Setting>,
}

/// Something that was chosen.
pub(crate) struct Setting {
    /// What kind of choice it is.
    pub(crate) role: &'static str,
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Subject {
    /// Reads the files of a run.
    pub(crate) fn read(index: &Index, run: Finished) -> Result<Self> {
        let result = run
            .record
            .result
            .clone()
            .ok_or_else(|| anyhow!("run {} has not ended", run.entry.label))?;
        let (mut errors, mut found) = (Vec::new(), Vec::new());
        let (test, adaptation, other) = match &result.test {
            None => (None, None, None),
            Some(_) if run.record.config.is_regression() => {
                let stored = regression::read(&run.folder.test(), &run.record.identity)?;
                errors = stored.errors;
                // Its curves have no accuracies.
                let adaptation = stored.adaptation.map(|curves| Adaptation {
                    query_accuracy: vec![f64::NAN; curves.query_loss.len()],
                    ..curves
                });
                (None, adaptation, stored.other)
            }
            Some(_) if run.record.config.is_policy() => {
                let (path, config) = (run.folder.test(), &run.record.config);
                let (returned, other) = returns::read(&path, &run.record.identity, config)?;
                found = returned.scores();
                let adaptation = returned.adaptation(config.test.curves);
                let adaptation = adaptation.map(|curves| Adaptation {
                    query_accuracy: vec![f64::NAN; curves.query_loss.len()],
                    ..curves
                });
                (None, adaptation, other.map(|other| other.scores()))
            }
            Some(_) => {
                let stored = results::read(&run.folder.test(), &run.record.identity)?;
                (Some(stored.answers), stored.adaptation, stored.other)
            }
        };
        let log = log::read(&run.folder.log())?;
        Ok(Self {
            study: index.study.clone(),
            errors,
            returns: found,
            signals: deep(&log)?,
            log,
            accuracies: test
                .as_ref()
                .map_or_else(Vec::new, Answers::task_accuracies),
            settings: settings(index, &run)?,
            result,
            test,
            other,
            adaptation,
            run,
        })
    }

    pub(crate) fn label(&self) -> &str {
        &self.run.entry.label
    }

    pub(crate) fn record(&self) -> &Record {
        &self.run.record
    }
}

/// Numbers of a log that are no columns of its lines.
fn deep(log: &[LogLine]) -> Result<Vec<(usize, Signal)>> {
    let mut deep = Vec::new();
    for line in log {
        let signals = signals::of(line)?.into_iter();
        let signals = signals.filter(|it| !it.places.is_empty() || it.name.contains('.'));
        deep.extend(signals.map(|signal| (line.step, signal)));
    }
    Ok(deep)
}

/// Factors and streams of the study, then the whole configuration.
fn settings(index: &Index, run: &Finished) -> Result<Vec<Setting>> {
    let entry = &run.entry;
    let factors = index.factors.iter().zip(&entry.levels);
    let factors = factors.map(|(factor, level)| Setting {
        role: "factor",
        name: factor.name.clone(),
        // Text without its quotes.
        value: level
            .as_str()
            .map_or_else(|| level.to_string(), str::to_owned),
    });
    let streams = index.streams.iter().zip(&entry.streams);
    let streams = streams.map(|(stream, which)| Setting {
        role: "stream",
        name: stream.clone(),
        value: which.to_string(),
    });
    // What is not set is no setting: a format without empty cells says the same as one that has them.
    let configuration = run.record.config.flat()?.into_iter();
    let configuration = configuration.filter(|(_, value)| !value.is_empty());
    let configuration = configuration.map(|(name, value)| Setting {
        role: "configuration",
        name,
        value,
    });
    Ok(factors.chain(streams).chain(configuration).collect())
}
