//! A5: how hard each task is, and whether that is a property of the task or of the run.

use serde::{Deserialize, Serialize};

use crate::distribution::{chi_square_tail, normal_quantile};
use crate::error::{AnalysisError, check_finite};
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::scores::ScoreMatrix;
use crate::summary::{correlation, mean, rank_correlation, sorted, standard_deviation};

/// Points kept of a quantile-quantile plot.
const QQ_POINTS: usize = 101;

/// Episode difficulty `d(t)`: mean negative log-likelihood of the query labels after adaptation, in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difficulty {
    /// Runs, R.
    pub n_runs: usize,
    /// Tasks, T.
    pub n_tasks: usize,
    /// Mean over tasks and runs.
    pub mean: f64,
    /// Standard deviation over tasks of the mean over runs.
    pub sd: f64,
    /// `d(t)`, mean over runs, in the order of tasks.
    pub tasks: Vec<f64>,
    /// Is it normal over tasks? Absent for fewer than 8 tasks or constant difficulty.
    pub normality: Option<Normality>,
    /// Spearman's correlation of `d` between runs; absent for one run or constant difficulty.
    pub between_runs: Option<RunAgreement>,
}

/// Comparison of a sample with the normal distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normality {
    /// Third standardized moment, 0 for a normal distribution.
    pub skewness: f64,
    /// Fourth standardized moment minus 3, 0 for a normal distribution.
    pub excess_kurtosis: f64,
    /// Jarque and Bera's statistic, `n/6 (skewness^2 + kurtosis^2 / 4)`.
    pub jarque_bera: f64,
    /// Its p-value from chi-square with 2 degrees of freedom; trust it from some hundred tasks on.
    pub p_value: f64,
    /// Correlation of the quantile-quantile plot (Filliben 1975), 1 for a perfect line.
    pub qq_correlation: f64,
    /// `(normal quantile, ordered value)`, at most 101 points spread evenly over the order.
    pub qq: Vec<(f64, f64)>,
}

/// Rank correlation over all pairs of runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunAgreement {
    /// Pairs that have a correlation.
    pub n_pairs: usize,
    /// Mean over pairs: near 1, difficulty belongs to the task; near 0, to the run.
    pub mean: f64,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
}

impl Measure for Difficulty {
    const ID: &'static str = "difficulty";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Difficulty::ID,
    title: "Task difficulty and its agreement between runs (A5)",
    measure,
};

/// Difficulty figures of a table `d[r, t]` of mean negative log-likelihoods.
///
/// # Errors
/// None beyond those of building the table.
/// # Source
/// Arnold et al. 2021, "Uniform sampling over episode difficulty".
pub fn difficulty(nll: &ScoreMatrix) -> Result<Difficulty, AnalysisError> {
    let tasks = nll.task_means();
    let rows: Vec<&[f64]> = nll.runs().collect();
    let mut rhos = Vec::new();
    for second in 1..rows.len() {
        rhos.extend((0..second).filter_map(|first| rank_correlation(rows[first], rows[second])));
    }
    Ok(Difficulty {
        n_runs: nll.n_runs(),
        n_tasks: nll.n_tasks(),
        mean: nll.mean(),
        sd: standard_deviation(&tasks),
        normality: normality(&tasks)?,
        between_runs: agreement(&rhos),
        tasks,
    })
}

