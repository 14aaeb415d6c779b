//! What a trained learner answered when it was asked after its run: a file of plain tables for each question.

pub mod certificate;
pub mod confidence;
pub mod corruption;
pub mod coupling;
pub mod curvature;
pub mod example_influence;
pub mod gaps;
pub mod kinship;
pub mod label_noise;
pub mod label_order;
pub mod lifelong;
pub mod mismatch;
pub mod noise_floor;
pub mod representation;
pub mod shots;
pub mod step_sizes;
pub mod support_order;
pub mod support_sets;
pub mod surface;
pub mod switches;
pub mod task_map;
pub mod trajectory;

use crate::error::AnalysisError;

/// Rows of a table with `width` columns.
///
/// # Errors
/// [`AnalysisError::Shape`] naming the table; [`AnalysisError::NotFinite`] with the index.
pub(crate) fn check_table(
    what: &str,
    values: &[f64],
    n_rows: usize,
    width: usize,
) -> Result<(), AnalysisError> {
    crate::error::check_len(what, n_rows * width, values.len())?;
    crate::error::check_finite(what, values)
}
