//! Several processes on one study: kills, claims, takeovers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::{Bench, assert_same, lasting, stderr, stdout};

/// A generator of pauses, fixed so that a failure can be repeated (as far as timing can).
struct Pauses(u64);

impl Pauses {
    fn next(&mut self, below: u64) -> Duration {
        // Knuth's MMIX constants.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % below)
    }
}

fn report(out: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    ["report.json", "report.md", "report.html"]
        .into_iter()
        .map(|name| (name, fs::read(out.join(name)).unwrap()))
        .collect()
}

/// Kills at random moments until 60 have hit a process at work, then lets it end.
#[test]
fn sixty_kills_change_no_bit() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 3"),
        ("outer_steps = 12", "outer_steps = 60"),
    ]);
    // In folders of one name, since the report names its own.
    bench.experiment(&["--out", "whole/out"]);
    let mut pauses = Pauses(7);
    let mut n_kills = 0;
    let mut round = 0;
    while n_kills < 60 {
        round += 1;
        let out = format!("killed{round}/out");
        loop {
            let mut child = bench.start(&["--out", &out]);
            std::thread::sleep(pauses.next(250));
            // SIGKILL: nothing in the program can react to it.
            let was_at_work = child.try_wait().unwrap().is_none();
            child.kill().unwrap();
            child.wait().unwrap();
            n_kills += usize::from(was_at_work);
            if !was_at_work || n_kills >= 60 {
                break;
            }
        }
        bench.experiment(&["--out", &out]);
        assert_same(
            &lasting(&bench.path("whole/out")),
            &lasting(&bench.path(&out)),
        );
        let text = |out: &str| stdout(&bench.run(&["report", out]));
        assert_eq!(
            text(&out).replace(&format!("killed{round}"), "whole"),
            text("whole/out")
        );
        for (name, bytes) in report(&bench.path("whole/out")) {
            let killed = &report(&bench.path(&out))[name];
            let killed =
                String::from_utf8_lossy(killed).replace(&format!("killed{round}"), "whole");
            assert!(killed.as_bytes() == bytes, "{name} differs");
        }
        // Nothing is left of the attempts.
        let work = bench.path(&format!("{out}.store/work"));
        assert_eq!(fs::read_dir(work).unwrap().count(), 0);
    }
}

/// How often each run was trained, by what the processes said.
fn trainings(said: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in said.iter().flat_map(|text| text.lines()) {
        if let Some((label, _)) = line.split_once(": test accuracy") {
            *counts.entry(label.to_owned()).or_default() += 1;
        }
    }
    counts
}

fn ends_well(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("report.json"));
    stderr(&output)
}

#[test]
fn processes_share_a_study_and_no_run_is_made_twice() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 6"),
        ("outer_steps = 12", "outer_steps = 30"),
    ]);
    bench.experiment(&["--out", "alone"]);
    let children: Vec<Child> = (0..4)
        .map(|_| bench.start(&["--out", "out", "--jobs", "2"]))
        .collect();
    let said: Vec<String> = children.into_iter().map(ends_well).collect();
    let trained: usize = said
        .iter()
        .map(|text| text.matches(": trained; testing").count())
        .sum();
    assert_eq!(trained, 12, "{said:#?}");
    assert_eq!(trainings(&said).len(), 12);
    assert_same(&lasting(&bench.path("alone")), &lasting(&bench.path("out")));
}

/// One of two is killed; the other goes on with its runs, at once, as both are on one machine.
#[test]
fn the_runs_of_a_dead_process_are_taken_over() {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 150")]);
    bench.experiment(&["--out", "alone"]);
    let mut first = bench.start(&["--out", "out", "--jobs", "2"]);
    let begun = Instant::now();
    while crate::support::state_in(&bench.path("out.store")).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no state came");
        std::thread::sleep(Duration::from_millis(2));
    }
    let second = bench.start(&["--out", "out", "--jobs", "2"]);
    std::thread::sleep(Duration::from_millis(50));
    first.kill().unwrap();
    first.wait().unwrap();
    let said = ends_well(second);
    assert!(said.contains("goes on at step"), "{said}");
    assert_same(&lasting(&bench.path("alone")), &lasting(&bench.path("out")));
}

