//! G1 and G2: other numbers of classes and supports than in training, and other data.

use serde::{Deserialize, Serialize};

use super::pool::over_runs;
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent, points};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

pub use crate::record::answers::mismatch::{Answers, Domain, Shape};

/// Mismatch of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mismatch {
    /// Runs asked.
    pub n_runs: usize,
    /// Classes and supports of training tasks.
    pub trained: (usize, usize),
    /// Classes and supports of the test.
    pub tested: (usize, usize),
    /// Accuracy at other shapes: classes, supports, accuracy.
    pub shapes: Vec<(usize, usize, Estimate)>,
    /// Accuracy on its own test classes.
    pub own: Estimate,
    /// Other data.
    pub domains: Vec<OnDomain>,
}

/// One learner on other data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnDomain {
    /// Name of the data set.
    pub set: String,
    /// Classes that tasks were drawn from.
    pub n_classes: usize,
    /// Accuracy there.
    pub accuracy: Estimate,
    /// `A_in - A_out`.
    pub drop: Estimate,
    /// The drop over what is above chance at home; absent where nothing is.
    pub relative: Option<f64>,
}

impl Measure for Mismatch {
    const ID: &'static str = "mismatch";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Mismatch::ID,
    title: "Other shapes and other data (G1, G2)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.mismatch.as_ref());
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let level = options.level;
    let mut shapes = Vec::new();
    for shape in &first.shapes {
        let same = |other: &&Shape| (other.way, other.shot) == (shape.way, shape.shot);
        let runs = asked
            .iter()
            .filter_map(|run| Some(run.shapes.iter().find(same)?.accuracy.clone()));
        shapes.push((
            shape.way,
            shape.shot,
            some(over_runs(&runs.collect::<Vec<_>>(), level))?,
        ));
    }
    let own: Vec<Vec<f64>> = asked.iter().map(|run| run.own.clone()).collect();
    let own = some(over_runs(&own, level))?;
    let chance = 1.0 / first.tested.0 as f64;
    let mut domains = Vec::new();
    for domain in &first.domains {
        let with = asked.iter().filter_map(|run| {
            let there = run.domains.iter().find(|d| d.digest == domain.digest)?;
            Some((run, &there.accuracy))
        });
        let (mut accuracy, mut drop) = (Vec::new(), Vec::new());
        for (run, there) in with {
            // Tasks of two data sets are not paired: means against means.
            let home = crate::summary::mean(&run.own);
            drop.push(there.iter().map(|a| home - a).collect());
            accuracy.push(there.clone());
        }
        let drop = some(over_runs(&drop, level))?;
        domains.push(OnDomain {
            set: domain.set.clone(),
            n_classes: domain.n_classes,
            accuracy: some(over_runs(&accuracy, level))?,
            relative: (own.value > chance).then(|| drop.value / (own.value - chance)),
            drop,
        });
    }
    let result = Mismatch {
        n_runs: asked.len(),
        trained: first.trained,
        tested: first.tested,
        shapes,
        own,
        domains,
    };
    let findings = result.domains.iter().map(|domain| {
        let text = format!(
            "On {}, {} reaches {}, which is {} less than on its own test classes.",
            domain.set,
            group.learner,
            percent(domain.accuracy.value),
            points(domain.drop.value)
        );
        Finding::of_learner(group, Mismatch::ID, Certainty::Estimated, text)
    });
    Measured::new(&result, findings.collect())
}
