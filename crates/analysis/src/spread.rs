//! A1: the mean, and how far runs and tasks scatter about it.

use serde::{Deserialize, Serialize};

use crate::components::{noise_of_test, test_noise};
use crate::distribution::{
    chi_square_quantile, deviation_factors, normal_quantile, student_quantile,
};
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::kurtosis::{FEWEST_RUNS, pooled_kurtosis, variance_of_log};
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::scores::ScoreMatrix;
use crate::summary::{NO_SCATTER, standard_deviation};
use crate::words::Words;

/// Share of trainings that a tolerance interval holds.
const TOLERATED: f64 = 0.95;

/// Mean and spread over runs and tasks. All in the units of the scores (accuracies: fractions, 0 to 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Runs, R.
    pub n_runs: usize,
    /// Tasks, T; of a table with holes those that any run has, while all that follows is of one adjusted mean for each run.
    pub n_tasks: usize,
    /// Mean over runs and tasks, with Student's interval over seeds (absent for one run):
    /// `mean +- t(R - 1) s_run / sqrt(R)`.
    pub mean: Estimate,
    /// Each run by itself, in the order of runs.
    pub runs: Vec<RunSpread>,
    /// `b_t`, mean of each task over runs, in the order of tasks.
    pub task_means: Vec<f64>,
    /// Where one more training of the same kind is expected on these tasks: `mean +- t(R - 1) s_run sqrt(1 + 1/R)`; absent for one
    /// run.
    #[serde(default)]
    pub prediction: Option<Interval>,
    /// Where all but 5 % of trainings of the same kind lie on these tasks, with the confidence of the level: `mean +- k s_run`,
    /// `k = z(0.975) sqrt((R - 1)(1 + 1/R) / chi2(1 - level, R - 1))`; absent for fewer than three runs.
    #[serde(default)]
    pub tolerance: Option<Interval>,
    /// `s_run`, standard deviation of the run means, with its interval: the wider of chi-square and, from five runs on, Bonett's, which
    /// admits heavy tails; absent for one run.
    pub seed_sd: Option<Estimate>,
    /// `sqrt(max(0, s_run^2 - v))`, `v = MS_res/T`: what is left of it beyond the noise of the test, with the limits of `s_run` treated alike (`v`
    /// has `(R - 1)(T - 1)` degrees of freedom and counts as known); absent for one run or one task.
    #[serde(default)]
    pub seed_sd_beyond_test: Option<Estimate>,
    /// `v = MS_res/T`, the variance that the test gives the mean of a run; absent where it is not known.
    #[serde(default)]
    pub test_noise: Option<f64>,
    /// The factors of that interval, e.g. 0.52 and 6.28 at three runs.
    pub seed_sd_factors: Option<(f64, f64)>,
    /// `s_task`, standard deviation of the task means.
    pub task_sd: f64,
}

/// One run over its tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpread {
    /// Mean over tasks.
    pub mean: f64,
    /// Standard deviation over tasks.
    pub task_sd: f64,
    /// `mean +- 1.96 sd / sqrt(T)`, as few-shot papers print it. It says nothing about another training.
    pub printed: Interval,
    /// The same with Student's t.
    pub student: Interval,
}

impl Spread {
    /// What stability is judged by: the standard deviation over seeds, beyond the noise of the test where that is known.
    #[must_use]
    pub fn between_seeds(&self) -> Option<&Estimate> {
        self.seed_sd_beyond_test.as_ref().or(self.seed_sd.as_ref())
    }
}

impl Measure for Spread {
    const ID: &'static str = "spread";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Spread::ID,
    title: "Mean accuracy and its spread over seeds and tasks (A1)",
    measure,
};

/// Mean and spread of a table of scores at the coverage `level`.
///
/// # Errors
/// None for a [`ScoreMatrix`]; the signature leaves room for `level` outside (0, 1):
/// [`AnalysisError::OutOfRange`].
/// # Source
/// The printed interval: the public code of Finn et al. 2017. The interval of a standard deviation: any textbook
/// (normal runs, `(R - 1) s^2 / sigma^2 ~ chi-square`). The tolerance interval: Howe 1969, JASA 64, 610-620.
pub fn spread(scores: &ScoreMatrix, level: f64) -> Result<Spread, AnalysisError> {
    let are_shares = scores
        .values()
        .iter()
        .all(|score| (0.0..=1.0).contains(score));
    spread_on(scores, level, are_shares)
}

