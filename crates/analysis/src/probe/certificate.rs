//! Certificates: what was checked of a result, and whether it holds.
//!
//! A check is a relative error against a limit, or two digests that have to be one. One that fails is told loudly: as a
//! finding with [`Certainty::Refuted`], which whoever writes the report can act on, and in the notes at its head. One that says
//! nothing where it was asked (a training that diverges has no derivative to check) is told too, and counts for neither side.

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding};
use crate::group::StudyRuns;
use crate::metric::{Measure, Measured, StudyMetric};
use crate::options::Options;
use crate::summary::mean;

pub use crate::record::answers::certificate::{Answers, Check, FirstOrder, Verdict};

/// How the names of checks begin that are made by asking a learner alone.
pub const CONFORMANCE: &str = "conformance: ";

/// The certificates of a study, a row for each learner in each setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificates {
    /// In the order of the learners.
    pub rows: Vec<Certified>,
}

/// What was checked of the runs of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certified {
    /// The learner; absent where runs differ in their settings, as in a study of factors.
    pub learner: Option<String>,
    /// Its setting.
    pub setting: Option<String>,
    /// Runs with a certificate.
    pub n_runs: usize,
    /// Every check, worst run first.
    pub checks: Vec<OverRuns>,
    /// First-order against exact, each run.
    pub first_order: Vec<FirstOrder>,
    /// Names and values of the first run, and whether every run has the same.
    pub identities: Vec<Identity>,
}

/// One check over the runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverRuns {
    /// What was checked.
    pub name: String,
    /// Runs for which it was, those included for which it says nothing.
    pub n_runs: usize,
    /// The worst: a failed one if any failed, else the largest error; skipped if it says nothing for any run.
    pub worst: Verdict,
    /// Runs for which it does not hold.
    pub refuted: Vec<String>,
    /// Runs for which it says nothing, each with the reason.
    pub skipped: Vec<(String, String)>,
}

impl OverRuns {
    /// Runs for which it says something.
    #[must_use]
    pub fn n_made(&self) -> usize {
        self.n_runs - self.skipped.len()
    }
}

/// What was certified, by a name and a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Name.
    pub name: String,
    /// Value of the first run.
    pub value: String,
    /// Whether it is that of all runs.
    pub shared: bool,
}

impl Certified {
    /// The learner, or what stands for it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.learner.as_deref().unwrap_or("all runs")
    }

    /// Checks that do not hold.
    pub fn refuted(&self) -> impl Iterator<Item = &OverRuns> {
        self.checks.iter().filter(|check| !check.refuted.is_empty())
    }
}

impl Measure for Certificates {
    const ID: &'static str = "certificate";
}

pub(crate) const METRIC: StudyMetric = StudyMetric {
    id: Certificates::ID,
    title: "Certificate",
    measure,
};

fn measure(study: &StudyRuns<'_>, _options: &Options) -> Result<Measured, AnalysisError> {
    let mut left = study.certificates.clone();
    let mut rows = Vec::new();
    for setting in &study.settings {
        for group in &setting.learners {
            let is_own = |(run, _): &(&str, &Answers)| group.runs.iter().any(|own| own.id == *run);
            let (own, others) = left.into_iter().partition(is_own);
            left = others;
            let certified = over_runs(&own);
            rows.extend(certified.map(|certified| Certified {
                learner: Some(group.learner.to_owned()),
                setting: Some(group.setting.to_owned()),
                ..certified
            }));
        }
    }
    rows.extend(over_runs(&left));
    if rows.is_empty() {
        return Ok(Measured::absent());
    }
    let findings = rows.iter().flat_map(findings).collect();
    Measured::new(&Certificates { rows }, findings)
}

fn findings(certified: &Certified) -> Vec<Finding> {
    let finding = |certainty, text| Finding {
        metric: Certificates::ID.to_owned(),
        setting: certified.setting.clone(),
        learner: certified.learner.clone(),
        certainty,
        text,
        without_failed: false,
    };
    let refuted = certified.refuted();
    let mut findings: Vec<Finding> = refuted
        .map(|check| finding(Certainty::Refuted, refutation(certified.name(), check)))
        .collect();
    if findings.is_empty() {
        findings.push(finding(Certainty::Estimated, approval(certified)));
    }
    findings.extend(gap(certified).map(|text| finding(Certainty::Estimated, text)));
    findings
}

