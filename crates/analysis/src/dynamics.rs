//! E2 to E7: what a training curve says about reliability: area, jumps, drawdowns, spikes.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite};
use crate::summary::{mean, median, quantile, robust_deviation};
use crate::tail::cvar;

/// Steps before a spike from which its threshold is taken.
pub const SPIKE_WINDOW: usize = 100;
/// Robust standard deviations above the window's median that make a spike.
pub const SPIKE_DEVIATIONS: f64 = 6.0;
/// Share of the worst changes or drawdowns that the risks average.
const RISK_SHARE: f64 = 0.05;

/// Reliability of one evaluation curve, in the units of its values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveReliability {
    /// E2: area under the curve over its length, by trapezoids: the mean level on the way.
    pub area: f64,
    /// E3: dispersion across time, the interquartile range of the changes from check to check.
    pub dispersion: f64,
    /// E4: short-term risk, the mean of the worst 5 % of the changes (at least one): negative where the curve falls.
    pub short_term_risk: f64,
    /// E5: long-term risk, the mean of the worst 5 % of the drawdowns (peak so far minus now), at least one.
    pub long_term_risk: f64,
}

/// A stretch of steps on which the loss stood out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spike {
    /// Index of its first loss.
    pub at: usize,
    /// Its highest loss over the threshold it broke; absent if one of its losses is not finite.
    pub height: Option<f64>,
    /// Losses until one is at or under the median before the spike; absent if none is.
    pub recovery: Option<usize>,
}

/// Reliability of a curve `(step, value)`, larger being better.
///
/// # Errors
/// [`AnalysisError::TooFew`] for fewer than 2 points; [`AnalysisError::NotFinite`]; [`AnalysisError::OutOfRange`] if steps do
/// not ascend.
/// # Source
/// Chan et al. 2020, "Measuring the reliability of reinforcement learning algorithms".
pub fn curve_reliability(curve: &[(usize, f64)]) -> Result<CurveReliability, AnalysisError> {
    if curve.len() < 2 {
        return Err(AnalysisError::too_few(
            "points of the curve",
            2,
            curve.len(),
        ));
    }
    let values: Vec<f64> = curve.iter().map(|point| point.1).collect();
    check_finite("value of the curve", &values)?;
    let mut area = 0.0;
    for (at, pair) in curve.windows(2).enumerate() {
        if pair[1].0 <= pair[0].0 {
            return Err(AnalysisError::out_of_range(
                "step",
                pair[1].0 as f64,
                &format!("point {}", at + 1),
                &format!("a step after {}", pair[0].0),
            ));
        }
        area += (pair[1].0 - pair[0].0) as f64 * 0.5 * (pair[0].1 + pair[1].1);
    }
    let changes: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut peak = f64::NEG_INFINITY;
    let rises: Vec<f64> = values
        .iter()
        .map(|value| {
            peak = peak.max(*value);
            value - peak
        })
        .collect();
    Ok(CurveReliability {
        area: area / (curve[curve.len() - 1].0 - curve[0].0) as f64,
        dispersion: quantile(&changes, 0.75) - quantile(&changes, 0.25),
        short_term_risk: cvar(&changes, RISK_SHARE),
        long_term_risk: -cvar(&rises, RISK_SHARE),
    })
}

/// E7: spikes of a loss curve, one loss each logged step.
///
/// A loss stands out if it is above `median + 6 * 1.4826 MAD` of the [`SPIKE_WINDOW`] losses before it (fewer at the start, at
/// least 10), or not finite. Neighbors that stand out are one spike, and no loss of a spike enters a window. A constant window
/// has deviation 0; there any rise by more than a millionth of the median counts.
///
/// # Source
/// Own definition.
#[must_use]
pub fn spikes(losses: &[f64]) -> Vec<Spike> {
    let mut calm: Vec<f64> = Vec::new();
    let mut found: Vec<Spike> = Vec::new();
    let mut open: Option<(Spike, f64)> = None;
    for (at, loss) in losses.iter().enumerate() {
        let window = &calm[calm.len().saturating_sub(SPIKE_WINDOW)..];
        let center = median(window);
        let threshold =
            center + (SPIKE_DEVIATIONS * robust_deviation(window)).max(1e-6 * center.abs());
        let stands_out = window.len() >= 10 && !(loss.is_finite() && *loss <= threshold);
        if let Some((spike, before)) = &mut open {
            if spike.recovery.is_none() && *loss <= *before {
                spike.recovery = Some(at - spike.at);
            }
            if stands_out {
                let taller = |height: f64| loss.is_finite().then(|| height.max(loss - threshold));
                spike.height = spike.height.and_then(taller);
            } else if spike.recovery.is_some() {
                found.push(*spike);
                open = None;
            }
        } else if stands_out {
            let height = loss.is_finite().then(|| loss - threshold);
            open = Some((
                Spike {
                    at,
                    height,
                    recovery: None,
                },
                center,
            ));
        }
        if !stands_out && loss.is_finite() {
            calm.push(*loss);
        }
    }
    found.extend(open.map(|(spike, _)| spike));
    found
}

/// E6: dispersion and risk across runs at each check: interquartile range over runs, and mean of the worst `share` of runs.
///
/// # Shapes
/// `curves[run][check]`, all of one length.
/// # Errors
/// [`AnalysisError::TooFew`] for fewer than 2 runs; [`AnalysisError::Shape`]; [`AnalysisError::NotFinite`].
/// # Source
/// Chan et al. 2020.
pub fn across_runs(curves: &[Vec<f64>], share: f64) -> Result<Vec<(f64, f64)>, AnalysisError> {
    if curves.len() < 2 {
        return Err(AnalysisError::too_few("runs", 2, curves.len()));
    }
    for (run, curve) in curves.iter().enumerate() {
        crate::error::check_len(
            &format!("checks of run {run}"),
            curves[0].len(),
            curve.len(),
        )?;
        check_finite(&format!("value of run {run}"), curve)?;
    }
    let at = |check: usize| {
        let values: Vec<f64> = curves.iter().map(|curve| curve[check]).collect();
        (
            quantile(&values, 0.75) - quantile(&values, 0.25),
            cvar(&values, share),
        )
    };
    Ok((0..curves[0].len()).map(at).collect())
}

/// Spikes in 1,000 steps, and their mean recovery where they recovered.
#[must_use]
pub fn spike_rate(spikes: &[Spike], n_losses: usize) -> (f64, Option<f64>) {
    let recovered: Vec<f64> = spikes
        .iter()
        .filter_map(|spike| spike.recovery)
        .map(|steps| steps as f64)
        .collect();
    let rate = 1000.0 * spikes.len() as f64 / n_losses.max(1) as f64;
    (rate, (!recovered.is_empty()).then(|| mean(&recovered)))
}
