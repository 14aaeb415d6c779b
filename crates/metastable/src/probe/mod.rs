//! `probe`: questions to trained learners after their runs. The answers lie beside the runs, and the report reads them.

mod certificate;
mod kept;
mod materials;
mod round;
pub(crate) mod store;
mod subject;
mod told;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use clap::ValueEnum;
use metastable_analysis::{Options, Outcome, Probe, Run, Study as Tables, analyze};
use metastable_guests as guests;
use metastable_models::Backend;
use metastable_probes::{generalization, geometry, lifelong, sensitivity, shift};
use serde::{Deserialize, Serialize};

pub(crate) use self::round::Round;
pub(crate) use self::told::answers;

use self::materials::Materials;
use self::round::timed;
use self::subject::Subject;
use crate::Ending;
use crate::campaign::folder::Index;
use crate::campaign::left_out::LeftOut;
use crate::campaign::{Finished, StudyFolder};
use crate::dataset::{data_dir, has_omniglot};
use crate::flags;
use crate::plan::Planned;
use crate::run::checkpoint::Stored;
use crate::run::config::Compute;
use crate::run::{RunConfig, guest, returns};
use crate::schedule::Shares;
use crate::signal::{Stop, Work};
use crate::study::{ProbeSettings, RunSettings, Study, suggestion};

/// A family of questions.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Family {
    /// Other support sets, label orders, step sizes, batches; more supports, one exchanged or left out
    #[value(name = "c")]
    Sensitivity,
    /// Seen tasks, new tasks, new classes; one task of one training step exchanged
    #[value(name = "d")]
    Generalization,
    /// Curvature, loss surfaces, features, task embeddings
    #[value(name = "f")]
    Geometry,
    /// Features and paths between the runs of a study
    #[value(name = "f-pairs")]
    Kinship,
    /// Other shapes, other data, damaged images, wrong labels, calibration
    #[value(name = "g")]
    Shift,
    /// Classes of the test part that come one after the other, an image at a time
    #[value(name = "l")]
    Lifelong,
    /// Derivatives, bits and records of the run itself; `experiment` asks in any case
    #[value(name = "certificate")]
    Certificate,
}

impl Family {
    /// What is asked where no family is named.
    pub(crate) const ALL: [Self; 6] = [
        Self::Sensitivity,
        Self::Generalization,
        Self::Geometry,
        Self::Kinship,
        Self::Shift,
        Self::Lifelong,
    ];

    /// As in a study and on the command line.
    pub(crate) fn code(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// A word for it, which names its file of answers.
    fn name(self) -> &'static str {
        match self {
            Self::Sensitivity => "sensitivity",
            Self::Generalization => "generalization",
            Self::Geometry => "geometry",
            Self::Kinship => "kinship",
            Self::Shift => "shift",
            Self::Lifelong => "lifelong",
            Self::Certificate => "certificate",
        }
    }

    /// Whether a run can answer; `offers` are the requests that a guest answers.
    pub(crate) fn is_for(self, config: &RunConfig, offers: &[String]) -> bool {
        self.why_not(config, offers).is_none()
    }

