//! What a campaign of 200 short runs costs beside its runs, and whether kills change its report.
//!
//! ```sh
//! cargo build --release -p metastable
//! cargo run --release -p metastable --example campaign -- DIR whole   # on an idle machine
//! cargo run --release -p metastable --example campaign -- DIR alone   # the same
//! cargo run --release -p metastable --example campaign -- DIR kills   # after `whole`
//! ```
//!
//! `whole` runs the study and prints its wall time, the share of it that no run was trained or tested in, how much of that went by
//! before the last run was stored, when claims, files and waiting are all there is, and how much after it, for certificates and report;
//! and the peak of its memory. `alone` makes a tenth of the runs again, one at a time on one thread, and prints the parallel efficiency:
//! `n_runs * (mean seconds of a run alone) / (cores * wall time of the whole)`. `kills` runs the study once more, kills it
//! 20 times at random moments with SIGKILL, lets it end, and compares the reports byte by byte.

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Kills that have to hit a process at work.
const N_KILLS: usize = 20;

/// States more often than usual, so that runs of a few seconds go on from one.
const OFTEN: [&str; 2] = ["--set", "run.save_seconds=0.5"];

/// One seed of so many is run alone.
const ONE_OF: usize = 10;

/// Seeds of the study.
const N_SEEDS: usize = 50;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, what] = &arguments[..] else {
        bail!("say where to work, and one of whole, alone, kills");
    };
    let folder = PathBuf::from(folder);
    match what.as_str() {
        "whole" => whole(&folder),
        "alone" => alone(&folder),
        "kills" => kills(&folder),
        _ => bail!("{what}: say one of whole, alone, kills"),
    }
}

/// Starts the study in a folder of its own; reports name their folder, so it is `out` in each.
fn start(place: &Path, more: &[&str]) -> Result<Child> {
    let here = std::env::current_exe()?;
    let program = here
        .ancestors()
        .nth(2)
        .context("this is not an example of cargo's")?
        .join("metastable");
    let study = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/campaign.toml");
    fs::create_dir_all(place)?;
    let said = File::options()
        .create(true)
        .append(true)
        .open(place.join("said.txt"))?;
    Command::new(&program)
        .args(["experiment", study, "--out", "out"])
        .args(more)
        .current_dir(place)
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .with_context(|| format!("while starting {}; build it first", program.display()))
}

