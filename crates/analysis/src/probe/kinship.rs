//! F5 and F6: do two trainings learn the same features, and is there a hill between them?

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::SettingRuns;
use crate::jackknife;
use crate::metric::{Measure, Measured, SettingMetric};
use crate::options::Options;
use crate::summary::mean;

pub use crate::record::answers::kinship::{Answers, Pair};

/// Kinship of all runs of one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kinship {
    /// Learner and seed of each run that was compared.
    pub runs: Vec<(String, u64)>,
    /// CKA of the last layer, `(runs, runs)`; absent on the diagonal and where it is not known.
    pub last_layer: Vec<Vec<Option<f64>>>,
    /// Seeds of one learner against each other.
    pub learners: Vec<AmongSeeds>,
}

/// Runs of one learner against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AmongSeeds {
    /// The learner.
    pub learner: String,
    /// Pairs of runs.
    pub n_pairs: usize,
    /// CKA of each layer, mean over pairs, with the jackknife's interval over runs: pairs share runs.
    pub layers: Vec<(String, Estimate)>,
    /// Barrier in nats, mean over pairs; absent without a line whose ends are finite.
    pub barrier: Option<Estimate>,
    /// Pairs with a point on their line that is not finite: their barrier is beyond any number, and is not in the mean.
    pub n_infinite: usize,
    /// The lines.
    pub lines: Vec<Vec<Option<f64>>>,
}

impl Measure for Kinship {
    const ID: &'static str = "kinship";
}

pub(crate) const METRIC: SettingMetric = SettingMetric {
    id: Kinship::ID,
    title: "Features and paths between trainings (F5, F6)",
    measure,
};

fn measure(group: &SettingRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut runs = Vec::new();
    let mut pairs: Vec<(&str, &Pair)> = Vec::new();
    for learner in &group.learners {
        for (run, probe) in &learner.probes {
            if let Some(answers) = &probe.kinship {
                runs.push((run.id.as_str(), learner.learner, run.seed));
                pairs.extend(answers.pairs.iter().map(|pair| (run.id.as_str(), pair)));
            }
        }
    }
    let at = |id: &str| runs.iter().position(|run| run.0 == id);
    // A run that is left out here (failed, say) takes its pairs with it.
    pairs.retain(|(_, pair)| at(&pair.other).is_some());
    if pairs.is_empty() {
        return Ok(Measured::absent());
    }
    let mut last_layer = vec![vec![None; runs.len()]; runs.len()];
    for (id, pair) in &pairs {
        if let (Some(a), Some(b)) = (at(id), at(&pair.other)) {
            let cka = pair.layers.last().and_then(|(_, cka)| *cka);
            last_layer[a][b] = cka;
            last_layer[b][a] = cka;
        }
    }
    let learner_of = |id: &str| at(id).map(|at| runs[at].1);
    let mut learners = Vec::new();
    for learner in &group.learners {
        let own = pairs.iter().filter(|(id, pair)| {
            learner_of(id) == Some(learner.learner)
                && learner_of(&pair.other) == Some(learner.learner)
        });
        let own: Vec<(&str, &Pair)> = own.copied().collect();
        learners.extend(among_seeds(learner.learner, &own, options.level));
    }
    let mut findings = Vec::new();
    for among in &learners {
        if let Some((name, last)) = among.layers.last() {
            let barrier = among.barrier.as_ref().map_or_else(String::new, |barrier| {
                format!(", and on the straight path between their parameters the loss rises {:.2} nats above its ends", barrier.value)
            });
            let text = format!(
                "Two trainings of {} have CKA {:.2} in the last features ({name}; mean over {} pairs){barrier}.",
                among.learner, last.value, among.n_pairs
            );
            findings.push(Finding::of_setting(
                group.setting,
                Kinship::ID,
                Certainty::Estimated,
                text,
            ));
        }
    }
    let result = Kinship {
        runs: runs
            .iter()
            .map(|(_, learner, seed)| ((*learner).to_owned(), *seed))
            .collect(),
        last_layer,
        learners,
    };
    Measured::new(&result, findings)
}

/// The pairs of runs of one learner, `(id, pair)`.
fn among_seeds(learner: &str, pairs: &[(&str, &Pair)], level: f64) -> Option<AmongSeeds> {
    let (_, first) = pairs.first()?;
    let mut ids: Vec<&str> = pairs
        .iter()
        .flat_map(|(id, pair)| [*id, pair.other.as_str()])
        .collect();
    ids.sort_unstable();
    ids.dedup();
    // Pairs share runs: the interval is over runs.
    let over = |value: &dyn Fn(&Pair) -> Option<f64>| {
        jackknife::over_runs(ids.len(), level, |kept| {
            let has = |id: &str| kept.iter().any(|at| ids[*at] == id);
            let values: Vec<f64> = pairs
                .iter()
                .filter(|(id, pair)| has(id) && has(&pair.other))
                .filter_map(|(_, pair)| value(pair))
                .collect();
            (!values.is_empty()).then(|| mean(&values))
        })
    };
    let layers = first
        .layers
        .iter()
        .enumerate()
        .filter_map(|(at, (name, _))| {
            let found = over(&|pair| pair.layers.get(at)?.1)?;
            Some((name.clone(), found.within_shares()))
        });
    let barrier = |pair: &Pair| {
        let losses: Vec<f64> = pair
            .line
            .iter()
            .map(|loss| loss.unwrap_or(f64::NAN))
            .collect();
        crate::landscape::barrier(&losses)
    };
    let beyond = |(_, pair): &&(&str, &Pair)| barrier(pair).is_some_and(|it| !it.is_finite());
    let lines = pairs.iter().map(|(_, pair)| pair.line.clone());
    Some(AmongSeeds {
        learner: learner.to_owned(),
        n_pairs: pairs.len(),
        layers: layers.collect(),
        n_infinite: pairs.iter().filter(beyond).count(),
        barrier: over(&|pair| barrier(pair).filter(|it| it.is_finite())),
        lines: lines.filter(|line| !line.is_empty()).collect(),
    })
}
