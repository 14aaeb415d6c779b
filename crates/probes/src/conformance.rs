//! The certificate of a learner that shows no gradients: what any few-shot learner has to do, checked by asking.
//!
//! Each check is one of a property that follows from the task alone. Two of them are claims that a learner may decline: one with a
//! head minds which class has which label, one that reads a sequence minds the order of its supports.

use metastable_algorithms::Task;
use metastable_analysis::probe::certificate::{Answers, CONFORMANCE, Check, Verdict};
use metastable_analysis::probe::label_order::original_order;

use super::examples::{largest_change, worse};
use super::sensitivity::{each, small};
use super::subject::Subject;
use crate::error::Result;

/// Tasks of each check.
const N_TASKS: usize = 10;
/// What single precision and sums in another order may change of a probability.
const ROUNDING: f64 = 1e-4;
/// How far probabilities may be from adding up to 1.
const NORMALISED: f64 = 1e-3;

/// What a learner says of itself, and what was measured of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Claims {
    /// Labels matter to it.
    pub label_bound: bool,
    /// The order of the supports matters to it.
    pub order_bound: bool,
    /// Largest difference of a log-probability between two answers to one question.
    pub noise: f64,
}

/// Every check, on a few test tasks.
///
/// # Errors
/// If the test classes cannot give the episodes, or the learner fails.
pub fn check(subject: &Subject<'_>, claims: Claims) -> Result<Answers> {
    let sampler = subject.sampler(small(subject))?;
    let seeds = subject.seeds();
    let found = each(N_TASKS, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        Seen::of(subject, &task, claims)
    })?;
    let over = |of: fn(&Seen) -> f64| found.iter().map(of).fold(0.0, worse);
    // Probabilities are at most 1, and so differ by no more than their logarithms do: noise of these bounds the noise of those.
    let limit = ROUNDING + claims.noise;
    let declined = |is_declined: bool, value: f64, what: &str| {
        if is_declined {
            let reason = format!("the learner says that {what}");
            return Verdict::Skipped { reason };
        }
        // No two probabilities differ by more than 1: such a limit would refute nothing.
        if claims.noise >= 1.0 {
            let reason = "its own noise is larger than any difference".to_owned();
            return Verdict::Skipped { reason };
        }
        Verdict::error(value, limit)
    };
    let n = found.len() as f64;
    let (accuracy, chance) = (
        found.iter().map(|seen| seen.own_supports / n).sum::<f64>(),
        1.0 / subject.test_shape().n_way as f64,
    );
    let above = "above chance".to_owned();
    let checks = [
        (
            "probabilities add up to 1",
            Verdict::error(over(|seen| seen.unnormalised), NORMALISED),
        ),
        (
            "other labels, same answers",
            declined(
                claims.label_bound,
                over(|seen| seen.relabeled),
                "labels matter to it (label_bound)",
            ),
        ),
        (
            "other order of the supports, same answers",
            declined(
                claims.order_bound,
                over(|seen| seen.rearranged),
                "the order matters to it (order_bound)",
            ),
        ),
        (
            "every support twice, finite answers",
            Verdict::Same {
                expected: "finite".to_owned(),
                found: if found.iter().all(|seen| seen.is_finite_doubled) {
                    "finite".to_owned()
                } else {
                    "not finite".to_owned()
                },
            },
        ),
        (
            "queries that are supports are told above chance",
            Verdict::Same {
                found: if accuracy > chance {
                    above.clone()
                } else {
                    format!(
                        "{:.0} %, where guessing has {:.0} %",
                        100.0 * accuracy,
                        100.0 * chance
                    )
                },
                expected: above,
            },
        ),
    ];
    Ok(Answers {
        checks: checks
            .into_iter()
            .map(|(name, verdict)| Check {
                name: format!("{CONFORMANCE}{name}"),
                verdict,
            })
            .collect(),
        ..Answers::default()
    })
}

/// What one task shows.
struct Seen {
    unnormalised: f64,
    relabeled: f64,
    rearranged: f64,
    is_finite_doubled: bool,
    own_supports: f64,
}

impl Seen {
    fn of(subject: &Subject<'_>, task: &Task<f32>, claims: Claims) -> Result<Self> {
        let n_way = task.shape().n_way;
        let first = subject.predict(task)?;
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|v| f64::from(*v)).collect() };
        let rows = wide(&first.log_probabilities);
        let sums = rows
            .chunks_exact(n_way)
            .map(|row| row.iter().map(|p| p.exp()).sum::<f64>());
        let unnormalised = sums.map(|sum| (sum - 1.0).abs()).fold(0.0, worse);
        let relabeled = if claims.label_bound {
            0.0
        } else {
            let order: Vec<usize> = (0..n_way).map(|label| (label + 1) % n_way).collect();
            let other = subject.predict(&task.relabeled(&order)?)?;
            let put_back = original_order(&wide(&other.log_probabilities), &order);
            let gaps = put_back
                .iter()
                .zip(&rows)
                .map(|(p, log)| (p - log.exp()).abs());
            gaps.fold(0.0, worse)
        };
        let rearranged = if claims.order_bound {
            0.0
        } else {
            let other = subject.predict(&task.arranged(1))?;
            largest_change(&first.log_probabilities, &other.log_probabilities)
        };
        let doubled = subject.predict(&doubled(task)?)?;
        let own = supports_as_queries(task)?;
        let own_supports = subject.predict(&own)?.accuracy(own.query_labels());
        Ok(Self {
            unnormalised,
            relabeled,
            rearranged,
            is_finite_doubled: doubled.log_probabilities.iter().all(|p| p.is_finite()),
            own_supports,
        })
    }
}

/// The same task with every support twice.
fn doubled(task: &Task<f32>) -> Result<Task<f32>> {
    let n_pixels = task.support_images().len() / task.support_labels().len();
    let mut images = Vec::new();
    let mut labels = Vec::new();
    let rows = task
        .support_images()
        .chunks_exact(n_pixels)
        .zip(task.support_labels());
    for (row, label) in rows {
        for _ in 0..2 {
            images.extend_from_slice(row);
            labels.push(*label);
        }
    }
    images.extend_from_slice(task.query_images());
    Ok(Task::labeled(images, labels, task.query_labels().to_vec())?)
}

/// A task whose queries are its supports.
fn supports_as_queries(task: &Task<f32>) -> Result<Task<f32>> {
    let images = [task.support_images(), task.support_images()].concat();
    let labels = task.support_labels().to_vec();
    Ok(Task::labeled(images, labels.clone(), labels)?)
}
