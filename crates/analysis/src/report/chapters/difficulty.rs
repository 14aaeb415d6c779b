//! Difficulty of tasks under one run against another, and accuracy against what a reference finds hard.

use crate::difficulty::Difficulty;
use crate::outcome::StudyAnalysis;
use crate::record::Run;
use crate::report::document::{Cell, Chapter, Csv, Figure, extremes, list};
use crate::report::group::{Group, by_setting, without_predictions};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, heading, matrix};
use crate::summary::rank_correlation;
use crate::transfer::Transfer;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "difficulty",
    family: Family::Outcome,
    title: "Difficulty",
    question: "Is a task hard by itself, or hard for this run?",
    metrics: &["difficulty", "confusion", "transfer", "hardness"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material {
        groups, analysis, ..
    } = *material;
    let correlations: Vec<(&str, f64)> = groups
        .iter()
        .filter_map(|group| {
            Some((
                group.name.as_str(),
                group.get::<Difficulty>()?.between_runs?.mean,
            ))
        })
        .collect();
    let finding = match extremes(&correlations) {
        None => without_predictions(
            groups,
            "which tasks a run finds hard",
            "No learner has two tested runs, so their agreement on hard tasks cannot be measured.",
        ),
        Some(((low, lo), (high, hi))) => {
            let which = if correlations.len() == 1 {
                format!("ρ = {} ({low})", number(*lo, 2))
            } else {
                format!(
                    "ρ = {} ({low}) to {} ({high})",
                    number(*lo, 2),
                    number(*hi, 2)
                )
            };
            let tell = match (*lo, *hi) {
                (lo, _) if lo >= 0.7 => "difficulty is mostly a property of the task",
                (_, hi) if hi < 0.3 => "difficulty is mostly a property of the run",
                _ => "difficulty is partly a property of the task, partly of the run",
            };
            format!(
                "The rank correlation of task difficulty between two runs of one learner is {which}: {tell}."
            )
        }
    };
    Some(Chapter {
        number: extremes(&correlations).map(|((_, lo), (_, hi))| {
            let shown = if (hi - lo).abs() < 0.005 { format!("ρ = {}", number(*lo, 2)) } else { format!("ρ = {} to {}", number(*lo, 2), number(*hi, 2)) };
            (shown, "rank correlation of task difficulty, mean over pairs of runs".to_owned())
        }),
        finding: Said::described(finding),
        caveat: "Difficulty is the loss on a finite number of queries. Noise of the queries alone keeps ρ below 1, and more so if nearly all \
                 tasks are easy.".to_owned(),
        figures: [scatter(groups), between_learners(analysis), super::hardness::figure(groups, analysis)]
            .into_iter()
            .flatten()
            .collect(),
        tables: Vec::new(),
        ..Chapter::default()
    })
}

