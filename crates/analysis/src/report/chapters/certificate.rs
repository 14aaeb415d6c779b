//! What was checked of the results, and whether it holds.

use crate::probe::certificate::{Certificates, Certified, FirstOrder, OverRuns, Verdict};
use crate::report::document::{Chapter, Table, count, decimal, list};
use crate::report::said::Said;
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
    let over = |count: fn(&OverRuns) -> usize| -> usize {
        rows.iter().flat_map(|row| &row.checks).map(count).sum()
    };
    let n_checks = over(OverRuns::n_made);
    let n_refuted = over(|check| check.refuted.len());
    let n_silent = over(|check| check.skipped.len());
    let silent = match n_silent {
        0 => String::new(),
        n => format!(" {} nothing; the table has the reason.", says(n)),
    };
    let finding = if n_refuted == 0 {
        format!("All {} hold.{silent}", count(n_checks, "check"))
    } else {
        let names: Vec<&str> = rows
            .iter()
            .filter(|row| row.refuted().next().is_some())
            .map(Certified::name)
            .collect();
        format!(
            "REFUTED: {} of {} do not hold ({}). No result that rests on them is valid.{silent}",
            n_refuted,
            count(n_checks, "check"),
            list(&names)
        )
    };
    let tables = [Some(checks(&rows)), gaps(&rows), Some(identities(&rows))];
    Some(Chapter {
        number: Some((
            format!("{} of {}", number((n_checks - n_refuted) as f64, 0), number(n_checks as f64, 0)),
            "checks hold".to_owned(),
        )),
        finding: Said::described(finding),
        caveat: "A certificate shows that the program computed what it claims to compute. It does not show that the result would be found \
                 elsewhere. Derivatives are checked for the learner and the network of each run, at points outside of its training: newly \
                 drawn initial parameters, and a small task of random images. If an inner loop with long steps blows up or multiplies \
                 rounding errors, its derivatives are neither proven nor refuted."
            .to_owned(),
        tables: tables.into_iter().flatten().collect(),
        ..Chapter::default()
    })
}

/// A row a check, a column a learner.
fn checks(rows: &[Certified]) -> Table {
    let names = rows.iter().flat_map(|row| &row.checks);
    by_learner(
        rows,
        "check",
        "The worst of all runs. Derivatives: relative error of the meta-gradient against central differences of the whole procedure, inner \
         loop included, in double precision, and of single precision against double, with the limit in brackets. All other checks: computed \
         again, and equal to the record to the bit.",
        &unique(names.map(|check| check.name.as_str())),
        &|row, name| {
            let check = row.checks.iter().find(|check| check.name == name);
            check.map(shown)
        },
    )
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut unique = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

/// A row for each name, a column for each learner.
fn by_learner(
    rows: &[Certified],
    what: &str,
    caption: &str,
    names: &[&str],
    cell: &dyn Fn(&Certified, &str) -> Option<String>,
) -> Table {
    let line = |name: &&str| {
        let cells = rows.iter().map(|row| cell(row, name));
        let cells = cells.map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
        std::iter::once((*name).to_owned()).chain(cells).collect()
    };
    Table {
        caption: caption.to_owned(),
        head: std::iter::once(what.to_owned())
            .chain(rows.iter().map(|row| name_of(row, rows)))
            .collect(),
        rows: names.iter().map(line).collect(),
    }
}

/// `1 check says`, `3 checks say`.
fn says(n: usize) -> String {
    format!("{} say{}", count(n, "check"), if n == 1 { "s" } else { "" })
}

fn shown(check: &OverRuns) -> String {
    let worst = match &check.worst {
        Verdict::Error { value, limit } => {
            let value = value.map_or_else(|| "not finite".to_owned(), |v| format!("{v:.1e}"));
            format!("{value} (< {limit:.0e})")
        }
        Verdict::Same { .. } => format!("same ({})", count(check.n_made(), "run")),
        Verdict::Skipped { reason } => return format!("says nothing: {reason}"),
    };
    let silent = match check.skipped.first() {
        None => String::new(),
        Some((_, reason)) => {
            format!("; {} nothing: {reason}", says(check.skipped.len()))
        }
    };
    match check.refuted.len() {
        0 => format!("{worst}{silent}"),
        n => format!(
            "REFUTED ({n} of {}): {worst}{silent}",
            count(check.n_made(), "run")
        ),
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
    let rows_of = |row: &Certified| -> Vec<Vec<String>> {
        let name = name_of(row, rows);
        let shown = |gap: &FirstOrder| {
            vec![
                name.clone(),
                decimal(100.0 * gap.relative, 1),
                decimal(gap.cosine, 3),
                number(gap.n_tasks as f64, 0),
            ]
        };
        row.first_order.iter().map(shown).collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().flat_map(rows_of).collect();
    (!rows.is_empty()).then(|| Table {
        caption: "What first-order MAML leaves out, a row a run: |first-order − exact| / |exact| of the meta-gradient at the tested parameters, each \
                  the mean over training tasks, and the cosine between them."
            .to_owned(),
        head: ["learner", "difference, %", "cosine", "tasks"].map(str::to_owned).to_vec(),
        rows,
    })
}

fn identities(rows: &[Certified]) -> Table {
    let names = rows.iter().flat_map(|row| &row.identities);
    by_learner(
        rows,
        "what",
        "What was certified, by the first digits of SHA-256 digests: images, classes of the split, test episodes, every setting except the \
         seeds, and the code. report.json has the full digests.",
        &unique(names.map(|identity| identity.name.as_str())),
        &|row, name| {
            let identity = row.identities.iter().find(|it| it.name == name)?;
            let value: String = identity.value.chars().take(DIGITS).collect();
            Some(if identity.shared {
                value
            } else {
                format!("{value} (and others)")
            })
        },
    )
}
