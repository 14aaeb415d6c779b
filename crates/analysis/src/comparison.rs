//! A8: is one learner better than another, on the same seeds and tasks?

use serde::{Deserialize, Serialize};

use crate::components::components;
use crate::distribution::{clopper_pearson, normal_quantile, student_two_sided};
use crate::error::{AnalysisError, check_len};
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, Finding, p_value};
use crate::fingerprint::{Difference, FIELD_EPISODES, difference};
use crate::group::{LearnerRuns, SettingRuns};
use crate::metric::{Measure, Measured, SettingMetric};
use crate::multiplicity::holm;
use crate::options::Options;
use crate::scores::ScoreMatrix;
use crate::summary::{mean, variance};
use crate::welch::{UnpairedComparison, compare_unpaired};
use crate::words::Words;

/// `P(A > B)` above which a difference is worth acting on (Bouthillier et al. 2021, section 5).
pub const MEANINGFUL: f64 = 0.75;

/// Every pair of learners of one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparisons {
    /// The learner listed first comes first in each pair.
    pub pairs: Vec<Comparison>,
}

/// Learner `a` against learner `b`, paired by seed bundle and by task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Learner A.
    pub a: String,
    /// Learner B.
    pub b: String,
    /// Seeds that both have tested, ascending.
    pub seeds: Vec<u64>,
    /// Figures; absent if they share no seed, or are not comparable.
    pub paired: Option<PairedComparison>,
    /// Run means against run means, where a seed was tested by one learner alone and both have two tested runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpaired: Option<UnpairedComparison>,
    /// Two-sided p-value of "no difference", paired where they share a seed and else of the run means, after Holm over the pairs of the
    /// setting; absent where nothing can be said about another training.
    #[serde(default)]
    pub p_value: Option<f64>,
    /// Why they are not comparable: the field in which two paired runs differ, outside of [`Options::studied`].
    #[serde(default)]
    pub refused: Option<Difference>,
}

/// The figures of a paired comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// Mean of `A_a[r, t] - A_b[r, t]`, with the random-effects interval (absent for one seed).
    pub difference: Estimate,
    /// Two-sided p-value of "no difference" that goes with its interval, for this pair alone; absent for one seed, and for one
    /// difference on every seed.
    #[serde(default)]
    pub p: Option<f64>,
    /// Difference of the means of each seed bundle.
    pub by_seed: Vec<f64>,
    /// `P(A > B)` over seed bundles, ties half, with its exact interval.
    pub probability: Estimate,
    /// The decision.
    pub decision: Decision,
    /// Bundles needed to decide with power 0.95 at the two-sided level of the decision if `P(A > B)` is 0.75: 35 at 5 %.
    pub n_needed: usize,
}

/// The decision rule of Bouthillier et al. 2021 on `P(A > B)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The interval includes 1/2: not distinguishable.
    NotSignificant,
    /// A is better, but `P(A > B)` is below 0.75 throughout the interval.
    ASignificantNotMeaningful,
    /// A is better, and the interval reaches over 0.75.
    ASignificantAndMeaningful,
    /// B is better, but barely.
    BSignificantNotMeaningful,
    /// B is better.
    BSignificantAndMeaningful,
}

impl Comparison {
    /// Why nothing is decided, where there is no p-value.
    #[must_use]
    pub(crate) fn why_undecided(&self) -> &'static str {
        match (self.refused.is_some(), self.seeds.len()) {
            (true, _) => "runs of another kind",
            (false, 0) => "too few runs, or runs that do not differ",
            (false, 1) => "a single shared seed",
            (false, _) => "the same difference on every seed",
        }
    }

    /// Mean of A less mean of B: paired where they share a seed, else of all their runs.
    #[must_use]
    pub fn difference(&self) -> Option<&Estimate> {
        match (&self.paired, &self.unpaired) {
            (Some(paired), _) => Some(&paired.difference),
            (None, unpaired) => unpaired.as_ref().map(|it| &it.difference),
        }
    }

    /// The better one and the other, if they are told apart among all pairs of their setting.
    #[must_use]
    pub fn better(&self, level: f64) -> Option<(&str, &str)> {
        let difference = self.difference()?.value;
        if self.p_value? > 1.0 - level {
            return None;
        }
        Some(if difference > 0.0 {
            (&self.a, &self.b)
        } else {
            (&self.b, &self.a)
        })
    }
}

