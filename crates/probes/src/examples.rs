//! Single supports: one exchanged for another, one left out, ever more of them, and the same in another order.

use crate::error::Result;
use metastable_analysis::probe::{example_influence, shots, support_order};
use metastable_data::EpisodeShape;

use super::sensitivity::{each, narrowed, small};
use super::subject::Subject;

/// Supports of a class where the test has one, which cannot be left out.
const SPARE_SHOTS: usize = 5;
/// Supports of a class that are asked for, as far as classes hold as many beside the queries.
const SHOTS: [usize; 11] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20];

/// Accuracy and loss of a task as it is, and of its variants.
type Judged = ((f64, f64), Vec<(f64, f64)>);

/// The tables of all tasks whose losses are finite.
fn tables(k_shot: usize, n_examples: usize, judged: &[Judged]) -> example_influence::Answers {
    let is_finite = |(whole, others): &&Judged| {
        whole.1.is_finite() && others.iter().all(|other| other.1.is_finite())
    };
    let finite: Vec<_> = judged.iter().filter(is_finite).collect();
    let changed =
        |of: fn(&(f64, f64)) -> f64| finite.iter().flat_map(|a| a.1.iter().map(of)).collect();
    example_influence::Answers {
        n_tasks: finite.len(),
        k_shot,
        n_examples,
        loss: finite.iter().map(|a| a.0.1).collect(),
        changed_loss: changed(|other| other.1),
        accuracy: finite.iter().map(|a| a.0.0).collect(),
        changed_accuracy: changed(|other| other.0),
    }
}

/// Each support exchanged for another image of its class.
pub(crate) fn exchanged(
    subject: &Subject<'_>,
    n_tasks: usize,
) -> Result<example_influence::Answers> {
    let shape = small(subject);
    // One more support of each class: what its examples are exchanged for.
    let sampler = subject.sampler(EpisodeShape {
        k_shot: shape.k_shot + 1,
        ..shape
    })?;
    let seeds = subject.seeds();
    let n_examples = shape.n_support();
    let judged = each(n_tasks, |index| {
        let wide = sampler.episode(&seeds, index);
        let judge = |exchanged: Option<usize>| {
            let choice: Vec<usize> = (0..n_examples)
                .map(|slot| {
                    if exchanged == Some(slot) {
                        shape.k_shot
                    } else {
                        slot % shape.k_shot
                    }
                })
                .collect();
            let narrow = narrowed(&wide, &choice, shape.k_shot, shape.n_query, false);
            subject.judge(&subject.gather(&narrow)?)
        };
        let others = (0..n_examples).map(|slot| judge(Some(slot)));
        Ok((judge(None)?, others.collect::<Result<_>>()?))
    })?;
    Ok(tables(shape.k_shot, n_examples, &judged))
}

/// Each support left out, of the tasks of the test, or of tasks with more supports where those have one a class. None where
/// classes hold too few images.
pub(crate) fn left_out(
    subject: &Subject<'_>,
    n_tasks: usize,
) -> Result<Option<example_influence::Answers>> {
    let shape = small(subject);
    let n_spare = subject.fewest_images().saturating_sub(shape.n_query);
    let shape = EpisodeShape {
        k_shot: if shape.k_shot > 1 {
            shape.k_shot
        } else {
            n_spare.min(SPARE_SHOTS)
        },
        ..shape
    };
    if shape.k_shot < 2 {
        return Ok(None);
    }
    let sampler = subject.sampler(shape)?;
    let seeds = subject.seeds();
    let n_examples = shape.n_support();
    let judged = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let others = (0..n_examples).map(|row| subject.judge(&task.without_support(row)?));
        Ok((subject.judge(&task)?, others.collect::<Result<_>>()?))
    })?;
    Ok(Some(tables(shape.k_shot, n_examples, &judged)))
}

/// Accuracies with ever more supports: classes and queries stay, and supports nest.
pub(crate) fn shots(subject: &Subject<'_>, n_tasks: usize) -> Result<shots::Answers> {
    let shape = small(subject);
    let most = subject.fewest_images().saturating_sub(shape.n_query);
    let shots: Vec<usize> = SHOTS.into_iter().filter(|shots| *shots <= most).collect();
    let widest = shots.last().copied().unwrap_or(shape.k_shot);
    let sampler = subject.sampler(EpisodeShape {
        k_shot: widest,
        ..shape
    })?;
    let seeds = subject.seeds();
    let judged = each(n_tasks, |index| {
        let wide = sampler.episode(&seeds, index);
        let judge = |k_shot: &usize| {
            let choice: Vec<usize> = (0..shape.n_way).flat_map(|_| 0..*k_shot).collect();
            let narrow = narrowed(&wide, &choice, *k_shot, shape.n_query, false);
            Ok(subject.judge(&subject.gather(&narrow)?)?.0)
        };
        shots.iter().map(judge).collect::<Result<Vec<f64>>>()
    })?;
    let row = |at: usize| judged.iter().map(move |task| task[at]);
    Ok(shots::Answers {
        n_tasks,
        trained: subject.protocol.episode.k_shot,
        accuracy: (0..shots.len()).flat_map(row).collect(),
        shots,
    })
}

/// Orders of each task, that of the episode among them.
const N_ORDERS: u64 = 10;

/// C8: the same supports in other orders.
pub(crate) fn orders(subject: &Subject<'_>, n_tasks: usize) -> Result<support_order::Answers> {
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
            n_changed += first.n_changed(&other);
            let change = largest_change(&first.log_probabilities, &other.log_probabilities);
            largest = worse(largest, change);
        }
        // NaN counts as the largest change that a probability can make: JSON, in which answers are kept, has no NaN.
        let largest = if largest.is_nan() { 1.0 } else { largest };
        let churn = n_changed as f64 / ((N_ORDERS - 1) as f64 * labels.len() as f64);
        Ok((accuracy, churn, largest))
    })?;
    Ok(support_order::Answers {
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
