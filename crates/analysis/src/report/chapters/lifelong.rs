//! Classes that come one after the other: what is known at the end, what was lost on the way, what the order does.

use super::intervals::{measured, written};
use crate::estimate::Estimate;
use crate::probe::lifelong::{Lifelong, OfHead, Point};
use crate::record::answers::lifelong::Head;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, count, list, percent};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, heading, matrix};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "lifelong",
    family: Family::Adaptation,
    title: "Streams of classes",
    question: "How well are classes remembered that came one after the other, one image at a time?",
    metrics: &["lifelong"],
    write: chapter,
};

const HEADS: [Head; 3] = [Head::Linear, Head::Prototypes, Head::InnerLoop];

type Found<'g, 'a> = [(&'g Group<'a>, Lifelong)];

/// What one head of each learner knew, for those that have it.
fn of<'f, 'g, 'a>(found: &'f Found<'g, 'a>, head: Head) -> Vec<(&'g Group<'a>, &'f OfHead)> {
    let own = |it: &'f Lifelong| it.heads.iter().find(|own| own.head == head);
    let each = found.iter().map(|(group, it)| (*group, own(it)));
    each.filter_map(|(group, it)| Some((group, it?))).collect()
}

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Lifelong)> = measured(material.groups);
    let (group, sizes) = found.first()?;
    let linear = sizes.heads.iter().find(|it| it.head == Head::Linear)?;
    let end = linear.curve.last()?;
    let each: Vec<String> = found
        .iter()
        .map(|(group, it)| {
            let heads = it.heads.iter().filter_map(|head| {
                let end = head.curve.last()?;
                let (seen, known) = (percent(end.seen.value), percent(end.retained.value));
                let of = match end.n_classes {
                    n if n == it.heads[0].curve.last()?.n_classes => String::new(),
                    n => format!(", {n} classes"),
                };
                Some(format!(
                    "{seen} % and {known} % with its {}{of}",
                    head.head.name()
                ))
            });
            format!("{} {}", group.name, list(&heads.collect::<Vec<_>>()))
        })
        .collect();
    let finding = format!(
        "Accuracy at the end of a stream of {} classes, on new images and on those of the stream: {}.",
        end.n_classes,
        each.join("; ")
    );
    let mut figures: Vec<Figure> = curves(&found).into_iter().collect();
    figures.extend(matrices(&found));
    Some(Chapter {
        number: Some((
            format!("{} %", percent(end.seen.value)),
            format!(
                "of new images classified correctly by {} with a linear head after {} classes",
                group.name, end.n_classes
            ),
        )),
        finding: Said::described(finding),
        caveat: format!(
            "Each class comes once, with {} in a row, each seen once; {} of the class test it. Classes and images are the same in each of {} \
             orders. No weights were trained for streams. Features are those of an image by itself, under stored statistics or those of a \
             batch of training images. Step sizes are chosen on validation classes. The inner loop moves the whole network that its learner \
             moves, from a head of zeros, and has 256 classes at most.",
            count(sizes.n_images, "image"),
            count(sizes.n_queries, "new image"),
            sizes.n_orders
        ),
        figures,
        tables: HEADS
            .into_iter()
            .filter_map(|head| accuracies(&found, head))
            .chain([transfers(&found)])
            .collect(),
        ..Chapter::default()
    })
}

/// Accuracy by number of classes, new images before those of the stream.
fn accuracies(found: &Found<'_, '_>, head: Head) -> Option<Table> {
    let own = of(found, head);
    let longest = own.iter().max_by_key(|(_, it)| it.curve.len())?;
    let counts: Vec<usize> = longest
        .1
        .curve
        .iter()
        .map(|point| point.n_classes)
        .collect();
    let cell = |it: &OfHead, n_classes: usize| {
        let point = it.curve.iter().find(|point| point.n_classes == n_classes);
        point.map_or_else(
            || "not asked".to_owned(),
            |point| {
                let seen = written(&point.seen, 100.0, 1);
                format!("{seen}; {}", number(100.0 * point.retained.value, 1))
            },
        )
    };
    Some(Table {
        caption: format!(
            "{}: accuracy in % on new images of all classes of the stream at its end, with its interval; on the images of the stream.",
            sentence_case(head.name())
        ),
        head: std::iter::once("learner".to_owned())
            .chain(counts.iter().map(|n| format!("{n} classes")))
            .collect(),
        rows: own
            .iter()
            .map(|(group, it)| {
                std::iter::once(group.name.clone())
                    .chain(counts.iter().map(|n| cell(it, *n)))
                    .collect()
            })
            .collect(),
    })
}

fn sentence_case(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |letter| {
        letter.to_uppercase().chain(letters).collect()
    })
}

fn transfers(found: &Found<'_, '_>) -> Table {
    let row = |group: &Group<'_>, it: &OfHead| -> Option<Vec<String>> {
        let end = it.curve.last()?;
        let order = match &end.order_sd {
            _ if it.is_order_blind => "exactly 0".to_owned(),
            Some(sd) => written(sd, 100.0, 2),
            None => "not asked".to_owned(),
        };
        Some(vec![
            format!("{}: {}", group.name, it.head.name()),
            end.n_classes.to_string(),
            written(&it.backward, 100.0, 2),
            written(&it.forgetting, 100.0, 2),
            order,
        ])
    };
    Table {
        caption: "The longest stream of each head. Backward transfer: accuracy on each block of classes at the end less that right after the block, \
                  mean over all blocks but the last (Lopez-Paz & Ranzato 2017). Forgetting: the peak before the end less the end (Chaudhry et al. 2018)."
            .to_owned(),
        head: ["learner and head", "classes", "backward transfer, pp", "forgetting, pp", "SD over orders, pp"]
            .map(str::to_owned)
            .to_vec(),
        rows: found
            .iter()
            .flat_map(|(group, it)| it.heads.iter().filter_map(|head| row(group, head)))
            .collect(),
    }
}

