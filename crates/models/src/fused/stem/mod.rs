//! The first layer: a 3x3 convolution of images of few channels, normalisation, ReLU and pooling as one unit, with the
//! four methods of [`super::block::Block`].
//!
//! Its map before the pooling is the largest of the network and comes from nine products a value and channel, so it is never
//! stored: kernels make it again, window by window, in registers. What the rest needs of it follows from the moments of
//! the images' 3x3 windows `u` (`N` of them):
//!
//! ```text
//! y = w . u                     mean(y) = w . mean(u)            var(y) = w^T Cov(u) w
//! dy = dw . u                   sum (y - mean(y)) dy = N w^T Cov(u) dw
//! sum u (k0 + k1 y + ...) = k0 sum u + k1 (sum u u^T) w + ...
//! ```
//!
//! Derivation: docs/derivations/fused-block.md, "The first layer".

mod filter;
mod gradient;
mod moments;
mod row_moments;
mod windows;

use std::ops::Range;

use rayon::prelude::*;

use self::filter::{Many, Single};
use self::gradient::Sparse;
use self::moments::{Moments, PLACES};
use super::affine::Affine;
use super::arena::Buffer;
use super::block::groups::{groups, groups_mut};
use super::block::sums::{add_in_order, gradient_sums, gradient_tangent_sums};
use super::geometry::{Geometry, LANES};
use super::norm::{Normalizer, TangentMeans};
use super::point::Point;
use super::simd;
use super::window::{Chosen, Windows, mask};
use crate::Real;

/// The first layer.
#[derive(Clone, Debug)]
pub(super) struct Stem {
    pub(super) geometry: Geometry,
    pub(super) windows: Windows,
    /// Side of a pooling window: 1 or 2.
    pub(super) pool: usize,
    /// Where the weights are in the parameters.
    pub(super) weight: Range<usize>,
    pub(super) affine: Affine,
}

/// What `forward` leaves for the other three methods; `backward` adds its part.
pub(super) struct Trace<T: Real> {
    x: Buffer<T>,
    pub(super) choice: Buffer<u8>,
    peak: Buffer<T>,
    moments: Moments,
    normalizer: Normalizer<T>,
    /// Mean and unbiased variance of the batch, if it was normalised by its own.
    pub(super) statistics: Option<[Vec<T>; 2]>,
    pulled: Option<Pulled<T>>,
}

/// What `backward` leaves for `tangent_backward`.
struct Pulled<T: Real> {
    g: Buffer<T>,
    sums: [Vec<T>; 2],
    /// `sum over windows of g * u`, `(taps, c_out)`.
    along_g: Vec<T>,
}

/// What `tangent` leaves for `tangent_backward`.
pub(super) struct TangentTrace<T: Real> {
    d_peak: Buffer<T>,
    means: TangentMeans<T>,
}

impl Stem {
    /// Whether the layer is faster this way. The moments take `27 inputs^2` products a pixel in double precision, the
    /// convolution `9 inputs c_out` in single.
    pub(super) fn fits(g: &Geometry) -> bool {
        g.kernel == 3 && g.inputs < LANES && 3 * g.inputs <= g.c_out
    }

