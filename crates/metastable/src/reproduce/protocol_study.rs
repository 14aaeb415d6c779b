//! The protocol of a published number as the text of a study.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde_json::Value;

use super::protocol::Normalisation;
use super::published::Cell;
use crate::registry::registry;
use crate::study::Study;

/// Queries of a class in training where the paper does not say.
const TRAIN_QUERIES: usize = 5;
/// Seeds: the least with which a spread is known to a factor of three.
const SEEDS: usize = 5;

/// The study that trains as the paper says, as far as it is known; what is not known has the value given here.
///
/// # Errors
/// A method that no learner here is, ways and shots that vary, or a test that no study can ask for.
pub(super) fn study(cell: &Cell) -> Result<String> {
    let learners = registry().learners();
    if !learners.iter().any(|entry| entry.name == cell.method) {
        bail!(
            "{}: no learner here is {:?}; `list` names those there are",
            cell.key,
            cell.method
        );
    }
    let (Some(way), Some(shot)) = (cell.way, cell.shot) else {
        bail!(
            "{}: ways and shots vary, and a study has one of each",
            cell.key
        );
    };
    let protocol = &cell.protocol;
    let norm = match protocol.normalisation {
        None | Some(Normalisation::Batch) => "batch",
        Some(Normalisation::Running) => "running",
        Some(Normalisation::PerStep) => "per-step",
        Some(Normalisation::None) => "none",
        Some(Normalisation::BatchAlone) => bail!(
            "{}: each query was normalised alone, which is a question of `probe` (C6) and no test of a study",
            cell.key
        ),
    };
    let mut text = format!(
        "# {} {}, {}: {} %\n",
        cell.paper.authors,
        cell.paper.year,
        cell.place,
        cell.printed()
    );
    if let Some(source) = &protocol.source {
        let _ = writeln!(text, "# Protocol from: {source}");
    }
    let word = |value: Value| value.as_str().map(str::to_owned);
    let split = word(serde_json::to_value(protocol.split)?).filter(|it| it != "other");
    let turns = |turns| {
        Ok::<_, serde_json::Error>(
            word(serde_json::to_value(turns)?).unwrap_or_else(|| "off".to_owned()),
        )
    };
    let split = match split.as_deref() {
        // 1,100 characters for training, 100 for validation, 423 for test, as in the code of Finn et al.
        Some("random") => "random:1100,100,423".to_owned(),
        Some(known) => known.to_owned(),
        None => "vinyals".to_owned(),
    };
    let queries = protocol.queries.unwrap_or(15);
    let network = if cell.network == "unknown" {
        "conv4"
    } else {
        &cell.network
    };
    let _ = write!(
        text,
        "name = \"{key}-{method}-{way}w{shot}s\"\nabout = \"{method}, {way}-way {shot}-shot, as {authors} {year} trained it, as far as that is known\"\nseeds = {SEEDS}\n\n\
         [data]\nset = \"{data}\"\nsplit = \"{split}\"\nrotations = \"{rotations}\"\ntest_rotations = \"{test_rotations}\"\n\n\
         [episode]\nway = {train_way}\nshot = {shot}\nquery = {train_queries}\n\n\
         [validation]\nepisodes = 200\ntimes = 20\n\n\
         [test]\nway = {way}\nshot = {shot}\nquery = {queries}\nepisodes = {tasks}\n\n\
         [network]\nname = \"{network}\"\nnorm = \"{norm}\"\n\n[learners.{method}]\n",
        key = cell.key,
        method = cell.method,
        authors = cell.paper.authors,
        year = cell.paper.year,
        data = cell.data,
        rotations = turns(protocol.rotations)?,
        test_rotations = turns(protocol.test_rotations.or(protocol.rotations))?,
        train_way = protocol.train_way.unwrap_or(way),
        train_queries = protocol
            .train_queries
            .unwrap_or(TRAIN_QUERIES.max(queries.min(15))),
        tasks = protocol.tasks.unwrap_or(600),
    );
    for (name, value) in &cell.settings {
        let _ = writeln!(text, "{name} = {value}");
    }
    let _ = writeln!(text, "meta_batch = {}", protocol.meta_batch.unwrap_or(4));
    let _ = writeln!(
        text,
        "outer_steps = {}",
        protocol.outer_steps.unwrap_or(20_000)
    );
    // What was written has to be a study.
    Study::of_text(&text, cell.key)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::published::cells;
    use super::*;

    #[test]
    fn every_protocol_of_a_learner_here_is_a_study_or_says_why_not() {
        let mut written = 0;
        for cell in cells().unwrap() {
            match study(&cell) {
                Ok(text) => {
                    let study = Study::of_text(&text, "test").unwrap();
                    assert_eq!(study.learners[0].learner.name, cell.method);
                    assert_eq!(Some(study.test.way), cell.way);
                    written += 1;
                }
                Err(error) => {
                    let said = format!("{error:#}");
                    let known = ["no learner here", "vary", "alone"];
                    assert!(
                        known.iter().any(|why| said.contains(why)),
                        "{}: {said}",
                        cell.key
                    );
                }
            }
        }
        assert!(written >= 20, "{written}");
    }
}