/// All certificates of one learner; none if there is none.
fn over_runs(certified: &[(&str, &Answers)]) -> Option<Certified> {
    let (_, first) = certified.first()?;
    let mut checks: Vec<OverRuns> = Vec::new();
    for (run, answers) in certified {
        for Check { name, verdict } in &answers.checks {
            let at = checks.iter().position(|check| check.name == *name);
            let at = at.unwrap_or_else(|| {
                checks.push(OverRuns {
                    name: name.clone(),
                    n_runs: 0,
                    worst: verdict.clone(),
                    refuted: Vec::new(),
                    skipped: Vec::new(),
                });
                checks.len() - 1
            });
            let check = &mut checks[at];
            check.n_runs += 1;
            if verdict.holds() == Some(false) {
                check.refuted.push((*run).to_owned());
            }
            if let Verdict::Skipped { reason } = verdict {
                check.skipped.push(((*run).to_owned(), reason.clone()));
            }
            if verdict.badness() > check.worst.badness() {
                check.worst = verdict.clone();
            }
        }
    }
    let identities = first.identities.iter().map(|(name, value)| Identity {
        name: name.clone(),
        value: value.clone(),
        shared: certified.iter().all(|(_, other)| {
            let same = |(n, v): &(String, String)| n == name && v == value;
            other.identities.iter().any(same)
        }),
    });
    Some(Certified {
        learner: None,
        setting: None,
        n_runs: certified.len(),
        checks,
        first_order: certified
            .iter()
            .filter_map(|(_, a)| a.first_order)
            .collect(),
        identities: identities.collect(),
    })
}

/// Why a result does not stand.
fn refutation(learner: &str, check: &OverRuns) -> String {
    let runs = check.refuted.join(", ");
    let why = match &check.worst {
        Verdict::Error { value, limit } => {
            let value = value.map_or_else(|| "not finite".to_owned(), |v| format!("{v:.1e}"));
            format!("relative error {value}, and {limit:.0e} is the limit")
        }
        Verdict::Same { expected, found } => format!("{expected} was expected, {found} found"),
        Verdict::Skipped { reason } => reason.clone(),
    };
    format!(
        "CERTIFICATE REFUTED for {learner}: {} does not hold ({why}; {runs}). No result that rests on it is valid.",
        check.name
    )
}

fn approval(certified: &Certified) -> String {
    let made: Vec<&OverRuns> = certified
        .checks
        .iter()
        .filter(|check| check.n_made() > 0)
        .collect();
    let largest = made
        .iter()
        .filter_map(|check| match check.worst {
            Verdict::Error { value, limit } => Some((value?, limit, check.name.as_str())),
            Verdict::Same { .. } | Verdict::Skipped { .. } => None,
        })
        .max_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let derivatives = largest.map_or_else(String::new, |(error, limit, name)| {
        // A learner from elsewhere shows none.
        let what = if name.starts_with(CONFORMANCE) {
            "measured checks"
        } else {
            "derivatives"
        };
        format!(
            "; the largest error of its {what}, relative to the limit, is {error:.1e} (limit {limit:.0e})"
        )
    });
    let skipped = certified.checks.iter().filter(|it| !it.skipped.is_empty());
    let skipped: Vec<String> = skipped
        .map(|check| {
            let n = check.skipped.len();
            format!("{} in {n} ({})", check.name, check.skipped[0].1)
        })
        .collect();
    let open = if skipped.is_empty() {
        String::new()
    } else {
        format!(". Neither proven nor refuted: {}", skipped.join("; "))
    };
    let count = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    format!(
        "Every check of {} that could be decided holds: {} over {}{derivatives}{open}.",
        certified.name(),
        count(made.len(), "check"),
        count(certified.n_runs, "run")
    )
}

