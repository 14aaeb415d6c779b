//! What the setting does to each learner: the mean and the spread over seeds in one setting against those in another.

use serde::{Deserialize, Serialize};

use crate::components::components;
use crate::distribution::student_two_sided;
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::factors::words::MOST_HIDDEN;
use crate::findings::{Certainty, Finding, list, p_value, ratio as ratio_in_words};
use crate::group::{LearnerRuns, StudyRuns};
use crate::kurtosis::FEWEST_RUNS;
use crate::metric::{Measure, Measured, StudyMetric};
use crate::multiplicity::holm;
use crate::options::Options;
use crate::scores::ScoreMatrix;
use crate::steadiness::{SpreadRatio, SpreadVerdict, Tested, inverse, ratios};
use crate::summary::{NO_SCATTER, mean, variance};
use crate::words::Words;

/// Every learner in every pair of settings in which it has two tested runs each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SettingEffects {
    /// Learners in order of first appearance; of two settings the one listed first comes first.
    pub pairs: Vec<SettingEffect>,
}

/// One learner in setting `a` against the same learner in setting `b`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingEffect {
    /// Name of the learner.
    pub learner: String,
    /// Its spread over seeds in one setting over that in the other, as [`crate::steadiness`] compares learners; `a` and `b` are settings, and
    /// Holm goes over all learners and pairs of settings. Runs of one seed in two settings count as independent: what they have in common
    /// makes claims rarer.
    pub spread: SpreadRatio,
    /// Means in `a` and in `b`.
    pub means: [f64; 2],
    /// Mean in `a` less mean in `b`, for other trainings and other tasks: `se^2` is the sum of the variances of both means (runs and tasks random, see
    /// [`components`]; of runs with a single score `s^2/R`), `df` is Welch's. What both have in common, seeds or tasks, makes it wider than
    /// need be. No interval where nothing scatters.
    pub difference: Estimate,
    /// Two-sided p-value of "no difference", after Holm over all learners and pairs of settings; absent where nothing scatters.
    pub p_value: Option<f64>,
}

impl SettingEffect {
    /// Whether the settings differ in the spread of the learner at this level.
    pub(crate) fn is_spread_told(&self, level: f64) -> bool {
        let is_told = matches!(
            self.spread.verdict,
            SpreadVerdict::ASteadier | SpreadVerdict::BSteadier
        );
        is_told && self.spread.p_value.is_some_and(|p| p <= 1.0 - level)
    }

    /// `SD x 2.1 [1.4, 3.2] with B against A (1.90 pp against 0.90 pp ...)`: the setting with the wider spread first.
    pub(crate) fn spread_in_words(&self, words: Words<'_>) -> String {
        let SpreadRatio {
            a, b, sd, n_runs, ..
        } = &self.spread;
        let Some(of_a) = self.spread.ratio.clone() else {
            return format!("no spread beyond the noise of the test in {a} and in {b}");
        };
        let is_a_wider = of_a.value >= 1.0;
        let found = if is_a_wider { of_a } else { inverse(of_a) };
        let limits = found.interval.as_ref().map_or_else(String::new, |i| {
            format!(
                " [{}, {}]",
                ratio_in_words(i.lower),
                ratio_in_words(i.upper)
            )
        });
        let [wide, narrow] = if is_a_wider { [0, 1] } else { [1, 0] };
        let names = [a, b];
        let p = self
            .spread
            .p_value
            .map_or_else(String::new, |p| format!(", {} after Holm", p_value(p)));
        format!(
            "SD x {}{limits} with {} against {} ({} against {} beyond the noise of the test, {} and {} runs{p})",
            ratio_in_words(found.value),
            names[wide],
            names[narrow],
            words.points(sd[wide]),
            words.points(sd[narrow]),
            n_runs[wide],
            n_runs[narrow]
        )
    }

    /// `from 96.41 % in A to 88.02 % in B, by 8.39 pp [7.10, 9.68]`: the better setting first.
    pub(crate) fn mean_in_words(&self, words: Words<'_>) -> String {
        let names = [&self.spread.a, &self.spread.b];
        let [high, low] = if self.means[0] >= self.means[1] {
            [0, 1]
        } else {
            [1, 0]
        };
        format!(
            "from {} in {} to {} in {}, by {}",
            words.value(self.means[high]),
            names[high],
            words.value(self.means[low]),
            names[low],
            words.points_with(&self.difference.clone().positive())
        )
    }
}