    /// `(n, padded image)` to `(n, padded output)`.
    pub(super) fn forward<T: Real>(
        &self,
        at: &Point<'_, T>,
        x: Buffer<T>,
    ) -> (Trace<T>, Buffer<T>) {
        let (g, c) = (&self.geometry, self.geometry.c_out);
        let n = x.len() / g.in_len();
        let (moments, normalizer, statistics) = self.normalizer(at, &x);
        let [gamma, beta] = self.affine.scale_and_shift(at, &self.geometry);
        let [scale, shift] = normalizer.affine(&gamma, &beta);

        let (taps, wide) = (self.taps(at.params), self.is_wide::<T>());
        let n_windows = self.windows.len() * c;
        let out_len = self.windows.padded_pixels() * c;
        let mut choice = at.choices.take(n * n_windows);
        let mut peak = at.arena.take(n * n_windows);
        let mut out = at.arena.take(n * out_len);
        groups(&x, g.in_len())
            .zip(groups_mut(&mut out, out_len))
            .zip(groups_mut(&mut choice, n_windows).zip(groups_mut(&mut peak, n_windows)))
            .for_each(|((x, out), (choice, peak))| {
                self.windows.clear_border(out, c);
                let chosen = Chosen { out, choice, peak };
                let (shape, affine) = ((g, &self.windows), [&scale[..], &shift]);
                simd::dispatch(
                    #[inline(always)]
                    || match (self.pool, g.inputs) {
                        (1, 1) => windows::forward::<T, 1, LANES, Single<T, 3, LANES>>(
                            shape, x, &taps, affine, chosen,
                        ),
                        (1, _) => windows::forward::<T, 1, LANES, Many<T, LANES>>(
                            shape, x, &taps, affine, chosen,
                        ),
                        (_, 1) => windows::forward::<T, 4, LANES, Single<T, 4, LANES>>(
                            shape, x, &taps, affine, chosen,
                        ),
                        _ if wide => windows::forward::<T, 4, 32, Many<T, 32>>(
                            shape, x, &taps, affine, chosen,
                        ),
                        _ => windows::forward::<T, 4, LANES, Many<T, LANES>>(
                            shape, x, &taps, affine, chosen,
                        ),
                    },
                );
            });
        let trace = Trace {
            x,
            choice,
            peak,
            moments,
            normalizer,
            statistics,
            pulled: None,
        };
        (trace, out)
    }

    /// The output of `forward`, to the bit, and nothing for the other methods.
    pub(super) fn outputs<T: Real>(&self, at: &Point<'_, T>, x: &[T]) -> Buffer<T> {
        let (g, c) = (&self.geometry, self.geometry.c_out);
        let (_, normalizer, _) = self.normalizer(at, x);
        let [gamma, beta] = self.affine.scale_and_shift(at, &self.geometry);
        let [scale, shift] = normalizer.affine(&gamma, &beta);
        let (taps, wide) = (self.taps(at.params), self.is_wide::<T>());
        let out_len = self.windows.padded_pixels() * c;
        let mut out = at.arena.take(x.len() / g.in_len() * out_len);
        groups(x, g.in_len())
            .zip(groups_mut(&mut out, out_len))
            .for_each(|(x, out)| {
                self.windows.clear_border(out, c);
                let (shape, affine) = ((g, &self.windows), [&scale[..], &shift]);
                simd::dispatch(
                    #[inline(always)]
                    || match (self.pool, g.inputs) {
                        (1, 1) => windows::outputs::<T, 1, LANES, Single<T, 3, LANES>>(
                            shape, x, &taps, affine, out,
                        ),
                        (1, _) => windows::outputs::<T, 1, LANES, Many<T, LANES>>(
                            shape, x, &taps, affine, out,
                        ),
                        (_, 1) if wide => windows::outputs::<T, 4, 32, Single<T, 4, 32>>(
                            shape, x, &taps, affine, out,
                        ),
                        (_, 1) => windows::outputs::<T, 4, LANES, Single<T, 4, LANES>>(
                            shape, x, &taps, affine, out,
                        ),
                        _ if wide => {
                            windows::outputs::<T, 4, 32, Many<T, 32>>(shape, x, &taps, affine, out)
                        }
                        _ => windows::outputs::<T, 4, LANES, Many<T, LANES>>(
                            shape, x, &taps, affine, out,
                        ),
                    },
                );
            });
        out
    }

