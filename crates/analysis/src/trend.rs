//! D1 and D3: how a quantity falls with the number of tasks: the slope of its logarithm on `log n`.

use crate::error::{AnalysisError, check_len};
use crate::regression::{Line, line};

/// Slope of `log y` on `log n` by least squares, with Student's interval: -1 means `y ~ 1/n`, -1/2 means `y ~ 1/sqrt(n)`.
///
/// Every value counts once, so several values at one `n` (say, one for each replaced task) all go in: their scatter is what the
/// interval rests on. `None` with fewer than 3 values, or all at one `n`.
///
/// # Errors
/// [`AnalysisError::Shape`]; [`AnalysisError::OutOfRange`] with the index for a value that is not above 0: a coefficient of
/// exactly 0 has no logarithm, and is to be reported as such beside the slope.
pub fn log_slope(n: &[f64], y: &[f64], level: f64) -> Result<Option<Line>, AnalysisError> {
    check_len("y", n.len(), y.len())?;
    let logs = |what: &str, values: &[f64]| -> Result<Vec<f64>, AnalysisError> {
        match values.iter().position(|v| !(v.is_finite() && *v > 0.0)) {
            Some(at) => Err(AnalysisError::out_of_range(
                what,
                values[at],
                &format!("index {at}"),
                "a number above 0",
            )),
            None => Ok(values.iter().map(|v| v.ln()).collect()),
        }
    };
    line(&logs("n", n)?, &logs("y", y)?, level)
}
