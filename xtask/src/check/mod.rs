//! `check`: everything that a change has to pass, cheapest first. The rules that need no build are tests too, so that
//! plain `cargo test` finds them.

mod arrows;
mod circles;
mod packages;
mod rules;
mod stranger;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use metastable::Ending;

/// One step: its name, and what it does. It fails with a sentence.
type Step = (&'static str, fn(&Path) -> Result<()>);

const STEPS: &[Step] = &[
    ("format", |root| {
        cargo(root, &["fmt", "--all", "--check"], &[])
    }),
    ("file rules", rules::check),
    ("arrows", arrows::check),
    ("circles", circles::check),
    ("packages", packages::check),
    ("lints", |root| {
        let arguments = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        cargo(root, &arguments, &[])
    }),
    ("networks without candle", |root| {
        let arguments = [
            "check",
            "--package",
            "metastable-models",
            "--no-default-features",
            "--locked",
        ];
        cargo(root, &arguments, &[])
    }),
    ("another crate", stranger::check),
    ("tests", |root| {
        cargo(root, &["test", "--workspace", "--locked"], &[])
    }),
    ("docs", |root| {
        let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
        cargo(root, &arguments, &[("RUSTDOCFLAGS", "-D warnings")])
    }),
];

/// Runs the command: every step, though one fails.
pub(crate) fn check() -> Result<Ending> {
    let root = root();
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        eprintln!("== {name}");
        let begun = Instant::now();
        let result = step(&root);
        let seconds = begun.elapsed().as_secs_f64();
        match result {
            Ok(()) => eprintln!("== {name}: passed in {seconds:.0} s"),
            Err(error) => {
                eprintln!("== {name}: FAILED: {error:#}");
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() {
        println!("all {} checks passed", STEPS.len());
        Ok(Ending::Done)
    } else {
        println!("failed: {}", failed.join(", "));
        Ok(Ending::Failed)
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

fn cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .envs(environment.iter().copied())
        .status()
        .context("while starting cargo")?;
    anyhow::ensure!(
        status.success(),
        "`cargo {}` found something to mend",
        arguments.join(" ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where there is no rustfmt (a minimal toolchain), `xtask check` still asks for it.
    #[test]
    fn every_file_is_formatted() {
        let version = Command::new(env!("CARGO"))
            .args(["fmt", "--version"])
            .output();
        if version.is_ok_and(|output| output.status.success()) {
            cargo(&root(), &["fmt", "--all", "--check"], &[]).unwrap();
        }
    }

    /// The workspace is tested with all features that the runner asks for, so nothing else compiles this crate as a
    /// stranger gets it. Its dependencies are looked at anew, with fewer features; what they compile to has been tested.
    #[test]
    fn data_stands_alone_without_fetch() {
        let arguments = [
            "check",
            "--package",
            "metastable-data",
            "--no-default-features",
            "--lib",
            "--locked",
            "--offline",
        ];
        cargo(&root(), &arguments, &[]).unwrap();
    }
}
