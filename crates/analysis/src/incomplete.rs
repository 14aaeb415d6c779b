//! Tables in which runs lack some tasks of others: means as if every run had been on every task, and the interval of their mean.

use std::collections::BTreeMap;

use nalgebra::{Cholesky, DMatrix, DVector};

use crate::components::{Component, Components, MeanSquares, crossed_df};
use crate::error::{AnalysisError, check_finite};
use crate::estimate::Interval;
use crate::factors::design::DesignTable;
use crate::factors::reml::MixedModel;
use crate::factors::simplex::minimize;

/// Largest ratio of the variances of tasks and of the rest: beyond it the tasks count as fixed.
const MOST_RATIO: f64 = 1e6;

/// Change of the deviance that counts as none.
const TOLERANCE: f64 = 1e-10;

/// Means of runs, corrected for the tasks that each of them lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct AdjustedMeans {
    /// `beta_r`, in the order of runs.
    pub means: Vec<f64>,
    /// Variance of the tasks, `v_task`.
    pub task: f64,
    /// Variance of the rest, `v_res`.
    pub residual: f64,
}

/// Means of runs as if each had been on the tasks of all: `y_rt = beta_r + u_t + e_rt` with random tasks, `u_t ~ N(0, v_task)`,
/// `e_rt ~ N(0, v_res)`. The ratio `v_task / v_res` is fitted by restricted maximum likelihood, the means by generalized least squares. Of a
/// complete table they are the plain means, whatever the ratio is.
///
/// What a run lacks must not depend on how well it would have done there: a run that broke off has failed, and is no incomplete one.
///
/// # Shapes
/// `cells[r][t]`: score of run `r` on task `t`, `None` where it is missing; every run has a score, and every row has the same length.
/// # Errors
/// [`AnalysisError::Shape`] with the run whose row has another length; [`AnalysisError::NotFinite`]; [`AnalysisError::TooFew`] for fewer
/// than two runs, for a run without a score, and where no more scores are there than runs.
/// # Source
/// Patterson and Thompson 1971, Biometrika 58, 545-554 (recovery of inter-block information); Searle, Casella and McCulloch 1992, chapter 6.
/// # Example
/// The second run lacks the hard task. Its plain mean is above that of the first; on the tasks of both it is under it.
/// ```
/// use metastable_analysis::incomplete::adjusted_means;
///
/// let cells = [
///     vec![Some(0.90), Some(0.70), Some(0.81)],
///     vec![Some(0.88), None, Some(0.80)],
/// ];
/// let found = adjusted_means(&cells)?;
/// assert!((found.means[0] - 0.8033).abs() < 1e-4);
/// assert!(found.means[1] < found.means[0]);
/// # Ok::<(), metastable_analysis::AnalysisError>(())
/// ```
pub fn adjusted_means(cells: &[Vec<Option<f64>>]) -> Result<AdjustedMeans, AnalysisError> {
    let table = Table::of(cells)?;
    let n_free = table.n - cells.len() as f64;
    // A root crosses zero freely: no variance of tasks is an inner minimum.
    let ratio = |root: &[f64]| (root[0] * root[0]).min(MOST_RATIO);
    let deviance = |root: &[f64]| {
        table.fit(ratio(root)).map_or(f64::INFINITY, |fit| {
            n_free * (fit.rest / n_free).ln() + fit.log_det
        })
    };
    let (_, root) = minimize(&deviance, &[1.0], 0.7, TOLERANCE);
    let gamma = ratio(&root);
    let Some(fit) = table.fit(gamma) else {
        return Err(AnalysisError::too_few(
            "runs with tasks in common",
            cells.len(),
            1,
        ));
    };
    let residual = fit.rest / n_free;
    Ok(AdjustedMeans {
        means: fit.means,
        task: gamma * residual,
        residual,
    })
}

/// What the fit needs of a table; the means are taken out of its values first, so that little cancels.
struct Table {
    n: f64,
    center: f64,
    /// Scores and their sum, by run.
    of_runs: Vec<(f64, f64)>,
    square: f64,
    /// Tasks by their number of runs: how many runs have two both (`runs x runs`), sums of scores over the tasks of a run, their squares, and
    /// how many tasks there are.
    by_count: BTreeMap<usize, (DMatrix<f64>, DVector<f64>, f64, f64)>,
}

/// One fit at a ratio of variances.
struct Fit {
    means: Vec<f64>,
    /// Log-determinants of the restricted likelihood.
    log_det: f64,
    /// Sum of squares in units of the residual variance.
    rest: f64,
}

impl Table {
    fn of(cells: &[Vec<Option<f64>>]) -> Result<Self, AnalysisError> {
        let n_runs = cells.len();
        let n_tasks = cells.first().map_or(0, Vec::len);
        if n_runs < 2 {
            return Err(AnalysisError::too_few(
                "runs of an incomplete table",
                2,
                n_runs,
            ));
        }
        let mut all = Vec::new();
        for (run, row) in cells.iter().enumerate() {
            if row.len() != n_tasks {
                return Err(AnalysisError::Shape {
                    what: format!("scores of run {run}"),
                    expected: n_tasks,
                    got: row.len(),
                });
            }
            let own: Vec<f64> = row.iter().copied().flatten().collect();
            check_finite(&format!("score of run {run}"), &own)?;
            if own.is_empty() {
                return Err(AnalysisError::too_few(format!("scores of run {run}"), 1, 0));
            }
            all.extend(own);
        }
        if all.len() <= n_runs {
            return Err(AnalysisError::too_few(
                "scores of an incomplete table, more than runs",
                n_runs + 1,
                all.len(),
            ));
        }
        let center = crate::summary::mean(&all);
        let mut table = Self {
            n: all.len() as f64,
            center,
            of_runs: vec![(0.0, 0.0); n_runs],
            square: 0.0,
            by_count: BTreeMap::new(),
        };
        for task in 0..n_tasks {
            let here: Vec<(usize, f64)> = cells
                .iter()
                .enumerate()
                .filter_map(|(run, row)| Some((run, row[task]? - center)))
                .collect();
            let sum: f64 = here.iter().map(|it| it.1).sum();
            let group = table.by_count.entry(here.len()).or_insert_with(|| {
                let none = DMatrix::zeros(n_runs, n_runs);
                (none, DVector::zeros(n_runs), 0.0, 0.0)
            });
            group.2 += sum * sum;
            group.3 += 1.0;
            for &(run, value) in &here {
                table.of_runs[run].0 += 1.0;
                table.of_runs[run].1 += value;
                table.square += value * value;
                group.1[run] += sum;
                for &(other, _) in &here {
                    group.0[(run, other)] += 1.0;
                }
            }
        }
        Ok(table)
    }