/// Scatter of task difficulty under the first two runs of each group; `None` without a group of two.
fn scatter(groups: &[Group<'_>]) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data = Csv::new("setting,learner,task,first_run,second_run,first_nll,second_nll");
    let mut missing = Vec::new();
    let mut any_edge = false;
    for (_, members) in by_setting(groups) {
        let pairs: Vec<_> = members.iter().map(|group| pair(group)).collect();
        let all = || {
            pairs
                .iter()
                .flatten()
                .flat_map(|(_, _, points)| points.iter().flat_map(|p| [p.0, p.1]))
        };
        let Some(extent) = Extent::of(all()) else {
            missing.extend(members.iter().map(|group| group.name.clone()));
            continue;
        };
        // Losses spread over decades; below a ten-thousandth of the largest all tasks are equally easy.
        let (lo, hi) = extent.ends();
        let logarithmic = hi > 0.0 && lo >= 0.0 && hi / lo.max(f64::MIN_POSITIVE) > 50.0;
        let floor = hi * 1e-4;
        let extent = if logarithmic {
            any_edge |= lo < floor;
            Extent::of([lo.max(floor), hi]).unwrap_or(extent)
        } else {
            extent.padded(0.03, 0.0, f64::NEG_INFINITY, f64::INFINITY)
        };
        for (group, pair) in members.iter().zip(&pairs) {
            let Some((first, second, points)) = pair else {
                missing.push(group.name.clone());
                continue;
            };
            let axis = |seed: u64| Axis {
                title: format!("difficulty under seed {seed}, nats per query"),
                extent,
                logarithmic,
            };
            let x: Vec<f64> = points.iter().map(|p| p.0).collect();
            let y: Vec<f64> = points.iter().map(|p| p.1).collect();
            let rho = rank_correlation(&x, &y);
            let shown = rho.map_or(String::new(), |rho| format!("ρ = {}", number(rho, 2)));
            let mut panel = Panel::new(
                &heading(&group.name, &shown),
                &axis(first.seed),
                &axis(second.seed),
                300.0,
            );
            let (lo, hi) = extent.ends();
            panel.line(group.series, "diagonal", &[(lo, lo), (hi, hi)]);
            panel.cloud(group.series, points);
            for (task, (a, b)) in points.iter().enumerate() {
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Count(task),
                    Cell::Text(&first.id),
                    Cell::Text(&second.id),
                    Cell::Number(*a),
                    Cell::Number(*b),
                ]);
            }
            panels.push(panel.finish(
                &format!("difficulty-plot-{}", panels.len()),
                &format!("Difficulty of tasks under two runs, {}", group.name),
                &format!(
                    "Scatter of {} tasks; {}.",
                    points.len(),
                    rho.map_or(
                        "their ranks are all equal, so no correlation exists".to_owned(),
                        |rho| format!("Spearman rank correlation {rho:.2}")
                    )
                ),
            ));
        }
    }
    if panels.is_empty() {
        return None;
    }
    let mut caption = String::from(
        "Each point is one test task: mean negative log-likelihood of its query labels after adaptation, under the first and \
         the second run of the learner. On the diagonal a task is equally hard for both; ρ is Spearman's rank correlation of this pair.",
    );
    if any_edge {
        caption += " Logarithmic axes; difficulties under a ten-thousandth of the largest are drawn at the edge.";
    }
    if !missing.is_empty() {
        caption += &format!(" No plot for {}: it needs two tested runs.", list(&missing));
    }
    Some(Figure {
        id: "difficulty-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption,
        data,
    })
}

/// Rank correlation of difficulty between learners, a matrix for each setting with two of them.
fn between_learners(analysis: &StudyAnalysis) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data = Csv::new("setting,learner,other,rank_correlation");
    for setting in &analysis.settings {
        let pairs = setting
            .all
            .get::<Transfer>()
            .map_or_else(Vec::new, |transfer| transfer.pairs);
        if pairs.iter().all(|pair| pair.rank_correlation.is_none()) {
            continue;
        }
        let names: Vec<String> = setting
            .learners
            .iter()
            .map(|l| l.learner.clone())
            .filter(|name| pairs.iter().any(|pair| pair.a == *name || pair.b == *name))
            .collect();
        let find = |a: &str, b: &str| {
            pairs
                .iter()
                .find(|p| (p.a == a && p.b == b) || (p.a == b && p.b == a))
                .and_then(|p| p.rank_correlation)
        };
        let table: Vec<Vec<Option<f64>>> = names
            .iter()
            .map(|a| names.iter().map(|b| find(a, b)).collect())
            .collect();
        for pair in &pairs {
            data.row(&[
                Cell::Text(&setting.setting),
                Cell::Text(&pair.a),
                Cell::Text(&pair.b),
                Cell::Number(pair.rank_correlation.unwrap_or(f64::NAN)),
            ]);
        }
        let words: Vec<String> = pairs
            .iter()
            .filter_map(|p| Some(format!("{} and {}: {:.2}", p.a, p.b, p.rank_correlation?)))
            .collect();
        let heading = format!("ρ between learners: {}", setting.setting);
        let id = format!("shared-difficulty-{}", panels.len());
        let title = format!(
            "Rank correlation of task difficulty between learners, {}",
            setting.setting
        );
        let words = format!("{}.", words.join("; "));
        panels.push(matrix(
            &heading,
            &names,
            &table,
            1.0,
            |rho| number(rho, 2),
            (&id, &title, &words),
        ));
    }
    (!panels.is_empty()).then(|| Figure {
        id: "shared-difficulty".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Spearman's rank correlation of task difficulty (mean over runs) between learners: near 1, the same tasks are hard for both."
            .to_owned(),
        data,
    })
}

type Pair<'a> = (&'a Run, &'a Run, Vec<(f64, f64)>);

/// The first two tested runs, and the tasks whose difficulty is finite under both.
fn pair<'a>(group: &Group<'a>) -> Option<Pair<'a>> {
    let tested = group.tested();
    let [(first, a), (second, b), ..] = tested.as_slice() else {
        return None;
    };
    let points: Vec<_> = a
        .task_nll
        .iter()
        .copied()
        .zip(b.task_nll.iter().copied())
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    (points.len() >= 2).then_some((*first, *second, points))
}
