//! `train`: one learner of a study, with one seed.

use std::path::Path;

use anyhow::{Result, bail};

use crate::Ending;
use crate::experiment::{Task, default_out, run_study};
use crate::flags;
use crate::study::{Study, bounds};

/// Runs the command.
pub(crate) fn train(flags: &flags::Train) -> Result<Ending> {
    let mut study = Study::load(&flags.study, &flags.set, &flags.data.shorthands())?;
    let names: Vec<String> = study
        .learners
        .iter()
        .map(|learner| learner.name.clone())
        .collect();
    study
        .learners
        .retain(|learner| learner.name == flags.learner);
    if study.learners.is_empty() {
        bail!(
            "study {:?} has no learner {:?}; it has {}. Another is added with --set learners.{}.outer_steps=1000",
            study.head.name,
            flags.learner,
            names.join(", "),
            flags.learner
        );
    }
    // One run, which is tested: neither settings, nor factors, nor streams, nor questions.
    study.design = Default::default();
    study.probe = None;
    study.head.seeds = 1;
    bounds::SEED.check("--seed", flags.seed)?;
    study.head.first_seed = flags.seed;
    study.head.name = format!("train-{}", flags.learner);
    let out = match &flags.out {
        Some(out) => out.clone(),
        None => default_out(&study.head.name),
    };
    let task = Task {
        out: &out,
        input: Some(Path::new(&flags.study)),
        store: flags.store.as_deref(),
        machine: &flags.machine,
        max_runs: 1,
        over_budget: flags.over_budget,
        plan: false,
        slurm: None,
    };
    run_study(&study, &task)
}
