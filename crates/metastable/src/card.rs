//! `card`: the weights of a finished learner, and a card that says what they are, as `datasets/weights` holds them.
//!
//! Every figure of a card is one of a finished run; the weights are those that its test was of.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use metastable_analysis::summary::mean;
use serde::Serialize;
use serde_json::Value;

use crate::Ending;
use crate::campaign::Finished;
use crate::campaign::factors::is_one_thing;
use crate::evaluate::interval_of;
use crate::files::{make_folder, read_bytes, sha256, write_whole};
use crate::flags;
use crate::opened::Opened;
use crate::reproduce::{Ours, ours};
use crate::run::results;
use crate::shell;

/// Licence of weights that this program trained.
const LICENSE: &str = "MIT OR Apache-2.0";

/// Test tasks of the short check: the first of the list.
const SHORT: usize = 50;

/// What is known of weights.
#[derive(Debug, Serialize)]
struct Card {
    title: String,
    license: &'static str,
    bytes: usize,
    sha256: String,
    weights: Weights,
    test: Test,
    seeds: Seeds,
    /// The same over all of them: interval of the mean over other trainings and tasks, runs that diverged, protocol.
    runs: Ours,
    made: Made,
}

/// Which weights, of what.
#[derive(Debug, Serialize)]
struct Weights {
    seed: u64,
    /// `best` on validation or `last`.
    chosen: String,
    /// Outer steps made; of a mean of several checkpoints those of the latest.
    step: usize,
    /// How many checkpoints they are the mean of; absent for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints: Option<usize>,
    /// Share of the moving average that stays at a step; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ema: Option<f64>,
    /// Accuracy of the best validation, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_accuracy: Option<f64>,
    n_parameters: usize,
    network: BTreeMap<String, Value>,
    learner: BTreeMap<String, Value>,
}

/// The test of these weights, on the list of episodes of their run.
#[derive(Debug, Serialize)]
struct Test {
    accuracy: f64,
    /// 95 %, over tasks: what another list of episodes would give these weights. Absent for one task.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_over_tasks: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nll: Option<f64>,
    episodes: usize,
    /// SHA-256 of the list of episodes.
    list_digest: String,
    predictions_sha256: String,
    /// The first tasks of the list alone, for a check in seconds (`evaluate --episodes`).
    first: First,
}

#[derive(Debug, Serialize)]
struct First {
    episodes: usize,
    accuracy: f64,
}

/// All trainings of the learner in the study, of which these weights are one.
#[derive(Debug, Serialize)]
struct Seeds {
    numbers: Vec<u64>,
    /// Test accuracy of each seed that was tested.
    accuracies: Vec<f64>,
    /// Their mean.
    mean: f64,
}

/// What the figures came out of.
#[derive(Debug, Serialize)]
struct Made {
    command: String,
    data: String,
    data_digest: String,
    split: String,
    split_digest: String,
    train_seconds: f64,
    metastable: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    git_revision: Option<String>,
    instruction_set: String,
}

/// Refuses what is no name of a file on every system.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    ensure!(
        name.chars().all(is_plain) && !name.starts_with(['.', '-']),
        "--name {name}: write letters, digits, `-`, `_` and `.`, a letter or a digit first"
    );
    Ok(())
}

/// Runs the command.
pub(crate) fn command(flags: &flags::Card) -> Result<Ending> {
    if let Some(name) = &flags.name {
        check_name(name)?;
    }
    let opened = Opened::new(&flags.dir)?;
    ensure!(
        is_one_thing(&opened.index),
        "{} varies settings, split or test list on purpose, so its runs are not seeds of one configuration; take a study without [factors] and without such [streams]",
        flags.dir.display()
    );
    let of_learner = |run: &&Finished| run.entry.learner == flags.learner && run.is_original();
    let runs: Vec<&Finished> = opened.finished.iter().filter(of_learner).collect();
    let Some(first) = runs.first() else {
        let mut known: Vec<&str> = Vec::new();
        known.extend(opened.finished.iter().map(|run| run.entry.learner.as_str()));
        known.dedup();
        bail!(
            "--learner {}: {} has runs of {}",
            flags.learner,
            flags.dir.display(),
            known.join(", ")
        );
    };
    let wanted = flags.seed.unwrap_or(first.entry.seed);
    let run = runs.iter().find(|run| run.entry.seed == wanted);
    let run = run.with_context(|| {
        let seeds: Vec<String> = runs.iter().map(|it| it.entry.seed.to_string()).collect();
        format!("--seed {wanted}: there are {}", seeds.join(", "))
    })?;
    let config = &run.record.config;
    ensure!(
        config.family().is_none(),
        "{} learns a regression, and a card reports shares of right answers; `report` has its errors",
        flags.learner
    );
    ensure!(
        !config.is_policy(),
        "{} learns a policy, and a card reports shares of right answers; `report` has its returns",
        flags.learner
    );
    let is_other = |it: &&&Finished| {
        let other = &it.record.config;
        other.setting() != config.setting() || other.episode != config.episode
    };
    if let Some(other) = runs.iter().find(is_other) {
        bail!(
            "{} and {} have different settings, and a card describes one setting; take a study with one setting",
            run.entry.label,
            other.entry.label
        );
    }
    ensure!(
        !config.is_guest(),
        "{} is a guest: only its own process reads its state, so there are no weights to hand on",
        flags.learner
    );
    ensure!(
        config.test.checkpoints == 1 || config.test.averages_weights(),
        "the test of {} uses {} checkpoints together, and a card describes one: test with test.checkpoints=1, or with test.combine=weights",
        flags.learner,
        config.test.checkpoints
    );
    let name = flags.name.clone().unwrap_or_else(|| {
        let sizes = config.test.sizes.label(config.test.shape());
        let set = crate::run::config::set_name(&config.data.set);
        format!("{set}-{}-{sizes}", flags.learner)
    });
    let bytes = read_bytes(&run.folder.tested(&config.test))?;
    let card = card(flags, run, &runs, &bytes)?;
    let text = format!(
        "# Weights of {name}.safetensors, as their finished runs say; accuracies and limits are 0 to 1. Made by `card`, not by hand.\n{}",
        toml::to_string(&card)?
    );
    make_folder(&flags.to)?;
    for (ending, bytes) in [("safetensors", &bytes[..]), ("toml", text.as_bytes())] {
        let path = flags.to.join(format!("{name}.{ending}"));
        write_whole(&path, bytes)?;
        println!("{}", path.display());
    }
    Ok(opened.left_out)
}

