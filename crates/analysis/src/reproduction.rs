//! Is a published mean reproduced? Two one-sided tests with a margin, with the uncertainty of both sides.
//!
//! *Reproduced* where the interval of (ours minus published) lies within the margin, *not reproduced* where it lies wholly beyond
//! it, else *undecided*, with the number of runs that would decide. The interval has level `1 - 2 error_rate`, so that each of the
//! first two words is wrong in about `error_rate` of tables at most, wherever the truth lies; under skewed seeds *not reproduced* is so in
//! up to 11 % at the margin (`docs/calibration.md` has the measured rates).
//!
//! # Source
//! Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15 (two one-sided tests); Satterthwaite 1946 (degrees of
//! freedom of a sum of variances).

use serde::{Deserialize, Serialize};

use crate::components::components;
use crate::distribution::{normal_quantile, student_quantile};
use crate::error::AnalysisError;
use crate::estimate::Interval;
use crate::scores::ScoreMatrix;
use crate::summary::{NO_SCATTER, mean, standard_deviation, variance};

/// What the number behind a published `±` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlusMinus {
    /// Half of the 95 % interval over the test tasks of one run.
    #[serde(rename = "tasks-95")]
    Tasks95,
    /// Standard deviation over runs.
    SeedsSd,
    /// Standard error over runs.
    SeedsSe,
    /// Half of the 95 % interval over runs.
    #[serde(rename = "seeds-95")]
    Seeds95,
    /// As printed, and nobody says what it is; read as [`Self::Tasks95`].
    Unknown,
}

/// A published mean, in the units of our scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The mean.
    pub value: f64,
    /// The printed `±` and what it is; absent if none is printed.
    pub plus_minus: Option<(f64, PlusMinus)>,
    /// Trainings behind it; 1 if the paper does not say.
    pub runs: usize,
    /// Test tasks of each; 600 if the paper does not say.
    pub tasks: usize,
    /// The last printed digit: 0.001 for 98.7 %.
    pub digit: f64,
}

/// When two means count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Differences up to here do not matter, in the units of the scores.
    pub margin: f64,
    /// How often *reproduced* may be said of a difference at the margin or beyond, and *not reproduced* of one within it.
    pub error_rate: f64,
}

impl Default for Rule {
    /// Half a percentage point, at 5 %.
    fn default() -> Self {
        Self {
            margin: 0.005,
            error_rate: 0.05,
        }
    }
}

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// The difference is within the margin.
    Reproduced,
    /// The difference is beyond the margin.
    NotReproduced,
    /// The runs leave both possible.
    Undecided,
}

/// A comparison of our runs with a published mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reproduction {
    /// What can be said.
    pub word: Word,
    /// Our mean over runs and tasks.
    pub ours: f64,
    /// Ours minus the published value.
    pub difference: f64,
    /// Standard deviation of the means of our runs; absent for one run.
    pub seed_sd: Option<f64>,
    /// Interval of the difference at `1 - 2 error_rate`; absent for one run, which tells no spread.
    pub interval: Option<Interval>,
    /// Smallest number of our runs with which this difference would be decided, if the spread is as it seems; absent where it is
    /// decided, and where no number up to [`MOST_RUNS`] would.
    pub runs_needed: Option<usize>,
    /// Half-width of the interval that would be left with [`MOST_RUNS`] runs of ours: what the paper and the test tasks leave open.
    pub least_half_width: Option<f64>,
}

/// Runs beyond which nobody is sent.
pub const MOST_RUNS: usize = 1000;

/// What the variance of the difference is made of.
struct Variances {
    /// Of the mean of one of our runs, over trainings; known with one degree of freedom less than runs.
    seed: f64,
    /// Trainings of the paper whose spread its `±` does not hold: infinite if it holds it.
    their_runs: f64,
    /// Of our mean over other test tasks, of the published test tasks, and of rounding.
    rest: f64,
    /// Of the published mean over its own trainings, and the degrees of freedom of that.
    their_seeds: Option<(f64, f64)>,
}

impl Variances {
    /// Half-width of the interval if we had `n_runs` runs with the same spread.
    fn half_width(&self, n_runs: usize, error_rate: f64) -> f64 {
        let spread = self.seed * (1.0 / n_runs as f64 + 1.0 / self.their_runs);
        let (theirs, their_df) = self.their_seeds.unwrap_or((0.0, 1.0));
        let total = spread + theirs + self.rest;
        let uncertain = spread * spread / (n_runs as f64 - 1.0) + theirs * theirs / their_df;
        let quantile = if uncertain > 0.0 {
            student_quantile(1.0 - error_rate, total * total / uncertain)
        } else {
            normal_quantile(1.0 - error_rate)
        };
        quantile * total.sqrt()
    }
}

