//! What the user says about the tasks of an array, checked before anything is written.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::flags;

/// Options of sbatch that the script settles itself; another value would take the study apart.
const OURS: [&str; 8] = [
    "array",
    "chdir",
    "cpus-per-task",
    "job-name",
    "nodes",
    "ntasks",
    "open-mode",
    "output",
];

/// Options for Slurm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Absent for the cluster's default, as is the time limit.
    pub(super) partition: Option<String>,
    pub(super) time: Option<String>,
    /// Cores of a task.
    pub(super) cpus: usize,
    /// Most tasks at the same time.
    pub(super) array_limit: Option<usize>,
    /// Further options, without the dashes before them.
    pub(super) further: Vec<String>,
}

impl Orders {
    pub(super) fn new(flags: &flags::Slurm) -> Result<Self> {
        for (flag, value) in [("--cpus", flags.cpus), ("--array-limit", flags.array_limit)] {
            ensure!(value != Some(0), "{flag} 0: has to be at least 1");
        }
        for (flag, value) in [("--partition", &flags.partition), ("--time", &flags.time)] {
            let Some(value) = value else { continue };
            let is_word = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
            ensure!(
                !value.is_empty() && value.chars().all(is_word),
                "{flag} {value:?}: has to be one word, as sbatch takes it"
            );
        }
        Ok(Self {
            partition: flags.partition.clone(),
            time: flags.time.clone(),
            cpus: flags.cpus.unwrap_or(1),
            array_limit: flags.array_limit,
            further: flags
                .sbatch
                .iter()
                .map(|it| further(it))
                .collect::<Result<_>>()?,
        })
    }
}

/// `--mem-per-cpu=2G`, with or without the dashes.
fn further(option: &str) -> Result<String> {
    let bare = option.trim_start_matches('-');
    let name = bare.split(['=', ' ']).next().unwrap_or_default();
    if name.is_empty() || bare.contains('\n') {
        bail!(
            "--sbatch {option:?}: has to be an option of sbatch, such as account=physics or mem-per-cpu=2G"
        );
    }
    if OURS.contains(&name) {
        bail!(
            "--sbatch {option:?}: the script sets {name} itself; use --cpus, --array-limit and --out"
        );
    }
    Ok(bare.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn orders(arguments: &[&str]) -> Result<Orders> {
        let all = ["metastable", "experiment", "--launcher", "slurm"].iter();
        let flags = flags::Flags::try_parse_from(all.chain(arguments)).unwrap();
        let flags::Command::Experiment(flags) = flags.command else {
            panic!("another command");
        };
        Orders::new(&flags.slurm)
    }

    #[test]
    fn further_options_may_have_their_dashes() {
        let given = [
            "--sbatch=--account=physics",
            "--sbatch",
            "mem-per-cpu=2G",
            "--sbatch",
            "exclusive",
        ];
        let orders = orders(&given).unwrap();
        assert_eq!(
            orders.further,
            ["account=physics", "mem-per-cpu=2G", "exclusive"]
        );
        assert_eq!(orders.cpus, 1);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (arguments, named) in [
            (["--cpus", "0"], "--cpus 0"),
            (["--array-limit", "0"], "--array-limit 0"),
            (["--time", "4 hours"], "--time \"4 hours\""),
            (["--partition", ""], "--partition \"\""),
            (["--sbatch", "array=0-9"], "array"),
            (["--sbatch", "--"], "--sbatch \"--\""),
            (["--sbatch", "comment=a\nrm"], "--sbatch"),
        ] {
            let message = orders(&arguments).unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }
}
