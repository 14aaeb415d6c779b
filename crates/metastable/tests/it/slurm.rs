//! A study on a Slurm cluster. `.ci/slurm with COMMAND` has a small one, of two nodes with two cores each; elsewhere the
//! tests that need it are skipped, and say so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Bench, assert_same, lasting, stderr, stdout};

/// The small cluster.
struct Cluster {
    /// The script that made it, and can break it.
    script: String,
}

impl Cluster {
    fn find() -> Option<Self> {
        let script = std::env::var("METASTABLE_SLURM").ok()?;
        let answers = Command::new("sinfo")
            .output()
            .is_ok_and(|it| it.status.success());
        answers.then_some(Self { script })
    }

    fn call(&self, arguments: &[&str]) -> String {
        asked(Command::new(&self.script).args(arguments))
    }

    /// Process numbers of the workers on a node.
    fn workers(&self, node: &str) -> Vec<String> {
        let said = self.call(&["processes_of", node]);
        said.lines().map(str::to_owned).collect()
    }
}

fn asked(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", stderr(&output));
    stdout(&output)
}

/// Waits for something that other processes do.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "waited in vain until {what}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The task that a process is, as scancel calls it.
fn task_of(process: &str) -> String {
    let environment = fs::read(format!("/proc/{process}/environ")).unwrap();
    let text = String::from_utf8_lossy(&environment);
    let value = |name: &str| {
        let mut variables = text.split('\0').filter_map(|it| it.split_once('='));
        variables.find(|(key, _)| *key == name).unwrap().1
    };
    format!(
        "{}_{}",
        value("SLURM_ARRAY_JOB_ID"),
        value("SLURM_ARRAY_TASK_ID")
    )
}

/// All tasks of the study that Slurm remembers.
fn tasks(bench: &Bench, out: &str) -> BTreeSet<String> {
    let script = fs::read_to_string(bench.path(out).join("slurm/workers.sbatch")).unwrap();
    let name = script
        .lines()
        .find_map(|line| line.strip_prefix("#SBATCH --job-name="));
    let mut squeue = Command::new("squeue");
    squeue
        .args(["--noheader", "--array", "--states=all", "--format=%F_%K"])
        .arg(format!("--name={}", name.unwrap()));
    asked(&mut squeue).lines().map(str::to_owned).collect()
}

/// What all tasks said.
fn logs(bench: &Bench, out: &str) -> String {
    let entries = fs::read_dir(bench.path(out).join("slurm")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let logs = paths.filter(|path| path.extension().is_some_and(|it| it == "log"));
    logs.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The report, with the name of its folder replaced, and without the time that its next runs would take, which no two trainings share.
fn report(out: &Path, was: &str, is: &str) -> Vec<(String, Vec<u8>)> {
    ["report.json", "report.md", "report.html"]
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(out.join(name)).unwrap();
            (
                name.to_owned(),
                untimed(&text.replace(was, is)).into_bytes(),
            )
        })
        .collect()
}

/// A page without the sentence that tells how long the proposed runs would train.
fn untimed(page: &str) -> String {
    let Some((before, timed)) = page.split_once("About ") else {
        return page.to_owned();
    };
    let end = " of training if one run follows another";
    match timed.split_once(end) {
        Some((time, after)) if time.len() < 16 => format!("{before}{end}{after}"),
        _ => format!("{before}About {}", untimed(timed)),
    }
}

