//! S1: how far a learner falls when its tasks switch, how soon it is back, and what it would have gained by being told.

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs_of};
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::summary::{mean, standard_deviation};

pub use crate::record::answers::switches::{Answers, Kind, Switched};

/// Episodes of a running mean.
pub const WINDOW: usize = 5;

/// Streams of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switches {
    /// Runs asked.
    pub n_runs: usize,
    /// Streams of each kind.
    pub n_streams: usize,
    /// Episodes before the switch.
    pub n_before: usize,
    /// Episodes after it.
    pub n_after: usize,
    /// By what switches.
    pub kinds: Vec<OfKind>,
}

/// Streams of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfKind {
    /// What switches.
    pub kind: Kind,
    /// Accuracy of the online learner before the switch.
    pub level: Estimate,
    /// That level less the accuracy on the first [`WINDOW`] episodes after the switch.
    pub drop: Estimate,
    /// Episodes until each run is back ([`recovery`]); none for a run that is not within the stream.
    pub recovery: Vec<Option<usize>>,
    /// Accuracy of the told learner less that of the online one, mean over the episodes after the switch.
    pub regret: Estimate,
    /// Accuracy of the online learner less that of the frozen one on the last [`WINDOW`] episodes.
    pub gain: Estimate,
    /// Accuracy by episode, mean over runs and streams: online and frozen from the first episode on, told from the switch on.
    pub curves: [Vec<f64>; 3],
    /// Streams, over all runs, on which the online learner diverged.
    pub n_diverged: usize,
}

impl Measure for Switches {
    const ID: &'static str = "switches";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Switches::ID,
    title: "Tasks that switch (S1)",
    measure,
};

/// Means over `window` episodes in a row.
#[must_use]
pub fn running_means(values: &[f64], window: usize) -> Vec<f64> {
    values.windows(window.max(1)).map(mean).collect()
}

/// Episodes after the switch until the running mean of `window` episodes is back within one standard deviation of the level before: the level
/// is the mean before the switch, the standard deviation that of its running means. 0 if the first running mean is; `None` if none is.
///
/// # Shapes
/// `curve`: accuracy by episode, `n_before` of them before the switch.
#[must_use]
pub fn recovery(curve: &[f64], n_before: usize, window: usize) -> Option<usize> {
    let (before, after) = curve.split_at(n_before.min(curve.len()));
    if before.is_empty() || after.is_empty() {
        return None;
    }
    let window = window.min(before.len()).min(after.len());
    let known = running_means(before, window);
    let sd = match known.len() {
        0 | 1 => 0.0,
        _ => standard_deviation(&known),
    };
    // Rounding of equal means is no loss.
    let enough = mean(before) - sd - 1e-12;
    let means = running_means(after, window);
    means.iter().position(|mean| *mean >= enough)
}

/// Mean over the rows of a table.
fn column_means(table: &[f64], width: usize) -> Vec<f64> {
    let n = table.len() / width.max(1);
    let at = |column: usize| table.iter().skip(column).step_by(width).sum::<f64>() / n as f64;
    (0..width).map(at).collect()
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut asked: Vec<&Answers> = group.answers(|probe| probe.switches.as_ref());
    let Some(first) = asked.first().copied() else {
        return Ok(Measured::absent());
    };
    let sizes = |run: &Answers| {
        let kinds: Vec<Kind> = run.switches.iter().map(|it| it.kind).collect();
        (run.n_streams, run.n_before, run.n_after, kinds)
    };
    asked.retain(|run| sizes(run) == sizes(first));
    let kinds = (0..first.switches.len())
        .map(|at| of_kind(&asked, at, options))
        .collect::<Result<Vec<_>, _>>()?;
    let result = Switches {
        n_runs: asked.len(),
        n_streams: first.n_streams,
        n_before: first.n_before,
        n_after: first.n_after,
        kinds,
    };
    let findings = result.kinds.iter().map(|it| {
        let text = sentence(group.learner, &result, it);
        Finding::of_learner(group, Switches::ID, Certainty::Estimated, text)
    });
    Measured::new(&result, findings.collect())
}

/// A value of one stream, of its online, frozen and told accuracies.
type OfStream<'a> = dyn Fn(&[f64], &[f64], &[f64]) -> f64 + 'a;

