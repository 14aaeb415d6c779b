//! A5 across learners: is a task hard for everybody?

use serde::{Deserialize, Serialize};

use crate::comparison::same_episodes;
use crate::difficulty::nll_table;
use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding};
use crate::group::SettingRuns;
use crate::metric::{Measure, Measured, SettingMetric};
use crate::options::Options;
use crate::summary::rank_correlation;

/// Difficulty across the learners of one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Each pair of learners tested on the same episodes.
    pub pairs: Vec<LearnerAgreement>,
}

/// Rank correlation of the difficulty of tasks (mean over runs) between two learners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerAgreement {
    /// One learner.
    pub a: String,
    /// The other.
    pub b: String,
    /// Spearman's correlation; absent if one side is constant.
    pub rank_correlation: Option<f64>,
}

impl Measure for Transfer {
    const ID: &'static str = "transfer";
}

pub(crate) const METRIC: SettingMetric = SettingMetric {
    id: Transfer::ID,
    title: "Is a task hard for every learner? (A5)",
    measure,
};

fn measure(group: &SettingRuns<'_>, _: &Options) -> Result<Measured, AnalysisError> {
    let mut tasks = Vec::new();
    for learner in &group.learners {
        if let Some(table) = nll_table(learner)? {
            tasks.push((learner, table.task_means()));
        }
    }
    let mut result = Transfer { pairs: Vec::new() };
    let mut findings = Vec::new();
    for (at, (a, a_tasks)) in tasks.iter().enumerate() {
        for (b, b_tasks) in tasks[at + 1..].iter().filter(|(b, _)| same_episodes(a, b)) {
            let rho = rank_correlation(a_tasks, b_tasks);
            result.pairs.push(LearnerAgreement {
                a: a.learner.to_owned(),
                b: b.learner.to_owned(),
                rank_correlation: rho,
            });
            if let Some(rho) = rho {
                let text = format!(
                    "The tasks that are hard for {} and those hard for {} have rank correlation {rho:.2} over {} tasks.",
                    a.learner,
                    b.learner,
                    a_tasks.len()
                );
                findings.push(Finding::of_setting(
                    group.setting,
                    Transfer::ID,
                    Certainty::Estimated,
                    text,
                ));
            }
        }
    }
    if result.pairs.is_empty() {
        return Ok(Measured::absent());
    }
    Measured::new(&result, findings)
}
