//! Certificates: the derivative, the bits and the digests that a result rests on, checked on the finished run itself.

mod record;
mod replay;
mod verdict;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use metastable_analysis::probe::certificate::Answers;
use metastable_guests::Ready;
use metastable_probes::conformance::{self, Claims};
use metastable_probes::derivatives;

use super::subject::Subject;
use crate::campaign::Finished;
use crate::files::{read_bytes, sha256};
use crate::run::Run;
use crate::run::miniature::Codes;
use crate::run::numerics::Numerics;
use crate::store::manifest::MANIFEST;

/// Every check of a run.
pub(super) fn ask(run: &Finished, subject: &Subject<'_>, codes: &Mutex<Codes>) -> Result<Answers> {
    let is_here = is_here(subject, codes);
    if let Some(ready) = &subject.visit {
        return conform(run, subject, ready, is_here);
    }
    let derivatives = || -> Result<Answers> {
        let double = subject.double()?;
        Ok(derivatives::check(&subject.learnt, double.as_deref())?)
    };
    let repetitions = || {
        let again = Run::new(&run.entry.label, &subject.config)?;
        let mut answers = Answers::default();
        replay::check(run, subject, &again, is_here, &mut answers)?;
        record::check(run, subject, is_here, &mut answers)?;
        record::predictions(run, subject, &again, is_here, &mut answers)?;
        anyhow::Ok(answers)
    };
    // Side by side: tasks of a certificate are too few and too small to keep the cores at work.
    let (derivatives, repetitions) = rayon::join(derivatives, repetitions);
    let (mut answers, repetitions) = (derivatives?, repetitions?);
    let Answers {
        checks,
        identities,
        first_order: _,
    } = repetitions;
    answers.checks.extend(checks);
    answers.identities.extend(identities);
    Ok(answers)
}

/// What can be checked of a guest: what any few-shot learner has to do, and what the record says of its run.
fn conform(run: &Finished, subject: &Subject<'_>, ready: &Ready, is_here: bool) -> Result<Answers> {
    let floor = run.record.noise_floor();
    let claims = Claims {
        label_bound: ready.label_bound,
        order_bound: ready.order_bound,
        noise: floor.map_or(0.0, |floor| floor.worse().log_probability),
    };
    let mut answers = conformance::check(&subject.learnt, claims)?;
    record::check(run, subject, is_here, &mut answers)?;
    answers.identities.push((
        String::from("guest"),
        format!("{} {}", ready.name, ready.version)
            .trim_end()
            .to_owned(),
    ));
    Ok(answers)
}

/// What a certificate rests on besides the weights: the files of the run, and the program that checks.
pub(super) fn rests_on(run: &Finished) -> Result<BTreeMap<String, String>> {
    let manifest = run.folder.record().with_file_name(MANIFEST);
    let bytes = read_bytes(&manifest)?;
    let numerics = Numerics::here();
    let files = (String::from("files"), sha256(&bytes));
    let code = (String::from("code"), numerics.code);
    let program = numerics.program.map(|it| (String::from("program"), it));
    Ok([files, code].into_iter().chain(program).collect())
}

/// Whether this program and machine make the bits of that run; the miniature is trained only where all else agrees.
fn is_here(subject: &Subject<'_>, codes: &Mutex<Codes>) -> bool {
    let numerics = &subject.config.numerics;
    let here = Numerics {
        code: numerics.code.clone(),
        ..Numerics::here()
    };
    let code = || {
        let mut codes = codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.of(&subject.config)
    };
    *numerics == here && code().is_ok_and(|code| code == numerics.code)
}