impl Measure for Comparisons {
    const ID: &'static str = "comparisons";
}

pub(crate) const METRIC: SettingMetric = SettingMetric {
    id: Comparisons::ID,
    title: "Is one learner better than another? (A8)",
    measure,
};

/// Bundles needed to tell `P(A > B) = probability` from 1/2 at one-sided level `alpha` with the given power:
/// `ceil(((z_(1-alpha) + z_power) / (sqrt(6) (1/2 - probability)))^2)`.
///
/// # Source
/// Noether 1987, as used by Bouthillier et al. 2021, appendix C.3.
/// # Example
/// 29 for 0.75, alpha 0.05, power 0.95.
#[must_use]
pub fn needed_bundles(probability: f64, alpha: f64, power: f64) -> usize {
    let root = (normal_quantile(1.0 - alpha) + normal_quantile(power))
        / (6.0_f64.sqrt() * (0.5 - probability));
    (root * root).ceil() as usize
}

/// The decision from the interval of `P(A > B)`, `lower` to `upper`.
///
/// A is better if `lower > 1/2`, and meaningfully so if also `upper > 0.75`; mirrored for B.
#[must_use]
pub fn decide(lower: f64, upper: f64) -> Decision {
    if lower > 0.5 {
        if upper > MEANINGFUL {
            Decision::ASignificantAndMeaningful
        } else {
            Decision::ASignificantNotMeaningful
        }
    } else if upper < 0.5 {
        if lower < 1.0 - MEANINGFUL {
            Decision::BSignificantAndMeaningful
        } else {
            Decision::BSignificantNotMeaningful
        }
    } else {
        Decision::NotSignificant
    }
}

/// Student's interval over seeds, for runs that have one score each; none if all differences are equal.
fn student_interval(differences: &[f64], level: f64) -> Option<Interval> {
    let n = differences.len() as f64;
    let variance_of_mean = variance(differences) / n;
    (variance_of_mean > 0.0).then(|| {
        let method = "Student over seeds";
        Interval::student(mean(differences), variance_of_mean, n - 1.0, level, method)
    })
}

/// Paired comparison of two tables: row `r` of both comes from one seed bundle, column `t` from one task.
///
/// Differs from the paper: the interval of `P(A > B)` is Clopper and Pearson's over bundles in place of a percentile bootstrap, which
/// covers 59 % at three bundles and has no width when all agree; and the bundles needed are those of the same two-sided level.
///
/// # Errors
/// [`AnalysisError::Shape`] if the tables differ in size; those of [`Options::validate`].
/// # Source
/// Bouthillier et al. 2021, section 5.
pub fn compare(
    a: &ScoreMatrix,
    b: &ScoreMatrix,
    options: &Options,
) -> Result<PairedComparison, AnalysisError> {
    options.validate()?;
    check_len("runs of the second learner", a.n_runs(), b.n_runs())?;
    check_len("tasks of the second learner", a.n_tasks(), b.n_tasks())?;
    let differences = a.minus(b)?;
    let by_seed = differences.run_means();
    let center = differences.mean();
    let rounding = a.rounding().max(b.rounding());
    let (interval, p) = if differences.n_runs() < 2 {
        (None, None)
    } else if differences.are_copies(rounding) {
        // One difference on every seed has no scale to measure by; no difference needs none.
        let is_none = by_seed.iter().all(|it| it.abs() <= rounding);
        (None, is_none.then_some(1.0))
    } else if differences.n_tasks() > 1 {
        let found = components(&differences, None, options.level)?;
        let p = p_of(center, found.variance_of_mean, found.df);
        (p.map(|_| found.interval), p)
    } else {
        let n = by_seed.len() as f64;
        let interval = student_interval(&by_seed, options.level);
        (interval, p_of(center, variance(&by_seed) / n, n - 1.0))
    };
    // Equal totals summed in another order may differ in the last bits; accuracies are far coarser.
    let wins: Vec<f64> = by_seed
        .iter()
        .map(|d| match d {
            d if *d > rounding => 1.0,
            d if *d < -rounding => 0.0,
            _ => 0.5,
        })
        .collect();
    let n = wins.len();
    let total: f64 = wins.iter().sum();
    let Some(exact) = clopper_pearson(total, n, options.level) else {
        return Err(AnalysisError::too_few("paired runs", 1, 0));
    };
    Ok(PairedComparison {
        difference: Estimate {
            value: center,
            interval,
        },
        p,
        by_seed,
        decision: decide(exact.lower, exact.upper),
        probability: Estimate::new(total / n as f64, exact),
        n_needed: needed_bundles(MEANINGFUL, (1.0 - options.level) / 2.0, 0.95),
    })
}

