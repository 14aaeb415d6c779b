//! SIGKILL at random moments of every command; then the same command to its end, and every bit against an undisturbed study.
//!
//! What two undisturbed studies agree on is compared: all but the files that say how long something took.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Dice, Files, Result, files, is_ended_by, said};
use crate::server;
use crate::tally::Tally;

const SIGKILL: i32 = 9;

/// Kills of one study before it may end.
const PER_STUDY: usize = 10;
/// Tries of each command on a finished study.
const PER_COMMAND: usize = 3;

const EXPERIMENT: [&str; 4] = ["experiment", "tiny.toml", "--out", "s"];

/// What is fetched from a mirror.
const FETCHED: &str = "data/weights/someone/nets/model.safetensors";

/// A command on a finished study.
struct Asked {
    phase: &'static str,
    arguments: Vec<String>,
    /// Makes something to do, so that there is something to interrupt.
    prepare: fn(&Path) -> Result<()>,
}

fn asked(phase: &'static str, line: &str, prepare: fn(&Path) -> Result<()>) -> Asked {
    Asked {
        phase,
        arguments: line.split(' ').map(str::to_owned).collect(),
        prepare,
    }
}

fn commands(mirror: &str) -> Vec<Asked> {
    let fetch =
        format!("fetch weights hf:someone/nets/model.safetensors --data-dir data --from {mirror}");
    let evaluate = "evaluate s/runs/maml-glyphs-3w1s-s0/best.safetensors --episodes 400";
    vec![
        asked("probe", "probe s", without_answers),
        asked("certificate", "certify s", without_certificates),
        asked("report", "report s", |_| Ok(())),
        asked(
            "report, figures",
            "report s --figures svg --tables latex",
            |_| Ok(()),
        ),
        asked("export", "export s --format csv", |_| Ok(())),
        asked("export", "export s --format parquet --out parquet", |_| {
            Ok(())
        }),
        asked("export", "export s --format tensorboard", without_events),
        asked("analyze", "analyze s/export/tasks.csv --out a", |_| Ok(())),
        asked("advise", "advise s", |_| Ok(())),
        asked("evaluate", evaluate, |_| Ok(())),
        asked("status", "status s --all", |_| Ok(())),
        asked("clean", "clean . --remove", litter),
        asked("fetch", &fetch, |place| remove(&place.join("data"))),
    ]
}

