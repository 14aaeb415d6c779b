//! The outer step of trust-region policy optimization: conjugate gradients, and a line search within a bound.
//!
//! Schulman, Levine, Abbeel, Jordan & Moritz 2015, "Trust region policy optimization", ICML, appendix C.

use metastable_models::{Params, Real};

use crate::error::Result;

/// A residual of this share of the right side counts as solved.
const SOLVED: f64 = 1e-10;

/// The bound of a step, and how it is shortened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Largest mean divergence, in nats.
    pub max_divergence: f64,
    /// Most times that a step is shortened.
    pub backtracks: usize,
    /// What it is shortened by.
    pub factor: f64,
}

/// What a line search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Searched {
    /// Surrogate before the step.
    pub surrogate_before: f64,
    /// Surrogate after it.
    pub surrogate_after: f64,
    /// Mean divergence of the step, in nats.
    pub divergence: f64,
    /// How often it was shortened.
    pub n_backtracks: usize,
}

/// `x` with `A x = b` for a symmetric positive definite `A` that is known by its products, in at most `n_steps` steps
/// (Hestenes & Stiefel 1952).
///
/// # Errors
/// Those of the products.
pub fn conjugate_gradients<T: Real>(
    product: &mut dyn FnMut(&Params<T>) -> Result<Params<T>>,
    b: &Params<T>,
    n_steps: usize,
) -> Result<Params<T>> {
    let mut x = Params::zeros(b.layout());
    let mut residual = b.clone();
    let mut direction = b.clone();
    let mut size = residual.dot(&residual).wide();
    let goal = SOLVED * SOLVED * size;
    for _ in 0..n_steps {
        // A NaN ends it too.
        let is_left = size > goal;
        if !is_left {
            break;
        }
        let along = product(&direction)?;
        let alpha = size / direction.dot(&along).wide();
        x.add(T::of(alpha), &direction);
        residual.add(T::of(-alpha), &along);
        let next = residual.dot(&residual).wide();
        let mut turned = residual.clone();
        turned.add(T::of(next / size), &direction);
        direction = turned;
        size = next;
    }
    Ok(x)
}

/// The longest of the steps `-sqrt(2 bound / curvature) factor^k direction` that lowers the surrogate within the bound; none if no step
/// does, or where the curvature is not positive.
///
/// `at` gives the surrogate and the mean divergence at other parameters; `before` is what it gives at theta.
///
/// # Errors
/// Those of `at`.
pub fn search<T: Real>(
    region: Region,
    theta: &Params<T>,
    direction: &Params<T>,
    curvature: f64,
    before: [f64; 2],
    mut at: impl FnMut(&Params<T>) -> Result<[f64; 2]>,
) -> Result<Option<(Params<T>, Searched)>> {
    let full = (2.0 * region.max_divergence / curvature).sqrt();
    if !(full.is_finite() && full > 0.0) {
        return Ok(None);
    }
    let mut length = full;
    for n_backtracks in 0..=region.backtracks {
        let moved = theta.plus(T::of(-length), direction);
        let [surrogate, divergence] = at(&moved)?;
        if surrogate < before[0] && divergence <= region.max_divergence {
            let searched = Searched {
                surrogate_before: before[0],
                surrogate_after: surrogate,
                divergence,
                n_backtracks,
            };
            return Ok(Some((moved, searched)));
        }
        length *= region.factor;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metastable_models::Layout;

    use super::*;

    fn of(values: Vec<f64>) -> Params<f64> {
        let mut layout = Layout::default();
        layout.push("x", &[values.len()]);
        Params::from_values(&Arc::new(layout), values)
    }

    /// `A = [[4, 1], [1, 3]]`, `b = (1, 2)`: `x = (1/11, 7/11)`, in as many steps as there are unknowns.
    #[test]
    fn conjugate_gradients_solve_by_hand() {
        let b = of(vec![1.0, 2.0]);
        let mut product = |v: &Params<f64>| {
            let [x, y] = [v.values()[0], v.values()[1]];
            Ok(Params::from_values(
                v.layout(),
                vec![4.0 * x + y, x + 3.0 * y],
            ))
        };
        let x = conjugate_gradients(&mut product, &b, 2).unwrap();
        assert!((x.values()[0] - 1.0 / 11.0).abs() < 1e-12);
        assert!((x.values()[1] - 7.0 / 11.0).abs() < 1e-12);
    }

    /// A bowl `x^2` whose divergence is `2 x'^2` from 1: the step is shortened until it is within the bound.
    #[test]
    fn a_step_is_shortened_until_it_is_within_the_bound() {
        let region = Region {
            max_divergence: 0.02,
            backtracks: 15,
            factor: 0.5,
        };
        let theta = of(vec![1.0]);
        let bowl = |at: &Params<f64>| {
            let x = at.values()[0];
            Ok([x * x, 2.0 * (x - 1.0) * (x - 1.0)])
        };
        // The curvature is said to be 1 where it is 4: the full step of 0.2 has 0.08.
        let direction = of(vec![1.0]);
        let found = search(region, &theta, &direction, 1.0, [1.0, 0.0], bowl).unwrap();
        let (moved, searched) = found.unwrap();
        assert_eq!(searched.n_backtracks, 1);
        assert!((moved.values()[0] - 0.9).abs() < 1e-12 && searched.divergence <= 0.02);
        let uphill = of(vec![-1.0]);
        assert!(
            search(region, &theta, &uphill, 1.0, [1.0, 0.0], bowl)
                .unwrap()
                .is_none()
        );
        assert!(
            search(region, &theta, &direction, -1.0, [1.0, 0.0], bowl)
                .unwrap()
                .is_none()
        );
    }
}
