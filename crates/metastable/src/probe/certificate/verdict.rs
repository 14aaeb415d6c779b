//! How a check is noted.

use metastable_analysis::probe::certificate::{Answers, Check, Verdict};

/// What is said where bits are those of another build or machine.
pub(super) const ELSEWHERE: &str = "made by another build or machine, whose bits may differ";

/// A check that says nothing.
pub(super) fn skip(answers: &mut Answers, name: &str, reason: &str) {
    let reason = reason.to_owned();
    note(answers, name, Verdict::Skipped { reason });
}

/// Two texts that have to be one.
pub(super) fn same(answers: &mut Answers, name: &str, expected: &str, found: &str) {
    let verdict = Verdict::Same {
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    note(answers, name, verdict);
}

fn note(answers: &mut Answers, name: &str, verdict: Verdict) {
    answers.checks.push(Check {
        name: name.to_owned(),
        verdict,
    });
}
