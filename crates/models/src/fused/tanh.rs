//! The hyperbolic tangent of every value, with its four methods. Channels past the width of the layer before are 0, and stay so.
//!
//! With `t = tanh x`: `g_x = g (1 - t^2)`; along a direction `dt = (1 - t^2) dx`, and of the pull-back `dg_x = dg (1 - t^2) - 2 g t dt`.

use super::arena::Buffer;
use super::point::Point;
use crate::Real;

/// What `outputs` leaves for the derivatives; `backward` adds its part.
pub(super) struct Trace<T> {
    /// Outputs.
    t: Vec<T>,
    /// Gradient at the outputs.
    g: Vec<T>,
}

/// `tanh x = sign(x) (1 - e) / (1 + e)`, `e = exp(-2 |x|)`, which cannot overflow. A NaN stays one.
fn tanh<T: Real>(x: T) -> T {
    let is_below = x < T::ZERO;
    let size = if is_below { -x } else { x };
    let e = (-(size + size)).exp();
    let t = (T::ONE - e) / (T::ONE + e);
    if is_below { -t } else { t }
}

/// The layer without derivatives.
pub(super) fn outputs<T: Real>(at: &Point<'_, T>, x: &[T]) -> Buffer<T> {
    let mut out = at.arena.take(x.len());
    for (out, x) in out.iter_mut().zip(x) {
        *out = tanh(*x);
    }
    out
}

impl<T: Real> Trace<T> {
    pub(super) fn of(outputs: &[T]) -> Self {
        Self {
            t: outputs.to_vec(),
            g: Vec::new(),
        }
    }

    pub(super) fn backward(&mut self, mut g: Buffer<T>) -> Buffer<T> {
        self.g = g.to_vec();
        for (g, t) in g.iter_mut().zip(&self.t) {
            *g *= T::ONE - *t * *t;
        }
        g
    }

    pub(super) fn tangent(&self, mut dx: Buffer<T>) -> Buffer<T> {
        for (dx, t) in dx.iter_mut().zip(&self.t) {
            *dx *= T::ONE - *t * *t;
        }
        dx
    }

    /// `d_outputs` is what [`Self::tangent`] gave; empty where nothing moves.
    pub(super) fn tangent_backward(&self, d_outputs: &[T], mut dg: Buffer<T>) -> Buffer<T> {
        for (dg, t) in dg.iter_mut().zip(&self.t) {
            *dg *= T::ONE - *t * *t;
        }
        let bent = self.g.iter().zip(&self.t).zip(d_outputs);
        for (dg, ((g, t), dt)) in dg.iter_mut().zip(bent) {
            let half = *g * *t * *dt;
            *dg -= half + half;
        }
        dg
    }
}

#[cfg(test)]
mod tests {
    use super::tanh;

    #[test]
    fn it_is_the_one_of_the_system() {
        for x in [-800.0_f64, -3.0, -0.2, -1e-9, 0.0, 1e-9, 0.7, 5.0, 800.0] {
            assert!((tanh(x) - x.tanh()).abs() < 2e-16, "{x}");
        }
        assert!(tanh(f64::NAN).is_nan());
    }
}
