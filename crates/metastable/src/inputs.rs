//! Parsers of what strangers hand over, for the fuzz targets alone: a study, a flag, a table, a file of answers.

use std::path::Path;

use anyhow::Result;

use crate::study::Study;
use crate::{analyze, evaluate, probe};

/// A study file.
///
/// # Errors
/// The parser's.
pub fn study(text: &str) -> Result<()> {
    let study = Study::of_text(text, "study.toml")?;
    // What comes before the first data set is loaded.
    study.n_variants()?;
    Study::of_text(&study.to_toml()?, "again.toml").map(drop)
}

/// One `--set`, over the built-in study `quick`.
///
/// # Errors
/// The parser's.
pub fn set(assignment: &str) -> Result<()> {
    let study = Study::load("quick", &[assignment.to_owned()], &[])?;
    study.n_variants().map(drop)
}

/// A table of scores, up to what the analysis takes.
///
/// # Errors
/// The parser's.
pub fn table(path: &Path) -> Result<()> {
    analyze::read_only(path)
}

/// A map of weights that were trained elsewhere, and the weights.
///
/// # Errors
/// The parser's.
pub fn import(map: &str, weights: &[u8]) -> Result<()> {
    evaluate::import_only(map, weights)
}

/// A file of answers without its seal, which is put on again.
///
/// # Errors
/// The parser's.
pub fn answers(object: &str) -> Result<()> {
    probe::store::parse_unsealed(object)
}