/// What first-order MAML would leave out, in words.
fn gap(certified: &Certified) -> Option<String> {
    let first = certified.first_order.first()?;
    let of = |pick: fn(&FirstOrder) -> f64| -> Vec<f64> {
        certified.first_order.iter().map(pick).collect()
    };
    let (relative, cosine) = (of(|f| f.relative), of(|f| f.cosine));
    let lowest = relative.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = relative.iter().copied().fold(0.0, f64::max);
    Some(format!(
        "At the trained parameters of {}, first-order and exact meta-gradient differ by {:.1} % of the exact one \
         ({:.1} to {:.1} % over {} runs, {} training tasks each; cosine {:.3}).",
        certified.name(),
        100.0 * mean(&relative),
        100.0 * lowest,
        100.0 * highest,
        relative.len(),
        first.n_tasks,
        mean(&cosine)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(error: f64, found: &str) -> Answers {
        let check = |name: &str, verdict| Check {
            name: name.to_owned(),
            verdict,
        };
        Answers {
            checks: vec![
                check("gradient", Verdict::error(error, 1e-6)),
                check(
                    "data",
                    Verdict::Same {
                        expected: "aa".to_owned(),
                        found: found.to_owned(),
                    },
                ),
            ],
            first_order: None,
            identities: vec![("data".to_owned(), found.to_owned())],
        }
    }

    #[test]
    fn one_run_that_fails_refutes_its_learner_by_name() {
        let (good, better) = (answers(1e-8, "aa"), answers(1e-9, "aa"));
        let sound = over_runs(&[("a", &better), ("b", &good)]).unwrap();
        assert_eq!(sound.refuted().count(), 0);
        assert_eq!(sound.checks[0].worst, Verdict::error(1e-8, 1e-6));
        assert!(approval(&sound).contains("1.0e-8"));
        assert!(sound.identities[0].shared);

        for (bad, name, why) in [
            (answers(1e-3, "aa"), "gradient", "1.0e-3"),
            (answers(f64::NAN, "aa"), "gradient", "not finite"),
            (answers(1e-8, "bb"), "data", "bb found"),
        ] {
            let found = over_runs(&[("a", &good), ("b", &bad), ("c", &better)]).unwrap();
            let refuted: Vec<&OverRuns> = found.refuted().collect();
            assert_eq!(refuted.len(), 1);
            assert_eq!((refuted[0].name.as_str(), refuted[0].n_runs), (name, 3));
            assert_eq!(refuted[0].refuted, ["b"]);
            let text = refutation("maml", refuted[0]);
            assert!(text.contains(why) && text.contains("REFUTED"), "{text}");
        }
    }

    #[test]
    fn a_check_that_says_nothing_is_told_and_refutes_nobody() {
        let mut silent = answers(1e-8, "aa");
        silent.checks[0].verdict = Verdict::Skipped {
            reason: "the inner loop blows up".to_owned(),
        };
        let good = answers(1e-9, "aa");
        let found = over_runs(&[("a", &silent), ("b", &good)]).unwrap();
        assert_eq!(found.refuted().count(), 0);
        assert_eq!(found.checks[0].worst, Verdict::error(1e-9, 1e-6));
        assert_eq!((found.checks[0].n_runs, found.checks[0].n_made()), (2, 1));
        let text = approval(&found);
        let told = "Neither proven nor refuted: gradient in 1 (the inner loop blows up).";
        assert!(text.ends_with(told), "{text}");

        let alone = over_runs(&[("a", &silent)]).unwrap();
        assert_eq!(alone.checks[0].n_made(), 0);
        assert!(approval(&alone).contains("holds: 1 check over 1 run. Neither"));
        // Silence in one run does not cover a failure in another.
        let bad = answers(1e-3, "aa");
        let found = over_runs(&[("a", &silent), ("b", &bad)]).unwrap();
        assert_eq!(found.checks[0].refuted, ["b"]);
        assert_eq!(found.checks[0].worst, Verdict::error(1e-3, 1e-6));
    }
}
