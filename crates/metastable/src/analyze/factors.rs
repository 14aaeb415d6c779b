//! From runs to the table of factors and streams.

use std::collections::BTreeMap;

use anyhow::Result;
use metastable_analysis::factors::table::{Factor, FactorRun, FactorTable, Scale};
use metastable_analysis::{Options, Outcome};

use super::conditional::{Condition, condition};
use super::group::{Group, Read, constant};
use super::own::is_no_setting;
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
            constant(table, group, column)?;
        }
    }
    let conditions = conditions(table, groups);
    let mut factors = Vec::new();
    let mut levels: Vec<Vec<f64>> = vec![Vec::new(); groups.len()];
    for (name, logarithmic) in columns.all_factors() {
        let when = conditions.get(name);
        let (scale, column) = scale(table, groups, name, logarithmic, when)?;
        factors.push(Factor {
            // Every sentence about it then says for which runs it speaks.
            name: when.map_or_else(|| name.clone(), |it| format!("{name} ({})", it.words())),
            scale,
        });
        for (levels, level) in levels.iter_mut().zip(column) {
            levels.push(level);
        }
    }
    // On another scale a score is no mean of hits, and lies between no bounds.
    let are_shares = columns.scale().is_none();
    let queries = runs.iter().filter(|_| are_shares).find_map(|read| {
        let scores = read.run.scores.as_ref()?;
        let n_tasks = scores.accuracies.len();
        match (&scores.task_queries, scores.queries_per_task) {
            // As many queries as have the same noise in a mean over tasks that count alike.
            (Some(queries), _) => {
                let inverse: f64 = queries.iter().map(|n| 1.0 / (*n).max(1) as f64).sum();
                Some((n_tasks as f64 * n_tasks as f64 / inverse).round() as usize)
            }
            (None, equal) => Some(equal? * n_tasks),
        }
    });
    let is_turned = columns.lower_is_better && columns.reference.is_none();
    let sign = if is_turned { -1.0 } else { 1.0 };
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

