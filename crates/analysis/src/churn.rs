//! A6: how often two runs of equal standing disagree.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_len};
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::jackknife;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::record::Test;
use crate::summary::mean;

/// Disagreement between the runs of one learner on the same queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Churn {
    /// Every pair of runs, `first < second`, indices into the tested runs.
    pub pairs: Vec<PairChurn>,
    /// Mean share of queries on which two runs differ, 0 to 1.
    pub churn: f64,
    /// The same with its jackknife interval over runs; pairs share runs and are not independent.
    pub over_runs: Estimate,
    /// The same if the runs erred independently of one another and of the query, at their accuracies.
    pub expected: f64,
    /// `churn / expected`; absent if `expected` is 0. Where queries differ in difficulty it is under 1 even for runs that err
    /// independently given the query, so it shows that difficulty and nothing about the runs.
    pub excess: Option<f64>,
    /// What `churn` would be if runs erred independently *given the query*, wrong answers spread evenly over the other labels: for each pair
    /// `1 - p^2 - (1 - p)^2/(N - 1)` at each query, with `p^2` and `(1 - p)^2` from the other runs, `k(k - 1)/(m(m - 1))` and
    /// `(m - k)(m - k - 1)/(m(m - 1))` of `m` runs with `k` right answers. `churn` under it: runs that err on a query prefer one wrong answer.
    /// Absent for fewer than four runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_given_difficulty: Option<f64>,
    /// Fleiss' kappa of the predicted labels; absent if all runs give all queries one label.
    pub kappa: Option<f64>,
}

/// Fewest runs of which the difficulty of a query is told from two others.
const FEWEST_GIVEN_DIFFICULTY: usize = 4;

/// Two runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairChurn {
    /// Index of the first run.
    pub first: usize,
    /// Index of the second.
    pub second: usize,
    /// Share of queries on which they differ.
    pub churn: f64,
    /// The same under independent errors.
    pub expected: f64,
}

impl Measure for Churn {
    const ID: &'static str = "churn";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Churn::ID,
    title: "Disagreement between seeds (A6)",
    measure,
};

/// Share of queries on which two independent classifiers of accuracies `p` and `q` differ, wrong answers spread evenly
/// over the other labels: `1 - p q - (1 - p)(1 - q) / (N - 1)`.
#[must_use]
pub fn independent_churn(p: f64, q: f64, n_way: usize) -> f64 {
    1.0 - p * q - (1.0 - p) * (1.0 - q) / (n_way - 1) as f64
}

/// Fleiss' kappa from counts: `counts[subject][category]` of raters. `None` if chance agreement is complete.
///
/// `(P - P_e) / (1 - P_e)`, with `P` the mean agreement of a pair of raters and `P_e = sum_j p_j^2`.
///
/// # Errors
/// [`AnalysisError::TooFew`] without subjects or with fewer than two raters, [`AnalysisError::Shape`] naming the subject
/// whose number of raters or categories differs from the first one's.
/// # Source
/// Fleiss 1971.
pub fn fleiss_kappa<R: AsRef<[u32]>>(counts: &[R]) -> Result<Option<f64>, AnalysisError> {
    let Some(first) = counts.first().map(AsRef::as_ref) else {
        return Err(AnalysisError::too_few("subjects", 1, 0));
    };
    let n_raters: u32 = first.iter().sum();
    if n_raters < 2 {
        return Err(AnalysisError::too_few(
            "raters of each subject",
            2,
            n_raters as usize,
        ));
    }
    let raters = f64::from(n_raters);
    let mut totals = vec![0.0; first.len()];
    let mut agreement = 0.0;
    for (subject, row) in counts.iter().map(AsRef::as_ref).enumerate() {
        check_len(
            &format!("categories of subject {subject}"),
            first.len(),
            row.len(),
        )?;
        check_len(
            &format!("raters of subject {subject}"),
            n_raters as usize,
            row.iter().sum::<u32>() as usize,
        )?;
        let squares: f64 = row
            .iter()
            .map(|count| f64::from(*count) * f64::from(*count))
            .sum();
        agreement += (squares - raters) / (raters * (raters - 1.0));
        for (total, count) in totals.iter_mut().zip(row) {
            *total += f64::from(*count);
        }
    }
    let n_subjects = counts.len() as f64;
    let observed = agreement / n_subjects;
    let chance: f64 = totals
        .iter()
        .map(|total| (total / (n_subjects * raters)).powi(2))
        .sum();
    Ok((chance < 1.0 - 1e-12).then(|| (observed - chance) / (1.0 - chance)))
}

