//! `evaluate`: the meta-test of a saved checkpoint, by default on the very list of its own run.

mod lake_runs;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
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
use crate::run::{Material, Run, RunConfig, guest};
use crate::schedule::Shares;

/// Runs the command.
pub(crate) fn evaluate(flags: &flags::Evaluate) -> Result<Ending> {
    let stored = Stored::read(&flags.checkpoint)?;
    if guest::is_of(&stored.config) {
        bail!(
            "{} is the saved state of a guest; its study tests it (experiment), and `probe` asks it",
            flags.checkpoint.display()
        );
    }
    stored.say_doubts();
    let mut config = stored.config.clone();
    change(&mut config, flags)?;
    crate::reexec_for(config.compute.backend)?;
    if flags.lake_runs {
        return lake_runs::evaluate(&stored, config, flags);
    }
    let dir = data_dir(flags.machine.data_dir.as_deref());
    let dataset = crate::dataset::load(&config.data, &glyphs(&config), &dir)
        .context("while loading the data")?;
    let material = Material::of(Arc::new(dataset), &config.data, &config.seeds);
    let material = material.with_context(|| match &flags.data.split {
        Some(rule) => format!("while splitting by --split {rule}"),
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
        "n_non_finite_weights": stored.n_non_finite(),
        "task_accuracy": scores,
        "predictions_sha256": sha256(&evaluation.predictions),
        "data_digest": config.data_digest,
        "same_data_as_training": same_data,
    });
    if flags.json {
        println!("{result}");
    } else {
        println!(
            "{} after {} steps on {}: {:.2} %{} over {} episodes with {} queries a class{}, nll {:.4}",
            config.learner.name,
            stored.step,
            config.setting(),
            100.0 * evaluation.accuracy(),
            interval.as_ref().map(plus_minus).unwrap_or_default(),
            evaluation.n_tasks,
            config.test.query,
            if interval.is_some() {
                " (95 %, tasks only)"
            } else {
                ""
            },
            evaluation.nll()
        );
    }
    Ok(Ending::Done)
}

/// From so many tasks on, the interval is the normal one that papers print; Student's is then wider by less than 2.5 %.
const MANY_TASKS: usize = 100;

/// The interval over tasks: the one that papers print, Student's for few tasks, none for one.
fn interval(evaluation: &Evaluation) -> Result<Option<Interval>> {
    let scores: Vec<f64> = evaluation.task_accuracies().collect();
    interval_of(scores)
}

fn interval_of(scores: Vec<f64>) -> Result<Option<Interval>> {
    let n_tasks = scores.len();
    let spread = spread(&ScoreMatrix::from_rows(&[scores])?, 0.95)?;
    let run = &spread.runs[0];
    Ok(match n_tasks {
        0 | 1 => None,
        _ if n_tasks < MANY_TASKS => Some(run.student.clone()),
        _ => Some(run.printed.clone()),
    })
}

fn plus_minus(interval: &Interval) -> String {
    format!(" +- {:.2}", 100.0 * interval.half_width())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_has_no_interval_and_few_have_the_wider_one() {
        assert!(interval_of(vec![0.5]).unwrap().is_none());
        // Two scores 0 and 1: standard deviation 1 / sqrt(2), error 1/2, and t(0.975; 1) = 12.7062.
        let two = interval_of(vec![0.0, 1.0]).unwrap().unwrap();
        assert!((two.half_width() - 12.7062 / 2.0).abs() < 1e-3, "{two:?}");
        let many: Vec<f64> = (0..100).map(|task| f64::from(task % 2)).collect();
        let normal = interval_of(many).unwrap().unwrap();
        // n = 100, so the variance is 25 / 99 and the error 0.0502519.
        assert!((normal.half_width() - 1.959_964 * 0.050_251_9).abs() < 1e-6);
    }
}
