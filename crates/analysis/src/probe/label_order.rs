//! C3: does it matter which class gets which output?

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs};
use super::support_sets::{row_sds, some};
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::random::{generator, shuffle};
use crate::summary::mean;

pub use crate::record::answers::label_order::Answers;

/// Orders of `n` classes to try, the original one first: all of them if there are at most `most`, else `most` different
/// random ones. The flag says whether these are all.
#[must_use]
pub fn orders(n: usize, most: usize, seed: u64) -> (Vec<Vec<usize>>, bool) {
    let n_all = (1..=n).try_fold(1_usize, |product, k| product.checked_mul(k));
    let mut order: Vec<usize> = (0..n).collect();
    let mut found = vec![order.clone()];
    if n_all.is_some_and(|n_all| n_all <= most) {
        // The next order in lexicographic sequence.
        while let Some(pivot) = order.windows(2).rposition(|pair| pair[0] < pair[1]) {
            let swap = order
                .iter()
                .rposition(|o| *o > order[pivot])
                .unwrap_or(pivot);
            order.swap(pivot, swap);
            order[pivot + 1..].reverse();
            found.push(order.clone());
        }
        return (found, true);
    }
    let mut rng = generator(seed, "label_order/orders", 0);
    while found.len() < most {
        shuffle(&mut rng, &mut order);
        if !found.contains(&order) {
            found.push(order.clone());
        }
    }
    (found, false)
}

/// Probabilities of a relabeled task put back: row and column of each class where they are without relabeling.
///
/// # Shapes
/// `log_probabilities`: `(n_way * n_query, n_way)` of the task in which class `order[label]` has `label`, rows label by
/// label; the same shape comes back, as probabilities.
#[must_use]
pub fn original_order(log_probabilities: &[f64], order: &[usize]) -> Vec<f64> {
    let n_way = order.len();
    let n_query = log_probabilities.len() / (n_way * n_way);
    let mut probabilities = vec![0.0; log_probabilities.len()];
    for (row, values) in log_probabilities.chunks_exact(n_way).enumerate() {
        let query = order[row / n_query] * n_query + row % n_query;
        for (value, class) in values.iter().zip(order) {
            probabilities[query * n_way + class] = value.exp();
        }
    }
    probabilities
}

/// Accuracy of the mean of several tables of probabilities `(n_way * n_query, n_way)`, rows class by class, and the
/// largest difference of any of them from the first.
#[must_use]
pub fn ensemble(tables: &[Vec<f64>], n_way: usize) -> (f64, f64) {
    let Some(first) = tables.first() else {
        return (0.0, 0.0);
    };
    let mut sum = vec![0.0; first.len()];
    let mut change = 0.0_f64;
    for table in tables {
        for ((total, value), original) in sum.iter_mut().zip(table).zip(first) {
            *total += value;
            change = change.max((value - original).abs());
        }
    }
    let n_query = first.len() / (n_way * n_way);
    let right = sum.chunks_exact(n_way).enumerate().filter(|(row, values)| {
        let best = (0..n_way).fold(0, |best, c| if values[c] > values[best] { c } else { best });
        best == row / n_query
    });
    (right.count() as f64 / (n_way * n_query) as f64, change)
}

/// What the order of the classes does to one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelOrder {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Orders of each task.
    pub n_orders: usize,
    /// Whether these are all orders there are.
    pub all: bool,
    /// Mean over tasks of the standard deviation over orders.
    pub sd: Estimate,
    /// Mean over tasks of the best minus the worst order.
    pub range: Estimate,
    /// Mean over tasks of the best order minus the mean: what knowing the right order would bring.
    pub best_over_mean: Estimate,
    /// Accuracy of the ensemble over orders minus the mean over orders.
    pub ensemble_gain: Estimate,
    /// Whether no order changed the accuracy of any task of any run.
    pub is_exactly_zero: bool,
    /// Largest change of any probability.
    pub largest_change: f64,
    /// Standard deviation over orders of each task, run after run: what the figure draws.
    pub task_sds: Vec<Vec<f64>>,
}

