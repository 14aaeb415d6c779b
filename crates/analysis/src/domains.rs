//! A9: accuracy by domain, where the test tasks come from several: where a learner is good, and which domain is its worst.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_len};
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::scores::ScoreMatrix;
use crate::spread::spread;
use crate::summary::{NO_SCATTER, mean, standard_deviation};

/// Accuracy by domain of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Domains {
    /// Runs.
    pub n_runs: usize,
    /// Each domain that has a task, in the order of the study.
    pub domains: Vec<DomainScore>,
    /// The worst of them.
    pub worst: Worst,
}

/// One domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainScore {
    /// Its name.
    pub name: String,
    /// Its test tasks.
    pub n_tasks: usize,
    /// Mean accuracy over runs and its tasks, with Student's interval over seeds.
    pub mean: Estimate,
    /// Standard deviation over seeds of the mean over its tasks; absent for one run.
    pub seed_sd: Option<Estimate>,
}

/// The domain with the lowest mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Its name.
    pub name: String,
    /// The lowest domain of each run by itself, mean over runs, with Student's interval over seeds.
    pub of_each_run: Estimate,
    /// How far the next domain is above, paired over seeds, at the level `1 - (1 - level) / (D (D - 1) / 2)` for all pairs of `D` domains together.
    pub below_next: Estimate,
    /// Whether every other domain is above it at that level.
    pub is_settled: bool,
}

impl Measure for Domains {
    const ID: &'static str = "domains";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Domains::ID,
    title: "Accuracy by domain, and the worst (A9)",
    measure,
};

/// Accuracies by domain; none where the tasks are of fewer than two.
///
/// # Shapes
/// `of_task`: `(n_tasks)`, indices into `names`.
/// # Errors
/// [`AnalysisError::Shape`] or [`AnalysisError::OutOfRange`] for numbers of domains that do not fit.
/// # Source
/// All pairs are held at one level together by Bonferroni's inequality: the chance that a domain is called the worst which is not, on
/// these tasks, is at most `1 - level` for normal differences of runs.
pub fn domains(
    scores: &ScoreMatrix,
    names: &[String],
    of_task: &[u32],
    level: f64,
) -> Result<Option<Domains>, AnalysisError> {
    check_len("domains of tasks", scores.n_tasks(), of_task.len())?;
    if let Some(task) = of_task.iter().position(|at| *at as usize >= names.len()) {
        return Err(AnalysisError::out_of_range(
            "domain",
            f64::from(of_task[task]),
            &format!("task {task}"),
            &format!("a number under {}", names.len()),
        ));
    }
    let mut found = Vec::new();
    let mut means: Vec<Vec<f64>> = Vec::new();
    for (number, name) in (0..).zip(names) {
        let own: Vec<Vec<f64>> = scores
            .runs()
            .map(|run| {
                let tasks = run.iter().zip(of_task);
                let own = tasks.filter(|(_, of)| **of == number);
                own.map(|(score, _)| *score).collect()
            })
            .collect();
        if own[0].is_empty() {
            continue;
        }
        let matrix = ScoreMatrix::from_rows(&own)?;
        let of_domain = spread(&matrix, level)?;
        means.push(matrix.run_means());
        found.push(DomainScore {
            name: name.clone(),
            n_tasks: matrix.n_tasks(),
            mean: of_domain.mean,
            seed_sd: of_domain.seed_sd,
        });
    }
    if found.len() < 2 {
        return Ok(None);
    }
    let worst = worst(&found, &means, level);
    Ok(Some(Domains {
        n_runs: scores.n_runs(),
        domains: found,
        worst,
    }))
}

/// `means`: of each domain, over the runs.
fn worst(domains: &[DomainScore], means: &[Vec<f64>], level: f64) -> Worst {
    let mut order: Vec<usize> = (0..domains.len()).collect();
    order.sort_by(|a, b| domains[*a].mean.value.total_cmp(&domains[*b].mean.value));
    let lowest = order[0];
    let n_runs = means[lowest].len();
    let of_each: Vec<f64> = (0..n_runs)
        .map(|run| means.iter().map(|of| of[run]).fold(f64::INFINITY, f64::min))
        .collect();
    let n_pairs = domains.len() * (domains.len() - 1) / 2;
    let together = 1.0 - (1.0 - level) / n_pairs as f64;
    let above = |other: usize| {
        let pairs = means[other].iter().zip(&means[lowest]);
        let gaps: Vec<f64> = pairs.map(|(other, own)| other - own).collect();
        over_seeds(&gaps, together)
    };
    let is_above = |gap: &Estimate| gap.interval.as_ref().is_some_and(|it| it.lower > 0.0);
    Worst {
        name: domains[lowest].name.clone(),
        of_each_run: over_seeds(&of_each, level).within_shares(),
        below_next: above(order[1]),
        is_settled: order[1..].iter().all(|other| is_above(&above(*other))),
    }
}

