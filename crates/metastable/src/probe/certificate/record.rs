//! What the record of a run says, recomputed: digests, its identity, the first predictions of its test.

use std::collections::BTreeMap;

use anyhow::Result;
use metastable_algorithms::regress;
use metastable_analysis::probe::certificate::Answers;
use metastable_data::MetaSplit;

use super::verdict::{ELSEWHERE, same, skip};
use crate::campaign::Finished;
use crate::files::sha256;
use crate::probe::subject::Subject;
use crate::run::{Record, Run, regression, results};

/// Test tasks that are predicted again.
const MOST_TASKS: usize = 10;

pub(super) fn check(
    run: &Finished,
    subject: &Subject<'_>,
    is_here: bool,
    answers: &mut Answers,
) -> Result<()> {
    let (config, record) = (&subject.config, &run.record);
    let test = subject.material.list(config, MetaSplit::Test)?;
    let data = &subject.material.dataset.digest;
    same(
        answers,
        "digest of the data",
        &record.config.data_digest,
        data,
    );
    let split = subject.material.split_digest()?;
    same(
        answers,
        "digest of the split",
        &record.config.split_digest,
        &split,
    );
    let list = test.digest(config.test.episodes)?;
    same(
        answers,
        "digest of the test list",
        &record.test_list_digest,
        &list,
    );
    let (named, own) = (&run.entry.identity, &record.identity);
    same(answers, "identity in the study", named, own);
    let name = "identity of the run";
    if is_here {
        // The configuration in the checkpoint, hashed again.
        same(answers, name, own, &config.identity()?);
    } else {
        skip(answers, name, ELSEWHERE);
    }
    answers.identities = vec![
        (String::from("data"), data.clone()),
        (String::from("split"), split),
        (String::from("test list"), list),
        (String::from("protocol"), protocol(record)?),
        (String::from("code"), config.numerics.code.clone()),
        (
            String::from("instruction set"),
            config.numerics.instruction_set.clone(),
        ),
    ];
    Ok(())
}

/// The first predictions of the test, made again.
pub(super) fn predictions(
    run: &Finished,
    subject: &Subject<'_>,
    again: &Run<'_>,
    is_here: bool,
    answers: &mut Answers,
) -> Result<()> {
    let (config, record) = (&subject.config, &run.record);
    let test = subject.material.list(config, MetaSplit::Test)?;
    let name = "first test predictions, made again";
    if !is_here {
        skip(answers, name, ELSEWHERE);
    } else if record.result.as_ref().is_none_or(|it| it.test.is_none()) {
        skip(answers, name, "the run was not tested");
    } else if config.is_regression() {
        let n_tasks = config.test.episodes.min(MOST_TASKS);
        let tasks = |index| test.task(index);
        let weights = &subject.learnt.weights;
        let made = regress(again.network(), again.learner(), weights, &tasks, n_tasks)?;
        let stored = regression::read(&run.folder.test(), &record.identity)?;
        let n_values = made.predictions.len().min(stored.predictions.len());
        let digest = |values: &[f32]| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            sha256(&bytes.collect::<Vec<u8>>())
        };
        let expected = digest(&stored.predictions[..n_values]);
        same(answers, name, &expected, &digest(&made.predictions));
    } else {
        let n_tasks = config.test.episodes.min(MOST_TASKS);
        let tasks = |index| test.task(index);
        // Of an ensemble the subject is the first member alone.
        let tested = again.tested(&run.folder)?;
        let evaluation = again.evaluate_combined(&tested, &tasks, n_tasks)?;
        let stored = results::read(&run.folder.test(), &record.identity)?.answers;
        let n_predictions = evaluation.predictions.len().min(stored.predictions.len());
        let begins = &stored.predictions[..n_predictions];
        let (expected, found) = (sha256(begins), sha256(&evaluation.predictions));
        same(answers, name, &expected, &found);
    }
    Ok(())
}

/// SHA-256 over the fingerprint without seeds: equal for the runs of one learner.
fn protocol(record: &Record) -> Result<String> {
    let mut fingerprint: BTreeMap<String, String> = record.fingerprint()?;
    fingerprint.retain(|field, _| !field.starts_with("seed."));
    Ok(sha256(&serde_json::to_vec(&fingerprint)?))
}