/// Churn of tests on the same episodes.
///
/// # Errors
/// [`AnalysisError::TooFew`] for fewer than two tests, [`AnalysisError::Shape`] if they differ in size.
/// # Source
/// Milani Fard et al. 2016 (churn); Fleiss 1971 (kappa).
pub fn churn(tests: &[&Test], level: f64) -> Result<Churn, AnalysisError> {
    if tests.len() < 2 {
        return Err(AnalysisError::too_few(
            "tested runs for churn",
            2,
            tests.len(),
        ));
    }
    let n_way = tests[0].n_way;
    let n_predictions = tests[0].predictions.len();
    for (run, test) in tests.iter().enumerate() {
        check_len(
            &format!("predictions of run {run}"),
            n_predictions,
            test.predictions.len(),
        )?;
        check_len(&format!("classes per task of run {run}"), n_way, test.n_way)?;
    }
    let accuracies: Vec<f64> = tests
        .iter()
        .map(|test| mean(&test.task_accuracies()))
        .collect();
    let mut pairs = Vec::new();
    for second in 1..tests.len() {
        for first in 0..second {
            let queries = tests[first]
                .predictions
                .iter()
                .zip(&tests[second].predictions);
            let differing = queries.filter(|(a, b)| a != b).count();
            pairs.push(PairChurn {
                first,
                second,
                churn: differing as f64 / n_predictions as f64,
                expected: independent_churn(accuracies[first], accuracies[second], n_way),
            });
        }
    }
    let average = |of: fn(&PairChurn) -> f64| mean(&pairs.iter().map(of).collect::<Vec<_>>());
    let observed = average(|pair| pair.churn);
    let among = |kept: &[usize]| {
        let inside = |pair: &&PairChurn| kept.contains(&pair.first) && kept.contains(&pair.second);
        let values: Vec<f64> = pairs.iter().filter(inside).map(|pair| pair.churn).collect();
        (!values.is_empty()).then(|| mean(&values))
    };
    let over_runs = jackknife::over_runs(tests.len(), level, among)
        .map_or(Estimate::bare(observed), Estimate::within_shares);
    let expected = average(|pair| pair.expected);
    let counts: Vec<Vec<u32>> = (0..n_predictions)
        .map(|query| {
            let mut row = vec![0; n_way];
            for test in tests {
                row[usize::from(test.predictions[query])] += 1;
            }
            row
        })
        .collect();
    Ok(Churn {
        pairs,
        churn: observed,
        over_runs,
        expected,
        excess: (expected > 0.0).then(|| observed / expected),
        expected_given_difficulty: given_difficulty(tests),
        kappa: fleiss_kappa(&counts)?,
    })
}

/// The churn of runs that err independently given the query, see [`Churn::expected_given_difficulty`]. Every pair is left out in turn; over all
/// pairs of `R` runs a query with `k` right answers gives each of the `m = R - 2` others `k`, `k - 1` or `k - 2` right ones, so that counting
/// pairs of either kind replaces the loop.
fn given_difficulty(tests: &[&Test]) -> Option<f64> {
    let n_runs = tests.len();
    if n_runs < FEWEST_GIVEN_DIFFICULTY {
        return None;
    }
    let others = (n_runs - 2) as f64;
    let n_wrong_labels = (tests[0].n_way - 1) as f64;
    // Expected churn of a pair where `k` of the others are right.
    let of = |k: f64| {
        let both = |n: f64| n * (n - 1.0) / (others * (others - 1.0));
        1.0 - both(k) - both(others - k) / n_wrong_labels
    };
    let pairs_of = |n: f64| n * (n - 1.0) / 2.0;
    let right: Vec<Vec<bool>> = tests.iter().map(|test| right_answers(test)).collect();
    let each = (0..right[0].len()).map(|query| {
        let k = right.iter().filter(|run| run[query]).count() as f64;
        let wrong = n_runs as f64 - k;
        let sum = pairs_of(k) * of(k - 2.0) + k * wrong * of(k - 1.0) + pairs_of(wrong) * of(k);
        sum / pairs_of(n_runs as f64)
    });
    Some(mean(&each.collect::<Vec<_>>()))
}

