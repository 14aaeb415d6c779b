//! Ctrl-C at random moments of every command: the time to the end of the process.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Dice, Result, is_ended_by};
use crate::server;
use crate::tally::Tally;

/// The promise is a second; a machine with other work may schedule late.
const SOON: Duration = Duration::from_millis(2500);

const INTERRUPTED: i32 = 130;
/// The signal that Ctrl-C sends.
const SIGINT: i32 = 2;

/// Sends Ctrl-C `n` times.
pub(crate) fn run(bench: &Bench, n: u64, seed: u64) -> Result<Tally> {
    let mut tally = Tally::new("interrupts");
    let mut dice = Dice::new(seed);
    let place = bench.place("whole")?;
    let weights = server::weights(400_000);
    let mirror = server::start(weights, Duration::from_millis(10))?;
    bench.succeeds(&place, &["experiment", "tiny.toml", "--out", "s"])?;
    bench.succeeds(&place, &["export", "s", "--format", "csv"])?;
    table(&place.join("scores.csv"))?;
    let checkpoint = "s/runs/maml-glyphs-3w1s-s0/best.safetensors";
    let lines = [
        (
            "training",
            String::from("experiment tiny.toml --out new --set learner.outer_steps=100000"),
        ),
        (
            "training",
            String::from("train maml --study tiny.toml --out new --set learner.outer_steps=100000"),
        ),
        (
            "test",
            String::from(
                "experiment tiny.toml --out new --set test.episodes=500000 --set learner.outer_steps=4",
            ),
        ),
        (
            "probe",
            String::from(
                "experiment tiny.toml --out new --set probe.tasks=20000 --set learner.outer_steps=4",
            ),
        ),
        ("probe", String::from("probe s --tasks 20000")),
        ("probe", format!("probe {checkpoint} --tasks 20000")),
        (
            "plan",
            String::from("experiment tiny.toml --out new --plan"),
        ),
        ("certificate", String::from("certify s")),
        ("report", String::from("report s --figures png")),
        ("export", String::from("export s --format parquet")),
        ("advise", String::from("advise s")),
        ("status", String::from("status s --all")),
        ("clean", String::from("clean . --remove")),
        ("list", String::from("list")),
        (
            "evaluate",
            format!("evaluate {checkpoint} --episodes 500000"),
        ),
        ("analyze", String::from("analyze scores.csv --out a")),
        (
            "fetch",
            format!(
                "fetch weights hf:someone/nets/model.safetensors --data-dir data --from {mirror}"
            ),
        ),
    ];
    let mut slowest = Duration::ZERO;
    let mut at = 0;
    while (tally.n_tries() as u64) < n {
        let (phase, line) = &lines[at % lines.len()];
        at += 1;
        for folder in ["new", ".store-new", "data"] {
            let _ = fs::remove_dir_all(place.join(folder));
        }
        let mut words: Vec<&str> = line.split(' ').collect();
        if words.contains(&"new") {
            words.extend(["--store", ".store-new"]);
        }
        let mut child = bench.start(&place, &words, "said.txt")?;
        thread::sleep(Duration::from_millis(dice.below(3000)));
        if child.try_wait()?.is_some() {
            // Ended before; a short command is asked at shorter moments too.
            child = bench.start(&place, &words, "said.txt")?;
            thread::sleep(Duration::from_millis(dice.below(40)));
        }
        let begun = Instant::now();
        let sent = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .output()?;
        let status = child.wait()?;
        let took = begun.elapsed();
        let heard = fs::read_to_string(place.join("said.txt"))?;
        let is_hit = status.code() == Some(INTERRUPTED) || is_ended_by(status, SIGINT);
        if is_hit {
            tally.tried(phase);
            slowest = slowest.max(took);
        }
        let is_stopped = status.success() || is_hit;
        let shown = || format!("{line}: {status} after {took:?}: {heard}");
        tally.expect(is_stopped && !heard.contains("panicked"), phase, shown);
        tally.expect(took < SOON || !sent.status.success(), phase, shown);
    }
    tally.note(format!("the slowest answer took {slowest:?}"));
    Ok(tally)
}

/// A table whose analysis takes a while.
pub(crate) fn table(path: &std::path::Path) -> Result<()> {
    let mut text = String::from("run,learner,seed,task,score\n");
    let mut dice = Dice::new(1);
    for learner in ["a", "b", "c", "d"] {
        for seed in 0..30 {
            for task in 0..600 {
                let score = dice.below(1000) as f64 / 1000.0;
                text += &format!("{learner}{seed},{learner},{seed},{task},{score}\n");
            }
        }
    }
    Ok(fs::write(path, text)?)
}
