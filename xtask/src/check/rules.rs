//! Rules for source files that no compiler checks.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Longer files are to be divided.
const MOST_LINES: usize = 600;

/// Folders that hold our sources.
const FOLDERS: [&str; 4] = ["crates", "fuzz", "xtask", "tests"];

/// Fails with every broken rule.
pub(super) fn check(root: &Path) -> Result<()> {
    let mut complaints = Vec::new();
    for path in sources(root)? {
        let text = std::fs::read_to_string(&path)?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display();
        for complaint in judge(&text) {
            complaints.push(format!("{shown}: {complaint}"));
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        bail!("\n  {}", complaints.join("\n  "))
    }
}

/// What is wrong with a file.
fn judge(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push(String::from("does not open with //! and what is here"));
    }
    let n_lines = text.lines().count();
    if n_lines > MOST_LINES {
        complaints.push(format!("{n_lines} lines; divide it (at most {MOST_LINES})"));
    }
    // Written in two parts, or this file would find itself.
    for unfinished in [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
    ] {
        if text.contains(unfinished) {
            complaints.push(format!("contains {unfinished}"));
        }
    }
    complaints
}

/// All Rust files, in order.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for name in FOLDERS {
        files.extend(sources_in(&root.join(name))?);
    }
    files.sort();
    Ok(files)
}

/// The Rust files below a folder, in order.
pub(super) fn sources_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_follows_the_rules() {
        check(&super::super::root()).unwrap();
    }

    #[test]
    fn broken_rules_are_found() {
        assert!(judge("//! Good.\nfn f() {}\n").is_empty());
        assert_eq!(judge("fn f() {}\n").len(), 1);
        let long = format!("//! Long.\n{}", "\n".repeat(MOST_LINES));
        assert_eq!(judge(&long).len(), 1);
        assert_eq!(judge(concat!("//! x\nfn f() { todo", "!() }")).len(), 1);
    }
}
