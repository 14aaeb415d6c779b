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
        "metastable-probes",
        &[
            "metastable-algorithms",
            "metastable-analysis",
            "metastable-data",
            "metastable-models",
        ],
    ),
    (
        "metastable-environments",
        &["metastable-data", "metastable-models"],
    ),
    (
        "metastable-guests",
        &[
            "metastable-algorithms",
            "metastable-data",
            "metastable-models",
        ],
    ),
    (
        "metastable",
        &[
            "metastable-algorithms",
            "metastable-analysis",
            "metastable-data",
            "metastable-environments",
            "metastable-guests",
            "metastable-models",
            "metastable-probes",
        ],
    ),
    (
        "xtask",
        &[
            "metastable",
            "metastable-algorithms",
            "metastable-data",
            "metastable-models",
        ],
    ),
    (
        "metastable-fuzz",
        &[
            "metastable",
            "metastable-data",
            "metastable-guests",
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

/// What a crate with its default features must not drag in, however far below.
const FREE_OF: &[(&str, &str)] = &[
    ("metastable-guests", "candle-core"),
    ("metastable-analysis", "candle-core"),
    ("metastable-data", "candle-core"),
    ("metastable-data", "hf-hub"),
    ("metastable-data", "parquet"),
    ("metastable-data", "ureq"),
];

/// Fails on an arrow that is not allowed.
pub(super) fn check(root: &Path) -> Result<()> {
    workspace_arrows(root)?;
    FREE_OF
        .iter()
        .try_for_each(|(package, dependency)| is_free_of(root, package, dependency))
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

/// `cargo tree -i` has to fail: it does when the dependency is nowhere below the package.
fn is_free_of(root: &Path, package: &str, dependency: &str) -> Result<()> {
    let arguments = [
        "tree",
        "--package",
        package,
        "--invert",
        dependency,
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
        "{dependency} is below {package}:\n{}",
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
    fn no_crate_drags_in_what_its_job_does_not_need() {
        let root = super::super::root();
        for (package, dependency) in super::FREE_OF {
            super::is_free_of(&root, package, dependency).unwrap();
        }
        // The check does find what is there.
        let found = super::is_free_of(&root, "metastable-models", "candle-core").unwrap_err();
        assert!(
            found.to_string().contains("is below metastable-models"),
            "{found}"
        );
    }
}
