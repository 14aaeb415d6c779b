//! `status`: how far a study is, from its files alone; works from another shell, and from another machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;

use super::folder::{Entry, Index, StudyFolder};
use super::work::Failure;
use crate::Ending;
use crate::flags;
use crate::progress::clock;
use crate::run::{Record, RunFolder, log};
use crate::store::{self, Stored, claim};

/// How far one run is.
enum Far {
    Finished {
        diverged: bool,
        seconds: f64,
    },
    Failed(String),
    Damaged(String),
    /// Somebody has it.
    Running {
        who: String,
        step: Option<usize>,
        /// Seconds since the last sign of life.
        silent: f64,
    },
    /// Nobody has it; it may have made steps.
    Waiting {
        step: Option<usize>,
    },
}

/// Runs the command.
pub(crate) fn command(flags: &flags::Status) -> Result<Ending> {
    let folder = StudyFolder::new(&flags.dir);
    let index = folder.read()?;
    let store = folder.store_of(&index);
    let runs: Vec<(&Entry, Far)> = index
        .runs
        .iter()
        .map(|entry| (entry, far(&folder, &index, &store, entry)))
        .collect();
    for (entry, far) in &runs {
        if let Some(text) = line(far, flags.all) {
            println!("{}: {text}", entry.label);
        }
    }
    println!("{}", summary(&index.study, &runs));
    Ok(Ending::Done)
}

fn far(folder: &StudyFolder, index: &Index, store: &Path, entry: &Entry) -> Far {
    let (path, stored) = folder.run(index, entry);
    match stored {
        Stored::Damaged(error) => return Far::Damaged(format!("{error:#}")),
        Stored::Whole => {
            let record = Record::read(&RunFolder::new(path).record());
            return match record.ok().and_then(|record| {
                let diverged = record.has_diverged();
                record.result.map(|result| (diverged, result))
            }) {
                Some((diverged, result)) => Far::Finished {
                    diverged,
                    seconds: result.train_seconds + result.test.map_or(0.0, |test| test.seconds),
                },
                None => Far::Damaged(String::from("its record says no result")),
            };
        }
        Stored::Absent => {}
    }
    let work = store::work(store, &entry.identity);
    let step = step(&work);
    if let Some(claim) = claim::holder(&work) {
        let age = |time: SystemTime| SystemTime::now().duration_since(time).ok();
        let silent = claim::last_beat(&work).and_then(age);
        return Far::Running {
            who: format!("process {} on {}", claim.owner.pid, claim.owner.host),
            step,
            silent: silent.map_or(f64::NAN, |age| age.as_secs_f64()),
        };
    }
    match Failure::read(&work.join(store::FAILURE)) {
        Some(failure) => Far::Failed(failure.why),
        None => Far::Waiting { step },
    }
}

/// Outer steps of the attempt that got furthest, by its log.
fn step(work: &Path) -> Option<usize> {
    let attempts = fs::read_dir(work).ok()?.flatten();
    attempts
        .filter_map(|attempt| {
            let text = fs::read_to_string(RunFolder::new(attempt.path()).log()).ok()?;
            // The last line may be half-written.
            let lines = text.lines().rev();
            lines
                .filter_map(|line| serde_json::from_str::<log::LogLine>(line).ok())
                .map(|line| line.step)
                .next()
        })
        .max()
}

/// What is said of one run; finished and waiting ones are said of only if all are asked for.
fn line(far: &Far, all: bool) -> Option<String> {
    let at = |step: &Option<usize>| step.map_or(String::new(), |step| format!(" at step {step}"));
    match far {
        Far::Finished { diverged: true, .. } => Some(String::from("diverged")),
        Far::Finished { seconds, .. } => all.then(|| format!("finished in {}", clock(*seconds))),
        Far::Failed(why) => Some(format!("failed: {why}")),
        Far::Damaged(why) => Some(format!("damaged, will be run again: {why}")),
        Far::Running { who, step, silent } => Some(format!(
            "{who} has it{}, last sign of life {} ago",
            at(step),
            clock(*silent)
        )),
        Far::Waiting { step: Some(step) } => Some(format!("waits at step {step}")),
        Far::Waiting { step: None } => all.then(|| String::from("waits")),
    }
}

/// `tiny: 3/4 runs finished (1 diverged), 1 running, 0 failed, 0 waiting; about 0:20 left`.
#[allow(clippy::cast_precision_loss, reason = "counts of runs")]
fn summary(study: &str, runs: &[(&Entry, Far)]) -> String {
    let count = |which: fn(&Far) -> bool| runs.iter().filter(|(_, far)| which(far)).count();
    let finished = count(|far| matches!(far, Far::Finished { .. }));
    let diverged = count(|far| matches!(far, Far::Finished { diverged: true, .. }));
    let running = count(|far| matches!(far, Far::Running { .. }));
    let failed = count(|far| matches!(far, Far::Failed(_)));
    let left = runs.len() - finished - failed;
    let mut text = format!(
        "{study}: {finished}/{} runs finished ({diverged} diverged), {running} running, {failed} failed, {} waiting",
        runs.len(),
        left - running
    );
    // What runs of the same learner took; of any, where none of it has ended.
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (entry, far) in runs {
        if let Far::Finished { seconds, .. } = far {
            times.entry(&entry.learner).or_default().push(*seconds);
        }
    }
    let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
    let all: Vec<f64> = times.values().flatten().copied().collect();
    if left > 0 && running > 0 && !all.is_empty() {
        let seconds: f64 = runs
            .iter()
            .filter_map(|(entry, far)| {
                let own = times.get(entry.learner.as_str()).unwrap_or(&all);
                match far {
                    Far::Waiting { .. } | Far::Damaged(_) => Some(mean(own)),
                    // How many steps it has is not in its log: half is right on average.
                    Far::Running { .. } => Some(0.5 * mean(own)),
                    _ => None,
                }
            })
            .sum();
        text += &format!("; about {} left", clock(seconds / running as f64));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_and_estimates() {
        let entry = Entry {
            label: String::from("a"),
            learner: String::from("maml"),
            seed: 0,
            levels: Vec::new(),
            streams: Vec::new(),
            identity: String::new(),
        };
        let finished = |diverged| Far::Finished {
            diverged,
            seconds: 20.0,
        };
        let running = Far::Running {
            who: String::from("process 1 on h"),
            step: Some(3),
            silent: 2.0,
        };
        assert_eq!(
            line(&running, false).unwrap(),
            "process 1 on h has it at step 3, last sign of life 0:02 ago"
        );
        let runs = [
            (&entry, finished(false)),
            (&entry, finished(true)),
            (&entry, running),
            (&entry, Far::Waiting { step: None }),
            (&entry, Far::Failed(String::from("no"))),
        ];
        assert_eq!(
            summary("s", &runs),
            "s: 2/5 runs finished (1 diverged), 1 running, 1 failed, 1 waiting; about 0:30 left"
        );
    }
}