fn of_kind(asked: &[&Answers], at: usize, options: &Options) -> Result<OfKind, AnalysisError> {
    let (n_before, n_after) = (asked[0].n_before, asked[0].n_after);
    let n = n_before + n_after;
    let runs: Vec<&Switched> = asked.iter().map(|run| &run.switches[at]).collect();
    let window = WINDOW.min(n_after);
    // A value for each stream of a run.
    let over = |of: &OfStream<'_>| {
        let values: Vec<Vec<f64>> = runs
            .iter()
            .map(|run| {
                let streams = run.online.chunks_exact(n).zip(run.frozen.chunks_exact(n));
                let streams = streams.zip(run.told.chunks_exact(n_after));
                streams
                    .map(|((online, frozen), told)| of(online, frozen, told))
                    .collect()
            })
            .collect();
        some(over_runs_of(&values, options.level, "streams"))
    };
    let curves = |of: fn(&Switched) -> &Vec<f64>, width: usize| {
        let all: Vec<f64> = runs.iter().flat_map(|run| of(run)).copied().collect();
        column_means(&all, width)
    };
    Ok(OfKind {
        kind: runs[0].kind,
        level: over(&|online, _, _| mean(&online[..n_before]))?,
        drop: over(&|online, _, _| {
            mean(&online[..n_before]) - mean(&online[n_before..][..window])
        })?,
        recovery: runs
            .iter()
            .map(|run| recovery(&column_means(&run.online, n), n_before, WINDOW))
            .collect(),
        regret: over(&|online, _, told| mean(told) - mean(&online[n_before..]))?,
        gain: over(&|online, frozen, _| mean(&online[n - window..]) - mean(&frozen[n - window..]))?,
        curves: [
            curves(|run| &run.online, n),
            curves(|run| &run.frozen, n),
            curves(|run| &run.told, n_after),
        ],
        n_diverged: runs.iter().map(|run| run.n_diverged).sum(),
    })
}

/// `2 of 3 runs are back, after 0 and 12 episodes; 1 is not within 40`.
pub(crate) fn in_words(recovery: &[Option<usize>], n_after: usize) -> String {
    let mut back: Vec<usize> = recovery.iter().flatten().copied().collect();
    back.sort_unstable();
    let n_lost = recovery.len() - back.len();
    let of = format!("{} of {} runs", back.len(), recovery.len());
    let after = match (back.first(), back.last()) {
        (Some(first), Some(last)) if first == last => format!(" after {first} episodes"),
        (Some(first), Some(last)) => format!(" after {first} to {last} episodes"),
        _ => String::new(),
    };
    if n_lost == 0 {
        format!("{of} are back{after}")
    } else {
        format!("{of} are back{after}, and {n_lost} not within {n_after} episodes")
    }
}

fn sentence(learner: &str, all: &Switches, of: &OfKind) -> String {
    format!(
        "When the tasks switch to {}, the accuracy of {learner} changes by {}; {}. Against a learner that was told, it loses {} on average over {} \
         episodes.",
        of.kind.name(),
        in_points(&negated(&of.drop)),
        in_words(&of.recovery, all.n_after),
        in_points(&of.regret),
        all.n_after
    )
}

/// A change in place of a fall.
pub(crate) fn negated(estimate: &Estimate) -> Estimate {
    let mut turned = estimate.clone();
    turned.value = 0.0 - turned.value;
    if let Some(interval) = &mut turned.interval {
        (interval.lower, interval.upper) = (0.0 - interval.upper, 0.0 - interval.lower);
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten episodes at 0.8 and a fall to 0.5 for seven: the first window of five at 0.8 or more begins at the seventh.
    #[test]
    fn recovery_of_a_known_curve() {
        let before = [0.79, 0.81, 0.8, 0.79, 0.81, 0.8, 0.79, 0.81, 0.8, 0.8];
        let fall = [0.5; 7];
        let curve = [&before[..], &fall, &[0.81; 8]].concat();
        assert_eq!(recovery(&curve, 10, 5), Some(7));
        // Never back: no number.
        assert_eq!(recovery(&[&before[..], &[0.5; 15]].concat(), 10, 5), None);
        // No switch: at once.
        assert_eq!(recovery(&[0.7; 20], 10, 5), Some(0));
        assert_eq!(recovery(&[0.7; 3], 3, 5), None);
    }

    #[test]
    fn a_censored_run_has_no_number() {
        assert_eq!(
            in_words(&[Some(3), None, Some(0)], 40),
            "2 of 3 runs are back after 0 to 3 episodes, and 1 not within 40 episodes"
        );
        assert_eq!(
            in_words(&[None], 9),
            "0 of 1 runs are back, and 1 not within 9 episodes"
        );
        assert_eq!(
            in_words(&[Some(2)], 9),
            "1 of 1 runs are back after 2 episodes"
        );
    }

    /// Two streams of two episodes before and two after: level 0.9, a fall of 0.4, a told learner 0.2 above, a frozen one 0.1 below.
    #[test]
    fn figures_of_known_streams() {
        let answers = Answers {
            n_streams: 2,
            n_before: 2,
            n_after: 2,
            switches: vec![Switched {
                kind: Kind::Turn,
                online: vec![0.9, 0.9, 0.5, 0.5, 0.9, 0.9, 0.5, 0.5],
                frozen: vec![0.9, 0.9, 0.4, 0.4, 0.9, 0.9, 0.4, 0.4],
                told: vec![0.7, 0.7, 0.7, 0.7],
                n_diverged: 1,
            }],
        };
        let found = of_kind(&[&answers, &answers], 0, &Options::default()).unwrap();
        let near = |estimate: &Estimate, value: f64| (estimate.value - value).abs() < 1e-12;
        assert!(near(&found.level, 0.9) && near(&found.drop, 0.4));
        assert!(near(&found.regret, 0.2) && near(&found.gain, 0.1));
        assert_eq!((found.recovery, found.n_diverged), (vec![None, None], 2));
        assert!(
            found.curves[0]
                .iter()
                .zip([0.9, 0.9, 0.5, 0.5])
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
    }
}