    /// What a guest is asked of a family that is about gradients and parameters too.
    fn part_of_a_guest(self) -> Option<&'static str> {
        match self {
            Self::Geometry | Self::Kinship | Self::Lifelong => Some("its features"),
            Self::Sensitivity | Self::Generalization | Self::Shift | Self::Certificate => None,
        }
    }

    /// Why a run cannot answer; none if it can.
    fn why_not(self, config: &RunConfig, offers: &[String]) -> Option<&'static str> {
        if config.family().is_some() && self != Self::Certificate {
            return Some(
                "its questions are about classes and images, and a regression has neither",
            );
        }
        if returns::is_of(config) {
            return Some(
                "its questions are about labelled examples, and a policy learns from rollouts",
            );
        }
        let training = guest::training(config)?;
        match self {
            Self::Sensitivity | Self::Shift | Self::Certificate => None,
            Self::Generalization => (training != guests::Training::Given).then_some(
                "a guest that is not trained on episodes given by this program has seen none of them",
            ),
            Self::Geometry | Self::Kinship | Self::Lifelong => {
                let offers_features = offers.iter().any(|offer| offer == "features");
                (!offers_features).then_some(
                    "a guest shows neither gradients nor parameters, and this one offers no features",
                )
            }
        }
    }

    fn ask(
        self,
        subject: &Subject<'_>,
        others: &[shift::Other],
        settings: &ProbeSettings,
    ) -> Result<Probe> {
        let (learnt, n_tasks) = (&subject.learnt, settings.tasks);
        Ok(match self {
            Self::Sensitivity => sensitivity::ask(learnt, n_tasks)?,
            Self::Generalization => {
                let initial = match subject.visit {
                    Some(_) => None,
                    None => Some(subject.initial()?),
                };
                generalization::ask(learnt, initial, n_tasks)?
            }
            Self::Geometry => geometry::ask(learnt, n_tasks)?,
            // A checkpoint by itself has neither kin nor records; see `round`.
            Self::Kinship | Self::Certificate => Probe::default(),
            Self::Shift => shift::ask(learnt, others, n_tasks)?,
            Self::Lifelong => lifelong::ask(learnt, &stream_sizes(settings))?,
        })
    }
}

impl TryFrom<String> for Family {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        Self::from_str(&code, false).map_err(|_| {
            let codes: Vec<String> = Self::value_variants().iter().map(|it| it.code()).collect();
            let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
            format!("there is no family {code:?}; {}", suggestion(&code, &codes))
        })
    }
}

impl From<Family> for String {
    fn from(family: Family) -> Self {
        family.code()
    }
}

/// The streams that are asked about.
fn stream_sizes(settings: &ProbeSettings) -> lifelong::Sizes {
    lifelong::Sizes {
        classes: settings.stream_classes.clone(),
        images: settings.stream_images,
        orders: settings.stream_orders,
    }
}

/// Threads of a question: questions are asked one at a time, each on all threads.
fn threads(machine: &flags::Machine) -> Result<usize> {
    Ok(Shares::new(Some(1), machine.threads, 1)?.threads)
}

/// That `--device` and `--backend`, where they are given, are those of the runs: a learner is asked where it was trained.
fn refuse_other_compute<'c>(
    machine: &flags::Machine,
    configs: impl IntoIterator<Item = &'c RunConfig>,
) -> Result<()> {
    if machine.device.is_none() && machine.backend.is_none() {
        return Ok(());
    }
    let asked = Compute::new(machine.device.as_deref(), machine.backend.map(Into::into))?;
    let shown = |compute: &Compute| {
        let backend = match compute.backend {
            Backend::Fused => "fused",
            Backend::Graph => "graph",
        };
        format!("--device {} --backend {backend}", compute.device)
    };
    for config in configs {
        ensure!(
            config.compute == asked,
            "{}: a run that was trained with {} is asked with the same; leave both flags out",
            shown(&asked),
            shown(&config.compute)
        );
    }
    Ok(())
}

/// Runs the command `probe`.
pub(crate) fn command(flags: &flags::Probe) -> Result<Ending> {
    let data_dir = data_dir(flags.machine.data_dir.as_deref());
    if flags.target.is_file() {
        return of_checkpoint(flags, &data_dir, threads(&flags.machine)?);
    }
    let folder = StudyFolder::new(&flags.target);
    let index = folder.read()?;
    let settings = settings(flags, index.probe.as_ref(), &data_dir)?;
    let (_, ending) = ask_finished(&folder, &index, &settings, &data_dir, &flags.machine)?;
    note!(
        "`{} report {}` shows the answers",
        crate::shell::program(),
        flags.target.display()
    );
    Ok(ending)
}

