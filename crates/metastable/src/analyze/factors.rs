//! From runs to the table of factors and streams.

use std::collections::BTreeMap;

use anyhow::Result;
use metastable_analysis::factors::table::{Factor, FactorRun, FactorTable, Scale};
use metastable_analysis::{Options, Outcome};

use super::scores::{Group, Read, constant};
use super::table::{Row, Table};

/// Levels of a category that the analysis can hold.
const MOST_CATEGORIES: usize = 64;

/// The columns that the user named, with one row for each run.
pub(super) fn factor_table(
    table: &Table,
    groups: &[Group<'_>],
    runs: &[Read<'_>],
    options: &Options,
) -> Result<FactorTable> {
    let columns = &table.columns;
    for column in columns.of_runs() {
        for group in groups {
            constant(group, column)?;
        }
    }
    let mut factors = Vec::new();
    let mut levels: Vec<Vec<f64>> = vec![Vec::new(); groups.len()];
    for (name, logarithmic) in columns.all_factors() {
        let (scale, column) = scale(table, groups, name, logarithmic)?;
        factors.push(Factor {
            name: name.clone(),
            scale,
        });
        for (levels, level) in levels.iter_mut().zip(column) {
            levels.push(level);
        }
    }
    let queries = runs.iter().find_map(|read| {
        let scores = read.run.scores.as_ref()?;
        Some(scores.queries_per_task? * scores.accuracies.len())
    });
    let sign = if columns.lower_is_better { -1.0 } else { 1.0 };
    let mut found = Vec::new();
    for ((group, read), levels) in groups.iter().zip(runs).zip(levels) {
        let streams = columns
            .streams
            .iter()
            .map(|name| Ok(group.rows[0].need(name)?.to_owned()));
        let mut one = FactorRun::of(&read.run, levels, streams.collect::<Result<_>>()?, options);
        one.response = read.score.map(|score| sign * score);
        one.failed = read.run.outcome != Outcome::Completed;
        found.push(one);
    }
    Ok(FactorTable {
        response: response(table),
        factors,
        streams: columns.streams.clone(),
        runs: found,
        queries,
        // Shares of right answers lie between chance and one; what other scores lie between is not known.
        bounds: queries.map(|_| {
            let chance = runs.iter().filter_map(|read| read.run.chance());
            [chance.min_by(f64::total_cmp).unwrap_or(0.0), 1.0]
        }),
        may_vary: Vec::new(),
    })
}

/// What the response is called: lists and basins take more for better, so a loss is turned round and says so.
fn response(table: &Table) -> String {
    let name = match table.columns.unit.as_deref() {
        Some(unit) => unit,
        None if table.has("task") => "accuracy",
        None => "score",
    };
    if table.columns.lower_is_better {
        format!("minus {name}")
    } else {
        name.to_owned()
    }
}

/// The scale of a column, from the values that occur, and the level of each run: numbers if all values are, names if none
/// is. A column that holds both is refused unless a flag says what it is.
fn scale(
    table: &Table,
    groups: &[Group<'_>],
    name: &String,
    logarithmic: bool,
) -> Result<(Scale, Vec<f64>)> {
    let columns = &table.columns;
    let rows: Vec<Row<'_>> = groups.iter().map(|group| group.rows[0]).collect();
    let n_numbers = rows
        .iter()
        .filter(|row| row.maybe_number(name).is_some())
        .count();
    let is_number = logarithmic || columns.numbers.contains(name);
    if columns.categories.contains(name) || (n_numbers == 0 && !is_number) {
        return categories(&rows, name);
    }
    let mut levels = Vec::new();
    for row in &rows {
        let level = match row.maybe_number(name) {
            Some(level) => level,
            None if row.is_missing(name) => {
                return Err(row.complaint(
                    name,
                    &format!(
                        "is missing, so the setting does not apply to this run or was not written down; --ignore {name} leaves the column out, \
                         --category {name} makes the missing value a level of its own"
                    ),
                ));
            }
            None => {
                let remedy = if n_numbers == 0 || is_number {
                    String::new()
                } else {
                    format!(
                        ", and {n_numbers} other values of the column are numbers; correct it, or say that the column holds names with --category {name}"
                    )
                };
                return Err(row.complaint(name, &format!("is not a finite number{remedy}")));
            }
        };
        if logarithmic && level <= 0.0 {
            return Err(row.complaint(
                name,
                "has no place on a logarithmic scale; it has to be above 0",
            ));
        }
        levels.push(level);
    }
    let low = levels.iter().copied().fold(f64::INFINITY, f64::min);
    let high = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low >= high {
        return Err(never_varies(&rows[0], name));
    }
    Ok((
        if logarithmic {
            Scale::Logarithmic { low, high }
        } else {
            Scale::Linear { low, high }
        },
        levels,
    ))
}

fn never_varies(row: &Row<'_>, name: &str) -> anyhow::Error {
    row.complaint(
        name,
        &format!(
            "is the level of every run; a factor has to vary: leave it out with --ignore {name}"
        ),
    )
}

/// Names as levels, in the order in which they occur; a missing one is the level `(missing)`.
fn categories(rows: &[Row<'_>], name: &str) -> Result<(Scale, Vec<f64>)> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    let mut levels = Vec::new();
    for row in rows {
        let text = match row.text(name) {
            "" => "(missing)",
            text => text,
        };
        let at = *known.entry(text).or_insert_with(|| {
            names.push(text.to_owned());
            names.len() - 1
        });
        if at == MOST_CATEGORIES {
            return Err(row.complaint(
                name,
                &format!(
                    "is category {} of the column, and a factor has at most {MOST_CATEGORIES}; a column that names each run is no factor: \
                     leave it out with --ignore {name}",
                    at + 1
                ),
            ));
        }
        levels.push(at as f64);
    }
    if names.len() < 2 {
        return Err(never_varies(&rows[0], name));
    }
    Ok((Scale::Categories(names), levels))
}