/// The same; intervals of shares are kept within 0 and 1.
fn spread_on(scores: &ScoreMatrix, level: f64, are_shares: bool) -> Result<Spread, AnalysisError> {
    if !(0.0 < level && level < 1.0) {
        return Err(AnalysisError::out_of_range(
            "level",
            level,
            "the argument",
            "a share between 0 and 1",
        ));
    }
    let upper = (1.0 + level) / 2.0;
    let n_tasks = scores.n_tasks();
    let n_runs = scores.n_runs();
    let run_means = scores.run_means();
    let runs = scores.runs().zip(&run_means).map(|(run, &mean)| {
        let task_sd = standard_deviation(run);
        let error = task_sd / (n_tasks as f64).sqrt();
        let t = if n_tasks > 1 {
            student_quantile(upper, (n_tasks - 1) as f64)
        } else {
            0.0
        };
        RunSpread {
            mean,
            task_sd,
            printed: Interval::around(
                mean,
                normal_quantile(upper) * error,
                level,
                "normal over tasks, one run",
            ),
            student: Interval::around(mean, t * error, level, "Student t over tasks, one run"),
        }
    });
    let runs = runs.collect();
    let seed_sd = standard_deviation(&run_means);
    let seed_sd_factors = deviation_factors(n_runs, level);
    let mean = scores.mean();
    let task_means = scores.task_means();
    let over_seeds = |factor: f64, what: &str| {
        // Runs that are equal to the last bit have no scatter to measure by: they are copies, or the score is at its limit.
        (n_runs > 1 && seed_sd > NO_SCATTER).then(|| {
            let method = format!("Student t over {n_runs} seeds, {what}");
            let variance = seed_sd * seed_sd * factor;
            let mut interval =
                Interval::student(mean, variance, (n_runs - 1) as f64, level, method);
            if are_shares {
                interval.keep_within_shares(mean);
            }
            interval
        })
    };
    let noise = test_noise(scores);
    let between_runs = deviation(&run_means, level);
    let count = n_runs as f64;
    let tolerance = (n_runs > 2 && seed_sd > NO_SCATTER).then(|| {
        let df = count - 1.0;
        let factor = normal_quantile((1.0 + TOLERATED) / 2.0)
            * (df * (1.0 + 1.0 / count) / chi_square_quantile(1.0 - level, df)).sqrt();
        let method = format!(
            "Howe, {n_runs} normal runs: {:.0} % of trainings",
            100.0 * TOLERATED
        );
        let mut interval = Interval::around(mean, factor * seed_sd, level, method);
        if are_shares {
            interval.keep_within_shares(mean);
        }
        interval
    });
    Ok(Spread {
        n_runs,
        n_tasks,
        mean: Estimate {
            value: mean,
            interval: over_seeds(1.0 / count, "the mean of trainings"),
        },
        prediction: over_seeds(1.0 + 1.0 / count, "one more training"),
        tolerance,
        runs,
        seed_sd_beyond_test: between_runs
            .clone()
            .zip(noise)
            .map(|(sd, noise)| beyond(sd, noise)),
        test_noise: noise,
        seed_sd: between_runs,
        seed_sd_factors,
        task_sd: standard_deviation(&task_means),
        task_means,
    })
}

/// The standard deviation of runs with its interval.
///
/// # Source
/// Bonett 2006, Computational Statistics and Data Analysis 50, 775-782, with Student's t in place of the normal law.
fn deviation(runs: &[f64], level: f64) -> Option<Estimate> {
    let (low, high) = deviation_factors(runs.len(), level)?;
    let sd = standard_deviation(runs);
    if sd <= NO_SCATTER {
        return Some(Estimate::bare(sd));
    }
    let mut interval = Interval {
        lower: low * sd,
        upper: high * sd,
        level,
        method: format!("chi-square, {} normal runs", runs.len()),
    };
    if runs.len() >= FEWEST_RUNS && sd > 0.0 {
        let error = variance_of_log(pooled_kurtosis(&[runs]), runs.len()).sqrt() / 2.0;
        let half = student_quantile((1.0 + level) / 2.0, (runs.len() - 1) as f64) * error;
        interval.lower = interval.lower.min(sd * (-half).exp());
        interval.upper = interval.upper.max(sd * half.exp());
        interval.method = format!("the wider of chi-square and Bonett's, {} runs", runs.len());
    }
    Some(Estimate::new(sd, interval))
}

/// The standard deviation over seeds beyond the variance that the test gives.
fn beyond(sd: Estimate, noise: f64) -> Estimate {
    let left = |value: f64| (value * value - noise).max(0.0).sqrt();
    Estimate {
        value: left(sd.value),
        interval: sd.interval.map(|interval| Interval {
            lower: left(interval.lower),
            upper: left(interval.upper),
            level: interval.level,
            method: format!("{}, less the noise of the test", interval.method),
        }),
    }
}

/// What so many runs are of. A score alone may be the mean of tasks that nobody named here.
fn of_tasks(n_runs: usize, n_tasks: usize) -> String {
    match (n_runs, n_tasks) {
        (1, 1) => String::new(),
        (_, 1) => " with one score each".to_owned(),
        (_, n) => format!(" of {n} tasks"),
    }
}

