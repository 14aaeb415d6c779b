//! The replace-one-task coefficient of one learner on one pool, and its noise floor.

use serde::{Deserialize, Serialize};

use super::Change;
use super::coupled::Coupled;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::words::Words;

/// Replace-one-task stability of one learner on pools of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplaceOneTask {
    /// The setting but for the pool.
    pub setting: String,
    /// Tasks of a pool, n.
    pub pool: usize,
    /// Seeds: each has a pool of its own.
    pub n_seeds: usize,
    /// Exchanges, over all seeds.
    pub n_exchanges: usize,
    /// Exchanges left out because a training blew up.
    pub n_lost: usize,
    /// `beta`: mean over exchanges and test tasks of the change of the query loss, in nats.
    pub beta: Estimate,
    /// Largest change of the loss of any test task: a lower estimate of uniform stability.
    pub largest: f64,
    /// Mean change with its sign. Over test tasks it is 0 in expectation, since `D` and `D^(i)` are alike: a check.
    pub signed: Estimate,
    /// `|theta' - theta| / |theta|`, mean over exchanges.
    pub distance: Estimate,
    /// The same training made again; absent if none was.
    pub floor: Option<Floor>,
    /// Each exchange.
    pub changes: Vec<Change>,
}

/// What differs between two trainings that should not differ at all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Trainings made again.
    pub n_repeats: usize,
    /// Largest change of the loss of any test task, in nats.
    pub loss: f64,
    /// Largest `|theta' - theta| / |theta|`.
    pub distance: f64,
}

impl Floor {
    /// Whether every repetition ended in the same bits, as far as losses and parameters tell.
    #[must_use]
    pub fn is_exactly_zero(&self) -> bool {
        self.loss <= 0.0 && self.distance <= 0.0
    }

    /// In words, after "made again".
    pub(crate) fn words(&self, unit: &str) -> String {
        if self.is_exactly_zero() {
            "changes nothing, to the bit".to_owned()
        } else {
            format!("changes it by up to {:.2e}{unit}", self.loss)
        }
    }
}

impl Measure for ReplaceOneTask {
    const ID: &'static str = "replace_one_task";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: ReplaceOneTask::ID,
    title: "One training task exchanged (D1)",
    measure,
};

/// Changes of the pairs of a group, and the number of pairs that have none.
pub(super) fn changes(group: &LearnerRuns<'_>) -> Result<(Vec<Change>, usize), AnalysisError> {
    let mut found = Vec::new();
    for (run, replacement) in &group.replacements {
        found.extend(replacement.change(run)?);
    }
    let n_lost = group.replacements.len() - found.len();
    Ok((found, n_lost))
}

/// The coefficient with its interval; `None` if nothing was exchanged.
pub(super) fn beta(
    changes: &[Change],
    options: &Options,
) -> Result<Option<Estimate>, AnalysisError> {
    Coupled::new(&[changes], |change| change.mean)
        .estimate(ReplaceOneTask::ID, options, |means| means[0])
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let Some((_, first)) = group.replacements.first() else {
        return Ok(Measured::absent());
    };
    let pool = first.pool;
    let (changes, n_lost) = changes(group)?;
    let coupled = |of: fn(&Change) -> f64| Coupled::new(&[&changes], of);
    let estimate = |purpose: &str, of| coupled(of).estimate(purpose, options, |means| means[0]);
    let (Some(beta), Some(signed), Some(distance)) = (
        beta(&changes, options)?,
        estimate("replace_one_task/signed", |change| change.signed)?,
        estimate("replace_one_task/distance", |change| change.distance)?,
    ) else {
        return Ok(Measured::absent());
    };
    let sizes = coupled(|change| change.mean);
    let (repeats, exchanges): (Vec<Change>, Vec<Change>) = changes
        .iter()
        .cloned()
        .partition(|change| change.member.is_none());
    let largest =
        |changes: &[Change], of: fn(&Change) -> f64| changes.iter().map(of).fold(0.0, f64::max);
    let result = ReplaceOneTask {
        setting: first.setting.clone(),
        pool,
        n_seeds: sizes.n_seeds(),
        n_exchanges: sizes.n_exchanges(),
        n_lost,
        beta,
        largest: largest(&exchanges, |change| change.largest),
        signed,
        distance,
        floor: (!repeats.is_empty()).then(|| Floor {
            n_repeats: repeats.len(),
            loss: largest(&repeats, |change| change.largest),
            distance: largest(&repeats, |change| change.distance),
        }),
        changes: exchanges,
    };
    let range = result.beta.interval.as_ref();
    let range = range.map_or_else(String::new, |i| {
        format!(" [{:.4}, {:.4}]", i.lower, i.upper)
    });
    let unit = Words::of(options).loss_unit();
    let floor = result.floor.map_or_else(String::new, |floor| {
        format!(" Making the same training again {}.", floor.words(unit))
    });
    let text = format!(
        "Exchanging one of the {pool} training tasks changes the query loss of {} on a test task by {:.4}{unit}{range}, mean over {} \
         exchanges, and its parameters by {:.2} %.{floor}",
        group.learner,
        result.beta.value,
        result.n_exchanges,
        100.0 * result.distance.value
    );
    let finding = Finding::of_learner(group, ReplaceOneTask::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}
