//! `clean`: what may go from a store and from the studies that use it. Nothing else of this program deletes results.
//!
//! It lists, and removes only what it has listed, when it is asked to, and only while nobody is at work in the store.

mod find;
mod studies;

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::Ending;
use crate::files::{remove_folder, remove_if_there};
use crate::flags;
use crate::preview::size;
use crate::store::{Store, forget_gone};
use find::Find;

/// Runs the command.
pub(crate) fn command(flags: &flags::Clean) -> Result<Ending> {
    let store = flags
        .store
        .clone()
        .unwrap_or_else(|| flags.dir.join(".store"));
    if !store.is_dir() {
        bail!(
            "there is no store {}; give the folder that holds the studies, e.g. runs, or the store itself with --store",
            store.display()
        );
    }
    // From before the first look until the last removal, so that no study can start to count on what goes.
    let _alone = match flags.remove {
        true => Some(alone(&store)?),
        false => None,
    };
    let studies = studies::of(&store)?;
    let finds = find::all(&store, &studies)?;
    for find in &finds {
        println!(
            "{:>9}  {}: {}",
            size(find.bytes),
            find.path.display(),
            find.why
        );
    }
    let total = size(finds.iter().map(|find| find.bytes).sum());
    let n_studies = studies.len();
    if !flags.remove {
        println!(
            "{} can be removed, {total}; {n_studies} studies use the store; nothing was removed: --remove removes them",
            things(finds.len()),
        );
        return Ok(Ending::Done);
    }
    finds.iter().try_for_each(remove)?;
    forget_gone(&store);
    println!("{} removed, {total}", things(finds.len()));
    Ok(Ending::Done)
}

fn things(n: usize) -> String {
    match n {
        1 => String::from("1 thing"),
        n => format!("{n} things"),
    }
}

/// Holds the store for this process alone.
fn alone(store: &Path) -> Result<std::fs::File> {
    let Some(lock) = Store::lock_alone(store)? else {
        bail!(
            "a study is at work in {}; nothing was removed: wait until it ends, or stop it",
            store.display()
        );
    };
    // Where the file system has no locks, claims tell.
    if let Some((run, claim)) = Store::living_claim(store)? {
        bail!(
            "process {} on {} has a claim on {}; nothing was removed: wait until it ends; if that machine is gone, the command that runs the study takes the run over",
            claim.owner.pid,
            claim.owner.host,
            run.display()
        );
    }
    Ok(lock)
}

fn remove(find: &Find) -> Result<()> {
    let removed = if find.path.is_dir() {
        remove_folder(&find.path)
    } else {
        remove_if_there(&find.path)
    };
    removed.with_context(|| format!("while removing {}", find.path.display()))
}