fn remove(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

fn without_answers(place: &Path) -> Result<()> {
    remove(&place.join("s/probes"))
}

fn without_certificates(place: &Path) -> Result<()> {
    for run in fs::read_dir(place.join("s/probes"))? {
        let certificate = run?.path().join("certificate.json");
        if certificate.exists() {
            fs::remove_file(certificate)?;
        }
    }
    Ok(())
}

fn without_events(place: &Path) -> Result<()> {
    remove(&place.join("s/tensorboard"))
}

/// Runs in the store that no study has.
fn litter(place: &Path) -> Result<()> {
    let store = place.join(".store");
    let runs: Vec<_> = fs::read_dir(&store)?.collect::<std::io::Result<_>>()?;
    for (at, run) in runs.iter().filter(|run| run.path().is_dir()).enumerate() {
        let copy = store.join(format!("{:032x}", 0xabc + at));
        fs::create_dir_all(&copy)?;
        for (name, bytes) in files(&run.path())? {
            fs::write(copy.join(name), bytes)?;
        }
    }
    Ok(())
}

/// Files of a study and its store, of its exports, and of what was fetched.
fn left(place: &Path) -> Result<Files> {
    let mut all = files(place)?;
    all.retain(|name, _| {
        let is_ours = ["s/", ".store/", "parquet/", "a/"];
        is_ours.iter().any(|it| name.starts_with(it)) || name == FETCHED
    });
    Ok(all)
}

/// An undisturbed study with everything that is made of it; how long each command took.
fn whole(bench: &Bench, name: &str, mirror: &str) -> Result<(Files, Vec<Duration>)> {
    let place = bench.place(name)?;
    let mut times = Vec::new();
    let mut timed = |arguments: &[&str]| -> Result<()> {
        let begun = Instant::now();
        bench.succeeds(&place, arguments)?;
        times.push(begun.elapsed());
        Ok(())
    };
    timed(&EXPERIMENT)?;
    for command in commands(mirror) {
        (command.prepare)(&place)?;
        timed(&words(&command.arguments))?;
    }
    Ok((left(&place)?, times))
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// Kills until `n` have hit a process at work.
pub(crate) fn run(bench: &Bench, n: u64, seed: u64) -> Result<Tally> {
    let body = server::weights(60_000);
    let mirror = server::start(body, Duration::from_millis(4))?;
    let mut tally = Tally::new("kills");
    let mut dice = Dice::new(seed);
    let (mut expected, times) = whole(bench, "whole", &mirror)?;
    let (again, _) = whole(bench, "again", &mirror)?;
    let names: Vec<String> = expected.keys().cloned().collect();
    expected.retain(|name, bytes| again.get(name) == Some(bytes));
    let n_compared = expected.len();
    let mut round = 0;
    while (tally.n_tries() as u64) < n {
        round += 1;
        let place = bench.place(&format!("round{round}"))?;
        kill_study(bench, &place, times[0], &mut dice, &mut tally)?;
        ends(bench, &place, &EXPERIMENT, "training", &mut tally)?;
        for (command, time) in commands(&mirror).iter().zip(&times[1..]) {
            for _ in 0..PER_COMMAND {
                (command.prepare)(&place)?;
                kill_command(bench, &place, command, *time, &mut dice, &mut tally)?;
                ends(
                    bench,
                    &place,
                    &words(&command.arguments),
                    command.phase,
                    &mut tally,
                )?;
            }
        }
        let found = left(&place)?;
        let all = "the end of a round";
        for name in names.iter().filter(|name| !found.contains_key(*name)) {
            tally.fault(all, format!("round {round}: {name} is missing"));
        }
        for name in found.keys().filter(|name| !names.contains(name)) {
            // What a process was writing when it was killed is told by its name, and is for `clean`.
            tally.expect(name.ends_with(".tmp"), all, || {
                format!("round {round}: {name} is left")
            });
        }
        for (name, bytes) in &expected {
            tally.expect(found.get(name) == Some(bytes), all, || {
                format!("round {round}: {name} differs")
            });
        }
        if tally.n_faults() == 0 {
            fs::remove_dir_all(&place)?;
        }
    }
    tally.note(format!(
        "{round} studies, {n_compared} of {} files compared bit for bit after each",
        names.len()
    ));
    Ok(tally)
}

/// Kills a study, or one or both of two processes on it, some times; looks at its status in between.
fn kill_study(
    bench: &Bench,
    place: &Path,
    time: Duration,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<()> {
    let mut n_kills = 0;
    while n_kills < PER_STUDY {
        let jobs = (1 + dice.below(3)).to_string();
        let arguments = [&EXPERIMENT[..], &["--jobs", &jobs]].concat();
        let is_shared = dice.below(3) == 0;
        let mut first = bench.start(place, &arguments, "first.txt")?;
        let second = is_shared
            .then(|| bench.start(place, &arguments, "second.txt"))
            .transpose()?;
        thread::sleep(moment(dice, time / 2));
        first.kill()?;
        let mut has_ended = !is_ended_by(first.wait()?, SIGKILL);
        let heard = fs::read_to_string(place.join("first.txt"))?;
        if !has_ended {
            n_kills += 1;
            tally.tried(if is_shared { "takeover" } else { phase(&heard) });
        }
        sane(tally, "training", &heard);
        if let Some(mut second) = second {
            // It takes over what the first had, and is killed at that every other time.
            if dice.below(2) == 0 {
                thread::sleep(moment(dice, time));
                second.kill()?;
            }
            let status = second.wait()?;
            let heard = fs::read_to_string(place.join("second.txt"))?;
            sane(tally, "takeover", &heard);
            if is_ended_by(status, SIGKILL) {
                n_kills += 1;
                tally.tried("takeover");
            } else {
                has_ended = true;
                tally.expect(status.success(), "takeover", || {
                    format!("{status}: {heard}")
                });
            }
        }
        if place.join("s/runs.json").exists() {
            ends(bench, place, &["status", "s", "--all"], "status", tally)?;
        }
        if has_ended && n_kills < PER_STUDY {
            // From the start again, or what is left of the kills would hit nothing.
            remove(&place.join("s"))?;
            remove(&place.join(".store"))?;
        }
    }
    Ok(())
}

/// Which phase a study was in, by the last that it said.
fn phase(heard: &str) -> &'static str {
    let n_tested = heard.matches(": test accuracy").count();
    match heard.lines().last().unwrap_or_default() {
        last if last.contains("trained; testing") => "test",
        last if last.contains("certificate answered") => "certificate",
        last if last.contains("answered in") => "probe",
        last if last.contains("report") => "report",
        _ if n_tested == 4 => "probe",
        _ => "training",
    }
}

fn kill_command(
    bench: &Bench,
    place: &Path,
    command: &Asked,
    time: Duration,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<()> {
    let mut child = bench.start(place, &words(&command.arguments), "first.txt")?;
    thread::sleep(moment(dice, time));
    child.kill()?;
    if is_ended_by(child.wait()?, SIGKILL) {
        tally.tried(command.phase);
    }
    sane(
        tally,
        command.phase,
        &fs::read_to_string(place.join("first.txt"))?,
    );
    Ok(())
}

fn moment(dice: &mut Dice, time: Duration) -> Duration {
    Duration::from_micros(dice.below(time.as_micros() as u64))
}

/// Runs a command to its end, which has to be a good one.
fn ends(
    bench: &Bench,
    place: &Path,
    arguments: &[&str],
    phase: &str,
    tally: &mut Tally,
) -> Result<()> {
    let output = bench.run(place, arguments)?;
    tally.expect(output.status.success(), phase, || {
        format!("{}: {arguments:?}: {}", place.display(), said(&output))
    });
    Ok(())
}

/// Whatever was said is no panic, and nothing is damaged by a kill, but for what was being removed.
fn sane(tally: &mut Tally, phase: &str, heard: &str) {
    let is_damaged = phase != "clean" && heard.contains("damaged");
    let is_bad = is_damaged || heard.contains("panicked");
    tally.expect(!is_bad, phase, || heard.to_owned());
}
