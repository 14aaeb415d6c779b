//! `status`: how far a study is, from its files alone; works from another shell, and from another machine.
//!
//! Runs that failed, are damaged or have vanished from the store give exit code 1: a script that asks hears of them. Runs that
//! nobody has made yet are no fault.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::far::{Far, far, line};
use super::folder::{Entry, StudyFolder};
use crate::Ending;
use crate::flags;
use crate::progress::clock;

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
    if flags.json {
        let progress = Progress::new(&index.study, &runs);
        println!("{}", serde_json::to_string_pretty(&progress)?);
    } else {
        for (entry, far) in &runs {
            if let Some(text) = line(far, flags.all) {
                println!("{}: {text}", entry.label);
            }
        }
        println!("{}", summary(&index.study, &runs));
    }
    Ok(ending(&runs, flags.json))
}

/// How the command ends: well if nothing is wrong, however much waits or runs. What is wrong is named: by the lines on stdout, or on
/// stderr where stdout has JSON.
fn ending(runs: &[(&Entry, Far)], is_json: bool) -> Ending {
    let wrong: Vec<_> = runs.iter().filter(|(_, far)| far.is_wrong()).collect();
    if wrong.is_empty() {
        return Ending::Done;
    }
    if is_json {
        for (entry, far) in &wrong {
            eprintln!("{}: {}", entry.label, line(far, true).unwrap_or_default());
        }
    }
    eprintln!(
        "{} of {} runs failed, are damaged or are gone; the command that runs the study tries them again",
        wrong.len(),
        runs.len()
    );
    Ending::Failed
}

/// What `status --json` prints.
#[derive(Debug, Serialize)]
struct Progress<'a> {
    study: &'a str,
    runs: Vec<RunProgress<'a>>,
}

#[derive(Debug, Serialize)]
struct RunProgress<'a> {
    run: &'a str,
    learner: &'a str,
    seed: u64,
    /// `finished`, `diverged`, `failed`, `damaged`, `vanished`, `running` or `waiting`.
    state: &'static str,
    /// Outer steps that an unfinished run has made.
    step: Option<usize>,
}

impl<'a> Progress<'a> {
    fn new(study: &'a str, runs: &[(&'a Entry, Far)]) -> Self {
        let runs = runs
            .iter()
            .map(|(entry, far)| RunProgress {
                run: &entry.label,
                learner: &entry.learner,
                seed: entry.seed,
                state: match far {
                    Far::Finished { diverged: true, .. } => "diverged",
                    Far::Finished { .. } => "finished",
                    Far::Failed(_) => "failed",
                    Far::Damaged(_) => "damaged",
                    Far::Vanished => "vanished",
                    Far::Running { .. } => "running",
                    Far::Waiting { .. } => "waiting",
                },
                step: far.step(),
            })
            .collect();
        Self { study, runs }
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
    let damaged = count(|far| matches!(far, Far::Damaged(_) | Far::Vanished));
    let left = runs.len() - finished - failed;
    let mut text = format!(
        "{study}: {finished}/{} runs finished ({diverged} diverged), {running} running, {failed} failed, {} waiting",
        runs.len(),
        left - running - damaged
    );
    if damaged > 0 {
        text += &format!(", {damaged} damaged or gone");
    }
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
                    Far::Waiting { .. } | Far::Damaged(_) | Far::Vanished => Some(mean(own)),
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
        assert_eq!(ending(&runs[..4], false), Ending::Done);
        assert_eq!(ending(&runs, false), Ending::Failed);
        let gone = [(&entry, finished(false)), (&entry, Far::Vanished)];
        assert_eq!(ending(&gone, true), Ending::Failed);
        assert_eq!(
            summary("s", &gone),
            "s: 1/2 runs finished (0 diverged), 0 running, 0 failed, 0 waiting, 1 damaged or gone"
        );
    }
}
