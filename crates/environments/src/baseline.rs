//! The linear feature baseline: what is to be expected of a step, by its observation and its time.
//!
//! Features `o, o^2, t, t^2, t^3, 1` with `o` clipped to `[-10, 10]` and `t` in hundreds of steps, least squares with a ridge of 1e-5 (Duan,
//! Chen, Houthooft, Schulman & Abbeel 2016, "Benchmarking deep reinforcement learning for continuous control", ICML, as rllab has it).

use crate::rollout::Rollout;

/// Added to the diagonal, and multiplied by ten until the equations can be solved.
const RIDGE: f64 = 1e-5;

/// A fitted baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearBaseline {
    coefficients: Vec<f64>,
}

impl LinearBaseline {
    /// Fitted to the returns of these rollouts; of no use to any step if nothing can be fitted.
    #[must_use]
    pub fn fit(rollouts: &[Rollout], returns: &[Vec<f64>]) -> Self {
        let n_features = rollouts
            .iter()
            .find_map(|rollout| Some(2 * rollout.observed.first()?.len() + 4))
            .unwrap_or(0);
        let mut normal = vec![0.0; n_features * n_features];
        let mut right = vec![0.0; n_features];
        for (rollout, returns) in rollouts.iter().zip(returns) {
            for (step, (seen, of)) in rollout.observed.iter().zip(returns).enumerate() {
                let features = features(seen, step);
                for (row, a) in features.iter().enumerate() {
                    right[row] += a * of;
                    for (column, b) in features.iter().enumerate() {
                        normal[row * n_features + column] += a * b;
                    }
                }
            }
        }
        let mut ridge = RIDGE;
        for _ in 0..5 {
            let mut raised = normal.clone();
            for at in 0..n_features {
                raised[at * n_features + at] += ridge;
            }
            if let Some(coefficients) = solve(raised, &right) {
                return Self { coefficients };
            }
            ridge *= 10.0;
        }
        Self {
            coefficients: vec![0.0; n_features],
        }
    }

    /// What is expected of each step.
    #[must_use]
    pub fn predict(&self, rollout: &Rollout) -> Vec<f64> {
        let steps = rollout.observed.iter().enumerate();
        let expected = steps.map(|(step, seen)| {
            let terms = features(seen, step);
            terms
                .iter()
                .zip(&self.coefficients)
                .map(|(a, b)| a * b)
                .sum()
        });
        expected.collect()
    }
}

fn features(seen: &[f64], step: usize) -> Vec<f64> {
    let t = step as f64 / 100.0;
    let clipped = seen.iter().map(|value| value.clamp(-10.0, 10.0));
    let squares = clipped.clone().map(|value| value * value);
    clipped
        .chain(squares)
        .chain([t, t * t, t * t * t, 1.0])
        .collect()
}

/// Solves symmetric positive definite equations by Cholesky's decomposition; none if they are not.
fn solve(mut a: Vec<f64>, right: &[f64]) -> Option<Vec<f64>> {
    let n = right.len();
    for column in 0..n {
        for row in column..n {
            let done: f64 = (0..column)
                .map(|k| a[row * n + k] * a[column * n + k])
                .sum();
            let rest = a[row * n + column] - done;
            if row == column {
                if !(rest.is_finite() && rest > 0.0) {
                    return None;
                }
                a[row * n + column] = rest.sqrt();
            } else {
                a[row * n + column] = rest / a[column * n + column];
            }
        }
    }
    let mut x = right.to_vec();
    for row in 0..n {
        let done: f64 = (0..row).map(|k| a[row * n + k] * x[k]).sum();
        x[row] = (x[row] - done) / a[row * n + row];
    }
    for row in (0..n).rev() {
        let done: f64 = (row + 1..n).map(|k| a[k * n + row] * x[k]).sum();
        x[row] = (x[row] - done) / a[row * n + row];
    }
    x.iter().all(|value| value.is_finite()).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns that are a combination of the features are fitted but for the ridge.
    #[test]
    fn what_is_linear_in_the_features_is_found() {
        let rollouts: Vec<Rollout> = (0..5)
            .map(|rollout| Rollout {
                observed: (0..20)
                    .map(|step| vec![(f64::from(rollout) + 0.3 * f64::from(step)).sin()])
                    .collect(),
                ..Rollout::default()
            })
            .collect();
        let truth = |seen: &[f64], step: usize| {
            let t = step as f64 / 100.0;
            2.0 * seen[0] - 0.5 * seen[0] * seen[0] + 3.0 * t - 1.0
        };
        let returns: Vec<Vec<f64>> = rollouts
            .iter()
            .map(|it| {
                (0..20)
                    .map(|step| truth(&it.observed[step], step))
                    .collect()
            })
            .collect();
        let baseline = LinearBaseline::fit(&rollouts, &returns);
        for (rollout, returns) in rollouts.iter().zip(&returns) {
            for (found, of) in baseline.predict(rollout).iter().zip(returns) {
                assert!((found - of).abs() < 1e-3, "{found} {of}");
            }
        }
    }

    #[test]
    fn equations_by_hand() {
        // 4 x + 2 y = 2, 2 x + 3 y = 5: x = -1/2, y = 2.
        let x = solve(vec![4.0, 2.0, 2.0, 3.0], &[2.0, 5.0]).unwrap();
        assert!((x[0] + 0.5).abs() < 1e-12 && (x[1] - 2.0).abs() < 1e-12);
        assert!(solve(vec![1.0, 2.0, 2.0, 1.0], &[0.0, 0.0]).is_none());
    }
}
