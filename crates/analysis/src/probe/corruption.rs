//! G3: what is left under damaged images, in the supports, in the queries, in both.

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs};
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, points};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

pub use crate::record::answers::corruption::{Answers, Damaged, Place};

/// Drops under damage of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorruptionDrop {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Accuracy on clean images.
    pub clean: Estimate,
    /// Mean corruption drop, `mean over kinds and severities of (A_clean - A)`, by place.
    pub places: Vec<(Place, Estimate)>,
    /// Drop of each kind with both damaged, mean over severities; the worst kind first.
    pub kinds: Vec<(String, Estimate)>,
    /// Mean accuracy at each kind, place and severity: what the figure draws.
    pub curves: Vec<Curve>,
}

/// Accuracy over severities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Kind of damage.
    pub kind: String,
    /// Which images are damaged.
    pub place: Place,
    /// Mean accuracy at severity 1, 2, ...
    pub accuracy: Vec<Estimate>,
}

impl Measure for CorruptionDrop {
    const ID: &'static str = "corruption";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: CorruptionDrop::ID,
    title: "Damaged images (G3)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.corruption.as_ref());
    let Some(first) = asked.first().filter(|first| !first.damaged.is_empty()) else {
        return Ok(Measured::absent());
    };
    let over = |of: &dyn Fn(&Answers) -> Vec<f64>| {
        some(over_runs(
            &asked.iter().map(|run| of(run)).collect::<Vec<_>>(),
            options.level,
        ))
    };
    let mut places = Vec::new();
    for place in Place::ALL {
        places.push((place, over(&|run| run.drops(|d| d.place == place))?));
    }
    let (mut kinds, mut curves): (Vec<(String, Estimate)>, Vec<Curve>) = (Vec::new(), Vec::new());
    for damaged in &first.damaged {
        let kind = &damaged.kind;
        if !kinds.iter().any(|(known, _)| known == kind) {
            kinds.push((
                kind.clone(),
                over(&|run| run.drops(|d| d.kind == *kind && d.place == Place::Both))?,
            ));
        }
        let is_it = |d: &&Damaged| {
            d.kind == *kind && d.place == damaged.place && d.severity == damaged.severity
        };
        let accuracy = over(&|run| {
            run.damaged
                .iter()
                .find(is_it)
                .map(|d| d.accuracy.clone())
                .unwrap_or_default()
        })?;
        match curves
            .iter_mut()
            .find(|curve| curve.kind == *kind && curve.place == damaged.place)
        {
            Some(curve) => curve.accuracy.push(accuracy),
            None => curves.push(Curve {
                kind: kind.clone(),
                place: damaged.place,
                accuracy: vec![accuracy],
            }),
        }
    }
    kinds.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    let result = CorruptionDrop {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        clean: over(&|run| run.clean.clone())?,
        places,
        kinds,
        curves,
    };
    let of = |place: Place| {
        result
            .places
            .iter()
            .find(|(p, _)| *p == place)
            .map(|(_, estimate)| estimate)
    };
    let mut text = format!("Damage to all images costs {}", group.learner);
    if let (Some(both), Some(support), Some(query)) =
        (of(Place::Both), of(Place::Support), of(Place::Query))
    {
        text += &format!(
            " {} on average over kinds and severities; to the supports alone {}, to the queries alone {}",
            in_points(both),
            points(support.value),
            points(query.value)
        );
    }
    if let (Some((worst, drop)), Some((mildest, least))) =
        (result.kinds.first(), result.kinds.last())
    {
        text += &format!(
            "; {worst} hurts most ({}), {mildest} least ({})",
            points(drop.value),
            points(least.value)
        );
    }
    text.push('.');
    let finding = Finding::of_learner(group, CorruptionDrop::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}
