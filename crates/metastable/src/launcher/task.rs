//! `work`: one task of a launched study.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};

use super::record::{Folder, Launch};
use crate::Ending;
use crate::campaign::events::Events;
use crate::campaign::folder::{Entry, Index};
use crate::campaign::{Campaign, Place, StudyFolder};
use crate::flags;
use crate::plan::{Limits, Planned, plan};
use crate::probe::Round;
use crate::progress::Progress;
use crate::run::config::{Compute, differences, flatten};
use crate::run::numerics::Numerics;
use crate::schedule::Shares;
use crate::signal::Stop;
use crate::store::Store;
use crate::store::host::Owner;
use crate::study::Study;

/// Runs the command: works on what nobody has, until nothing of that is left.
pub(crate) fn work(flags: &flags::Work) -> Result<Ending> {
    let folder = StudyFolder::new(&flags.dir);
    let index = folder.read()?;
    let study = Study::load(&folder.study().to_string_lossy(), &[], &[])?;
    let machine = &flags.machine;
    let compute = Compute::new(machine.device.as_deref(), machine.backend.map(Into::into))?;
    crate::reexec_for(compute.backend)?;
    let data_dir = crate::places::data_dir(machine.data_dir.as_deref());
    // Whoever launched it has allowed it.
    let limits = Limits {
        max_runs: index.runs.len(),
        over_budget: true,
    };
    let runs = plan(&study, &data_dir, &compute, limits)?;
    check_same(&folder, &index, &runs)?;
    let configs = runs.iter().map(|run| &run.config);
    crate::consent::check(configs, None, machine.allow_commands)?;
    let shares = Shares::new(machine.jobs, machine.threads, runs.len())?;
    let lease = Duration::from_secs(study.run.lease_seconds.into());
    let store = Store::open(&folder.store_of(&index), lease)?;
    let stop = Stop::listen_as_a_task()?;
    let progress = Progress::new(&study.head.name, runs.len());
    progress.note(&format!(
        "task {} of {}: {} runs side by side with {} each",
        flags.task,
        study.head.name,
        shares.jobs,
        crate::progress::threads(shares.threads)
    ));
    let campaign = Campaign {
        folder: &folder,
        index: &index,
        runs: &runs,
        store: &store,
        settings: &study.run,
        stop: &stop,
        progress: &progress,
        task: Some(flags.task),
        events: Events::new(folder.events()),
    };
    let places = campaign.work(shares)?;
    let count = |which: fn(&Place) -> bool| places.iter().filter(|place| which(place)).count();
    let n_failed = count(|place| matches!(place, Place::Failed(_)));
    progress.say(&format!(
        "task {} ends: of {} runs {} are finished, {n_failed} failed, {} are with others",
        flags.task,
        runs.len(),
        count(|place| *place == Place::Finished),
        count(|place| matches!(place, Place::Elsewhere(_)))
    ));
    if stop.asked() {
        return Ok(Ending::Interrupted);
    }
    let has_ended = |place: &Place| matches!(place, Place::Finished | Place::Failed(_));
    let asked = if places.iter().all(has_ended) {
        Round {
            folder: &folder,
            settings: &study.questions(),
            data_dir: &data_dir,
            planned: &runs,
            threads: shares.jobs * shares.threads,
            lease,
            stop: &stop,
            leaves: true,
        }
        .ask(&folder.finished(&index, |_, _| {}))?
    } else {
        Ending::Done
    };
    Ok(if n_failed > 0 { Ending::Failed } else { asked })
}

/// Whether this node makes the very runs that the study asks for.
fn check_same(folder: &StudyFolder, index: &Index, runs: &[Planned]) -> Result<()> {
    let same = |(entry, run): (&Entry, &Planned)| entry.identity == run.identity;
    if index.runs.len() == runs.len() && index.runs.iter().zip(runs).all(same) {
        return Ok(());
    }
    let Some(launch) = Launch::read(&Folder::of(folder.path()))? else {
        bail!(
            "{} was not launched on a cluster; `experiment` runs it",
            folder.path().display()
        );
    };
    let differences = differences(&flat(&launch.numerics)?, &flat(&Numerics::here())?);
    if differences.is_empty() {
        bail!(
            "the runs of {} differ from those that this command makes: the data or the list of runs changed after the launch; launch it again",
            folder.path().display()
        );
    }
    bail!(
        "{} does not compute as the machine does that the study was launched from, so its runs would differ ({}): ask for nodes of that kind, with --sbatch constraint=FEATURE, or launch the study from a node of this kind",
        Owner::here().host,
        differences.join("; ")
    )
}

fn flat(numerics: &Numerics) -> Result<BTreeMap<String, String>> {
    let mut flat = BTreeMap::new();
    flatten(&serde_json::to_value(numerics)?, "", &mut flat);
    Ok(flat)
}
