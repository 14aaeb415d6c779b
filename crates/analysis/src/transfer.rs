//! A5 across learners: is a task hard for everybody, and how steeply does accuracy fall with hardness?

use serde::{Deserialize, Serialize};

use crate::comparison::same_episodes;
use crate::difficulty::nll_table;
use crate::distribution::{student_quantile, student_two_sided};
use crate::error::{AnalysisError, check_finite, check_len};
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, Finding};
use crate::group::SettingRuns;
use crate::metric::{Measure, Measured, SettingMetric};
use crate::options::Options;
use crate::summary::{mean, rank_correlation};

/// Difficulty across the learners of one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Each pair of learners tested on the same episodes.
    pub pairs: Vec<LearnerAgreement>,
    /// The learner whose first tested run defines hardness; absent if the options name none (or it was not tested).
    pub reference: Option<String>,
    /// Each learner's accuracy against that hardness.
    pub slopes: Vec<HardnessSlope>,
}

/// Rank correlation of the difficulty of tasks (mean over runs) between two learners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerAgreement {
    /// One learner.
    pub a: String,
    /// The other.
    pub b: String,
    /// Spearman's correlation; absent if one side is constant.
    pub rank_correlation: Option<f64>,
}

/// Accuracy of a learner regressed on the hardness of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HardnessSlope {
    /// The learner.
    pub learner: String,
    /// Slope of each tested run, accuracy (0 to 1) per unit of hardness.
    pub runs: Vec<f64>,
    /// The line through the task means over runs.
    pub line: Line,
}

/// An ordinary least-squares line `y = intercept + slope x`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Slope, with Student's interval on `n - 2` degrees of freedom.
    pub slope: Estimate,
    /// Intercept.
    pub intercept: f64,
    /// Share of the variance of `y` that the line explains.
    pub r_squared: f64,
    /// Two-sided p-value of slope 0.
    pub p_value: f64,
}

impl Measure for Transfer {
    const ID: &'static str = "transfer";
}

pub(crate) const METRIC: SettingMetric = SettingMetric {
    id: Transfer::ID,
    title: "Is a task hard for every learner? (A5)",
    measure,
};

/// Hardness of a task from the mean negative log-likelihood of its query labels under a reference:
/// `log((1 - p) / p)` with `p = exp(-nll)`, the geometric mean of the true class's probability.
///
/// Differs from the paper (Dhillon et al. 2020, section 4): there the log-odds are averaged query by query, with `p`
/// from a fixed feature extractor; a record keeps only the mean log-likelihood of each task, and the reference is one
/// frozen run of a named learner. Both agree when the queries of a task are equally hard. `p` is kept within
/// `[1e-12, 1 - 1e-12]`: a perfect task has no finite log-odds.
#[must_use]
pub fn hardness(nll: f64) -> f64 {
    let p = (-nll).exp().clamp(1e-12, 1.0 - 1e-12);
    ((1.0 - p) / p).ln()
}

/// Ordinary least squares of `y` on `x`; `None` if `x` is constant or has fewer than 3 values.
///
/// # Errors
/// [`AnalysisError::Shape`], [`AnalysisError::NotFinite`] with the index.
pub fn line(x: &[f64], y: &[f64], level: f64) -> Result<Option<Line>, AnalysisError> {
    check_len("y", x.len(), y.len())?;
    check_finite("x", x)?;
    check_finite("y", y)?;
    if x.len() < 3 {
        return Ok(None);
    }
    let (mean_x, mean_y) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| {
        x.iter()
            .zip(y)
            .map(|(a, b)| f(a - mean_x, b - mean_y))
            .sum::<f64>()
    };
    let (xx, xy, yy) = (sum(&|a, _| a * a), sum(&|a, b| a * b), sum(&|_, b| b * b));
    if xx <= 0.0 {
        return Ok(None);
    }
    let slope = xy / xx;
    let df = (x.len() - 2) as f64;
    let rest = (yy - slope * xy).max(0.0);
    let error = (rest / df / xx).sqrt();
    let half = student_quantile((1.0 + level) / 2.0, df) * error;
    let p_value = match () {
        () if error > 0.0 => student_two_sided(slope / error, df),
        () if slope.abs() > 0.0 => 0.0,
        () => 1.0,
    };
    Ok(Some(Line {
        slope: Estimate::new(
            slope,
            Interval::around(slope, half, level, format!("least squares, {df} df")),
        ),
        intercept: mean_y - slope * mean_x,
        r_squared: if yy > 0.0 { 1.0 - rest / yy } else { 0.0 },
        p_value,
    }))
}

fn measure(group: &SettingRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut tasks = Vec::new();
    for learner in &group.learners {
        if let Some(table) = nll_table(learner)? {
            tasks.push((learner, table.task_means()));
        }
    }
    let mut result = Transfer {
        pairs: Vec::new(),
        reference: None,
        slopes: Vec::new(),
    };
    let mut findings = Vec::new();
    for (at, (a, a_tasks)) in tasks.iter().enumerate() {
        for (b, b_tasks) in tasks[at + 1..].iter().filter(|(b, _)| same_episodes(a, b)) {
            let rho = rank_correlation(a_tasks, b_tasks);
            result.pairs.push(LearnerAgreement {
                a: a.learner.to_owned(),
                b: b.learner.to_owned(),
                rank_correlation: rho,
            });
            if let Some(rho) = rho {
                let text = format!(
                    "The tasks that are hard for {} and those hard for {} have rank correlation {rho:.2} over {} tasks.",
                    a.learner,
                    b.learner,
                    a_tasks.len()
                );
                findings.push(Finding::of_setting(
                    group.setting,
                    Transfer::ID,
                    Certainty::Estimated,
                    text,
                ));
            }
        }
    }
    let named = options.reference.as_deref();
    let reference = group
        .learners
        .iter()
        .find(|learner| Some(learner.learner) == named && !learner.tested.is_empty());
    if let Some(reference) = reference {
        result.reference = Some(reference.learner.to_owned());
        let hard: Vec<f64> = reference.tested[0]
            .1
            .task_nll
            .iter()
            .map(|nll| hardness(*nll))
            .collect();
        for learner in group
            .learners
            .iter()
            .filter(|learner| same_episodes(learner, reference))
        {
            let Some(scores) = &learner.scores else {
                continue;
            };
            let Some(line_of_means) = line(&hard, &scores.task_means(), options.level)? else {
                continue;
            };
            let mut runs = Vec::new();
            for run in scores.runs() {
                runs.extend(line(&hard, run, options.level)?.map(|line| line.slope.value));
            }
            result.slopes.push(HardnessSlope {
                learner: learner.learner.to_owned(),
                runs,
                line: line_of_means,
            });
        }
    }
    if result.pairs.is_empty() && result.slopes.is_empty() {
        return Ok(Measured::absent());
    }
    Measured::new(&result, findings)
}
