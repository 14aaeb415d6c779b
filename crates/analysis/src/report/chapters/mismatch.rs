//! Other data, other numbers of classes and supports.

use super::intervals::{Look, Quantity, figure, measured, written};
use crate::probe::mismatch::Mismatch;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, decimal, percent};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::{Axis, Extent, Panel, Series, heading};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "mismatch",
    family: Family::Shift,
    title: "Other data and other shapes",
    question: "Does what was learnt hold on other data, and with other numbers of classes and supports?",
    metrics: &["mismatch"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Mismatch)> = measured(material.groups);
    found.first()?;
    let drops: Vec<(&Group<'_>, &crate::probe::mismatch::OnDomain)> = found
        .iter()
        .flat_map(|(group, m)| m.domains.iter().map(move |domain| (*group, domain)))
        .collect();
    let worst = drops
        .iter()
        .max_by(|a, b| a.1.drop.value.total_cmp(&b.1.drop.value));
    let best = drops
        .iter()
        .min_by(|a, b| a.1.drop.value.total_cmp(&b.1.drop.value));
    let finding = match (best, worst) {
        (Some((mild, least)), Some((hard, most))) if drops.len() > 1 => format!(
            "On other data, learners lose {} pp of accuracy ({}, {}) to {} pp ({}, {}).",
            percent(least.drop.value), mild.name, least.set, percent(most.drop.value), hard.name, most.set
        ),
        (_, Some((group, domain))) => {
            format!("On {}, {} loses {} pp of accuracy.", domain.set, group.name, written(&domain.drop, 100.0, 2))
        }
        _ => "No other data were available; `cargo xtask probe DIR --families g --other idx:PATH` adds some.".to_owned(),
    };
    let quantities: Vec<Quantity<'_, '_>> = drops
        .iter()
        .map(|(group, domain)| Quantity {
            group,
            // A handful of data sets live as long as the program; names of users' own are in the table and the data.
            name: match domain.set.as_str() {
                "glyphs" => "glyphs",
                "omniglot" => "omniglot",
                _ => "other data",
            },
            estimate: domain.drop.clone(),
        })
        .collect();
    let look = Look {
        id: "domain-plot",
        axis: "accuracy on own test classes minus accuracy there, pp",
        factor: 100.0,
        decimals: 1,
        reference: Some(0.0),
    };
    Some(Chapter {
        number: worst.map(|(group, domain)| {
            (format!("{} pp", percent(domain.drop.value)), format!("drop of {} on {}", group.name, domain.set))
        }),
        finding: Said::described(finding),
        caveat: "Another data set may be easier or harder by itself: a drop mixes that with what does not transfer. Tasks are drawn from all \
                 classes of the other set, in the shape of the learner's own test."
            .to_owned(),
        figures: figure(look, "Drop of the mean accuracy on data that no learner was trained on.", &quantities)
            .into_iter()
            .chain(shapes(&found))
            .collect(),
        tables: [domains(&found), Some(matrix(&found))].into_iter().flatten().collect(),
        ..Chapter::default()
    })
}

fn domains(found: &[(&Group<'_>, Mismatch)]) -> Option<Table> {
    let rows: Vec<Vec<String>> = found
        .iter()
        .flat_map(|(group, m)| {
            m.domains.iter().map(|domain| {
                vec![
                    group.name.clone(),
                    domain.set.clone(),
                    domain.n_classes.to_string(),
                    written(&m.own, 100.0, 2),
                    written(&domain.accuracy, 100.0, 2),
                    written(&domain.drop, 100.0, 2),
                    domain
                        .relative
                        .map_or_else(|| "none".to_owned(), |share| decimal(share, 2)),
                ]
            })
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Accuracy in %, drop in pp; relative: the drop divided by the accuracy above chance on the own test classes."
            .to_owned(),
        head: [
            "learner", "data", "classes", "at home", "there", "drop", "relative",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    })
}

/// Rows: learners with the shape they were trained on; columns: shapes of the test.
fn matrix(found: &[(&Group<'_>, Mismatch)]) -> Table {
    let mut columns: Vec<(usize, usize)> = Vec::new();
    for (way, shot, _) in found.iter().flat_map(|(_, m)| &m.shapes) {
        if !columns.contains(&(*way, *shot)) {
            columns.push((*way, *shot));
        }
    }
    columns.sort_unstable();
    let head = ["learner".to_owned(), "trained on".to_owned()];
    Table {
        caption: "Accuracy in % by the shape of test tasks: classes-way supports-shot. A learner with a head is bound to its number of classes."
            .to_owned(),
        head: head.into_iter().chain(columns.iter().map(|(way, shot)| format!("{way}w{shot}s"))).collect(),
        rows: found
            .iter()
            .map(|(group, m)| {
                let of = |(way, shot): &(usize, usize)| {
                    let own = m.shapes.iter().find(|shape| (shape.0, shape.1) == (*way, *shot));
                    own.map_or_else(|| "not possible".to_owned(), |shape| percent(shape.2.value))
                };
                [group.name.clone(), format!("{}w{}s", m.trained.0, m.trained.1)]
                    .into_iter()
                    .chain(columns.iter().map(of))
                    .collect()
            })
            .collect(),
    }
}

fn shapes(found: &[(&Group<'_>, Mismatch)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,way,shot,accuracy,lower,upper");
    let mut panels = Vec::new();
    let y = Axis::new("accuracy, %", Extent::of([0.0, 100.0])?);
    for (group, m) in found {
        let x = Axis {
            title: "supports of a class".to_owned(),
            extent: Extent::of(m.shapes.iter().map(|shape| shape.1 as f64))?,
            logarithmic: true,
        };
        let mut panel = Panel::new(&heading(&group.name, "accuracy by shot"), &x, &y, 220.0);
        let mut ways: Vec<usize> = m.shapes.iter().map(|shape| shape.0).collect();
        ways.dedup();
        for (at, way) in ways.iter().enumerate() {
            let own = m.shapes.iter().filter(|shape| shape.0 == *way);
            let points: Vec<(f64, f64)> = own
                .map(|shape| (shape.1 as f64, 100.0 * shape.2.value))
                .collect();
            panel.line(Series(at), "line", &points);
            panel.dots(Series(at), "dot", 3.0, &points);
        }
        for (way, shot, accuracy) in &m.shapes {
            let interval = accuracy.interval.as_ref();
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Count(*way),
                Cell::Count(*shot),
                Cell::Number(accuracy.value),
                Cell::Number(interval.map_or(f64::NAN, |i| i.lower)),
                Cell::Number(interval.map_or(f64::NAN, |i| i.upper)),
            ]);
        }
        let ways: Vec<String> = ways.iter().map(usize::to_string).collect();
        panels.push(panel.finish(
            &format!("shape-plot-{}", panels.len()),
            &format!("Accuracy by number of supports, {}", group.name),
            &format!(
                "Lines for {} classes; tested at {}-way {}-shot.",
                ways.join(", "),
                m.tested.0,
                m.tested.1
            ),
        ));
    }
    (!panels.is_empty()).then(|| Figure {
        id: "shape-plot".to_owned(),
        panels,
        legend: vec![
            (Series(0).swatch(true), "fewest classes (or the only number)".to_owned()),
            (Series(1).swatch(true), "more classes".to_owned()),
            (Series(2).swatch(true), "most classes".to_owned()),
        ],
        caption: "Accuracy on the own test classes over the number of supports of a class, a line for each number of classes.".to_owned(),
        data,
    })
}
