//! From how many runs on a band or a density is drawn.

/// Runs from which quantile bands mean something; below, the lowest and highest run are shown and called so.
pub(super) const LEAST_FOR_BANDS: usize = 5;
