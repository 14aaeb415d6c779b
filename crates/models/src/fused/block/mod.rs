//! A layer: convolution, normalisation, ReLU and pooling as one unit, with its four methods.
//!
//! `forward` and `backward` are the value and the gradient; `tangent` and `tangent_backward` are their derivatives along
//! a direction of the parameters (`tangent.rs`). Running all four is one Hessian product (forward over reverse). A fully connected
//! layer is the same unit with a 1x1 kernel, and a linear head is one without normalisation and ReLU.

pub(super) mod groups;
pub(super) mod sums;
mod tangent;

use std::ops::Range;

use rayon::prelude::*;

use self::groups::{groups, groups_mut, optional_groups_mut};
use self::sums::{add_in_order, gradient_sums};
pub(super) use self::tangent::TangentTrace;
use super::affine::Affine;
use super::arena::Buffer;
use super::conv_weight::add_in_torch_order;
use super::geometry::Geometry;
use super::kernel::{Weights, Work, convolve, weight_gradient};
use super::norm::{Moments, Normalizer};
use super::peak::{activate, winners};
use super::point::Point;
use super::simd;
use super::window::{Chosen, Windows, choose, mask, spread};
use crate::Real;

/// Convolution, normalisation or bias, ReLU, pooling.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) geometry: Geometry,
    pub(super) windows: Windows,
    /// Side of a pooling window: 1 or 2.
    pub(super) pool: usize,
    pub(super) rectify: bool,
    /// Where the weights are in the parameters.
    pub(super) weight: Range<usize>,
    pub(super) affine: Affine,
}

/// What `forward` leaves for the other three methods; `backward` adds its part.
pub(super) struct Trace<T: Real> {
    x: Buffer<T>,
    /// For the forward pass and its tangent.
    weights: Weights<T>,
    y: Buffer<T>,
    pub(super) choice: Buffer<u8>,
    peak: Buffer<T>,
    normalizer: Normalizer<T>,
    /// Mean and unbiased variance of the batch, if it was normalised by its own.
    pub(super) statistics: Option<[Vec<T>; 2]>,
    pulled: Option<Pulled<T>>,
}

/// What `backward` leaves for `tangent_backward`.
struct Pulled<T: Real> {
    g: Buffer<T>,
    sums: [Vec<T>; 2],
    /// For the gradient at the input and its tangent, if it was wanted.
    turned: Option<Weights<T>>,
    coefficients: [Vec<T>; 3],
}

impl Block {
    /// `(n, padded input)` to `(n, padded output)`.
    pub(super) fn forward<T: Real>(
        &self,
        at: &Point<'_, T>,
        x: Buffer<T>,
    ) -> (Trace<T>, Buffer<T>) {
        let (g, c) = (&self.geometry, self.geometry.c_out);
        let n = x.len() / g.in_len();
        let weights = Weights::pack(self.weights(at.params), g, at.arena);
        let mut y = at.arena.take(n * g.out_len());
        let stored = self.affine.fixed_normalizer(at, g);
        let moments: Vec<Option<Moments<T>>> = groups(&x, g.in_len())
            .zip(groups_mut(&mut y, g.out_len()))
            .map(|(x, y)| {
                let mut work = Work::new(at.arena, g);
                simd::dispatch(
                    #[inline(always)]
                    || {
                        convolve(x, &weights, y, g, false, &mut work);
                        // No `then`: its closure would be compiled for another instruction set.
                        if stored.is_none() {
                            Some(Moments::of(y, c))
                        } else {
                            None
                        }
                    },
                )
            })
            .collect();
        let (normalizer, statistics) = normalizer(stored, moments, g.outputs);
        let [gamma, beta] = self.affine.scale_and_shift(at, &self.geometry);
        let [scale, shift] = normalizer.affine(&gamma, &beta);

        let n_windows = self.windows.len() * c;
        let out_len = self.windows.padded_pixels() * c;
        let mut choice = at.choices.take(n * n_windows);
        let mut peak = at.arena.take(n * n_windows);
        let mut out = at.arena.take(n * out_len);
        groups(&y, g.out_len())
            .zip(groups_mut(&mut out, out_len))
            .zip(groups_mut(&mut choice, n_windows).zip(groups_mut(&mut peak, n_windows)))
            .for_each(|((y, out), (choice, peak))| {
                self.windows.clear_border(out, c);
                let chosen = Chosen { out, choice, peak };
                simd::dispatch(
                    #[inline(always)]
                    || match self.pool {
                        1 => {
                            choose::<T, 1>(&self.windows, y, [&scale, &shift], self.rectify, chosen)
                        }
                        _ => {
                            choose::<T, 4>(&self.windows, y, [&scale, &shift], self.rectify, chosen)
                        }
                    },
                );
            });
        (
            Trace {
                x,
                weights,
                y,
                choice,
                peak,
                normalizer,
                statistics,
                pulled: None,
            },
            out,
        )
    }

