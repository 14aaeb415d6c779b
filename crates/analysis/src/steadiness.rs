//! A9: is one learner steadier than another? Ratios of standard deviations over seeds, the test's noise taken out.

use serde::{Deserialize, Serialize};

use crate::components::noise_of_test;
use crate::distribution::student_quantile;
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::failure::failures;
use crate::findings::{Certainty, Finding, p_value, ratio as ratio_in_words};
use crate::group::{LearnerRuns, SettingRuns};
use crate::kurtosis::{FEWEST_RUNS, pooled_kurtosis, variance_of_log};
use crate::metric::{Measure, Measured, SettingMetric};
use crate::multiplicity::holm;
use crate::options::Options;
use crate::planner::{MOST_SEEDS, error_of_log_ratio};
use crate::random::{generator, index};
use crate::summary::{median, variance};
use crate::words::Words;

/// Probability with which the planned number of seeds settles a ratio.
const POWER: f64 = 0.8;
/// The largest logarithm of a ratio that is looked for; beyond, the ratio is not bounded.
pub(crate) const FARTHEST: f64 = 7.0;
/// Halvings of the range in which a limit lies.
pub(crate) const STEPS: usize = 24;
/// Ways of exchanging runs between two learners that are looked at.
const N_WAYS: usize = 999;

/// Every pair of learners of one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steadiness {
    /// The learner listed first comes first in each pair.
    pub pairs: Vec<SpreadRatio>,
}

/// The spread of learner `a` over its seeds against that of learner `b`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpreadRatio {
    /// Learner A.
    pub a: String,
    /// Learner B.
    pub b: String,
    /// Standard deviations over seeds beyond the noise of the test, `sqrt(max(0, s^2 - v))`, in the unit of the score.
    pub sd: [f64; 2],
    /// Runs of each.
    pub n_runs: [usize; 2],
    /// Failed runs of each.
    pub n_failed: [usize; 2],
    /// A's standard deviation over B's, with its interval; absent if neither scatters beyond its test.
    pub ratio: Option<Estimate>,
    /// Two-sided p-value of "as steady", after Holm over the pairs of the setting; absent under five runs.
    pub p_value: Option<f64>,
    /// What follows.
    pub verdict: SpreadVerdict,
}

/// What a ratio of spreads settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SpreadVerdict {
    /// A moves less from seed to seed.
    ASteadier,
    /// B moves less.
    BSteadier,
    /// The interval lies within the bounds of equivalence.
    AsSteady,
    /// Neither scatters beyond the noise of its test.
    NoSeedEffect,
    /// The runs do not settle it.
    Open {
        /// Seeds of each learner that would, if the estimates are right; absent if more than 200.
        seeds: Option<usize>,
    },
    /// A learner has failed runs: its spread without them is not its spread.
    FailuresDecide,
}

impl Measure for Steadiness {
    const ID: &'static str = "steadiness";
}

pub(crate) const METRIC: SettingMetric = SettingMetric {
    id: Steadiness::ID,
    title: "Is one learner steadier than another? (A9)",
    measure,
};

/// Scores of the runs of one learner, with the variance `noise` that the test gives each.
#[derive(Clone, Copy, Debug)]
pub struct Scatter<'a> {
    /// Mean score of each run.
    pub runs: &'a [f64],
    /// `v`: `MS_res / T` of the runs x tasks table; 0 if it is not known.
    pub noise: f64,
}

impl Scatter<'_> {
    /// `s^2 - v`, not under 0.
    pub(crate) fn own(&self) -> f64 {
        (variance(self.runs) - self.noise).max(0.0)
    }
}

/// The hypothesis `sd_a / sd_b = exp(log_ratio)`: the standard deviations of run means that it gives, noise included.
pub(crate) fn expected(a: Scatter<'_>, b: Scatter<'_>, log_ratio: f64) -> [f64; 2] {
    let own = b.own();
    [
        ((2.0 * log_ratio).exp() * own + a.noise).sqrt(),
        (own + b.noise).sqrt(),
    ]
}

