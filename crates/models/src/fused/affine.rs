//! What follows a convolution: normalisation with scale and shift, or a bias.

use std::ops::Range;

use super::geometry::Geometry;
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
    /// The normaliser of a pass whose statistics are constants.
    pub(super) fn fixed_normalizer<T: Real>(
        &self,
        at: &Point<'_, T>,
        g: &Geometry,
    ) -> Option<Normalizer<T>> {
        match (self, at.stored) {
            (Self::Bias(_), _) => Some(Normalizer::identity(g.c_out)),
            (
                Self::Norm {
                    running: Some([mean, variance]),
                    ..
                },
                Some(stored),
            ) => Some(Normalizer::stored(
                padded(&stored[mean.clone()], g),
                padded(&stored[variance.clone()], g),
            )),
            (Self::Norm { .. }, _) => None,
        }
    }

    /// Scale and shift of each channel in memory; zero for those without parameters.
    pub(super) fn scale_and_shift<T: Real>(&self, at: &Point<'_, T>, g: &Geometry) -> [Vec<T>; 2] {
        self.scale_and_shift_of(at, at.params, T::ONE, g)
    }

    pub(super) fn scale_and_shift_tangent<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        g: &Geometry,
    ) -> [Vec<T>; 2] {
        self.scale_and_shift_of(at, v, T::ZERO, g)
    }

    /// Scale and shift in `values`; `unit` is the scale where there is no such parameter.
    fn scale_and_shift_of<T: Real>(
        &self,
        at: &Point<'_, T>,
        values: &[T],
        unit: T,
        g: &Geometry,
    ) -> [Vec<T>; 2] {
        let (gamma, beta) = self.places(at, g.outputs);
        let scale = match gamma {
            Some(gamma) => padded(&values[gamma], g),
            None => padded(&vec![unit; g.outputs], g),
        };
        [scale, padded(&values[beta], g)]
    }

    /// Where the scales, if there are any, and the shifts of `width` channels are in the parameters, for the inner step.
    fn places<T: Real>(
        &self,
        at: &Point<'_, T>,
        width: usize,
    ) -> (Option<Range<usize>>, Range<usize>) {
        match *self {
            Self::Norm {
                gamma,
                beta,
                n_steps,
                ..
            } => {
                let row = at.inner_step.min(n_steps - 1) * width;
                let from = |start: usize| start + row..start + row + width;
                (Some(from(gamma)), from(beta))
            }
            Self::Bias(bias) => (None, bias..bias + width),
        }
    }

    /// Adds the gradients of scale and shift.
    pub(super) fn add_gradient<T: Real>(
        &self,
        at: &Point<'_, T>,
        d_gamma: &[T],
        d_beta: &[T],
        gradient: &mut [T],
        g: &Geometry,
    ) {
        let mut add = |place: Range<usize>, values: &[T]| {
            for (gradient, value) in gradient[place].iter_mut().zip(values) {
                *gradient += *value;
            }
        };
        let (gamma, beta) = self.places(at, g.outputs);
        if let Some(gamma) = gamma {
            add(gamma, d_gamma);
        }
        add(beta, d_beta);
    }
}

/// Values of the channels with parameters, and zeros for the others in memory.
fn padded<T: Real>(values: &[T], g: &Geometry) -> Vec<T> {
    let mut padded = values.to_vec();
    padded.resize(g.c_out, T::ZERO);
    padded
}