/// Lets a study end; the peak of its memory in MiB, where the system tells.
fn end(mut child: Child) -> Result<f64> {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = f64::NAN;
    loop {
        peak = high_water(&status).unwrap_or(peak);
        if let Some(ended) = child.try_wait()? {
            ensure!(ended.success(), "the study ended with {ended}");
            return Ok(peak);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// `VmHWM`, which only grows.
fn high_water(status: &Path) -> Option<f64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Seconds of training and test of each run, by identity.
fn seconds(place: &Path) -> Result<Vec<(String, f64)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(place.join("out/runs"))? {
        let record = read(&entry?.path().join("run.json"))?;
        let of = |pointer| record.pointer(pointer).and_then(Value::as_f64);
        let train = of("/result/train_seconds").context("a run without a result")?;
        let test = of("/result/test/seconds").unwrap_or(0.0);
        all.push((record["identity"].to_string(), train + test));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

/// When the last run got its manifest, its last file.
fn last_stored(place: &Path) -> Result<SystemTime> {
    let mut last = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(place.join("out/runs"))? {
        let manifest = entry?.path().join("manifest.json");
        last = last.max(fs::metadata(manifest)?.modified()?);
    }
    Ok(last)
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("while reading {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

fn sum(runs: &[(String, f64)]) -> f64 {
    runs.iter().map(|(_, seconds)| seconds).sum()
}

#[allow(clippy::cast_precision_loss, reason = "a handful of cores")]
fn n_cores() -> f64 {
    thread::available_parallelism().map_or(1, |n| n.get()) as f64
}

fn whole(folder: &Path) -> Result<()> {
    let place = folder.join("whole");
    ensure!(!place.exists(), "{} is there already", place.display());
    let (begun, on_clock) = (Instant::now(), SystemTime::now());
    let peak = end(start(&place, &[])?)?;
    let wall = begun.elapsed().as_secs_f64();
    fs::write(
        folder.join("whole.json"),
        json!({ "wall": wall }).to_string(),
    )?;
    let runs = seconds(&place)?;
    let at_work = sum(&runs);
    let cores = n_cores();
    println!("runs: {}, on {cores} cores", runs.len());
    println!("wall time: {wall:.1} s");
    println!("training and test of all runs: {at_work:.1} s");
    println!(
        "machinery (cores x wall time without training or test): {:.2} %",
        100.0 * (1.0 - at_work / (cores * wall))
    );
    let running = last_stored(&place)?.duration_since(on_clock)?.as_secs_f64();
    println!(
        "  until the last run was stored ({running:.1} s): {:.2} %",
        100.0 * (running - at_work / cores) / wall
    );
    println!(
        "  certificates and report ({:.1} s): {:.2} %",
        wall - running,
        100.0 * (1.0 - running / wall)
    );
    println!("peak memory: {peak:.0} MiB");
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "hundreds of runs")]
fn alone(folder: &Path) -> Result<()> {
    let place = folder.join("alone");
    ensure!(!place.exists(), "{} is there already", place.display());
    let wall = read(&folder.join("whole.json"))?["wall"].as_f64();
    let wall = wall.context("run `whole` first")?;
    let seeds = format!("{}", N_SEEDS / ONE_OF);
    end(start(
        &place,
        &["--seeds", &seeds, "--jobs", "1", "--threads", "1"],
    )?)?;
    let (all, alone) = (seconds(&folder.join("whole"))?, seconds(&place)?);
    let is_sampled = |run: &&(String, f64)| alone.iter().any(|other| other.0 == run.0);
    let beside: Vec<_> = all.iter().filter(is_sampled).cloned().collect();
    ensure!(
        beside.len() == alone.len(),
        "the samples are not runs of the whole"
    );
    let mean = sum(&alone) / alone.len() as f64;
    println!("runs alone: {}, {mean:.3} s each", alone.len());
    println!(
        "the same runs beside another: {:.3} s each",
        sum(&beside) / alone.len() as f64
    );
    println!(
        "parallel efficiency: {:.3}",
        mean * all.len() as f64 / (n_cores() * wall)
    );
    Ok(())
}

fn kills(folder: &Path) -> Result<()> {
    let place = folder.join("killed");
    ensure!(!place.exists(), "{} is there already", place.display());
    let wall = read(&folder.join("whole.json"))?["wall"].as_f64();
    let wall = wall.context("run `whole` first")?;
    // Knuth's MMIX generator: the moments can be had again, as far as timing can.
    let mut state = 7_u64;
    let mut pause = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((state >> 33) % 1000).mul_f64(1.6 * wall / N_KILLS as f64)
    };
    let mut n_kills = 0;
    while n_kills < N_KILLS {
        let mut child = start(&place, &OFTEN)?;
        thread::sleep(pause());
        ensure!(
            child.try_wait()?.is_none(),
            "it ended after {n_kills} kills"
        );
        child.kill()?;
        child.wait()?;
        n_kills += 1;
    }
    end(start(&place, &OFTEN)?)?;
    let said = fs::read_to_string(place.join("said.txt"))?;
    println!(
        "{n_kills} kills; {} times a run went on from its state",
        said.matches("goes on at step").count()
    );
    for name in ["report.json", "report.md", "report.html"] {
        let of = |which: &str| fs::read(folder.join(which).join("out").join(name));
        let (whole, killed) = (of("whole")?, of("killed")?);
        ensure!(whole == killed, "{name} differs");
        println!("{name}: {} bytes, the same", whole.len());
    }
    Ok(())
}
