//! What scores and columns were taken for, in the words of the receipt.

use super::factors::are_names;
use super::group::Group;
use super::scores::Runs;
use super::table::Table;
use crate::shell;

/// What a score was taken for: its unit, its ends, and which of them is better.
pub(super) fn scores(table: &Table, runs: &Runs<'_>) -> String {
    let columns = &table.columns;
    let all = runs
        .reads
        .iter()
        .filter_map(|read| read.run.scores.as_ref());
    let mut ends = [f64::INFINITY, f64::NEG_INFINITY];
    for score in all.flat_map(|scores| &scores.accuracies) {
        ends = [ends[0].min(*score), ends[1].max(*score)];
    }
    if ends[0] > ends[1] {
        return String::new();
    }
    let unit = match (&columns.reference, columns.is_percent(), &columns.unit) {
        (Some(_), ..) => "scores, to be put between two references".to_owned(),
        (None, true, _) => "percentages of right answers, here as shares".to_owned(),
        (None, false, Some(unit)) => unit.clone(),
        (None, false, None)
            if !columns.lower_is_better
                && columns.all_factors().is_empty()
                && ends[0] >= 0.0
                && ends[1] <= 1.0 =>
        {
            "shares of right answers".to_owned()
        }
        (None, false, None) => "scores".to_owned(),
    };
    let better = if columns.lower_is_better {
        "less is better"
    } else {
        "more is better (--direction lower says the reverse, as for a loss)"
    };
    let [low, high] = ends.map(|end| (1e4 * end).round() / 1e4);
    format!("scores: {unit}, {low} to {high}; {better}\n")
}

/// A factor of whole numbers one after the other may be a list of names.
pub(super) fn counted_names(table: &Table, groups: &[Group<'_>]) -> Vec<String> {
    let factors = table.columns.all_factors();
    let open = factors.into_iter().filter(|(name, is_log)| {
        !is_log && !table.columns.numbers.contains(name) && !are_names(table, groups, name)
    });
    let hint = |(name, _): (&String, bool)| {
        let levels = groups
            .iter()
            .filter_map(|group| group.rows[0].maybe_number(name));
        let mut levels: Vec<f64> = levels.collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        let (first, last) = (*levels.first()?, *levels.last()?);
        let is_next = |pair: &[f64]| (pair[1] - pair[0] - 1.0).abs() < 1e-9;
        let are_counted = levels.len() > 2 && (0.0..=1.0).contains(&first) && first.fract() < 1e-9;
        (are_counted && levels.windows(2).all(is_next)).then(|| {
            format!(
                "`{name}` counts from {first} to {last} and was taken for a number; if these are names, say --category {}",
                shell::quote(name)
            )
        })
    };
    open.filter_map(hint).collect()
}

/// Each column and what it was taken for.
pub(super) fn columns(table: &Table, groups: &[Group<'_>]) -> String {
    let flags = &table.columns;
    let factors: Vec<&String> = flags.all_factors().into_iter().map(|it| it.0).collect();
    let says = |name: &String, own: &String| {
        let mut what = Vec::new();
        for (kind, list) in [
            ("factor", &flags.factors),
            ("factor in decades", &flags.logarithmic),
            ("stream", &flags.streams),
            ("fingerprint", &flags.fingerprint),
            ("factor", &flags.categories),
            ("factor", &flags.numbers),
        ] {
            if list.contains(name) && !what.contains(&kind) {
                what.push(kind);
            }
        }
        let is_flagged = own.starts_with('(');
        if own.is_empty() {
            what.push("not read");
        } else if is_flagged {
            // Named by a flag in place of its meaning.
        } else if what.is_empty() || own != name {
            what.push(own);
        }
        let levels = match factors.contains(&name) {
            true if are_names(table, groups, name) => " (names)",
            true => " (numbers)",
            false => "",
        };
        format!("`{name}` {}{levels}", what.join(", "))
    };
    let header = table.sheet.header.iter().zip(&table.meaning.names);
    let all: Vec<String> = header.map(|(name, own)| says(name, own)).collect();
    all.join("; ")
}