impl Measure for SettingEffects {
    const ID: &'static str = "setting_effects";
}

pub(crate) const METRIC: StudyMetric = StudyMetric {
    id: SettingEffects::ID,
    title: "Does the setting move the mean and the spread of a learner?",
    measure,
};

/// A mean with its variance and degrees of freedom.
#[derive(Clone, Copy)]
struct Mean {
    value: f64,
    variance: f64,
    df: f64,
}

impl Mean {
    /// Of at least two runs.
    fn of(scores: &ScoreMatrix, level: f64) -> Result<Self, AnalysisError> {
        if scores.n_tasks() > 1 {
            let found = components(scores, None, level)?;
            return Ok(Self {
                value: found.mean,
                variance: found.variance_of_mean,
                df: found.df,
            });
        }
        let runs = scores.run_means();
        let n = runs.len() as f64;
        Ok(Self {
            value: mean(&runs),
            variance: variance(&runs) / n,
            df: n - 1.0,
        })
    }

    /// `self - other` with its p-value; neither where one of them does not scatter.
    fn minus(self, other: Self, level: f64) -> (Estimate, Option<f64>) {
        let value = self.value - other.value;
        let scatters = |it: Self| it.variance.sqrt() > NO_SCATTER && it.df.is_finite();
        if !scatters(self) || !scatters(other) {
            return (Estimate::bare(value), None);
        }
        let sum = self.variance + other.variance;
        let df = sum * sum / (self.variance.powi(2) / self.df + other.variance.powi(2) / other.df);
        let method = "Welch, runs and tasks random";
        let interval = Interval::student(value, sum, df, level, method);
        let p = student_two_sided(value / sum.sqrt(), df);
        (Estimate::new(value, interval), Some(p))
    }
}

/// A learner in one setting.
struct Place<'s> {
    setting: &'s str,
    tested: Tested,
    mean: Mean,
}

fn place<'s>(
    learner: &LearnerRuns<'s>,
    options: &Options,
) -> Result<Option<Place<'s>>, AnalysisError> {
    let (Some(tested), Some(scores)) = (Tested::of(learner, options), &learner.scores) else {
        return Ok(None);
    };
    Ok(Some(Place {
        setting: learner.setting,
        tested,
        mean: Mean::of(scores, options.level)?,
    }))
}

fn measure(study: &StudyRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut learners: Vec<(&str, Vec<Place<'_>>)> = Vec::new();
    for learner in study.settings.iter().flat_map(|it| &it.learners) {
        let Some(place) = place(learner, options)? else {
            continue;
        };
        match learners.iter_mut().find(|it| it.0 == learner.learner) {
            Some((_, places)) => places.push(place),
            None => learners.push((learner.learner, vec![place])),
        }
    }
    let pairs: Vec<(&str, &Place<'_>, &Place<'_>)> = learners
        .iter()
        .flat_map(|(name, places)| {
            let of = move |(at, a)| places[at + 1..].iter().map(move |b| (*name, a, b));
            places.iter().enumerate().flat_map(of)
        })
        .collect();
    if pairs.is_empty() {
        return Ok(Measured::absent());
    }
    let of_spread: Vec<_> = pairs
        .iter()
        .map(|(_, a, b)| ([a.setting, b.setting], [&a.tested, &b.tested]))
        .collect();
    let differences: Vec<(Estimate, Option<f64>)> = pairs
        .iter()
        .map(|(_, a, b)| a.mean.minus(b.mean, options.level))
        .collect();
    let adjusted = holm(differences.iter().map(|it| it.1));
    let judged = ratios(&of_spread, options).into_iter();
    let result = SettingEffects {
        pairs: judged
            .zip(pairs)
            .zip(differences.into_iter().zip(adjusted))
            .map(
                |((spread, (learner, a, b)), ((difference, _), p_value))| SettingEffect {
                    learner: learner.to_owned(),
                    spread,
                    means: [a.mean.value, b.mean.value],
                    difference,
                    p_value,
                },
            )
            .collect(),
    };
    let findings = learners
        .iter()
        .flat_map(|(learner, _)| {
            let own = result.pairs.iter().filter(|it| it.learner == *learner);
            told(learner, &own.collect::<Vec<_>>(), options)
        })
        .collect();
    Measured::new(&result, findings)
}

/// The pair of settings that lie farthest apart in the mean of a learner.
pub(crate) fn farthest<'e>(pairs: &[&'e SettingEffect]) -> Option<&'e SettingEffect> {
    let apart = |it: &SettingEffect| it.difference.value.abs();
    pairs
        .iter()
        .copied()
        .max_by(|x, y| apart(x).total_cmp(&apart(y)))
}

