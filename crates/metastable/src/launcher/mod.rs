//! Slurm as the launcher of a study: tasks of a job array do the work, and the command that was asked follows them.
//!
//! A task is an ordinary worker (`task.rs`). It takes runs from the same store by the same claims as a process that was
//! started by hand, as many as it gets, until none is left that nobody works on. So a task needs no share of its own: one
//! that is lost costs what it had not saved, and whoever has time takes its runs over; a fast node does more; a node with
//! many cores makes many runs side by side; and the study comes to its end even if nobody follows it.
//!
//! The follower (`follow.rs`) compares what the runs need with what lives in Slurm's queue, and submits the difference. It
//! holds nothing that is not in the folder of the study or in the queue:
//!
//! ```text
//! runs/quick/slurm/
//!   workers.sbatch   the script of every task
//!   metastable       the program that they run
//!   launch.json      how they are submitted
//!   followers/       which command may submit
//!   12_0.log         what task 0 of job 12 said
//! ```

mod follow;
mod need;
mod orders;
mod queue;
mod record;
mod script;
mod seat;
mod slurm;
pub(crate) mod task;
mod view;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::Ending;
use crate::campaign::folder::Index;
use crate::campaign::{Finished, StudyFolder};
use crate::experiment;
use crate::files::{make_folder, remove_if_there, write_whole};
use crate::flags;
use crate::plan::Planned;
use crate::probe::Round;
use crate::progress::Progress;
use crate::run::config::Compute;
use crate::run::numerics::Numerics;
use crate::schedule::Shares;
use crate::shell::quote_path;
use crate::signal::Stop;
use crate::store;
use crate::store::claim;
use crate::store::host::Owner;
use crate::study::Study;
use follow::{Ended, Follower};
use orders::Orders;
use record::{Folder, Launch, job_name};
use script::Script;
use seat::Seat;
use view::{Questions, Runs};

/// Where the launch of the study in `out` is kept.
pub(crate) fn folder(out: &Path) -> PathBuf {
    Folder::of(out).path().to_owned()
}

/// Whether a command may be following the study in `out`, on this machine or on another.
pub(crate) fn is_followed(out: &Path) -> bool {
    claim::living(&Folder::of(out).followers(), &Owner::here()).is_some()
}

/// A study that is checked, and what the command says about it.
pub(crate) struct Checked<'a> {
    pub(crate) study: &'a Study,
    pub(crate) runs: &'a [Planned],
    pub(crate) out: &'a Path,
    /// Absent for the store beside the folder.
    pub(crate) store: Option<&'a Path>,
    pub(crate) compute: &'a Compute,
    pub(crate) machine: &'a flags::Machine,
    pub(crate) data_dir: &'a Path,
}

/// Submits the study, unless it is under way already, and follows it.
pub(crate) fn launch(checked: &Checked<'_>, flags: &flags::Slurm) -> Result<Ending> {
    let orders = Orders::new(flags)?;
    let (study, runs) = (checked.study, checked.runs);
    let machine = checked.machine;
    let shares = Shares::of(orders.cpus, machine.jobs, machine.threads, runs.len())?;
    let out = absolute(checked.out)?;
    let folder = Folder::of(&out);
    let data_dir = absolute(checked.data_dir)?;
    let launch = Launch {
        job_name: job_name(&study.head.name, &out),
        array_limit: orders.array_limit,
        jobs: shares.jobs,
        data_dir: data_dir.clone(),
        numerics: Numerics::here(),
    };
    let script = Script {
        study: &study.head.name,
        job_name: &launch.job_name,
        orders: &orders,
        out: &out,
        cwd: &absolute(Path::new("."))?,
        logs: folder.path(),
        program: &folder.program(),
        data_dir: &data_dir,
        compute: checked.compute,
        has_guests: checked.runs.iter().any(|run| run.config.is_guest()),
        shares,
    }
    .text()?;
    if flags.dry_run {
        print!("{script}");
        return Ok(Ending::Done);
    }

    let tasks = slurm::tasks(&launch.job_name)?;
    let study_folder = StudyFolder::new(checked.out);
    let place = match checked.store {
        None => study_folder.store_beside(),
        Some(store) => store.to_owned(),
    };
    store::make(&place)?;
    study_folder.make()?;
    make_folder(folder.path())?;
    let mut seat = Seat::of(&folder);
    let may_write = seat.take()?;
    let is_idle = queue::n_alive(&tasks) == 0;
    let text = study.to_toml()?;
    let index = study_folder.index(study, &text, checked.store, runs)?;
    let is_same = study_folder.read().is_ok_and(|there| there == index);
    let is_free = may_write && is_idle;
    if !is_same && !is_free {
        bail!(
            "{} has another version of this study, which is under way ({}; {}): wait for its end, end it with `scancel --name={}`, or take another folder with --out",
            checked.out.display(),
            queue::summary(&tasks),
            if may_write {
                String::from("nobody follows it")
            } else {
                seat.said()
            },
            launch.job_name
        );
    }
    if may_write {
        study_folder.write(&index, &text)?;
        if is_idle {
            copy_program(&folder)?;
            // What failed is tried again, once: tasks leave it alone.
            for run in runs {
                remove_if_there(&store::failure(&place, &run.identity))?;
            }
        }
        write_whole(&folder.script(), script.as_bytes())?;
        launch.write(&folder)?;
    }
    follow(&study_folder, &index, &folder, &launch, seat)
}

