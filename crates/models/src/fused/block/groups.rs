//! Groups of images, and the kernels at the tile width that fills this CPU's registers.

use rayon::prelude::*;

use crate::Real;
use crate::fused::conv::{Panels, convolve};
use crate::fused::conv_weight::weight_gradient;
use crate::fused::geometry::{GROUP, Geometry};
use crate::fused::simd;

#[inline(always)]
pub(super) fn convolve_best<T: Real>(
    x: &[T],
    panels: &Panels<T>,
    y: &mut [T],
    g: &Geometry,
    accumulate: bool,
) {
    match panels.lanes() {
        32 => convolve::<T, 32>(x, panels, y, g, accumulate),
        _ => convolve::<T, 16>(x, panels, y, g, accumulate),
    }
}

#[inline(always)]
pub(super) fn weight_gradient_best<T: Real>(x: &[T], gradient: &[T], dw: &mut [T], g: &Geometry) {
    match simd::lanes::<T>(g.c_out) {
        32 => weight_gradient::<T, 32>(x, gradient, dw, g),
        _ => weight_gradient::<T, 16>(x, gradient, dw, g),
    }
}

pub(super) fn groups<E: Sync>(values: &[E], image_len: usize) -> rayon::slice::Chunks<'_, E> {
    values.par_chunks(GROUP * image_len)
}

pub(super) fn groups_mut<E: Send>(
    values: &mut [E],
    image_len: usize,
) -> rayon::slice::ChunksMut<'_, E> {
    values.par_chunks_mut(GROUP * image_len)
}

/// The groups of `values`, or as many times nothing.
pub(super) fn optional_groups<E: Sync>(
    values: Option<&[E]>,
    image_len: usize,
    n: usize,
) -> Vec<Option<&[E]>> {
    match values {
        Some(values) => values.chunks(GROUP * image_len).map(Some).collect(),
        None => vec![None; n.div_ceil(GROUP)],
    }
}

/// The groups of `values`, or as many times nothing if it is empty.
pub(super) fn optional_groups_mut<E: Send>(
    values: &mut [E],
    image_len: usize,
    n: usize,
) -> Vec<Option<&mut [E]>> {
    if values.is_empty() {
        return (0..n.div_ceil(GROUP)).map(|_| None).collect();
    }
    values.chunks_mut(GROUP * image_len).map(Some).collect()
}