/// One of two is put to sleep: after the lease the other takes over, and the sleeper, awake again, keeps its hands off.
#[cfg(unix)]
#[test]
fn a_sleeper_is_taken_over_and_leaves_its_run_alone() {
    let signal = |child: &Child, name: &str| {
        let status = std::process::Command::new("kill")
            .args([name, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    };
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("outer_steps = 12", "outer_steps = 400"),
        ("save_seconds = 0", "save_seconds = 0\nlease_seconds = 1"),
    ]);
    bench.experiment(&["--out", "alone"]);
    let sleeper = bench.start(&["--out", "out", "--jobs", "2"]);
    let begun = Instant::now();
    while crate::support::state_in(&bench.path("out.store")).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no state came");
        std::thread::sleep(Duration::from_millis(2));
    }
    signal(&sleeper, "-STOP");
    let said = ends_well(bench.start(&["--out", "out", "--jobs", "2"]));
    assert!(said.contains("taken over 1 s after"), "{said}");
    signal(&sleeper, "-CONT");
    let woken = ends_well(sleeper);
    assert_eq!(woken.matches(": trained; testing").count(), 0, "{woken}");
    assert_same(&lasting(&bench.path("alone")), &lasting(&bench.path("out")));
}

/// Another shell sees who works on what, and at the end that all is done.
#[test]
fn status_tells_how_far_a_study_is() {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 400")]);
    bench.refuses(&["status", "out"], &["is not the folder of a study"]);
    let child = bench.start(&["--out", "out", "--jobs", "2"]);
    let begun = Instant::now();
    while crate::support::state_in(&bench.path("out.store")).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no state came");
        std::thread::sleep(Duration::from_millis(2));
    }
    let said = stdout(&bench.run(&["status", "out"]));
    assert!(said.contains(&format!("process {}", child.id())), "{said}");
    assert!(
        said.contains("has it") && said.contains("tiny: 0/4 runs finished"),
        "{said}"
    );
    ends_well(child);
    let said = stdout(&bench.run(&["status", "out", "--all"]));
    assert_eq!(said.matches(": finished in").count(), 4, "{said}");
    assert!(
        said.contains("tiny: 4/4 runs finished (0 diverged), 0 running"),
        "{said}"
    );
}

/// The disk is full: the system's limit on the size of a file stands in for it, which needs no rights to set.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_study_and_space_lets_it_go_on() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("outer_steps = 12", "outer_steps = 60"),
        ("width = 4", "width = 24"),
    ]);
    bench.experiment(&["--out", "alone"]);
    let program = env!("CARGO_BIN_EXE_metastable");
    // 512-byte blocks: a state does not fit, records and logs do. The signal is ignored, so that writing fails instead.
    let script = format!(
        "trap '' XFSZ; ulimit -f 40; exec '{program}' experiment tiny.toml --out out --store out.store"
    );
    let output = bench
        .command(&[])
        .get_envs()
        .fold(
            std::process::Command::new("sh")
                .args(["-c", &script])
                .current_dir(bench.path(".")),
            |command, (name, value)| match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            },
        )
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("disk full"), "{said}");
    assert!(said.contains("state.safetensors"), "{said}");
    bench.experiment(&["--out", "out"]);
    assert_same(&lasting(&bench.path("alone")), &lasting(&bench.path("out")));
}

/// The same on a real disk that is full: a small tmpfs in a mount namespace of our own, which is then made larger.
#[cfg(target_os = "linux")]
#[test]
fn a_full_tmpfs_stops_the_study_and_space_lets_it_go_on() {
    let may_mount = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !may_mount {
        eprintln!("this machine lets nobody mount; the limit on file sizes alone was tested");
        return;
    }
    let bench = Bench::new(&[
        ("outer_steps = 12", "outer_steps = 40"),
        ("width = 4", "width = 24"),
    ]);
    bench.experiment(&["--out", "alone/out"]);
    fs::create_dir(bench.path("small")).unwrap();
    let study = format!(
        "'{}' experiment tiny.toml --out small/out --store small/store --jobs 2",
        env!("CARGO_BIN_EXE_metastable")
    );
    // Every size stops it at another place.
    let script = format!(
        "mount -t tmpfs -o size=16k none small && cp tiny.toml small/
         for size in 32 64 128 192; do mount -o remount,size=${{size}}k small; {study}; echo \"ended: $?\" >&2; done
         mount -o remount,size=64m small; {study}; echo \"ended: $?\" >&2; cp -rL small/out filled"
    );
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(bench.path("."));
    for (name, value) in bench.command(&[]).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let said = stderr(&command.output().unwrap());
    assert!(said.contains("disk full"), "{said}");
    assert!(said.matches("ended: 2").count() >= 2, "{said}");
    assert!(said.trim_end().ends_with("ended: 0"), "{said}");
    assert_same(
        &lasting(&bench.path("alone/out")),
        &lasting(&bench.path("filled")),
    );
}
