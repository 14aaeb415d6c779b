//! How often two runs of one learner give different answers.

use super::intervals::values;
use crate::churn::Churn;
use crate::report::document::{
    Cell, Chapter, Csv, Figure, Table, decimal, extremes, list, percent, percent_range, range,
};
use crate::report::group::{Group, by_setting, disagreement, without_predictions};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::{heading, matrix};
use crate::summary::mean;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "churn",
    family: Family::Outcome,
    title: "Churn",
    question: "Do two trainings of one learner give the same answers?",
    metrics: &["churn"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material { groups, .. } = *material;
    let measured: Vec<(&Group<'_>, Churn)> = groups
        .iter()
        .filter_map(|group| Some((group, group.get::<Churn>()?)))
        .collect();
    let shares = values(&measured, |churn| churn.churn);
    let finding = match extremes(&shares) {
        None => without_predictions(
            groups,
            "what two runs answer to one query",
            "No learner has two tested runs, so their disagreement cannot be measured.",
        ),
        Some(((only, share), _)) if shares.len() == 1 => {
            format!(
                "Two runs of {only} answer {} % of the test queries differently.",
                percent(*share)
            )
        }
        Some(_) => {
            let each: Vec<String> = measured
                .iter()
                .map(|(group, churn)| format!("{} % for {}", with_limits(churn), group.name))
                .collect();
            format!(
                "The share of test queries that two runs of one learner answer differently is {}.",
                list(&each)
            )
        }
    };
    Some(Chapter {
        number: extremes(&shares).map(|((_, lo), (_, hi))| (range(*lo, *hi, "%"), "of queries answered differently by two runs".to_owned())),
        finding: Said::described(finding),
        caveat: "Runs of unequal accuracy must disagree on some queries. Compare churn with what independent errors at the same accuracies \
                 would give, not with zero. A lower churn shows only that queries differ in difficulty: runs whose errors are independent \
                 given the query have it too.".to_owned(),
        figures: figure(groups).into_iter().collect(),
        tables: table_of(&measured).into_iter().collect(),
        ..Chapter::default()
    })
}

/// Churn in percent with its interval over runs.
fn with_limits(churn: &Churn) -> String {
    let limits = churn.over_runs.interval.as_ref();
    let limits = limits.map_or_else(String::new, |i| {
        format!(" {}", percent_range(i.lower, i.upper))
    });
    format!("{}{limits}", percent(churn.churn))
}

fn table_of(measured: &[(&Group<'_>, Churn)]) -> Option<Table> {
    (!measured.is_empty()).then(|| Table {
        caption: "Disagreement of two runs, mean over all pairs. Expected: independent errors at the same accuracies. Given the query: independent errors at the difficulty that the other runs show (from four runs on); a churn below it means that runs share wrong answers. Kappa: Fleiss' agreement of the predicted labels; 1 is complete agreement.".to_owned(),
        head: ["learner", "churn, % [over runs]", "expected, %", "ratio", "given the query, %", "kappa"].map(str::to_owned).to_vec(),
        rows: measured
            .iter()
            .map(|(group, churn)| {
                let some = |v: Option<f64>| v.map_or("none".to_owned(), |v| decimal(v, 2));
                vec![group.name.clone(), with_limits(churn), percent(churn.expected), some(churn.excess), churn.expected_given_difficulty.map_or("none".to_owned(), percent), some(churn.kappa)]
            })
            .collect(),
    })
}

/// Run-against-run matrix of disagreement for each group; `None` without a group of two runs.
fn figure(groups: &[Group<'_>]) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data =
        Csv::new("setting,learner,first_run,second_run,share_of_queries_answered_differently");
    let mut missing = Vec::new();
    for (_, members) in by_setting(groups) {
        let tables: Vec<_> = members.iter().map(|group| table(group)).collect();
        // One tint for one value in all panels of a setting.
        let top = tables
            .iter()
            .flatten()
            .flatten()
            .flatten()
            .map(|v| v.unwrap_or(0.0))
            .fold(0.0, f64::max);
        for (group, table) in members.iter().zip(tables) {
            let tested = group.tested();
            if tested.len() < 2 {
                missing.push(group.name.clone());
                continue;
            }
            let table = table.unwrap_or_default();
            let names: Vec<String> = tested
                .iter()
                .map(|(run, _)| format!("seed {}", run.seed))
                .collect();
            let mut pairs = Vec::new();
            for (i, row) in table.iter().enumerate() {
                for (j, value) in row.iter().enumerate().skip(i + 1) {
                    if let Some(value) = value {
                        pairs.push(*value);
                        data.row(&[
                            Cell::Text(group.setting),
                            Cell::Text(group.learner),
                            Cell::Text(&tested[i].0.id),
                            Cell::Text(&tested[j].0.id),
                            Cell::Number(*value),
                        ]);
                    }
                }
            }
            if pairs.is_empty() {
                missing.push(group.name.clone());
                continue;
            }
            let id = format!("churn-plot-{}", panels.len());
            let title = format!("Disagreement between runs, {}", group.name);
            let words = format!(
                "Mean over {} pairs of runs: {:.1} % of queries.",
                pairs.len(),
                100.0 * mean(&pairs)
            );
            let above = heading(
                &group.name,
                &format!("{:.1} % on average", 100.0 * mean(&pairs)),
            );
            panels.push(matrix(
                &above,
                &names,
                &table,
                top,
                |v| format!("{:.1}", 100.0 * v),
                (&id, &title, &words),
            ));
        }
    }
    if panels.is_empty() {
        return None;
    }
    let mut caption = String::from(
        "Queries that two runs answer differently, in % of all test queries; darker cells (in dark mode: brighter ones) are higher. A tint \
         means the same value throughout a setting.",
    );
    if !missing.is_empty() {
        caption += &format!(
            " No matrix for {}: it needs two runs with the same test.",
            list(&missing)
        );
    }
    Some(Figure {
        id: "churn-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption,
        data,
    })
}

fn table(group: &Group<'_>) -> Option<Vec<Vec<Option<f64>>>> {
    let tested = group.tested();
    (tested.len() >= 2).then(|| {
        tested
            .iter()
            .enumerate()
            .map(|(i, (_, a))| {
                tested
                    .iter()
                    .enumerate()
                    .map(|(j, (_, b))| if i == j { None } else { disagreement(a, b) })
                    .collect()
            })
            .collect()
    })
}
