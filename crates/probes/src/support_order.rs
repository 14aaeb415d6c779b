//! C8: the same supports in other orders.

use metastable_analysis::probe::support_order::Answers;

use super::sensitivity::{each, small};
use super::subject::Subject;
use crate::error::Result;

/// Orders of each task, that of the episode among them.
const N_ORDERS: u64 = 10;

pub(crate) fn asked(subject: &Subject<'_>, n_tasks: usize) -> Result<Answers> {
    let sampler = subject.sampler(small(subject))?;
    let seeds = subject.seeds();
    let found = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let labels = task.query_labels();
        let first = subject.predict(&task)?;
        let mut accuracy = vec![first.accuracy(labels)];
        let (mut n_changed, mut largest) = (0, 0.0_f64);
        for order in 1..N_ORDERS {
            let other = subject.predict(&task.arranged(order))?;
            accuracy.push(other.accuracy(labels));
            n_changed += first
                .labels()
                .zip(other.labels())
                .filter(|(a, b)| a != b)
                .count();
            let change = largest_change(&first.log_probabilities, &other.log_probabilities);
            largest = worse(largest, change);
        }
        // NaN counts as the largest change that a probability can make: JSON, in which answers are kept, has no NaN.
        let largest = if largest.is_nan() { 1.0 } else { largest };
        let churn = n_changed as f64 / ((N_ORDERS - 1) as f64 * labels.len() as f64);
        Ok((accuracy, churn, largest))
    })?;
    Ok(Answers {
        n_tasks,
        n_orders: N_ORDERS as usize,
        accuracy: found
            .iter()
            .flat_map(|(accuracy, _, _)| accuracy)
            .copied()
            .collect(),
        churn: found.iter().map(|(_, churn, _)| *churn).collect(),
        largest_change: found
            .iter()
            .map(|(_, _, largest)| *largest)
            .fold(0.0, worse),
    })
}

/// The larger of two errors; NaN is the largest.
pub(crate) fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// Largest difference of two probabilities, from their logarithms; NaN where one is.
pub(crate) fn largest_change(first: &[f32], second: &[f32]) -> f64 {
    let gap = |(a, b): (&f32, &f32)| (f64::from(*a).exp() - f64::from(*b).exp()).abs();
    first.iter().zip(second).map(gap).fold(0.0, worse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_to_no_number_is_not_overlooked() {
        let half = 0.5_f32.ln();
        let change = largest_change(&[half, half], &[0.25_f32.ln(), half]);
        assert!((change - 0.25).abs() < 1e-6, "{change}");
        // Wherever it stands among the numbers.
        assert!(largest_change(&[half, half], &[f32::NAN, half]).is_nan());
        assert!(largest_change(&[half, half], &[half, f32::NAN]).is_nan());
        // A probability of 0 is a number.
        let change = largest_change(&[half], &[f32::NEG_INFINITY]);
        assert!((change - 0.5).abs() < 1e-6, "{change}");
    }
}
