//! Runs of another build: whether this one repeats them.
//!
//! The code of a run is identified by the bits of a miniature ([`crate::run::miniature`]), which cannot visit every branch.
//! Before a stored run of another build counts as one of this build, its first steps and first predictions are made
//! again. Runs of one kind ([`crate::run::cost::kind`]: they may differ in seeds, data, numbers of steps, and numbers with a point) are
//! judged by the first of them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use metastable_algorithms::regress;
use metastable_data::MetaSplit;

use crate::files::read_text;
use crate::plan::Planned;
use crate::run::cost::kind;
use crate::run::numerics::BUILD;
use crate::run::{Record, Run, RunFolder, regression, results, returns};
use crate::store::{self, Stored};

/// Steps that are made again, unless the first line of the log is later.
const STEPS: usize = 10;

/// Test tasks that are predicted again.
const TASKS: usize = 4;

/// Refuses stored runs of another build that this one does not repeat to the bit.
pub(crate) fn check(runs: &[Planned], store: &Path) -> Result<()> {
    let mut verdicts: BTreeMap<String, bool> = BTreeMap::new();
    let mut others = Vec::new();
    for run in runs {
        let place = store::folder(store, &run.identity);
        let folder = RunFolder::new(&place);
        // What is damaged is made again.
        let Ok(record) = Record::read(&folder.record()) else {
            continue;
        };
        if record.environment.build.as_deref() == Some(BUILD)
            || run.config.is_guest()
            || !matches!(store::stored(&place, &run.identity), Stored::Whole)
        {
            continue;
        }
        let kind = kind(&run.config)?;
        let repeats = match verdicts.get(&kind) {
            Some(known) => *known,
            None => repeats(run, &folder, &record)
                .with_context(|| format!("while repeating {} in {}", run.label, place.display()))?,
        };
        verdicts.insert(kind, repeats);
        if !repeats {
            others.push(run.label.as_str());
        }
    }
    match others.first() {
        None => Ok(()),
        Some(first) => bail!(
            "{} runs in {} were made by another build of this program and do not repeat to the bit here, e.g. {first}: keep the runs of both builds apart with --store DIR",
            others.len(),
            store.display()
        ),
    }
}

/// Whether the first steps and predictions of a run are what they were.
fn repeats(run: &Planned, folder: &RunFolder, record: &Record) -> Result<bool> {
    let config = &run.config;
    let again = Run::new(&run.label, config)?;
    let n_steps = match config.training.observe_every {
        // The first line of the log is that of the last step it sums.
        0 => config.log_every,
        // The first step has a line of its own.
        _ => config.log_every.min(STEPS),
    };
    let replayed = again.replay(&run.material, n_steps)?.log;
    let log = read_text(&folder.log())?;
    if !log
        .lines()
        .take(replayed.len())
        .eq(replayed.iter().map(String::as_str))
    {
        return Ok(false);
    }
    if record.result.as_ref().is_none_or(|it| it.test.is_none()) {
        return Ok(true);
    }
    let tested = again.tested(folder)?;
    let list = run.material.list(config, MetaSplit::Test)?;
    let tasks = |index| list.task(index);
    let n_tasks = config.test.episodes.min(TASKS);
    let bits = |losses: &[f64]| -> Vec<u64> { losses.iter().map(|it| it.to_bits()).collect() };
    if config.is_regression() {
        let weights = &tested.members[0];
        let made = regress(again.network(), again.learner(), weights, &tasks, n_tasks)?;
        let stored = regression::read(&folder.test(), &record.identity)?;
        let errors = stored.errors.get(..n_tasks);
        return Ok(errors.is_some_and(|errors| bits(errors) == bits(&made.task_errors)));
    }
    if config.is_policy() {
        let weights = &tested.members[0];
        let made = again.returns(weights, n_tasks)?.returns;
        let (stored, _) = returns::read(&folder.test(), &record.identity, config)?;
        let begins = stored.returns.get(..made.len());
        return Ok(begins.is_some_and(|stored| bits(stored) == bits(&made)));
    }
    let evaluation = again.evaluate_combined(&tested, &tasks, n_tasks)?;
    let stored = results::read(&folder.test(), &record.identity)?.answers;
    let same_losses = stored
        .task_nll
        .get(..n_tasks)
        .is_some_and(|losses| bits(losses) == bits(&evaluation.task_nll));
    Ok(same_losses && stored.predictions.starts_with(&evaluation.predictions))
}
