//! A9 over settings: is one learner steadier than another in the settings of a study together?

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::components::noise_of_test;
use crate::distribution::{student_quantile, student_two_sided};
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::failure::failures;
use crate::group::{LearnerRuns, StudyRuns};
use crate::metric::{Measure, Measured, StudyMetric};
use crate::moderation::{Prior, unbiased_log};
use crate::multiplicity::holm;
use crate::options::Options;
use crate::steadiness::{FARTHEST, STEPS, Scatter, SpreadVerdict, expected, inverse, limits};
use crate::summary::{mean, variance};

/// Fewest settings over which a ratio is judged.
pub const FEWEST_SETTINGS: usize = 3;
/// Fewest runs of a learner in a setting.
const FEWEST_RUNS: usize = 3;

/// Every pair of learners that share enough settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SteadinessOverSettings {
    /// The learner listed first comes first in each pair.
    pub pairs: Vec<RatioOverSettings>,
    /// What the pairs' variances over settings have in common; absent for fewer than three learners: nothing is moderated then.
    pub prior: Option<Prior>,
}

/// The spread of learner `a` over its seeds against that of learner `b`, over settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioOverSettings {
    /// Learner A.
    pub a: String,
    /// Learner B.
    pub b: String,
    /// Settings in which both have three tested runs that differ.
    pub n_settings: usize,
    /// Runs of each in these settings.
    pub n_runs: [usize; 2],
    /// Failed runs of each in these settings.
    pub n_failed: [usize; 2],
    /// A's standard deviation over B's, the geometric mean over settings, with its interval.
    pub ratio: Estimate,
    /// Degrees of freedom.
    pub df: f64,
    /// Two-sided p-value of "as steady", after Holm over the pairs.
    pub p_value: f64,
    /// What follows; how many seeds would settle an open one is not computed here.
    pub verdict: SpreadVerdict,
}

impl Measure for SteadinessOverSettings {
    const ID: &'static str = "steadiness_over_settings";
}

pub(crate) const METRIC: StudyMetric = StudyMetric {
    id: SteadinessOverSettings::ID,
    title: "Is one learner steadier than another over the settings? (A9)",
    measure,
};

/// Logarithms of the ratio of the variances of two learners, setting by setting.
#[derive(Clone, Debug)]
pub struct LogRatios<'a> {
    /// Runs of A and of B; the second has the wider spread.
    settings: Vec<[Scatter<'a>; 2]>,
    /// Whether A and B were exchanged.
    is_turned: bool,
    /// The ratio in which no setting is off on average, as a logarithm.
    center: f64,
    /// Variance over settings at that ratio.
    variance: f64,
}