/// The card of the weights of one run among all of its learner.
fn card(flags: &flags::Card, run: &Finished, runs: &[&Finished], bytes: &[u8]) -> Result<Card> {
    let record = &run.record;
    let config = &record.config;
    let result = record.result.as_ref();
    let test = result.and_then(|result| result.test.as_ref());
    let (Some(result), Some(test)) = (result, test) else {
        bail!(
            "{} diverged and was not tested: its weights have no figure; --seed names another run",
            run.entry.label
        );
    };
    let answers = results::read(&run.folder.test(), &record.identity)?.answers;
    let scores = answers.task_accuracies();
    let n_first = scores.len().min(SHORT);
    let accuracy = mean(&scores);
    ensure!(
        (accuracy - test.accuracy).abs() < 1e-12,
        "{}: its predictions and its record differ ({accuracy} and {}); run its study again",
        run.entry.label,
        test.accuracy
    );
    let tested = |run: &&Finished| {
        let test = run.record.result.as_ref()?.test.as_ref()?;
        Some((run.entry.seed, test.accuracy))
    };
    let (seeds, accuracies): (Vec<u64>, Vec<f64>) = runs.iter().filter_map(tested).unzip();
    let network = &config.network;
    let setting = config.setting();
    let text = |value: &str| Value::String(value.to_owned());
    Ok(Card {
        title: format!(
            "{} on {setting}, {} with {} blocks of {}",
            config.learner.name, network.name, network.n_blocks, network.width
        ),
        license: LICENSE,
        bytes: bytes.len(),
        sha256: sha256(bytes),
        weights: Weights {
            seed: run.entry.seed,
            chosen: String::from(config.test.weights),
            step: test.step,
            checkpoints: (config.test.checkpoints > 1).then_some(config.test.checkpoints),
            ema: config.training.ema,
            validation_accuracy: result.best_validation.map(|(_, accuracy)| accuracy),
            n_parameters: record.n_parameters,
            network: BTreeMap::from([
                ("name".to_owned(), text(&network.name)),
                ("blocks".to_owned(), network.n_blocks.into()),
                ("width".to_owned(), network.width.into()),
                ("norm".to_owned(), serde_json::to_value(network.norm)?),
                ("init".to_owned(), serde_json::to_value(config.init)?),
            ]),
            learner: {
                let settings = config.learner.settings.iter();
                let said = settings.filter(|(_, value)| !value.is_null());
                said.map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            },
        },
        test: Test {
            accuracy,
            interval_over_tasks: interval_of(scores.clone())?.map(|it| [it.lower, it.upper]),
            nll: test.nll,
            episodes: scores.len(),
            list_digest: record.test_list_digest.clone(),
            predictions_sha256: sha256(&answers.predictions),
            first: First {
                episodes: n_first,
                accuracy: mean(&scores[..n_first]),
            },
        },
        seeds: Seeds {
            mean: mean(&accuracies),
            numbers: seeds,
            accuracies,
        },
        runs: ours(&flags.learner, runs)?,
        made: Made {
            command: format!(
                "{} card {} --learner {} --seed {}",
                shell::program(),
                flags.dir.display(),
                flags.learner,
                run.entry.seed
            ),
            data: config.data.set.clone(),
            data_digest: config.data_digest.clone(),
            split: config.data.split.clone(),
            split_digest: config.split_digest.clone(),
            train_seconds: result.train_seconds,
            metastable: record.environment.metastable.clone(),
            git_revision: record.environment.git_revision.clone(),
            instruction_set: config.numerics.instruction_set.clone(),
        },
    })
}