/// Judges whether our runs have the published mean.
///
/// The difference has variance `s^2 (1/R + 1/R') + v_task/T + v' + digit^2/12`: `s^2` is the variance of our run means with
/// `R - 1` degrees of freedom, and stands for the spread of the `R'` published runs too, unless their `±` is one over runs; `v_task`
/// is our variance between test tasks ([`components`]); `v'` is what the printed `±` says, or `(v_task + v_res)/T'` where none is
/// printed.
///
/// # Shapes
/// `scores`: runs by test tasks, all on the same tasks.
/// # Errors
/// [`AnalysisError::TooFew`] for a single task; [`AnalysisError::OutOfRange`] for a margin that is not positive, or an error rate
/// outside of 0 to 0.5.
pub fn reproduction(
    scores: &ScoreMatrix,
    published: &Published,
    rule: &Rule,
) -> Result<Reproduction, AnalysisError> {
    let range = |name, value, holds: bool, valid| {
        let refused = AnalysisError::out_of_range(name, value, "the rule", valid);
        if holds { Ok(()) } else { Err(refused) }
    };
    range(
        "margin",
        rule.margin,
        rule.margin > 0.0,
        "a positive number",
    )?;
    let rate_holds = 0.0 < rule.error_rate && rule.error_rate < 0.5;
    range(
        "error_rate",
        rule.error_rate,
        rate_holds,
        "between 0 and 0.5",
    )?;
    let means = scores.run_means();
    let ours = mean(&means);
    let difference = ours - published.value;
    // One run, or copies of one, tell no spread.
    if standard_deviation(&means) <= NO_SCATTER {
        return Ok(Reproduction {
            word: Word::Undecided,
            ours,
            difference,
            seed_sd: None,
            interval: None,
            runs_needed: None,
            least_half_width: None,
        });
    }
    let parts = variances(scores, &means, published)?;
    let (distance, n_runs) = (difference.abs(), means.len());
    let decides = |half_width: f64| half_width <= (rule.margin - distance).abs();
    let half_width = parts.half_width(n_runs, rule.error_rate);
    let word = match (decides(half_width), distance < rule.margin) {
        (false, _) => Word::Undecided,
        (true, true) => Word::Reproduced,
        (true, false) => Word::NotReproduced,
    };
    let would = |runs: usize| decides(parts.half_width(runs, rule.error_rate));
    let method = format!("two one-sided tests, Satterthwaite, {n_runs} runs");
    let level = 1.0 - 2.0 * rule.error_rate;
    Ok(Reproduction {
        word,
        ours,
        difference,
        seed_sd: Some(parts.seed.sqrt()),
        interval: Some(Interval::around(difference, half_width, level, method)),
        runs_needed: match word {
            Word::Undecided => least_runs(n_runs, would),
            Word::Reproduced | Word::NotReproduced => None,
        },
        least_half_width: Some(parts.half_width(MOST_RUNS, rule.error_rate)),
    })
}

/// The least number of runs beyond `n_runs` that would decide; more runs never widen an interval.
fn least_runs(n_runs: usize, would: impl Fn(usize) -> bool) -> Option<usize> {
    if MOST_RUNS <= n_runs || !would(MOST_RUNS) {
        return None;
    }
    let (mut open, mut decided) = (n_runs, MOST_RUNS);
    while decided - open > 1 {
        let middle = usize::midpoint(open, decided);
        if would(middle) {
            decided = middle;
        } else {
            open = middle;
        }
    }
    Some(decided)
}

fn variances(
    scores: &ScoreMatrix,
    means: &[f64],
    published: &Published,
) -> Result<Variances, AnalysisError> {
    let parts = components(scores, None, 0.95)?;
    let their_runs = published.runs.max(1);
    let their_df = (their_runs.max(2) - 1) as f64;
    let own_tasks = parts.task.variance / parts.n_tasks as f64;
    let rounding = published.digit * published.digit / 12.0;
    let normal = normal_quantile(0.975);
    let (their_tasks, their_seeds) = match published.plus_minus {
        None => {
            let between = parts.task.variance + parts.residual.variance;
            (between / published.tasks.max(1) as f64, None)
        }
        Some((width, PlusMinus::Tasks95 | PlusMinus::Unknown)) => ((width / normal).powi(2), None),
        Some((width, PlusMinus::SeedsSd)) => (0.0, Some(width * width / their_runs as f64)),
        Some((width, PlusMinus::SeedsSe)) => (0.0, Some(width * width)),
        Some((width, PlusMinus::Seeds95)) => {
            let quantile = student_quantile(0.975, their_df);
            (0.0, Some((width / quantile).powi(2)))
        }
    };
    Ok(Variances {
        seed: variance(means),
        their_runs: match their_seeds {
            Some(_) => f64::INFINITY,
            None => their_runs as f64,
        },
        rest: own_tasks + their_tasks + rounding,
        their_seeds: their_seeds.map(|variance| (variance, their_df)),
    })
}
