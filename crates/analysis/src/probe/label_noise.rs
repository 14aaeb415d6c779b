//! G4: wrong labels among the supports, and the share at which the learner breaks down.

use serde::{Deserialize, Serialize};

use super::pool::over_runs;
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::random::{generator, index, shuffle};

pub use crate::record::answers::label_noise::Answers;

/// Which supports get a wrong label first, and what stands in their place: an order of the slots
/// `class * k_shot + k`, and for each slot another class and one of its spare examples `k_shot .. 2 k_shot`.
///
/// Symmetric: every other class is as likely. No spare example is used twice. Under draw `index`, a larger share of wrong
/// labels keeps those of a smaller one.
#[must_use]
pub fn wrong_labels(n_way: usize, k_shot: usize, draw: u64) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut rng = generator(0, "label_noise/wrong", draw);
    let mut order: Vec<usize> = (0..n_way * k_shot).collect();
    shuffle(&mut rng, &mut order);
    // One offset for all classes at each position: no two of them meet at one spare example.
    let offsets: Vec<usize> = (0..k_shot)
        .map(|_| 1 + index(&mut rng, n_way - 1))
        .collect();
    let source = |slot: usize| {
        let k = slot % k_shot;
        ((slot / k_shot + offsets[k]) % n_way, k_shot + k)
    };
    let sources = (0..n_way * k_shot).map(source).collect();
    (order, sources)
}

/// Label noise of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelNoise {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Supports of each class.
    pub k_shot: usize,
    /// Share of wrong labels, and mean accuracy.
    pub curve: Vec<(f64, Estimate)>,
    /// Share at which half of what is above chance is lost, by straight lines between the shares; absent if it is not
    /// lost at the highest.
    pub breakdown: Option<f64>,
}

impl Measure for LabelNoise {
    const ID: &'static str = "label_noise";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: LabelNoise::ID,
    title: "Wrong support labels (G4)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut asked: Vec<&Answers> = group.answers(|probe| probe.label_noise.as_ref());
    let Some(first) = asked.first().copied() else {
        return Ok(Measured::absent());
    };
    asked.retain(|run| run.shares == first.shares);
    let mut curve = Vec::new();
    for (at, share) in first.shares.iter().enumerate() {
        let row = |run: &&Answers| run.accuracy[at * run.n_tasks..(at + 1) * run.n_tasks].to_vec();
        let runs: Vec<Vec<f64>> = asked.iter().map(row).collect();
        curve.push((*share, some(over_runs(&runs, options.level))?));
    }
    let means: Vec<(f64, f64)> = curve
        .iter()
        .map(|(share, accuracy)| (*share, accuracy.value))
        .collect();
    let result = LabelNoise {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        k_shot: first.k_shot,
        breakdown: breakdown(&means, 1.0 / first.n_way as f64),
        curve,
    };
    let last = means[means.len() - 1];
    let point = result.breakdown.map_or_else(
        || {
            format!(
                "keeps more than half of its accuracy above chance up to {} wrong labels",
                percent(last.0)
            )
        },
        |share| {
            format!(
                "loses half of its accuracy above chance at {} wrong labels",
                percent(share)
            )
        },
    );
    let text = format!(
        "With {} supports a class {} {point} (accuracy {} with none, {} with {}).",
        result.k_shot,
        group.learner,
        percent(means[0].1),
        percent(last.1),
        percent(last.0)
    );
    let finding = Finding::of_learner(group, LabelNoise::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}

/// Where the curve first falls to `chance + (A(0) - chance) / 2`.
fn breakdown(curve: &[(f64, f64)], chance: f64) -> Option<f64> {
    let half = chance + (curve.first()?.1 - chance) / 2.0;
    curve.windows(2).find_map(|pair| {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        (y0 > half && y1 <= half).then(|| x0 + (x1 - x0) * (y0 - half) / (y0 - y1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_label_is_that_of_another_class_and_no_example_serves_twice() {
        let (mut order, sources) = wrong_labels(5, 3, 4);
        let mut distinct = sources.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 15);
        for (slot, (class, at)) in sources.iter().enumerate() {
            assert!(*class != slot / 3 && *class < 5 && (3..6).contains(at));
        }
        order.sort_unstable();
        assert_eq!(order, (0..15).collect::<Vec<_>>());
    }

    #[test]
    fn breakdown_by_hand() {
        // Above chance 0.2: 0.8 at none, so half is 0.6, between 0.2 (0.7) and 0.4 (0.5).
        let curve = [(0.0, 1.0), (0.2, 0.7), (0.4, 0.5)];
        assert!((breakdown(&curve, 0.2).unwrap() - 0.3).abs() < 1e-12);
        assert!(breakdown(&curve[..2], 0.2).is_none());
    }
}
