//! A4: the worst tasks, against what chance makes of equal tasks.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::bootstrap::{percentile_interval, replicates};
use crate::distribution::binomial_cdf;
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::jackknife::over_runs;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::random::index;
use crate::scores::ScoreMatrix;
use crate::summary::{mean, quantile_of_sorted, sorted};
pub use crate::tail_null::Shapes;

/// Tail of the task accuracies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// Runs, R.
    pub n_runs: usize,
    /// Tasks, T.
    pub n_tasks: usize,
    /// Queries of a task, NQ; where tasks differ, the number whose noise is that of all together (harmonic mean, rounded).
    pub queries_per_task: usize,
    /// Queries of each task where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries_by_task: Option<Vec<usize>>,
    /// Whether `Q >= 15`: with fewer queries a tail is mostly the binomial of the queries.
    pub enough_queries: bool,
    /// Lowest accuracy of any run on any task.
    pub min: f64,
    /// 5th percentile over tasks, mean over runs, with a bootstrap interval over tasks.
    pub p05: Estimate,
    /// For each share, in the order of the options.
    pub levels: Vec<TailLevel>,
}

/// `CVaR_a`: mean of the lowest `ceil(a T)` task accuracies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TailLevel {
    /// `a`.
    pub share: f64,
    /// `ceil(a T)`.
    pub n_worst: usize,
    /// Of each run.
    pub runs: Vec<f64>,
    /// Mean over runs.
    pub cvar: f64,
    /// Bootstrap over tasks, the runs fixed (all runs see the same resample).
    pub over_tasks: Interval,
    /// Over runs, the tasks fixed: Student's, by the jackknife; absent for fewer than three runs.
    pub over_runs: Option<Interval>,
    /// What equal tasks would give: `Binomial(NQ, m_r) / NQ` for each run, simulated; mean and central interval. Where tasks differ in their
    /// queries or classes: see [`Shapes`].
    pub null: Estimate,
    /// The mean of that null, computed without simulation, see [`binomial_cvar`]; where tasks differ, the simulated mean.
    pub null_exact: f64,
}

impl Measure for Tail {
    const ID: &'static str = "tail";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Tail::ID,
    title: "Worst tasks, CVaR and the binomial null (A4)",
    measure,
};

/// Tasks in the tail: `ceil(share * n)`, at least 1. A product that is whole up to rounding counts as whole.
#[must_use]
pub fn tail_count(share: f64, n: usize) -> usize {
    ((share * n as f64 - 1e-9).ceil() as usize).clamp(1, n.max(1))
}

/// Mean of the lowest `ceil(share * n)` scores; NaN for no scores.
///
/// # Source
/// Rockafellar and Uryasev 2000, in the discrete form of task-robust meta-learning (Collins et al. 2020).
#[must_use]
pub fn cvar(scores: &[f64], share: f64) -> f64 {
    mean(&sorted(scores)[..tail_count(share, scores.len()).min(scores.len())])
}

/// Expected mean of the lowest `n_worst` of `n_tasks` draws of `Binomial(n_queries, p) / n_queries`, exactly.
///
/// `E X_(i) = sum_k P(X_(i) > k)` and `P(X_(i) > k) = P(Binomial(T, F(k)) <= i - 1)`, with `F` the distribution
/// function of one draw.
#[must_use]
pub fn binomial_cvar(p: f64, n_queries: usize, n_tasks: usize, n_worst: usize) -> f64 {
    let mut total = 0.0;
    for k in 0..n_queries {
        let below = binomial_cdf(k as u64, n_queries as u64, p);
        for rank in 1..=n_worst {
            total += binomial_cdf((rank - 1) as u64, n_tasks as u64, below);
        }
    }
    total / (n_worst * n_queries) as f64
}

/// Tail figures of a table of accuracies, each the share of `queries_per_task` queries.
///
/// # Errors
/// [`AnalysisError::OutOfRange`] for an accuracy outside `[0, 1]`, with run and task; those of [`Options::validate`].
pub fn tail(
    scores: &ScoreMatrix,
    queries_per_task: usize,
    enough_queries: bool,
    options: &Options,
) -> Result<Tail, AnalysisError> {
    tail_of(
        scores,
        &Shapes::Equal(queries_per_task),
        enough_queries,
        options,
    )
}