    /// The output of `forward`, to the bit, and nothing for the other methods: a map before its pooling is gone when its group is.
    pub(super) fn outputs<T: Real>(&self, at: &Point<'_, T>, x: &[T]) -> Buffer<T> {
        let (g, c) = (&self.geometry, self.geometry.c_out);
        let n = x.len() / g.in_len();
        let weights = Weights::pack(self.weights(at.params), g, at.arena);
        let stored = self.affine.fixed_normalizer(at, g);
        let [gamma, beta] = self.affine.scale_and_shift(at, &self.geometry);
        let n_windows = self.windows.len() * c;
        let mut peak = at.arena.take(n * n_windows);
        let moments: Vec<Option<Moments<T>>> = groups(x, g.in_len())
            .zip(groups_mut(&mut peak, n_windows))
            .map(|(x, peak)| {
                let mut work = Work::new(at.arena, g);
                let mut y = at.arena.take(x.len() / g.in_len() * g.out_len());
                simd::dispatch(
                    #[inline(always)]
                    || {
                        convolve(x, &weights, &mut y, g, false, &mut work);
                        match self.pool {
                            1 => winners::<T, 1>(&self.windows, &y, &gamma, peak),
                            _ => winners::<T, 4>(&self.windows, &y, &gamma, peak),
                        }
                        if stored.is_none() {
                            Some(Moments::of(&y, c))
                        } else {
                            None
                        }
                    },
                )
            })
            .collect();
        let (normalizer, _) = normalizer(stored, moments, g.outputs);
        let [scale, shift] = normalizer.affine(&gamma, &beta);

        let out_len = self.windows.padded_pixels() * c;
        let mut out = at.arena.take(n * out_len);
        groups(&peak, n_windows)
            .zip(groups_mut(&mut out, out_len))
            .for_each(|(peak, out)| {
                self.windows.clear_border(out, c);
                simd::dispatch(
                    #[inline(always)]
                    || activate(&self.windows, peak, [&scale, &shift], self.rectify, out),
                );
            });
        out
    }

