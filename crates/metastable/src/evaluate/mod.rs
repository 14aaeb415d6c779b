//! `evaluate`: the meta-test of a saved checkpoint, by default on the very list of its own run.

mod import;
mod lake_runs;
mod listed;
mod protocol;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use metastable_algorithms::{Evaluation, Task, TaskSource};
use metastable_analysis::{Interval, ScoreMatrix, spread::spread};
use metastable_data::{GlyphsConfig, MetaSplit};
use serde_json::json;

use crate::Ending;
use crate::files::sha256;
use crate::flags;
use crate::places::data_dir;
use crate::run::checkpoint::Stored;
use crate::run::{Material, Run, RunConfig};
use crate::schedule::Shares;
use import::Input;

/// Reads a map and weights, and does nothing with them: for the fuzz target.
pub(crate) fn import_only(map: &str, weights: &[u8]) -> Result<()> {
    import::of(map, "map.toml", weights).map(drop)
}

/// Runs the command.
pub(crate) fn evaluate(flags: &flags::Evaluate) -> Result<Ending> {
    import::refuse_torch(&flags.checkpoint)?;
    let (stored, input) = match &flags.import {
        None => (Stored::read(&flags.checkpoint)?, Input::default()),
        Some(map) => import::read(map, &flags.checkpoint)?,
    };
    if stored.config.is_guest() {
        bail!(
            "{} is the saved state of a guest; its study tests it (experiment), and `probe` asks it",
            flags.checkpoint.display()
        );
    }
    if let Some(family) = stored.config.family() {
        bail!(
            "{}: it was trained on {}, a regression, and this command reports shares of right answers; `{} report` of its study has its errors",
            flags.checkpoint.display(),
            family.name,
            crate::shell::program()
        );
    }
    if let Some(world) = stored.config.environment() {
        bail!(
            "{}: it is a policy for {}, and this command reports shares of right answers; `{} report` of its study has its returns",
            flags.checkpoint.display(),
            world.name(),
            crate::shell::program()
        );
    }
    stored.say_doubts();
    let mut config = stored.config.clone();
    // A file has one set of weights.
    config.test.checkpoints = 1;
    protocol::change(&mut config, flags)?;
    let changed = protocol::changed(&stored.config, &config)?;
    if flags.import.is_none() && !changed.is_empty() {
        eprintln!(
            "note: this test differs from the run's own: {}",
            changed.join("; ")
        );
    }
    crate::reexec_for(config.compute.backend)?;
    if flags.lake_runs {
        return lake_runs::evaluate(&stored, config, flags);
    }
    let dir = data_dir(flags.machine.data_dir.as_deref());
    let dataset = crate::dataset::load(&config.data, &glyphs(&config), &dir)
        .context("while loading the data")?;
    // The title of a setting names channels where its study does.
    config.data.channels = stored.config.data.channels;
    if let Some(receipt) = &dataset.receipt {
        eprint!("{receipt}");
    }
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

    if !same_data && flags.import.is_none() {
        eprintln!(
            "note: the data are not those of the training (digest {} there, {} here)",
            stored.config.data_digest, config.data_digest
        );
    }

    let list = match &flags.episodes_from {
        Some(path) => Some(listed::read(path, &material.dataset, &mut config.test)?),
        None => None,
    };
    let run = Run::new(&config.learner.name, &config)?;
    // One checkpoint is one job, on all threads.
    let shares = Shares::new(Some(1), flags.machine.threads, 1)?;
    let images = &material.dataset;
    let episodes: Box<TaskSource<'_, f32>> = match list {
        Some(list) => Box::new(move |index: u64| Task::gather(images, &list[index as usize])),
        None => {
            let drawn = material.list(&config, MetaSplit::Test)?.episodes()?;
            Box::new(move |index: u64| drawn.task(index))
        }
    };
    let n_tasks = config.test.episodes;
    let tasks = |index: u64| episodes(index).map(|task| input.of(task));
    let evaluation = shares
        .pool()?
        .install(|| run.evaluate(&stored.weights, &tasks, n_tasks))?;

    let scores: Vec<f64> = evaluation.task_accuracies().collect();
    let interval = interval(&evaluation)?;
    let result = json!({
        "checkpoint": flags.checkpoint,
        "learner": config.learner.name,
        "step": flags.import.is_none().then_some(stored.step),
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
        "changed": changed,
    });
    let weights = match &flags.import {
        None => format!("after {} steps", stored.step),
        Some(_) => String::from("with imported weights"),
    };
    if flags.json {
        println!("{result}");
    } else {
        println!(
            "{} {weights} on {}: {:.2} %{} over {} episodes with {} queries a class{}, nll {:.4}",
            config.learner.name,
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

/// The interval over tasks: the one that papers print, Student's for few tasks, none for one. Where every task has the same score
/// nothing is known of how they differ: none, in place of one of no width.
fn interval(evaluation: &Evaluation) -> Result<Option<Interval>> {
    let scores: Vec<f64> = evaluation.task_accuracies().collect();
    interval_of(scores)
}

/// The same of the accuracies of the tasks.
pub(crate) fn interval_of(scores: Vec<f64>) -> Result<Option<Interval>> {
    let n_tasks = scores.len();
    let are_alike = scores
        .windows(2)
        .all(|pair| pair[0].to_bits() == pair[1].to_bits());
    let spread = spread(&ScoreMatrix::from_rows(&[scores])?, 0.95)?;
    let run = &spread.runs[0];
    Ok(match n_tasks {
        _ if are_alike => None,
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
        // Where height and width differ, loading refuses glyphs.
        side: config.data.size.height,
        ..GlyphsConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_has_no_interval_and_few_have_the_wider_one() {
        assert!(interval_of(vec![0.5]).unwrap().is_none());
        assert!(interval_of(vec![1.0; 3]).unwrap().is_none());
        // Two scores 0 and 1: standard deviation 1 / sqrt(2), error 1/2, and t(0.975; 1) = 12.7062.
        let two = interval_of(vec![0.0, 1.0]).unwrap().unwrap();
        assert!((two.half_width() - 12.7062 / 2.0).abs() < 1e-3, "{two:?}");
        let many: Vec<f64> = (0..100).map(|task| f64::from(task % 2)).collect();
        let normal = interval_of(many).unwrap().unwrap();
        // n = 100, so the variance is 25 / 99 and the error 0.0502519.
        assert!((normal.half_width() - 1.959_964 * 0.050_251_9).abs() < 1e-6);
    }
}