impl<'a> LogRatios<'a> {
    /// The ratios of A to B in each setting. Settings are left out in which a learner has fewer than three runs, or runs that are copies.
    /// `None` for fewer than three settings, if neither learner has a spread beyond the noise of its test anywhere, or if the ratios
    /// do not scatter.
    #[must_use]
    pub fn new(settings: &[[Scatter<'a>; 2]]) -> Option<Self> {
        let usable = |one: &Scatter<'_>| one.runs.len() >= FEWEST_RUNS && variance(one.runs) > 0.0;
        let mut kept: Vec<[Scatter<'a>; 2]> = settings
            .iter()
            .copied()
            .filter(|pair| pair.iter().all(usable))
            .collect();
        if kept.len() < FEWEST_SETTINGS {
            return None;
        }
        let own = |of: usize| kept.iter().map(|pair| pair[of].own()).sum::<f64>();
        let is_turned = own(0) > own(1);
        if own(0).max(own(1)) <= 0.0 {
            return None;
        }
        if is_turned {
            for pair in &mut kept {
                pair.swap(0, 1);
            }
        }
        let mut found = Self {
            settings: kept,
            is_turned,
            center: 0.0,
            variance: 0.0,
        };
        found.center = found.solved();
        found.variance = variance(&found.at(found.center));
        (found.variance > 0.0).then_some(found)
    }

    /// Settings.
    #[must_use]
    pub fn n_settings(&self) -> usize {
        self.settings.len()
    }

    /// Variance over settings of the logarithm of the ratio of variances, with its degrees of freedom.
    #[must_use]
    pub fn variance(&self) -> (f64, f64) {
        (self.variance, (self.settings.len() - 1) as f64)
    }

    /// `ln(s_a^2 / s_b^2)` of each setting less what the ratio `exp(log_ratio)` of standard deviations gives with the noise of the tests.
    fn at(&self, log_ratio: f64) -> Vec<f64> {
        let log = |one: Scatter<'_>| unbiased_log(variance(one.runs), (one.runs.len() - 1) as f64);
        let of = |&[a, b]: &[Scatter<'_>; 2]| {
            let [of_a, of_b] = expected(a, b, log_ratio);
            log(a) - log(b) - 2.0 * (of_a / of_b).ln()
        };
        self.settings.iter().map(of).collect()
    }

    fn solved(&self) -> f64 {
        let (mut low, mut high) = (-FARTHEST, FARTHEST);
        for _ in 0..2 * STEPS {
            let middle = f64::midpoint(low, high);
            // Falls as the ratio grows.
            if mean(&self.at(middle)) > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }

    /// The ratio of standard deviations `sd_a / sd_b`, its interval, its degrees of freedom and the two-sided p-value of 1, by Student's t over
    /// settings. With a prior the variance over settings is moderated; its degrees of freedom then are at most `most`, those of all
    /// learners' variances together: pairs that share a learner are not independent.
    ///
    /// The t over settings needs no law of the seeds, since two learners that are as steady exchange places in each setting. Moderation
    /// supposes that settings move the ratios of all pairs alike.
    ///
    /// # Source
    /// Smyth 2004 for the moderated t; the noise is ours.
    /// Where noise is most of one learner's variance and not of the other's, the ratio is too extreme (0.34 for 0.5 in a test with 400
    /// settings of 8 runs): the spread that the noise is set against is estimated, too.
    #[must_use]
    pub fn ratio(&self, prior: Option<(Prior, f64)>, level: f64) -> (Estimate, f64, f64) {
        let (own, own_df) = self.variance();
        let (of_one, df) = prior.map_or((own, own_df), |(prior, most)| {
            let (moderated, df) = prior.moderate(own, own_df);
            (moderated, df.min(most))
        });
        let error = (of_one / self.settings.len() as f64).sqrt();
        let t = |log_ratio: f64| mean(&self.at(log_ratio)) / error;
        let critical = student_quantile((1.0 + level) / 2.0, df);
        let name = if prior.is_some() {
            "moderated Student t"
        } else {
            "Student t"
        };
        let method = format!(
            "{name} over {} settings with {df:.1} df, noise of the test known",
            self.settings.len()
        );
        let value = self.center.exp();
        let mut found = limits(value, self.center, level, method, |x| t(x).abs() > critical);
        if self.is_turned {
            found = inverse(found);
        }
        (found, df, student_two_sided(t(0.0), df))
    }
}

/// The runs of one learner in one setting.
struct Place<'s> {
    setting: &'s str,
    runs: Vec<f64>,
    noise: f64,
    n_failed: usize,
}

fn place<'s>(learner: &LearnerRuns<'s>, options: &Options) -> Option<Place<'s>> {
    let runs = learner.scores.as_ref()?.run_means();
    Some(Place {
        setting: learner.setting,
        noise: noise_of_test(learner).unwrap_or(0.0),
        n_failed: failures(learner, options).failed.len(),
        runs,
    })
}

/// A pair of learners in the settings that they share.
struct Pair<'s> {
    names: [&'s str; 2],
    n_runs: [usize; 2],
    n_failed: [usize; 2],
    ratios: LogRatios<'s>,
}

fn pair<'s>(
    (a, of_a): &'s (&'s str, Vec<Place<'s>>),
    (b, of_b): &'s (&'s str, Vec<Place<'s>>),
) -> Option<Pair<'s>> {
    let shared: Vec<[&Place<'_>; 2]> = of_a
        .iter()
        .filter_map(|one| Some([one, of_b.iter().find(|it| it.setting == one.setting)?]))
        .collect();
    let scatter = |it: &'s Place<'s>| Scatter {
        runs: &it.runs,
        noise: it.noise,
    };
    let scatters: Vec<[Scatter<'_>; 2]> = shared.iter().map(|pair| pair.map(scatter)).collect();
    let sum = |of: usize, what: fn(&Place<'_>) -> usize| {
        shared.iter().map(|pair| what(pair[of])).sum::<usize>()
    };
    Some(Pair {
        names: [a, b],
        n_runs: [0, 1].map(|of| sum(of, |it| it.runs.len())),
        n_failed: [0, 1].map(|of| sum(of, |it| it.n_failed)),
        ratios: LogRatios::new(&scatters)?,
    })
}

fn measure(study: &StudyRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut learners: Vec<(&str, Vec<Place<'_>>)> = Vec::new();
    for learner in study.settings.iter().flat_map(|it| &it.learners) {
        let Some(place) = place(learner, options) else {
            continue;
        };
        match learners.iter_mut().find(|it| it.0 == learner.learner) {
            Some((_, places)) => places.push(place),
            None => learners.push((learner.learner, vec![place])),
        }
    }
    let pairs: Vec<Pair<'_>> = learners
        .iter()
        .enumerate()
        .flat_map(|(at, a)| learners[at + 1..].iter().filter_map(move |b| pair(a, b)))
        .collect();
    if pairs.is_empty() {
        return Ok(Measured::absent());
    }
    let variances: Vec<(f64, f64)> = pairs.iter().map(|it| it.ratios.variance()).collect();
    let named: BTreeSet<&str> = pairs.iter().flat_map(|it| it.names).collect();
    let prior = if named.len() > 2 {
        Prior::fit(&variances)
    } else {
        None
    };
    let judged: Vec<(Estimate, f64, f64)> = pairs
        .iter()
        .map(|pair| {
            let most = pair.ratios.variance().1 * (named.len() - 1) as f64;
            pair.ratios.ratio(prior.map(|it| (it, most)), options.level)
        })
        .collect();
    let adjusted = holm(judged.iter().map(|it| Some(it.2)));
    let mut result = SteadinessOverSettings {
        pairs: Vec::new(),
        prior,
    };
    for ((pair, (ratio, df, own)), p_value) in pairs.into_iter().zip(judged).zip(adjusted) {
        let p_value = p_value.unwrap_or(own);
        result.pairs.push(RatioOverSettings {
            a: pair.names[0].to_owned(),
            b: pair.names[1].to_owned(),
            n_settings: pair.ratios.n_settings(),
            n_runs: pair.n_runs,
            n_failed: pair.n_failed,
            verdict: verdict(&ratio, p_value, pair.n_failed, options),
            ratio,
            df,
            p_value,
        });
    }
    // No sentence: where learners have other laws of one spread, up to 14 % of tables claim a difference (docs/calibration.md).
    Measured::new(&result, Vec::new())
}

fn verdict(
    ratio: &Estimate,
    p_value: f64,
    n_failed: [usize; 2],
    options: &Options,
) -> SpreadVerdict {
    let bound = options.equivalence;
    let within = |i: &Interval| i.lower > 1.0 / bound && i.upper < bound;
    match p_value <= 1.0 - options.level {
        _ if n_failed != [0, 0] => SpreadVerdict::FailuresDecide,
        true if ratio.value < 1.0 => SpreadVerdict::ASteadier,
        true => SpreadVerdict::BSteadier,
        false if ratio.interval.as_ref().is_some_and(within) => SpreadVerdict::AsSteady,
        false => SpreadVerdict::Open { seeds: None },
    }
}
