//! `experiment`: all runs of a study, what their learners are asked, then its report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::Ending;
use crate::campaign::events::Events;
use crate::campaign::folder::{Entry, Index};
use crate::campaign::{Campaign, Finished, Place, StudyFolder};
use crate::flags::{self, Launcher};
use crate::launcher;
use crate::places::data_dir;
use crate::plan::{Limits, Planned, plan};
use crate::preview::preview;
use crate::probe::Round;
use crate::progress::Progress;
use crate::receipts;
use crate::run::config::{Compute, differences};
use crate::schedule::Shares;
use crate::shell::command_line;
use crate::signal::Stop;
use crate::store::Store;
use crate::study::Study;

/// Runs the command.
pub(crate) fn experiment(flags: &flags::Experiment) -> Result<Ending> {
    let slurm = match (flags.slurm.launcher, flags.slurm.stray()) {
        (Launcher::Slurm, _) => Some(&flags.slurm),
        (Launcher::Local, None) => None,
        (Launcher::Local, Some(flag)) => bail!("{flag} is for --launcher slurm, which is missing"),
    };
    let study = Study::load(&flags.study, &flags.set, &flags.shorthands())?;
    let out = match &flags.out {
        Some(out) => out.clone(),
        None => default_out(&study.head.name),
    };
    let task = Task {
        out: &out,
        input: Some(Path::new(&flags.study)),
        store: flags.store.as_deref(),
        machine: &flags.machine,
        max_runs: flags.max_runs,
        over_budget: flags.over_budget,
        plan: flags.plan,
        slurm,
    };
    if flags.resume {
        return resume(&task);
    }
    run_study(&study, &task)
}

/// Goes on with the study in a folder, on the cluster if it was launched there.
fn resume(task: &Task<'_>) -> Result<Ending> {
    let folder = StudyFolder::new(task.out);
    let index = folder.read()?;
    if let Some(ending) = launcher::resume(task.out)? {
        return Ok(ending);
    }
    let study = Study::load(&folder.study().to_string_lossy(), &[], &[])?;
    let task = Task {
        // What is gone on with is the folder's own.
        input: None,
        store: folder.other_store(&index),
        ..*task
    };
    run_study(&study, &task)
}

/// What a command says besides the study.
pub(crate) struct Task<'f> {
    pub(crate) out: &'f Path,
    /// The file that the study was read from, unless it is built in or the folder's own.
    pub(crate) input: Option<&'f Path>,
    pub(crate) store: Option<&'f Path>,
    pub(crate) machine: &'f flags::Machine,
    pub(crate) max_runs: usize,
    /// Whether to run it whatever it is estimated to take.
    pub(crate) over_budget: bool,
    /// Say what it would take, and run nothing.
    pub(crate) plan: bool,
    /// How to submit it to a cluster; absent to run it here.
    pub(crate) slurm: Option<&'f flags::Slurm>,
}

