//! Slurm's own programs, and what they answer.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, anyhow, bail};

use super::queue::{FORMAT, Task, parse};

/// Submits tasks that run the script; returns the number of their job.
pub(super) fn submit(script: &Path, n_tasks: usize, limit: Option<usize>) -> Result<u64> {
    let mut command = Command::new("sbatch");
    command
        .arg("--parsable")
        .arg(array(n_tasks, limit))
        .arg(script);
    let answer = ask(command)?;
    job(&answer).ok_or_else(|| anyhow!("sbatch answered {answer:?}, which names no job"))
}

/// `--array=0-7%4`.
fn array(n_tasks: usize, limit: Option<usize>) -> String {
    let limit = limit.map_or(String::new(), |limit| format!("%{limit}"));
    format!("--array=0-{}{limit}", n_tasks.saturating_sub(1))
}

/// `12`, or `12;cluster`.
fn job(answer: &str) -> Option<u64> {
    answer.trim().split(';').next()?.parse().ok()
}

/// All tasks of that name that Slurm remembers, whoever submitted them.
pub(super) fn tasks(job_name: &str) -> Result<Vec<Task>> {
    let mut command = Command::new("squeue");
    command
        .args(["--noheader", "--array", "--states=all"])
        .arg(format!("--name={job_name}"))
        .arg(format!("--format={FORMAT}"));
    parse(&ask(command)?)
}

/// Takes the tasks of that name out of the queue that have not begun.
pub(super) fn cancel_waiting(job_name: &str) -> Result<()> {
    let mut command = Command::new("scancel");
    command
        .arg("--state=PENDING")
        .arg(format!("--name={job_name}"));
    ask(command).map(drop)
}

/// What the program prints, if it succeeds.
fn ask(mut command: Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| {
        format!("while starting {name}: is this a login node of the cluster? `--launcher local` needs none")
    })?;
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr);
        bail!("{name} failed ({status}): {}", said.trim());
    }
    String::from_utf8(stdout).with_context(|| format!("{name} answered something that is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_counted_from_zero_and_jobs_are_read() {
        assert_eq!(array(8, None), "--array=0-7");
        assert_eq!(array(1, Some(4)), "--array=0-0%4");
        assert_eq!(job("12\n"), Some(12));
        assert_eq!(job("12;cluster\n"), Some(12));
        assert_eq!(job("Submitted"), None);
    }
}
