//! Size and quality of the meta-gradient along the training, and whether tasks pull together.

use super::intervals::{measured, written};
use super::strip::{Course, figure, rests_on};
use crate::report::document::{Chapter, Table, decimal, extremes, list};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::training::alignment::{Alignment, AnglePoint};
use crate::training::signal::GradientSignal;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "gradients",
    family: Family::Dynamics,
    title: "Meta-gradients",
    question: "Is there more signal than noise in a meta-gradient, and do the tasks of a step pull together?",
    metrics: &["gradient_signal", "alignment"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let signals: Vec<(&Group<'_>, GradientSignal)> = measured(material.groups);
    let angles: Vec<(&Group<'_>, Alignment)> = measured(material.groups);
    let n_runs = signals.iter().map(|(_, it)| it.n_runs).max()?;
    let ratios: Vec<(&Group<'_>, f64)> = signals
        .iter()
        .filter_map(|(group, it)| Some((*group, it.snr.as_ref()?.value)))
        .collect();
    let (number, finding) = match extremes(&ratios) {
        None => (
            None,
            "Every learner has one task a step, so that signal and noise of its gradient cannot be told apart.".to_owned(),
        ),
        Some(((_, lo), (_, hi))) => {
            let range = format!("{} to {}", decimal(*lo, 1), decimal(*hi, 1));
            let each: Vec<String> = signals
                .iter()
                .filter_map(|(group, it)| {
                    let snr = written(it.snr.as_ref()?, 1.0, 1);
                    Some(format!("{snr} for {}", group.name))
                })
                .collect();
            (
                Some((range, "signal-to-noise ratio of the meta-gradient; 1 would be noise alone".to_owned())),
                format!(
                    "The signal-to-noise ratio of the meta-gradient is {}, from {}.",
                    list(&each),
                    rests_on(n_runs)
                ),
            )
        }
    };
    Some(Chapter {
        number,
        finding: Said::described(finding),
        caveat: "The ratio holds for the meta-batch of the training: with twice as many tasks, a ratio r becomes 2 r − 1. It is an average \
                 over a training in which signal and noise change; the strips show how. Cosines are those of the first eight tasks of a \
                 step."
            .to_owned(),
        figures: strip(&signals, &angles).into_iter().collect(),
        tables: [summary(&signals, &angles), layers(&signals)]
            .into_iter()
            .chain(domains(&angles))
            .collect(),
        ..Chapter::default()
    })
}

fn strip(
    signals: &[(&Group<'_>, GradientSignal)],
    angles: &[(&Group<'_>, Alignment)],
) -> Option<crate::report::document::Figure> {
    let of_angles = |title, level, of: fn(&AnglePoint) -> Option<f64>| Course {
        level,
        ..Course::along(title, angles, |it| {
            let points = it.course.iter();
            let points = points.filter_map(|point| Some((point.step, of(point)?)));
            points.collect()
        })
    };
    let of_signals =
        |title, level, of: fn(&crate::training::signal::SignalPoint) -> Option<f64>| Course {
            logarithmic: true,
            level,
            ..Course::along(title, signals, |it| {
                let points = it.course.iter();
                let points =
                    points.filter_map(|point| Some((point.step, of(point).filter(|v| *v > 0.0)?)));
                points.collect()
            })
        };
    figure(
        "gradient-strip",
        "Along the training, means over runs: norm of the meta-gradient before clipping; its signal-to-noise ratio; mean cosine of the \
         meta-gradients of two tasks, and the share of pairs that pull against each other; cosine of one task's support and query gradient \
         before adaptation; cosine of the parameter changes of two tasks in the inner loop.",
        vec![
            of_signals("norm of the meta-gradient", None, |point| Some(point.norm)),
            of_signals(
                "signal-to-noise ratio",
                Some((1.0, "noise alone")),
                |point| point.snr,
            ),
            of_angles("cosine of two tasks", Some((0.0, "")), |point| point.cosine),
            of_angles("share of pairs in conflict", None, |point| point.conflict),
            of_angles("cosine of support and query", Some((0.0, "")), |point| {
                point.within_task
            }),
            of_angles("cosine of two adaptations", Some((0.0, "")), |point| {
                point.coherence
            }),
        ],
    )
}

fn summary(signals: &[(&Group<'_>, GradientSignal)], angles: &[(&Group<'_>, Alignment)]) -> Table {
    let none = || "none".to_owned();
    let row = |(group, it): &(&Group<'_>, GradientSignal)| {
        let mut of_angles = angles.iter().filter(|(other, _)| other.name == group.name);
        let angle = of_angles.next().map(|(_, it)| it);
        let shown = |estimate: Option<&crate::Estimate>, factor, decimals| {
            estimate.map_or_else(none, |it| written(it, factor, decimals))
        };
        vec![
            group.name.clone(),
            it.n_tasks.to_string(),
            shown(it.snr.as_ref(), 1.0, 1),
            shown(it.noise_scale.as_ref(), 1.0, 0),
            shown(angle.and_then(|it| it.cosine.as_ref()), 1.0, 2),
            shown(angle.and_then(|it| it.conflict.as_ref()), 100.0, 1),
            shown(angle.and_then(|it| it.within_change.as_ref()), 1.0, 2),
            shown(Some(&it.update_ratio), 1000.0, 2),
            shown(Some(&it.clip_rate), 100.0, 1),
        ]
    };
    Table {
        caption: "Means over the training; intervals over runs. Noise scale: the meta-batch beyond which more tasks help little.".to_owned(),
        head: [
            "learner",
            "tasks a step",
            "signal to noise",
            "noise scale, tasks",
            "cosine of two tasks",
            "pairs in conflict, %",
            "change of support-query cosine",
            "update over weight, thousandths",
            "updates clipped, %",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: signals.iter().map(row).collect(),
    }
}

/// Conflicts within and between domains, where a training has several.
fn domains(angles: &[(&Group<'_>, Alignment)]) -> Option<Table> {
    let rows: Vec<Vec<String>> = angles
        .iter()
        .filter_map(|(group, it)| {
            let found = it.domains.as_ref()?;
            Some(vec![
                group.name.clone(),
                format!("{} and {}", found.n_within, found.n_between),
                written(&found.within, 100.0, 1),
                written(&found.between, 100.0, 1),
                written(&found.excess, 100.0, 1),
            ])
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Pairs of training tasks whose meta-gradients pull against each other, by whether both are of one domain; the difference \
                  is paired by run. Intervals over runs."
            .to_owned(),
        head: [
            "learner",
            "pairs of one domain and of two",
            "in conflict within, %",
            "in conflict between, %",
            "difference, pp",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    })
}

fn layers(signals: &[(&Group<'_>, GradientSignal)]) -> Table {
    let rows = signals.iter().flat_map(|(group, it)| {
        it.norms.iter().map(|norm| {
            vec![
                group.name.clone(),
                norm.layer.clone(),
                decimal(norm.median, 4),
                decimal(norm.variation, 2),
                decimal(norm.tail_ratio, 1),
            ]
        })
    });
    Table {
        caption: "Norm of the meta-gradient by layer, over all logged steps of all runs. Variation: standard deviation over mean; rare: \
                  99th percentile over median."
            .to_owned(),
        head: ["learner", "layer", "median norm", "variation", "rare over median"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
    }
}
