//! What a caller can do wrong. A run that diverged is not an error: it is a row of the table.

/// Reasons for which no figure is given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// There is less data than the estimator can use.
    #[error("{what}: {got} given, at least {needed} needed")]
    TooFew {
        /// What there is too little of.
        what: String,
        /// The least number.
        needed: usize,
        /// The number given.
        got: usize,
    },
    /// A value is NaN or infinite.
    #[error("{what} is {value} at {position}; every value has to be finite")]
    NotFinite {
        /// Name of the table.
        what: String,
        /// The value, as printed.
        value: String,
        /// Where it stands, counted from 0.
        position: String,
    },
    /// A value is finite but impossible.
    #[error("{what} is {value} at {position}; expected {expected}")]
    OutOfRange {
        /// Name of the table or setting.
        what: String,
        /// The value, as printed.
        value: String,
        /// Where it stands, counted from 0.
        position: String,
        /// What would be right.
        expected: String,
    },
    /// A table has the wrong number of values, or rows of unequal length.
    #[error("{what}: expected {expected} values, got {got}")]
    Shape {
        /// Name of the table, and the row if there is one.
        what: String,
        /// Values that belong there.
        expected: usize,
        /// Values found.
        got: usize,
    },
    /// Runs that are to be summarized together were made differently.
    #[error(
        "runs `{first}` and `{second}` differ in `{field}` ({first_value} against {second_value}): they are not \
         comparable; analyze them as separate learners or settings, or list the field among those that may vary"
    )]
    NotComparable {
        /// Identifier of one run.
        first: String,
        /// Identifier of the other.
        second: String,
        /// The field of the fingerprint, or of the test, that differs.
        field: String,
        /// Its value in the first run.
        first_value: String,
        /// Its value in the second.
        second_value: String,
    },
    /// A surrogate does not follow the data well enough for what was to be read off it.
    #[error(
        "{what}: the forest explains {r_squared:.2} of the variance out of bag, and at least {needed} is needed; otherwise the shares of \
         factors would describe noise. Add runs, or seeds for each point"
    )]
    Unexplained {
        /// The response.
        what: String,
        /// Out-of-bag R squared.
        r_squared: f64,
        /// The least that is accepted.
        needed: f64,
    },
    /// The text of a table could not be read.
    #[error("{position} cannot be read: {reason}")]
    Unread {
        /// The line.
        position: String,
        /// What the reader said.
        reason: String,
    },
    /// A result could not be written as, or read from, JSON.
    #[error("the result of `{metric}` does not fit its type: {reason}")]
    Encoding {
        /// Identifier of the metric.
        metric: String,
        /// What serde said.
        reason: String,
    },
}

impl AnalysisError {
    pub(crate) fn too_few(what: impl Into<String>, needed: usize, got: usize) -> Self {
        Self::TooFew {
            what: what.into(),
            needed,
            got,
        }
    }

    pub(crate) fn out_of_range(what: &str, value: f64, position: &str, expected: &str) -> Self {
        Self::OutOfRange {
            what: what.to_owned(),
            value: value.to_string(),
            position: position.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

/// Checks that every value is finite; the position in the error is the index.
///
/// # Errors
/// [`AnalysisError::NotFinite`] with the first offender.
pub(crate) fn check_finite(what: &str, values: &[f64]) -> Result<(), AnalysisError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(AnalysisError::NotFinite {
            what: what.to_owned(),
            value: values[index].to_string(),
            position: format!("index {index}"),
        }),
    }
}

/// Checks that a table has `expected` values.
///
/// # Errors
/// [`AnalysisError::Shape`].
pub(crate) fn check_len(what: &str, expected: usize, got: usize) -> Result<(), AnalysisError> {
    if expected == got {
        return Ok(());
    }
    Err(AnalysisError::Shape {
        what: what.to_owned(),
        expected,
        got,
    })
}
