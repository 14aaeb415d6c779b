//! Published numbers beside the runs of a study. Given by the caller, who knows the numbers and their protocols; the rule is
//! [`crate::reproduction`]'s.

use crate::estimate::Interval;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Rows, Series};
use crate::reproduction::Reproduction;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "published",
    family: Family::Comparison,
    title: "Published numbers",
    question: "Are the published numbers reproduced?",
    metrics: &[],
    write: nothing,
};

/// Its chapter is written from what lies beside the tables.
fn nothing(_: &Material<'_>) -> Option<Chapter> {
    None
}

/// A published number beside the runs of one learner, as a reader of the report sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The learner.
    pub learner: String,
    /// Data, ways and shots.
    pub cell: String,
    /// The number as it is printed, in percent.
    pub printed: String,
    /// Paper and place.
    pub source: String,
    /// Our runs.
    pub runs: usize,
    /// Interval of our mean over other trainings and tasks.
    pub ours: Option<[f64; 2]>,
    /// Our mean and how it stands to the number, whatever differs; absent where no run could be tested.
    pub comparison: Option<Reproduction>,
    /// One word or two: what follows.
    pub verdict: String,
    /// Why it is open and what would decide it; in what the protocol differs.
    pub reason: String,
}

/// The chapter; `rule` says when which verdict is given.
pub(crate) fn chapter(rows: &[Published], rule: &str) -> Option<Chapter> {
    if rows.is_empty() {
        return None;
    }
    let mut words: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        match words.iter_mut().find(|(word, _)| *word == row.verdict) {
            Some((_, n)) => *n += 1,
            None => words.push((&row.verdict, 1)),
        }
    }
    let counts: Vec<String> = words
        .iter()
        .map(|(word, n)| format!("{word}: {n}"))
        .collect();
    let count = |word: &str| words.iter().find(|it| it.0 == word).map_or(0, |it| it.1);
    Some(Chapter {
        number: Some((
            format!("{} of {}", count("reproduced"), rows.len()),
            "comparisons with published numbers are reproduced".to_owned(),
        )),
        finding: Said::described(format!(
            "Comparisons with published numbers: {}. {}.",
            rows.len(),
            counts.join(", ")
        )),
        caveat: rule.to_owned(),
        figures: figure(rows).into_iter().collect(),
        tables: vec![table(rows)],
        ..Chapter::default()
    })
}

fn limits(interval: [f64; 2], factor: f64) -> String {
    format!(
        " [{}, {}]",
        number(factor * interval[0], 2),
        number(factor * interval[1], 2)
    )
}

fn ends(interval: &Interval) -> [f64; 2] {
    [interval.lower, interval.upper]
}

fn table(rows: &[Published]) -> Table {
    let head = [
        "learner",
        "data",
        "published, %",
        "source",
        "runs",
        "ours, %",
        "difference, pp",
        "verdict",
        "beside it",
    ];
    Table {
        caption: "Published numbers beside our means. The interval of our mean is over other trainings and tasks; the interval of the \
                  difference has the uncertainty of both sides."
            .to_owned(),
        head: head.map(str::to_owned).to_vec(),
        rows: rows
            .iter()
            .map(|row| {
                let found = row.comparison.as_ref();
                let ours = found.map_or_else(|| "-".to_owned(), |it| number(100.0 * it.ours, 2));
                let own = row.ours.map_or_else(String::new, |it| limits(it, 100.0));
                let difference = found.map_or_else(
                    || "-".to_owned(),
                    |it| {
                        let interval = it.interval.as_ref();
                        number(100.0 * it.difference, 2)
                            + &interval.map_or_else(String::new, |it| limits(ends(it), 100.0))
                    },
                );
                vec![
                    row.learner.clone(),
                    row.cell.clone(),
                    row.printed.clone(),
                    row.source.clone(),
                    row.runs.to_string(),
                    ours + &own,
                    difference,
                    row.verdict.clone(),
                    row.reason.clone(),
                ]
            })
            .collect(),
    }
}

/// Ours minus published, a row for each number.
fn figure(rows: &[Published]) -> Option<Figure> {
    let known: Vec<(&Published, &Reproduction)> = rows
        .iter()
        .filter_map(|row| Some((row, row.comparison.as_ref()?)))
        .collect();
    if known.is_empty() {
        return None;
    }
    let of = |found: &Reproduction| {
        let [low, high] = found.interval.as_ref().map_or([found.difference; 2], ends);
        [low, found.difference, high].map(|value| 100.0 * value)
    };
    let values = known.iter().flat_map(|(_, found)| of(found)).chain([0.0]);
    let extent = Extent::of(values)?.padded(0.04, 1e-6, f64::MIN, f64::MAX);
    let axis = Axis::new("ours minus published, pp", extent);
    let names: Vec<String> = known
        .iter()
        .map(|(row, _)| format!("{}, {}", row.learner, row.source))
        .collect();
    let mut panel = Rows::new("", &axis, &names, 24.0);
    panel.upright(0.0, "reference");
    let mut data = Csv::new(
        "learner,cell,published,source,runs,ours,difference,lower,upper,verdict,runs_needed,beside",
    );
    for (at, (row, found)) in known.iter().enumerate() {
        let [low, middle, high] = of(found);
        panel.interval(at, 0.0, Series(0), "dot", low, middle, high);
        panel.text(at, low, high, &row.verdict);
        data.row(&[
            Cell::Text(&row.learner),
            Cell::Text(&row.cell),
            Cell::Text(&row.printed),
            Cell::Text(&row.source),
            Cell::Count(row.runs),
            Cell::Number(found.ours),
            Cell::Number(found.difference),
            Cell::Number(low / 100.0),
            Cell::Number(high / 100.0),
            Cell::Text(&row.verdict),
            found
                .runs_needed
                .map_or(Cell::Number(f64::NAN), Cell::Count),
            Cell::Text(&row.reason),
        ]);
    }
    let drawing = panel.finish(
        "published-plot-0",
        "Our means less the published ones",
        &format!("{} differences with their intervals.", known.len()),
    );
    Some(Figure {
        id: "published-plot".to_owned(),
        panels: vec![drawing],
        legend: Vec::new(),
        caption:
            "Our mean less the published one, with the interval of the rule; the line is no difference."
                .to_owned(),
        data,
    })
}