    /// `V = residual (I + gamma Z Z')` is a block for each task, whose inverse is `I - gamma / (1 + gamma n_t)` times ones.
    fn fit(&self, gamma: f64) -> Option<Fit> {
        let n_runs = self.of_runs.len();
        let diagonal = DVector::from_fn(n_runs, |run, _| self.of_runs[run].0);
        let mut information = DMatrix::from_diagonal(&diagonal);
        let mut side = DVector::from_fn(n_runs, |run, _| self.of_runs[run].1);
        let (mut rest, mut log_det) = (self.square, 0.0);
        for (count, (pairs, sums, squares, n_tasks)) in &self.by_count {
            let inner = 1.0 + gamma * *count as f64;
            let weight = gamma / inner;
            information -= pairs * weight;
            side -= sums * weight;
            rest -= squares * weight;
            log_det += n_tasks * inner.ln();
        }
        // Runs that share no task with any other leave nothing to compare at a large ratio.
        let cholesky = Cholesky::new(information)?;
        let means = cholesky.solve(&side);
        rest -= side.dot(&means);
        let l = cholesky.l_dirty();
        log_det += 2.0 * l.diagonal().iter().map(|d| d.ln()).sum::<f64>();
        Some(Fit {
            means: means.iter().map(|mean| mean + self.center).collect(),
            log_det,
            rest: rest.max(f64::MIN_POSITIVE),
        })
    }
}

/// Variance components of an incomplete table of runs by tasks, and the interval of its mean for other trainings on other tasks, by
/// restricted maximum likelihood with both random: what [`components`](crate::components::components) is for a complete one.
///
/// The mean is that of generalized least squares, and its variance the inverse of its information at the fitted components. Satterthwaite's
/// degrees of freedom are those of a complete table with as many scores a run and a task as there are on average; they count the missing
/// scores off the rest. Simulated coverage of the 95 % interval with a fifth of the scores missing is in `tests/it/incomplete.rs`.
///
/// # Shapes and errors
/// As [`adjusted_means`]; [`AnalysisError::TooFew`] for fewer than two tasks; [`AnalysisError::OutOfRange`] for `level`.
/// # Source
/// Searle, Casella and McCulloch 1992, chapters 6 and 7.
pub fn incomplete_components(
    cells: &[Vec<Option<f64>>],
    level: f64,
) -> Result<Components, AnalysisError> {
    // Checks the shape.
    let of_table = Table::of(cells)?;
    if !(0.0 < level && level < 1.0) {
        return Err(AnalysisError::out_of_range(
            "level",
            level,
            "the argument",
            "a share between 0 and 1",
        ));
    }
    let (mut labels, mut values) = (Vec::new(), Vec::new());
    for (run, row) in cells.iter().enumerate() {
        for (task, score) in row.iter().enumerate() {
            if let Some(score) = score {
                labels.push(vec![run.to_string(), task.to_string()]);
                values.push(*score);
            }
        }
    }
    let table = DesignTable::from_labels(&["run", "task"], &labels, &values)?;
    let model = MixedModel::new(&table, &[vec![0], vec![1]]);
    let fit = model.fit();
    let [v_run, v_task, v_res] = [0, 1, 2].map(|at| fit.variances[at]);
    let (center, variance_of_mean) = model.mean(&fit);
    let n_runs = cells.len();
    let n_tasks = table.n_levels()[1];
    let (per_run, per_task) = (of_table.n / n_runs as f64, of_table.n / n_tasks as f64);
    let mean_squares = MeanSquares {
        run: per_run * v_run + v_res,
        task: per_task * v_task + v_res,
        residual: v_res,
    };
    let missing = (n_runs * n_tasks) as f64 - of_table.n;
    let df = crossed_df(&mean_squares, n_runs as f64, n_tasks as f64, missing);
    let parts = [
        v_run / n_runs as f64,
        v_task / n_tasks as f64,
        v_res / of_table.n,
    ];
    let sum: f64 = parts.iter().sum();
    let component = |variance: f64, part: f64| Component {
        variance,
        raw: variance,
        share: if sum > 0.0 { part / sum } else { 0.0 },
    };
    let method =
        format!("random effects by REML, incomplete runs x tasks, Student t with {df:.1} df");
    Ok(Components {
        n_runs,
        n_tasks,
        mean: center,
        interval: Interval::student(center, variance_of_mean, df, level, method),
        df,
        mean_squares,
        run: component(v_run, parts[0]),
        task: component(v_task, parts[1]),
        residual: component(v_res, parts[2]),
        variance_of_mean,
        query_floor: None,
        interaction: None,
        open: None,
    })
}
