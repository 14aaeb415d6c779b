//! C1: how much the choice of the support set moves the accuracy on one and the same task.

use crate::distribution::fisher_quantile;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::scores::ScoreMatrix;
use crate::summary::{mean, quantile, standard_deviation, variance};

/// Accuracy over support draws, task by task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupportDraws {
    /// Tasks.
    pub n_tasks: usize,
    /// Support sets of each task, M.
    pub n_draws: usize,
    /// `s_supp(t)`, standard deviation over the draws of each task.
    pub task_sds: Vec<f64>,
    /// Their mean.
    pub mean_sd: f64,
    /// Their 95th percentile.
    pub high_sd: f64,
    /// Mean over tasks of the best minus the worst draw.
    pub range: f64,
    /// Intraclass correlation: share of the variance of one draw that is the task's own. The rest is the support set.
    pub icc: Estimate,
}

/// Support-draw scatter and intraclass correlation.
///
/// One-way random effects, `A(t, m) = mu + task_t + e_tm`: `ICC = (MS_task - MS_e) / (MS_task + (M - 1) MS_e)`, with the
/// exact interval from `F = MS_task / MS_e`. It may be negative: then tasks differ less than their own draws do. A table without
/// any variance has ICC 0.
///
/// # Shapes
/// `scores`: one row a task, one column a draw; at least 2 of each.
/// # Errors
/// [`AnalysisError::TooFew`].
/// # Source
/// Shrout and Fleiss 1979, ICC(1,1); McGraw and Wong 1996 for the interval.
pub fn support_draws(scores: &ScoreMatrix, level: f64) -> Result<SupportDraws, AnalysisError> {
    let (n, m) = (scores.n_runs(), scores.n_tasks());
    for (what, count) in [("tasks", n), ("support draws", m)] {
        if count < 2 {
            return Err(AnalysisError::too_few(what, 2, count));
        }
    }
    let task_sds: Vec<f64> = scores.runs().map(standard_deviation).collect();
    let ranges: Vec<f64> = scores
        .runs()
        .map(|row| {
            let ends = row
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), a| {
                    (lo.min(*a), hi.max(*a))
                });
            ends.1 - ends.0
        })
        .collect();
    let k = m as f64;
    let of_tasks = k * variance(&scores.run_means());
    let of_draws = mean(&scores.runs().map(variance).collect::<Vec<_>>());
    let icc = |f: f64| (f - 1.0) / (f + k - 1.0);
    let icc = match () {
        () if of_draws > 0.0 => {
            let f = of_tasks / of_draws;
            let (df_tasks, df_draws) = ((n - 1) as f64, (n * (m - 1)) as f64);
            let tail = (1.0 - level) / 2.0;
            let quantile = |share: f64| fisher_quantile(share, df_tasks, df_draws);
            let interval = Interval {
                lower: icc(f / quantile(1.0 - tail)),
                upper: icc(f / quantile(tail)),
                level,
                method: format!("F with {df_tasks} and {df_draws} df"),
            };
            Estimate::new(icc(f), interval)
        }
        () if of_tasks > 0.0 => Estimate::bare(1.0),
        () => Estimate::bare(0.0),
    };
    Ok(SupportDraws {
        n_tasks: n,
        n_draws: m,
        mean_sd: mean(&task_sds),
        high_sd: quantile(&task_sds, 0.95),
        range: mean(&ranges),
        icc,
        task_sds,
    })
}
