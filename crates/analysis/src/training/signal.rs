//! E8 to E11: size and quality of the meta-gradient: norms by layer, clipping, updates, signal against noise.

use serde::{Deserialize, Serialize};

use super::TrainingLog;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::gradient::{GradientNoise, gradient_noise};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::probe::pool::over_runs;
use crate::summary::{mean, quantile_of_sorted, sorted, standard_deviation};

/// Points of the course of a training.
const N_POINTS: usize = 40;

/// Gradients of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradientSignal {
    /// Runs with a log.
    pub n_runs: usize,
    /// Tasks of a meta-batch.
    pub n_tasks: usize,
    /// Norm over the whole network, then in each layer, over the logged steps of all runs.
    pub norms: Vec<NormSummary>,
    /// Share of updates that clipping shortened.
    pub clip_rate: Estimate,
    /// `|theta' - theta| / |theta|` of an outer step.
    pub update_ratio: Estimate,
    /// Signal-to-noise ratio `|gbar|^2 / (tr Sigma / B)` of the averaged gradient, from means over the training; about 1 if there
    /// is nothing but noise. Absent for meta-batches of one task.
    pub snr: Option<Estimate>,
    /// Noise scale `tr Sigma / |G|^2` in tasks, over the runs that show one; absent if none does.
    pub noise_scale: Option<Estimate>,
    /// Mean inner product of two tasks' gradients over their mean square, `|G|^2 / mean |g_t|^2`: 1 if all tasks want the same.
    pub agreement: Option<Estimate>,
    /// Along the training, means over runs.
    pub course: Vec<SignalPoint>,
}

/// Norms of the meta-gradient in one part of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormSummary {
    /// The layer; `all` for the whole network.
    pub layer: String,
    /// Mean.
    pub mean: f64,
    /// Standard deviation over mean.
    pub variation: f64,
    /// Median.
    pub median: f64,
    /// 99th percentile over median: how much larger the rare gradients are.
    pub tail_ratio: f64,
}

/// A stretch of the training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalPoint {
    /// Last outer step of the stretch.
    pub step: usize,
    /// Mean norm of the meta-gradient.
    pub norm: f64,
    /// Signal-to-noise ratio; absent for meta-batches of one task.
    pub snr: Option<f64>,
}

impl Measure for GradientSignal {
    const ID: &'static str = "gradient_signal";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: GradientSignal::ID,
    title: "Size and quality of the meta-gradient (E8 to E11)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let logs = super::logs(group);
    let Some(first) = logs.first() else {
        return Ok(Measured::absent());
    };
    let whole = 0..usize::MAX;
    let noises: Vec<GradientNoise> = logs
        .iter()
        .filter_map(|log| noise(log, &whole))
        .collect::<Result<_, _>>()?;
    let over = |values: Vec<f64>| {
        let each: Vec<Vec<f64>> = values.into_iter().map(|value| vec![value]).collect();
        over_runs(&each, options.level)
    };
    let per_run = |of: fn(&TrainingLog) -> f64| over(logs.iter().map(|log| of(log)).collect());
    let (Some(clip_rate), Some(update_ratio)) = (per_run(clip_rate), per_run(update_ratio)) else {
        return Ok(Measured::absent());
    };
    let of_noises =
        |of: &dyn Fn(&GradientNoise) -> Option<f64>| over(noises.iter().filter_map(of).collect());
    let result = GradientSignal {
        n_runs: logs.len(),
        n_tasks: first.n_tasks,
        norms: norms(&logs),
        clip_rate,
        update_ratio,
        snr: of_noises(&|noise| noise.snr),
        noise_scale: of_noises(&|noise| noise.noise_scale),
        agreement: of_noises(&|noise| {
            let square = noise.mean_square + noise.trace * (1.0 - 1.0 / noise.n_tasks as f64);
            (square > 0.0).then(|| noise.signal / square)
        }),
        course: course(&logs)?,
    };
    let text = said(group, &result);
    let certainty = Certainty::of_estimate(result.n_runs);
    let finding = Finding::of_learner(group, GradientSignal::ID, certainty, text);
    Measured::new(&result, vec![finding])
}

fn said(group: &LearnerRuns<'_>, result: &GradientSignal) -> String {
    let size = result.norms.first().map_or_else(String::new, |norm| {
        format!(
            "The meta-gradient of {} has a median norm of {:.3}, and a 99th percentile {:.1} times that; {} of its updates were \
             clipped. ",
            group.learner,
            norm.median,
            norm.tail_ratio,
            percent(result.clip_rate.value)
        )
    });
    let signal = match (&result.snr, &result.noise_scale) {
        (None, _) => "With one task a step, signal and noise cannot be told apart.".to_owned(),
        (Some(snr), Some(scale)) => format!(
            "Its signal-to-noise ratio is {:.1} with {} tasks a step (1 would be noise alone), its noise scale {:.0} tasks: meta-batches \
             larger than that add little.",
            snr.value, result.n_tasks, scale.value
        ),
        (Some(snr), None) => format!(
            "Its signal-to-noise ratio is {:.1} with {} tasks a step: such batches cannot tell it from noise.",
            snr.value, result.n_tasks
        ),
    };
    size + &signal
}

