//! Determinism: the first steps of the run made again, on one thread and on two, and held against its log.

use anyhow::Result;
use metastable_analysis::probe::certificate::Answers;

use super::same;
use crate::campaign::Finished;
use crate::files::{read_text, sha256};
use crate::probe::subject::Subject;
use crate::run::Run;
use crate::run::numerics::Numerics;
use crate::schedule::Shares;

/// Steps that are made again, unless the log's first line ends sooner.
const MOST_STEPS: usize = 10;

pub(super) fn check(
    run: &Finished,
    subject: &Subject<'_>,
    again: &Run<'_>,
    answers: &mut Answers,
) -> Result<()> {
    let config = &subject.config;
    let n_steps = config.log_every.min(MOST_STEPS);
    let on = |threads| -> Result<_> {
        let pool = Shares { jobs: 1, threads }.pool()?;
        pool.install(|| again.replay(subject.material, n_steps))
    };
    let (one, two) = (on(1)?, on(2)?);
    let name = "first steps on one thread and on two";
    same(answers, name, &one.theta, &two.theta);
    // Another build or machine may round differently; its runs have another identity.
    if config.numerics == Numerics::here() && !one.log.is_empty() {
        let log = read_text(&run.folder.log())?;
        let begins: String = log.lines().take(one.log.lines().count()).collect();
        let replayed: String = one.log.lines().collect();
        let name = "first lines of the log, made again";
        same(
            answers,
            name,
            &sha256(begins.as_bytes()),
            &sha256(replayed.as_bytes()),
        );
    }
    Ok(())
}
