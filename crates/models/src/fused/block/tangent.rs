//! The tangents of `forward` and `backward`: together they are the Hessian product of a layer.

use rayon::prelude::*;

use super::groups::{groups, groups_mut, optional_groups, optional_groups_mut};
use super::sums::{add_in_order, gradient_tangent_sums, tangent_sums};
use super::{Block, Trace};
use crate::Real;
use crate::fused::arena::Buffer;
use crate::fused::kernel::{Weights, Work, convolve, weight_gradient};
use crate::fused::norm::TangentMeans;
use crate::fused::point::Point;
use crate::fused::simd;
use crate::fused::window::{choose_tangent, mask};

/// What `tangent` leaves for `tangent_backward`.
pub(in crate::fused) struct TangentTrace<T: Real> {
    dx: Option<Buffer<T>>,
    dy: Buffer<T>,
    d_peak: Buffer<T>,
    means: TangentMeans<T>,
}

impl Block {
    /// The tangent of `forward` along the parameters `v` and the input's tangent `dx` (padded; none at the first layer).
    pub(in crate::fused) fn tangent<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        trace: &Trace<T>,
        dx: Option<Buffer<T>>,
    ) -> (TangentTrace<T>, Buffer<T>) {
        let (g, c) = (&self.geometry, self.geometry.c_out);
        let n = trace.x.len() / g.in_len();
        let d_weights = Weights::pack(self.weights(v), g, at.arena);
        let mut dy = at.arena.take(n * g.out_len());
        let mean = &trace.normalizer.mean;
        let sums: Vec<[Vec<T>; 2]> = groups(&trace.x, g.in_len())
            .zip(optional_groups(dx.as_deref(), g.in_len(), n))
            .zip(groups(&trace.y, g.out_len()).zip(groups_mut(&mut dy, g.out_len())))
            .map(|((x, dx), (y, dy))| {
                let mut work = Work::new(at.arena, g);
                simd::dispatch(
                    #[inline(always)]
                    || {
                        convolve(x, &d_weights, dy, g, false, &mut work);
                        if let Some(dx) = dx {
                            convolve(dx, &trace.weights, dy, g, true, &mut work);
                        }
                        tangent_sums(dy, y, mean)
                    },
                )
            })
            .collect();
        let [sum, centered] = add_in_order(sums);
        let means = trace.normalizer.tangent_means(&sum, &centered);
        let [gamma, _] = self.affine.scale_and_shift(at, &self.geometry);
        let [d_gamma, d_beta] = self.affine.scale_and_shift_tangent(at, v, &self.geometry);
        let [e0, e1, e2] = trace.normalizer.tangent(&gamma, &d_gamma, &d_beta, &means);

        let n_windows = self.windows.len() * c;
        let out_len = self.windows.padded_pixels() * c;
        let mut d_peak = at.arena.take(n * n_windows);
        let mut out = at.arena.take(n * out_len);
        groups(&dy, g.out_len())
            .zip(groups(&trace.choice, n_windows).zip(groups(&trace.peak, n_windows)))
            .zip(groups_mut(&mut d_peak, n_windows).zip(groups_mut(&mut out, out_len)))
            .for_each(|((dy, chosen), (d_peak, out))| {
                self.windows.clear_border(out, c);
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
    pub(in crate::fused) fn tangent_backward<T: Real>(
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
        self.affine
            .add_gradient(at, &t2, &t1, product, &self.geometry);
        let [gamma, _] = self.affine.scale_and_shift(at, &self.geometry);
        let [d_gamma, _] = self.affine.scale_and_shift_tangent(at, v, &self.geometry);
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
        let turned = pulled.turned.as_ref();
        let d_turned =
            wants_input.then(|| Weights::pack_transposed(self.weights(v), geo, at.arena));
        let mut input = at.arena.take(if wants_input {
            n * transposed.out_len()
        } else {
            0
        });
        let inputs = optional_groups_mut(&mut input, transposed.out_len(), n);
        let dw: Vec<Buffer<T>> = groups(&trace.x, geo.in_len())
            .zip(optional_groups(tangent.dx.as_deref(), geo.in_len(), n))
            .zip(groups(&trace.y, geo.out_len()).zip(groups(&tangent.dy, geo.out_len())))
            .zip(
                groups(&trace.choice, n_windows)
                    .zip(groups(&pulled.g, n_windows).zip(groups(&dg, n_windows))),
            )
            .zip(inputs)
            .map(|((((x, dx), (y, dy)), (choice, (g, dg))), input)| {
                let mut map = at.arena.take(x.len() / geo.in_len() * geo.gradient_len());
                geo.clear_gaps(&mut map);
                let mut dw = at.arena.take(geo.n_weights());
                let mut work = Work::new(at.arena, geo);
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
                        weight_gradient(x, &map, &mut dw, geo, false, &mut work);
                        if let (Some(input), Some(turned)) = (input.as_deref_mut(), turned) {
                            convolve(&map, turned, input, &transposed, false, &mut work);
                        }
                        if dx.is_none() && input.is_none() {
                            return;
                        }
                        // The gradient itself, made again: cheaper than keeping a map of the full size.
                        self.spread_best(k0, [(y, k1)], [(g, k2)], choice, &mut map);
                        if let Some(dx) = dx {
                            weight_gradient(dx, &map, &mut dw, geo, true, &mut work);
                        }
                        if let (Some(input), Some(d_turned)) = (input, &d_turned) {
                            convolve(&map, d_turned, input, &transposed, true, &mut work);
                        }
                    },
                );
                dw
            })
            .collect();
        self.add_weights(&dw, product);
        wants_input.then_some(input)
    }
}
