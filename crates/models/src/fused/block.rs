//! A layer: convolution, normalisation, ReLU and pooling as one unit, with its four methods.
//!
//! `forward` and `backward` are the value and the gradient; `tangent` and `tangent_backward` are their derivatives along
//! a direction of the parameters. Running all four is one Hessian product (forward over reverse). A fully connected
//! layer is the same unit with a 1x1 kernel, and a linear head is one without normalisation and ReLU.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::arena::{Arena, Buffer};
use super::conv::{Panels, convolve};
use super::conv_weight::{add_in_torch_order, weight_gradient};
use super::geometry::{GROUP, Geometry};
use super::norm::{Moments, Normalizer, TangentMeans};
use super::simd;
use super::window::{Chosen, Windows, choose, choose_tangent, mask, spread};
use crate::Real;

/// What a pass knows besides its input.
#[derive(Clone, Copy)]
pub(super) struct Point<'a, T: Real> {
    /// All parameters of the network.
    pub(super) params: &'a [T],
    /// All stored statistics of the network, if they are to normalise.
    pub(super) stored: Option<&'a [T]>,
    /// Inner steps taken so far.
    pub(super) inner_step: usize,
    pub(super) arena: &'a Arc<Arena<T>>,
    pub(super) choices: &'a Arc<Arena<u8>>,
}

/// What follows the convolution.
#[derive(Clone, Debug)]
pub(super) enum Affine {
    /// Normalisation, then scale and shift; as many of both as there are inner steps with their own.
    Norm {
        /// Where `(n_steps, c)` scales and shifts start in the parameters.
        gamma: usize,
        beta: usize,
        n_steps: usize,
        /// Where the running mean and variance are in the buffers, if there are any.
        running: Option<[Range<usize>; 2]>,
    },
    /// A bias, which starts there in the parameters.
    Bias(usize),
}

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
    y: Buffer<T>,
    choice: Buffer<u8>,
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
    coefficients: [Vec<T>; 3],
}

