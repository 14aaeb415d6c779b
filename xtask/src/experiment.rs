//! `experiment`: all runs of a study, then its report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use metastable_algorithms::{Head, LEARNERS};
use metastable_analysis::Outcome;
use metastable_data::MetaSplit;

use crate::Ending;
use crate::dataset::{check_ink, data_dir};
use crate::files::{lock, make_folder, read_text, write_whole};
use crate::flags;
use crate::progress::{Progress, clock};
use crate::run::config::{Compute, differences, flatten};
use crate::run::{Ended, Material, Record, Run, RunConfig, RunFolder, Workshop};
use crate::schedule::Shares;
use crate::shell::command_line;
use crate::signal::Stop;
use crate::study::{Study, StudyLearner};

/// Runs the command.
pub(crate) fn experiment(flags: &flags::Experiment) -> Result<Ending> {
    let study = Study::load(&flags.study, &flags.set, &flags.shorthands())?;
    let out = match &flags.out {
        Some(out) => out.clone(),
        None => default_out(&study.head.name),
    };
    run_study(&study, &out, &flags.machine)
}

/// Runs a study, and reports.
pub(crate) fn run_study(study: &Study, out: &Path, machine: &flags::Machine) -> Result<Ending> {
    let compute = Compute::new(machine.device.as_deref(), machine.backend.map(Into::into))?;
    crate::reexec_for(compute.backend)?;
    let n_runs = study.head.seeds * study.learners.len();
    let shares = Shares::new(machine.jobs, machine.threads, n_runs)?;
    let dir = data_dir(machine.data_dir.as_deref());
    check_ink(&study.data).map_err(|error| place(study, &["data.ink"], error))?;
    let material = Material::load(&study.data, &study.glyphs, &dir, &study.seeds(0))
        .map_err(|error| place(study, &["data.split", "data.set"], error))?;
    let configs = plan(study, &material, &compute)?;
    for config in &configs {
        check(study, config, &material)?;
    }
    let runs = configs.iter().map(Run::new).collect::<Result<Vec<_>>>()?;

    make_folder(&out.join("runs"))?;
    let _lock = lock(out)?;
    refuse_changes(study, &configs, out)?;
    write_whole(
        &out.join("study.toml"),
        whole(study, out)?.to_toml()?.as_bytes(),
    )?;
    let stop = Stop::listen()?;
    let progress = Progress::new(&study.head.name, n_runs);
    progress.say(&format!(
        "{}: {n_runs} runs, {} at a time with {} threads each; results in {}",
        study.head.name,
        shares.jobs,
        shares.threads,
        out.display()
    ));
    let shop = Workshop {
        study: &study.head.name,
        out,
        material: &material,
        settings: &study.run,
        stop: &stop,
        progress: &progress,
    };
    let ended = shares.run(runs.len(), |index| {
        if stop.asked() {
            return Ok(Ended::Interrupted);
        }
        let ended = runs[index].execute(&shop)?;
        if let Ended::Finished(record) = &ended {
            progress.say(&summary(record));
            progress.run_ended();
        }
        Ok(ended)
    });
    progress.finish();
    let is_finished = |ended: &&Ended| matches!(ended, Ended::Finished(_));
    let n_finished = ended?.iter().filter(is_finished).count();
    if n_finished < n_runs {
        eprintln!(
            "stopped with {n_finished} of {n_runs} runs finished; the same command goes on where it stopped:\n  {}",
            command_line()
        );
        return Ok(Ending::Interrupted);
    }
    crate::report::of_folder(out, None)?;
    Ok(Ending::Done)
}

/// The configuration of every run, in the order of learner, then seed.
fn plan(study: &Study, material: &Material, compute: &Compute) -> Result<Vec<RunConfig>> {
    let mut configs = Vec::new();
    for learner in &study.learners {
        let StudyLearner {
            name,
            learner,
            training,
        } = learner;
        let has_head = LEARNERS
            .iter()
            .any(|entry| entry.name == learner.name && entry.head == Head::Linear);
        let episode = study.train_shape(training);
        for seed in study.head.all_seeds() {
            configs.push(RunConfig {
                name: name.clone(),
                data: study.data.clone(),
                glyphs: (study.data.set == "glyphs").then(|| study.glyphs.clone()),
                data_digest: material.dataset.digest.clone(),
                episode,
                test: study.test.clone(),
                network: study.network(has_head.then_some(episode.n_way)),
                learner: learner.clone(),
                training: training.train(&study.validation)?,
                seeds: study.seeds(seed),
                log_every: study.run.log_every,
                compute: compute.clone(),
            });
        }
    }
    Ok(configs)
}