/// Goes on with a study that was launched before, from its folder alone; nothing if it was not.
pub(crate) fn resume(out: &Path) -> Result<Option<Ending>> {
    let folder = Folder::of(&absolute(out)?);
    let Some(launch) = Launch::read(&folder)? else {
        return Ok(None);
    };
    let study_folder = StudyFolder::new(out);
    let index = study_folder.read()?;
    let seat = Seat::of(&folder);
    follow(&study_folder, &index, &folder, &launch, seat).map(Some)
}

fn follow(
    study: &StudyFolder,
    index: &Index,
    folder: &Folder,
    launch: &Launch,
    mut seat: Seat,
) -> Result<Ending> {
    let stop = Stop::listen()?;
    // Tasks go on without this command, and what it says of them when it is stopped is worth waiting for.
    let _following = stop.step();
    let progress = Progress::new(&index.study, index.runs.len());
    progress.say(&format!(
        "{}: {} runs by tasks of Slurm named {}; results in {}",
        index.study,
        index.runs.len(),
        launch.job_name,
        study.path().display()
    ));
    if !seat.take()? {
        progress.say(&format!("{}; this command looks on", seat.said()));
    }
    let follower = Follower {
        folder,
        launch,
        stop: &stop,
        progress: &progress,
    };
    let mut runs = Runs::new(study, index);
    let mut ended = follower.follow(&mut runs, &mut seat);
    progress.finish();
    let finished = match ended {
        Ok(Ended::Done) => study.finished(index, |_, _| {}),
        _ => Vec::new(),
    };
    if !finished.is_empty() {
        ended = questions(&follower, study, &finished, &mut seat);
    }
    match ended? {
        Ended::Done => {
            // They would find nothing to do. If Slurm cannot be asked, they will.
            let _ = slurm::cancel_waiting(&launch.job_name);
            experiment::report(study, index, &finished, &runs.failed())
        }
        Ended::Left(n_tasks) => {
            eprintln!(
                "{n_tasks} tasks go on without this command\n{}",
                how_to_go_on(study, launch)?
            );
            Ok(Ending::Interrupted)
        }
        Ended::Cancelled => {
            eprintln!(
                "all tasks were cancelled; nothing is submitted in their place\n{}",
                how_to_go_on(study, launch)?
            );
            Ok(Ending::Interrupted)
        }
    }
}

/// Follows the tasks while they ask the trained learners what the study wants to know.
fn questions(
    follower: &Follower<'_>,
    folder: &StudyFolder,
    finished: &[Finished],
    seat: &mut Seat,
) -> Result<Ended> {
    let study = Study::load(&folder.study().to_string_lossy(), &[], &[])?;
    let round = Round {
        folder,
        settings: &study.questions(),
        data_dir: &follower.launch.data_dir,
        planned: &[],
        threads: 1,
        lease: Duration::from_secs(study.run.lease_seconds.into()),
        stop: follower.stop,
        leaves: true,
    };
    round.watch(finished, |n_open| {
        follower.follow(&mut Questions::new(n_open), seat)
    })
}

/// The commands of somebody who comes back.
fn how_to_go_on(study: &StudyFolder, launch: &Launch) -> Result<String> {
    let program = crate::shell::program();
    let out = quote_path(&absolute(study.path())?);
    let file = quote_path(&absolute(&study.study())?);
    Ok(format!(
        "  to look:   {program} status {out}\n  to go on:  {program} experiment {file} --out {out} --resume\n  to end it: scancel --name={}",
        launch.job_name
    ))
}

/// This program, where a later build does not reach it.
fn copy_program(folder: &Folder) -> Result<()> {
    let program = std::env::current_exe().context("while looking for this program")?;
    let copy = folder.program();
    let beside = copy.with_extension("new");
    fs::copy(&program, &beside)
        .and_then(|_| fs::rename(&beside, &copy))
        .with_context(|| format!("while copying {} to {}", program.display(), copy.display()))
}

/// The path from the root: nodes start elsewhere.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("while looking for {}", path.display()))
}
