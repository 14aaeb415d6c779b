//! `probe`: questions to trained learners after their runs. The answers lie beside the runs, and the report reads them.

mod features;
mod geometry;
mod kinship;
mod sensitivity;
mod shift;
pub(crate) mod store;
mod subject;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use metastable_analysis::{Options, Outcome, Probe, Run, Study as Tables, analyze};
use metastable_data::{GlyphsConfig, Ink};
use serde::{Deserialize, Serialize};

use self::kinship::Member;
use self::shift::Other;
use self::store::Answers;
use self::subject::Subject;
use crate::Ending;
use crate::campaign::folder::Entry;
use crate::campaign::{Finished, StudyFolder};
use crate::dataset::data_dir;
use crate::flags;
use crate::run::checkpoint::Stored;
use crate::run::{Material, RunConfig};
use crate::schedule::Shares;
use crate::study::DataSettings;

/// Tasks over which a path between two runs is the mean: each point is another learner.
const KINSHIP_TASKS: usize = 8;

/// A family of questions.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    /// Other support sets, label orders, step sizes, batches, one example exchanged
    #[value(name = "c")]
    Sensitivity,
    /// Curvature, loss surfaces, features, task embeddings
    #[value(name = "f")]
    Geometry,
    /// Features and paths between the runs of a study
    #[value(name = "f-pairs")]
    Kinship,
    /// Other shapes, other data, damaged images, wrong labels, calibration
    #[value(name = "g")]
    Shift,
}