/// Runs the command `certify`.
pub(crate) fn certify(flags: &flags::Certify) -> Result<Ending> {
    let data_dir = data_dir(flags.machine.data_dir.as_deref());
    let folder = StudyFolder::new(&flags.dir);
    let index = folder.read()?;
    let settings = ProbeSettings {
        families: vec![Family::Certificate],
        ..ProbeSettings::default()
    };
    let (finished, mut ending) =
        ask_finished(&folder, &index, &settings, &data_dir, &flags.machine)?;
    let runs: Vec<&Finished> = finished.iter().collect();
    let (answers, read) = answers(folder.path(), None, &runs)?;
    ending = ending.or(read);
    for probe in &answers {
        let label = &probe.run;
        let Some(certificate) = &probe.certificate else {
            continue;
        };
        let named = |holds: Option<bool>| -> Vec<&str> {
            let checks = certificate.checks.iter();
            checks
                .filter(|check| check.verdict.holds() == holds)
                .map(|check| check.name.as_str())
                .collect()
        };
        let (refuted, silent) = (named(Some(false)), named(None));
        if refuted.is_empty() {
            print!("{label}: {} checks hold", named(Some(true)).len());
        } else {
            print!("{label}: REFUTED: {}", refuted.join(", "));
            ending = Ending::Failed;
        }
        if !silent.is_empty() {
            print!("; neither proven nor refuted: {}", silent.join(", "));
        }
        println!();
    }
    Ok(ending)
}

/// Asks the finished runs of a study outside of its campaign.
fn ask_finished(
    folder: &StudyFolder,
    index: &Index,
    settings: &ProbeSettings,
    data_dir: &Path,
    machine: &flags::Machine,
) -> Result<(Vec<Finished>, Ending)> {
    let threads = threads(machine)?;
    let is_allowed = machine.allow_commands;
    let mut left_out = LeftOut::default();
    let finished = folder.finished(index, |entry, stored| left_out.note(&entry.label, stored));
    let configs = finished.iter().map(|run| &run.record.config);
    refuse_other_compute(machine, configs.clone())?;
    crate::consent::check(configs, None, is_allowed)?;
    let Some(first) = finished.first() else {
        bail!(
            "no run of {} has ended; run its study first",
            folder.path().display()
        );
    };
    crate::reexec_for(first.record.config.compute.backend)?;
    // Without it, Ctrl-C would end this program alone: guests lead process groups of their own.
    let stop = Stop::listen_during(Work::Questions)?;
    let round = Round {
        folder,
        settings,
        data_dir,
        planned: &[],
        threads,
        lease: Duration::from_secs(RunSettings::default().lease_seconds.into()),
        stop: &stop,
        leaves: false,
    };
    let ending = round.ask(&finished)?;
    if ending == Ending::Interrupted {
        eprintln!("{}", Work::Questions.farewell());
    }
    Ok((finished, left_out.ending().or(ending)))
}

/// What the command line says, else the study, else every family.
fn settings(
    flags: &flags::Probe,
    of_study: Option<&ProbeSettings>,
    data_dir: &Path,
) -> Result<ProbeSettings> {
    let mut settings = of_study.cloned().unwrap_or_else(|| {
        let mut settings = ProbeSettings::default();
        if has_omniglot(data_dir) {
            settings.other.push(String::from("omniglot"));
        }
        settings
    });
    if !flags.families.is_empty() {
        settings.families.clone_from(&flags.families);
    }
    if !flags.other.is_empty() {
        settings.other.clone_from(&flags.other);
    }
    settings.tasks = flags.tasks.unwrap_or(settings.tasks);
    if !flags.stream_classes.is_empty() {
        settings.stream_classes.clone_from(&flags.stream_classes);
    }
    settings.families.sort();
    settings.families.dedup();
    settings.check()?;
    Ok(settings)
}

