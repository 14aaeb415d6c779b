//! Wide tables: a column for each task or step.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::names::{Look, SPOKEN, base};
use super::{repeat_given, start};
use crate::analyze::columns::Columns;
use crate::analyze::own::KNOWN;
use crate::analyze::sheet::Sheet;
use crate::analyze::wide::Across;
use crate::shell;

/// The beginning of names that three or more unknown columns of numbers share, and that ends before a number.
pub(super) fn fan(sheet: &Sheet, columns: &Columns) -> Option<(String, Across)> {
    let mut fronts: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, name) in sheet.header.iter().enumerate() {
        let front = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_open = !columns.is_named(name) && !KNOWN.contains(&name.as_str());
        if front.len() < name.len() && is_open && Facts::of(sheet, at).are_numbers {
            *fronts.entry(front).or_insert(0) += 1;
        }
    }
    let (front, n) = fronts.into_iter().max_by_key(|(_, n)| *n)?;
    let has_score = sheet.header.iter().any(|name| name == "score");
    let is_step = ["step", "epoch", "iter"]
        .iter()
        .any(|word| front.to_lowercase().contains(word));
    let across = if is_step {
        Across::Steps
    } else {
        Across::Tasks
    };
    (n > 2 && !front.is_empty() && !has_score).then(|| (front.to_owned(), across))
}

/// Columns of numbers that nothing explains: tasks by name, if there are several.
pub(super) fn by_name(sheet: &Sheet, columns: &Columns) -> Vec<String> {
    let is_task = |(at, name): &(usize, &String)| {
        let facts = Facts::of(sheet, *at);
        let base = base(name);
        let is_open =
            !name.is_empty() && !columns.is_named(name) && !KNOWN.contains(&name.as_str());
        let is_spoken = SPOKEN
            .iter()
            .any(|(_, names)| names.contains(&base.as_str()));
        is_open && !is_spoken && facts.are_numbers && facts.n_levels > 1
    };
    let found = sheet.header.iter().enumerate().filter(is_task);
    found.map(|(_, name)| name.clone()).collect()
}

/// The command for a wide table: flags that are there, the beginning of its columns, and what of the rest has other names.
pub(super) fn command(
    file: &str,
    sheet: &Sheet,
    columns: &Columns,
    fronts: &[String],
    across: Across,
) -> String {
    let flag = match across {
        Across::Tasks => "--wide",
        Across::Steps => "--wide-steps",
    };
    let mut mapped = columns.renamed.clone();
    let mut ignored = columns.ignored.clone();
    for name in &sheet.header {
        if fronts.iter().any(|it| name.starts_with(it.as_str()))
            || name.is_empty()
            || columns.is_named(name)
        {
            continue;
        }
        let base = base(name);
        let meaning = SPOKEN
            .iter()
            .find(|(_, names)| names.contains(&base.as_str()));
        match meaning {
            _ if KNOWN.contains(&name.as_str()) => {}
            Some((look, names)) if !matches!(look, Look::Task | Look::Step) => {
                mapped.push(format!("{}={name}", names[0]));
            }
            Some(_) | None => ignored.push(name.clone()),
        }
    }
    let mut words = start(file);
    words.extend([flag.to_owned(), shell::quote(&fronts.join(","))]);
    for (flag, names) in [("--column", mapped), ("--ignore", ignored)] {
        if !names.is_empty() {
            words.extend([flag.to_owned(), shell::quote(&names.join(","))]);
        }
    }
    let is_share = |at: usize| {
        let name = &sheet.header[at];
        let is_task = fronts.iter().any(|it| name.starts_with(it.as_str()));
        let facts = Facts::of(sheet, at);
        !is_task || !facts.are_numbers || (facts.low >= 0.0 && facts.high <= 1.0 + 1e-6)
    };
    let is_told = columns.unit.is_some() || columns.reference.is_some();
    if !is_told && !(0..sheet.header.len()).all(is_share) {
        words.extend(["--unit", "score"].map(String::from));
    }
    repeat_given(&mut words, columns);
    words.join(" ")
}