/// The ratio of standard deviations of two learners, `sd_a / sd_b` beyond the noise of their tests, with its interval and the
/// two-sided p-value of 1. `None` if neither scatters beyond its test, or if a learner has fewer than two runs.
///
/// From five runs on, a permutation test: distances of the runs from their learner's median, divided by the standard
/// deviation that the ratio gives them, are exchanged between the learners, and their mean absolute sizes compared (the distance that
/// is zero by construction, of an odd number of runs, is left out). The limits are the ratios that the test does not refuse. Of tests that
/// were tried this one keeps its level under skewed and heavy-tailed seeds (docs/calibration.md). Below, the interval is Bonett's with
/// Student's t in place of the normal law, and there is no p-value.
///
/// The lower limit is 0 where A may have no spread of its own.
///
/// # Source
/// Richter and McCann 2007 (permutation tests of scale from absolute deviations); Bonett 2006. The noise is ours.
#[must_use]
pub fn spread_ratio(
    a: Scatter<'_>,
    b: Scatter<'_>,
    level: f64,
    seed: u64,
) -> Option<(Estimate, Option<f64>)> {
    if a.runs.len() < 2 || b.runs.len() < 2 {
        return None;
    }
    // The wider one is the divisor: it surely has a spread, if any has.
    if a.own() > b.own() {
        let (turned, p) = spread_ratio(b, a, level, seed)?;
        return Some((inverse(turned), p));
    }
    if b.own() <= 0.0 {
        return None;
    }
    let value = (a.own() / b.own()).sqrt();
    let start = value.max((-FARTHEST).exp()).ln();
    if a.runs.len().min(b.runs.len()) < FEWEST_RUNS {
        let df = (a.runs.len() + b.runs.len() - 2) as f64;
        let kurtosis = pooled_kurtosis(&[a.runs, b.runs]);
        let critical = student_quantile((1.0 + level) / 2.0, df);
        let refused = |x: f64| bonett(a, b, kurtosis, x).abs() > critical;
        let method = format!("Bonett, noise of the test known, Student t with {df:.0} df");
        return Some((limits(value, start, level, method, refused), None));
    }
    let exchange = Exchange::new(distances(a.runs), distances(b.runs), seed);
    let p = |x: f64| exchange.p_value(expected(a, b, x));
    let method = "permutation of distances from the median, noise of the test known";
    let found = limits(value, start, level, method.to_owned(), |x| {
        p(x) <= 1.0 - level
    });
    Some((found, Some(p(0.0))))
}