/// Whether what a study asks can be asked: its other data are there, and hold the episodes.
pub(crate) fn check(study: &Study, runs: &[Planned], data_dir: &Path) -> Result<()> {
    let Some(settings) = &study.probe else {
        return Ok(());
    };
    if settings.families.contains(&Family::Lifelong) {
        check_streams(study, settings, runs)?;
    }
    if !settings.families.contains(&Family::Shift) {
        return Ok(());
    }
    let place = |error: anyhow::Error| anyhow!("{}{error:#}", study.place(&["probe.other"]));
    let mut materials = Materials::new(data_dir);
    for run in runs {
        materials
            .load_others(&settings.other, &run.config)
            .map_err(place)?;
        for other in materials.others(&run.config) {
            let drawn = subject::protocol(&run.config)
                .and_then(|protocol| Ok(shift::sampler_of(other, &protocol)?));
            drawn.map_err(place)?;
        }
    }
    Ok(())
}

/// Whether the test classes of each run hold the streams that a study asks about.
fn check_streams(study: &Study, settings: &ProbeSettings, runs: &[Planned]) -> Result<()> {
    let place = study.place(&["probe.stream_classes", "probe.stream_images"]);
    for run in runs {
        let (config, material) = (&run.config, &run.material);
        // Whether a guest shows features is known once it answers; its classes are known.
        if guest::is_of(config) || Family::Lifelong.is_for(config, &[]) {
            let from = (&*material.dataset, &material.split);
            let settled = stream_sizes(settings).settle(&subject::protocol(config)?, from);
            settled.map_err(|error| anyhow!("{place}{error}"))?;
        }
    }
    Ok(())
}

/// The weights that were tested.
pub(crate) fn checkpoint(run: &Finished) -> PathBuf {
    run.folder.tested(&run.record.config.test)
}

/// Asks one checkpoint, and says on stdout what it answered; nothing is written.
fn of_checkpoint(flags: &flags::Probe, data_dir: &Path, threads: usize) -> Result<Ending> {
    let stored = Stored::read(&flags.target)?;
    let config = std::iter::once(&stored.config);
    refuse_other_compute(&flags.machine, config.clone())?;
    crate::consent::check(config, None, flags.machine.allow_commands)?;
    crate::reexec_for(stored.config.compute.backend)?;
    let stop = Stop::listen_during(Work::Checkpoint)?;
    let settings = settings(flags, None, data_dir)?;
    // Kinship is between runs, and a certificate is about a run's files.
    let of_studies = [Family::Kinship, Family::Certificate];
    let asked = &settings.families;
    if asked.iter().all(|family| of_studies.contains(family)) {
        let names: Vec<&str> = asked.iter().map(|family| family.name()).collect();
        bail!(
            "{}: {} cannot be asked of weights alone; give the folder of their study",
            flags.target.display(),
            names.join(" and ")
        );
    }
    let mut materials = Materials::new(data_dir);
    materials.load(&stored.config)?;
    if settings.families.contains(&Family::Shift) {
        materials.load_others(&settings.other, &stored.config)?;
    }
    let material = materials.of(&stored.config)?;
    let others = materials.others(&stored.config);
    let (learner, setting) = (stored.config.learner.name.clone(), stored.config.setting());
    let subject = Subject::new(stored, material)?;
    let mut probe = Probe {
        run: learner.clone(),
        ..Probe::default()
    };
    for family in settings.families.clone() {
        if stop.asked() {
            eprintln!("{}", Work::Checkpoint.farewell());
            return Ok(Ending::Interrupted);
        }
        let offers = subject
            .visit
            .as_ref()
            .map_or(&[][..], |ready| &ready.offers);
        if let Some(reason) = family.why_not(&subject.config, offers) {
            eprintln!("not asked about {}, since {reason}", family.name());
            continue;
        }
        let question = || family.ask(&subject, others, &settings);
        probe.absorb(timed(&learner, family, threads, question)?);
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
        training: None,
        selection: None,
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
