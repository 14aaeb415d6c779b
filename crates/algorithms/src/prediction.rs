//! What a learner says about the queries of a task.

use metastable_models::{Real, Tape};

use crate::{Result, Task};

/// Class probabilities of a task's queries.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction<T> {
    /// Natural log-probabilities, `(n_queries, n_way)`; empty for a task of numbers ([`crate::regress`]).
    pub log_probabilities: Vec<T>,
    /// Classes.
    pub n_way: usize,
    /// Mean negative log-likelihood of the true labels, in nats; of numbers the mean squared error.
    pub query_loss: T,
}

impl<T: Real> Prediction<T> {
    /// What a pass over the queries says.
    pub fn of(queries: &dyn Tape<T>, n_way: usize) -> Self {
        Self {
            log_probabilities: queries.log_probabilities().to_vec(),
            n_way,
            query_loss: queries.loss(),
        }
    }

    /// The mean of the class probabilities of several predictions of the same queries, which have these labels: `ln(mean_m p_m)`,
    /// by the largest of them, so that nothing overflows.
    pub(crate) fn mean(members: &[Self], labels: &[usize]) -> Self {
        let n_way = members.first().map_or(0, |first| first.n_way);
        let n_values = members
            .first()
            .map_or(0, |first| first.log_probabilities.len());
        let n_members = members.len() as f64;
        let of = |at: usize| {
            let logs = || {
                members
                    .iter()
                    .map(move |it| it.log_probabilities[at].wide())
            };
            // `max` skips a NaN, which has to come through.
            if logs().any(f64::is_nan) {
                return f64::NAN;
            }
            let most = logs().fold(f64::NEG_INFINITY, f64::max);
            if most == f64::NEG_INFINITY {
                return most;
            }
            let sum: f64 = logs().map(|log| (log - most).exp()).sum();
            most + (sum / n_members).ln()
        };
        let logs: Vec<f64> = (0..n_values).map(of).collect();
        let rows = logs.chunks_exact(n_way.max(1)).zip(labels);
        let loss: f64 = rows.map(|(row, label)| -row[*label]).sum();
        Self {
            log_probabilities: logs.iter().map(|log| T::of(*log)).collect(),
            n_way,
            query_loss: T::of(loss / labels.len() as f64),
        }
    }

    /// Each query by itself: `row` gives the log-probabilities of the last query of the task that it is given, which has
    /// no other.
    pub(crate) fn one_by_one(
        task: &Task<T>,
        mut row: impl FnMut(&Task<T>) -> Result<Vec<T>>,
    ) -> Result<Self> {
        let labels = task.query_labels();
        let n_way = task.shape().n_way;
        let mut log_probabilities = Vec::with_capacity(labels.len() * n_way);
        let mut loss = 0.0;
        for (query, label) in labels.iter().enumerate() {
            let own = row(&task.with_query_alone(query))?;
            loss -= own[*label].wide();
            log_probabilities.extend(own);
        }
        Ok(Self {
            log_probabilities,
            n_way,
            query_loss: T::of(loss / labels.len() as f64),
        })
    }

    /// Most probable class of each query; the first of equals, and 0 where nothing compares (NaN).
    pub fn labels(&self) -> impl Iterator<Item = usize> {
        self.log_probabilities
            .chunks_exact(self.n_way)
            .map(most_probable)
    }

    /// Number of queries whose most probable class is another one in a second answer to the same task.
    #[must_use]
    pub fn n_changed(&self, other: &Self) -> usize {
        let pairs = self.labels().zip(other.labels());
        pairs.filter(|(a, b)| a != b).count()
    }

    /// Share of queries whose most probable class is their label, 0 to 1.
    #[must_use]
    pub fn accuracy(&self, labels: &[usize]) -> f64 {
        n_correct(&self.log_probabilities, self.n_way, labels) as f64 / labels.len() as f64
    }

    /// Log-odds against the true class of each query, `ln((1 - p) / p)`: positive where it is less probable than not.
    ///
    /// `ln(1 - p)` is the log-sum-exp over the other classes, which stays exact where `p` rounds to 1.
    pub fn log_odds(&self, labels: &[usize]) -> impl Iterator<Item = f64> {
        self.log_probabilities
            .chunks_exact(self.n_way)
            .zip(labels)
            .map(|(row, &label)| {
                let others = || {
                    let classes = row.iter().enumerate();
                    classes.filter(move |(class, _)| *class != label)
                };
                let of = |value: &T| value.wide();
                let most = others()
                    .map(|(_, value)| of(value))
                    .fold(f64::NEG_INFINITY, f64::max);
                let rest: f64 = others().map(|(_, value)| (of(value) - most).exp()).sum();
                most + rest.ln() - of(&row[label])
            })
    }
}

/// Inner-loop curve of one task: entry `k` is the state after `k` inner steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Share of the queries that are right, 0 to 1; empty for a task of numbers.
    pub query_accuracy: Vec<f64>,
    /// Mean negative log-likelihood of the supports, in nats; of numbers their mean squared error.
    pub support_loss: Vec<f64>,
    /// The same of the queries.
    pub query_loss: Vec<f64>,
}

/// Index of the first largest value.
fn most_probable<T: Real>(row: &[T]) -> usize {
    let mut best = 0;
    for (class, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = class;
        }
    }
    best
}

/// Rows of `log_probabilities` whose first largest value is at their label.
pub(crate) fn n_correct<T: Real>(log_probabilities: &[T], n_way: usize, labels: &[usize]) -> usize {
    log_probabilities
        .chunks_exact(n_way)
        .zip(labels)
        .filter(|(row, label)| most_probable(row) == **label)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_wins_and_nan_is_class_zero() {
        assert_eq!(most_probable(&[-2.0, -1.0, -1.0]), 1);
        assert_eq!(most_probable(&[f64::NAN, f64::NAN]), 0);
        assert_eq!(n_correct(&[-1.0, -2.0, -2.0, -1.0], 2, &[0, 0]), 1);
    }

    #[test]
    fn log_odds_are_those_of_the_probabilities_and_stay_exact_near_certainty() {
        let prediction = |log_probabilities: Vec<f64>| Prediction {
            log_probabilities,
            n_way: 3,
            query_loss: 0.0,
        };
        let rows = prediction([0.5, 0.2, 0.3, 0.1, 0.8, 0.1].map(f64::ln).to_vec());
        let odds: Vec<f64> = rows.log_odds(&[1, 1]).collect();
        for (odds, p) in odds.into_iter().zip([0.2, 0.8_f64]) {
            assert!((odds - ((1.0 - p) / p).ln()).abs() < 1e-14, "{odds}");
        }
        // p = 1 - 2e-40 is 1 in f64, its log-odds are ln(2e-40).
        let sure = prediction(vec![0.0, 1e-40_f64.ln(), 1e-40_f64.ln()]);
        let odds = sure.log_odds(&[0]).next().unwrap();
        assert!((odds - 2e-40_f64.ln()).abs() < 1e-12, "{odds}");
    }
}