/// The ratio with the ends of the range of logarithms around it that are not refused.
pub(crate) fn limits(
    value: f64,
    start: f64,
    level: f64,
    method: String,
    refused: impl Fn(f64) -> bool,
) -> Estimate {
    let end = |to: f64| {
        if !refused(to) {
            return to;
        }
        let (mut inside, mut outside) = (start, to);
        for _ in 0..STEPS {
            let middle = f64::midpoint(inside, outside);
            if refused(middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    };
    let (lower, upper) = (end(-FARTHEST), end(FARTHEST));
    let interval = Interval {
        lower: if lower <= -FARTHEST { 0.0 } else { lower.exp() },
        upper: upper.exp(),
        level,
        method,
    };
    Estimate::new(value, interval)
}

/// Student's statistic of a ratio by the variance of the logarithm of a variance.
fn bonett(a: Scatter<'_>, b: Scatter<'_>, kurtosis: f64, log_ratio: f64) -> f64 {
    let [of_a, _] = expected(a, b, log_ratio);
    let expected = of_a * of_a;
    // How the logarithm of what is expected of A moves with that of B's variance.
    let pull = (expected - a.noise) / b.own() * variance(b.runs) / expected;
    let first = variance_of_log(kurtosis, a.runs.len());
    let second = pull * pull * variance_of_log(kurtosis, b.runs.len());
    (variance(a.runs).max(f64::MIN_POSITIVE).ln() - expected.ln()) / (first + second).sqrt()
}

/// Absolute distances from the median, without the one of an odd number that is zero by construction.
pub(crate) fn distances(runs: &[f64]) -> Vec<f64> {
    let center = median(runs);
    let mut found: Vec<f64> = runs.iter().map(|run| (run - center).abs()).collect();
    if runs.len() % 2 == 1 {
        found.sort_by(f64::total_cmp);
        found.remove(0);
    }
    found
}

/// Distances of two learners and the ways in which they are exchanged.
struct Exchange {
    a: Vec<f64>,
    b: Vec<f64>,
    /// For each way the places that go to the first learner; all of them where they are few.
    ways: Vec<Vec<usize>>,
    /// Whether the ways are all there are, the observed one included.
    complete: bool,
}

impl Exchange {
    fn new(a: Vec<f64>, b: Vec<f64>, seed: u64) -> Self {
        let n = a.len() + b.len();
        let all = combinations(n, a.len());
        let complete = all.is_some();
        let ways = all.unwrap_or_else(|| {
            let way = |draw: u64| {
                let mut rng = generator(seed, "steadiness", draw);
                let mut order: Vec<usize> = (0..n).collect();
                for at in 0..a.len() {
                    order.swap(at, at + index(&mut rng, n - at));
                }
                order.truncate(a.len());
                order
            };
            (0..N_WAYS as u64).map(way).collect()
        });
        Self {
            a,
            b,
            ways,
            complete,
        }
    }

    /// Share of the ways that set the sizes of the two as far apart as they are, two-sided, with each learner's distances in units of
    /// its `scales`.
    fn p_value(&self, scales: [f64; 2]) -> f64 {
        let of_a = self.a.iter().map(|d| d / scales[0].max(f64::MIN_POSITIVE));
        let of_b = self.b.iter().map(|d| d / scales[1].max(f64::MIN_POSITIVE));
        let pooled: Vec<f64> = of_a.chain(of_b).collect();
        let total: f64 = pooled.iter().sum();
        let apart = |sum: f64| {
            let other = (total - sum).max(f64::MIN_POSITIVE) / self.b.len() as f64;
            (sum.max(f64::MIN_POSITIVE) / self.a.len() as f64 / other)
                .ln()
                .abs()
        };
        let own = apart(pooled[..self.a.len()].iter().sum());
        let reached = self
            .ways
            .iter()
            .filter(|way| apart(way.iter().map(|at| pooled[*at]).sum()) >= own - 1e-9)
            .count();
        if self.complete {
            reached as f64 / self.ways.len() as f64
        } else {
            (1 + reached) as f64 / (1 + self.ways.len()) as f64
        }
    }
}

/// Every choice of `k` of `n` places, if there are not more than [`N_WAYS`].
fn combinations(n: usize, k: usize) -> Option<Vec<Vec<usize>>> {
    let mut found = vec![Vec::new()];
    for _ in 0..k {
        let mut longer = Vec::new();
        for way in &found {
            let from = way.last().map_or(0, |last| last + 1);
            longer.extend((from..n).map(|next| [way.as_slice(), &[next]].concat()));
            if longer.len() > 20 * N_WAYS {
                return None;
            }
        }
        found = longer;
    }
    (found.len() <= N_WAYS).then_some(found)
}

pub(crate) fn inverse(estimate: Estimate) -> Estimate {
    let most = FARTHEST.exp();
    let of = |value: f64| {
        if value > 0.0 {
            (1.0 / value).min(most)
        } else {
            most
        }
    };
    Estimate {
        value: of(estimate.value),
        interval: estimate.interval.map(|interval| Interval {
            lower: of(interval.upper),
            upper: of(interval.lower),
            ..interval
        }),
    }
}

/// Seeds of each learner that would settle the ratio with a probability of 80 %, if the estimate is right: the interval would exclude 1, or
/// lie within the bounds.
fn seeds_needed(ratio: f64, kurtosis: f64, bound: f64, from: usize) -> Option<usize> {
    let distance = ratio.max((-FARTHEST).exp()).ln().abs();
    (from + 1..=MOST_SEEDS).find(|&n| {
        let error = error_of_log_ratio(kurtosis, n);
        let df = (2 * n - 2) as f64;
        let needed = (student_quantile(0.975, df) + student_quantile(POWER, df)) * error;
        needed < distance || needed < bound.ln() - distance
    })
}

fn measure(group: &SettingRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let names: Vec<&str> = group.learners.iter().map(|it| it.learner).collect();
    let all = (0..names.len()).flat_map(|at| (at + 1..names.len()).map(move |other| (at, other)));
    let pairs: Vec<(&str, &str)> = all.map(|(a, b)| (names[a], names[b])).collect();
    let result = Steadiness {
        pairs: judged(group, &pairs, options),
    };
    if result.pairs.is_empty() {
        return Ok(Measured::absent());
    }
    let findings = result
        .pairs
        .iter()
        .map(|pair| sentence(group.setting, Steadiness::ID, pair, Words::of(options)))
        .collect();
    Measured::new(&result, findings)
}

/// The tested runs of one learner in one setting, as ratios of spreads are judged by.
pub(crate) struct Tested {
    /// Mean score of each run.
    pub(crate) runs: Vec<f64>,
    /// The variance that the test gives each, see [`Scatter`].
    pub(crate) noise: f64,
    /// Failed runs.
    pub(crate) n_failed: usize,
}

impl Tested {
    /// None with fewer than two tested runs.
    pub(crate) fn of(learner: &LearnerRuns<'_>, options: &Options) -> Option<Self> {
        let runs = learner.scores.as_ref()?.run_means();
        (runs.len() > 1).then(|| Self {
            runs,
            noise: noise_of_test(learner).unwrap_or(0.0),
            n_failed: failures(learner, options).failed.len(),
        })
    }

    fn scatter(&self) -> Scatter<'_> {
        Scatter {
            runs: &self.runs,
            noise: self.noise,
        }
    }
}

/// The ratios of these pairs, with Holm over them; without the pairs of which a learner has fewer than two tested runs.
pub(crate) fn judged(
    group: &SettingRuns<'_>,
    pairs: &[(&str, &str)],
    options: &Options,
) -> Vec<SpreadRatio> {
    let learners = group.learners.iter();
    let tested: Vec<(&str, Tested)> = learners
        .filter_map(|learner| Some((learner.learner, Tested::of(learner, options)?)))
        .collect();
    let of = |name: &str| tested.iter().find(|(learner, _)| *learner == name);
    let of_pair = |(a, b): &(&str, &str)| {
        let ((a, of_a), (b, of_b)) = (of(a)?, of(b)?);
        Some(([*a, *b], [of_a, of_b]))
    };
    let found: Vec<_> = pairs.iter().filter_map(of_pair).collect();
    ratios(&found, options)
}

/// The ratios of pairs, named A and B each, with Holm over all of them.
pub(crate) fn ratios(pairs: &[([&str; 2], [&Tested; 2])], options: &Options) -> Vec<SpreadRatio> {
    let mut found = Vec::new();
    for ([a, b], [of_a, of_b]) in pairs {
        let own = [of_a.scatter(), of_b.scatter()];
        let ratio = spread_ratio(own[0], own[1], options.level, options.seed);
        let pair = SpreadRatio {
            a: (*a).to_owned(),
            b: (*b).to_owned(),
            sd: own.map(|it| it.own().sqrt()),
            n_runs: [of_a.runs.len(), of_b.runs.len()],
            n_failed: [of_a.n_failed, of_b.n_failed],
            p_value: ratio.as_ref().and_then(|(_, p)| *p),
            ratio: ratio.map(|(ratio, _)| ratio),
            verdict: SpreadVerdict::NoSeedEffect,
        };
        found.push((pair, pooled_kurtosis(&[&of_a.runs, &of_b.runs])));
    }
    let adjusted = holm(found.iter().map(|(pair, _)| pair.p_value));
    let each = found.into_iter().zip(adjusted);
    each.map(|((mut pair, kurtosis), p)| {
        pair.p_value = p;
        pair.verdict = verdict(&pair, kurtosis, options);
        pair
    })
    .collect()
}

fn verdict(pair: &SpreadRatio, kurtosis: f64, options: &Options) -> SpreadVerdict {
    if pair.n_failed != [0, 0] {
        return SpreadVerdict::FailuresDecide;
    }
    let Some(ratio) = &pair.ratio else {
        return SpreadVerdict::NoSeedEffect;
    };
    let bound = options.equivalence;
    let fewest = pair.n_runs[0].min(pair.n_runs[1]);
    if let Some(p) = pair.p_value {
        if p <= 1.0 - options.level {
            return if ratio.value < 1.0 {
                SpreadVerdict::ASteadier
            } else {
                SpreadVerdict::BSteadier
            };
        }
        let interval = ratio.interval.as_ref();
        if interval.is_some_and(|i| i.lower > 1.0 / bound && i.upper < bound) {
            return SpreadVerdict::AsSteady;
        }
    }
    let from = fewest.max(FEWEST_RUNS - 1);
    SpreadVerdict::Open {
        seeds: seeds_needed(ratio.value, kurtosis, bound, from),
    }
}

/// What is said of a pair, as a sentence of the metric `id`.
pub(crate) fn sentence(
    setting: &str,
    id: &'static str,
    pair: &SpreadRatio,
    words: Words<'_>,
) -> Finding {
    let SpreadRatio {
        a,
        b,
        sd,
        n_runs,
        n_failed,
        ..
    } = pair;
    let figures = match &pair.ratio {
        Some(ratio) => {
            let limits = ratio.interval.as_ref().map_or_else(String::new, |i| {
                format!(
                    " [{}, {}]",
                    ratio_in_words(i.lower),
                    ratio_in_words(i.upper)
                )
            });
            let p = pair
                .p_value
                .map_or_else(String::new, |p| format!(", {} after Holm", p_value(p)));
            format!(
                "SD ratio {a} to {b} {}{limits}{p}; {} against {} beyond the noise of the test, {} and {} runs",
                ratio_in_words(ratio.value),
                words.points(sd[0]),
                words.points(sd[1]),
                n_runs[0],
                n_runs[1]
            )
        }
        _ => format!("{} and {} runs", n_runs[0], n_runs[1]),
    };
    let (certainty, text) = match pair.verdict {
        SpreadVerdict::ASteadier => (
            Certainty::Distinguishable,
            format!("{a} is steadier over seeds than {b} ({figures})."),
        ),
        SpreadVerdict::BSteadier => (
            Certainty::Distinguishable,
            format!("{b} is steadier over seeds than {a} ({figures})."),
        ),
        SpreadVerdict::AsSteady => (
            Certainty::Distinguishable,
            format!("{a} and {b} are practically as steady over seeds ({figures})."),
        ),
        SpreadVerdict::NoSeedEffect => (
            Certainty::NotDistinguishable,
            format!(
                "Neither {a} nor {b} shows a seed effect beyond the noise of its test ({figures})."
            ),
        ),
        SpreadVerdict::FailuresDecide => (
            Certainty::Estimated,
            format!(
                "The spreads of {a} and {b} are not compared: {} of {} and {} of {} runs failed, and the spread of the other runs is not the spread of the learner.",
                n_failed[0], n_runs[0], n_failed[1], n_runs[1]
            ),
        ),
        SpreadVerdict::Open { seeds } => {
            let more = seeds.map_or_else(
                || format!("more than {MOST_SEEDS} seeds of each would be needed if the estimate is right"),
                |n| format!("about {n} seeds of each would settle it if the estimate is right"),
            );
            (
                Certainty::NotDistinguishable,
                format!("Which of {a} and {b} is steadier over seeds is open ({figures}); {more}."),
            )
        }
    };
    Finding::of_setting(setting, id, certainty, text)
}