impl Measure for LabelOrder {
    const ID: &'static str = "label_order";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: LabelOrder::ID,
    title: "Order of the classes (C3)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.label_order.as_ref());
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let task_sds: Vec<Vec<f64>> = asked
        .iter()
        .map(|a| row_sds(&a.accuracy, a.n_orders))
        .collect();
    let each = |of: &dyn Fn(&[f64], f64) -> f64| -> Result<Estimate, AnalysisError> {
        let runs = asked.iter().map(|run| {
            let tasks = run.accuracy.chunks_exact(run.n_orders).zip(&run.ensemble);
            tasks.map(|(task, ensemble)| of(task, *ensemble)).collect()
        });
        some(over_runs(&runs.collect::<Vec<_>>(), options.level))
    };
    let most = |task: &[f64]| task.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = |task: &[f64]| task.iter().copied().fold(f64::INFINITY, f64::min);
    let result = LabelOrder {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        n_orders: first.n_orders,
        all: first.all,
        sd: some(over_runs(&task_sds, options.level))?,
        range: each(&|task, _| most(task) - least(task))?,
        best_over_mean: each(&|task, _| most(task) - mean(task))?,
        ensemble_gain: each(&|task, ensemble| ensemble - mean(task))?,
        is_exactly_zero: asked.iter().all(|run| {
            let mut tasks = run.accuracy.chunks_exact(run.n_orders);
            tasks.all(|task| most(task) <= least(task))
        }),
        largest_change: asked
            .iter()
            .map(|run| run.largest_change)
            .fold(0.0, f64::max),
        task_sds,
    };
    let orders = if result.all { "all" } else { "random" };
    let (certainty, text) = if result.is_exactly_zero {
        (
            Certainty::NotDistinguishable,
            format!(
                "{} is invariant to class order: under {orders} {} orders no accuracy of {} tasks changed, and \
                 no probability changed by more than {:.0e}.",
                group.learner, result.n_orders, result.n_tasks, result.largest_change
            ),
        )
    } else {
        (
            Certainty::Estimated,
            format!(
                "The order of the classes moves {} by {} (SD over {orders} {} orders, mean over {} tasks), and by {} from the worst order to \
                 the best; the ensemble over orders gains {}.",
                group.learner,
                in_points(&result.sd),
                result.n_orders,
                result.n_tasks,
                in_points(&result.range),
                in_points(&result.ensemble_gain)
            ),
        )
    };
    let finding = Finding::of_learner(group, LabelOrder::ID, certainty, text);
    Measured::new(&result, vec![finding])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orders_of_five_are_120_and_beyond_they_are_drawn() {
        let (all, complete) = orders(5, 120, 0);
        let mut distinct = all.clone();
        distinct.sort();
        distinct.dedup();
        assert!(complete && all[0] == [0, 1, 2, 3, 4] && distinct.len() == 120);
        let (drawn, complete) = orders(20, 100, 0);
        assert!(!complete && drawn.len() == 100);
        assert_eq!(drawn, orders(20, 100, 0).0);
        assert_ne!(drawn, orders(20, 100, 1).0);
    }

    #[test]
    fn a_relabeled_table_comes_back_in_place() {
        // Two classes, one query each; class 1 has label 0: rows and columns are both swapped.
        let swapped = [0.9, 0.1, 0.3, 0.7_f64].map(f64::ln);
        let back = original_order(&swapped, &[1, 0]);
        for (value, expected) in back.iter().zip([0.7, 0.3, 0.1, 0.9]) {
            assert!((value - expected).abs() < 1e-12);
        }
        let (accuracy, change) = ensemble(&[vec![0.4, 0.6, 0.1, 0.9], back], 2);
        assert!((accuracy - 1.0).abs() < 1e-12 && (change - 0.3).abs() < 1e-12);
    }
}
