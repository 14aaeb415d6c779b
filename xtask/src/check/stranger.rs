//! The crate outside of the workspace, `examples/stranger`: it has to compile where it stands.
//!
//! Its test (`crates/metastable/tests/it/stranger.rs`) runs it as an example of `metastable`, because building it in a workspace of
//! its own takes minutes. Checking it takes half a minute of one core after the lints, whose packages it shares as long as
//! both files `Cargo.lock` and the profile agree.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};

const FOLDER: &str = "examples/stranger";

/// Fails unless the other crate uses the workspace's packages, and compiles.
pub(super) fn check(root: &Path) -> Result<()> {
    check_lock(root)?;
    let manifest = format!("{FOLDER}/Cargo.toml");
    let arguments = ["check", "--manifest-path", &manifest, "--locked"];
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let target = target.to_string_lossy();
    super::cargo(root, &arguments, &[("CARGO_TARGET_DIR", &target)])
}

/// Fails on a package that the workspace has in another version.
fn check_lock(root: &Path) -> Result<()> {
    let ours = packages(&read(&root.join("Cargo.lock"))?);
    let theirs = packages(&read(&root.join(FOLDER).join("Cargo.lock"))?);
    let others: Vec<&String> = theirs
        .difference(&ours)
        .filter(|package| !package.starts_with("stranger "))
        .collect();
    ensure!(
        others.is_empty() && theirs.len() > 100,
        "{FOLDER}/Cargo.lock has other packages than the workspace ({others:?}): copy Cargo.lock there, and run `cargo check` in that folder"
    );
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("while reading {}", path.display()))
}

/// `name version` of each package of a lock file.
fn packages(lock: &str) -> BTreeSet<String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]").skip(1);
    blocks
        .filter_map(|block| {
            let (name, version) = (value(block, "name = ")?, value(block, "version = ")?);
            Some(format!("{name} {version}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_crate_uses_the_packages_of_the_workspace() {
        check_lock(&crate::check::root()).unwrap();
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0\"\n";
        let both = packages(lock);
        assert!(both.contains("a 1.0") && both.contains("b 2.0") && both.len() == 2);
    }
}