/// Mean, least and greatest of correlations; none for none.
pub(crate) fn agreement(rhos: &[f64]) -> Option<RunAgreement> {
    (!rhos.is_empty()).then(|| RunAgreement {
        n_pairs: rhos.len(),
        mean: mean(rhos),
        min: rhos.iter().copied().fold(f64::INFINITY, f64::min),
        max: rhos.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// Moments, Jarque and Bera's test and the quantile-quantile plot; `None` for fewer than 8 values or a constant.
///
/// The plot has the order-statistic medians of Filliben 1975 on the normal axis: `m_n = 0.5^(1/n)`,
/// `m_1 = 1 - m_n`, else `m_i = (i - 0.3175) / (n + 0.365)`.
///
/// # Errors
/// [`AnalysisError::NotFinite`] with the index.
/// # Source
/// Jarque and Bera 1980; Filliben 1975.
pub fn normality(values: &[f64]) -> Result<Option<Normality>, AnalysisError> {
    check_finite("value", values)?;
    let n = values.len() as f64;
    let center = mean(values);
    let moment = |power: i32| values.iter().map(|x| (x - center).powi(power)).sum::<f64>() / n;
    let variance = moment(2);
    if values.len() < 8 || variance <= 0.0 {
        return Ok(None);
    }
    let skewness = moment(3) / variance.powf(1.5);
    let excess_kurtosis = moment(4) / (variance * variance) - 3.0;
    let jarque_bera = n / 6.0 * (skewness * skewness + excess_kurtosis * excess_kurtosis / 4.0);
    let ordered = sorted(values);
    let last = 0.5_f64.powf(1.0 / n);
    let quantiles: Vec<f64> = (1..=values.len())
        .map(|rank| match rank {
            1 => 1.0 - last,
            rank if rank == values.len() => last,
            rank => (rank as f64 - 0.3175) / (n + 0.365),
        })
        .map(normal_quantile)
        .collect();
    let kept = values.len().min(QQ_POINTS);
    let qq = (0..kept)
        .map(|at| at * (values.len() - 1) / (kept - 1))
        .map(|at| (quantiles[at], ordered[at]));
    Ok(Some(Normality {
        skewness,
        excess_kurtosis,
        jarque_bera,
        p_value: chi_square_tail(jarque_bera, 2.0),
        qq_correlation: correlation(&quantiles, &ordered).unwrap_or(0.0),
        qq: qq.collect(),
    }))
}

/// `d[r, t]` of the tested runs of a group.
pub(crate) fn nll_table(group: &LearnerRuns<'_>) -> Result<Option<ScoreMatrix>, AnalysisError> {
    let rows: Vec<&[f64]> = group
        .tested
        .iter()
        .map(|(_, test)| test.task_nll.as_slice())
        .collect();
    if rows.is_empty() {
        Ok(None)
    } else {
        ScoreMatrix::from_rows(&rows).map(Some)
    }
}

fn measure(group: &LearnerRuns<'_>, _: &Options) -> Result<Measured, AnalysisError> {
    let Some(table) = nll_table(group)? else {
        return Ok(Measured::absent());
    };
    let result = difficulty(&table)?;
    let mut findings = Vec::new();
    if let Some(between) = &result.between_runs {
        let belongs = match between.mean {
            rho if rho >= 0.7 => "mostly of the task",
            rho if rho <= 0.3 => "mostly of the run",
            _ => "partly of the task, partly of the run",
        };
        let text = format!(
            "Task difficulty for {} is a property {}: rank correlation {:.2} between runs ({:.2} to {:.2}, {} {}).",
            group.learner,
            belongs,
            between.mean,
            between.min,
            between.max,
            between.n_pairs,
            if between.n_pairs == 1 {
                "pair"
            } else {
                "pairs"
            }
        );
        findings.push(Finding::of_learner(
            group,
            Difficulty::ID,
            Certainty::Estimated,
            text,
        ));
    }
    if let Some(normality) = &result.normality {
        let (verdict, certainty) = if normality.p_value < 0.05 {
            ("is not normal over tasks", Certainty::Distinguishable)
        } else {
            (
                "is not distinguishable from a normal distribution",
                Certainty::NotDistinguishable,
            )
        };
        let text = format!(
            "The difficulty of tasks for {} {} (Jarque-Bera p = {:.2}, skewness {:.2}).",
            group.learner, verdict, normality.p_value, normality.skewness
        );
        findings.push(Finding::of_learner(group, Difficulty::ID, certainty, text));
    }
    Measured::new(&result, findings)
}
