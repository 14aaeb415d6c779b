//! How the replace-one-task coefficient falls with the size of the pool.

use serde::{Deserialize, Serialize};

use super::Change;
use super::coefficient::{beta, changes};
use super::coupled::Coupled;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::StudyRuns;
use crate::metric::{Measure, Measured, StudyMetric};
use crate::options::Options;
use crate::regression::slope;

/// The rate for convex smooth losses: `beta ~ 1/n`.
const THEORY: f64 = -1.0;

/// Slopes of every learner that was trained on pools of several sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplaceSlopes {
    /// Learner by learner.
    pub lines: Vec<ReplaceLine>,
}

/// The coefficients of one learner over the size of the pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplaceLine {
    /// Name of the learner.
    pub learner: String,
    /// The setting but for the pool.
    pub setting: String,
    /// Size and coefficient in nats, ascending.
    pub pools: Vec<(usize, Estimate)>,
    /// Slope of `log beta` on `log n` by least squares: -1 means `1/n`, 0 that the size does not matter. Absent with one
    /// size, or where an exchange changed nothing at all.
    pub slope: Option<Estimate>,
    /// Seeds.
    pub n_seeds: usize,
    /// Exchanges in each pool, over all seeds.
    pub n_exchanges: usize,
}

impl Measure for ReplaceSlopes {
    const ID: &'static str = "replace_slopes";
}

pub(crate) const METRIC: StudyMetric = StudyMetric {
    id: ReplaceSlopes::ID,
    title: "One training task exchanged, over the size of the pool (D1)",
    measure,
};

/// Pools of one learner and setting, with their changes.
struct Pools<'a> {
    learner: &'a str,
    setting: &'a str,
    pools: Vec<(usize, Vec<Change>)>,
}

fn measure(study: &StudyRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut all: Vec<Pools<'_>> = Vec::new();
    for group in study.settings.iter().flat_map(|setting| &setting.learners) {
        let Some((_, first)) = group.replacements.first() else {
            continue;
        };
        let own = (first.pool, changes(group)?.0);
        let is_it =
            |it: &&mut Pools<'_>| it.learner == group.learner && it.setting == first.setting;
        match all.iter_mut().find(is_it) {
            Some(pools) => pools.pools.push(own),
            None => all.push(Pools {
                learner: group.learner,
                setting: &first.setting,
                pools: vec![own],
            }),
        }
    }
    let mut lines = Vec::new();
    let mut findings = Vec::new();
    for mut pools in all {
        pools.pools.sort_by_key(|(size, _)| *size);
        let line = line(&pools, options)?;
        findings.extend(finding(&line));
        lines.push(line);
    }
    if lines.is_empty() {
        return Ok(Measured::absent());
    }
    Measured::new(&ReplaceSlopes { lines }, findings)
}

fn line(of: &Pools<'_>, options: &Options) -> Result<ReplaceLine, AnalysisError> {
    let tables: Vec<&[Change]> = of
        .pools
        .iter()
        .map(|(_, changes)| changes.as_slice())
        .collect();
    let coupled = Coupled::new(&tables, |change| change.mean);
    let log_n: Vec<f64> = of
        .pools
        .iter()
        .map(|(size, _)| (*size as f64).ln())
        .collect();
    let has_slope = log_n.len() > 1 && coupled.is_positive();
    let slope = if has_slope {
        coupled.estimate(ReplaceSlopes::ID, options, |means| {
            let log_beta: Vec<f64> = means.iter().map(|beta| beta.ln()).collect();
            slope(&log_n, &log_beta).unwrap_or(f64::NAN)
        })?
    } else {
        None
    };
    let mut pools = Vec::new();
    for (size, changes) in &of.pools {
        if let Some(beta) = beta(changes, options)? {
            pools.push((*size, beta));
        }
    }
    Ok(ReplaceLine {
        learner: of.learner.to_owned(),
        setting: of.setting.to_owned(),
        pools,
        slope,
        n_seeds: coupled.n_seeds(),
        n_exchanges: coupled.n_exchanges(),
    })
}

fn finding(line: &ReplaceLine) -> Option<Finding> {
    let slope = line.slope.as_ref()?;
    let interval = slope.interval.as_ref()?;
    let ((least, _), (most, _)) = (line.pools.first()?, line.pools.last()?);
    let verdict = if interval.contains(THEORY) {
        "not distinguishable from the 1/n of convex smooth losses"
    } else if slope.value > THEORY {
        "slower than the 1/n of convex smooth losses"
    } else {
        "faster than the 1/n of convex smooth losses"
    };
    let moves = if interval.contains(0.0) {
        " A coefficient that does not depend on the size of the pool is within the interval too."
    } else {
        ""
    };
    let mut finding = Finding::of_setting(
        &line.setting,
        ReplaceSlopes::ID,
        if interval.contains(THEORY) {
            Certainty::NotDistinguishable
        } else {
            Certainty::Distinguishable
        },
        format!(
            "From {least} to {most} tasks the coefficient of {} falls like n^{:.2} [{:.2}, {:.2}], {verdict}.{moves}",
            line.learner, slope.value, interval.lower, interval.upper
        ),
    );
    finding.learner = Some(line.learner.clone());
    Some(finding)
}