/// Eight runs by eight tasks, and a question to each. A worker is killed, a task is cancelled, the command that follows goes away, a node fails with
/// all that is on it and comes back; another command picks the study up.
#[test]
fn a_study_that_a_cluster_breaks_ends_as_the_local_one() {
    let Some(cluster) = Cluster::find() else {
        println!("skipped: no Slurm answers here; `.ci/slurm with cargo test` has one");
        return;
    };
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 4"),
        // Long enough that hardly a run ends while the cluster is broken: of runs that have ended, nothing is to be replaced.
        ("outer_steps = 12", "outer_steps = 1500"),
        ("save_seconds = 0", "save_seconds = 0.2\nlease_seconds = 6"),
        (
            "[learners.protonet]\n",
            "[learners.protonet]\n\n[probe]\nfamilies = [\"c\"]\ntasks = 2\n",
        ),
    ]);
    bench.experiment(&["--out", "on-one-machine/out"]);
    let launch = [
        "--out",
        "on-a-cluster/out",
        "--launcher",
        "slurm",
        "--time",
        "20",
    ];
    let follower = bench.start(&launch);
    until("four tasks are at work", || {
        let said = stdout(&bench.run(&["status", "on-a-cluster/out"]));
        said.matches("has it at step").count() == 4
    });
    // A study that is under way is not changed under its workers.
    let other = ["experiment", "tiny.toml", "--seeds", "5"];
    bench.refuses(
        &[&other[..], &launch].concat(),
        &[
            "another version of this study, which is under way",
            "scancel --name=",
        ],
    );

    let workers = cluster.workers("n1");
    assert_eq!(workers.len(), 2, "{workers:?}");
    let cancelled = task_of(&workers[1]);
    asked(Command::new("kill").args(["-KILL", &workers[0]]));
    asked(Command::new("scancel").arg(&cancelled));
    asked(Command::new("kill").args(["-INT", &follower.id().to_string()]));
    let left = follower.wait_with_output().unwrap();
    let before = stderr(&left);
    assert_eq!(left.status.code(), Some(130), "{before}");
    assert!(before.contains("submitted 8 tasks as job"), "{before}");
    assert!(
        before.contains("tasks go on without this command"),
        "{before}"
    );

    cluster.call(&["fail", "n2"]);
    cluster.call(&["revive", "n2"]);
    let resume = [
        "experiment",
        "tiny.toml",
        "--out",
        "on-a-cluster/out",
        "--resume",
    ];
    let said = stderr(&well(bench.run(&resume)));
    assert!(said.contains("8 runs: 8 finished"), "{said}");
    // What was lost is replaced; what Slurm puts back into its queue, and what waits there, is not.
    let (of_runs, _) = said.split_once("questions are left").unwrap();
    let n_replaced = n_submitted(&before) + n_submitted(of_runs) - 8;
    assert!((1..=4).contains(&n_replaced), "{before}\n{said}");

    assert_same(
        &lasting(&bench.path("on-one-machine/out")),
        &lasting(&bench.path("on-a-cluster/out")),
    );
    let local = report(
        &bench.path("on-one-machine/out"),
        "on-one-machine",
        "on-a-cluster",
    );
    assert_same(&local, &report(&bench.path("on-a-cluster/out"), "", ""));
    let logs = logs(&bench, "on-a-cluster/out");
    assert!(
        logs.contains("told to end: stopping after the present step"),
        "{logs}"
    );
    assert!(logs.contains(": stopped after step"), "{logs}");
    assert!(logs.contains("goes on at step"), "{logs}");

    // Nothing is left to do, so nothing is submitted.
    let all = tasks(&bench, "on-a-cluster/out");
    let said = stderr(&well(bench.run(&resume)));
    assert!(said.contains("8 runs: 8 finished"), "{said}");
    assert_eq!(tasks(&bench, "on-a-cluster/out"), all);
    assert_same(&local, &report(&bench.path("on-a-cluster/out"), "", ""));
}

/// Tasks that a command submitted, by what it said.
fn n_submitted(said: &str) -> usize {
    let counts = said.lines().filter_map(|line| {
        let (count, _) = line.strip_prefix("submitted ")?.split_once(' ')?;
        count.parse::<usize>().ok()
    });
    counts.sum()
}

fn well(output: Output) -> Output {
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Without a cluster: the script can be read beforehand, and what is missing is said.
#[test]
fn the_script_can_be_read_on_any_machine() {
    let bench = Bench::new(&[]);
    let launch = [
        "experiment",
        "tiny.toml",
        "--out",
        "out",
        "--launcher",
        "slurm",
    ];
    let options = [
        "--cpus",
        "4",
        "--threads",
        "2",
        "--array-limit",
        "3",
        "--sbatch",
        "mem-per-cpu=2G",
        "--dry-run",
    ];
    let script = stdout(&well(bench.run(&[&launch[..], &options].concat())));
    for line in [
        "#SBATCH --cpus-per-task=4\n",
        "#SBATCH --mem-per-cpu=2G\n",
        "#SBATCH --requeue\n",
        " --jobs 2 --threads 2 ",
    ] {
        assert!(script.contains(line), "{line:?} is not in: {script}");
    }
    assert!(!bench.path("out").exists());

    let output = bench.command(&launch).env("PATH", "").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("squeue") && said.contains("login node"),
        "{said}"
    );
    assert!(!bench.path("out").exists());

    let local = [
        "experiment",
        "tiny.toml",
        "--out",
        "out",
        "--partition",
        "short",
    ];
    bench.refuses(&local, &["--partition is for --launcher slurm"]);
    let resume = ["experiment", "tiny.toml", "--out", "out", "--resume"];
    bench.refuses(&resume, &["out is not the folder of a study"]);
}

/// `--resume` also goes on with a study that was never launched: from its folder, whatever the flags were.
#[test]
fn a_local_study_is_resumed_from_its_folder() {
    let bench = Bench::new(&[]);
    bench.experiment(&[
        "--out",
        "out",
        "--set",
        "learner.outer_steps=6",
        "--seeds",
        "1",
    ]);
    let report = fs::read(bench.path("out/report.json")).unwrap();
    fs::remove_file(bench.path("out/report.json")).unwrap();
    let resume = ["experiment", "tiny.toml", "--out", "out", "--resume"];
    let said = stderr(&well(bench.run(&resume)));
    assert!(said.contains("2 of 2 runs are in the store"), "{said}");
    assert_eq!(report, fs::read(bench.path("out/report.json")).unwrap());
}
