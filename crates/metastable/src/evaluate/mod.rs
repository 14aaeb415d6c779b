//! `evaluate`: the meta-test of a saved checkpoint, by default on the very list of its own run.

mod lake_runs;

use anyhow::{Context, Result};
use metastable_algorithms::Evaluation;
use metastable_analysis::{Interval, ScoreMatrix, spread::spread};
use metastable_data::{GlyphsConfig, Ink, MetaSplit};
use serde_json::json;

use crate::Ending;
use crate::dataset::{check_ink, data_dir};
use crate::files::sha256;
use crate::flags;
use crate::run::checkpoint::Stored;
use crate::run::config::Compute;
use crate::run::{Material, Run, RunConfig};
use crate::schedule::Shares;

/// Runs the command.
pub(crate) fn evaluate(flags: &flags::Evaluate) -> Result<Ending> {
    let stored = Stored::read(&flags.checkpoint)?;
    let mut config = stored.config.clone();
    change(&mut config, flags)?;
    crate::reexec_for(config.compute.backend)?;
    if flags.lake_runs {
        return lake_runs::evaluate(&stored, config, flags);
    }
    let dir = data_dir(flags.machine.data_dir.as_deref());
    let material = Material::load(&config.data, &glyphs(&config), &dir, &config.seeds);
    let material = material.with_context(|| match &flags.data.split {
        Some(_) => String::from("while loading the data"),
        None => format!(
            "while splitting by the rule of the run, `{}` (--split takes another)",
            config.data.split
        ),
    })?;
    config.data_digest.clone_from(&material.dataset.digest);
    let same_data = config.data_digest == stored.config.data_digest;

    if !same_data {
        eprintln!(
            "note: the data are not those of the training (digest {} there, {} here)",
            stored.config.data_digest, config.data_digest
        );
    }

    let run = Run::new(&config.learner.name, &config)?;
    // One checkpoint is one job, on all threads.
    let shares = Shares::new(Some(1), flags.machine.threads, 1)?;
    let episodes = material.list(&config, MetaSplit::Test)?;
    let tasks = |index| episodes.task(index);
    let n_tasks = config.test.episodes;
    let evaluation = shares
        .pool()?
        .install(|| run.evaluate(&stored.weights, &tasks, n_tasks))?;

    let scores: Vec<f64> = evaluation.task_accuracies().collect();
    let interval = interval(&evaluation)?;
    let result = json!({
        "checkpoint": flags.checkpoint,
        "learner": config.learner.name,
        "step": stored.step,
        "setting": config.setting(),
        "n_query": config.test.query,
        "episodes": evaluation.n_tasks,
        "accuracy": evaluation.accuracy(),
        "interval_over_tasks": interval,
        "nll": evaluation.nll(),
        "task_accuracy": scores,
        "predictions_sha256": sha256(&evaluation.predictions),
        "data_digest": config.data_digest,
        "same_data_as_training": same_data,
    });
    if flags.json {
        println!("{result}");
    } else {
        println!(
            "{} after {} steps on {}: {:.2} % +- {:.2} over {} episodes with {} queries a class (95 %, tasks only), nll {:.4}",
            config.learner.name,
            stored.step,
            config.setting(),
            100.0 * evaluation.accuracy(),
            100.0 * interval.half_width(),
            evaluation.n_tasks,
            config.test.query,
            evaluation.nll()
        );
    }
    Ok(Ending::Done)
}

/// The interval over tasks that papers print.
fn interval(evaluation: &Evaluation) -> Result<Interval> {
    let scores: Vec<f64> = evaluation.task_accuracies().collect();
    let spread = spread(&ScoreMatrix::from_rows(&[scores])?, 0.95)?;
    Ok(spread.runs[0].printed.clone())
}

/// The glyphs of the run, or the default ones where it had others.
fn glyphs(config: &RunConfig) -> GlyphsConfig {
    config.glyphs.clone().unwrap_or_else(|| GlyphsConfig {
        side: config.data.size,
        ..GlyphsConfig::default()
    })
}

/// The configuration with what the command line says instead.
fn change(config: &mut RunConfig, flags: &flags::Evaluate) -> Result<()> {
    let machine = &flags.machine;
    if machine.device.is_some() || machine.backend.is_some() {
        let backend = machine.backend.map(Into::into);
        config.compute = Compute::new(machine.device.as_deref(), backend)?;
    }
    let data = &mut config.data;
    if let Some(set) = &flags.data.dataset {
        data.set.clone_from(set);
        // What the run said of its own images holds for others that have to be told, too.
        if check_ink(data).is_err() {
            data.ink = Ink::Auto;
        }
    }
    if let Some(rule) = &flags.data.split {
        data.split.clone_from(rule);
    }
    let test = &mut config.test;
    for (value, flag) in [
        (&mut test.way, flags.way),
        (&mut test.shot, flags.shot),
        (&mut test.query, flags.query),
        (&mut test.episodes, flags.episodes),
    ] {
        *value = flag.unwrap_or(*value);
    }
    test.check()?;
    Ok(())
}