/// The same for tasks that differ in their queries or classes.
///
/// # Errors
/// As [`tail`]; [`AnalysisError::Shape`] if there are more or fewer numbers than tasks.
pub fn tail_of(
    scores: &ScoreMatrix,
    shapes: &Shapes,
    enough_queries: bool,
    options: &Options,
) -> Result<Tail, AnalysisError> {
    options.validate()?;
    shapes.check(scores.n_tasks())?;
    let n_tasks = scores.n_tasks();
    if let Some(at) = scores
        .values()
        .iter()
        .position(|score| !(0.0..=1.0).contains(score))
    {
        return Err(AnalysisError::out_of_range(
            "accuracy",
            scores.values()[at],
            &format!("run {}, task {}", at / n_tasks, at % n_tasks),
            "a fraction between 0 and 1",
        ));
    }
    let ordered: Vec<Vec<usize>> = scores.runs().map(ascending).collect();
    let percentile = |runs: Vec<f64>| mean(&runs);
    let p05 = percentile(
        scores
            .runs()
            .map(|run| quantile_of_sorted(&sorted(run), 0.05))
            .collect(),
    );
    let n_resamples = n_resamples(n_tasks, options);
    let p05_draws = replicates(options.seed, "tail/p05", n_resamples, |rng| {
        let counts = resampled_counts(rng, n_tasks);
        let runs = scores.runs().zip(&ordered);
        percentile(
            runs.map(|(run, order)| weighted_quantile(run, order, &counts, 0.05))
                .collect(),
        )
    });
    let shares = options
        .tail_shares
        .iter()
        .filter(|share| **share >= 0.1 || n_tasks >= 5000);
    let levels = shares.map(|share| level(scores, &ordered, *share, shapes, options));
    Ok(Tail {
        n_runs: scores.n_runs(),
        n_tasks,
        queries_per_task: shapes.queries(),
        queries_by_task: shapes.by_task(),
        enough_queries,
        min: scores
            .values()
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min),
        p05: Estimate::new(
            p05,
            percentile_interval(&p05_draws, options.level, bootstrap_over_tasks(n_resamples))?,
        ),
        levels: levels.collect::<Result<_, _>>()?,
    })
}

fn bootstrap_over_tasks(n_resamples: usize) -> String {
    format!("percentile bootstrap over tasks, {n_resamples} resamples")
}

/// Draws of tasks that a bootstrap over them makes at most, so that its time grows no further with the tasks: with more than 1,000 tasks,
/// fewer resamples than 50,000.
const MOST_DRAWS: usize = 50_000_000;
/// Fewest resamples, whatever the number of tasks.
const FEWEST_RESAMPLES: usize = 2_000;

/// Resamples of `n_tasks` tasks. At 5,000 of them the limits of a 95 % interval are known to 4 % of the standard error.
fn n_resamples(n_tasks: usize, options: &Options) -> usize {
    let within = (MOST_DRAWS / n_tasks.max(1)).max(FEWEST_RESAMPLES);
    options.n_resamples.min(within)
}

fn level(
    scores: &ScoreMatrix,
    ordered: &[Vec<usize>],
    share: f64,
    shapes: &Shapes,
    options: &Options,
) -> Result<TailLevel, AnalysisError> {
    let n_tasks = scores.n_tasks();
    let n_worst = tail_count(share, n_tasks);
    let runs: Vec<f64> = scores.runs().map(|run| cvar(run, share)).collect();
    let n_runs = runs.len();
    let n_resamples = n_resamples(n_tasks, options);
    let purpose = |what: &str| format!("tail/{what}/{share}");
    let task_draws = replicates(options.seed, &purpose("tasks"), n_resamples, |rng| {
        let counts = resampled_counts(rng, n_tasks);
        let per_run = scores
            .runs()
            .zip(ordered)
            .map(|(run, order)| weighted_cvar(run, order, &counts, n_worst));
        per_run.sum::<f64>() / n_runs as f64
    });
    let mean_of = |kept: &[usize]| Some(mean(&kept.iter().map(|at| runs[*at]).collect::<Vec<_>>()));
    let over_runs = over_runs(n_runs, options.level, mean_of)
        .map(Estimate::within_shares)
        .and_then(|it| it.interval);
    let null = shapes.null(
        &scores.run_means(),
        n_tasks,
        n_worst,
        options,
        &purpose("null"),
    );
    let name = format!(
        "central range of {} simulated binomial tables",
        null.draws.len()
    );
    Ok(TailLevel {
        share,
        n_worst,
        cvar: mean(&runs),
        runs,
        over_tasks: percentile_interval(
            &task_draws,
            options.level,
            bootstrap_over_tasks(n_resamples),
        )?,
        over_runs,
        null: Estimate::new(
            mean(&null.draws),
            percentile_interval(&null.draws, options.level, name)?,
        ),
        null_exact: null.exact,
    })
}