/// What an accuracy is on, and where it stands.
type Pick = (&'static str, fn(&Point) -> &Estimate);

const PICKS: [Pick; 2] = [
    ("new images", |point| &point.seen),
    ("images of the stream", |point| &point.retained),
];

fn limits(accuracy: &Estimate) -> [f64; 3] {
    let interval = accuracy.interval.as_ref();
    let (lower, upper) =
        interval.map_or((accuracy.value, accuracy.value), |it| (it.lower, it.upper));
    [lower, accuracy.value, upper].map(|value| 100.0 * value)
}

fn curves(found: &Found<'_, '_>) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,head,images,classes,accuracy,lower,upper");
    let all = || found.iter().flat_map(|(_, it)| &it.heads);
    let counts = all().flat_map(|it| it.curve.iter().map(|point| point.n_classes as f64));
    let x = Axis {
        title: "classes of the stream".to_owned(),
        extent: Extent::of(counts)?,
        logarithmic: true,
    };
    let y = Axis::new("accuracy, %", Extent::of([0.0, 100.0])?);
    let mut panels = Vec::new();
    for head in HEADS {
        let own = of(found, head);
        if own.is_empty() {
            continue;
        }
        for (what, pick) in PICKS {
            let title = heading(&sentence_case(head.name()), what);
            let mut panel = Panel::new(&title, &x, &y, 240.0);
            let mut words = Vec::new();
            for (group, it) in &own {
                let points: Vec<(f64, [f64; 3])> = it
                    .curve
                    .iter()
                    .map(|point| (point.n_classes as f64, limits(pick(point))))
                    .collect();
                let band: Vec<(f64, f64, f64)> =
                    points.iter().map(|(n, at)| (*n, at[0], at[2])).collect();
                let line: Vec<(f64, f64)> = points.iter().map(|(n, at)| (*n, at[1])).collect();
                panel.band(group.series, "band80", &band);
                panel.line(group.series, "line", &line);
                panel.dots(group.series, "dot", 3.0, &line);
                if let (Some(few), Some(many)) = (line.first(), line.last()) {
                    words.push(format!(
                        "{} from {:.1} % to {:.1} %",
                        group.name, few.1, many.1
                    ));
                }
                for point in &it.curve {
                    let [lower, value, upper] = limits(pick(point)).map(|value| value / 100.0);
                    data.row(&[
                        Cell::Text(group.setting),
                        Cell::Text(group.learner),
                        Cell::Text(head.name()),
                        Cell::Text(what),
                        Cell::Count(point.n_classes),
                        Cell::Number(value),
                        Cell::Number(lower),
                        Cell::Number(upper),
                    ]);
                }
            }
            panels.push(panel.finish(
                &format!("lifelong-plot-{}", panels.len()),
                &format!(
                    "Accuracy on {what} by classes of the stream, {}",
                    head.name()
                ),
                &format!("{}.", words.join("; ")),
            ));
        }
    }
    Some(Figure {
        id: "lifelong-plot".to_owned(),
        panels,
        legend: found
            .iter()
            .map(|(group, _)| (group.series.swatch(true), group.name.clone()))
            .collect(),
        caption: "Accuracy at the end of a stream over the number of its classes, mean over runs and orders, with its interval.".to_owned(),
        data,
    })
}

fn matrices(found: &Found<'_, '_>) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,head,after_block,block,accuracy");
    let mut panels = Vec::new();
    for (group, it) in found {
        for head in &it.heads {
            let names: Vec<String> = (1..=head.n_blocks).map(|block| block.to_string()).collect();
            let mut table = Vec::new();
            for (after, row) in head.matrix.chunks_exact(head.n_blocks.max(1)).enumerate() {
                // What is still to come is blank.
                let known = row.iter().enumerate();
                table.push(
                    known
                        .map(|(of, value)| (of <= after).then_some(*value))
                        .collect(),
                );
                for (of, value) in row.iter().enumerate() {
                    data.row(&[
                        Cell::Text(group.setting),
                        Cell::Text(group.learner),
                        Cell::Text(head.head.name()),
                        Cell::Count(after + 1),
                        Cell::Count(of + 1),
                        Cell::Number(*value),
                    ]);
                }
            }
            let classes = head.curve.last().map_or(0, |point| point.n_classes);
            let above = heading(
                &group.name,
                &format!("{}, {classes} classes", head.head.name()),
            );
            panels.push(matrix(
                &above,
                &names,
                &table,
                1.0,
                |value| number(100.0 * value, 0),
                (
                    &format!("lifelong-matrix-{}", panels.len()),
                    &format!(
                        "Accuracy on each block after each block, {}, {}",
                        group.name,
                        head.head.name()
                    ),
                    &format!(
                        "Backward transfer {} pp, forgetting {} pp.",
                        number(100.0 * head.backward.value, 1),
                        number(100.0 * head.forgetting.value, 1)
                    ),
                ),
            ));
        }
    }
    (!panels.is_empty()).then(|| Figure {
        id: "lifelong-matrix".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Forgetting: accuracy in % on new images of each block of classes (columns) right after each block (rows) of the longest \
                  stream, mean over runs and orders. A column that fades from its diagonal downwards shows a block that is being forgotten."
            .to_owned(),
        data,
    })
}
