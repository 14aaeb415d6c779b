//! From the runs of a study to the table of its factors and streams.

use anyhow::{Result, anyhow};
use metastable_analysis::factors::table::{Factor, FactorRun, FactorTable, Scale};
use metastable_analysis::{Options, Run, ScoreScale};

use super::folder::{Finished, Index};
use crate::study::factors::number;

/// Streams that say on what a run is tested: where they vary, runs are not made of the same episodes.
const OF_THE_TEST: [&str; 2] = ["split", "eval"];

/// Whether runs of one learner and setting differ in chance alone, and are tested on one list of episodes.
pub(crate) fn is_one_thing(index: &Index) -> bool {
    index.factors.is_empty()
        && !index
            .streams
            .iter()
            .any(|it| OF_THE_TEST.contains(&it.as_str()))
}

/// The table; none if nothing was varied but the seed. Learners and settings are factors like the others where there are
/// several.
pub(crate) fn factor_table(
    index: &Index,
    finished: &[&Finished],
    runs: &[Run],
    options: &Options,
) -> Result<Option<FactorTable>> {
    if index.factors.is_empty() && index.streams.is_empty() {
        return Ok(None);
    }
    let learners = names(runs.iter().map(|run| run.learner.as_str()));
    // Where a factor is what settings differ in, it says so itself.
    let says_setting = |it: &Factor| it.name.starts_with("data.") || it.name.starts_with("test.");
    let settings = if index.factors.iter().any(says_setting) {
        Vec::new()
    } else {
        names(runs.iter().map(|run| run.setting.as_str()))
    };
    let mut factors = index.factors.clone();
    for (name, levels) in [("learner", &learners), ("setting", &settings)] {
        if levels.len() > 1 {
            factors.push(Factor {
                name: name.to_owned(),
                scale: Scale::Categories(levels.clone()),
            });
        }
    }
    let mut rows = Vec::new();
    for (run, found) in runs.iter().zip(finished) {
        let mut levels = Vec::new();
        for (factor, value) in index.factors.iter().zip(&found.entry.levels) {
            levels.push(number(&factor.scale, value).ok_or_else(|| {
                anyhow!(
                    "{}: {value} is no level of {}, which is a bug",
                    run.id,
                    factor.name
                )
            })?);
        }
        for (value, names) in [(&run.learner, &learners), (&run.setting, &settings)] {
            if let (true, Some(at)) = (names.len() > 1, names.iter().position(|it| it == value)) {
                #[allow(clippy::cast_precision_loss, reason = "a handful")]
                levels.push(at as f64);
            }
        }
        let streams = if index.streams.is_empty() {
            vec![run.seed.to_string()]
        } else {
            found
                .entry
                .streams
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        rows.push(FactorRun::of(run, levels, streams, options));
    }
    let test = runs.iter().find_map(|run| run.test.as_ref());
    Ok(Some(FactorTable {
        response: options
            .scale
            .as_ref()
            .map_or_else(|| String::from("accuracy"), response),
        factors,
        streams: if index.streams.is_empty() {
            vec![String::from("seed")]
        } else {
            index.streams.clone()
        },
        runs: rows,
        may_vary: may_vary(runs),
        queries: test.map(|test| test.n_tasks * test.queries_per_task()),
        bounds: least_chance(runs).map(|chance| [chance, 1.0]),
    }))
}

/// What the response is called on another scale: lists and basins take more for better, so an error is turned round and says so.
fn response(scale: &ScoreScale) -> String {
    match scale.lower_is_better {
        true => format!("minus {}", scale.name),
        false => scale.name.clone(),
    }
}

/// The lowest chance level of the runs.
fn least_chance(runs: &[Run]) -> Option<f64> {
    let levels = runs.iter().filter_map(Run::chance);
    levels.min_by(f64::total_cmp)
}

/// Fields of fingerprints that the study itself varies: whatever differs, since every run has the identity that the study
/// asks for, and that covers its configuration. What computed has to be one and the same all the same.
fn may_vary(runs: &[Run]) -> Vec<String> {
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    let differs = |key: &str| {
        let of = |run: &Run| run.fingerprint.get(key).cloned();
        runs.iter().any(|run| of(run) != of(first))
    };
    let of_what_computed = ["numerics.", "compute.", "version"];
    let mut keys: Vec<String> = runs
        .iter()
        .flat_map(|run| run.fingerprint.keys())
        .filter(|key| !of_what_computed.iter().any(|it| key.starts_with(it)))
        .cloned()
        .collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| differs(key));
    keys
}

/// Every name once, in the order of first appearance.
fn names<'a>(all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
