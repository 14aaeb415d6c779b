//! From the runs of a study to its pairs of trainings that differ in one task of their pool, or in nothing.

use std::collections::BTreeMap;

use anyhow::Result;
use metastable_analysis::Replacement;
use metastable_analysis::summary::relative_change;

use super::Finished;
use crate::run::checkpoint::Stored;
use crate::run::{regression, results};

/// Every training with an exchanged task, and every one made again, beside the run that it differs from; one without such a
/// run (which is not finished) is left out.
pub(crate) fn replacements(runs: &[&Finished], others: &[&Finished]) -> Result<Vec<Replacement>> {
    let whole: BTreeMap<&str, &Finished> = runs
        .iter()
        .map(|run| (run.record.identity.as_str(), *run))
        .collect();
    let mut ends: BTreeMap<&str, Option<Vec<f64>>> = BTreeMap::new();
    let mut found = Vec::new();
    for other in others {
        let config = &other.record.config;
        let identity = config.original().identity()?;
        let (Some(run), Some(pool)) = (whole.get(identity.as_str()), config.pool) else {
            continue;
        };
        let before = match ends.get(run.entry.label.as_str()) {
            Some(theta) => theta.clone(),
            None => {
                let theta = end(run)?;
                ends.insert(&run.entry.label, theta.clone());
                theta
            }
        };
        let distance = before
            .zip(end(other)?)
            .map(|(before, after)| relative_change(&before, &after));
        let is_tested = other
            .record
            .result
            .as_ref()
            .is_some_and(|it| it.test.is_some());
        let task_nll = if is_tested {
            let (path, identity) = (other.folder.test(), &other.record.identity);
            Some(if config.is_regression() {
                regression::read(&path, identity)?.errors
            } else {
                results::read(&path, identity)?.answers.task_nll
            })
        } else {
            None
        };
        found.push(Replacement {
            run: run.entry.label.clone(),
            setting: config.setting_of_any_pool(),
            pool: pool.size(),
            member: pool.replaced(),
            task_nll,
            distance,
        });
    }
    Ok(found)
}

/// Parameters after the last step; none if the training blew up.
fn end(run: &Finished) -> Result<Option<Vec<f64>>> {
    if run.record.has_diverged() {
        return Ok(None);
    }
    let theta = Stored::read(&run.folder.last())?.weights.theta;
    Ok(Some(
        theta
            .values()
            .iter()
            .map(|value| f64::from(*value))
            .collect(),
    ))
}