/// Whether each query was answered rightly; those of a task lie class by class.
fn right_answers(test: &Test) -> Vec<bool> {
    let label = |query: usize| query % (test.n_way * test.n_query) / test.n_query;
    let answers = test.predictions.iter().enumerate();
    answers
        .map(|(query, said)| usize::from(*said) == label(query))
        .collect()
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    if group.tested.len() < 2 {
        return Ok(Measured::absent());
    }
    let tests: Vec<&Test> = group.tested.iter().map(|(_, test)| *test).collect();
    let result = churn(&tests, options.level)?;
    let limits = result
        .over_runs
        .interval
        .as_ref()
        .map_or_else(String::new, |i| {
            format!(" [{}, {}]", percent(i.lower), percent(i.upper))
        });
    let text = format!(
        "Two seeds of {} give different answers on {}{limits} of the queries ({} runs).",
        group.learner,
        percent(result.churn),
        tests.len()
    );
    Measured::new(
        &result,
        vec![Finding::of_learner(
            group,
            Churn::ID,
            Certainty::of_estimate(tests.len()),
            text,
        )],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{generator, index, uniform};

    /// The worked example of the article "Fleiss' kappa" of the English Wikipedia: 14 raters, 10 subjects, 5 categories;
    /// P = 0.378, P_e = 0.213, kappa = 0.210.
    #[test]
    fn kappa_of_the_published_example() {
        let counts = [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ];
        let kappa = fleiss_kappa(&counts).unwrap().unwrap();
        assert!((kappa - 0.210).abs() < 5e-4, "{kappa}");
        assert_eq!(fleiss_kappa(&[[3, 0], [3, 0]]).unwrap(), None);
        let error = fleiss_kappa(&[[2, 1], [2, 2]]).unwrap_err().to_string();
        assert_eq!(error, "raters of subject 1: expected 3 values, got 4");
    }

    /// Runs that err independently given the query, whose difficulty goes from 0 to 1: against errors that are independent of the query they
    /// agree too often, and against errors given its difficulty they do not. Runs that share one wrong answer churn less than either.
    #[test]
    fn difficulty_of_queries_is_no_agreement_of_runs() {
        let (n_way, n_query, n_tasks) = (5, 40, 50);
        let tests = |shares_wrong_answers: bool| -> Vec<Test> {
            (0..6)
                .map(|run| {
                    let mut rng = generator(run, "churn/test", 0);
                    let predictions = (0..n_way * n_query * n_tasks).map(|at| {
                        let label = at % (n_way * n_query) / n_query;
                        let p = ((at * 37 % 101) as f64 + 0.5) / 101.0;
                        let is_right = uniform(&mut rng) < p;
                        let other = 1 + index(&mut rng, n_way - 1);
                        let off = if shares_wrong_answers { 1 } else { other };
                        ((label + if is_right { 0 } else { off }) % n_way) as u8
                    });
                    Test {
                        n_tasks,
                        n_way,
                        n_query,
                        predictions: predictions.collect(),
                        task_nll: vec![0.5; n_tasks],
                        query_log_odds: None,
                        classes: None,
                    }
                })
                .collect()
        };
        let found = |tests: &[Test]| churn(&tests.iter().collect::<Vec<_>>(), 0.95).unwrap();
        // The integrals over p in (0, 1): 1 - 1/3 - 1/12 given the query, 1 - 1/4 - 1/16 at the mean accuracy.
        let even = found(&tests(false));
        let given = even.expected_given_difficulty.unwrap();
        assert!((given - 7.0 / 12.0).abs() < 0.01, "{given}");
        assert!((even.churn / given - 1.0).abs() < 0.02, "{}", even.churn);
        assert!((even.excess.unwrap() - 28.0 / 33.0).abs() < 0.02);
        let shared = found(&tests(true));
        let given = shared.expected_given_difficulty.unwrap();
        assert!(shared.churn / given < 0.6, "{} {given}", shared.churn);
        assert!(
            found(&tests(false)[..3])
                .expected_given_difficulty
                .is_none()
        );
    }

    #[test]
    fn churn_by_hand() {
        let test = |predictions: Vec<u8>| Test {
            n_tasks: 2,
            n_way: 2,
            n_query: 1,
            predictions,
            task_nll: vec![0.5; 2],
            query_log_odds: None,
            classes: None,
        };
        // Labels are 0 1 0 1: the first run is right on all, the second on 3 of 4.
        let (a, b) = (test(vec![0, 1, 0, 1]), test(vec![0, 1, 0, 0]));
        let result = churn(&[&a, &b], 0.95).unwrap();
        assert!(result.over_runs.interval.is_none());
        assert!((result.churn - 0.25).abs() < 1e-15);
        assert!((result.expected - (1.0 - 0.75)).abs() < 1e-15);
        assert!((result.excess.unwrap() - 1.0).abs() < 1e-15);
    }
}
