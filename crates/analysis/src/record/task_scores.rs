//! Scores by task without the predictions behind them: a table from elsewhere.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};
use crate::summary::{chance_normalized, mean};

/// Accuracy on each test task, without the predictions behind it: the same tasks, in the same order, for every run of a
/// setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskScores {
    /// Accuracy on each task, 0 to 1, `(n_tasks)`; a score of any scale where [`Options::scale`](crate::Options::scale) names one.
    pub accuracies: Vec<f64>,
    /// Queries of each task, if known and equal: accuracies are then multiples of one over it.
    pub queries_per_task: Option<usize>,
    /// Classes of each task, if known and equal: guessing reaches one over it.
    pub n_way: Option<usize>,
    /// Queries of each task where they differ, `(n_tasks)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queries: Option<Vec<usize>>,
    /// Classes of each task where they differ, `(n_tasks)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_ways: Option<Vec<usize>>,
    /// Where the runs of a setting lack some tasks of each other: the scores by task of the setting, `None` where this run has none. The one
    /// value of `accuracies` is then the run's adjusted mean ([`adjusted_means`](crate::incomplete::adjusted_means)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<Vec<Option<f64>>>,
    /// The best score that any rule can expect on each task, `(n_tasks)`, where it is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Vec<f64>>,
}

impl TaskScores {
    /// Checks that there is a task, that every accuracy lies between 0 and 1, and that what is known of each task is known of all; `what`
    /// names the scores in the error.
    ///
    /// # Errors
    /// [`AnalysisError::TooFew`], [`AnalysisError::Shape`], or [`AnalysisError::OutOfRange`] with the task.
    pub fn check(&self, what: &str) -> Result<(), AnalysisError> {
        self.check_on(what, true)
    }

    /// The same for scores of any scale, which have to be finite alone.
    pub(crate) fn check_on(&self, what: &str, are_shares: bool) -> Result<(), AnalysisError> {
        if self.accuracies.is_empty() {
            return Err(AnalysisError::too_few(format!("{what}: tasks"), 1, 0));
        }
        for (name, least, by_task) in [
            ("queries", 1, &self.task_queries),
            ("classes", 2, &self.task_ways),
        ] {
            let Some(by_task) = by_task else { continue };
            let named = format!("{what}: {name} by task");
            check_len(&named, self.accuracies.len(), by_task.len())?;
            if let Some(task) = by_task.iter().position(|n| *n < least) {
                return Err(AnalysisError::too_few(
                    format!("{named}, task {task}"),
                    least,
                    by_task[task],
                ));
            }
        }
        if let Some(best) = &self.best {
            let named = format!("{what}: best score by task");
            check_len(&named, self.accuracies.len(), best.len())?;
            check_finite(&named, best)?;
        }
        if self.cells.is_some() {
            check_len(&format!("{what}: adjusted mean"), 1, self.accuracies.len())?;
        }
        if !are_shares {
            return check_finite(what, &self.accuracies);
        }
        let bad = |accuracy: &f64| !(0.0..=1.0).contains(accuracy);
        match self.accuracies.iter().position(bad) {
            None => Ok(()),
            Some(task) => Err(AnalysisError::out_of_range(
                what,
                self.accuracies[task],
                &format!("task {task}"),
                "a fraction between 0 and 1",
            )),
        }
    }

    /// Accuracy of guessing, mean over tasks; none where the classes are not known.
    #[must_use]
    pub fn chance(&self) -> Option<f64> {
        let of = |n_way: &usize| 1.0 / *n_way as f64;
        match (&self.n_way, &self.task_ways) {
            (Some(n_way), _) => Some(of(n_way)),
            (None, Some(ways)) => Some(mean(&ways.iter().map(of).collect::<Vec<_>>())),
            (None, None) => None,
        }
    }

    /// The mean over tasks of `(a - 1/N) / (1 - 1/N)`, 0 for guessing and 1 for perfect, each task with its own number of classes; none where
    /// no number differs.
    #[must_use]
    pub(crate) fn above_chance(&self) -> Option<f64> {
        let ways = self.task_ways.as_ref()?;
        let scores = self.accuracies.iter().zip(ways);
        let above = scores.map(|(accuracy, n_way)| chance_normalized(*accuracy, *n_way));
        Some(mean(&above.collect::<Vec<_>>()))
    }

    /// Leaves the tasks at these places, in their order.
    pub fn select(&mut self, places: &[usize]) {
        self.accuracies = places.iter().map(|at| self.accuracies[*at]).collect();
        for by_task in [&mut self.task_queries, &mut self.task_ways] {
            if let Some(of) = by_task {
                *by_task = Some(places.iter().map(|at| of[*at]).collect());
            }
        }
        if let Some(best) = &mut self.best {
            *best = places.iter().map(|at| best[*at]).collect();
        }
    }
}
