//! A straight line through points, with its uncertainty.

use serde::{Deserialize, Serialize};

use crate::distribution::{student_quantile, student_two_sided};
use crate::error::{AnalysisError, check_finite, check_len};
use crate::estimate::{Estimate, Interval};
use crate::summary::mean;

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

/// Least-squares slope of `y` on `x`, values of equal number; `None` with fewer than 2 values or a constant `x`.
#[must_use]
pub fn slope(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mean_x, mean_y) = (mean(x), mean(y));
    let pairs = || x.iter().zip(y);
    let squares: f64 = pairs().map(|(a, _)| (a - mean_x) * (a - mean_x)).sum();
    let products: f64 = pairs().map(|(a, b)| (a - mean_x) * (b - mean_y)).sum();
    (squares > 0.0).then(|| products / squares)
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
    let Some(slope) = slope(x, y) else {
        return Ok(None);
    };
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