/// The largest ratio, either way, that the intervals of these pairs leave room for; none where one has no interval.
pub(crate) fn hidden(pairs: &[&SettingEffect]) -> Option<f64> {
    let room = |it: &&SettingEffect| {
        let interval = it.spread.ratio.as_ref()?.interval.as_ref()?;
        Some(interval.upper.max(1.0 / interval.lower.max(1e-9)))
    };
    let rooms: Option<Vec<f64>> = pairs.iter().map(room).collect();
    let most = rooms?.into_iter().reduce(f64::max)?;
    (most <= MOST_HIDDEN).then_some(most)
}

/// What is said of the spread where it is not settled: what could still hide, or why no test was made.
pub(crate) fn open_in_words(pairs: &[&SettingEffect]) -> String {
    let failed: Vec<&&SettingEffect> = pairs
        .iter()
        .filter(|it| it.spread.verdict == SpreadVerdict::FailuresDecide)
        .collect();
    if !failed.is_empty() {
        return "runs failed, and the spread of the other runs is not the spread of the learner"
            .to_owned();
    }
    let fewest = pairs.iter().flat_map(|it| it.spread.n_runs).min();
    if fewest.is_some_and(|n| n < FEWEST_RUNS) {
        return format!("a test needs {FEWEST_RUNS} runs in each setting");
    }
    let has_spread = |it: &&SettingEffect| it.spread.verdict != SpreadVerdict::NoSeedEffect;
    let moving: Vec<&SettingEffect> = pairs.iter().copied().filter(has_spread).collect();
    if moving.is_empty() {
        return "there is no spread beyond the noise of the test in either setting".to_owned();
    }
    hidden(&moving).map_or_else(
        || "the data put no upper limit on the ratio".to_owned(),
        |most| {
            format!(
                "a ratio of SDs of up to {} cannot be ruled out",
                ratio_in_words(most)
            )
        },
    )
}

/// The sentences on one learner: one on its spread, one on its mean.
fn told(learner: &str, pairs: &[&SettingEffect], options: &Options) -> Vec<Finding> {
    let words = Words::of(options);
    let finding = |certainty: Certainty, text: String| Finding {
        metric: SettingEffects::ID.to_owned(),
        setting: None,
        learner: Some(learner.to_owned()),
        certainty,
        text,
        without_failed: false,
    };
    let settled: Vec<String> = pairs
        .iter()
        .filter(|it| it.is_spread_told(options.level))
        .map(|it| it.spread_in_words(words))
        .collect();
    let of_spread = if settled.is_empty() {
        let text = format!(
            "Whether the setting moves the spread over seeds of {learner} is open: {}.",
            open_in_words(pairs)
        );
        finding(Certainty::NotDistinguishable, text)
    } else {
        let text = format!(
            "The setting moves the spread over seeds of {learner}: {}.",
            list(&settled)
        );
        finding(Certainty::Distinguishable, text)
    };
    let mut sentences = vec![of_spread];
    if let Some((pair, p)) = farthest(pairs).and_then(|it| Some((it, it.p_value?))) {
        let how = format!("{} ({} after Holm)", pair.mean_in_words(words), p_value(p));
        sentences.push(if p <= 1.0 - options.level {
            let text = format!("The setting moves the mean of {learner} {how}.");
            finding(Certainty::Distinguishable, text)
        } else {
            let text =
                format!("No setting is shown to move the mean of {learner}, which goes {how}.");
            finding(Certainty::NotDistinguishable, text)
        });
    }
    sentences
}
