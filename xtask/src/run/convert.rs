//! From the files of a run to the plain table that the analysis takes.

use anyhow::{Result, anyhow};
use metastable_analysis::{Progress, Run};

use super::{log, results};
use crate::campaign::Finished;

/// The table of a finished run of a study.
pub(crate) fn table(run: &Finished) -> Result<Run> {
    let Finished {
        entry,
        folder,
        record,
    } = run;
    let result = record
        .result
        .as_ref()
        .ok_or_else(|| anyhow!("run {} has not ended", entry.label))?;
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
            let (test, adaptation) = results::read(&folder.test(), &record.identity)?;
            (Some(test), adaptation)
        }
    };
    Ok(Run {
        id: entry.label.clone(),
        learner: entry.learner.clone(),
        setting: record.config.setting(),
        seed: entry.seed,
        outcome: result.outcome.clone(),
        history,
        train_seconds: result.train_seconds,
        test,
        scores: None,
        adaptation,
        fingerprint: record.fingerprint()?,
    })
}
