//! `analyze`: the report of a table of scores that anybody made.

mod cell;
mod columns;
mod conditional;
mod crossing;
mod curves;
mod decode;
mod delimited;
mod document;
mod expanded;
mod exported;
mod factors;
mod file;
mod group;
#[cfg(test)]
mod kinds;
mod lines;
mod marl;
#[cfg(test)]
mod meanings;
mod naming;
#[cfg(test)]
mod odd;
mod own;
mod parquet;
mod place;
mod receipt;
mod reference;
mod rescaled;
mod scores;
mod seeds;
mod sheet;
mod suggest;
mod table;
mod taken;
mod tasks;
#[cfg(test)]
mod tests;
mod wide;

use std::path::Path;

use anyhow::Result;
use metastable_analysis::Options;

use crate::Ending;
use crate::files::make_folder;
use crate::flags;
use crate::loudness::is_quiet;
use crate::report::publish;
use crate::shell::command_line;

/// Reads a table with no flag, and analyzes and writes nothing.
pub(crate) fn read_only(file: &Path) -> Result<()> {
    let table = table::read(file, &table::Columns::default())?;
    let mut runs = scores::Runs::of(&table)?;
    scores::scaled(&table, &mut runs.reads);
    let _ = receipt::receipt(&table, &runs);
    scores::study(&table, runs, &Options::default()).map(drop)
}

/// Runs the command.
pub(crate) fn command(flags: &flags::Analyze) -> Result<Ending> {
    let columns = table::Columns {
        factors: flags.factor.clone(),
        logarithmic: flags.log.clone(),
        streams: flags.stream.clone(),
        fingerprint: flags.fingerprint.clone(),
        ignored: flags.ignore.clone(),
        renamed: flags.column.clone(),
        categories: flags.category.clone(),
        numbers: flags.number.clone(),
        wide: flags.wide.clone(),
        wide_steps: flags.wide_steps.clone(),
        only: flags.only.clone(),
        curves: flags.curves.clone(),
        run_name: flags.run_name.clone(),
        ignores_others: flags.ignore_others,
        common_tasks: flags.common_tasks,
        unit: flags.unit.clone(),
        lower_is_better: flags.direction == flags::Direction::Lower,
        reference: reference::Reference::parse(&flags.reference)?,
        own_tasks: flags.own_tasks,
    };
    let options = options(&columns, flags.seed);
    let table = table::read(&flags.file, &columns)?;
    let out = place::folder(&flags.file, flags.out.as_deref(), Path::new("runs"))?;
    let mut runs = scores::Runs::of(&table)?;
    scores::scaled(&table, &mut runs.reads);
    let receipt = receipt::receipt(&table, &runs);
    for line in receipt.lines() {
        if !is_quiet() || line.starts_with("warning: ") {
            eprintln!("{line}");
        }
    }
    let mut study = scores::study(&table, runs, &options)?;
    study.name = place::stem(&flags.file);
    study.command = command_line();
    make_folder(&out)?;
    place::mark(&flags.file, &out)?;
    publish(&study, &out, &options, &flags.output)
}

/// The options of an analysis: on another scale than accuracy, thresholds in accuracies say nothing.
fn options(columns: &table::Columns, seed: u64) -> Options {
    let mut options = Options {
        seed,
        scale: columns.scale(),
        ..Options::default()
    };
    if options.scale.is_some() {
        options.lights.retain(|column, _| column == "failed");
    }
    options
}