/// Two-sided p-value of a mean of 0; none where nothing scatters: copies of one run have no scale to measure by.
fn p_of(value: f64, variance_of_mean: f64, df: f64) -> Option<f64> {
    (variance_of_mean > 0.0).then(|| student_two_sided(value / variance_of_mean.sqrt(), df))
}

/// Rows of the runs of `group` with these seeds, in their order.
fn rows_of(group: &LearnerRuns<'_>, seeds: &[u64]) -> Vec<Vec<f64>> {
    let scored = group.scored.iter().filter(|run| seeds.contains(&run.seed));
    scored.filter_map(|run| run.task_accuracies()).collect()
}

/// Mean of each run over its tasks.
fn run_means(group: &LearnerRuns<'_>) -> Vec<f64> {
    let scores = group.scored.iter().filter_map(|run| run.task_accuracies());
    scores.map(|scores| mean(&scores)).collect()
}

/// The field in which the runs of two learners with one seed differ, outside of `studied`.
fn differing(
    a: &LearnerRuns<'_>,
    b: &LearnerRuns<'_>,
    seed: u64,
    studied: &[String],
) -> Option<Difference> {
    let of = |group: &LearnerRuns<'_>| {
        let mut runs = group.scored.iter();
        runs.find(|run| run.seed == seed)
            .map(|run| run.fingerprint.clone())
    };
    difference(&of(a)?, &of(b)?, studied)
}

/// Whether two learners were tested on the same episodes, as far as their fingerprints tell.
pub(crate) fn same_episodes(a: &LearnerRuns<'_>, b: &LearnerRuns<'_>) -> bool {
    let list = |group: &LearnerRuns<'_>| {
        group
            .scored
            .first()
            .map(|run| run.fingerprint.get(FIELD_EPISODES).cloned())
    };
    list(a) == list(b)
}

fn measure(group: &SettingRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let tested: Vec<&LearnerRuns<'_>> = group
        .learners
        .iter()
        .filter(|learner| !learner.scored.is_empty())
        .collect();
    let mut result = Comparisons::default();
    let mut findings = Vec::new();
    for (at, a) in tested.iter().enumerate() {
        for b in &tested[at + 1..] {
            let has = |learner: &LearnerRuns<'_>, seed: u64| {
                learner.scored.iter().any(|run| run.seed == seed)
            };
            let seeds: Vec<u64> = a
                .scored
                .iter()
                .map(|run| run.seed)
                .filter(|seed| has(b, *seed))
                .collect();
            let refused = if seeds.is_empty() {
                let made = (&a.scored[0].fingerprint, &b.scored[0].fingerprint);
                difference(made.0, made.1, &options.studied)
            } else {
                seeds
                    .iter()
                    .find_map(|seed| differing(a, b, *seed, &options.studied))
            };
            let all_shared = seeds.len() == a.scored.len() && seeds.len() == b.scored.len();
            let unpaired = if all_shared || refused.is_some() {
                None
            } else {
                compare_unpaired(&run_means(a), &run_means(b), options.level)
            };
            let paired = if seeds.is_empty() || refused.is_some() {
                None
            } else {
                let rows = [rows_of(a, &seeds), rows_of(b, &seeds)];
                Some(compare(
                    &ScoreMatrix::from_rows(&rows[0])?,
                    &ScoreMatrix::from_rows(&rows[1])?,
                    options,
                )?)
            };
            let comparison = Comparison {
                a: a.learner.to_owned(),
                b: b.learner.to_owned(),
                seeds,
                p_value: match (&paired, &unpaired) {
                    (Some(paired), _) => paired.p,
                    (None, unpaired) => unpaired.as_ref().map(|it| it.p),
                },
                paired,
                unpaired,
                refused,
            };
            result.pairs.push(comparison);
        }
    }
    let adjusted = holm(result.pairs.iter().map(|pair| pair.p_value));
    for (pair, p) in result.pairs.iter_mut().zip(adjusted) {
        pair.p_value = p;
    }
    for pair in &result.pairs {
        findings.extend(sentence(group.setting, pair, options));
        findings.extend(unpaired_sentence(group.setting, pair, options));
    }
    if result.pairs.is_empty() {
        Ok(Measured::absent())
    } else {
        Measured::new(&result, findings)
    }
}