    /// Pulls `g`, `(n, windows, c_out)`, back: adds to `gradient` (all parameters) and returns the gradient at the input,
    /// `(n, height, width, c_in)`, if it is wanted.
    pub(super) fn backward<T: Real>(
        &self,
        at: &Point<'_, T>,
        trace: &mut Trace<T>,
        mut g: Buffer<T>,
        gradient: &mut [T],
        wants_input: bool,
    ) -> Option<Buffer<T>> {
        let (geo, c) = (&self.geometry, self.geometry.c_out);
        let n_windows = self.windows.len() * c;
        let (mean, inv_std) = (&trace.normalizer.mean, &trace.normalizer.inv_std);
        let sums: Vec<[Vec<T>; 2]> = groups_mut(&mut g, n_windows)
            .zip(groups(&trace.choice, n_windows).zip(groups(&trace.peak, n_windows)))
            .map(|(g, (choice, peak))| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        mask(choice, g);
                        gradient_sums(g, peak, mean, inv_std)
                    },
                )
            })
            .collect();
        let [s1, s2] = add_in_order(sums);
        let [gamma, _] = self.affine.scale_and_shift(at, &self.geometry);
        let coefficients = trace.normalizer.gradient(&gamma, &s1, &s2);
        self.affine
            .add_gradient(at, &s2, &s1, gradient, &self.geometry);

        let n = trace.x.len() / geo.in_len();
        let transposed = geo.transposed();
        let turned =
            wants_input.then(|| Weights::pack_transposed(self.weights(at.params), geo, at.arena));
        let mut input = at.arena.take(if wants_input {
            n * transposed.out_len()
        } else {
            0
        });
        let [k0, k1, a] = &coefficients;
        let pulled_back =
            |x: &[T], y: &[T], choice: &[u8], g: &[T], input: Option<&mut [T]>| -> Buffer<T> {
                let mut map = at.arena.take(x.len() / geo.in_len() * geo.gradient_len());
                geo.clear_gaps(&mut map);
                let mut dw = at.arena.take(geo.n_weights());
                let mut work = Work::new(at.arena, geo);
                simd::dispatch(
                    #[inline(always)]
                    || {
                        self.spread_best(k0, [(y, k1)], [(g, a)], choice, &mut map);
                        weight_gradient(x, &map, &mut dw, geo, false, &mut work);
                        if let (Some(input), Some(turned)) = (input, &turned) {
                            convolve(&map, turned, input, &transposed, false, &mut work);
                        }
                    },
                );
                dw
            };
        let inputs = optional_groups_mut(&mut input, transposed.out_len(), n);
        let dw: Vec<Buffer<T>> = groups(&trace.x, geo.in_len())
            .zip(groups(&trace.y, geo.out_len()))
            .zip(groups(&trace.choice, n_windows).zip(groups(&g, n_windows)))
            .zip(inputs)
            .map(|(((x, y), (choice, g)), input)| pulled_back(x, y, choice, g, input))
            .collect();
        self.add_weights(&dw, gradient);
        trace.pulled = Some(Pulled {
            g,
            sums: [s1, s2],
            turned,
            coefficients,
        });
        wants_input.then_some(input)
    }

    fn weights<'a, T>(&self, params: &'a [T]) -> &'a [T] {
        &params[self.weight.clone()]
    }

    /// Adds the groups' weight gradients, in order.
    fn add_weights<T: Real>(&self, groups: &[Buffer<T>], gradient: &mut [T]) {
        add_in_torch_order(groups, &mut gradient[self.weight.clone()], &self.geometry);
    }

    #[inline(always)]
    fn spread_best<T: Real, const D: usize, const S: usize>(
        &self,
        constant: &[T],
        dense: [(&[T], &Vec<T>); D],
        sparse: [(&[T], &Vec<T>); S],
        choice: &[u8],
        to: &mut [T],
    ) {
        let dense = dense.map(|(map, factor)| (map, factor.as_slice()));
        let sparse = sparse.map(|(map, factor)| (map, factor.as_slice()));
        match self.pool {
            1 => spread::<T, 1, D, S>(
                &self.windows,
                &self.geometry,
                constant,
                dense,
                sparse,
                choice,
                to,
            ),
            _ => spread::<T, 4, D, S>(
                &self.windows,
                &self.geometry,
                constant,
                dense,
                sparse,
                choice,
                to,
            ),
        }
    }
}

/// The normaliser of a pass, and mean and unbiased variance of its `width` units if they are the batch's own.
fn normalizer<T: Real>(
    stored: Option<Normalizer<T>>,
    moments: Vec<Option<Moments<T>>>,
    width: usize,
) -> (Normalizer<T>, Option<[Vec<T>; 2]>) {
    match stored {
        Some(normalizer) => (normalizer, None),
        None => {
            let moments = Moments::join(&moments.into_iter().flatten().collect::<Vec<_>>());
            let mut statistics = [moments.mean().to_vec(), moments.unbiased_variance()];
            for values in &mut statistics {
                values.truncate(width);
            }
            (moments.normalizer(), Some(statistics))
        }
    }
}
