//! Certificates: every derivative, bit and digest that a result rests on, checked on the finished run itself.
//!
//! The costly checks (`derivatives`, `replay`) are made for the first run of each kind: for the others the same code ran on
//! the same network. What a record says is recomputed for every run (`record`).

mod derivatives;
mod record;
mod replay;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use metastable_analysis::probe::certificate::{Answers, Check, Verdict};

use super::subject::Subject;
use crate::campaign::Finished;
use crate::files::sha256;
use crate::run::numerics::Numerics;
use crate::run::{Run, RunConfig};
use crate::store::manifest::MANIFEST;

/// Every check of a run; the costly ones only of the first of its kind.
pub(super) fn ask(run: &Finished, subject: &Subject<'_>, is_first: bool) -> Result<Answers> {
    let again = Run::new(&run.entry.label, &subject.config)?;
    let mut answers = Answers::default();
    if is_first {
        derivatives::check(run, subject, &again, &mut answers)?;
        replay::check(run, subject, &again, &mut answers)?;
    }
    record::check(run, subject, &again, &mut answers)?;
    Ok(answers)
}

/// What a certificate rests on besides the weights: the files of the run, the program that checks, and whether the costly
/// checks are in it.
pub(super) fn rests_on(run: &Finished, is_first: bool) -> Result<BTreeMap<String, String>> {
    let manifest = run.folder.record().with_file_name(MANIFEST);
    let bytes =
        fs::read(&manifest).with_context(|| format!("while reading {}", manifest.display()))?;
    Ok(BTreeMap::from([
        (String::from("files"), sha256(&bytes)),
        (String::from("code"), Numerics::here().code),
        (String::from("derivatives"), is_first.to_string()),
    ]))
}

/// What runs have in common for which the same derivatives were computed by the same code.
pub(super) fn kind(config: &RunConfig) -> Result<String> {
    let parts = (
        &config.learner,
        &config.network,
        &config.compute,
        &config.numerics,
        config.episode,
    );
    Ok(serde_json::to_string(&parts)?)
}

fn note(answers: &mut Answers, name: impl Into<String>, verdict: Verdict) {
    answers.checks.push(Check {
        name: name.into(),
        verdict,
    });
}

/// Two texts that have to be one.
fn same(answers: &mut Answers, name: &str, expected: &str, found: &str) {
    let verdict = Verdict::Same {
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    note(answers, name, verdict);
}
