//! Three responses of one table: how good, how scattered, how often failed. One value for each point of the factors.

use serde::{Deserialize, Serialize};

use super::table::FactorTable;
use crate::distribution::wilson;
use crate::error::AnalysisError;
use crate::summary::{mean, standard_deviation, variance};

/// Which side of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The mean over seeds.
    Mean,
    /// The dispersion over seeds.
    Dispersion,
    /// The failure rate.
    Failure,
}

impl Side {
    /// All three, in the order of a report.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Dispersion, Self::Failure];

    /// Its name in a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Dispersion => "spread over seeds",
            Self::Failure => "failure rate",
        }
    }
}

/// One side of the result at each point.
#[derive(Clone, Debug, PartialEq)]
pub struct PointResponse {
    /// What the values are, for a caption.
    pub what: String,
    /// Coordinates of each point, see [`super::table::Scale::to_unit`].
    pub x: Vec<Vec<f64>>,
    /// Its value.
    pub y: Vec<f64>,
}

/// The side at each point, or why there is none.
///
/// - [`Side::Mean`]: mean response of the point's runs that have one.
/// - [`Side::Dispersion`], at least two responses at most points: `log s`, `s` the standard deviation over the seeds of the point,
///   drawn towards the mean of all points by `tau^2 / (tau^2 + e)`, with `e = trigamma((n - 1)/2) / 4` the variance that
///   `log s` has for `n` normal seeds, and `tau^2` what is left of its variance over points (Smyth 2004). An `s` of 0 is
///   raised to half the smallest positive one. With fewer than two seeds at more than half of the points nothing was
///   seen of a spread over seeds, so there is no response: distances from a fitted surface would show its misfit.
/// - [`Side::Failure`]: `log((k + 1/2) / (n - k + 1/2))` for `k` failures in `n` runs, the empirical logit; 0 or 1
///   where every point has one run.
///
/// # Errors
/// The inner `Err` is a sentence: the side does not vary, or the data are too few to tell. The outer one is that of
/// [`FactorTable::check`].
pub fn response(
    table: &FactorTable,
    side: Side,
) -> Result<Result<PointResponse, String>, AnalysisError> {
    table.check()?;
    Ok(match side {
        Side::Mean => mean_response(table),
        Side::Dispersion => dispersion(table),
        Side::Failure => failure(table),
    })
}

fn values_of(table: &FactorTable, point: &[usize]) -> Vec<f64> {
    point
        .iter()
        .filter_map(|&run| table.runs[run].response)
        .collect()
}

fn varies(response: PointResponse) -> Result<PointResponse, String> {
    if response.y.len() < 10 {
        return Err(format!(
            "only {} points have a value; at least 10 needed",
            response.y.len()
        ));
    }
    if variance(&response.y) > 0.0 {
        Ok(response)
    } else {
        Err(format!("the {} is the same at every point", response.what))
    }
}

fn mean_response(table: &FactorTable) -> Result<PointResponse, String> {
    let mut found = PointResponse {
        what: format!("mean {}", table.response),
        x: Vec::new(),
        y: Vec::new(),
    };
    for point in table.points() {
        let values = values_of(table, &point);
        if !values.is_empty() {
            found.x.push(table.coordinates(point[0]));
            found.y.push(mean(&values));
        }
    }
    varies(found)
}

fn dispersion(table: &FactorTable) -> Result<PointResponse, String> {
    let points: Vec<(Vec<f64>, Vec<f64>)> = table
        .points()
        .iter()
        .map(|point| (table.coordinates(point[0]), values_of(table, point)))
        .filter(|(_, values)| !values.is_empty())
        .collect();
    let repeated = points.iter().filter(|(_, values)| values.len() > 1).count();
    if 2 * repeated < points.len() {
        return Err(format!(
            "{repeated} of {} points have the {} of two seeds or more, and at least half have to; repeat each point with \
             another seed (`--seeds 2` or `seeds = 2` in an experiment, a second row with the same levels in a table)",
            points.len(),
            table.response
        ));
    }
    let mut found = PointResponse {
        what: format!("log SD of {} over seeds", table.response),
        x: Vec::new(),
        y: Vec::new(),
    };
    let mut errors = Vec::new();
    for (x, values) in points.into_iter().filter(|(_, values)| values.len() > 1) {
        errors.push(trigamma((values.len() - 1) as f64 / 2.0) / 4.0);
        found.x.push(x);
        found.y.push(standard_deviation(&values));
    }
    let smallest = found
        .y
        .iter()
        .copied()
        .filter(|s| *s > 0.0)
        .fold(f64::INFINITY, f64::min);
    if !smallest.is_finite() {
        return Err("all seeds agree at every point".to_owned());
    }
    for s in &mut found.y {
        *s = s.max(0.5 * smallest).ln();
    }
    let center = mean(&found.y);
    let between = variance(&found.y) - mean(&errors);
    if between <= 0.0 {
        return Err(format!(
            "the spread over seeds differs between points no more than {} points of so few seeds show by chance",
            found.y.len()
        ));
    }
    for (y, error) in found.y.iter_mut().zip(errors) {
        *y = center + between / (between + error) * (*y - center);
    }
    varies(found)
}

fn failure(table: &FactorTable) -> Result<PointResponse, String> {
    let n_failed = table.runs.iter().filter(|run| run.failed).count();
    let n = table.runs.len();
    if n_failed == 0 || n_failed == n {
        let interval = wilson(n_failed as f64, n, 0.95);
        let limits = interval.map_or((0.0, 1.0), |i| (100.0 * i.lower, 100.0 * i.upper));
        let which = if n_failed == 0 { "none" } else { "all" };
        return Err(format!(
            "{which} of the {n} runs failed (a rate of {:.0} to {:.0} % is compatible with that), so nothing can be ranked",
            limits.0, limits.1
        ));
    }
    let points = table.points();
    let repeated = points.iter().any(|point| point.len() > 1);
    let mut found = PointResponse {
        what: if repeated {
            "logit of the failure rate"
        } else {
            "failure, 0 or 1"
        }
        .to_owned(),
        x: Vec::new(),
        y: Vec::new(),
    };
    for point in points {
        let k = point.iter().filter(|&&run| table.runs[run].failed).count() as f64;
        let n = point.len() as f64;
        found.x.push(table.coordinates(point[0]));
        found.y.push(if repeated {
            ((k + 0.5) / (n - k + 0.5)).ln()
        } else {
            k
        });
    }
    varies(found)
}

/// Second derivative of the log of the gamma function, for positive arguments: recurrence up to 6, then the asymptotic
/// series (Abramowitz and Stegun 6.4.12).
fn trigamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < 6.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    sum + 1.0 / x + y / 2.0 + y / x * (1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y / 30.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trigamma_at_known_points() {
        let pi2 = std::f64::consts::PI.powi(2);
        for (x, expected) in [
            (1.0, pi2 / 6.0),
            (0.5, pi2 / 2.0),
            (2.0, pi2 / 6.0 - 1.0),
            (10.0, 0.105_166_335_681_686),
        ] {
            assert!(
                (trigamma(x) - expected).abs() < 1e-9,
                "{x}: {}",
                trigamma(x)
            );
        }
    }
}
