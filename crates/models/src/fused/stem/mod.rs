//! The first layer: a 3x3 convolution of single-channel images, normalisation, ReLU and pooling as one unit, with the
//! four methods of [`super::block::Block`].
//!
//! Its map before the pooling is the largest of the network and comes from nine products a value, so it is never
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

mod moments;
mod windows;

use std::ops::Range;

use rayon::prelude::*;

use self::moments::{Moments, TAPS};
use super::affine::Affine;
use super::arena::Buffer;
use super::block::groups::{groups, groups_mut};
use super::block::sums::{add_in_order, gradient_sums, gradient_tangent_sums};
use super::geometry::Geometry;
use super::norm::{Normalizer, TangentMeans};
use super::point::Point;
use super::simd;
use super::window::{Chosen, Windows, mask};
use crate::Real;

/// Channels that the kernels handle at a time on any CPU; widths that it does not divide take the general block.
const LANES: usize = 16;

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
    /// `sum over windows of g * u`, `(9, c_out)`.
    along_g: Vec<T>,
}

/// What `tangent` leaves for `tangent_backward`.
pub(super) struct TangentTrace<T: Real> {
    d_peak: Buffer<T>,
    means: TangentMeans<T>,
}

impl Stem {
    /// Whether the kernels here can compute that layer.
    pub(super) fn fits(g: &Geometry) -> bool {
        g.c_in == 1 && g.kernel == 3 && g.c_out.is_multiple_of(LANES)
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
        let (gamma, beta) = self.affine.scale_and_shift(at, c);
        let [scale, shift] = normalizer.affine(&gamma, beta);

        let taps = self.taps(at.params);
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
                    || match self.pool {
                        1 => windows::forward::<T, 1, 3, LANES>(shape, x, &taps, affine, chosen),
                        _ => windows::forward::<T, 4, 4, LANES>(shape, x, &taps, affine, chosen),
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
        let (gamma, beta) = self.affine.scale_and_shift(at, c);
        let [scale, shift] = normalizer.affine(&gamma, beta);
        let taps = self.taps(at.params);
        let out_len = self.windows.padded_pixels() * c;
        let mut out = at.arena.take(x.len() / g.in_len() * out_len);
        groups(x, g.in_len())
            .zip(groups_mut(&mut out, out_len))
            .for_each(|(x, out)| {
                self.windows.clear_border(out, c);
                let (shape, affine) = ((g, &self.windows), [&scale[..], &shift]);
                simd::dispatch(
                    #[inline(always)]
                    || match (self.pool, simd::lanes::<T>(c)) {
                        (1, _) => windows::outputs::<T, 1, 3, LANES>(shape, x, &taps, affine, out),
                        (_, 32) if c.is_multiple_of(32) => {
                            windows::outputs::<T, 4, 4, 32>(shape, x, &taps, affine, out);
                        }
                        _ => windows::outputs::<T, 4, 4, LANES>(shape, x, &taps, affine, out),
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
        let (gamma, _) = self.affine.scale_and_shift(at, c);
        let [k0, k1, a] = normalizer.gradient(&gamma, &s1, &s2);
        self.affine.add_gradient(at, &s2, &s1, gradient);
        let weights = self.weights(at.params);
        self.add_weights(gradient, |channel| {
            let w = wide(weights, channel);
            let dense = trace
                .moments
                .sum_against(k0[channel].wide(), &w.map(|w| k1[channel].wide() * w));
            let a = a[channel].wide();
            std::array::from_fn(|tap| dense[tap] + a * along_g[tap * c + channel].wide())
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
            for channel in 0..c {
                let w = wide(self.weights(at.params), channel);
                let dw = wide(self.weights(v), channel);
                sum[channel] = T::of(moments.n * moments.mean_along(&dw));
                centered[channel] = T::of(moments.n * moments.covariance_along(&w, &dw));
            }
        }
        let means = trace.normalizer.tangent_means(&sum, &centered);
        let (gamma, _) = self.affine.scale_and_shift(at, c);
        let (d_gamma, d_beta) = self.affine.scale_and_shift_tangent(at, v, c);
        let [e0, e1, e2] = &trace.normalizer.tangent(&gamma, &d_gamma, d_beta, &means);

        let d_taps = self.taps(v);
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
                simd::dispatch(
                    #[inline(always)]
                    || match self.pool {
                        1 => windows::tangent::<T, 1, 3, LANES>(
                            shape, x, &d_taps, affine, chosen, d_peak, out,
                        ),
                        _ => windows::tangent::<T, 4, 4, LANES>(
                            shape, x, &d_taps, affine, chosen, d_peak, out,
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
        self.affine.add_gradient(at, &t2, &t1, product);
        let along_dg = self.along(trace, &dg);
        let (gamma, _) = self.affine.scale_and_shift(at, c);
        let (d_gamma, _) = self.affine.scale_and_shift_tangent(at, v, c);
        let [s1, s2] = &pulled.sums;
        let [q0, q1, q2, a, b] =
            normalizer.gradient_tangent(&gamma, &d_gamma, means, [s1, s2], [&t1, &t2]);
        let (weights, d_weights) = (self.weights(at.params), self.weights(v));
        self.add_weights(product, |channel| {
            let (w, dw) = (wide(weights, channel), wide(d_weights, channel));
            let along: [f64; TAPS] = std::array::from_fn(|tap| {
                q1[channel].wide() * w[tap] + q2[channel].wide() * dw[tap]
            });
            let dense = trace.moments.sum_against(q0[channel].wide(), &along);
            let (a, b) = (a[channel].wide(), b[channel].wide());
            std::array::from_fn(|tap| {
                let at = tap * c + channel;
                dense[tap] + a * pulled.along_g[at].wide() + b * along_dg[at].wide()
            })
        });
    }

    /// `sum over windows of g * u`, group by group, in order.
    fn along<T: Real>(&self, trace: &Trace<T>, g: &[T]) -> Vec<T> {
        let (geometry, c) = (&self.geometry, self.geometry.c_out);
        let n_windows = self.windows.len() * c;
        let shape = (geometry, &self.windows);
        let parts: Vec<[Vec<T>; 1]> = groups(&trace.x, geometry.in_len())
            .zip(groups(g, n_windows).zip(groups(&trace.choice, n_windows)))
            .map(|(x, (g, choice))| {
                simd::dispatch(
                    #[inline(always)]
                    || match self.pool {
                        1 => [windows::weight_gradient::<T, 1, 3, LANES>(
                            shape, x, g, choice, c,
                        )],
                        _ => [windows::weight_gradient::<T, 4, 4, LANES>(
                            shape, x, g, choice, c,
                        )],
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
        let mut moments = Moments::NOTHING;
        // Constant statistics need no moments: nothing is summed over the batch then.
        if let Some(fixed) = self.affine.fixed_normalizer(at, g.c_out) {
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
        for channel in 0..self.geometry.c_out {
            let w = wide(self.weights(params), channel);
            let spread = moments.covariance_along(&w, &w);
            mean.push(T::of(moments.mean_along(&w)));
            // Rounding can leave a constant map just below zero.
            let spread = if spread < 0.0 { 0.0 } else { spread };
            variance.push(T::of(spread));
            unbiased.push(T::of(spread * moments.n / (moments.n - 1.0).max(1.0)));
        }
        let normalizer = Normalizer::batch(mean.clone(), variance, moments.n);
        (normalizer, Some([mean, unbiased]))
    }

    fn weights<'a, T>(&self, params: &'a [T]) -> &'a [T] {
        &params[self.weight.clone()]
    }

    /// The weights with the output channels side by side: `(9, c_out)`.
    fn taps<T: Real>(&self, params: &[T]) -> Vec<T> {
        let (weights, c) = (self.weights(params), self.geometry.c_out);
        (0..TAPS * c)
            .map(|at| weights[at % c * TAPS + at / c])
            .collect()
    }

    /// Adds `of(channel)` to the gradient of each output channel's weights.
    fn add_weights<T: Real>(&self, gradient: &mut [T], of: impl Fn(usize) -> [f64; TAPS]) {
        let weights = gradient[self.weight.clone()].chunks_exact_mut(TAPS);
        for (channel, weights) in weights.enumerate() {
            for (weight, value) in weights.iter_mut().zip(of(channel)) {
                *weight += T::of(value);
            }
        }
    }
}

/// The weights of an output channel, in PyTorch's order.
fn wide<T: Real>(weights: &[T], channel: usize) -> [f64; TAPS] {
    std::array::from_fn(|tap| weights[channel * TAPS + tap].wide())
}