/// Whether the data hold the episodes that a run asks for, and its head fits them.
fn check(study: &Study, config: &RunConfig, material: &Material) -> Result<()> {
    let own = |key: &str| format!("learners.{}.{key}", config.name);
    let (way, shot, query) = (own("way"), own("shot"), own("query"));
    let train = ["episode.way", "episode.shot", "episode.query"];
    let paths: Vec<&str> = [way.as_str(), &shot, &query]
        .into_iter()
        .chain(train)
        .collect();
    material
        .training(config)
        .map_err(|error| place(study, &paths, error))?;
    let test = ["test.way", "test.shot", "test.query"];
    for part in [MetaSplit::Validation, MetaSplit::Test] {
        material
            .list(config, part)
            .map_err(|error| place(study, &test, error))?;
    }
    if let Some(n_way) = config.network.n_way
        && n_way != config.test.way
    {
        bail!(
            "{}{} trains a head for {n_way} classes but test.way = {}: make them equal, or take a learner without a head",
            study.place(&[&test[..1], &paths[..], &test[1..]].concat()),
            config.name,
            config.test.way
        );
    }
    Ok(())
}

fn place(study: &Study, paths: &[&str], error: anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{}{error:#}", study.place(paths))
}

/// Refuses to mix results of different studies in one folder. Seeds and learners may be added or left out.
fn refuse_changes(study: &Study, configs: &[RunConfig], out: &Path) -> Result<()> {
    let next_step = format!(
        "choose another folder with --out, or remove {}",
        out.display()
    );
    let stored = out.join("study.toml");
    if stored.exists() {
        let was = comparable(&read_text(&stored)?)
            .with_context(|| format!("while reading {}; {next_step}", stored.display()))?;
        let changes = differences(&was, &comparable(&study.to_toml()?)?);
        let changes: Vec<String> = changes
            .into_iter()
            .filter(|change| !is_other_learner(change, study, &was))
            .collect();
        if !changes.is_empty() {
            bail!(
                "{} holds this study with other settings ({}); {next_step}",
                out.display(),
                changes.join("; ")
            );
        }
    }
    for config in configs {
        let folder = RunFolder::new(out, &config.id());
        if let Some(record) = Record::read(&folder.record())?
            && record.config_hash != config.hash()?
        {
            let changes = differences(&record.config.flat()?, &config.flat()?);
            bail!(
                "{} was made with other settings ({}); {next_step}",
                folder.path().display(),
                changes.join("; ")
            );
        }
    }
    Ok(())
}

/// The study of everything in the folder: this one, and what was run there before.
fn whole(study: &Study, out: &Path) -> Result<Study> {
    let stored = out.join("study.toml");
    if !stored.exists() {
        return Ok(study.clone());
    }
    let both = Study::stored(&stored).and_then(|earlier| study.with_earlier(&earlier));
    both.with_context(|| {
        format!(
            "while adding to the study of {}; choose another folder with --out",
            out.display()
        )
    })
}

/// What has to stay the same for results to go into one folder.
fn comparable(text: &str) -> Result<BTreeMap<String, String>> {
    let tree: serde_json::Value = toml::from_str(text)?;
    let mut flat = BTreeMap::new();
    flatten(&tree, "", &mut flat);
    flat.retain(|key, _| {
        !["seeds", "first_seed", "about", "run.save_seconds"].contains(&key.as_str())
    });
    Ok(flat)
}

/// Whether a difference concerns a learner that is in only one of the two studies.
fn is_other_learner(change: &str, study: &Study, was: &BTreeMap<String, String>) -> bool {
    let Some((name, _)) = change
        .strip_prefix("learners.")
        .and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    let is_there = study.learners.iter().any(|learner| learner.name == name);
    let was_there = was.contains_key(&format!("learners.{name}.algorithm"));
    is_there != was_there
}

/// One line on a finished run.
fn summary(record: &Record) -> String {
    let Some(result) = &record.result else {
        return format!("{}: no result", record.id);
    };
    let time = clock(result.train_seconds);
    match (&result.outcome, &result.test) {
        (Outcome::Diverged { step, cause }, _) => {
            format!(
                "{}: diverged at step {step} ({cause}) after {time}",
                record.id
            )
        }
        (Outcome::Completed, Some(test)) => format!(
            "{}: test accuracy {:.2} %, trained in {time}",
            record.id,
            100.0 * test.accuracy
        ),
        (Outcome::Completed, None) => format!("{}: trained in {time}", record.id),
    }
}

/// Where a study's results go unless the user says otherwise.
pub(crate) fn default_out(name: &str) -> PathBuf {
    Path::new("runs").join(name)
}
