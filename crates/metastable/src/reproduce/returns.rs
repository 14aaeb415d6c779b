//! Published curves of returns, one mean for each number of inner steps, and what runs of policies say of them.
//!
//! The rule is that of [`metastable_analysis::reproduction`], as for accuracies; margins and differences are in the unit of the returns.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use metastable_analysis::ScoreMatrix;
use metastable_analysis::reproduction::{
    PlusMinus, Published, Reproduction, Rule, Word, reproduction,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::published::{Checked, Paper};
use crate::campaign::Finished;
use crate::run::{RunConfig, returns};

const FILES: [&str; 1] = [include_str!("../../published/returns/finn2017.toml")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    paper: Paper,
    curve: Vec<Curve>,
}

/// One curve.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Curve {
    name: String,
    data: String,
    learner: String,
    #[serde(rename = "where")]
    place: String,
    checked: Checked,
    checked_in: String,
    /// What tells this curve from the others: a learner of ours is compared with it where all of these agree.
    settings: BTreeMap<String, Value>,
    /// What is known of how it came about.
    protocol: BTreeMap<String, Value>,
    tasks: usize,
    runs: usize,
    /// As printed, after 0, 1, ... inner steps.
    means: Vec<String>,
    /// Standard deviation over tasks of each.
    task_sd: Vec<String>,
}

/// One published mean beside runs of ours.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) learner: String,
    pub(super) setting: String,
    pub(super) curve: String,
    pub(super) paper: Paper,
    #[serde(rename = "where")]
    pub(super) place: String,
    pub(super) checked: Checked,
    pub(super) checked_in: String,
    /// Inner steps made.
    pub(super) steps: usize,
    pub(super) published: String,
    /// Runs that were tested, and runs that diverged before.
    pub(super) runs: usize,
    pub(super) failed: usize,
    pub(super) differs: Vec<String>,
    pub(super) comparison: Reproduction,
    pub(super) verdict: &'static str,
}

/// Every curve, with its paper.
fn curves() -> Result<Vec<(Paper, Curve)>> {
    let mut all = Vec::new();
    for text in FILES {
        let file: File = toml::from_str(text).context("datasets/published/returns")?;
        for curve in file.curve {
            ensure!(
                curve.means.len() == curve.task_sd.len(),
                "datasets/published/returns: {} has {} means and {} spreads",
                curve.name,
                curve.means.len(),
                curve.task_sd.len()
            );
            all.push((file.paper.clone(), curve));
        }
    }
    Ok(all)
}

impl Curve {
    /// Whether it is of that learner on those data.
    fn is_of(&self, config: &RunConfig) -> bool {
        let own = &config.learner.settings;
        let agrees = |(name, value): (&String, &Value)| {
            own.get(name).and_then(Value::as_f64) == value.as_f64()
        };
        self.learner == config.learner.name
            && self.data == config.data.set
            && self.settings.iter().all(agrees)
    }

    /// `meta_batch (40, there 20)`: what is known on both sides and is another.
    fn differences(&self, config: &RunConfig) -> Vec<String> {
        let ours: BTreeMap<&str, Value> = BTreeMap::from([
            ("outer_steps", config.training.outer_steps.into()),
            ("meta_batch", config.training.meta_batch.into()),
            ("rollouts", config.episode.n_query.into()),
            ("test_rollouts", config.test.query.into()),
            ("width", config.network.width.into()),
            ("blocks", config.network.n_blocks.into()),
            ("network", config.network.name.clone().into()),
        ]);
        let known = self.protocol.iter();
        known
            .filter_map(|(name, theirs)| {
                let ours = ours.get(name.as_str())?;
                (ours != theirs).then(|| format!("{name} ({ours}, there {theirs})"))
            })
            .collect()
    }

    /// The mean after so many steps: its spread over tasks is that of the mean of one training.
    #[allow(clippy::cast_precision_loss, reason = "a number of tasks")]
    fn published(&self, step: usize) -> Result<Published> {
        let number = |text: &str| -> Result<f64> {
            text.parse()
                .with_context(|| format!("{}: {text:?} is not a number", self.name))
        };
        let decimals = self.means[step].split_once('.').map_or(0, |it| it.1.len());
        let width = 1.959_963_985 * number(&self.task_sd[step])? / (self.tasks as f64).sqrt();
        Ok(Published {
            value: number(&self.means[step])?,
            plus_minus: Some((width, PlusMinus::Tasks95)),
            runs: self.runs,
            tasks: self.tasks,
            digit: 10_f64.powi(-i32::try_from(decimals)?),
        })
    }
}

