//! Which published numbers the runs of a study have, and what can be said of each.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use metastable_analysis::ScoreMatrix;
use metastable_analysis::components::components;
use metastable_analysis::reproduction::{Reproduction, Rule, Word, reproduction};
use metastable_data::Sizes;
use serde::Serialize;
use serde_json::Value;

use super::protocol::{Protocol, difference};
use super::published::Cell;
use crate::campaign::Finished;
use crate::run::{RunConfig, convert};

/// What is said of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Reproduced,
    NotReproduced,
    Undecided,
    /// Known differences forbid the other words.
    ProtocolDiffers,
}

/// One published number beside runs of ours.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(super) verdict: Verdict,
    pub(super) published: Cell,
    pub(super) ours: Ours,
    /// How our runs stand to the number, whatever differs; absent where no run could be tested.
    pub(super) comparison: Option<Reproduction>,
    /// `test_rotations (off, there as-classes)`: known on both sides, and another.
    pub(super) differs: Vec<String>,
    /// Largest difference that does not matter, as a fraction.
    pub(super) margin: f64,
    /// How often the words *reproduced* and *not reproduced* may be wrong.
    pub(super) error_rate: f64,
}

/// Our runs of one learner in one setting.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ours {
    /// As the study calls it.
    pub(super) learner: String,
    pub(super) setting: String,
    /// Runs that were tested.
    pub(super) runs: usize,
    /// Runs that diverged before they could be.
    pub(super) failed: usize,
    pub(super) tasks: usize,
    /// 95 % interval of our mean over other trainings and tasks; absent for one run.
    pub(super) interval: Option<[f64; 2]>,
    pub(super) protocol: Protocol,
}

/// Rows for all learners of these runs, with every published number for the same method, data, ways and shots.
pub(super) fn rows(
    cells: &[Cell],
    runs: &[Finished],
    rule: &Rule,
    lenient: bool,
) -> Result<Vec<Row>> {
    let mut groups: BTreeMap<(&str, String), Vec<&Finished>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.is_original()) {
        let setting = run.record.config.setting();
        groups
            .entry((&run.entry.learner, setting))
            .or_default()
            .push(run);
    }
    let mut rows = Vec::new();
    for ((learner, setting), runs) in groups {
        let config = &runs[0].record.config;
        let about: Vec<&Cell> = cells.iter().filter(|cell| is_of(cell, config)).collect();
        if about.is_empty() {
            continue;
        }
        let group = Group::new(learner, setting, &runs)?;
        for cell in about {
            rows.push(group.row(cell, config, rule, lenient)?);
        }
    }
    Ok(rows)
}

/// What runs of one learner in one setting come to, and under which protocol.
pub(crate) fn ours(learner: &str, runs: &[&Finished]) -> Result<Ours> {
    let setting = runs[0].record.config.setting();
    Ok(Group::new(learner, setting, runs)?.ours)
}

/// Whether a published number is for that method on those data, ways and shots.
fn is_of(cell: &Cell, config: &RunConfig) -> bool {
    cell.method == config.learner.name
        && config.data.set.split(':').next() == Some(cell.data.as_str())
        && config.test.sizes == Sizes::Even
        && cell.way == Some(config.test.way)
        && cell.shot == Some(config.test.shot)
}

struct Group {
    ours: Ours,
    scores: Option<ScoreMatrix>,
}

impl Group {
    fn new(learner: &str, setting: String, runs: &[&Finished]) -> Result<Self> {
        let first = runs[0];
        let mut rows = Vec::new();
        for run in runs {
            ensure!(
                run.record.test_list_digest == first.record.test_list_digest,
                "{} and {} were tested on different lists of episodes; compare them apart, with test.seed the same for all runs of a study",
                first.entry.label,
                run.entry.label
            );
            if let Some(test) = convert::table(run)?.test {
                rows.push(test.task_accuracies());
            }
        }
        let scores = if rows.is_empty() {
            None
        } else {
            Some(ScoreMatrix::from_rows(&rows)?)
        };
        let interval = match &scores {
            Some(scores) if scores.n_runs() > 1 && scores.n_tasks() > 1 => {
                let honest = components(scores, None, 0.95)?.interval;
                Some([honest.lower, honest.upper])
            }
            Some(_) | None => None,
        };
        let ours = Ours {
            learner: learner.to_owned(),
            setting,
            runs: rows.len(),
            failed: runs.len() - rows.len(),
            tasks: first.record.config.test.episodes,
            interval,
            protocol: Protocol::of(&first.record.config),
        };
        Ok(Self { ours, scores })
    }

    fn row(&self, cell: &Cell, config: &RunConfig, rule: &Rule, lenient: bool) -> Result<Row> {
        let comparison = match &self.scores {
            None => None,
            Some(scores) => {
                let found = reproduction(scores, &cell.published(), rule);
                Some(found.with_context(|| format!("while judging {}", self.ours.learner))?)
            }
        };
        let mut differs: Vec<String> = difference("network", &config.network.name, &cell.network)
            .into_iter()
            .filter(|_| cell.network != "unknown")
            .collect();
        differs.extend(self.ours.protocol.differences(&cell.protocol));
        differs.extend(usual_differences(cell, config));
        for (name, theirs) in &cell.settings {
            if let Some(ours) = config.learner.settings.get(name) {
                differs.extend(difference(name, &word(ours), &word(theirs)));
            }
        }
        let verdict = match &comparison {
            _ if !differs.is_empty() && !lenient => Verdict::ProtocolDiffers,
            None => Verdict::Undecided,
            // Runs that failed are no part of the mean: what is left is not what the method does.
            Some(_) if self.ours.failed > 0 => Verdict::Undecided,
            Some(found) => match found.word {
                Word::Reproduced => Verdict::Reproduced,
                Word::NotReproduced => Verdict::NotReproduced,
                Word::Undecided => Verdict::Undecided,
            },
        };
        Ok(Row {
            verdict,
            published: cell.clone(),
            ours: self.ours.clone(),
            comparison,
            differs,
            margin: rule.margin,
            error_rate: rule.error_rate,
        })
    }
}

/// What every file means where it says nothing else: 64 filters in 4 blocks, 28 x 28 pixels, tasks of all classes and images.
fn usual_differences(cell: &Cell, config: &RunConfig) -> Vec<String> {
    let (data, network) = (&config.data, &config.network);
    let mut differs = Vec::new();
    if ["conv4", "conv4-strided"].contains(&cell.network.as_str()) {
        differs.extend(difference("width", &network.width.to_string(), "64"));
        differs.extend(difference("blocks", &network.n_blocks.to_string(), "4"));
    }
    differs.extend(difference("size", &data.size.to_string(), "28"));
    let within = data.within_alphabet.to_string();
    differs.extend(difference("within_alphabet", &within, "false"));
    if !data.held_out_file.is_empty() {
        differs.extend(difference("held_out_file", &data.held_out_file, "none"));
    }
    if let Some(pool) = config.pool {
        differs.extend(difference("pool", &pool.size().to_string(), "endless"));
    }
    differs
}

/// A setting as a study writes it; 2 and 2.0 are the same.
fn word(value: &Value) -> String {
    match (value.as_f64(), value) {
        (Some(number), _) => number.to_string(),
        (None, Value::String(text)) => text.clone(),
        (None, other) => other.to_string(),
    }
}