    /// Pulls `g`, `(n, windows, c_out)`, back: adds to `gradient` (all parameters).
    pub(super) fn backward<T: Real>(
        &self,
        at: &Point<'_, T>,
        trace: &mut Trace<T>,
        mut g: Buffer<T>,
        gradient: &mut [T],
    ) {
        let c = self.geometry.c_out;
        let n_windows = self.windows.len() * c;
        let normalizer = &trace.normalizer;
        let sums: Vec<[Vec<T>; 2]> = groups_mut(&mut g, n_windows)
            .zip(groups(&trace.choice, n_windows).zip(groups(&trace.peak, n_windows)))
            .map(|(g, (choice, peak))| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        mask(choice, g);
                        gradient_sums(g, peak, &normalizer.mean, &normalizer.inv_std)
                    },
                )
            })
            .collect();
        let [s1, s2] = add_in_order(sums);
        let along_g = self.along(trace, &g);
        let [gamma, _] = self.affine.scale_and_shift(at, &self.geometry);
        let [k0, k1, a] = normalizer.gradient(&gamma, &s1, &s2);
        self.affine
            .add_gradient(at, &s2, &s1, gradient, &self.geometry);
        let weights = self.weights(at.params);
        self.add_weights(gradient, |channel| {
            let k1 = k1[channel].wide();
            let w: Vec<f64> = self.kernel(weights, channel).map(|w| k1 * w).collect();
            let dense = trace.moments.sum_against(k0[channel].wide(), &w);
            let a = a[channel].wide();
            let with_sparse =
                |(tap, dense): (usize, f64)| dense + a * along_g[tap * c + channel].wide();
            dense.into_iter().enumerate().map(with_sparse).collect()
        });
        trace.pulled = Some(Pulled {
            g,
            sums: [s1, s2],
            along_g,
        });
    }

    /// The tangent of `forward` along the parameters `v`.
    pub(super) fn tangent<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        trace: &Trace<T>,
    ) -> (TangentTrace<T>, Buffer<T>) {
        let (g, c) = (&self.geometry, self.geometry.c_out);
        let n = trace.x.len() / g.in_len();
        let moments = &trace.moments;
        let (mut sum, mut centered) = (vec![T::ZERO; c], vec![T::ZERO; c]);
        if moments.n > 0.0 {
            for channel in 0..g.outputs {
                let w: Vec<f64> = self.kernel(self.weights(at.params), channel).collect();
                let dw: Vec<f64> = self.kernel(self.weights(v), channel).collect();
                sum[channel] = T::of(moments.n * moments.mean_along(&dw));
                centered[channel] = T::of(moments.n * moments.covariance_along(&w, &dw));
            }
        }
        let means = trace.normalizer.tangent_means(&sum, &centered);
        let [gamma, _] = self.affine.scale_and_shift(at, &self.geometry);
        let [d_gamma, d_beta] = self.affine.scale_and_shift_tangent(at, v, &self.geometry);
        let [e0, e1, e2] = &trace.normalizer.tangent(&gamma, &d_gamma, &d_beta, &means);

        let (d_taps, wide) = (self.taps(v), self.is_wide::<T>());
        let n_windows = self.windows.len() * c;
        let out_len = self.windows.padded_pixels() * c;
        let mut d_peak = at.arena.take(n * n_windows);
        let mut out = at.arena.take(n * out_len);
        groups(&trace.x, g.in_len())
            .zip(groups(&trace.choice, n_windows).zip(groups(&trace.peak, n_windows)))
            .zip(groups_mut(&mut d_peak, n_windows).zip(groups_mut(&mut out, out_len)))
            .for_each(|((x, chosen), (d_peak, out))| {
                self.windows.clear_border(out, c);
                let (shape, affine) = ((g, &self.windows), [&e0[..], e1, e2]);
                let results = (d_peak, out);
                simd::dispatch(
                    #[inline(always)]
                    || match (self.pool, g.inputs) {
                        (1, 1) => windows::tangent::<T, 1, LANES, Single<T, 3, LANES>>(
                            shape, x, &d_taps, affine, chosen, results,
                        ),
                        (1, _) => windows::tangent::<T, 1, LANES, Many<T, LANES>>(
                            shape, x, &d_taps, affine, chosen, results,
                        ),
                        (_, 1) => windows::tangent::<T, 4, LANES, Single<T, 4, LANES>>(
                            shape, x, &d_taps, affine, chosen, results,
                        ),
                        _ if wide => windows::tangent::<T, 4, 32, Many<T, 32>>(
                            shape, x, &d_taps, affine, chosen, results,
                        ),
                        _ => windows::tangent::<T, 4, LANES, Many<T, LANES>>(
                            shape, x, &d_taps, affine, chosen, results,
                        ),
                    },
                );
            });
        (TangentTrace { d_peak, means }, out)
    }

    /// The tangent of `backward`, where the pulled gradient has the tangent `dg`: adds to `product`.
    ///
    /// # Panics
    /// If `backward` has not run on this trace: a bug of the network.
    pub(super) fn tangent_backward<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        trace: &Trace<T>,
        tangent: &TangentTrace<T>,
        mut dg: Buffer<T>,
        product: &mut [T],
    ) {
        let c = self.geometry.c_out;
        let n_windows = self.windows.len() * c;
        let pulled = trace
            .pulled
            .as_ref()
            .expect("backward runs before tangent_backward");
        let (normalizer, means) = (&trace.normalizer, &tangent.means);
        let sums: Vec<[Vec<T>; 2]> = groups_mut(&mut dg, n_windows)
            .zip(groups(&pulled.g, n_windows).zip(groups(&trace.choice, n_windows)))
            .zip(groups(&trace.peak, n_windows).zip(groups(&tangent.d_peak, n_windows)))
            .map(|((dg, (g, choice)), (peak, d_peak))| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        mask(choice, dg);
                        gradient_tangent_sums(dg, g, peak, d_peak, normalizer, means)
                    },
                )
            })
            .collect();
        let [t1, t2] = add_in_order(sums);
        self.affine
            .add_gradient(at, &t2, &t1, product, &self.geometry);
        let along_dg = self.along(trace, &dg);
        let [gamma, _] = self.affine.scale_and_shift(at, &self.geometry);
        let [d_gamma, _] = self.affine.scale_and_shift_tangent(at, v, &self.geometry);
        let [s1, s2] = &pulled.sums;
        let [q0, q1, q2, a, b] =
            normalizer.gradient_tangent(&gamma, &d_gamma, means, [s1, s2], [&t1, &t2]);
        let (weights, d_weights) = (self.weights(at.params), self.weights(v));
        self.add_weights(product, |channel| {
            let (w, dw) = (
                self.kernel(weights, channel),
                self.kernel(d_weights, channel),
            );
            let (q1, q2) = (q1[channel].wide(), q2[channel].wide());
            let along: Vec<f64> = w.zip(dw).map(|(w, dw)| q1 * w + q2 * dw).collect();
            let dense = trace.moments.sum_against(q0[channel].wide(), &along);
            let (a, b) = (a[channel].wide(), b[channel].wide());
            let with_sparse = |(tap, dense): (usize, f64)| {
                let at = tap * c + channel;
                dense + a * pulled.along_g[at].wide() + b * along_dg[at].wide()
            };
            dense.into_iter().enumerate().map(with_sparse).collect()
        });
    }

    /// `sum over windows of g * u`, group by group, in order.
    fn along<T: Real>(&self, trace: &Trace<T>, g: &[T]) -> Vec<T> {
        let (geometry, c) = (&self.geometry, self.geometry.c_out);
        let n_windows = self.windows.len() * c;
        let shape = (geometry, &self.windows);
        let parts: Vec<[Vec<T>; 1]> = groups(&trace.x, geometry.in_len())
            .zip(groups(g, n_windows).zip(groups(&trace.choice, n_windows)))
            .map(|(x, (gradient, choice))| {
                let sparse = Sparse { gradient, choice };
                simd::dispatch(
                    #[inline(always)]
                    || match (self.pool, geometry.inputs) {
                        (1, 1) => [gradient::of_single::<T, 1, 3, LANES>(shape, x, sparse)],
                        (1, _) => [gradient::of_many::<T, 1, LANES>(shape, x, sparse)],
                        (_, 1) => [gradient::of_single::<T, 4, 4, LANES>(shape, x, sparse)],
                        _ => [gradient::of_many::<T, 4, LANES>(shape, x, sparse)],
                    },
                )
            })
            .collect();
        let [sum] = add_in_order(parts);
        sum
    }

    /// The normaliser of a pass, with the moments that it is made from, and mean and unbiased variance if they are the batch's own.
    fn normalizer<T: Real>(
        &self,
        at: &Point<'_, T>,
        x: &[T],
    ) -> (Moments, Normalizer<T>, Option<[Vec<T>; 2]>) {
        let g = &self.geometry;
        let mut moments = Moments::nothing(g);
        // Constant statistics need no moments: nothing is summed over the batch then.
        if let Some(fixed) = self.affine.fixed_normalizer(at, g) {
            return (moments, fixed, None);
        }
        let parts: Vec<Moments> = groups(x, g.in_len())
            .map(|x| {
                simd::dispatch(
                    #[inline(always)]
                    || Moments::of(x, g),
                )
            })
            .collect();
        for part in &parts {
            moments.add(part);
        }
        let (normalizer, statistics) = self.batch_normalizer(at.params, &moments);
        (moments, normalizer, statistics)
    }

    /// Normalisation by the statistics of the batch, and those as running statistics take them.
    fn batch_normalizer<T: Real>(
        &self,
        params: &[T],
        moments: &Moments,
    ) -> (Normalizer<T>, Option<[Vec<T>; 2]>) {
        let (mut mean, mut variance, mut unbiased) = (Vec::new(), Vec::new(), Vec::new());
        for channel in 0..self.geometry.outputs {
            let w: Vec<f64> = self.kernel(self.weights(params), channel).collect();
            let spread = moments.covariance_along(&w, &w);
            mean.push(T::of(moments.mean_along(&w)));
            // Rounding can leave a constant map just below zero.
            let spread = if spread < 0.0 { 0.0 } else { spread };
            variance.push(T::of(spread));
            unbiased.push(T::of(spread * moments.n / (moments.n - 1.0).max(1.0)));
        }
        let statistics = [mean.clone(), unbiased];
        for values in [&mut mean, &mut variance] {
            values.resize(self.geometry.c_out, T::ZERO);
        }
        let normalizer = Normalizer::batch(mean, variance, moments.n);
        (normalizer, Some(statistics))
    }

    /// Whether this CPU's registers hold 32 channels, and there are so many.
    fn is_wide<T>(&self) -> bool {
        let c = self.geometry.c_out;
        simd::lanes::<T>(c) == 32 && c.is_multiple_of(32)
    }

    fn weights<'a, T>(&self, params: &'a [T]) -> &'a [T] {
        &params[self.weight.clone()]
    }

    /// The weights of an output channel, in kernel order.
    fn kernel<T: Real>(&self, weights: &[T], channel: usize) -> impl Iterator<Item = f64> {
        let of_channel = &weights[channel * self.n_taps()..][..self.n_taps()];
        (0..self.n_taps()).map(|tap| of_channel[self.torch_place(tap)].wide())
    }

    /// Weights of an output channel.
    fn n_taps(&self) -> usize {
        PLACES * self.geometry.inputs
    }

    /// Where a tap in kernel order, `(row, column, input)`, is in PyTorch's, `(input, row, column)`.
    fn torch_place(&self, tap: usize) -> usize {
        let inputs = self.geometry.inputs;
        tap % inputs * PLACES + tap / inputs
    }

    /// The weights with the output channels side by side: `(taps, c_out)`.
    fn taps<T: Real>(&self, params: &[T]) -> Vec<T> {
        let (weights, g) = (self.weights(params), &self.geometry);
        let mut taps = vec![T::ZERO; self.n_taps() * g.c_out];
        for (tap, row) in taps.chunks_exact_mut(g.c_out).enumerate() {
            let place = self.torch_place(tap);
            for (channel, value) in row[..g.outputs].iter_mut().enumerate() {
                *value = weights[channel * self.n_taps() + place];
            }
        }
        taps
    }

    /// Adds `of(channel)`, in kernel order, to the gradient of each output channel's weights.
    fn add_weights<T: Real>(&self, gradient: &mut [T], of: impl Fn(usize) -> Vec<f64>) {
        let weights = gradient[self.weight.clone()].chunks_exact_mut(self.n_taps());
        for (channel, weights) in weights.enumerate() {
            for (tap, value) in of(channel).into_iter().enumerate() {
                weights[self.torch_place(tap)] += T::of(value);
            }
        }
    }
}
