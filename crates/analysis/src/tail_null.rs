//! What chance makes of equally hard tasks: the null model of the tail, also for tasks of unequal size.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;

use crate::bootstrap::replicates;
use crate::distribution::binomial_cdf;
use crate::error::{AnalysisError, check_len};
use crate::options::Options;
use crate::random::uniform;
use crate::summary::mean;
use crate::tail::binomial_cvar;

/// Draws of tasks that a simulation of unequal tasks makes at most, and its fewest tables.
const MOST_DRAWS: usize = 50_000_000;
/// Fewest simulated tables.
const FEWEST_TABLES: usize = 500;

/// Queries and classes of the tasks of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shapes {
    /// As many queries in every task.
    Equal(usize),
    /// Tasks differ. In the null each has `Binomial(Q_t, p_rt) / Q_t` with `p_rt = 1/N_t + (1 - 1/N_t) s_r`: equally hard but for the number of
    /// its classes. `s_r` is the run's mean above chance, so that the mean of `p_rt` over tasks is the mean of the run. Where classes are not
    /// known, `p_rt` is that mean.
    ByTask {
        /// Queries, `Q_t`, `(n_tasks)`.
        queries: Vec<usize>,
        /// Classes, `N_t`, `(n_tasks)`.
        ways: Option<Vec<usize>>,
    },
}

/// Simulated tails, and their expectation.
pub(crate) struct Null {
    pub(crate) draws: Vec<f64>,
    pub(crate) exact: f64,
}

impl Shapes {
    pub(crate) fn check(&self, n_tasks: usize) -> Result<(), AnalysisError> {
        let Self::ByTask { queries, ways } = self else {
            return Ok(());
        };
        check_len("queries by task", n_tasks, queries.len())?;
        ways.as_ref().map_or(Ok(()), |ways| {
            check_len("classes by task", n_tasks, ways.len())
        })
    }

    /// One number of queries that stands for all: the harmonic mean, whose noise is the mean of theirs.
    pub(crate) fn queries(&self) -> usize {
        match self {
            Self::Equal(queries) => *queries,
            Self::ByTask { queries, .. } => {
                let inverse: Vec<f64> = queries.iter().map(|n| 1.0 / (*n).max(1) as f64).collect();
                (1.0 / mean(&inverse)).round() as usize
            }
        }
    }

    pub(crate) fn by_task(&self) -> Option<Vec<usize>> {
        match self {
            Self::Equal(_) => None,
            Self::ByTask { queries, .. } => Some(queries.clone()),
        }
    }

    /// Tails of tables in which the tasks of each run are equally hard.
    pub(crate) fn null(
        &self,
        run_means: &[f64],
        n_tasks: usize,
        n_worst: usize,
        options: &Options,
        purpose: &str,
    ) -> Null {
        let n_runs = run_means.len();
        match self {
            Self::Equal(queries) => {
                let tables: Vec<Vec<f64>> = run_means
                    .iter()
                    .map(|p| binomial_table(*p, *queries))
                    .collect();
                let draws = replicates(options.seed, purpose, options.n_null_draws, |rng| {
                    tables
                        .iter()
                        .map(|table| null_cvar(rng, table, n_tasks, n_worst))
                        .sum::<f64>()
                        / n_runs as f64
                });
                let exact: Vec<f64> = run_means
                    .iter()
                    .map(|p| binomial_cvar(*p, *queries, n_tasks, n_worst))
                    .collect();
                Null {
                    draws,
                    exact: mean(&exact),
                }
            }
            Self::ByTask { queries, ways } => {
                let kinds = Kinds::of(queries, ways.as_deref(), run_means);
                let within = (MOST_DRAWS / (n_tasks * n_runs).max(1)).max(FEWEST_TABLES);
                let n_draws = options.n_null_draws.min(within);
                let draws = replicates(options.seed, purpose, n_draws, |rng| {
                    let of_runs = (0..n_runs).map(|run| kinds.cvar(rng, run, n_worst));
                    of_runs.sum::<f64>() / n_runs as f64
                });
                Null {
                    exact: mean(&draws),
                    draws,
                }
            }
        }
    }
}

/// Tasks by their kind, that is by queries and classes, with the distribution function of each kind for each run.
struct Kinds {
    /// Tasks of each kind, and their queries.
    counts: Vec<(usize, usize)>,
    /// `(runs, kinds)`.
    tables: Vec<Vec<Vec<f64>>>,
}

