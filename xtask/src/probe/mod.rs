//! `probe`: questions to trained learners after their runs. The answers lie beside the runs, and the report reads them.

mod sensitivity;
pub(crate) mod store;
mod subject;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use metastable_analysis::{Options, Outcome, Probe, Run, Study as Tables, analyze};
use metastable_data::GlyphsConfig;
use serde::{Deserialize, Serialize};

use self::store::Answers;
use self::subject::Subject;
use crate::Ending;
use crate::campaign::{Finished, StudyFolder};
use crate::dataset::data_dir;
use crate::flags;
use crate::run::checkpoint::Stored;
use crate::run::{Material, RunConfig};
use crate::schedule::Shares;

/// A family of questions.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    /// Other support sets, label orders, step sizes, batches, one example exchanged
    #[value(name = "c")]
    Sensitivity,
}

impl Family {
    const ALL: [Self; 1] = [Self::Sensitivity];

    fn name(self) -> &'static str {
        match self {
            Self::Sensitivity => "sensitivity",
        }
    }

    fn ask(self, subject: &Subject<'_>, n_tasks: usize) -> Result<Probe> {
        match self {
            Self::Sensitivity => sensitivity::ask(subject, n_tasks),
        }
    }
}

/// Runs the command.
pub(crate) fn command(flags: &flags::Probe) -> Result<Ending> {
    if flags.tasks < 2 {
        bail!("--tasks {}: a question needs at least 2 tasks", flags.tasks);
    }
    let mut families = flags.families.clone();
    if families.is_empty() {
        families = Family::ALL.to_vec();
    }
    families.sort();
    families.dedup();
    if flags.target.is_file() {
        return of_checkpoint(flags, &families);
    }
    let folder = StudyFolder::new(&flags.target);
    let index = folder.read()?;
    let finished = folder.finished(&index, |entry, _| {
        eprintln!(
            "{} is not finished or damaged, and is left out",
            entry.label
        );
    })?;
    if finished.is_empty() {
        bail!(
            "no run of {} has ended; run its study first",
            flags.target.display()
        );
    }
    let mut materials = Materials::default();
    for run in &finished {
        let checkpoint = checkpoint(run);
        let label = &run.entry.label;
        if !checkpoint.exists() {
            eprintln!("{label} has no weights to ask, and is left out");
            continue;
        }
        let digest = store::digest(&checkpoint)?;
        let stored = Stored::read(&checkpoint)?;
        let (step, material) = (stored.step, materials.of(&stored.config, flags)?);
        let subject = Subject::new(stored, material)?;
        for family in &families {
            let is_there = |a: Answers| a.checkpoint == digest && a.n_tasks == flags.tasks;
            if Answers::read(&flags.target, label, *family).is_ok_and(|a| a.is_some_and(is_there)) {
                eprintln!("{label}: {} answers are there", family.name());
                continue;
            }
            let probe = ask(&subject, *family, flags).with_context(|| format!("in run {label}"))?;
            let answers = Answers::new(*family, digest.clone(), step, flags.tasks, probe);
            println!("{}", answers.write(&flags.target, label)?.display());
        }
    }
    eprintln!(
        "`cargo xtask report {}` shows the answers",
        flags.target.display()
    );
    Ok(Ending::Done)
}

/// The weights that were tested.
pub(crate) fn checkpoint(run: &Finished) -> PathBuf {
    let best = run.folder.best();
    if run.record.config.test.weights == "best" && best.exists() {
        best
    } else {
        run.folder.last()
    }
}

fn ask(subject: &Subject<'_>, family: Family, flags: &flags::Probe) -> Result<Probe> {
    let begun = Instant::now();
    // Tasks side by side: every question is many small ones.
    let shares = Shares::new(Some(1), flags.machine.threads, 1)?;
    let probe = shares
        .pool()?
        .install(|| family.ask(subject, flags.tasks))?;
    eprintln!(
        "{} questions answered in {:.0} s",
        family.name(),
        begun.elapsed().as_secs_f64()
    );
    Ok(probe)
}

/// Asks one checkpoint, and says on stdout what it answered; nothing is written.
fn of_checkpoint(flags: &flags::Probe, families: &[Family]) -> Result<Ending> {
    let stored = Stored::read(&flags.target)?;
    let mut materials = Materials::default();
    let material = materials.of(&stored.config, flags)?;
    let (learner, setting) = (stored.config.learner.name.clone(), stored.config.setting());
    let subject = Subject::new(stored, material)?;
    let mut probe = Probe {
        run: learner.clone(),
        ..Probe::default()
    };
    for family in families {
        probe.absorb(ask(&subject, *family, flags)?);
    }
    let run = Run {
        id: learner.clone(),
        learner,
        setting,
        seed: subject.config.seeds.init,
        outcome: Outcome::Completed,
        history: Vec::new(),
        train_seconds: 0.0,
        test: None,
        scores: None,
        adaptation: None,
        fingerprint: std::collections::BTreeMap::new(),
    };
    let tables = Tables {
        runs: vec![run],
        probes: vec![probe],
        ..Tables::default()
    };
    let analysis = analyze(&tables, &Options::default())?;
    for finding in &analysis.findings {
        if finding.metric != "failures" {
            println!("{}", finding.text);
        }
    }
    Ok(Ending::Done)
}

/// Data sets with their splits, each loaded once.
#[derive(Default)]
struct Materials {
    loaded: Vec<(String, Box<Material>)>,
}

impl Materials {
    fn of(&mut self, config: &RunConfig, flags: &flags::Probe) -> Result<&Material> {
        let key = serde_json::to_string(&(&config.data, &config.glyphs, config.seeds.split))?;
        let at = match self.loaded.iter().position(|(known, _)| *known == key) {
            Some(at) => at,
            None => {
                self.loaded.push((
                    key,
                    Box::new(load(config, flags.machine.data_dir.as_deref())?),
                ));
                self.loaded.len() - 1
            }
        };
        Ok(&self.loaded[at].1)
    }
}

fn load(config: &RunConfig, dir: Option<&Path>) -> Result<Material> {
    let glyphs = config.glyphs.clone().unwrap_or_else(|| GlyphsConfig {
        side: config.data.size,
        ..GlyphsConfig::default()
    });
    let material = Material::load(&config.data, &glyphs, &data_dir(dir), &config.seeds)?;
    if material.dataset.digest != config.data_digest {
        bail!(
            "the data are not those of the training (digest {} there, {} here): answers would be about other classes",
            config.data_digest,
            material.dataset.digest
        );
    }
    Ok(material)
}