/// Runs a study, asks what it wants to know, and reports.
pub(crate) fn run_study(study: &Study, task: &Task<'_>) -> Result<Ending> {
    let Task {
        out,
        input,
        store,
        machine,
        max_runs,
        over_budget,
        plan: is_preview,
        slurm,
    } = *task;
    let compute = Compute::new(machine.device.as_deref(), machine.backend.map(Into::into))?;
    crate::reexec_for(compute.backend)?;
    let data_dir = data_dir(machine.data_dir.as_deref());
    let limits = Limits {
        max_runs,
        over_budget,
    };
    let runs = plan(study, &data_dir, &compute, limits)?;
    receipts::say(&runs);
    crate::probe::check(study, &runs, &data_dir)?;
    let shares = Shares::new(machine.jobs, machine.threads, runs.len())?;

    let folder = StudyFolder::new(out);
    let place = store.map_or_else(|| folder.store_beside(), Path::to_path_buf);
    if !is_preview {
        let configs = runs.iter().map(|run| &run.config);
        crate::consent::check(configs, input, machine.allow_commands)?;
    }
    if is_preview {
        preview(&runs, study.probe.as_ref(), &place, shares)?;
        return Ok(Ending::Done);
    }
    crate::repeat::check(&runs, &place)?;
    let text = study.to_toml()?;
    if let Some(input) = input {
        folder.refuse_input(input, &text)?;
    }
    folder.refuse_strangers()?;
    if let Some(slurm) = slurm {
        let checked = launcher::Checked {
            study,
            runs: &runs,
            out,
            store,
            compute: &compute,
            machine,
            data_dir: &data_dir,
        };
        return launcher::launch(&checked, slurm);
    }
    let lease = Duration::from_secs(study.run.lease_seconds.into());
    let shop = Store::open(&place, lease)?;
    say_what_changed(&folder, &runs);
    let index = folder.index(study, &text, store, &runs)?;
    folder.write(&index, &text)?;
    receipts::write(folder.path(), &runs)?;
    let stop = Stop::listen()?;
    let progress = Progress::new(&study.head.name, runs.len());
    progress.note(&format!(
        "{}: {} runs, {} at a time with {} each; results in {}",
        study.head.name,
        runs.len(),
        shares.jobs,
        crate::progress::threads(shares.threads),
        out.display()
    ));
    let campaign = Campaign {
        folder: &folder,
        index: &index,
        runs: &runs,
        store: &shop,
        settings: &study.run,
        stop: &stop,
        progress: &progress,
        task: None,
        events: Events::new(folder.events()),
    };
    let places = campaign.work(shares);
    progress.finish();
    let places = places?;
    let n_left = count(&places, |place| {
        !matches!(place, Place::Finished | Place::Failed(_))
    });
    if n_left > 0 {
        eprintln!(
            "stopped with {} of {} runs finished; the same command goes on where it stopped:\n  {}",
            count(&places, |place| *place == Place::Finished),
            runs.len(),
            command_line()
        );
        return Ok(Ending::Interrupted);
    }
    if !campaign.is_current(&text) {
        eprintln!(
            "{} was changed by another process meanwhile; the runs are in the store, and no report is written",
            folder.study().display()
        );
        return Ok(Ending::Failed);
    }
    let index = folder.read()?;
    let finished = folder.finished(&index, |_, _| {});
    let asked = Round {
        folder: &folder,
        settings: &study.questions(),
        data_dir: &data_dir,
        planned: &runs,
        threads: shares.jobs * shares.threads,
        lease,
        stop: &stop,
        leaves: false,
    }
    .ask(&finished)?;
    if asked == Ending::Interrupted {
        eprintln!(
            "stopped with all runs finished and not all questions answered; the same command goes on where it stopped:\n  {}",
            command_line()
        );
        return Ok(asked);
    }
    let failed = runs
        .iter()
        .zip(places)
        .filter_map(|(run, place)| match place {
            Place::Failed(why) => Some((run.label.clone(), why)),
            _ => None,
        });
    let failed: Vec<(String, String)> = failed.collect();
    let ended = report(&folder, &index, &finished, &failed)?;
    if asked == Ending::Failed {
        eprintln!(
            "some questions were not answered; the same command asks them again:\n  {}",
            command_line()
        );
        return Ok(asked);
    }
    Ok(ended)
}

/// Writes the report, and says at last how the runs ended; of those that failed, their labels and why.
pub(crate) fn report(
    folder: &StudyFolder,
    index: &Index,
    finished: &[Finished],
    failed: &[(String, String)],
) -> Result<Ending> {
    let n_diverged = finished
        .iter()
        .filter(|run| run.record.has_diverged())
        .count();
    let reported = if finished.is_empty() {
        eprintln!("no run is finished, so there is no report");
        Ending::Done
    } else {
        crate::report::write(folder, index, finished, None, &flags::Output::default())?
    };
    for (label, why) in failed {
        eprintln!("{label}: failed: {why}");
    }
    note!(
        "{} runs: {} finished, {n_diverged} of them diverged; {} failed",
        index.runs.len(),
        finished.len(),
        failed.len()
    );
    let is_told = |label: &str| {
        finished.iter().any(|run| run.entry.label == label)
            || failed.iter().any(|(name, _)| name == label)
    };
    let lost: Vec<&str> = index
        .runs
        .iter()
        .map(|run| run.label.as_str())
        .filter(|label| !is_told(label))
        .collect();
    if !lost.is_empty() {
        eprintln!(
            "no longer whole in the store, and not in the report: {}; the same command makes them again:\n  {}",
            lost.join(", "),
            command_line()
        );
        return Ok(Ending::Failed);
    }
    if failed.is_empty() {
        Ok(reported)
    } else {
        eprintln!(
            "the same command tries the failed ones again:\n  {}",
            command_line()
        );
        Ok(Ending::Failed)
    }
}

fn count(places: &[Place], which: impl Fn(&Place) -> bool) -> usize {
    places.iter().filter(|place| which(place)).count()
}

/// Says of every run that the folder has under the same name why it is not this one: the study was edited, the program or
/// the machine is another.
fn say_what_changed(folder: &StudyFolder, runs: &[Planned]) {
    let Ok(index) = folder.read() else {
        return;
    };
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for run in runs {
        let same_name = |entry: &&Entry| entry.label == run.label && entry.identity != run.identity;
        let Some(entry) = index.runs.iter().find(same_name) else {
            continue;
        };
        let reason = match folder.config(&index, entry) {
            None => String::from("settings, program or machine differ"),
            Some(was) => match (was.flat(), run.config.flat()) {
                (Ok(was), Ok(is)) => differences(&was, &is).join("; "),
                _ => continue,
            },
        };
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, n) in reasons {
        eprintln!(
            "{n} runs of {} differ from stored runs of the same name, which stay in the store: {reason}",
            folder.path().display()
        );
    }
}

/// Where a study's results go unless the user says otherwise.
pub(crate) fn default_out(name: &str) -> PathBuf {
    Path::new("runs").join(name)
}
