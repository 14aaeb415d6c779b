//! Scores on the scale of a reference.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::group::{Group, Read};
use super::reference::{Level, Reference};
use super::table::Table;
use crate::study::suggestion;

impl Reference {
    /// Puts every score on the scale, and takes the runs of learners that serve as reference out.
    pub(super) fn apply<'t>(
        &self,
        table: &Table,
        groups: &mut Vec<Group<'t>>,
        reads: &mut Vec<Read<'t>>,
    ) -> Result<()> {
        let names_learner = [&self.random, &self.oracle]
            .iter()
            .any(|level| matches!(level, Level::Learner(_)));
        let settings: BTreeSet<&str> = groups.iter().map(|group| group.setting).collect();
        for setting in settings {
            let low = self
                .random
                .by_task("random", table, groups, reads, setting)?;
            let high = self
                .oracle
                .by_task("oracle", table, groups, reads, setting)?;
            for (group, read) in groups.iter().zip(reads.iter_mut()) {
                if group.setting != setting {
                    continue;
                }
                let Some(scores) = &mut read.run.scores else {
                    // Its mean is on no scale: some of its tasks are missing.
                    read.score = None;
                    continue;
                };
                for (at, score) in scores.accuracies.iter_mut().enumerate() {
                    let [low, high] = [&low, &high].map(|it| it.get(at).copied().unwrap_or(it[0]));
                    if low.total_cmp(&high).is_eq() {
                        bail!(
                            "--reference: random and oracle are both {low} on task `{}`; a scale needs two different scores",
                            read.tasks.get(at).copied().unwrap_or("all")
                        );
                    }
                    *score = (*score - low) / (high - low);
                }
                // Of an adjusted mean the scores behind it, which a number for all tasks alone can put on the scale.
                if let Some(cells) = &mut scores.cells {
                    if names_learner {
                        bail!(
                            "--reference: the runs have different tasks, so the score of a learner is not known on every task; give \
                             --common-tasks too, or numbers for random and oracle"
                        );
                    }
                    for cell in cells.iter_mut().flatten() {
                        *cell = (*cell - low[0]) / (high[0] - low[0]);
                    }
                }
                let n = scores.accuracies.len() as f64;
                read.score = Some(scores.accuracies.iter().sum::<f64>() / n);
            }
        }
        let names: Vec<&String> = [&self.random, &self.oracle]
            .into_iter()
            .filter_map(|level| match level {
                Level::Learner(name) => Some(name),
                Level::Score(_) => None,
            })
            .collect();
        let is_kept: Vec<bool> = groups
            .iter()
            .map(|group| names.iter().all(|name| name.as_str() != group.learner))
            .collect();
        let mut kept = is_kept.iter();
        groups.retain(|_| kept.next() == Some(&true));
        let mut kept = is_kept.iter();
        reads.retain(|_| kept.next() == Some(&true));
        if reads.is_empty() {
            bail!("--reference: every run of the table is a reference; nothing is left to compare");
        }
        Ok(())
    }
}

impl Level {
    /// The score of each task of a setting; one for all where it is a number.
    fn by_task(
        &self,
        which: &str,
        table: &Table,
        groups: &[Group<'_>],
        reads: &[Read<'_>],
        setting: &str,
    ) -> Result<Vec<f64>> {
        let name = match self {
            Self::Score(score) => return Ok(vec![*score]),
            Self::Learner(name) => name,
        };
        let mut sum: Vec<f64> = Vec::new();
        let mut n = 0.0;
        for (group, read) in groups.iter().zip(reads) {
            let is_one = group.setting == setting && group.learner == name;
            let Some(scores) = read.run.scores.as_ref().filter(|_| is_one) else {
                continue;
            };
            sum.resize(scores.accuracies.len(), 0.0);
            for (sum, score) in sum.iter_mut().zip(&scores.accuracies) {
                *sum += score;
            }
            n += 1.0;
        }
        if sum.is_empty() {
            let known: BTreeSet<&str> = groups.iter().map(|group| group.learner).collect();
            let known: Vec<&str> = known.into_iter().collect();
            bail!(
                "--reference {which}={name}: not a number, and {} has no run of such a learner with a score in setting `{setting}`; {}",
                table.file(),
                suggestion(name, &known)
            );
        }
        Ok(sum.into_iter().map(|sum| sum / n).collect())
    }
}
