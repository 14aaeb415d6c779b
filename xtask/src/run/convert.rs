//! From the files of a run to the plain table that the analysis takes.

use std::path::Path;

use anyhow::{Result, anyhow};
use metastable_analysis::{Progress, Run};

use super::{Record, RunFolder, log, results};

/// The table of a finished run, read from its folder below `out`.
pub(crate) fn table(out: &Path, record: &Record) -> Result<Run> {
    let folder = RunFolder::new(out, &record.id);
    let result = record
        .result
        .as_ref()
        .ok_or_else(|| anyhow!("run {} has not ended", record.id))?;
    let history = log::read(&folder.log())?
        .into_iter()
        .map(|line| Progress {
            step: line.step,
            train_loss: line.train_loss,
            train_accuracy: line.train_accuracy,
            validation_accuracy: line.validation_accuracy,
        })
        .collect();
    let (test, adaptation) = match &result.test {
        None => (None, None),
        Some(_) => {
            let (test, adaptation) = results::read(&folder.test(), &record.config_hash)?;
            (Some(test), adaptation)
        }
    };
    Ok(Run {
        id: record.id.clone(),
        learner: record.config.name.clone(),
        setting: record.config.setting(),
        seed: record.config.seed(),
        outcome: result.outcome.clone(),
        history,
        train_seconds: result.train_seconds,
        test,
        scores: None,
        adaptation,
        fingerprint: record.fingerprint()?,
    })
}
