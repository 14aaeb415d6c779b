//! `export`: a study as tidy tables, or as TensorBoard's event files.
//!
//! [`mod@tables`] says what is written, [`formats`] how it is written, and neither knows the other: both speak of
//! [`column::Value`]s.

mod column;
mod formats;
mod subject;
mod tables;

use std::path::Path;

use anyhow::{Result, bail};

use crate::Ending;
use crate::campaign::StudyFolder;
use crate::campaign::folder::Index;
use crate::campaign::left_out::LeftOut;
use crate::files::make_folder;
use crate::flags;
use crate::mark;
use crate::tensorboard;

pub(crate) use formats::Format;
use formats::Sheet;
use subject::Subject;
use tables::{TABLES, Table};

/// Runs the command.
pub(crate) fn command(flags: &flags::Export) -> Result<Ending> {
    let folder = StudyFolder::new(&flags.dir);
    let index = folder.read()?;
    let open = match flags.format {
        Format::Csv => Sheet::csv,
        Format::Parquet => Sheet::parquet,
        Format::Jsonl => Sheet::jsonl,
        Format::Tensorboard => return events(flags, &folder, &index),
    };
    tables(flags, open, &folder, &index)
}

/// How a table's file is started in a folder.
type Open = fn(&Path, &'static Table) -> Result<Sheet>;

/// All tables, run by run: no more than one run is in memory.
fn tables(
    flags: &flags::Export,
    open: Open,
    folder: &StudyFolder,
    index: &Index,
) -> Result<Ending> {
    let default = folder.path().join("export");
    let out = flags.out.as_deref().unwrap_or(&default);
    if out != default {
        // Below the study's folder everything is this program's.
        let names: Vec<String> = TABLES
            .iter()
            .map(|table| flags.format.file(table.name))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        mark::refuse_strangers(out, &names)?;
    }
    make_folder(out)?;
    mark::put(out)?;
    let mut sheets = Vec::new();
    for table in TABLES {
        sheets.push((table, open(out, table)?));
    }
    let mut left_out = LeftOut::default();
    let mut n_runs = 0;
    for run in folder.each_finished(index, |entry, stored| left_out.note(&entry.label, stored)) {
        let subject = Subject::read(index, run)?;
        for (table, sheet) in &mut sheets {
            table.rows(&subject, |values| sheet.row(values))?;
        }
        n_runs += 1;
    }
    if n_runs == 0 {
        bail!(
            "no run of {} has ended; run its study first",
            folder.path().display()
        );
    }
    let paths = sheets.into_iter().map(|(_, sheet)| sheet.place());
    for path in paths.collect::<Result<Vec<_>>>()? {
        println!("{}", path.display());
    }
    Ok(left_out.ending())
}

/// The event file of every run.
fn events(flags: &flags::Export, folder: &StudyFolder, index: &Index) -> Result<Ending> {
    let default = folder.events();
    let out = flags.out.as_deref().unwrap_or(&default);
    let mut left_out = LeftOut::default();
    for run in folder.each_finished(index, |entry, stored| left_out.note(&entry.label, stored)) {
        let path = tensorboard::path(out, &run.entry.label);
        tensorboard::finish(&path, &run.folder.log())?;
        println!("{}", path.display());
    }
    Ok(left_out.ending())
}
