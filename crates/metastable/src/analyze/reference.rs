//! Scores between two references: 0 is the one (random), 1 the other (oracle), task by task.

use anyhow::{Result, bail};

/// Where a scale begins and ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    /// What stands for 0.
    pub(crate) random: Level,
    /// What stands for 1.
    pub(crate) oracle: Level,
}

/// A score, or the learner whose mean on each task is the score.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Level {
    /// The same for all tasks.
    Score(f64),
    /// By task, of its runs.
    Learner(String),
}

impl Reference {
    /// Reads `random=..., oracle=...`.
    ///
    /// # Errors
    /// If one of the two is missing, or something else is named.
    pub(crate) fn parse(parts: &[String]) -> Result<Option<Self>> {
        if parts.is_empty() {
            return Ok(None);
        }
        let (mut random, mut oracle) = (None, None);
        for part in parts {
            let level = |text: &str| match text.parse::<f64>() {
                Ok(score) if score.is_finite() => Level::Score(score),
                _ => Level::Learner(text.to_owned()),
            };
            match part.split_once('=') {
                Some(("random", text)) if !text.is_empty() => random = Some(level(text)),
                Some(("oracle", text)) if !text.is_empty() => oracle = Some(level(text)),
                _ => bail!(
                    "--reference {part}: expected random=SCORE,oracle=SCORE, each a number or the name of a learner of the table"
                ),
            }
        }
        match (random, oracle) {
            (Some(random), Some(oracle)) => Ok(Some(Self { random, oracle })),
            _ => bail!(
                "--reference: expected both, as in --reference random=0,oracle=500; each is a number or the name of a learner of the table"
            ),
        }
    }

    /// As the flag has it: `random=0,oracle=500`.
    pub(super) fn text(&self) -> String {
        let level = |level: &Level| match level {
            Level::Score(score) => score.to_string(),
            Level::Learner(name) => name.clone(),
        };
        format!(
            "random={},oracle={}",
            level(&self.random),
            level(&self.oracle)
        )
    }
}
