//! Determinism: the first steps of the run made again, on one thread and on two, and held against its log.

use anyhow::Result;
use metastable_analysis::probe::certificate::Answers;

use super::verdict::{ELSEWHERE, same, skip};
use crate::campaign::Finished;
use crate::files::{read_text, sha256};
use crate::probe::subject::Subject;
use crate::run::Run;
use crate::run::replay::Replay;
use crate::schedule::Shares;

/// Steps that are made on either number of threads.
const BOTH: usize = 2;
/// Steps that are made for the log, unless its first line ends sooner.
const MOST_STEPS: usize = 10;
/// What is said where there is no step to make again.
const DIVERGED: &str = "the training diverged at its first step";

pub(super) fn check(
    run: &Finished,
    subject: &Subject<'_>,
    again: &Run<'_>,
    is_here: bool,
    answers: &mut Answers,
) -> Result<()> {
    let on = |threads, n_steps| -> Result<Replay> {
        let pool = Shares { jobs: 1, threads }.pool()?;
        pool.install(|| again.replay(subject.material, n_steps))
    };
    let n_steps = subject.config.log_every.min(MOST_STEPS);
    let (one, two) = (on(1, BOTH.min(n_steps))?, on(2, n_steps)?);
    let name = "first steps on one thread and on two";
    let begins = &two.thetas[..two.thetas.len().min(BOTH)];
    if one.thetas.is_empty() && begins.is_empty() {
        skip(answers, name, DIVERGED);
    } else {
        let (one, two) = (one.thetas.concat(), begins.concat());
        same(
            answers,
            name,
            &sha256(one.as_bytes()),
            &sha256(two.as_bytes()),
        );
    }
    let name = "first lines of the log, made again";
    if !is_here {
        skip(answers, name, ELSEWHERE);
    } else if two.thetas.is_empty() {
        skip(answers, name, DIVERGED);
    } else if two.log.is_empty() {
        skip(answers, name, "no line ends within the first ten steps");
    } else {
        let log = read_text(&run.folder.log())?;
        let begins: String = log.lines().take(two.log.len()).collect();
        let replayed = two.log.concat();
        same(
            answers,
            name,
            &sha256(begins.as_bytes()),
            &sha256(replayed.as_bytes()),
        );
    }
    Ok(())
}
