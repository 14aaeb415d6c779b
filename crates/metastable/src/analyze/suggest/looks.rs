//! What each column of a table looks like.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::names::{LOSSES, Look, SCORES, SPOKEN, base, is_neither};
use crate::analyze::columns::Columns;
use crate::analyze::sheet::Sheet;

/// What each column looks like; none if none looks like a score.
pub(super) fn looks(sheet: &Sheet, columns: &Columns) -> Option<Vec<Look>> {
    let bases: Vec<String> = sheet.header.iter().map(|name| base(name)).collect();
    let facts: Vec<Facts> = (0..sheet.header.len())
        .map(|at| Facts::of(sheet, at))
        .collect();
    let mapped = |own: &str| {
        columns.named(own) != own
            || columns
                .renamed
                .iter()
                .any(|pair| pair == &format!("{own}={own}"))
    };
    let is_settled = |name: &String| name.is_empty() || columns.is_named(name);
    let mut looks: Vec<Option<Look>> = sheet
        .header
        .iter()
        .map(|name| is_settled(name).then_some(Look::Settled))
        .collect();
    // Names of ours mean what they say, unless a setting turns them into factors.
    for (at, name) in sheet.header.iter().enumerate() {
        let own = ["setting", "query", "hit", "queries", "way"];
        if looks[at].is_none() && own.contains(&name.to_lowercase().as_str()) {
            looks[at] = Some(Look::Settled);
        }
    }
    for (look, names) in SPOKEN {
        let fits = |at: &usize| match look {
            Look::Failed => facts[*at].are_states,
            Look::Seed => facts[*at].n_levels > 0,
            Look::Step => facts[*at].are_numbers && facts[*at].n_levels > 1,
            Look::Task | Look::Learner => facts[*at].n_levels > 1,
            _ => facts[*at].n_levels > 0,
        };
        let found = names.iter().find_map(|name| {
            (0..bases.len()).find(|at| looks[*at].is_none() && bases[*at] == *name && fits(at))
        });
        if let (Some(at), false) = (found, mapped(names[0])) {
            looks[at] = Some(look);
        }
    }
    // Runs are told apart by a name of their own in each row, or by rows of several tasks or steps.
    let has_parts = looks
        .iter()
        .flatten()
        .any(|look| matches!(look, Look::Task | Look::Step));
    for at in 0..looks.len() {
        if looks[at] == Some(Look::Run) && !has_parts && facts[at].n_levels < sheet.n_rows() {
            looks[at] = None;
        }
    }
    if !mapped("score") {
        let is_score =
            |facts: &Facts| (facts.are_numbers && facts.n_levels > 0) || facts.are_truths;
        let open = |at: &usize| looks[*at].is_none() && is_score(&facts[*at]);
        // `acc` before `eval_acc`, and both before any loss.
        let whole = |at: &usize, name: &str| bases[*at] == name;
        let end = |at: &usize, name: &str| {
            bases[*at].ends_with(&format!("_{name}")) && !is_neither(&bases[*at])
        };
        let first = |names: &[&str]| {
            let of = |fits: &dyn Fn(&usize, &str) -> bool| {
                let named = |name: &&str| (0..bases.len()).find(|at| open(at) && fits(at, name));
                names.iter().find_map(named)
            };
            of(&whole).or_else(|| of(&end))
        };
        let score = first(&SCORES).or_else(|| first(&LOSSES)).or_else(|| {
            let is_metric = |at: &usize| sheet.header[*at].starts_with("metrics.");
            (0..bases.len()).find(|at| open(at) && is_metric(at) && !is_neither(&bases[*at]))
        });
        let score = score.or_else(|| only_measured(&facts, &open, &bases))?;
        looks[score] = Some(Look::Score);
    }
    // Rows of one run, by task or step, have settings of the run: columns that vary within it are other measurements, or a time.
    if !looks.contains(&Some(Look::Step)) && !mapped("step") {
        let step = (0..looks.len()).find(|at| {
            looks[*at].is_none() && facts[*at].are_whole && tells_apart(sheet, &looks, *at)
        });
        if let Some(step) = step {
            looks[step] = Some(Look::Step);
        }
    }
    let settled = |at: usize| match looks[at] {
        Some(look) => look,
        None => facts[at].setting(&bases[at], &sheet.header[at], has_parts),
    };
    Some((0..looks.len()).map(settled).collect())
}

/// The one column of measured numbers, whatever its name is: a score of a language that is not known here.
fn only_measured(
    facts: &[Facts],
    is_open: &dyn Fn(&usize) -> bool,
    bases: &[String],
) -> Option<usize> {
    let is_measured = |at: &usize| is_open(at) && !facts[*at].are_whole && !is_neither(&bases[*at]);
    let mut measured = (0..facts.len()).filter(is_measured);
    let first = measured.next()?;
    measured.next().is_none().then_some(first)
}

/// A column that says what each row measured, and its first value: `metric=accuracy`.
pub(super) fn several_metrics(sheet: &Sheet, looks: &[Look], columns: &Columns) -> Option<String> {
    let is_kind = |name: &str| {
        [
            "metric",
            "metric_name",
            "measure",
            "filter",
            "split",
            "phase",
        ]
        .contains(&base(name).as_str())
    };
    let at = sheet
        .header
        .iter()
        .position(|name| is_kind(name) && !columns.is_named(name))?;
    let facts = Facts::of(sheet, at);
    let is_open = looks[at] != Look::Settled && facts.n_levels > 1 && !facts.are_numbers;
    let value = sheet.cell(0, at);
    (is_open && !value.contains(',')).then(|| format!("{}={value}", sheet.header[at]))
}

/// Whether rows of one run and task are told apart by a column.
fn tells_apart(sheet: &Sheet, looks: &[Option<Look>], column: usize) -> bool {
    let keys: Vec<usize> = (0..looks.len())
        .filter(|at| {
            matches!(
                looks[*at],
                Some(Look::Run | Look::Learner | Look::Seed | Look::Task)
            )
        })
        .collect();
    if !looks.contains(&Some(Look::Task)) {
        return false;
    }
    let of = |with: Option<usize>| -> BTreeSet<Vec<&str>> {
        let cells = |row| {
            keys.iter()
                .copied()
                .chain(with)
                .map(|at| sheet.cell(row, at))
                .collect()
        };
        (0..sheet.n_rows()).map(cells).collect()
    };
    of(None).len() < sheet.n_rows() && of(Some(column)).len() == sheet.n_rows()
}
