//! Latin hypercubes: points that fall once into each of `n` equal parts of every coordinate.

use crate::random::{generator, shuffle, uniform};

/// `n` points in the unit cube of so many dimensions, coordinates from 0 to 1 (1 excluded).
///
/// Each coordinate is a random permutation of the `n` parts, with a uniform place inside each part. Dimension `d` is a
/// function of `(seed, d)` alone: another factor at the end leaves the others as they are.
///
/// # Source
/// McKay, Beckman and Conover 1979, section 2.
#[must_use]
pub fn latin_hypercube(n: usize, dimensions: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut points = vec![Vec::with_capacity(dimensions); n];
    for dimension in 0..dimensions {
        let mut rng = generator(seed, "factors/latin", dimension as u64);
        let mut parts: Vec<usize> = (0..n).collect();
        shuffle(&mut rng, &mut parts);
        for (point, part) in points.iter_mut().zip(parts) {
            // The largest number under 1, where rounding would reach it.
            let coordinate = (part as f64 + uniform(&mut rng)) / n as f64;
            point.push(coordinate.min(1.0 - f64::EPSILON));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_every_coordinate_has_one_point() {
        for (n, dimensions) in [(1, 1), (7, 3), (64, 5)] {
            let points = latin_hypercube(n, dimensions, 3);
            for dimension in 0..dimensions {
                let mut parts: Vec<usize> = points
                    .iter()
                    .map(|point| (point[dimension] * n as f64) as usize)
                    .collect();
                parts.sort_unstable();
                assert_eq!(parts, (0..n).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn seeds_and_dimensions_differ_and_a_new_dimension_moves_no_other() {
        let points = latin_hypercube(16, 2, 0);
        assert_ne!(points, latin_hypercube(16, 2, 1));
        assert!(points.iter().any(|point| (point[0] - point[1]).abs() > 0.1));
        for (narrow, wide) in points.iter().zip(latin_hypercube(16, 3, 0)) {
            assert_eq!(narrow[..], wide[..2]);
        }
    }
}