/// The sentence of a pair that shares no seed. A pair that shares some has the paired sentence: two tests of one difference
/// would claim falsely more often than either.
fn unpaired_sentence(setting: &str, comparison: &Comparison, options: &Options) -> Option<Finding> {
    let words = Words::of(options);
    let minus = words.minus();
    let (a, b) = (&comparison.a, &comparison.b);
    if comparison.paired.is_some() {
        return None;
    }
    let unpaired = comparison.unpaired.as_ref()?;
    let interval = unpaired.difference.interval.as_ref()?;
    let (verdict, certainty) = match comparison.better(options.level) {
        None => (
            format!("{a} and {b} are not distinguishable by the means of all their runs"),
            Certainty::NotDistinguishable,
        ),
        Some((better, other)) => (
            format!("{better} is better than {other} by the means of all their runs"),
            Certainty::Distinguishable,
        ),
    };
    let text = format!(
        "{verdict}: {a}{minus}{b} is {} ({} to {}; Welch, {} runs against {}, {} after Holm), for other trainings on these tasks.",
        words.points(unpaired.difference.value),
        words.points(interval.lower),
        words.points(interval.upper),
        unpaired.n_runs[0],
        unpaired.n_runs[1],
        p_value(comparison.p_value.unwrap_or(1.0))
    );
    Some(Finding::of_setting(
        setting,
        Comparisons::ID,
        certainty,
        text,
    ))
}

