//! Whether a study may run commands. A study file is data, and may come from anybody; one that names guests runs programs.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};
use metastable_guests::ProcessConfig;

use crate::run::{RunConfig, guest};
use crate::shell::quote;

/// Says which commands these runs start, and refuses them unless the user allows commands or wrote the study: its `file` lies in
/// the folder that this program was started in.
pub(crate) fn check<'r>(
    runs: impl Iterator<Item = &'r RunConfig>,
    file: Option<&Path>,
    is_allowed: bool,
) -> Result<()> {
    let mut commands = BTreeSet::new();
    for config in runs.filter(|config| guest::is_of(config)) {
        let process = ProcessConfig::read(&config.learner.settings)?;
        let words = process.command.iter().map(|word| quote(word));
        commands.insert(words.collect::<Vec<_>>().join(" "));
    }
    if commands.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = commands.iter().map(|line| format!("\n  {line}")).collect();
    if is_allowed || file.is_some_and(is_own) {
        eprintln!("guests run these commands:{}", lines.concat());
        return Ok(());
    }
    bail!(
        "this would run commands that a study names:{}\nsay --allow-commands if you trust them; a study file in the folder that you are in needs no such word",
        lines.concat()
    )
}

/// Whether a file lies in the working folder itself.
fn is_own(file: &Path) -> bool {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A link in the working folder to a file elsewhere is one that the user put there.
    file.is_file()
        && match (folder.canonicalize(), Path::new(".").canonicalize()) {
            (Ok(folder), Ok(here)) => folder == here,
            _ => false,
        }
}
