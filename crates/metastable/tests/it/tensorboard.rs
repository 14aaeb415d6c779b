//! Event files grow while runs train, and end the same whatever happened on the way.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Bench, stderr};

const NAME: &str = "events.out.tfevents.metastable";

/// Every event file of a folder: run and bytes, in order.
fn events(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| {
            let label = entry.file_name().into_string().unwrap();
            (label, fs::read(entry.path().join(NAME)).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_study_leaves_them_and_export_makes_the_same() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "out"]);
    let own = events(&bench.path("out/tensorboard"));
    assert_eq!(own.len(), 4);
    let arguments = ["export", "out", "--format", "tensorboard", "--out", "again"];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(own, events(&bench.path("again")));
    // One that was cut, and one that is of another run, are made whole.
    let file = |at: usize| bench.path("out/tensorboard").join(&own[at].0).join(NAME);
    fs::write(file(0), &own[0].1[..own[0].1.len() - 5]).unwrap();
    fs::write(file(1), &own[2].1).unwrap();
    bench.experiment(&["--out", "out"]);
    assert_eq!(own, events(&bench.path("out/tensorboard")));
}

/// A viewer sees a run while it trains; a killed run that goes on appends to the same file.
#[test]
fn they_grow_while_a_run_trains_and_kills_leave_no_trace() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("outer_steps = 12", "outer_steps = 4000"),
        ("save_seconds = 0", "save_seconds = 1"),
        ("[learners.protonet]", ""),
    ]);
    let mut child = bench.start(&["--out", "killed"]);
    let file = bench
        .path("killed/tensorboard/maml-glyphs-3w1s-s0")
        .join(NAME);
    let begun = Instant::now();
    // The first event alone takes 40 bytes.
    while fs::metadata(&file).map_or(0, |file| file.len()) <= 40 {
        assert!(begun.elapsed() < Duration::from_secs(120), "no event came");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(
        child.try_wait().unwrap().is_none(),
        "the run has ended already"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = fs::read(&file).unwrap();
    let held_open = fs::File::open(&file).unwrap();
    bench.experiment(&["--out", "killed"]);
    let whole = fs::read(&file).unwrap();
    assert!(whole.len() > seen.len() && whole.starts_with(&seen));
    assert_eq!(held_open.metadata().unwrap().len(), whole.len() as u64);
    let arguments = [
        "export",
        "killed",
        "--format",
        "tensorboard",
        "--out",
        "again",
    ];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(
        events(&bench.path("again")),
        events(&bench.path("killed/tensorboard"))
    );
}