impl Family {
    const ALL: [Self; 4] = [
        Self::Sensitivity,
        Self::Geometry,
        Self::Kinship,
        Self::Shift,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Sensitivity => "sensitivity",
            Self::Geometry => "geometry",
            Self::Kinship => "kinship",
            Self::Shift => "shift",
        }
    }

    fn ask(self, subject: &Subject<'_>, others: &[Other], n_tasks: usize) -> Result<Probe> {
        match self {
            Self::Sensitivity => sensitivity::ask(subject, n_tasks),
            Self::Geometry => geometry::ask(subject, n_tasks),
            // A run by itself has no kin; see `kinship`.
            Self::Kinship => Ok(Probe::default()),
            Self::Shift => shift::ask(subject, others, n_tasks),
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
    let mut asked = Vec::new();
    for run in &finished {
        let checkpoint = checkpoint(run);
        if checkpoint.exists() {
            asked.push((run, store::digest(&checkpoint)?, Stored::read(&checkpoint)?));
        } else {
            eprintln!("{} has no weights to ask, and is left out", run.entry.label);
        }
    }
    let mut materials = Materials::default();
    for (_, _, stored) in &asked {
        materials.load(&stored.config, flags)?;
    }
    let others = others(
        &families,
        asked.first().map(|(_, _, stored)| &stored.config),
        flags,
    )?;
    let mut runs = Vec::new();
    for (run, checkpoint, stored) in asked {
        let material = materials.of(&stored.config)?;
        runs.push(Asked {
            entry: &run.entry,
            checkpoint,
            step: stored.step,
            subject: Subject::new(stored, material)?,
        });
    }
    for (at, run) in runs.iter().enumerate() {
        for family in &families {
            let label = &run.entry.label;
            let is_there = |a: Answers| a.checkpoint == run.checkpoint && a.n_tasks == flags.tasks;
            // Kin may have joined since.
            let is_closed = *family != Family::Kinship;
            let stored = Answers::read(&flags.target, label, *family);
            if is_closed && stored.is_ok_and(|stored| stored.is_some_and(is_there)) {
                eprintln!("{label}: {} answers are there", family.name());
                continue;
            }
            let question = || match family {
                Family::Kinship => Ok(Probe {
                    kinship: Some(kinship::ask(
                        &members(&runs),
                        at,
                        flags.tasks.min(KINSHIP_TASKS),
                    )?),
                    ..Probe::default()
                }),
                _ => family.ask(&run.subject, &others, flags.tasks),
            };
            let probe = ask(label, *family, flags, question)?;
            let answers = Answers::new(
                *family,
                run.checkpoint.clone(),
                run.step,
                flags.tasks,
                probe,
            );
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

/// A run that is asked.
struct Asked<'m> {
    entry: &'m Entry,
    checkpoint: String,
    step: usize,
    subject: Subject<'m>,
}

fn members<'s, 'm>(runs: &'s [Asked<'m>]) -> Vec<Member<'s, 'm>> {
    let member = |run: &'s Asked<'m>| Member {
        label: &run.entry.label,
        learner: &run.entry.learner,
        subject: &run.subject,
    };
    runs.iter().map(member).collect()
}

/// Asks on all threads: every question is many small ones, side by side.
fn ask(
    name: &str,
    family: Family,
    flags: &flags::Probe,
    question: impl FnOnce() -> Result<Probe> + Send,
) -> Result<Probe> {
    let begun = Instant::now();
    let shares = Shares::new(Some(1), flags.machine.threads, 1)?;
    let probe = shares
        .pool()?
        .install(question)
        .with_context(|| format!("while asking {name} about {}", family.name()))?;
    eprintln!(
        "{name}: {} answered in {:.0} s",
        family.name(),
        begun.elapsed().as_secs_f64()
    );
    Ok(probe)
}

/// Asks one checkpoint, and says on stdout what it answered; nothing is written.
fn of_checkpoint(flags: &flags::Probe, families: &[Family]) -> Result<Ending> {
    let stored = Stored::read(&flags.target)?;
    let mut materials = Materials::default();
    materials.load(&stored.config, flags)?;
    let material = materials.of(&stored.config)?;
    let others = others(families, Some(&stored.config), flags)?;
    let (learner, setting) = (stored.config.learner.name.clone(), stored.config.setting());
    let subject = Subject::new(stored, material)?;
    let mut probe = Probe {
        run: learner.clone(),
        ..Probe::default()
    };
    for family in families {
        let question = || family.ask(&subject, &others, flags.tasks);
        probe.absorb(ask(&learner, *family, flags, question)?);
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
    loaded: Vec<(String, Material)>,
}

impl Materials {
    fn key(config: &RunConfig) -> Result<String> {
        let parts = (&config.data, &config.glyphs, config.seeds.split);
        Ok(serde_json::to_string(&parts)?)
    }

    fn load(&mut self, config: &RunConfig, flags: &flags::Probe) -> Result<()> {
        let key = Self::key(config)?;
        if self.loaded.iter().all(|(known, _)| *known != key) {
            let material = load(config, flags.machine.data_dir.as_deref())?;
            self.loaded.push((key, material));
        }
        Ok(())
    }

    fn of(&self, config: &RunConfig) -> Result<&Material> {
        let key = Self::key(config)?;
        let found = self.loaded.iter().find(|(known, _)| *known == key);
        found
            .map(|(_, material)| material)
            .ok_or_else(|| anyhow!("no data were loaded for a run, which is a bug"))
    }
}

/// The data sets that learners are tested on besides their own: those that the user names, else those that are at hand.
fn others(
    families: &[Family],
    config: Option<&RunConfig>,
    flags: &flags::Probe,
) -> Result<Vec<Other>> {
    let Some(config) = config.filter(|_| families.contains(&Family::Shift)) else {
        return Ok(Vec::new());
    };
    let dir = data_dir(flags.machine.data_dir.as_deref());
    let open = |set: &str| -> Result<Other> {
        let data = DataSettings {
            set: set.to_owned(),
            ink: Ink::Auto.to_string(),
            ..config.data.clone()
        };
        let glyphs = GlyphsConfig {
            side: data.size,
            ..GlyphsConfig::default()
        };
        let dataset = crate::dataset::load(&data, &glyphs, &dir)
            .with_context(|| format!("while opening {set}"))?;
        Ok(Other {
            set: set.to_owned(),
            dataset,
        })
    };
    if flags.other.is_empty() {
        // Omniglot is there or not; glyphs always are.
        return Ok(["glyphs", "omniglot"]
            .into_iter()
            .filter_map(|set| open(set).ok())
            .collect());
    }
    flags.other.iter().map(|set| open(set)).collect()
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
