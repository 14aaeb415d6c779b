//! What was checked of the results, and whether it holds.

use crate::probe::certificate::{Certificates, Certified, Identity, OverRuns, Verdict};
use crate::report::document::{Chapter, Table, count, decimal, list};
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "certificate",
    family: Family::Replication,
    title: "Certificate",
    question: "Are the derivatives right, the bits repeatable, the records true?",
    metrics: &["certificate"],
    write: chapter,
};

/// Digits of a digest that tell it from any other at a glance.
const DIGITS: usize = 12;

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Certificates { rows } = material.analysis.all.get()?;
    let n_checks: usize = rows
        .iter()
        .flat_map(|row| &row.checks)
        .map(|check| check.n_runs)
        .sum();
    let n_refuted: usize = rows
        .iter()
        .flat_map(|row| &row.checks)
        .map(|check| check.refuted.len())
        .sum();
    let finding = if n_refuted == 0 {
        format!("All {} hold.", count(n_checks, "check"))
    } else {
        let names: Vec<&str> = rows
            .iter()
            .filter(|row| row.refuted().next().is_some())
            .map(Certified::name)
            .collect();
        format!(
            "REFUTED: {} of {} do not hold ({}). Nothing that rests on them stands.",
            n_refuted,
            count(n_checks, "check"),
            list(&names)
        )
    };
    let is_error = |check: &OverRuns| matches!(check.worst, Verdict::Error { .. });
    let tables = [
        table(&rows, ERRORS, is_error),
        table(&rows, BITS, |check| !is_error(check)),
        gaps(&rows),
        Some(identities(&rows)),
    ];
    Some(Chapter {
        number: Some((
            format!("{} of {}", number((n_checks - n_refuted) as f64, 0), number(n_checks as f64, 0)),
            "checks hold".to_owned(),
        )),
        finding,
        caveat: "A certificate says that the program computed what it says it computes, not that the result would be found elsewhere. \
                 Derivatives and first steps are checked for the first run of each kind (learner, network, episode), digests and first \
                 predictions for every run; the derivatives in double precision, on a small batch of training images."
            .to_owned(),
        tables: tables.into_iter().flatten().collect(),
        ..Chapter::default()
    })
}

const ERRORS: &str = "Largest relative errors: derivatives against central differences in double precision at the trained parameters, through the \
                      network, norm and loss of the runs, and single precision against double. In brackets the limit.";
const BITS: &str = "Comparisons that have to agree to the bit: what was computed again against what the record says.";

/// A row a learner, a column a check.
fn table(rows: &[Certified], caption: &str, is_shown: impl Fn(&OverRuns) -> bool) -> Option<Table> {
    let mut names: Vec<&str> = Vec::new();
    for check in rows
        .iter()
        .flat_map(|row| &row.checks)
        .filter(|check| is_shown(check))
    {
        if !names.contains(&check.name.as_str()) {
            names.push(&check.name);
        }
    }
    let cell = |row: &Certified, name: &str| {
        let check = row.checks.iter().find(|check| check.name == name);
        check.map_or_else(|| "–".to_owned(), shown)
    };
    (!names.is_empty()).then(|| Table {
        caption: caption.to_owned(),
        head: std::iter::once("learner")
            .chain(names.iter().copied())
            .map(str::to_owned)
            .collect(),
        rows: rows
            .iter()
            .map(|row| {
                let cells = names.iter().map(|name| cell(row, name));
                std::iter::once(name_of(row, rows)).chain(cells).collect()
            })
            .collect(),
    })
}

fn shown(check: &OverRuns) -> String {
    let holds = match &check.worst {
        Verdict::Error { value, limit } => {
            let value = value.map_or_else(|| "not finite".to_owned(), |v| format!("{v:.1e}"));
            format!("{value} (< {limit:.0e})")
        }
        Verdict::Same { .. } => format!("same ({})", count(check.n_runs, "run")),
    };
    match check.refuted.len() {
        0 => holds,
        n => format!("REFUTED ({n} of {}): {holds}", count(check.n_runs, "run")),
    }
}

/// The learner, with its setting where the study has several.
fn name_of(row: &Certified, rows: &[Certified]) -> String {
    match &row.setting {
        Some(setting) if rows.iter().any(|other| other.setting != row.setting) => {
            format!("{}, {setting}", row.name())
        }
        _ => row.name().to_owned(),
    }
}

fn gaps(rows: &[Certified]) -> Option<Table> {
    let rows_of = |row: &Certified| {
        row.first_order
            .iter()
            .map(|gap| {
                let shown = |value: Option<f64>, factor: f64, decimals| {
                    value.map_or_else(
                        || "not finite".to_owned(),
                        |v| decimal(factor * v, decimals),
                    )
                };
                vec![
                    name_of(row, rows),
                    shown(gap.relative, 100.0, 1),
                    shown(gap.cosine, 1.0, 3),
                    number(gap.n_tasks as f64, 0),
                ]
            })
            .collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = rows.iter().flat_map(rows_of).collect();
    (!rows.is_empty()).then(|| Table {
        caption: "What first-order MAML leaves out: |first-order − exact| / |exact| of the meta-gradient at the trained parameters, each the mean over \
                  training tasks, and the cosine between them."
            .to_owned(),
        head: ["learner", "difference, %", "cosine", "tasks"].map(str::to_owned).to_vec(),
        rows,
    })
}

fn identities(rows: &[Certified]) -> Table {
    let names: Vec<&str> = rows
        .first()
        .map(|row| row.identities.iter().map(|it| it.name.as_str()).collect())
        .unwrap_or_default();
    let short = |identity: &Identity| {
        let value: String = identity.value.chars().take(DIGITS).collect();
        if identity.shared {
            value
        } else {
            format!("{value} (and others)")
        }
    };
    let cell = |row: &Certified, name: &str| {
        let identity = row.identities.iter().find(|it| it.name == name);
        identity.map_or_else(|| "–".to_owned(), short)
    };
    Table {
        caption: "What was certified, by the first digits of SHA-256 digests: images, classes of the split, test episodes, every setting but the seeds, \
                  the code that computed. report.json has them whole."
            .to_owned(),
        head: std::iter::once("learner").chain(names.iter().copied()).map(str::to_owned).collect(),
        rows: rows
            .iter()
            .map(|row| {
                let cells = names.iter().map(|name| cell(row, name));
                std::iter::once(name_of(row, rows)).chain(cells).collect()
            })
            .collect(),
    }
}