/// Mean over runs with Student's interval; none for one run, or runs that do not differ.
fn over_seeds(values: &[f64], level: f64) -> Estimate {
    let (n, value, sd) = (values.len(), mean(values), standard_deviation(values));
    // One run, or runs that do not differ, have no scale to measure by.
    if sd <= NO_SCATTER {
        return Estimate::bare(value);
    }
    let variance = sd * sd / n as f64;
    let method = format!("Student t over {n} seeds");
    Estimate::new(
        value,
        Interval::student(value, variance, (n - 1) as f64, level, method),
    )
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let (Some(scores), Some(tasks)) = (&group.scores, group.domains) else {
        return Ok(Measured::absent());
    };
    let found = domains(scores, &tasks.names, &tasks.of_task, options.level)?;
    let Some(result) = found else {
        return Ok(Measured::absent());
    };
    let each: Vec<String> = result
        .domains
        .iter()
        .map(|it| format!("{} on {}", percent(it.mean.value), it.name))
        .collect();
    let worst = &result.worst;
    let verdict = match (worst.is_settled, result.n_runs) {
        (true, _) => format!("{} is its worst domain on these tasks", worst.name),
        (false, 1) => format!(
            "{} has the lowest mean in its one run, which says nothing about another training",
            worst.name
        ),
        (false, _) => format!(
            "{} has the lowest mean, which is not distinguishable from that of another domain",
            worst.name
        ),
    };
    let text = format!(
        "{} reaches {}; {verdict}. The lowest domain of a run averages {}.",
        group.learner,
        each.join(", "),
        percent(worst.of_each_run.value)
    );
    let certainty = match (worst.is_settled, result.n_runs) {
        (_, 0..3) => Certainty::TooFewRuns,
        (true, _) => Certainty::Distinguishable,
        (false, _) => Certainty::NotDistinguishable,
    };
    let finding = Finding::of_learner(group, Domains::ID, certainty, text);
    Measured::new(&result, vec![finding])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand. Runs (0.5, 0.7 | 0.9, 0.9), (0.6, 0.6 | 0.8, 1.0), (0.4, 0.8 | 0.9, 0.7): means of the first domain 0.6 each, of the
    /// second 0.9, 0.9, 0.8.
    #[test]
    fn means_and_the_worst_by_hand() {
        let rows = [
            [0.5, 0.9, 0.7, 0.9],
            [0.6, 0.8, 0.6, 1.0],
            [0.4, 0.9, 0.8, 0.7],
        ];
        let scores = ScoreMatrix::from_rows(&rows).unwrap();
        let names = ["a", "b", "c"].map(str::to_owned);
        let found = domains(&scores, &names, &[0, 1, 0, 1], 0.95)
            .unwrap()
            .unwrap();
        assert_eq!(found.domains.len(), 2, "no task is of c");
        let means: Vec<f64> = found.domains.iter().map(|it| it.mean.value).collect();
        assert!((means[0] - 0.6).abs() < 1e-12 && (means[1] - 2.6 / 3.0).abs() < 1e-12);
        let worst = &found.worst;
        assert_eq!(worst.name, "a");
        assert!((worst.of_each_run.value - 0.6).abs() < 1e-12);
        // Gaps 0.3, 0.3, 0.2: mean 0.8/3, SD 0.057735, error 0.033333, t(0.975; 2) = 4.302653.
        let interval = worst.below_next.interval.as_ref().unwrap();
        assert!((worst.below_next.value - 0.8 / 3.0).abs() < 1e-12);
        assert!((interval.half_width() - 4.302_653 * 0.033_333_3).abs() < 1e-5);
        assert!(worst.is_settled);
        // One domain is no comparison, and numbers have to fit.
        assert!(domains(&scores, &names, &[0; 4], 0.95).unwrap().is_none());
        assert!(domains(&scores, &names, &[0, 1, 3, 1], 0.95).is_err());
        assert!(domains(&scores, &names, &[0, 1], 0.95).is_err());
    }

    /// The lowest of each run is not the lowest of the means: runs that fail on different domains are bad on some domain each.
    #[test]
    fn the_worst_of_each_run_is_below_the_worst_mean() {
        let rows = [[0.2, 0.8, 0.8], [0.8, 0.2, 0.8], [0.8, 0.8, 0.2]];
        let scores = ScoreMatrix::from_rows(&rows).unwrap();
        let names = ["a", "b", "c"].map(str::to_owned);
        let found = domains(&scores, &names, &[0, 1, 2], 0.95).unwrap().unwrap();
        assert!((found.worst.of_each_run.value - 0.2).abs() < 1e-12);
        assert!((found.domains[0].mean.value - 0.6).abs() < 1e-12);
        assert!(!found.worst.is_settled);
    }

    /// A claim at 95 % for all pairs together: three domains of one true mean, 2,000 tables of 4 normal runs; a domain is called the worst
    /// in at most 5 % (SD 0.5 %).
    #[test]
    fn equal_domains_are_seldom_ranked() {
        let mut rng = crate::random::generator(3, "domains/test", 0);
        let mut draw = || {
            let [u, v] = [0, 1].map(|_| crate::random::uniform(&mut rng).max(1e-12));
            0.5 + 0.02 * (-2.0 * f64::ln(u)).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        let names = ["a", "b", "c"].map(str::to_owned);
        let mut n_settled = 0;
        for _ in 0..2000 {
            let rows: Vec<Vec<f64>> = (0..4).map(|_| (0..3).map(|_| draw()).collect()).collect();
            let scores = ScoreMatrix::from_rows(&rows).unwrap();
            let found = domains(&scores, &names, &[0, 1, 2], 0.95).unwrap().unwrap();
            n_settled += usize::from(found.worst.is_settled);
        }
        assert!(n_settled < 130, "{n_settled}");
    }
}
