//! What follows a convolution: normalisation with scale and shift, or a bias.

use std::ops::Range;

use super::norm::Normalizer;
use super::point::Point;
use crate::Real;

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

impl Affine {
    /// The normaliser of a pass whose statistics are constants; `c` is the number of channels here and below.
    pub(super) fn fixed_normalizer<T: Real>(
        &self,
        at: &Point<'_, T>,
        c: usize,
    ) -> Option<Normalizer<T>> {
        match (self, at.stored) {
            (Self::Bias(_), _) => Some(Normalizer::identity(c)),
            (
                Self::Norm {
                    running: Some([mean, variance]),
                    ..
                },
                Some(stored),
            ) => Some(Normalizer::stored(
                &stored[mean.clone()],
                &stored[variance.clone()],
            )),
            (Self::Norm { .. }, _) => None,
        }
    }

    pub(super) fn scale_and_shift<'a, T: Real>(
        &self,
        at: &Point<'a, T>,
        c: usize,
    ) -> (Vec<T>, &'a [T]) {
        self.scale_and_shift_of(at, at.params, T::ONE, c)
    }

    pub(super) fn scale_and_shift_tangent<'a, T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &'a [T],
        c: usize,
    ) -> (Vec<T>, &'a [T]) {
        self.scale_and_shift_of(at, v, T::ZERO, c)
    }

    /// Scale and shift in `values`; `unit` is the scale where there is no such parameter.
    fn scale_and_shift_of<'a, T: Real>(
        &self,
        at: &Point<'_, T>,
        values: &'a [T],
        unit: T,
        c: usize,
    ) -> (Vec<T>, &'a [T]) {
        match *self {
            Self::Norm {
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
            Self::Bias(bias) => (vec![unit; c], &values[bias..][..c]),
        }
    }

    /// Adds the gradients of scale and shift.
    pub(super) fn add_gradient<T: Real>(
        &self,
        at: &Point<'_, T>,
        d_gamma: &[T],
        d_beta: &[T],
        gradient: &mut [T],
    ) {
        let c = d_beta.len();
        let mut add = |start: usize, values: &[T]| {
            for (gradient, value) in gradient[start..][..c].iter_mut().zip(values) {
                *gradient += *value;
            }
        };
        match *self {
            Self::Norm {
                gamma,
                beta,
                n_steps,
                ..
            } => {
                let row = at.inner_step.min(n_steps - 1) * c;
                add(gamma + row, d_gamma);
                add(beta + row, d_beta);
            }
            Self::Bias(bias) => add(bias, d_beta),
        }
    }
}