impl Kinds {
    fn of(queries: &[usize], ways: Option<&[usize]>, run_means: &[f64]) -> Self {
        let chance_of = |task: usize| ways.map(|ways| 1.0 / ways[task] as f64);
        let mut counts: BTreeMap<(usize, Option<usize>), usize> = BTreeMap::new();
        for task in 0..queries.len() {
            let key = (queries[task], ways.map(|ways| ways[task]));
            *counts.entry(key).or_insert(0) += 1;
        }
        let chances: Vec<f64> = (0..queries.len()).filter_map(chance_of).collect();
        let chance = if chances.is_empty() {
            0.0
        } else {
            mean(&chances)
        };
        let tables = run_means.iter().map(|center| {
            let above = (center - chance) / (1.0 - chance);
            let of_kind = |(queries, way): &(usize, Option<usize>)| {
                let p = way.map_or(*center, |way| {
                    let own = 1.0 / way as f64;
                    (own + (1.0 - own) * above).clamp(0.0, 1.0)
                });
                binomial_table(p, *queries)
            };
            counts.keys().map(of_kind).collect()
        });
        Self {
            tables: tables.collect(),
            counts: counts.iter().map(|(key, n)| (*n, key.0)).collect(),
        }
    }

    /// CVaR of one simulated run: every task is drawn, kind by kind, by inversion.
    fn cvar(&self, rng: &mut ChaCha8Rng, run: usize, n_worst: usize) -> f64 {
        let mut drawn = Vec::new();
        for ((n, queries), table) in self.counts.iter().zip(&self.tables[run]) {
            for _ in 0..*n {
                let u = uniform(rng);
                let right = table.partition_point(|below| *below <= u).min(*queries);
                drawn.push(right as f64 / *queries as f64);
            }
        }
        let n_worst = n_worst.clamp(1, drawn.len());
        drawn.select_nth_unstable_by(n_worst - 1, f64::total_cmp);
        mean(&drawn[..n_worst])
    }
}

/// Distribution function of `Binomial(n, p)` at 0, 1, ..., n.
fn binomial_table(p: f64, n: usize) -> Vec<f64> {
    (0..=n)
        .map(|k| binomial_cdf(k as u64, n as u64, p))
        .collect()
}

/// CVaR of one simulated run, whose accuracies have the distribution function `table`. Only its lowest tasks are drawn, as the order
/// statistics of `n_tasks` uniform numbers, one after the other, and inverted: `1 - U_(i+1) = (1 - U_(i)) u^(1 / (T - i))`
/// (Lurie and Hartley 1972).
fn null_cvar(rng: &mut ChaCha8Rng, table: &[f64], n_tasks: usize, n_worst: usize) -> f64 {
    let n_queries = table.len() - 1;
    let (mut above, mut right, mut total) = (1.0, 0, 0);
    for rank in 0..n_worst {
        above *= (1.0 - uniform(rng)).powf(1.0 / (n_tasks - rank) as f64);
        while right < n_queries && table[right] <= 1.0 - above {
            right += 1;
        }
        total += right;
    }
    total as f64 / (n_worst * n_queries) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tasks of one kind, told one by one, have the null of equal tasks: its expectation is known without simulation.
    #[test]
    fn unequal_tasks_that_are_equal_have_the_null_of_equal_ones() {
        let options = Options::default();
        let means = [0.7, 0.8];
        let equal = Shapes::Equal(75).null(&means, 200, 20, &options, "equal");
        let told = Shapes::ByTask {
            queries: vec![75; 200],
            ways: Some(vec![5; 200]),
        };
        let told = told.null(&means, 200, 20, &options, "told");
        assert!((told.exact - equal.exact).abs() < 1e-3, "{}", told.exact);
    }

    /// Half of the tasks have two classes and half have fifty: chance is 0.26 on average. A run of 0.63 is half of the way from chance to
    /// perfect, so 0.75 and 0.51 are its accuracies, and the worst half of many queries are the tasks of fifty classes.
    #[test]
    fn classes_alone_make_no_task_hard() {
        let shapes = Shapes::ByTask {
            queries: vec![100_000; 40],
            ways: Some(
                (0..40)
                    .map(|task| if task % 2 == 0 { 2 } else { 50 })
                    .collect(),
            ),
        };
        let found = shapes.null(&[0.63], 40, 20, &Options::default(), "ways");
        assert!((found.exact - 0.51).abs() < 1e-3, "{}", found.exact);
        assert_eq!(shapes.queries(), 100_000);
    }
}
