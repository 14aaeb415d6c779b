//! How a study ends other than well: stopped by the user, by damage on the disk, by divergence.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::{Bench, assert_same, json, lasting, state_in, stderr, stdout};

const ONE_RUN: &[(&str, &str)] = &[
    ("seeds = 2", "seeds = 1"),
    ("[learners.maml]\ninner_steps = 2\n", ""),
];
/// Starts a study far too long to end, and stops it once it has a state; says what it said, and where the state is.
#[cfg(unix)]
fn interrupted(bench: &Bench, arguments: &[&str]) -> (Output, PathBuf) {
    let child = bench.start(arguments);
    let begun = Instant::now();
    while state_in(&bench.path("out.store")).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no state came");
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    (output, state_in(&bench.path("out.store")).unwrap())
}

/// What goes as it should needs no words; what does not has them all the same.
#[test]
fn a_quiet_study_has_no_words_but_its_results() {
    let bench = Bench::new(ONE_RUN);
    let usual = bench.experiment(&["--out", "usual"]);
    assert!(stderr(&usual).contains("1 runs: 1 finished"));
    let quiet = bench.experiment(&["-q", "--out", "quiet"]);
    assert_eq!(stderr(&quiet), "");
    assert!(stdout(&quiet).contains("protonet"));
    let both = bench.run(&["list", "-q", "-v"]);
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
    let table = "run,learner,seed,task,score\n\
                 a,l,0,x,0.5\na,l,0,y,0.75\nb,l,1,x,0.5\nb,l,1,y,0.75\nc,l,2,x,0.5\nc,l,2,y,0.75\n";
    fs::write(bench.path("equal.csv"), table).unwrap();
    let quiet = bench.run(&["analyze", "equal.csv", "--quiet"]);
    assert!(quiet.status.success(), "{}", stderr(&quiet));
    let said = stderr(&quiet);
    assert!(
        said.starts_with("warning: runs") && said.lines().count() == 1,
        "{said}"
    );
    let wrong = bench.run(&["-q", "report", "nowhere"]);
    assert!(stderr(&wrong).contains("nowhere"), "{}", stderr(&wrong));
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_state_and_says_how_to_go_on() {
    let mut changes = ONE_RUN.to_vec();
    changes.push(("outer_steps = 12", "outer_steps = 300"));
    let bench = Bench::new(&changes);
    let (output, state) = interrupted(&bench, &["--out", "out"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("metastable experiment tiny.toml --out out"),
        "{said}"
    );
    assert!(output.stdout.is_empty());
    let output = bench.experiment(&["--out", "out"]);
    assert!(stderr(&output).contains("goes on at step"));
    bench.experiment(&["--out", "whole"]);
    assert_same(&lasting(&bench.path("out")), &lasting(&bench.path("whole")));
    assert!(!state.exists());
}

/// A state or a log that is not what was written is named, not used, and made again.
#[cfg(unix)]
#[test]
fn damage_to_an_unfinished_run_is_named_and_made_good() {
    let mut changes = ONE_RUN.to_vec();
    changes.push(("outer_steps = 12", "outer_steps = 300"));
    for name in ["state.safetensors", "log.jsonl"] {
        for is_cut in [false, true] {
            let bench = Bench::new(&changes);
            let (_, state) = interrupted(&bench, &["--out", "out"]);
            let path = state.with_file_name(name);
            let mut bytes = fs::read(&path).unwrap();
            let n_bytes = bytes.len();
            if is_cut {
                bytes.truncate(n_bytes / 2);
            } else {
                bytes[n_bytes / 3] ^= 16;
            }
            fs::write(&path, bytes).unwrap();
            let said = stderr(&bench.experiment(&["--out", "out"]));
            assert!(said.contains(name), "{said}");
            assert!(said.contains("damaged"), "{said}");
            assert!(!said.contains("goes on at step"), "{said}");
            bench.experiment(&["--out", "whole"]);
            assert_same(&lasting(&bench.path("out")), &lasting(&bench.path("whole")));
        }
    }
}

/// Every file of a finished run, flipped and cut: named, and made again with the same bits.
#[test]
fn damage_to_a_finished_run_is_named_and_made_good() {
    let bench = Bench::new(ONE_RUN);
    bench.experiment(&["--out", "out"]);
    let expected = lasting(&bench.path("out"));
    let report = fs::read(bench.path("out/report.json")).unwrap();
    let run = bench.path("out/runs/protonet-glyphs-3w1s-s0");
    let names: Vec<_> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in &names {
        for is_cut in [false, true] {
            let path = run.join(name);
            let mut bytes = fs::read(&path).unwrap();
            if is_cut {
                bytes.pop();
            } else {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            fs::write(&path, bytes).unwrap();

            let output = bench.run(&["report", "out"]);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(name.as_str()), "{name} is not in: {said}");
            let output = bench.experiment(&["--out", "out"]);
            let said = stderr(&output);
            assert!(said.contains(name.as_str()), "{name} is not in: {said}");
            assert!(said.contains("run again"), "{said}");
            assert_same(&expected, &lasting(&bench.path("out")));
            assert_eq!(report, fs::read(bench.path("out/report.json")).unwrap());
        }
    }
    // Nothing is left to mend.
    let said = stderr(&bench.experiment(&["--out", "out"]));
    assert!(said.contains("1 of 1 runs are in the store"), "{said}");
}

/// What says which runs a study has is checked too, and written again by the command that runs it.
#[test]
fn damage_to_the_list_of_runs_is_named_and_made_good() {
    let bench = Bench::new(ONE_RUN);
    bench.experiment(&["--out", "out"]);
    for name in ["runs.json", "study.toml"] {
        let path = bench.path("out").join(name);
        let whole = fs::read(&path).unwrap();
        for at in [whole.len() / 4, whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            for damaged in [&flipped[..], &whole[..at]] {
                fs::write(&path, damaged).unwrap();
                bench.refuses(&["report", "out"], &[name, "damaged"]);
            }
        }
        let said = stderr(&bench.experiment(&["--out", "out"]));
        assert!(said.contains("1 of 1 runs are in the store"), "{said}");
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn divergence_is_a_result() {
    let bench = Bench::new(&[("inner_steps = 2", "inner_steps = 2\ninner_lr = 1e38")]);
    let output = bench.experiment(&["--out", "out"]);
    let record = json(&bench.path("out/runs/maml-glyphs-3w1s-s0/run.json"));
    assert_eq!(record["result"]["outcome"]["kind"], "diverged");
    assert_eq!(record["result"]["outcome"]["step"], 1);
    // What, after how many inner steps, of which task.
    let cause = record["result"]["outcome"]["cause"].as_str().unwrap();
    assert!(cause.ends_with("inner steps of task 0"), "{cause}");
    assert!(record["result"]["test"].is_null());
    assert!(stderr(&output).contains("diverged at step 1"));
    assert!(stdout(&output).contains("protonet"));
    let other = json(&bench.path("out/runs/protonet-glyphs-3w1s-s0/run.json"));
    assert_eq!(other["result"]["outcome"]["kind"], "completed");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let bench = Bench::new(ONE_RUN);
    fs::write(bench.path("file"), "in the way").unwrap();
    let arguments = ["experiment", "tiny.toml", "--out", "file/out"];
    bench.refuses(&arguments, &["file/out", "--out"]);
    fs::create_dir_all(bench.path("out.store/work")).unwrap();
    fs::write(bench.path("out"), "in the way").unwrap();
    let arguments = ["experiment", "tiny.toml", "--out", "out"];
    bench.refuses(&arguments, &["out", "--out"]);
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let bench = Bench::new(ONE_RUN);
    bench.experiment(&["--out", "out"]);
    let path = bench.path("out/runs/protonet-glyphs-3w1s-s0/last.safetensors");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let shown = path.to_str().unwrap();
    bench.refuses(&["evaluate", shown], &["last.safetensors"]);
    bench.refuses(&["evaluate", "none.safetensors"], &["none.safetensors"]);
}