/// The factors that do not apply to all runs, and the factor that decides to which.
pub(super) fn conditions(table: &Table, groups: &[Group<'_>]) -> BTreeMap<String, Condition> {
    let rows: Vec<Row<'_>> = groups.iter().map(|group| group.rows[0]).collect();
    let factors = table.columns.all_factors();
    let names: Vec<&String> = factors.iter().map(|(name, _)| *name).collect();
    let is_forced = |name: &&&String| table.columns.categories.contains(name);
    names
        .iter()
        .filter(|name| !is_forced(name))
        .filter_map(|name| Some(((*name).clone(), condition(&rows, name, &names)?)))
        .collect()
}

/// What the response is called: lists and basins take more for better, so a loss is turned round and says so.
fn response(table: &Table) -> String {
    let name = match table.columns.unit.as_deref() {
        Some(unit) => unit,
        None if table.has("task") => "accuracy",
        None => "score",
    };
    if table.columns.reference.is_some() {
        String::from("normalised score")
    } else if table.columns.lower_is_better {
        format!("minus {name}")
    } else {
        name.to_owned()
    }
}

/// Whether the levels of a factor are names: a flag says so, or none is a number.
pub(super) fn are_names(table: &Table, groups: &[Group<'_>], name: &String) -> bool {
    let columns = &table.columns;
    let is_number = columns.logarithmic.contains(name) || columns.numbers.contains(name);
    let has_number = || {
        let mut rows = groups.iter().map(|group| group.rows[0]);
        rows.any(|row| row.maybe_number(name).is_some())
    };
    columns.categories.contains(name) || (!is_number && !has_number())
}

/// The scale of a column, from the values that occur, and the level of each run: numbers if all values are, names if none
/// is. A column that holds both is refused unless a flag says what it is.
fn scale(
    table: &Table,
    groups: &[Group<'_>],
    name: &String,
    logarithmic: bool,
    when: Option<&Condition>,
) -> Result<(Scale, Vec<f64>)> {
    let columns = &table.columns;
    let rows: Vec<Row<'_>> = groups.iter().map(|group| group.rows[0]).collect();
    let n_numbers = rows
        .iter()
        .filter(|row| row.maybe_number(name).is_some())
        .count();
    let is_number = logarithmic || columns.numbers.contains(name);
    if are_names(table, groups, name) {
        return categories(&rows, name, when);
    }
    // A run to which the setting does not apply has no level; it gets the middle of the others below.
    let mut known: Vec<Option<f64>> = Vec::new();
    for row in &rows {
        let level = match row.maybe_number(name) {
            Some(level) => level,
            None if row.is_missing(name) && when.is_some() => {
                known.push(None);
                continue;
            }
            None if row.is_missing(name) => return Err(unexplained(table, &rows, row, name)),
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
        known.push(Some(level));
    }
    let measured = || known.iter().flatten().copied();
    let low = measured().fold(f64::INFINITY, f64::min);
    let high = measured().fold(f64::NEG_INFINITY, f64::max);
    if low >= high {
        return Err(never_varies(&rows[0], name));
    }
    let middle = middle(measured(), logarithmic);
    let levels = known.iter().map(|level| level.unwrap_or(middle)).collect();
    Ok((
        if logarithmic {
            Scale::Logarithmic { low, high }
        } else {
            Scale::Linear { low, high }
        },
        levels,
    ))
}

/// The mean of the levels on their scale: a run there adds nothing to the slope of the factor, which so is that of the runs to which
/// it applies (the nested coding of a linear model, in which the deciding factor carries the difference of the groups).
fn middle(levels: impl Iterator<Item = f64>, logarithmic: bool) -> f64 {
    let (mut sum, mut n) = (0.0, 0);
    for level in levels {
        sum += if logarithmic { level.ln() } else { level };
        n += 1;
    }
    let mean = sum / f64::from(n.max(1));
    if logarithmic { mean.exp() } else { mean }
}

/// A level that is missing, and that no factor explains.
fn unexplained(table: &Table, rows: &[Row<'_>], row: &Row<'_>, name: &str) -> anyhow::Error {
    let header = table.sheet.header.iter().zip(&table.meaning.names);
    // What a row is, or what a run came to, is no setting that decides over another.
    let all: Vec<&String> = header
        .filter(|(_, own)| !is_no_setting(own))
        .map(|(name, _)| name)
        .collect();
    let hint = condition(rows, name, &all).map_or_else(String::new, |it| {
        format!(
            "; it has a value where {}: name `{}` as a factor too, and it counts for those runs only",
            it.words(),
            it.parent
        )
    });
    row.complaint(
        name,
        &format!(
            "is missing, so the setting does not apply to this run or was not written down{hint}; --ignore {name} leaves the column out, \
             --category {name} makes the missing value a level of its own"
        ),
    )
}

fn never_varies(row: &Row<'_>, name: &str) -> anyhow::Error {
    row.complaint(
        name,
        &format!(
            "is the level of every run; a factor has to vary: leave it out with --ignore {name}"
        ),
    )
}

/// Names as levels, in the order in which they occur; a missing one is a level too.
fn categories(rows: &[Row<'_>], name: &str, when: Option<&Condition>) -> Result<(Scale, Vec<f64>)> {
    let none = match when {
        Some(_) => "(does not apply)",
        None => "(missing)",
    };
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    let mut levels = Vec::new();
    for row in rows {
        // `none` is a level that people write: no normalization.
        let text = if row.is_missing(name) && row.text(name) != "none" {
            none
        } else {
            row.text(name)
        };
        let at = *known.entry(text).or_insert_with(|| {
            names.push(text.to_owned());
            names.len() - 1
        });
        if at == MOST_CATEGORIES {
            return Err(row.complaint(
                name,
                &format!(
                    "is category {} of the column, and a factor has at most {MOST_CATEGORIES}; a column that names each run is not a factor: \
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
