//! A point at which derivatives are asked for.

use crate::{Objective, Params, Pass};

/// A point at which derivatives are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Where.
    pub params: &'a Params<f64>,
    /// The batch, `(n_images, height, width, channels)`.
    pub images: &'a [f64],
    /// Inner step and statistics.
    pub pass: Pass<'a, f64>,
    /// Loss and labels.
    pub objective: Objective<'a>,
}