/// What `tangent` leaves for `tangent_backward`.
pub(super) struct TangentTrace<T: Real> {
    dx: Option<Buffer<T>>,
    dy: Buffer<T>,
    d_peak: Buffer<T>,
    means: TangentMeans<T>,
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
        let panels = Panels::pack(self.weights(at.params), g, lanes::<T>());
        let mut y = at.arena.take(n * g.out_len());
        let stored = self.fixed_normalizer(at);
        let moments: Vec<Option<Moments<T>>> = groups(&x, g.in_len())
            .zip(groups_mut(&mut y, g.out_len()))
            .map(|(x, y)| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        convolve_best(x, &panels, y, g, false);
                        stored.is_none().then(|| Moments::of(y, c))
                    },
                )
            })
            .collect();
        let (normalizer, statistics) = match stored {
            Some(normalizer) => (normalizer, None),
            None => {
                let moments = Moments::join(&moments.into_iter().flatten().collect::<Vec<_>>());
                (
                    moments.normalizer(),
                    Some([moments.mean().to_vec(), moments.unbiased_variance()]),
                )
            }
        };
        let (gamma, beta) = self.scale_and_shift(at);
        let [scale, shift] = normalizer.affine(&gamma, beta);

        let n_windows = self.windows.len() * c;
        let out_len = self.windows.padded_pixels() * c;
        let mut choice = at.choices.take(n * n_windows);
        let mut peak = at.arena.take(n * n_windows);
        // The border of the output has to be zero; without one, every value is written.
        let mut out = if out_len == n_windows {
            at.arena.take(n * out_len)
        } else {
            at.arena.zeros(n * out_len)
        };
        groups(&y, g.out_len())
            .zip(groups_mut(&mut out, out_len))
            .zip(groups_mut(&mut choice, n_windows).zip(groups_mut(&mut peak, n_windows)))
            .for_each(|((y, out), (choice, peak))| {
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
        let (gamma, _) = self.scale_and_shift(at);
        let coefficients = trace.normalizer.gradient(&gamma, &s1, &s2);
        self.add_affine(at, &s2, &s1, gradient);

        let n = trace.x.len() / geo.in_len();
        let transposed = geo.transposed();
        let panels = wants_input
            .then(|| Panels::pack_transposed(self.weights(at.params), geo, lanes::<T>()));
        let mut input = at.arena.take(if wants_input {
            n * transposed.out_len()
        } else {
            0
        });
        let [k0, k1, a] = &coefficients;
        let pulled_back =
            |x: &[T], y: &[T], choice: &[u8], g: &[T], input: Option<&mut [T]>| -> Vec<T> {
                let mut map = at.arena.zeros(x.len() / geo.in_len() * geo.gradient_len());
                let mut dw = vec![T::ZERO; geo.n_weights()];
                simd::dispatch(
                    #[inline(always)]
                    || {
                        self.spread_best(k0, [(y, k1)], [(g, a)], choice, &mut map);
                        weight_gradient_best(x, &map, &mut dw, geo);
                        if let (Some(input), Some(panels)) = (input, &panels) {
                            convolve_best(&map, panels, input, &transposed, false);
                        }
                    },
                );
                dw
            };
        let inputs = optional_groups_mut(&mut input, transposed.out_len(), n);
        let dw: Vec<Vec<T>> = groups(&trace.x, geo.in_len())
            .zip(groups(&trace.y, geo.out_len()))
            .zip(groups(&trace.choice, n_windows).zip(groups(&g, n_windows)))
            .zip(inputs)
            .map(|(((x, y), (choice, g)), input)| pulled_back(x, y, choice, g, input))
            .collect();
        self.add_weights(dw, gradient);
        trace.pulled = Some(Pulled {
            g,
            sums: [s1, s2],
            coefficients,
        });
        wants_input.then_some(input)
    }

    /// The tangent of `forward` along the parameters `v` and the input's tangent `dx` (padded; none at the first layer).
    pub(super) fn tangent<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        trace: &Trace<T>,
        dx: Option<Buffer<T>>,
    ) -> (TangentTrace<T>, Buffer<T>) {
        let (g, c) = (&self.geometry, self.geometry.c_out);
        let n = trace.x.len() / g.in_len();
        let d_panels = Panels::pack(self.weights(v), g, lanes::<T>());
        let panels = dx
            .is_some()
            .then(|| Panels::pack(self.weights(at.params), g, lanes::<T>()));
        let mut dy = at.arena.take(n * g.out_len());
        let mean = &trace.normalizer.mean;
        let sums: Vec<[Vec<T>; 2]> = groups(&trace.x, g.in_len())
            .zip(optional_groups(dx.as_deref(), g.in_len(), n))
            .zip(groups(&trace.y, g.out_len()).zip(groups_mut(&mut dy, g.out_len())))
            .map(|((x, dx), (y, dy))| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        convolve_best(x, &d_panels, dy, g, false);
                        if let (Some(dx), Some(panels)) = (dx, &panels) {
                            convolve_best(dx, panels, dy, g, true);
                        }
                        tangent_sums(dy, y, mean)
                    },
                )
            })
            .collect();
        let [sum, centered] = add_in_order(sums);
        let means = trace.normalizer.tangent_means(&sum, &centered);
        let (gamma, _) = self.scale_and_shift(at);
        let (d_gamma, d_beta) = self.scale_and_shift_tangent(at, v);
        let [e0, e1, e2] = trace.normalizer.tangent(&gamma, &d_gamma, d_beta, &means);

        let n_windows = self.windows.len() * c;
        let out_len = self.windows.padded_pixels() * c;
        let mut d_peak = at.arena.take(n * n_windows);
        let mut out = if out_len == n_windows {
            at.arena.take(n * out_len)
        } else {
            at.arena.zeros(n * out_len)
        };
        groups(&dy, g.out_len())
            .zip(groups(&trace.choice, n_windows).zip(groups(&trace.peak, n_windows)))
            .zip(groups_mut(&mut d_peak, n_windows).zip(groups_mut(&mut out, out_len)))
            .for_each(|((dy, chosen), (d_peak, out))| {
                simd::dispatch(
                    #[inline(always)]
                    || match self.pool {
                        1 => choose_tangent::<T, 1>(
                            &self.windows,
                            dy,
                            [&e0, &e1, &e2],
                            chosen,
                            d_peak,
                            out,
                        ),
                        _ => choose_tangent::<T, 4>(
                            &self.windows,
                            dy,
                            [&e0, &e1, &e2],
                            chosen,
                            d_peak,
                            out,
                        ),
                    },
                );
            });
        (
            TangentTrace {
                dx,
                dy,
                d_peak,
                means,
            },
            out,
        )
    }

    /// The tangent of `backward`, where the pulled gradient has the tangent `dg`: adds to `product` and returns the
    /// tangent of the gradient at the input, if it is wanted.
    ///
    /// # Panics
    /// If `backward` has not run on this trace: a bug of the network.
    #[allow(
        clippy::too_many_arguments,
        reason = "two traces, two directions and a sum are what this derivative takes"
    )]
    pub(super) fn tangent_backward<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        trace: &Trace<T>,
        tangent: &TangentTrace<T>,
        mut dg: Buffer<T>,
        product: &mut [T],
        wants_input: bool,
    ) -> Option<Buffer<T>> {
        let (geo, c) = (&self.geometry, self.geometry.c_out);
        let n_windows = self.windows.len() * c;
        let pulled = trace
            .pulled
            .as_ref()
            .expect("backward runs before tangent_backward");
        let sums: Vec<[Vec<T>; 2]> = groups_mut(&mut dg, n_windows)
            .zip(groups(&pulled.g, n_windows).zip(groups(&trace.choice, n_windows)))
            .zip(groups(&trace.peak, n_windows).zip(groups(&tangent.d_peak, n_windows)))
            .map(|((dg, (g, choice)), (peak, d_peak))| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        mask(choice, dg);
                        gradient_tangent_sums(
                            dg,
                            g,
                            peak,
                            d_peak,
                            &trace.normalizer,
                            &tangent.means,
                        )
                    },
                )
            })
            .collect();
        let [t1, t2] = add_in_order(sums);
        self.add_affine(at, &t2, &t1, product);
        let (gamma, _) = self.scale_and_shift(at);
        let (d_gamma, _) = self.scale_and_shift_tangent(at, v);
        let [s1, s2] = &pulled.sums;
        let [q0, q1, q2, a, b] = &trace.normalizer.gradient_tangent(
            &gamma,
            &d_gamma,
            &tangent.means,
            [s1, s2],
            [&t1, &t2],
        );
        let [k0, k1, k2] = &pulled.coefficients;

        let n = trace.x.len() / geo.in_len();
        let transposed = geo.transposed();
        let panels = wants_input.then(|| {
            [
                Panels::pack_transposed(self.weights(at.params), geo, lanes::<T>()),
                Panels::pack_transposed(self.weights(v), geo, lanes::<T>()),
            ]
        });
        let mut input = at.arena.take(if wants_input {
            n * transposed.out_len()
        } else {
            0
        });
        let inputs = optional_groups_mut(&mut input, transposed.out_len(), n);
        let dw: Vec<Vec<T>> = groups(&trace.x, geo.in_len())
            .zip(optional_groups(tangent.dx.as_deref(), geo.in_len(), n))
            .zip(groups(&trace.y, geo.out_len()).zip(groups(&tangent.dy, geo.out_len())))
            .zip(
                groups(&trace.choice, n_windows)
                    .zip(groups(&pulled.g, n_windows).zip(groups(&dg, n_windows))),
            )
            .zip(inputs)
            .map(|((((x, dx), (y, dy)), (choice, (g, dg))), input)| {
                let mut map = at.arena.zeros(x.len() / geo.in_len() * geo.gradient_len());
                let mut dw = vec![T::ZERO; geo.n_weights()];
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let mut input = input;
                        self.spread_best(
                            q0,
                            [(y, q1), (dy, q2)],
                            [(g, a), (dg, b)],
                            choice,
                            &mut map,
                        );
                        weight_gradient_best(x, &map, &mut dw, geo);
                        if let (Some(input), Some([panels, _])) = (input.as_deref_mut(), &panels) {
                            convolve_best(&map, panels, input, &transposed, false);
                        }
                        if dx.is_none() && input.is_none() {
                            return;
                        }
                        // The gradient itself, made again: cheaper than keeping a map of the full size.
                        self.spread_best(k0, [(y, k1)], [(g, k2)], choice, &mut map);
                        if let Some(dx) = dx {
                            weight_gradient_best(dx, &map, &mut dw, geo);
                        }
                        if let (Some(input), Some([_, d_panels])) = (input, &panels) {
                            convolve_best(&map, d_panels, input, &transposed, true);
                        }
                    },
                );
                dw
            })
            .collect();
        self.add_weights(dw, product);
        wants_input.then_some(input)
    }

    fn weights<'a, T>(&self, params: &'a [T]) -> &'a [T] {
        &params[self.weight.clone()]
    }

    /// The normaliser of a pass whose statistics are constants.
    fn fixed_normalizer<T: Real>(&self, at: &Point<'_, T>) -> Option<Normalizer<T>> {
        match (&self.affine, at.stored) {
            (Affine::Bias(_), _) => Some(Normalizer::identity(self.geometry.c_out)),
            (
                Affine::Norm {
                    running: Some([mean, variance]),
                    ..
                },
                Some(stored),
            ) => Some(Normalizer::stored(
                &stored[mean.clone()],
                &stored[variance.clone()],
            )),
            (Affine::Norm { .. }, _) => None,
        }
    }

    fn scale_and_shift<'a, T: Real>(&self, at: &Point<'a, T>) -> (Vec<T>, &'a [T]) {
        self.scale_and_shift_of(at, at.params, T::ONE)
    }

    fn scale_and_shift_tangent<'a, T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &'a [T],
    ) -> (Vec<T>, &'a [T]) {
        self.scale_and_shift_of(at, v, T::ZERO)
    }

    /// Scale and shift in `values`; `unit` is the scale where there is no such parameter.
    fn scale_and_shift_of<'a, T: Real>(
        &self,
        at: &Point<'_, T>,
        values: &'a [T],
        unit: T,
    ) -> (Vec<T>, &'a [T]) {
        let c = self.geometry.c_out;
        match self.affine {
            Affine::Norm {
                gamma,
                beta,
                n_steps,
                ..
            } => {
                let row = at.inner_step.min(n_steps - 1) * c;
                (
                    values[gamma + row..][..c].to_vec(),
                    &values[beta + row..][..c],
                )
            }
            Affine::Bias(bias) => (vec![unit; c], &values[bias..][..c]),
        }
    }

    /// Adds the gradients of scale and shift.
    fn add_affine<T: Real>(
        &self,
        at: &Point<'_, T>,
        d_gamma: &[T],
        d_beta: &[T],
        gradient: &mut [T],
    ) {
        let c = self.geometry.c_out;
        let mut add = |start: usize, values: &[T]| {
            for (gradient, value) in gradient[start..][..c].iter_mut().zip(values) {
                *gradient += *value;
            }
        };
        match self.affine {
            Affine::Norm {
                gamma,
                beta,
                n_steps,
                ..
            } => {
                let row = at.inner_step.min(n_steps - 1) * c;
                add(gamma + row, d_gamma);
                add(beta + row, d_beta);
            }
            Affine::Bias(bias) => add(bias, d_beta),
        }
    }

    /// Adds the groups' weight gradients, in order.
    fn add_weights<T: Real>(&self, groups: Vec<Vec<T>>, gradient: &mut [T]) {
        let [sum] = add_in_order(groups.into_iter().map(|group| [group]).collect());
        add_in_torch_order(&sum, &mut gradient[self.weight.clone()], &self.geometry);
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

/// `[sum g, sum g * xh]` of a group.
#[inline(always)]
fn gradient_sums<T: Real>(g: &[T], peak: &[T], mean: &[T], inv_std: &[T]) -> [Vec<T>; 2] {
    let c = mean.len();
    let mut sums = [vec![T::ZERO; c], vec![T::ZERO; c]];
    let [s1, s2] = &mut sums;
    for (g, peak) in g.chunks_exact(c).zip(peak.chunks_exact(c)) {
        for j in 0..c {
            s1[j] += g[j];
            s2[j] = (g[j] * inv_std[j]).fma(peak[j] - mean[j], s2[j]);
        }
    }
    sums
}

/// `[sum dy, sum (y - mean) * dy]` of a group.
#[inline(always)]
fn tangent_sums<T: Real>(dy: &[T], y: &[T], mean: &[T]) -> [Vec<T>; 2] {
    let c = mean.len();
    let mut sums = [vec![T::ZERO; c], vec![T::ZERO; c]];
    let [sum, centered] = &mut sums;
    for (dy, y) in dy.chunks_exact(c).zip(y.chunks_exact(c)) {
        for j in 0..c {
            sum[j] += dy[j];
            centered[j] = (y[j] - mean[j]).fma(dy[j], centered[j]);
        }
    }
    sums
}

/// `[sum dg, sum (dg * xh + g * dxh)]` of a group.
#[inline(always)]
fn gradient_tangent_sums<T: Real>(
    dg: &[T],
    g: &[T],
    peak: &[T],
    d_peak: &[T],
    normalizer: &Normalizer<T>,
    means: &TangentMeans<T>,
) -> [Vec<T>; 2] {
    let c = normalizer.mean.len();
    let mut sums = [vec![T::ZERO; c], vec![T::ZERO; c]];
    let [t1, t2] = &mut sums;
    for (row, dg) in dg.chunks_exact(c).enumerate() {
        let (g, peak, d_peak) = (
            &g[row * c..][..c],
            &peak[row * c..][..c],
            &d_peak[row * c..][..c],
        );
        for j in 0..c {
            let xh = (peak[j] - normalizer.mean[j]) * normalizer.inv_std[j];
            let d_xh = normalizer.d_normalized(j, xh, d_peak[j], means);
            t1[j] += dg[j];
            t2[j] += dg[j] * xh + g[j] * d_xh;
        }
    }
    sums
}

/// Sums of groups, added in the order of the groups.
fn add_in_order<T: Real, const K: usize>(groups: Vec<[Vec<T>; K]>) -> [Vec<T>; K] {
    let mut groups = groups.into_iter();
    let mut total = groups.next().expect("a batch has at least one image");
    for group in groups {
        for (total, group) in total.iter_mut().zip(&group) {
            for (total, value) in total.iter_mut().zip(group) {
                *total += *value;
            }
        }
    }
    total
}

/// Lanes of a register tile that fill the registers of this CPU; their number does not change any bit.
#[inline(always)]
fn lanes<T: Real>() -> usize {
    if simd::is_wide() && size_of::<T>() == 4 {
        32
    } else {
        16
    }
}

#[inline(always)]
fn convolve_best<T: Real>(
    x: &[T],
    panels: &Panels<T>,
    y: &mut [T],
    g: &Geometry,
    accumulate: bool,
) {
    match lanes::<T>() {
        32 => convolve::<T, 32>(x, panels, y, g, accumulate),
        _ => convolve::<T, 16>(x, panels, y, g, accumulate),
    }
}

#[inline(always)]
fn weight_gradient_best<T: Real>(x: &[T], gradient: &[T], dw: &mut [T], g: &Geometry) {
    match lanes::<T>() {
        32 => weight_gradient::<T, 32>(x, gradient, dw, g),
        _ => weight_gradient::<T, 16>(x, gradient, dw, g),
    }
}

fn groups<E: Sync>(values: &[E], image_len: usize) -> rayon::slice::Chunks<'_, E> {
    values.par_chunks(GROUP * image_len)
}

fn groups_mut<E: Send>(values: &mut [E], image_len: usize) -> rayon::slice::ChunksMut<'_, E> {
    values.par_chunks_mut(GROUP * image_len)
}

/// The groups of `values`, or as many times nothing.
fn optional_groups<E: Sync>(values: Option<&[E]>, image_len: usize, n: usize) -> Vec<Option<&[E]>> {
    match values {
        Some(values) => values.chunks(GROUP * image_len).map(Some).collect(),
        None => vec![None; n.div_ceil(GROUP)],
    }
}

/// The groups of `values`, or as many times nothing if it is empty.
fn optional_groups_mut<E: Send>(
    values: &mut [E],
    image_len: usize,
    n: usize,
) -> Vec<Option<&mut [E]>> {
    if values.is_empty() {
        return (0..n.div_ceil(GROUP)).map(|_| None).collect();
    }
    values.chunks_mut(GROUP * image_len).map(Some).collect()
}
