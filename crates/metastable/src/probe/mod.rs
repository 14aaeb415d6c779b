//! `probe`: questions to trained learners after their runs. The answers lie beside the runs, and the report reads them.

mod certificate;
mod family;
mod kept;
mod materials;
mod round;
pub(crate) mod store;
mod subject;
mod told;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use metastable_analysis::{Options, Outcome, Probe, Run, Study as Tables, analyze};
use metastable_models::Backend;
use metastable_probes::shift;

pub(crate) use self::family::Family;
pub(crate) use self::round::Round;
pub(crate) use self::told::answers;

use self::family::stream_sizes;
use self::materials::Materials;
use self::round::timed;
use self::subject::Subject;
use crate::Ending;
use crate::campaign::folder::Index;
use crate::campaign::left_out::LeftOut;
use crate::campaign::{Finished, StudyFolder};
use crate::dataset::has_omniglot;
use crate::flags;
use crate::places::data_dir;
use crate::plan::Planned;
use crate::run::RunConfig;
use crate::run::checkpoint::Stored;
use crate::run::config::Compute;
use crate::schedule::Shares;
use crate::signal::{Stop, Work};
use crate::study::{ProbeSettings, RunSettings, Study};

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
        if config.is_guest() || Family::Lifelong.is_for(config, &[]) {
            let from = (&*material.dataset, &material.split);
            let settled = stream_sizes(settings).settle(&subject::protocol(config)?, from);
            settled.map_err(|error| anyhow!("{place}{error}"))?;
        }
    }
    Ok(())
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
