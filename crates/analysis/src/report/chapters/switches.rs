//! How learners come through tasks that switch.

use super::intervals::{measured, values};
use crate::probe::switches::{Kind, OfKind, Switches, WINDOW, in_words, negated, running_means};
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, extremes, percent};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::{Axis, Extent, Panel};
use crate::words::Words;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "switches",
    family: Family::Shift,
    title: "Tasks that switch",
    question: "How far does a learner that goes on learning fall when its tasks switch, and how soon is it back?",
    metrics: &["switches"],
    write: chapter,
};

type Found<'g, 'a> = [(&'g Group<'a>, Switches)];

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Switches)> = measured(material.groups);
    let largest = |it: &Switches| {
        let drops = it.kinds.iter().map(|kind| kind.drop.value);
        drops.fold(f64::NEG_INFINITY, f64::max)
    };
    let drops = values(&found, largest);
    let ((_, lo), (_, hi)) = extremes(&drops)?;
    let told: Vec<String> = found
        .iter()
        .flat_map(|(group, it)| {
            it.kinds.iter().map(move |of| {
                format!(
                    "{}, {}: {}",
                    group.name,
                    of.kind.name(),
                    in_words(&of.recovery, it.n_after)
                )
            })
        })
        .collect();
    Some(Chapter {
        number: Some((
            format!("{} to {} pp", percent(*lo), percent(*hi)),
            "largest fall of each learner when its tasks switch".to_owned(),
        )),
        finding: Said::described(format!(
            "Back within one standard deviation of the accuracy before the switch: {}.",
            told.join("; ")
        )),
        caveat: "The online learner takes one outer step on one task after each episode, with the optimizer and the step size of its training and new \
                 moments. The told learner took as many steps before the switch, on other episodes of the new distribution. What is lost while \
                 learning on single tasks is in all figures, also before the switch."
            .to_owned(),
        figures: figure(&found).into_iter().collect(),
        tables: vec![table(&found, Words::of(&material.analysis.options))],
        ..Chapter::default()
    })
}

fn table(found: &Found<'_, '_>, words: Words<'_>) -> Table {
    let row = |group: &Group<'_>, it: &Switches, of: &OfKind| {
        vec![
            group.name.clone(),
            of.kind.name().to_owned(),
            words.bare_points_with(&of.level),
            words.bare_points_with(&negated(&of.drop)),
            in_words(&of.recovery, it.n_after),
            words.bare_points_with(&of.regret),
            words.bare_points_with(&of.gain),
            format!("{} of {}", of.n_diverged, it.n_runs * it.n_streams),
        ]
    };
    Table {
        caption: format!(
            "Change: first {WINDOW} episodes after the switch less the level before. Regret: told less online, mean over the episodes after the \
             switch. Gain: online less frozen on the last {WINDOW} episodes."
        ),
        head: [
            "learner",
            "switch to",
            "level, % [CI]",
            "change, pp [CI]",
            "recovery",
            "regret, pp [CI]",
            "gain, pp [CI]",
            "diverged streams",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: found
            .iter()
            .flat_map(|(group, it)| it.kinds.iter().map(|of| row(group, it, of)))
            .collect(),
    }
}

/// A panel for each kind and learner that goes on or not, a line for each learner, smoothed.
fn figure(found: &Found<'_, '_>) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,switch,model,episode,accuracy");
    let mut panels = Vec::new();
    let n = found.iter().map(|(_, it)| (it.n_before, it.n_after));
    let (n_before, n_after) = n.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))?;
    let x = Axis::new(
        "episodes after the switch",
        Extent::of([-(n_before as f64), n_after as f64])?,
    );
    let y = Axis::new("accuracy, %", Extent::of([0.0, 100.0])?);
    for kind in Kind::ALL {
        for (model, which) in [("online", 0), ("frozen", 1), ("told", 2)] {
            let mut panel = Panel::new(&format!("{}: {model}", kind.name()), &x, &y, 210.0);
            let mut words = Vec::new();
            for (group, it) in found {
                let Some(of) = it.kinds.iter().find(|of| of.kind == kind) else {
                    continue;
                };
                let start = if which == 2 {
                    0.0
                } else {
                    -(it.n_before as f64)
                };
                for (at, value) in of.curves[which].iter().enumerate() {
                    data.row(&[
                        Cell::Text(group.setting),
                        Cell::Text(group.learner),
                        Cell::Text(kind.name()),
                        Cell::Text(model),
                        Cell::Number(start + at as f64),
                        Cell::Number(*value),
                    ]);
                }
                let window = WINDOW.min(it.n_before);
                let line: Vec<(f64, f64)> = smoothed(&of.curves[which], start, window);
                panel.line(group.series, "line", &line);
                if let (Some(first), Some(last)) = (line.first(), line.last()) {
                    words.push(format!(
                        "{} from {:.1} % to {:.1} %",
                        group.name, first.1, last.1
                    ));
                }
            }
            if words.is_empty() {
                continue;
            }
            panels.push(panel.finish(
                &format!("switches-plot-{}", panels.len()),
                &format!(
                    "Accuracy around the switch to {}, {model} learner",
                    kind.name()
                ),
                &format!("{}.", words.join("; ")),
            ));
        }
    }
    (!panels.is_empty()).then(|| Figure {
        id: "switches-plot".to_owned(),
        panels,
        legend: found
            .iter()
            .map(|(group, _)| (group.series.swatch(true), group.name.clone()))
            .collect(),
        caption: format!(
            "Accuracy by episode, mean over runs and streams, running means of {WINDOW} episodes that lie on one side of the switch."
        ),
        data,
    })
}

/// Running means in percent at the middle of their windows, none of which lies on both sides of the switch.
fn smoothed(curve: &[f64], start: f64, window: usize) -> Vec<(f64, f64)> {
    let n_before = (-start) as usize;
    let parts = [(start, &curve[..n_before]), (0.0, &curve[n_before..])];
    let mut points = Vec::new();
    for (first, part) in parts {
        let middle = first + (window as f64 - 1.0) / 2.0;
        let means = running_means(part, window);
        points.extend(
            means
                .iter()
                .enumerate()
                .map(|(at, mean)| (middle + at as f64, 100.0 * mean)),
        );
    }
    points
}
