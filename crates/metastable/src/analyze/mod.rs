//! `analyze`: the report of a table of scores that anybody made.

mod factors;
mod scores;
mod table;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Result;
use metastable_analysis::Options;

use crate::Ending;
use crate::files::make_folder;
use crate::flags;
use crate::report::publish;
use crate::shell::command_line;

/// Runs the command.
pub(crate) fn command(flags: &flags::Analyze) -> Result<Ending> {
    let name = flags.file.file_stem().map_or_else(
        || String::from("scores"),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let columns = table::Columns {
        factors: flags.factor.clone(),
        logarithmic: flags.log.clone(),
        streams: flags.stream.clone(),
        fingerprint: flags.fingerprint.clone(),
        ignored: flags.ignore.clone(),
    };
    let options = Options {
        seed: flags.seed,
        ..Options::default()
    };
    let table = table::read(&flags.file, &columns)?;
    let mut study = scores::study(&table, &options)?;
    study.name = name.clone();
    study.command = command_line();
    let out = flags
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("runs").join(format!("analyze-{name}")));
    make_folder(&out)?;
    publish(&study, &out, &options, flags.figures)
}