fn measure(runs: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let Some(scores) = &runs.scores else {
        return Ok(Measured::absent());
    };
    let words = Words::of(options);
    let mut result = spread_on(scores, options.level, words.are_shares())?;
    if noise_of_test(runs).is_none() {
        (result.seed_sd_beyond_test, result.test_noise) = (None, None);
    }
    if let Some(cells) = &runs.cells {
        // The one column of scores is the adjusted mean of each run; the tasks are those that any of them has.
        let longest = cells.iter().map(Vec::len).max().unwrap_or(0);
        let is_there = |task: &usize| {
            let mut of_runs = cells.iter().filter_map(|run| run.get(*task));
            of_runs.any(Option::is_some)
        };
        result.n_tasks = (0..longest).filter(is_there).count();
    }
    let text = match (&result.seed_sd, &result.mean.interval, &result.prediction) {
        (Some(sd), Some(interval), Some(next)) => {
            let sd_interval = sd.interval.as_ref().map_or_else(String::new, |limits| {
                format!(
                    " (known only to lie between {} and {})",
                    words.points(limits.lower),
                    words.points(limits.upper)
                )
            });
            let [low, high] = words.ends(interval);
            let [next_low, next_high] = words.ends(next);
            format!(
                "{} reaches {} on average over trainings (confidence interval {} to {}); one more training is expected between {} and {}{}. \
                 Its seed standard deviation is {}{}, {} beyond the noise of the test, from {} runs{}.",
                runs.learner,
                words.value(result.mean.value),
                low,
                high,
                next_low,
                next_high,
                result.tolerance.as_ref().map_or_else(String::new, |most| {
                    let [low, high] = words.ends(most);
                    format!(
                        ", and, if runs are normal, {:.0} % of all trainings between {low} and {high}",
                        100.0 * TOLERATED
                    )
                }),
                words.points(sd.value),
                sd_interval,
                result
                    .seed_sd_beyond_test
                    .as_ref()
                    .map_or_else(|| "unknown".to_owned(), |sd| words.points(sd.value)),
                result.n_runs,
                of_tasks(result.n_runs, result.n_tasks)
            )
        }
        _ if result.n_runs > 1 => format!(
            "All {} runs of {} have the same mean, {}. They are copies of one run, or the seed changes nothing, or the score is at its \
             limit; they say nothing about another training.",
            result.n_runs,
            runs.learner,
            words.value(result.mean.value)
        ),
        _ => format!(
            "{} reaches {} in its one tested run{}; one run says nothing about another training.",
            runs.learner,
            words.value(result.mean.value),
            of_tasks(result.n_runs, result.n_tasks)
        ),
    };
    let certainty = if result.n_runs < 3 || result.mean.interval.is_none() {
        Certainty::TooFewRuns
    } else {
        Certainty::Estimated
    };
    Measured::new(
        &result,
        vec![Finding::of_learner(runs, Spread::ID, certainty, text)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(means: &[f64]) -> Spread {
        let rows: Vec<Vec<f64>> = means
            .iter()
            .map(|mean| vec![mean - 0.05, mean + 0.05])
            .collect();
        spread(&ScoreMatrix::from_rows(&rows).unwrap(), 0.95).unwrap()
    }

    /// Two-sided factors for 95 % of a normal population with 95 % confidence: NIST/SEMATECH handbook 7.2.6.3 and ISO 16269-6 give 5.079, 3.379
    /// and 2.752 for 5, 10 and 20 values; Howe's approximation is within half a percent of them.
    #[test]
    fn tolerance_factors_are_those_of_tables() {
        for (n, factor) in [(5, 5.079), (10, 3.379), (20, 2.752)] {
            let means: Vec<f64> = (0..n).map(|at| 0.5 + 0.001 * f64::from(at)).collect();
            let found = runs(&means);
            let half = found.tolerance.unwrap().half_width();
            let ratio = half / found.seed_sd.unwrap().value;
            assert!((ratio / factor - 1.0).abs() < 0.005, "{n}: {ratio}");
        }
        assert!(runs(&[0.5, 0.6]).tolerance.is_none());
    }

    /// Runs whose tables differ by noise alone have nothing left; where each task moves alike, all is left.
    #[test]
    fn the_noise_of_the_test_is_taken_out() {
        let alike = runs(&[0.5, 0.6, 0.75]);
        let (all, left) = (alike.seed_sd.unwrap(), alike.seed_sd_beyond_test.unwrap());
        assert!((all.value - left.value).abs() < 1e-12);
        let of = |rows: [[f64; 2]; 2]| {
            let table = ScoreMatrix::from_rows(&rows.map(Vec::from)).unwrap();
            spread(&table, 0.95).unwrap()
        };
        // Means 0.51 and 0.70: s^2 = 0.01805; residuals +-0.01: MS_res = 4e-4, over two tasks 2e-4.
        let some = of([[0.50, 0.52], [0.71, 0.69]]);
        let left = some.between_seeds().unwrap();
        assert!((left.value - 0.01785_f64.sqrt()).abs() < 1e-12);
        let limits = left.interval.as_ref().unwrap();
        let all = some.seed_sd.as_ref().unwrap().interval.as_ref().unwrap();
        assert!((limits.lower - (all.lower.powi(2) - 2e-4).sqrt()).abs() < 1e-12);
        // Means 0.5 and 0.6, s = 0.0707; residuals +-0.1: MS_res / T = 0.02, over s^2 = 0.005.
        let none = of([[0.4, 0.6], [0.7, 0.5]]);
        assert!(none.seed_sd.as_ref().unwrap().value > 0.07);
        assert!(none.between_seeds().unwrap().value.abs() < 1e-12);
    }
}
