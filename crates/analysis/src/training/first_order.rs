//! E14: what dropping the Hessians does to the meta-gradient, on the tasks of the training itself.

use serde::{Deserialize, Serialize};

use super::{FirstOrderBias, InnerAngles, TrainingLog, by_step};
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::probe::pool::over_runs;
use crate::summary::mean;

/// First-order bias of one learner with an inner loop, whether it drops the Hessians itself or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstOrder {
    /// Runs with a look.
    pub n_runs: usize,
    /// Cosine of the exact and the first-order meta-gradient, mean over the training.
    pub cosine: Estimate,
    /// Norm of their difference over that of the exact one, mean over the training.
    pub difference: Estimate,
    /// Each layer, means over runs and looks.
    pub layers: Vec<(String, FirstOrderBias)>,
    /// Along the training, means over runs.
    pub course: Vec<(usize, FirstOrderBias)>,
}

impl Measure for FirstOrder {
    const ID: &'static str = "first_order";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: FirstOrder::ID,
    title: "First-order bias of the meta-gradient (E14)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let logs = super::logs(group);
    let over = |of: fn(&FirstOrderBias) -> f64| {
        let each: Vec<Vec<f64>> = logs
            .iter()
            .map(|log| {
                looks(log)
                    .filter_map(|(_, it)| it.bias.as_ref().map(of))
                    .collect()
            })
            .filter(|values: &Vec<f64>| !values.is_empty())
            .map(|values: Vec<f64>| vec![mean(&values)])
            .collect();
        (each.len(), over_runs(&each, options.level))
    };
    let ((n_runs, Some(cosine)), (_, Some(difference))) =
        (over(|bias| bias.cosine), over(|bias| bias.difference))
    else {
        return Ok(Measured::absent());
    };
    let names = &logs[0].layers;
    let of_layer = |at: usize| {
        let all = logs.iter().flat_map(|log| looks(log));
        let found: Vec<FirstOrderBias> = all
            .filter_map(|(_, inner)| *inner.layers.get(at)?)
            .collect();
        Some((names[at].clone(), average(&found)?))
    };
    let biases = logs.iter().flat_map(|log| looks(log));
    let biases = biases.filter_map(|(step, inner)| Some((step, inner.bias?)));
    let result = FirstOrder {
        n_runs,
        cosine,
        difference,
        layers: (0..names.len()).filter_map(of_layer).collect(),
        course: by_step(biases)
            .into_iter()
            .filter_map(|(step, found)| Some((step, average(&found)?)))
            .collect(),
    };
    let text = said(group.learner, &result);
    let certainty = Certainty::of_estimate(result.n_runs);
    let finding = Finding::of_learner(group, FirstOrder::ID, certainty, text);
    Measured::new(&result, vec![finding])
}

fn said(learner: &str, result: &FirstOrder) -> String {
    let interval = result.cosine.interval.as_ref();
    let interval = interval.map_or_else(
        || ", one run".to_owned(),
        |i| format!(", {:.3} to {:.3} for other seeds", i.lower, i.upper),
    );
    let by_cosine = |a: &&(String, FirstOrderBias), b: &&(String, FirstOrderBias)| {
        a.1.cosine.total_cmp(&b.1.cosine)
    };
    let worst = result.layers.iter().min_by(by_cosine);
    let worst = worst.map_or_else(String::new, |(layer, bias)| {
        format!(
            "; the layer where it errs most is {layer} (cosine {:.3})",
            bias.cosine
        )
    });
    format!(
        "Along the training of {learner} the first-order meta-gradient has a cosine of {:.3} with the exact one{interval}, and differs \
         from it by {} of its norm{worst}.",
        result.cosine.value,
        percent(result.difference.value)
    )
}

fn looks(log: &TrainingLog) -> impl Iterator<Item = (usize, &InnerAngles)> {
    let lines = log.lines.iter();
    lines.filter_map(|line| Some((line.step, line.angles.as_ref()?.inner.as_ref()?)))
}

fn average(found: &[FirstOrderBias]) -> Option<FirstOrderBias> {
    let of = |of: fn(&FirstOrderBias) -> f64| mean(&found.iter().map(of).collect::<Vec<_>>());
    (!found.is_empty()).then(|| FirstOrderBias {
        cosine: of(|bias| bias.cosine),
        difference: of(|bias| bias.difference),
    })
}
