//! Scores as a table of runs by tasks: the entry for anybody's numbers.

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::summary::{NO_SCATTER, mean};

/// Scores of `n_runs` runs on the same `n_tasks` tasks in the same order (crossed design), all finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreMatrix {
    n_runs: usize,
    n_tasks: usize,
    values: Vec<f64>,
}

impl ScoreMatrix {
    /// A table from one slice for each run.
    ///
    /// # Errors
    /// [`AnalysisError::TooFew`] without rows or columns, [`AnalysisError::Shape`] naming the run whose row has another
    /// length than the first, [`AnalysisError::NotFinite`] with run and task.
    pub fn from_rows<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self, AnalysisError> {
        let n_tasks = rows.first().map_or(0, |row| row.as_ref().len());
        for (run, row) in rows.iter().enumerate() {
            if row.as_ref().len() != n_tasks {
                return Err(AnalysisError::Shape {
                    what: format!("scores of run {run}"),
                    expected: n_tasks,
                    got: row.as_ref().len(),
                });
            }
        }
        let values = rows.iter().flat_map(|row| row.as_ref().iter().copied());
        Self::from_flat(rows.len(), n_tasks, values.collect())
    }

    /// A table from values run by run: the score of run `r` on task `t` is `values[r * n_tasks + t]`.
    ///
    /// # Errors
    /// As [`Self::from_rows`].
    pub fn from_flat(
        n_runs: usize,
        n_tasks: usize,
        values: Vec<f64>,
    ) -> Result<Self, AnalysisError> {
        if n_runs == 0 {
            return Err(AnalysisError::too_few("runs in the scores", 1, 0));
        }
        if n_tasks == 0 {
            return Err(AnalysisError::too_few("tasks in the scores", 1, 0));
        }
        if values.len() != n_runs * n_tasks {
            return Err(AnalysisError::Shape {
                what: format!("scores of {n_runs} runs on {n_tasks} tasks"),
                expected: n_runs * n_tasks,
                got: values.len(),
            });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(AnalysisError::NotFinite {
                what: "score".to_owned(),
                value: values[index].to_string(),
                position: format!("run {}, task {}", index / n_tasks, index % n_tasks),
            });
        }
        Ok(Self {
            n_runs,
            n_tasks,
            values,
        })
    }

    /// Runs, R.
    #[must_use]
    pub fn n_runs(&self) -> usize {
        self.n_runs
    }

    /// Tasks, T.
    #[must_use]
    pub fn n_tasks(&self) -> usize {
        self.n_tasks
    }

    /// Scores of one run, in the order of tasks.
    #[must_use]
    pub fn run(&self, run: usize) -> &[f64] {
        &self.values[run * self.n_tasks..(run + 1) * self.n_tasks]
    }

    /// One slice for each run.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.n_tasks)
    }

    /// All scores, run by run.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Mean over runs and tasks.
    #[must_use]
    pub fn mean(&self) -> f64 {
        mean(&self.run_means())
    }

    /// Whether every run has the scores of the first, but for `rounding`: such runs have no scale to measure another by.
    #[must_use]
    pub(crate) fn are_copies(&self, rounding: f64) -> bool {
        let same = |run: &[f64]| {
            let mut pairs = run.iter().zip(self.run(0));
            pairs.all(|(a, b)| (a - b).abs() <= rounding)
        };
        self.n_runs > 1 && self.runs().all(same)
    }

    /// How far sums of these scores may be apart by rounding.
    #[must_use]
    pub(crate) fn rounding(&self) -> f64 {
        let most = self
            .values
            .iter()
            .fold(1.0_f64, |most, it| most.max(it.abs()));
        most * NO_SCATTER
    }

    /// `m_r`: mean of each run over tasks, `(n_runs)`.
    #[must_use]
    pub fn run_means(&self) -> Vec<f64> {
        self.runs().map(mean).collect()
    }

    /// `b_t`: mean of each task over runs, `(n_tasks)`.
    #[must_use]
    pub fn task_means(&self) -> Vec<f64> {
        let n_runs = self.n_runs as f64;
        (0..self.n_tasks)
            .map(|task| self.runs().map(|run| run[task]).sum::<f64>() / n_runs)
            .collect()
    }

    /// `self - other`, run by run and task by task.
    ///
    /// # Errors
    /// [`AnalysisError::Shape`] if runs or tasks differ in number.
    pub fn minus(&self, other: &Self) -> Result<Self, AnalysisError> {
        for (what, expected, got) in [
            ("runs of the second table", self.n_runs, other.n_runs),
            ("tasks of the second table", self.n_tasks, other.n_tasks),
        ] {
            crate::error::check_len(what, expected, got)?;
        }
        let differences = self.values.iter().zip(&other.values).map(|(a, b)| a - b);
        Self::from_flat(self.n_runs, self.n_tasks, differences.collect())
    }
}
