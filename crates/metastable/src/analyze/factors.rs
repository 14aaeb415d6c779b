//! From runs to the table of factors and streams.

use anyhow::Result;
use metastable_analysis::factors::table::{Factor, FactorRun, FactorTable, Scale};
use metastable_analysis::{Options, Outcome};

use super::scores::{Group, Read, constant};
use super::table::{Row, Table};

/// The columns that the user named, with one row for each run.
pub(super) fn factor_table(
    table: &Table,
    groups: &[Group<'_>],
    runs: &[Read<'_>],
    options: &Options,
) -> Result<FactorTable> {
    let columns = &table.columns;
    for column in columns
        .factors
        .iter()
        .chain(&columns.logarithmic)
        .chain(&columns.streams)
    {
        for group in groups {
            constant(group, column)?;
        }
    }
    let mut factors = Vec::new();
    let mut levels: Vec<Vec<f64>> = vec![Vec::new(); groups.len()];
    let named = columns.factors.iter().map(|name| (name, false));
    for (name, logarithmic) in named.chain(columns.logarithmic.iter().map(|name| (name, true))) {
        let (scale, column) = scale(groups, name, logarithmic)?;
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
    let mut found = Vec::new();
    for ((group, read), levels) in groups.iter().zip(runs).zip(levels) {
        let streams = columns
            .streams
            .iter()
            .map(|name| Ok(group.rows[0].need(name)?.to_owned()));
        let mut one = FactorRun::of(&read.run, levels, streams.collect::<Result<_>>()?, options);
        if !table.has("task") {
            one.response = read.score;
            one.failed = read.run.outcome != Outcome::Completed;
        }
        found.push(one);
    }
    Ok(FactorTable {
        response: String::from(if table.has("task") {
            "accuracy"
        } else {
            "score"
        }),
        factors,
        streams: columns.streams.clone(),
        runs: found,
        queries,
        may_vary: Vec::new(),
    })
}

/// The scale of a column, from the values that occur, and the level of each run: numbers if all values are, names otherwise.
fn scale(groups: &[Group<'_>], name: &str, logarithmic: bool) -> Result<(Scale, Vec<f64>)> {
    let rows: Vec<Row<'_>> = groups.iter().map(|group| group.rows[0]).collect();
    let numbers: Vec<Option<f64>> = rows.iter().map(|row| row.number(name).ok()).collect();
    if !logarithmic && numbers.iter().any(Option::is_none) {
        let mut names = Vec::new();
        let mut levels = Vec::new();
        for row in &rows {
            let text = row.need(name)?.to_owned();
            let at = names
                .iter()
                .position(|known| *known == text)
                .unwrap_or_else(|| {
                    names.push(text);
                    names.len() - 1
                });
            levels.push(at as f64);
        }
        return Ok((Scale::Categories(names), levels));
    }
    let mut levels = Vec::new();
    for row in &rows {
        let level = row.number(name)?;
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
        return Err(rows[0].complaint(
            name,
            "is the level of every run; a factor has to vary (else --ignore it)",
        ));
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