fn sentence(setting: &str, comparison: &Comparison, options: &Options) -> Option<Finding> {
    let words = Words::of(options);
    let minus = words.minus();
    let (a, b) = (&comparison.a, &comparison.b);
    if let Some(found) = &comparison.refused {
        let text = format!(
            "{a} and {b} are not compared: they differ in {} ({} against {}), which is not a subject of this study.",
            found.field, found.first, found.second
        );
        return Some(Finding::of_setting(
            setting,
            Comparisons::ID,
            Certainty::NotComparable,
            text,
        ));
    }
    let noun = words.noun();
    let paired = comparison.paired.as_ref()?;
    let n = comparison.seeds.len();
    let Some(interval) = &paired.difference.interval else {
        let text = format!(
            "{a}{minus}{b} is {} in {}; nothing can be said about another training.",
            words.points(paired.difference.value),
            if n == 1 {
                "one seed".to_owned()
            } else {
                format!(
                    "each of {n} seeds, to the last digit: copies of one run, a seed that changes nothing, or coarsely rounded scores"
                )
            }
        );
        return Some(Finding::of_setting(
            setting,
            Comparisons::ID,
            Certainty::TooFewRuns,
            text,
        ));
    };
    let (verdict, certainty) = match comparison.better(options.level) {
        None => (
            format!("{a} and {b} are not distinguishable in mean {noun}"),
            Certainty::NotDistinguishable,
        ),
        Some((better, other)) => (
            format!("{better} is better than {other} in mean {noun}"),
            Certainty::Distinguishable,
        ),
    };
    let p = comparison
        .p_value
        .map_or_else(String::new, |p| format!(", {} after Holm", p_value(p)));
    let wins = match paired.decision {
        Decision::NotSignificant => format!(
            "which of them wins on another seed is open ({} paired seeds detect a learner that wins on 75 % of seeds with a probability of 95 %)",
            paired.n_needed
        ),
        Decision::ASignificantNotMeaningful | Decision::ASignificantAndMeaningful => {
            format!("{a} wins on more than half of the seeds")
        }
        Decision::BSignificantNotMeaningful | Decision::BSignificantAndMeaningful => {
            format!("{b} wins on more than half of the seeds")
        }
    };
    let share = paired.probability.interval.as_ref();
    let share = share.map_or_else(String::new, |i| {
        format!(" [{:.0}, {:.0}]", 100.0 * i.lower, 100.0 * i.upper)
    });
    let text = format!(
        "{verdict}: {a}{minus}{b} is {} ({} to {}{p}) over {n} paired seeds. {a} has the {} mean on {:.0} %{share} of them: {wins}.",
        words.points(paired.difference.value),
        words.points(interval.lower),
        words.points(interval.upper),
        words.higher(),
        100.0 * paired.probability.value
    );
    Some(Finding::of_setting(
        setting,
        Comparisons::ID,
        certainty,
        text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 29 bundles: Bouthillier et al. 2021, appendix C.3.
    #[test]
    fn noether() {
        assert_eq!(needed_bundles(0.75, 0.05, 0.95), 29);
        assert_eq!(needed_bundles(0.25, 0.05, 0.95), 29);
    }

    #[test]
    fn decisions() {
        for (lower, upper, expected) in [
            (0.45, 0.95, Decision::NotSignificant),
            (0.55, 0.70, Decision::ASignificantNotMeaningful),
            (0.55, 0.90, Decision::ASignificantAndMeaningful),
            (0.30, 0.45, Decision::BSignificantNotMeaningful),
            (0.10, 0.45, Decision::BSignificantAndMeaningful),
        ] {
            assert_eq!(decide(lower, upper), expected, "{lower} {upper}");
        }
    }

    #[test]
    fn three_of_three_is_no_proof() {
        let a = ScoreMatrix::from_rows(&[[0.9, 0.8], [0.9, 0.9], [0.8, 0.9]]).unwrap();
        let b = ScoreMatrix::from_rows(&[[0.5, 0.6], [0.6, 0.6], [0.5, 0.5]]).unwrap();
        let paired = compare(&a, &b, &Options::default()).unwrap();
        assert!((paired.probability.value - 1.0).abs() < 1e-15);
        assert_eq!(paired.decision, Decision::NotSignificant);
        let itself = compare(&a, &a, &Options::default()).unwrap();
        assert!((itself.probability.value - 0.5).abs() < 1e-15);
    }

    /// Welch's df and interval by hand: means 0.2 and 0.5, variances 0.01 and 0.04, so `v = 0.01/3, 0.04/3`,
    /// `df = (0.05/3)^2 / ((0.01/3)^2/2 + (0.04/3)^2/2) = 2 * 25/17`.
    #[test]
    fn runs_without_common_seeds_are_compared_by_welch() {
        let found = compare_unpaired(&[0.1, 0.2, 0.3], &[0.3, 0.5, 0.7], 0.95).unwrap();
        assert!((found.df - 50.0 / 17.0).abs() < 1e-9, "{}", found.df);
        assert!((found.difference.value + 0.3).abs() < 1e-12);
        let interval = found.difference.interval.unwrap();
        let half =
            crate::distribution::student_quantile(0.975, 50.0 / 17.0) * (0.05_f64 / 3.0).sqrt();
        assert!((interval.upper - interval.lower - 2.0 * half).abs() < 1e-12);
        assert!(interval.contains(0.0) && found.p > 0.05);
        assert!(compare_unpaired(&[0.1, 0.1], &[0.3, 0.3], 0.95).is_none());
        assert!(compare_unpaired(&[0.1], &[0.3, 0.4], 0.95).is_none());
    }

    /// One score a run: Student's t over the differences 0.1, 0.2, 0.3 (error 0.1/sqrt(3), t = 4.3027 at 2 df).
    #[test]
    fn one_score_a_run_has_an_interval() {
        let a = ScoreMatrix::from_rows(&[[0.6], [0.7], [0.8]]).unwrap();
        let b = ScoreMatrix::from_rows(&[[0.5], [0.5], [0.5]]).unwrap();
        let interval = compare(&a, &b, &Options::default())
            .unwrap()
            .difference
            .interval
            .unwrap();
        assert!((interval.upper - (0.2 + 4.302_653 * 0.1 / 3.0_f64.sqrt())).abs() < 1e-6);
    }
}
