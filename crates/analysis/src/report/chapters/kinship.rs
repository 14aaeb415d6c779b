//! Whether two trainings end with the same features, and whether a hill lies between them.

use super::intervals::written;
use crate::probe::kinship::{AmongSeeds, Kinship};
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, decimal, extremes};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, Series, heading, matrix};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "kinship",
    family: Family::Geometry,
    title: "Kinship of trainings",
    question: "Do two trainings learn the same features?",
    metrics: &["kinship"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&str, Kinship)> = material
        .analysis
        .settings
        .iter()
        .filter_map(|setting| Some((setting.setting.as_str(), setting.all.get::<Kinship>()?)))
        .collect();
    let learners: Vec<&AmongSeeds> = found
        .iter()
        .flat_map(|(_, kinship)| &kinship.learners)
        .collect();
    let last: Vec<(&str, f64)> = learners
        .iter()
        .filter_map(|l| Some((l.learner.as_str(), l.layers.last()?.1.value)))
        .collect();
    let finding = match extremes(&last) {
        None if found.is_empty() => return None,
        None => "No learner has two runs to compare.".to_owned(),
        Some(((least, lo), (most, hi))) if least != most => format!(
            "Two seeds of one learner have CKA {} ({least}) to {} ({most}) in their last features.",
            decimal(*lo, 2),
            decimal(*hi, 2)
        ),
        Some(((only, cka), _)) => format!(
            "Two seeds of {only} have CKA {} in their last features.",
            decimal(*cka, 2)
        ),
    };
    Some(Chapter {
        number: extremes(&last).map(|((_, lo), (_, hi))| {
            let span = if (hi - lo).abs() < 5e-3 { decimal(*hi, 2) } else { format!("{} to {}", decimal(*lo, 2), decimal(*hi, 2)) };
            (span, "CKA of the last features of two seeds".to_owned())
        }),
        finding: Said::described(finding),
        caveat: "Linear CKA (debiased) ignores rotation and scale of the features; it is computed on images of the test classes. Neurons are \
                 not matched, so a barrier may come from their permutation alone."
            .to_owned(),
        figures: matrices(&found).into_iter().chain(paths(&learners)).collect(),
        tables: vec![table(&learners)],
        ..Chapter::default()
    })
}

fn matrices(found: &[(&str, Kinship)]) -> Option<Figure> {
    let mut data = Csv::new(
        "setting,first_learner,first_seed,second_learner,second_seed,cka_of_last_features",
    );
    let mut panels = Vec::new();
    for (setting, kinship) in found {
        let names: Vec<String> = kinship
            .runs
            .iter()
            .map(|(learner, seed)| format!("{learner} {seed}"))
            .collect();
        for (i, row) in kinship.last_layer.iter().enumerate() {
            for (j, value) in row.iter().enumerate().skip(i + 1) {
                if let Some(value) = value {
                    let ((a, seed_a), (b, seed_b)) = (&kinship.runs[i], &kinship.runs[j]);
                    data.row(&[
                        Cell::Text(setting),
                        Cell::Text(a),
                        Cell::Text(&seed_a.to_string()),
                        Cell::Text(b),
                        Cell::Text(&seed_b.to_string()),
                        Cell::Number(*value),
                    ]);
                }
            }
        }
        panels.push(matrix(
            &heading(setting, "CKA of the last features"),
            &names,
            &kinship.last_layer,
            1.0,
            |v| number(v, 2),
            (
                &format!("kinship-plot-{}", panels.len()),
                &format!("Kinship of runs, {setting}"),
                &format!("Matrix of {} runs.", names.len()),
            ),
        ));
    }
    (!panels.is_empty()).then(|| Figure {
        id: "kinship-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Debiased linear CKA of the last block's features of the same images, run against run (learner and seed): 1 is the same up to \
                  rotation and scale."
            .to_owned(),
        data,
    })
}

fn paths(learners: &[&AmongSeeds]) -> Option<Figure> {
    let mut data = Csv::new("learner,pair,share_of_the_way,loss");
    let mut panels = Vec::new();
    for (which, among) in learners
        .iter()
        .enumerate()
        .filter(|(_, among)| !among.lines.is_empty())
    {
        let losses = among.lines.iter().flatten().flatten().copied();
        let x = Axis::new("share of the path", Extent::of([0.0, 1.0])?);
        let y = Axis::new(
            "query loss after adaptation, nats",
            Extent::of(losses.chain([0.0]))?,
        );
        let mut panel = Panel::new(
            &heading(&among.learner, "path between seeds"),
            &x,
            &y,
            220.0,
        );
        for (pair, line) in among.lines.iter().enumerate() {
            let n = line.len().saturating_sub(1).max(1) as f64;
            let points: Vec<(f64, f64)> = line
                .iter()
                .enumerate()
                .map(|(at, loss)| (at as f64 / n, loss.unwrap_or(f64::NAN)))
                .collect();
            panel.line(Series(which), "line", &points);
            for (share, loss) in points {
                data.row(&[
                    Cell::Text(&among.learner),
                    Cell::Count(pair),
                    Cell::Number(share),
                    Cell::Number(loss),
                ]);
            }
        }
        let height = among.barrier.as_ref().map_or_else(
            || "unknown".to_owned(),
            |b| format!("{} nats", number(b.value, 2)),
        );
        panels.push(panel.finish(
            &format!("path-plot-{}", panels.len()),
            &format!("Loss between two seeds, {}", among.learner),
            &format!("{} pairs; mean barrier {height}.", among.lines.len()),
        ));
    }
    (!panels.is_empty()).then(|| Figure {
        id: "path-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Loss after adaptation on the straight line between the parameters of two seeds of one learner, a line for each pair."
            .to_owned(),
        data,
    })
}

fn table(learners: &[&AmongSeeds]) -> Table {
    Table {
        caption: "Means over pairs of seeds. Barrier: highest rise of the loss on the straight path above the chord between its ends.".to_owned(),
        head: ["learner", "CKA by block, first to last", "CKA of the last", "barrier, nats", "pairs", "of them not finite"]
            .map(str::to_owned)
            .to_vec(),
        rows: learners
            .iter()
            .map(|among| {
                let each: Vec<String> = among.layers.iter().map(|(_, cka)| decimal(cka.value, 2)).collect();
                vec![
                    among.learner.clone(),
                    each.join(", "),
                    among.layers.last().map_or_else(|| "none".to_owned(), |(_, cka)| written(cka, 1.0, 3)),
                    among.barrier.as_ref().map_or_else(|| "none".to_owned(), |barrier| written(barrier, 1.0, 3)),
                    among.n_pairs.to_string(),
                    among.n_infinite.to_string(),
                ]
            })
            .collect(),
    }
}
