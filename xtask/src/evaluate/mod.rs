//! `evaluate`: the meta-test of a saved checkpoint, by default on the very list of its own run.

use anyhow::Result;
use metastable_analysis::{ScoreMatrix, spread::spread};
use metastable_data::GlyphsConfig;
use serde_json::json;

use crate::Ending;
use crate::dataset::data_dir;
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
    let glyphs = config.glyphs.clone().unwrap_or_else(|| GlyphsConfig {
        side: config.data.size,
        ..GlyphsConfig::default()
    });
    let dir = data_dir(flags.machine.data_dir.as_deref());
    let material = Material::load(&config.data, &glyphs, &dir, &config.seeds)?;
    config.data_digest.clone_from(&material.dataset.digest);
    let same_data = config.data_digest == stored.config.data_digest;

    if !same_data {
        eprintln!(
            "note: the data are not those of the training (digest {} there, {} here)",
            stored.config.data_digest, config.data_digest
        );
    }

    let run = Run::new(&config)?;
    // One checkpoint is one job, on all threads.
    let shares = Shares::new(Some(1), flags.machine.threads, 1)?;
    let mut evaluations = shares.run(1, |_| run.evaluate(&material, &stored.weights))?;
    let evaluation = evaluations.remove(0);

    let scores: Vec<f64> = evaluation.task_accuracies().collect();
    let interval = spread(&ScoreMatrix::from_rows(&[&scores])?, 0.95)?.runs[0]
        .printed
        .clone();
    let result = json!({
        "checkpoint": flags.checkpoint,
        "learner": config.name,
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
            config.name,
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

/// The configuration with what the command line says instead.
fn change(config: &mut RunConfig, flags: &flags::Evaluate) -> Result<()> {
    let machine = &flags.machine;
    if machine.device.is_some() || machine.backend.is_some() {
        let backend = machine.backend.map(Into::into);
        config.compute = Compute::new(machine.device.as_deref(), backend)?;
    }
    if let Some(set) = &flags.dataset {
        config.data.set.clone_from(set);
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
