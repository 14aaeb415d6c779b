//! Sizes that all drawings have in common.

/// Width of every drawing in its own units: one column of a phone, half a column of a wide page.
pub(crate) const WIDTH: f64 = 410.0;
