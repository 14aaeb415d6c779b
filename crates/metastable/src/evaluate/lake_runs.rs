//! `evaluate --lake-runs`: error rates on the 20 one-shot runs of Lake et al. 2015, a list that many papers share.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use metastable_algorithms::Task;
use metastable_analysis::Interval;
use metastable_data::{
    Dataset, Episode, MetaSplit, Split, SplitRule, lake_runs, lake_runs::HUMAN_ERROR,
    lake_runs::SHAPE,
};
use serde_json::json;

use super::{glyphs, interval, plus_minus};
use crate::Ending;
use crate::files::sha256;
use crate::flags;
use crate::places::data_dir;
use crate::run::checkpoint::Stored;
use crate::run::{Run, RunConfig};
use crate::schedule::Shares;

/// Tests the checkpoint on the 20 runs.
pub(super) fn evaluate(
    stored: &Stored,
    mut config: RunConfig,
    flags: &flags::Evaluate,
) -> Result<Ending> {
    if let Some(n_way) = config.network.fixed_way()
        && n_way != SHAPE.n_way
    {
        bail!(
            "{} has a head for {n_way} classes, and Lake's runs are {}-way: take a learner without a head (protonet, matching), or one trained with {} classes",
            config.learner.name,
            SHAPE.n_way,
            SHAPE.n_way
        );
    }
    let trained_on_omniglot = stored.config.data.sets().iter().any(|set| is_omniglot(set));
    if flags.data.dataset.is_none() && !trained_on_omniglot {
        config.data = config.data.of("omniglot");
    }
    let dir = data_dir(flags.machine.data_dir.as_deref());
    let dataset = crate::dataset::load(&config.data, &glyphs(&config), &dir)?;
    let episodes = lake_runs(&dataset)?;
    let characters: BTreeSet<u32> = episodes
        .iter()
        .flat_map(|episode| &episode.classes)
        .map(|class| class.class_idx)
        .collect();
    let n_trained = match trained_on_omniglot {
        true => n_trained(stored, &dataset, &characters)?,
        false => 0,
    };
    if n_trained > 0 {
        eprintln!(
            "note: {n_trained} of the {} characters of these runs were trained on (split {}), so this is not the error on new characters; the splits lake and alphabets keep them apart",
            characters.len(),
            stored.config.data.split
        );
    }

    let run = Run::new(&config.learner.name, &config)?;
    let shares = Shares::new(Some(1), flags.machine.threads, 1)?;
    let tasks = |index| Task::gather(&dataset, &episodes[index as usize]);
    let evaluation = shares
        .pool()?
        .install(|| run.evaluate(&stored.weights, &tasks, episodes.len()))?;
    let errors: Vec<f64> = evaluation
        .task_accuracies()
        .map(|accuracy| 1.0 - accuracy)
        .collect();
    let (error_rate, interval) = (1.0 - evaluation.accuracy(), interval(&evaluation)?);

    if flags.json {
        let runs: Vec<_> = episodes
            .iter()
            .zip(&errors)
            .enumerate()
            .map(|(index, (episode, error))| {
                json!({ "run": index + 1, "alphabet": alphabet(&dataset, episode), "error_rate": error })
            })
            .collect();
        let result = json!({
            "checkpoint": flags.checkpoint,
            "learner": config.learner.name,
            "step": stored.step,
            "list": "lake-runs",
            "runs": runs,
            "error_rate": error_rate,
            "half_width_over_runs": interval.as_ref().map(Interval::half_width),
            "nll": evaluation.nll(),
            "human_error_rate": HUMAN_ERROR,
            "n_characters": characters.len(),
            "n_trained_characters": n_trained,
            "predictions_sha256": sha256(&evaluation.predictions),
            "data_digest": dataset.digest,
        });
        println!("{result}");
        return Ok(Ending::Done);
    }
    println!("run  {:<40} error", "alphabet");
    for (index, (episode, error)) in episodes.iter().zip(&errors).enumerate() {
        let name = alphabet(&dataset, episode);
        println!("{:>3}  {name:<40} {:>4.0} %", index + 1, 100.0 * error);
    }
    println!(
        "{} after {} steps on Lake's 20 runs: error {:.2} %{} (95 %, runs of the list only; people: {:.1} %)",
        config.learner.name,
        stored.step,
        100.0 * error_rate,
        interval.as_ref().map(plus_minus).unwrap_or_default(),
        100.0 * HUMAN_ERROR
    );
    Ok(Ending::Done)
}

fn is_omniglot(set: &str) -> bool {
    set == "omniglot" || set.starts_with("omniglot:")
}

/// The one alphabet of a run.
fn alphabet<'d>(dataset: &'d Dataset, episode: &Episode) -> &'d str {
    let class_idx = episode.classes[0].class_idx as usize;
    &dataset.alphabets[dataset.classes[class_idx].alphabet_idx]
}

/// How many of the characters the checkpoint was trained on, by the split of its own run.
fn n_trained(stored: &Stored, dataset: &Dataset, characters: &BTreeSet<u32>) -> Result<usize> {
    let rule: SplitRule = stored.config.data.split.parse()?;
    let split = Split::new(dataset, &rule, &stored.config.seeds)?;
    let train = split.classes(MetaSplit::Train).iter();
    Ok(train
        .filter(|class_idx| characters.contains(class_idx))
        .count())
}
