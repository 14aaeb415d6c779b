//! F7 to F9: what the features of a run are like, and what adaptation does to them.

use serde::{Deserialize, Serialize};

use super::pool::over_runs;
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::summary::mean;

pub use crate::record::answers::representation::{Answers, Layer};

/// Effective rank under which a representation has collapsed.
pub const COLLAPSE: f64 = 5.0;

/// Features of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Representation {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// `within / between`: small where classes are tight and apart.
    pub separation: Estimate,
    /// Share of queries nearer to the center of another class.
    pub misplaced: Estimate,
    /// Movement of prototypes over support draws; above one half errors are expected from the draw alone.
    pub prototype_spread: Estimate,
    /// Effective rank.
    pub effective_rank: Estimate,
    /// Width of the features.
    pub width: usize,
    /// What adaptation changes, layer by layer.
    pub layers: Vec<LayerChange>,
}

/// What adaptation changes in one layer, over tasks and runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerChange {
    /// Name of the layer.
    pub name: String,
    /// CKA before and after.
    pub cka: Option<Estimate>,
    /// Relative change of the weights.
    pub weight_change: Estimate,
}

impl Measure for Representation {
    const ID: &'static str = "representation";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Representation::ID,
    title: "Features (F7-F9)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| {
        let answers = probe.representation.as_ref();
        answers.filter(|answers| !answers.separation.is_empty())
    });
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let over = |of: &dyn Fn(&Answers) -> Vec<f64>| {
        over_runs(
            &asked.iter().map(|run| of(run)).collect::<Vec<_>>(),
            options.level,
        )
    };
    let mut layers = Vec::new();
    for (at, layer) in first.layers.iter().enumerate() {
        let of = |pick: fn(&Layer) -> &Vec<f64>| {
            move |run: &Answers| {
                run.layers
                    .get(at)
                    .map(|layer| pick(layer).clone())
                    .unwrap_or_default()
            }
        };
        layers.push(LayerChange {
            name: layer.name.clone(),
            cka: over(&of(|layer| &layer.cka)),
            weight_change: some(over(&of(|layer| &layer.weight_change)))?,
        });
    }
    let result = Representation {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        separation: some(over(&|run| run.separation.clone()))?,
        misplaced: some(over(&|run| run.misplaced.clone()))?,
        prototype_spread: some(over(&|run| run.prototype_spread.clone()))?,
        effective_rank: some(over(&|run| vec![run.effective_rank]))?,
        width: first.width,
        layers,
    };
    let finding = Finding::of_learner(
        group,
        Representation::ID,
        Certainty::Estimated,
        sentence(group.learner, &result),
    );
    Measured::new(&result, vec![finding])
}

fn sentence(learner: &str, result: &Representation) -> String {
    let mut text = format!(
        "The features of {learner} have effective rank {:.1} of {} and a within-to-between ratio of classes of {:.2}; {} of queries are \
         nearer to another class. With another support set, a prototype moves by {:.2} of its distance to the nearest other prototype.",
        result.effective_rank.value,
        result.width,
        result.separation.value,
        percent(result.misplaced.value),
        result.prototype_spread.value
    );
    if result.effective_rank.value < COLLAPSE {
        text += " That rank is under 5: the representation has collapsed.";
    }
    let of_body: Vec<f64> = result
        .layers
        .iter()
        .filter_map(|layer| Some(layer.cka.as_ref()?.value))
        .collect();
    if let (false, Some(last)) = (of_body.is_empty(), result.layers.last()) {
        text += &format!(
            " The body's features before and after adaptation have CKA {:.2} (mean over layers), and adaptation changes the weights of {} by \
             {}.",
            mean(&of_body),
            last.name,
            percent(last.weight_change.value)
        );
    }
    text
}
