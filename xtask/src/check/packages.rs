//! Packages stand alone: what a crate compiles in lies in its own folder, and its readme and licences are there. Cargo
//! puts nothing else into a package.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Files that every package has besides its sources.
const NEEDED: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Fails with everything that a package would lack.
pub(super) fn check(root: &Path) -> Result<()> {
    let mut complaints = Vec::new();
    for entry in std::fs::read_dir(root.join("crates")).context("while listing crates")? {
        let folder = entry?.path();
        for name in NEEDED {
            if !folder.join(name).exists() {
                complaints.push(format!("{} has no {name}", folder.display()));
            }
        }
        for path in super::rules::sources_in(&folder.join("src"))? {
            let text = std::fs::read_to_string(&path)?;
            for included in outside(&folder, &path, &text) {
                complaints.push(format!(
                    "{} compiles in {included}, which is not in its package",
                    path.display()
                ));
            }
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        complaints.sort();
        bail!("\n  {}", complaints.join("\n  "))
    }
}

/// The files that a source includes from outside of the folder of its crate. Its unit tests are not packaged to be run.
fn outside(folder: &Path, path: &Path, text: &str) -> Vec<String> {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
    let text = if is_test { "" } else { &text[..end] };
    let mut found = Vec::new();
    for opening in [concat!("include_", "str!("), concat!("include_", "bytes!(")] {
        for rest in text.split(opening).skip(1) {
            // A path that is put together is one of a macro's own file.
            let Some(name) = rest.trim_start().strip_prefix('"') else {
                continue;
            };
            let name = name.split('"').next().unwrap_or_default();
            let place = path.parent().unwrap_or(folder).join(name);
            if !plain(&place).starts_with(plain(folder)) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// A path without `..`, by its letters alone: links inside of a crate are followed when it is packaged.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_what_it_compiles() {
        check(&super::super::root()).unwrap();
    }

    #[test]
    fn a_file_from_outside_is_found() {
        let folder = Path::new("/w/crates/a");
        let path = Path::new("/w/crates/a/src/b/c.rs");
        let include = |name: &str| {
            format!(
                "const X: &str = {}\"{name}\");",
                concat!("include_", "str!(")
            )
        };
        let found = |text: &str| outside(folder, path, text);
        assert_eq!(found(&include("../../../b/x.py")), ["../../../b/x.py"]);
        assert!(found(&include("../../data/x.py")).is_empty());
        assert!(found(&include("x.css")).is_empty());
        let tested = format!("#[cfg(test)]\nmod tests {{ {} }}", include("../../../../x"));
        assert!(found(&tested).is_empty());
    }
}
