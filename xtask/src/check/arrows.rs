//! Which crate may depend on which; ARCHITECTURE.md says why.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Each package of the workspace, and the packages of the workspace that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("metastable-data", &[]),
    ("metastable-models", &[]),
    ("metastable-analysis", &[]),
    (
        "metastable-algorithms",
        &["metastable-data", "metastable-models"],
    ),
    (
        "xtask",
        &[
            "metastable-algorithms",
            "metastable-analysis",
            "metastable-data",
            "metastable-models",
        ],
    ),
    (
        "acceptance",
        &[
            "metastable-algorithms",
            "metastable-analysis",
            "metastable-data",
            "metastable-models",
        ],
    ),
];

/// Fails on an arrow that is not allowed.
pub(super) fn check(root: &Path) -> Result<()> {
    workspace_arrows(root)?;
    analysis_is_free_of_candle(root)
}

fn workspace_arrows(root: &Path) -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--locked",
            "--offline",
        ])
        .current_dir(root)
        .output()
        .context("while starting cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    let name_of = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let members: Vec<String> = packages.iter().map(name_of).collect();
    for package in &packages {
        let from = name_of(package);
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == from) else {
            bail!("package {from} is new: give it a line in {}", file!());
        };
        for dependency in list(&package["dependencies"]) {
            let to = name_of(&dependency);
            let is_development = dependency["kind"] == "dev";
            if members.contains(&to) && !is_development && !allowed.contains(&to.as_str()) {
                bail!("{from} -> {to} is not an arrow of ARCHITECTURE.md");
            }
        }
    }
    Ok(())
}

/// `cargo tree -i` has to fail: it does when candle is nowhere below the crate.
fn analysis_is_free_of_candle(root: &Path) -> Result<()> {
    let arguments = [
        "tree",
        "--package",
        "metastable-analysis",
        "--invert",
        "candle-core",
        "--edges",
        "all",
        "--locked",
        "--offline",
    ];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .output()
        .context("while starting cargo tree")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success(),
        "candle-core is below metastable-analysis:\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    ensure!(
        said.contains("did not match any packages"),
        "cargo tree failed for another reason: {said}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_allowed_arrows() {
        super::workspace_arrows(&super::super::root()).unwrap();
    }

    #[test]
    fn analysis_is_free_of_candle() {
        super::analysis_is_free_of_candle(&super::super::root()).unwrap();
    }
}
