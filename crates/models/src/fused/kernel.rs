//! A convolution by the faster of two algorithms: Winograd's where it pays, register tiles over the windows elsewhere.
//! The width of a register tile is the one that fills this CPU's registers.

use std::sync::Arc;

use super::arena::Arena;
use super::conv::Panels;
use super::geometry::Geometry;
use super::{conv, conv_weight, simd, winograd};
use crate::Real;

/// Weights, packed for [`convolve`].
#[derive(Debug)]
pub(super) enum Weights<T: Real> {
    Direct(Panels<T>),
    Winograd(winograd::Filter<T>),
}

impl<T: Real> Weights<T> {
    /// From PyTorch's order (out, in, kernel row, kernel column).
    pub(super) fn pack(weights: &[T], g: &Geometry, arena: &Arc<Arena<T>>) -> Self {
        if winograd::pays(g) {
            Self::Winograd(winograd::Filter::pack(weights, g, arena))
        } else {
            Self::Direct(Panels::pack(weights, g, arena))
        }
    }

    /// The same weights for [`Geometry::transposed`]: taps reversed, input and output exchanged.
    pub(super) fn pack_transposed(weights: &[T], g: &Geometry, arena: &Arc<Arena<T>>) -> Self {
        if winograd::pays(&g.transposed()) {
            Self::Winograd(winograd::Filter::pack_transposed(weights, g, arena))
        } else {
            Self::Direct(Panels::pack_transposed(weights, g, arena))
        }
    }
}

/// Memory that the kernels work in; one for each task of a parallel loop.
pub(super) struct Work<T: Real>(Option<winograd::Scratch<T>>);

impl<T: Real> Work<T> {
    /// For the convolution `g` and its transpose.
    pub(super) fn new(arena: &Arc<Arena<T>>, g: &Geometry) -> Self {
        let needed = winograd::pays(g) || winograd::pays(&g.transposed());
        Self(needed.then(|| winograd::Scratch::new(arena, g)))
    }

    fn scratch(&mut self) -> &mut winograd::Scratch<T> {
        self.0.as_mut().expect("made for a geometry that needs it")
    }
}

/// `y = x * w`, or `y += x * w`; see [`conv::convolve`].
#[inline(always)]
pub(super) fn convolve<T: Real>(
    x: &[T],
    weights: &Weights<T>,
    y: &mut [T],
    g: &Geometry,
    accumulate: bool,
    work: &mut Work<T>,
) {
    match weights {
        Weights::Direct(panels) => match panels.lanes() {
            32 => conv::convolve::<T, 32>(x, panels, y, g, accumulate),
            _ => conv::convolve::<T, 16>(x, panels, y, g, accumulate),
        },
        Weights::Winograd(filter) => match filter.lanes() {
            32 => winograd::convolve::<T, 32>(x, filter, y, g, accumulate, work.scratch()),
            _ => winograd::convolve::<T, 16>(x, filter, y, g, accumulate, work.scratch()),
        },
    }
}

/// The weight gradient of a group of images, written or added to a sum in kernel order; see
/// [`conv_weight::weight_gradient`].
#[inline(always)]
pub(super) fn weight_gradient<T: Real>(
    x: &[T],
    gradient: &[T],
    sums: &mut [T],
    g: &Geometry,
    accumulate: bool,
    work: &mut Work<T>,
) {
    if !winograd::pays(g) && !accumulate {
        sums.fill(T::ZERO);
    }
    match (winograd::pays(g), simd::lanes::<T>(g.c_out)) {
        (false, 32) => conv_weight::weight_gradient::<T, 32>(x, gradient, sums, g),
        (false, _) => conv_weight::weight_gradient::<T, 16>(x, gradient, sums, g),
        (true, 32) => {
            winograd::weight_gradient::<T, 32>(x, gradient, sums, g, accumulate, work.scratch())
        }
        (true, _) => {
            winograd::weight_gradient::<T, 16>(x, gradient, sums, g, accumulate, work.scratch())
        }
    }
}
