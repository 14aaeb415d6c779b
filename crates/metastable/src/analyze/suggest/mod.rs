//! The command that would read a table whose columns have other names than ours: what each column looks like, as flags.

mod facts;
mod looks;
mod names;
mod wide;

use self::looks::{looks, several_metrics};
use self::names::{LOWER, Look, base, is_share};
use self::wide::{by_name, fan};
use super::cell;
use super::columns::Columns;
use super::naming;
use super::sheet::Sheet;
use super::wide::Across;
use crate::shell;

/// Most columns that are left out by name.
const MOST_NAMED: usize = 8;

/// A sentence with the command that may be meant, or one that says how to name the score where no column looks like one.
pub(in crate::analyze) fn sentence(file: &str, sheet: &Sheet, columns: &Columns) -> String {
    match command(file, sheet, columns) {
        Some(command) => format!("The names and cells of the columns suggest: {command}"),
        None => String::from("No column looks like a score; --column score=NAME says which one is"),
    }
}

/// The command, if a column looks like a score.
fn command(file: &str, sheet: &Sheet, columns: &Columns) -> Option<String> {
    let is_long = columns.wide.is_empty() && columns.wide_steps.is_empty();
    if is_long && let Some((front, across)) = fan(sheet, columns) {
        return Some(wide::command(file, sheet, columns, &[front], across));
    }
    let Some(looks) = looks(sheet, columns) else {
        let tasks = by_name(sheet, columns);
        let is_wide = is_long && tasks.len() > 2;
        return is_wide.then(|| wide::command(file, sheet, columns, &tasks, Across::Tasks));
    };
    if let Some(condition) = several_metrics(sheet, &looks, columns) {
        let chosen = sheet.only(file, std::slice::from_ref(&condition)).ok()?;
        let rest = command(file, &chosen, columns).unwrap_or_else(|| {
            let mut words = start(file);
            repeat_given(&mut words, columns);
            words.join(" ")
        });
        return Some(format!("{rest} --where {}", shell::quote(&condition)));
    }
    let of = |look: Look| -> Vec<&str> {
        let found = sheet
            .header
            .iter()
            .zip(&looks)
            .filter(|(_, it)| **it == look);
        found.map(|(name, _)| name.as_str()).collect()
    };
    let mut mapped = columns.renamed.clone();
    let mut flags: Vec<(&str, Vec<String>)> = Vec::new();
    let owned =
        |names: Vec<&str>| -> Vec<String> { names.into_iter().map(str::to_owned).collect() };
    let settings = [Look::Number, Look::Names, Look::Decades]
        .iter()
        .any(|look| !of(*look).is_empty());
    let is_factorial = settings || !columns.all_factors().is_empty();
    let mut factors = columns.factors.clone();
    let mut streams = columns.streams.clone();
    let mut others = columns.ignored.clone();
    for (look, own) in [
        (Look::Run, "run"),
        (Look::Score, "score"),
        (Look::Failed, "failed"),
        (Look::Step, "step"),
        (Look::Learner, "learner"),
        (Look::Seed, "seed"),
        (Look::Task, "task"),
    ] {
        let Some(name) = of(look).first().copied() else {
            continue;
        };
        match look {
            // A setting beside others is a factor, and its seeds tell the points apart.
            Look::Learner | Look::Task if is_factorial => factors.push(name.to_owned()),
            Look::Seed if is_factorial => streams.push(name.to_owned()),
            _ if name == own => {}
            _ => mapped.push(format!("{own}={name}")),
        }
    }
    factors.extend(owned(of(Look::Number)));
    factors.extend(owned(of(Look::Names)));
    others.extend(owned(of(Look::Other)));
    others.retain(|name| !name.is_empty());
    flags.push(("--column", mapped));
    flags.push(("--factor", factors));
    let mut decades = columns.logarithmic.clone();
    decades.extend(owned(of(Look::Decades)));
    flags.push(("--log", decades));
    flags.push(("--stream", streams));
    // One learner needs no flag to be one.
    others.retain(|name| !["learner", "setting", "seed"].contains(&name.as_str()));
    if others.len() <= MOST_NAMED {
        flags.push(("--ignore", others));
    }
    let mut words = start(file);
    for (flag, names) in &flags {
        if !names.is_empty() {
            words.push((*flag).to_owned());
            words.push(shell::quote(&names.join(",")));
        }
    }
    if !flags.iter().any(|(flag, _)| *flag == "--ignore") {
        words.push(String::from("--ignore-others"));
    }
    // A mapped score has no look of its own.
    let score = of(Look::Score).first().copied();
    words.extend(scale(
        sheet,
        columns,
        score.unwrap_or(columns.named("score")),
    ));
    repeat_given(&mut words, columns);
    Some(words.join(" "))
}

/// The program, the command and the file.
fn start(file: &str) -> Vec<String> {
    vec![
        String::from(shell::program()),
        String::from("analyze"),
        shell::quote(file),
    ]
}

/// Adds the flags that the user gave, but for those whose columns stand in a list already.
fn repeat_given(words: &mut Vec<String>, columns: &Columns) {
    for (flag, value) in columns.given() {
        if words.iter().any(|word| word == flag) {
            continue;
        }
        words.push(flag.to_owned());
        words.extend(value.iter().map(|it| shell::quote(it)));
    }
}

/// Unit and direction of the score, as flags.
fn scale(sheet: &Sheet, columns: &Columns, score: &str) -> Vec<String> {
    let mut words = Vec::new();
    // Between references there is no unit to guess.
    if columns.reference.is_some() {
        return words;
    }
    let at = sheet.header.iter().position(|name| name == score);
    let values =
        || (0..sheet.n_rows()).filter_map(|row| cell::number(sheet.cell(row, at?), sheet.commas));
    let has_sign = (0..sheet.n_rows())
        .any(|row| at.is_some_and(|at| cell::is_percentage(sheet.cell(row, at))));
    let base = base(score);
    let is_lower = columns.lower_is_better || LOWER.iter().any(|part| base.contains(part));
    if let Some(unit) = &columns.unit {
        words.extend([String::from("--unit"), shell::quote(unit)]);
    } else if !is_lower && has_sign {
        // Percentages that say so need no flag.
    } else if !is_lower
        && is_share(&base)
        && values().any(|value| value > 1.0 + 1e-6)
        && values().all(|value| (0.0..=100.0 + 1e-6).contains(&value))
    {
        words.extend(["--unit", "percent"].map(String::from));
    } else if is_lower || values().any(|value| !(0.0..=1.0 + 1e-6).contains(&value)) {
        const UNITS: [&str; 8] = [
            "return",
            "reward",
            "loss",
            "error",
            "accuracy",
            "perplexity",
            "seconds",
            "score",
        ];
        let unit = UNITS.into_iter().find(|word| base.contains(word));
        let unit = unit.map_or(base.clone(), str::to_owned);
        words.extend([String::from("--unit"), shell::quote(&unit)]);
    }
    if is_lower {
        words.extend(["--direction", "lower"].map(String::from));
    }
    words
}

/// A hint for tables whose runs are named after learner and seed, and which have no column for them.
pub(in crate::analyze) fn hint<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Option<String> {
    let pattern = naming::guess(names.clone())?;
    let first = names.clone().next()?;
    Some(format!(
        "names of runs such as `{first}` look like learner and seed: --run-name {} reads them",
        shell::quote(&pattern)
    ))
}
