//! F4 and F5: surfaces and lines through parameter space, as plain vectors.

use std::ops::Range;

use crate::error::{AnalysisError, check_len};
use crate::random::{generator, uniform};

/// A random direction with each filter scaled to the norm of the same filter of `theta`; zero outside of all filters
/// (biases, and the scales and shifts of normalization).
///
/// Without that scaling, a net whose weights are large looks flat, though scaling its weights changes nothing behind a
/// normalization.
///
/// # Shapes
/// `filters`: ranges of `theta`, one for each filter or row of a weight.
/// # Errors
/// [`AnalysisError::OutOfRange`] for a filter beyond the end of `theta`.
/// # Source
/// Li et al. 2018, "Visualizing the loss landscape of neural nets", section 4.
pub fn filter_normalized(
    theta: &[f64],
    filters: &[Range<usize>],
    seed: u64,
    index: u64,
) -> Result<Vec<f64>, AnalysisError> {
    let mut rng = generator(seed, "landscape/direction", index);
    let mut direction = vec![0.0; theta.len()];
    for filter in filters {
        let Some(own) = theta.get(filter.clone()) else {
            return Err(AnalysisError::out_of_range(
                "end of a filter",
                filter.end as f64,
                "filters",
                &format!("at most {}", theta.len()),
            ));
        };
        let drawn: Vec<f64> = own.iter().map(|_| normal(&mut rng)).collect();
        let length = norm(&drawn);
        let scale = if length > 0.0 {
            norm(own) / length
        } else {
            0.0
        };
        for (place, value) in direction[filter.clone()].iter_mut().zip(drawn) {
            *place = scale * value;
        }
    }
    Ok(direction)
}

/// A random vector of the given length (Euclidean), uniform over directions.
#[must_use]
pub fn random_vector(dimension: usize, length: f64, seed: u64, index: u64) -> Vec<f64> {
    let mut rng = generator(seed, "landscape/vector", index);
    let drawn: Vec<f64> = (0..dimension).map(|_| normal(&mut rng)).collect();
    let scale = length / norm(&drawn).max(f64::MIN_POSITIVE);
    drawn.into_iter().map(|value| scale * value).collect()
}

/// `(1 - a) from + a to + ...`: `base + sum_i steps[i] directions[i]`.
///
/// # Errors
/// [`AnalysisError::Shape`] for a direction of another length.
pub fn shifted(
    base: &[f64],
    directions: &[&[f64]],
    steps: &[f64],
) -> Result<Vec<f64>, AnalysisError> {
    check_len("steps", directions.len(), steps.len())?;
    let mut point = base.to_vec();
    for (direction, step) in directions.iter().zip(steps) {
        check_len("direction", base.len(), direction.len())?;
        for (value, along) in point.iter_mut().zip(*direction) {
            *value += step * along;
        }
    }
    Ok(point)
}

/// Barrier between two minima: `max_a L(a) - ((1 - a) L(0) + a L(1))` over losses at evenly spaced `a` from 0 to 1; 0 if
/// the line nowhere rises over the chord. `None` for fewer than 3 points, or if an end is not finite; infinite if only a
/// point between is not.
///
/// # Source
/// Frankle et al. 2020, "Linear mode connectivity and the lottery ticket hypothesis".
#[must_use]
pub fn barrier(losses: &[f64]) -> Option<f64> {
    let (first, last) = (*losses.first()?, *losses.last()?);
    if losses.len() < 3 || !first.is_finite() || !last.is_finite() {
        return None;
    }
    let n = (losses.len() - 1) as f64;
    let over = losses.iter().enumerate().map(|(at, loss)| {
        let share = at as f64 / n;
        let rise = loss - ((1.0 - share) * first + share * last);
        if rise.is_nan() { f64::INFINITY } else { rise }
    });
    Some(over.fold(0.0, f64::max))
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// A standard normal draw (Box and Muller 1958).
fn normal(rng: &mut rand_chacha::ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_have_the_norms_of_theta_and_the_rest_stays() {
        let theta = [3.0, 4.0, 7.0, 0.5, 0.0, 0.0];
        let direction = filter_normalized(&theta, &[0..2, 3..4, 4..6], 1, 0).unwrap();
        assert!((norm(&direction[..2]) - 5.0).abs() < 1e-12);
        assert!((direction[3].abs() - 0.5).abs() < 1e-12);
        assert_eq!((direction[2], direction[4]), (0.0, 0.0));
        assert_ne!(
            direction,
            filter_normalized(&theta, &[0..2, 3..4, 4..6], 1, 1).unwrap()
        );
        let beyond = [0..2, 5..7];
        assert!(filter_normalized(&theta, &beyond, 1, 0).is_err());
        assert!((norm(&random_vector(9, 0.05, 0, 0)) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn a_line_over_a_hill_has_a_barrier_and_a_bowl_has_none() {
        assert!((barrier(&[1.0, 3.0, 2.0]).unwrap() - 1.5).abs() < 1e-12);
        assert!(barrier(&[1.0, 0.2, 2.0]).unwrap().abs() < 1e-12);
        assert_eq!(barrier(&[1.0, f64::NAN, 2.0]), Some(f64::INFINITY));
        assert_eq!(barrier(&[1.0, 2.0]), None);
        let point = shifted(&[1.0, 2.0], &[&[1.0, 0.0], &[0.0, 2.0]], &[0.5, -1.0]).unwrap();
        assert_eq!(point, [1.5, 0.0]);
    }
}