/// Signal and noise of the steps in a range; none for meta-batches of one task, or without such steps.
fn noise(
    log: &TrainingLog,
    steps: &std::ops::Range<usize>,
) -> Option<Result<GradientNoise, AnalysisError>> {
    let lines = || log.lines.iter().filter(|line| steps.contains(&line.step));
    let n: f64 = lines().map(|line| line.losses.len() as f64).sum();
    if log.n_tasks < 2 || n < 1.0 {
        return None;
    }
    let weighted = |of: fn(&super::LogLine) -> f64| {
        lines()
            .map(|line| line.losses.len() as f64 * of(line))
            .sum::<f64>()
            / n
    };
    let mean_square = weighted(|line| line.mean_square);
    let sum_of_squares = weighted(|line| line.sum_of_squares);
    Some(gradient_noise_of_log(
        mean_square,
        sum_of_squares,
        log.n_tasks,
    ))
}

/// The log keeps five digits: what they leave below the least possible sum is rounding.
fn gradient_noise_of_log(
    mean_square: f64,
    sum_of_squares: f64,
    n_tasks: usize,
) -> Result<GradientNoise, AnalysisError> {
    let least = n_tasks as f64 * mean_square;
    let is_rounding = sum_of_squares < least && least - sum_of_squares < 1e-3 * least;
    let sum = if is_rounding { least } else { sum_of_squares };
    gradient_noise(mean_square, sum, n_tasks)
}

fn clip_rate(log: &TrainingLog) -> f64 {
    let steps: usize = log.lines.iter().map(|line| line.losses.len()).sum();
    let clipped: usize = log.lines.iter().map(|line| line.n_clipped).sum();
    clipped as f64 / steps.max(1) as f64
}

fn update_ratio(log: &TrainingLog) -> f64 {
    let steps: usize = log.lines.iter().map(|line| line.losses.len()).sum();
    let weighted = log.lines.iter();
    let weighted = weighted.map(|line| line.losses.len() as f64 * line.update_ratio);
    weighted.sum::<f64>() / steps.max(1) as f64
}

/// The whole network, then each layer.
fn norms(logs: &[&TrainingLog]) -> Vec<NormSummary> {
    let rows: Vec<&Vec<f64>> = logs
        .iter()
        .flat_map(|log| log.lines.iter().flat_map(|line| &line.layer_norms))
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let whole: Vec<f64> = rows.iter().map(|row| size(row)).collect();
    let mut found = vec![summary("all", &whole)];
    for (at, layer) in logs[0].layers.iter().enumerate() {
        let values: Vec<f64> = rows.iter().filter_map(|row| row.get(at).copied()).collect();
        found.push(summary(layer, &values));
    }
    found
}

/// Norm over the network from those of its layers.
fn size(layers: &[f64]) -> f64 {
    layers.iter().map(|norm| norm * norm).sum::<f64>().sqrt()
}

fn summary(layer: &str, values: &[f64]) -> NormSummary {
    let ordered = sorted(values);
    let (center, median) = (mean(values), quantile_of_sorted(&ordered, 0.5));
    let over = |value: f64, scale: f64| if scale > 0.0 { value / scale } else { 0.0 };
    NormSummary {
        layer: layer.to_owned(),
        mean: center,
        variation: over(standard_deviation(values), center),
        median,
        tail_ratio: over(quantile_of_sorted(&ordered, 0.99), median),
    }
}

/// Means over runs in stretches of equal length.
fn course(logs: &[&TrainingLog]) -> Result<Vec<SignalPoint>, AnalysisError> {
    let ends = logs.iter().filter_map(|log| Some(log.lines.last()?.step));
    let n_steps = ends.max().unwrap_or(0);
    let length = n_steps.div_ceil(N_POINTS).max(1);
    let mut points = Vec::new();
    for start in (0..n_steps).step_by(length) {
        let steps = start + 1..start + length + 1;
        let rows = logs.iter().flat_map(|log| &log.lines);
        let rows = rows.filter(|line| steps.contains(&line.step));
        let norms: Vec<f64> = rows
            .flat_map(|line| line.layer_norms.iter().map(|row| size(row)))
            .collect();
        if norms.is_empty() {
            continue;
        }
        let noises = logs.iter().filter_map(|log| noise(log, &steps));
        let noises: Vec<GradientNoise> = noises.collect::<Result<_, _>>()?;
        let ratios: Vec<f64> = noises.iter().filter_map(|noise| noise.snr).collect();
        points.push(SignalPoint {
            step: (start + length).min(n_steps),
            norm: mean(&norms),
            snr: (!ratios.is_empty()).then(|| mean(&ratios)),
        });
    }
    Ok(points)
}