/// Indices of the scores in ascending order.
fn ascending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    order
}

/// How often each of `n` items is drawn in `n` draws with replacement.
fn resampled_counts(rng: &mut ChaCha8Rng, n: usize) -> Vec<u32> {
    let mut counts = vec![0; n];
    for _ in 0..n {
        counts[index(rng, n)] += 1;
    }
    counts
}

/// [`cvar`] of a resample given by counts: walks up from the lowest and stops after `n_worst`.
fn weighted_cvar(scores: &[f64], order: &[usize], counts: &[u32], n_worst: usize) -> f64 {
    let (mut left, mut total) = (n_worst, 0.0);
    for &task in order {
        let taken = left.min(counts[task] as usize);
        total += scores[task] * taken as f64;
        left -= taken;
        if left == 0 {
            break;
        }
    }
    total / n_worst as f64
}

/// [`quantile_of_sorted`] of a resample given by counts.
fn weighted_quantile(scores: &[f64], order: &[usize], counts: &[u32], share: f64) -> f64 {
    let position = share * (scores.len() - 1) as f64;
    let below = position.floor() as usize;
    let (mut seen, mut lower) = (0, None);
    for &task in order {
        seen += counts[task] as usize;
        if lower.is_none() && seen > below {
            lower = Some(scores[task]);
        }
        if let Some(lower) = lower.filter(|_| seen > below + 1 || seen == scores.len()) {
            return lower + (position - below as f64) * (scores[task] - lower);
        }
    }
    f64::NAN
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let Some(scores) = &group.scores else {
        return Ok(Measured::absent());
    };
    let shapes = match (group.queries_per_task, &group.queries_by_task) {
        (Some(queries), _) if group.ways_by_task.is_none() => Shapes::Equal(queries),
        (None, None) => return Ok(Measured::absent()),
        (equal, by_task) => Shapes::ByTask {
            queries: by_task
                .clone()
                .or_else(|| equal.map(|queries| vec![queries; scores.n_tasks()]))
                .unwrap_or_default(),
            ways: group.ways_by_task.clone(),
        },
    };
    let result = tail_of(scores, &shapes, group.enough_queries(), options)?;
    let equally = if group.ways_by_task.is_some() {
        "tasks with one share above chance, whatever their number of classes,"
    } else {
        "equally hard tasks"
    };
    let sentences = result.levels.iter().map(|level| {
        let null = level.null.interval.as_ref();
        let apart = null.is_some_and(|null| level.over_tasks.upper < null.lower);
        let verdict = if apart {
            "some tasks are harder than others"
        } else {
            "not distinguishable from equally hard tasks"
        };
        let caution = if result.enough_queries {
            ""
        } else {
            " (fewer than 15 queries per class: the tail is mostly query noise)"
        };
        let text = format!(
            "On its worst {:.0} % of tasks {} reaches {} ({} to {} over tasks); {equally} would give {}: \
             {}{}.",
            100.0 * level.share,
            group.learner,
            percent(level.cvar),
            percent(level.over_tasks.lower),
            percent(level.over_tasks.upper),
            percent(level.null_exact),
            verdict,
            caution
        );
        let certainty = if apart { Certainty::Distinguishable } else { Certainty::NotDistinguishable };
        Finding::of_learner(group, Tail::ID, certainty, text)
    });
    let sentences = sentences.collect();
    Measured::new(&result, sentences)
}