/// Rows for all learners of these runs, for every curve that is of the same learner and data.
pub(super) fn rows(runs: &[Finished], rule: &Rule, lenient: bool) -> Result<Vec<Row>> {
    let curves = curves()?;
    let mut groups: BTreeMap<(&str, String), Vec<&Finished>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.is_original()) {
        let setting = run.record.config.setting();
        let group = groups.entry((&run.entry.learner, setting)).or_default();
        group.push(run);
    }
    let mut rows = Vec::new();
    for ((learner, setting), runs) in groups {
        let config = &runs[0].record.config;
        let (mut means, mut failed) = (Vec::new(), 0);
        for run in &runs {
            let result = run.record.result.as_ref();
            if result.is_none_or(|it| it.test.is_none()) {
                failed += 1;
                continue;
            }
            let (path, identity) = (run.folder.test(), &run.record.identity);
            means.push(
                returns::read(&path, identity, &run.record.config)?
                    .0
                    .means(),
            );
        }
        let n_points = config.learner.settings.get("test_inner_steps");
        let n_points = 1 + n_points.and_then(Value::as_u64).unwrap_or(0);
        let n_points = usize::try_from(n_points)?;
        if means.is_empty() {
            continue;
        }
        for (paper, curve) in curves.iter().filter(|(_, curve)| curve.is_of(config)) {
            let differs = curve.differences(config);
            for step in 0..n_points.min(curve.means.len()) {
                let of_step = means.iter().map(|means| {
                    let of_tasks = means.iter().skip(step).step_by(n_points);
                    of_tasks.copied().collect::<Vec<f64>>()
                });
                let scores = ScoreMatrix::from_rows(&of_step.collect::<Vec<_>>())?;
                let comparison = reproduction(&scores, &curve.published(step)?, rule)
                    .with_context(|| format!("while judging {learner} after {step} steps"))?;
                let verdict = match comparison.word {
                    _ if !differs.is_empty() && !lenient => "protocol differs",
                    // What is left after failures is not what the method does.
                    _ if failed > 0 => "undecided",
                    Word::Reproduced => "reproduced",
                    Word::NotReproduced => "not reproduced",
                    Word::Undecided => "undecided",
                };
                rows.push(Row {
                    learner: learner.to_owned(),
                    setting: setting.clone(),
                    curve: curve.name.clone(),
                    paper: paper.clone(),
                    place: curve.place.clone(),
                    checked: curve.checked,
                    checked_in: curve.checked_in.clone(),
                    steps: step,
                    published: curve.means[step].clone(),
                    runs: means.len(),
                    failed,
                    differs: differs.clone(),
                    comparison,
                    verdict,
                });
            }
        }
    }
    Ok(rows)
}

/// The rule in words.
pub(super) fn rule(rule: &Rule) -> String {
    format!(
        "Reproduced: the {:.0} % interval of ours minus published lies within ±{} (the unit of the returns). Not reproduced: it lies \
         outside. Undecided: neither. The interval has the uncertainty of both sides. Each of the first two verdicts is wrong in about {:.0} \
         % of comparisons at most, if seeds are about normal. If a protocol is known to differ, the verdict says that instead.",
        100.0 * (1.0 - 2.0 * rule.error_rate),
        rule.margin,
        100.0 * rule.error_rate
    )
}

/// One sentence for a row.
pub(super) fn sentence(row: &Row) -> String {
    let found = &row.comparison;
    let limits = found.interval.as_ref().map_or_else(String::new, |it| {
        format!(" [{:+.2}, {:+.2}]", it.lower, it.upper)
    });
    let mut beside = Vec::new();
    if row.failed > 0 {
        beside.push(format!("{} runs diverged", row.failed));
    }
    if row.verdict == "undecided" && row.runs == 1 {
        beside.push(String::from("one run shows no spread"));
    }
    if let (Some(needed), "undecided") = (found.runs_needed, row.verdict) {
        beside.push(format!("about {needed} runs would decide"));
    }
    beside.extend(row.differs.iter().cloned());
    let beside = match beside.is_empty() {
        true => String::new(),
        false => format!(": {}", beside.join(", ")),
    };
    format!(
        "{} ({}) after {} inner steps: mean return {:.2} in {} runs, published {} ({}, {}); difference {:+.2}{limits}: {}{beside}.",
        row.learner,
        row.setting,
        row.steps,
        found.ours,
        row.runs,
        row.published,
        row.curve,
        row.paper.authors,
        found.difference,
        row.verdict,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_reads_and_its_spread_is_that_of_a_mean_over_tasks() {
        let all = curves().unwrap();
        assert_eq!(all.len(), 3);
        let (_, maml) = &all[0];
        let first = maml.published(0).unwrap();
        assert!((first.value + 40.41).abs() < 1e-12 && (first.digit - 0.01).abs() < 1e-12);
        // 1.96 * 13.1 / sqrt(40)
        let (width, kind) = first.plus_minus.unwrap();
        assert!((width - 4.0597).abs() < 1e-3 && kind == PlusMinus::Tasks95);
    }
}
