//! G5: are confidences honest? Calibration error, Brier score, log-likelihood.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::percentile_interval;
use crate::error::{AnalysisError, check_finite, check_len};
use crate::estimate::Estimate;
use crate::random::{generator, uniform};
use crate::summary::mean;

/// Calibration of predicted probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Predictions.
    pub n: usize,
    /// Share of predictions whose most probable class is right.
    pub accuracy: f64,
    /// Mean probability of the most probable class.
    pub confidence: f64,
    /// Expected calibration error, `sum_b (n_b / n) |accuracy_b - confidence_b|`.
    pub ece: f64,
    /// The same if every confidence were honest: mean over simulated outcomes, with the range of 95 % of them. A finite
    /// number of predictions never gives 0.
    pub honest_ece: Estimate,
    /// Brier score, `mean sum_c (p_c - [c is true])^2`: 0 to 2.
    pub brier: f64,
    /// Negative log-likelihood of the true classes, in nats; absent if one of them was given probability 0.
    pub nll: Option<f64>,
    /// Predictions whose true class was given probability 0.
    pub n_impossible: usize,
    /// The bins, by ascending confidence.
    pub bins: Vec<ReliabilityBin>,
}

/// Predictions of similar confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Predictions in it.
    pub n: usize,
    /// Lowest confidence.
    pub lower: f64,
    /// Highest.
    pub upper: f64,
    /// Mean confidence.
    pub confidence: f64,
    /// Share that is right.
    pub accuracy: f64,
}

/// How to look at calibration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationOptions {
    /// Bins of equal numbers of predictions; 15 is usual.
    pub n_bins: usize,
    /// Key of the simulated outcomes.
    pub seed: u64,
    /// How many are simulated.
    pub n_draws: usize,
}

impl Default for CalibrationOptions {
    fn default() -> Self {
        Self {
            n_bins: 15,
            seed: 0,
            n_draws: 500,
        }
    }
}

/// Tolerance on the sum of the probabilities of a prediction: they may come from f32.
const UNIT: f64 = 1e-4;

/// Calibration of `n` predictions over `n_classes` classes.
///
/// Bins hold equal numbers of predictions (up to one), in order of confidence; ties are divided in the order given.
///
/// # Shapes
/// `probabilities`: `(n, n_classes)`, each row adding up to 1; `labels`: `(n)`.
/// # Errors
/// [`AnalysisError::TooFew`] for fewer predictions than bins, or no bin; [`AnalysisError::Shape`];
/// [`AnalysisError::NotFinite`]; [`AnalysisError::OutOfRange`] with the row for probabilities that are none, or a label that
/// does not exist.
/// # Source
/// Guo et al. 2017 (expected calibration error); Brier 1950. Bins of equal mass: Nguyen and O'Connor 2015.
pub fn calibration(
    probabilities: &[f64],
    n_classes: usize,
    labels: &[usize],
    options: CalibrationOptions,
) -> Result<Calibration, AnalysisError> {
    let n = labels.len();
    if options.n_bins == 0 || n < options.n_bins {
        return Err(AnalysisError::too_few(
            "predictions for the bins",
            options.n_bins.max(1),
            n,
        ));
    }
    check_len("probabilities", n * n_classes, probabilities.len())?;
    check_finite("probability", probabilities)?;
    let rows = || probabilities.chunks_exact(n_classes);
    for (row, (p, label)) in rows().zip(labels).enumerate() {
        let sum: f64 = p.iter().sum();
        if (sum - 1.0).abs() > UNIT || p.iter().any(|p| *p < 0.0) {
            return Err(AnalysisError::out_of_range(
                "sum of probabilities",
                sum,
                &format!("row {row}"),
                "1, with none negative",
            ));
        }
        if *label >= n_classes {
            return Err(AnalysisError::out_of_range(
                "label",
                *label as f64,
                &format!("row {row}"),
                &format!("a class under {n_classes}"),
            ));
        }
    }
    let mut answers: Vec<(f64, bool)> = rows()
        .zip(labels)
        .map(|(p, label)| {
            let best = (0..n_classes).fold(0, |best, c| if p[c] > p[best] { c } else { best });
            (p[best].min(1.0), best == *label)
        })
        .collect();
    answers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let confidences: Vec<f64> = answers.iter().map(|a| a.0).collect();
    let right: Vec<bool> = answers.iter().map(|a| a.1).collect();
    let honest: Vec<f64> = (0..options.n_draws.max(1) as u64)
        .into_par_iter()
        .map(|draw| {
            let mut rng = generator(options.seed, "calibration/honest", draw);
            let drawn: Vec<bool> = confidences.iter().map(|c| uniform(&mut rng) < *c).collect();
            ece(&bins(&confidences, &drawn, options.n_bins), n)
        })
        .collect();
    let squares: Vec<f64> = rows()
        .zip(labels)
        .map(|(p, label)| {
            p.iter()
                .enumerate()
                .map(|(c, p)| (p - f64::from(u8::from(c == *label))).powi(2))
                .sum()
        })
        .collect();
    let of_truth: Vec<f64> = rows().zip(labels).map(|(p, label)| p[*label]).collect();
    let n_impossible = of_truth.iter().filter(|p| **p <= 0.0).count();
    let bins = bins(&confidences, &right, options.n_bins);
    Ok(Calibration {
        n,
        accuracy: right.iter().filter(|r| **r).count() as f64 / n as f64,
        confidence: mean(&confidences),
        ece: ece(&bins, n),
        honest_ece: Estimate::new(
            mean(&honest),
            percentile_interval(
                &honest,
                0.95,
                format!("{} simulated outcomes", options.n_draws),
            )?,
        ),
        brier: mean(&squares),
        nll: (n_impossible == 0)
            .then(|| -mean(&of_truth.iter().map(|p| p.ln()).collect::<Vec<_>>())),
        n_impossible,
        bins,
    })
}

fn bins(confidences: &[f64], right: &[bool], n_bins: usize) -> Vec<ReliabilityBin> {
    let n = confidences.len();
    (0..n_bins)
        .map(|bin| {
            let (from, to) = (bin * n / n_bins, (bin + 1) * n / n_bins);
            let own = &confidences[from..to];
            ReliabilityBin {
                n: to - from,
                lower: own[0],
                upper: own[own.len() - 1],
                confidence: mean(own),
                accuracy: right[from..to].iter().filter(|r| **r).count() as f64
                    / (to - from) as f64,
            }
        })
        .collect()
}

fn ece(bins: &[ReliabilityBin], n: usize) -> f64 {
    bins.iter()
        .map(|bin| bin.n as f64 / n as f64 * (bin.accuracy - bin.confidence).abs())
        .sum()
}
