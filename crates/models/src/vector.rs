//! Loops over all values of a parameter vector.
//!
//! A generic loop is compiled by the crate that first calls it with a type, at that crate's optimisation level and for the
//! oldest processor of its kind. These run serially between the parallel parts of a step, so they are compiled here, for
//! the best instruction set of the processor at hand. Products and sums stay apart (no fused multiply-add), so every
//! instruction set gives the same bits.

use crate::fused::dispatch;

/// What is done to parameter vectors of one precision. Slices of one call have the same length.
pub trait Vector: Sized {
    /// `to += alpha * other`.
    fn add_scaled(to: &mut [Self], alpha: Self, other: &[Self]);
    /// `values *= factor`.
    fn scale(values: &mut [Self], factor: Self);
    /// Inner product `sum a b` in double precision, in a fixed order.
    fn dot(a: &[Self], b: &[Self]) -> f64;
    /// `sum (a - b)^2`, likewise.
    fn squared_distance(a: &[Self], b: &[Self]) -> f64;
    /// Whether no value is infinite or NaN.
    fn all_finite(values: &[Self]) -> bool;
    /// A moving average: `average += share * (values - average)`.
    fn average_in(average: &mut [Self], share: Self, values: &[Self]);
    /// A moving average of squares: `average = average * keep + share * values * values`.
    fn average_squares_in(average: &mut [Self], keep_share: [Self; 2], values: &[Self]);
    /// A step along `direction`, each value divided by the root of its mean square:
    /// `to -= step * direction / (sqrt(squares) / correction + epsilon)`.
    fn step_by_root(
        to: &mut [Self],
        direction: &[Self],
        squares: &[Self],
        step_correction_epsilon: [Self; 3],
    );
}

/// Sums that go side by side: a single one would wait for itself at every addition. As many on every processor, for the bits.
const LANES: usize = 16;

#[inline(always)]
fn sum_in_lanes<T: Copy>(a: &[T], b: &[T], term: impl Fn(T, T) -> f64) -> f64 {
    let (whole_a, whole_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = whole_a.remainder().iter().zip(whole_b.remainder());
    let mut sums = [0.0; LANES];
    for (sum, (a, b)) in sums.iter_mut().zip(rest) {
        *sum += term(*a, *b);
    }
    for (a, b) in whole_a.zip(whole_b) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    sums.iter().sum()
}

macro_rules! vector {
    ($float:ty) => {
        impl Vector for $float {
            fn add_scaled(to: &mut [Self], alpha: Self, other: &[Self]) {
                dispatch(
                    #[inline(always)]
                    || {
                        for (to, other) in to.iter_mut().zip(other) {
                            *to += alpha * *other;
                        }
                    },
                );
            }

            fn scale(values: &mut [Self], factor: Self) {
                dispatch(
                    #[inline(always)]
                    || {
                        for value in values {
                            *value *= factor;
                        }
                    },
                );
            }

            fn dot(a: &[Self], b: &[Self]) -> f64 {
                dispatch(
                    #[inline(always)]
                    || {
                        sum_in_lanes(
                            a,
                            b,
                            #[inline(always)]
                            |a, b| f64::from(a) * f64::from(b),
                        )
                    },
                )
            }

            fn squared_distance(a: &[Self], b: &[Self]) -> f64 {
                dispatch(
                    #[inline(always)]
                    || {
                        sum_in_lanes(
                            a,
                            b,
                            #[inline(always)]
                            |a, b| (f64::from(a) - f64::from(b)) * (f64::from(a) - f64::from(b)),
                        )
                    },
                )
            }

            fn all_finite(values: &[Self]) -> bool {
                dispatch(
                    #[inline(always)]
                    || {
                        let mut all = true;
                        for value in values {
                            all &= value.is_finite();
                        }
                        all
                    },
                )
            }

            fn average_in(average: &mut [Self], share: Self, values: &[Self]) {
                dispatch(
                    #[inline(always)]
                    || {
                        for (average, value) in average.iter_mut().zip(values) {
                            *average += share * (*value - *average);
                        }
                    },
                );
            }

            fn average_squares_in(average: &mut [Self], [keep, share]: [Self; 2], values: &[Self]) {
                dispatch(
                    #[inline(always)]
                    || {
                        for (average, value) in average.iter_mut().zip(values) {
                            *average = *average * keep + share * *value * *value;
                        }
                    },
                );
            }

            fn step_by_root(
                to: &mut [Self],
                direction: &[Self],
                squares: &[Self],
                [step, correction, epsilon]: [Self; 3],
            ) {
                dispatch(
                    #[inline(always)]
                    || {
                        for ((to, direction), square) in to.iter_mut().zip(direction).zip(squares) {
                            let root = square.sqrt() / correction + epsilon;
                            *to -= step * *direction / root;
                        }
                    },
                );
            }
        }
    };
}

vector!(f32);
vector!(f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp, reason = "sums of small whole numbers are exact")]
    fn sums_take_every_value_once() {
        for n in 0..40_u16 {
            let a: Vec<f32> = (0..n).map(f32::from).collect();
            let b = vec![2.0; a.len()];
            let expected: f64 = (0..n).map(|a| (f64::from(a) - 2.0).powi(2)).sum();
            assert_eq!(f32::dot(&a, &b), f64::from(n) * (f64::from(n) - 1.0));
            assert_eq!(f32::squared_distance(&a, &b), expected);
        }
    }
}
