//! What another inner step size does, and how far training stays from the bound of curvature.

use super::intervals::measured;
use crate::probe::step_sizes::{Margin, StepSizes};
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, percent};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, Series, heading};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "step-sizes",
    family: Family::Adaptation,
    title: "Inner step size",
    question: "How far may the inner step size be off before adaptation fails?",
    metrics: &["step_sizes"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, StepSizes)> = measured(material.groups);
    let (group, tightest) = found
        .iter()
        .min_by(|a, b| median(&a.1).total_cmp(&median(&b.1)))?;
    let number_of = tightest.margin_at_theta.map(|margin| {
        (
            number(margin.median, 2),
            format!(
                "median stability margin 2/(α λmax) of {} at its step size",
                group.name
            ),
        )
    });
    let critical = tightest.critical.map_or_else(
        || "at none of the step sizes tried".to_owned(),
        |alpha| format!("from step size {} on", number(alpha, 3)),
    );
    let verdict = tightest.margin_at_theta.map_or_else(String::new, |margin| {
        format!(
            " Its margin 2/(α λmax) is {} (median), below 1 on {} % of tasks, where plain descent on the local quadratic would be \
             unstable.",
            number(margin.median, 2),
            percent(margin.below_one)
        )
    });
    Some(Chapter {
        number: number_of,
        finding: Said::described(format!(
            "{} was trained with inner step size {}; the support loss grows at some step on more than 5 % of tasks {critical}.{verdict}",
            group.name,
            number(tightest.trained, 3)
        )),
        caveat: "The bound is that of a quadratic; larger steps may still descend a loss whose curvature falls along the path. Step sizes \
                 vary at test only: each learner was trained with its own step size."
            .to_owned(),
        figures: sweeps(&found).into_iter().collect(),
        tables: vec![table(&found)],
        ..Chapter::default()
    })
}

fn median(sizes: &StepSizes) -> f64 {
    sizes
        .margin_at_theta
        .map_or(f64::INFINITY, |margin| margin.median)
}

fn table(found: &[(&Group<'_>, StepSizes)]) -> Table {
    let margin = |margin: &Option<Margin>| {
        margin.map_or_else(
            || "none".to_owned(),
            |m| {
                format!(
                    "{} [{}, {}]",
                    number(m.median, 2),
                    number(m.lower, 2),
                    number(m.upper, 2)
                )
            },
        )
    };
    Table {
        caption: "Margins: median and quartiles over tasks and runs. Basin: step sizes around the best within the margin of the analysis."
            .to_owned(),
        head: [
            "learner", "trained with", "best", "basin, decades", "critical", "margin at theta", "margin after adaptation", "tasks with margin below 1, %",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: found
            .iter()
            .map(|(group, sizes)| {
                vec![
                    group.name.clone(),
                    number(sizes.trained, 3),
                    number(sizes.best, 3),
                    number(sizes.basin_decades, 2),
                    sizes.critical.map_or_else(|| "none tried".to_owned(), |alpha| number(alpha, 3)),
                    margin(&sizes.margin_at_theta),
                    margin(&sizes.margin_at_phi),
                    sizes.margin_at_theta.map_or_else(|| "none".to_owned(), |m| percent(m.below_one)),
                ]
            })
            .collect(),
    }
}

fn sweeps(found: &[(&Group<'_>, StepSizes)]) -> Option<Figure> {
    let mut data = Csv::new(
        "setting,learner,step_size,accuracy,lower,upper,share_of_tasks_with_rising_support_loss",
    );
    let y = Axis::new(
        "accuracy; tasks with rising support loss, %",
        Extent::of([0.0, 100.0])?,
    );
    let mut panels = Vec::new();
    for (group, sizes) in found {
        let x = Axis {
            title: "inner step size".to_owned(),
            extent: Extent::of(sizes.sweep.iter().map(|at| at.step_size))?,
            logarithmic: true,
        };
        let mut panel = Panel::new(&heading(&group.name, "step sizes"), &x, &y, 260.0);
        let (mut band, mut line, mut rising) = (Vec::new(), Vec::new(), Vec::new());
        for at in &sizes.sweep {
            let interval = at.accuracy.interval.as_ref();
            let (lower, upper) = interval.map_or((at.accuracy.value, at.accuracy.value), |i| {
                (i.lower, i.upper)
            });
            band.push((at.step_size, 100.0 * lower, 100.0 * upper));
            line.push((at.step_size, 100.0 * at.accuracy.value));
            rising.push((at.step_size, 100.0 * at.rose));
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Number(at.step_size),
                Cell::Number(at.accuracy.value),
                Cell::Number(lower),
                Cell::Number(upper),
                Cell::Number(at.rose),
            ]);
        }
        panel.band(group.series, "band80", &band);
        panel.line(group.series, "median", &line);
        panel.dots(group.series, "dot", 3.0, &line);
        panel.line(Series(5), "line", &rising);
        panel.upright(sizes.trained, "reference");
        panels.push(panel.finish(
            &format!("step-sizes-plot-{}", panels.len()),
            &format!("Accuracy over inner step sizes, {}", group.name),
            &format!(
                    "Best {} % at step size {}; trained with {}.",
                    number(
                        100.0
                            * sizes
                                .sweep
                                .iter()
                                .map(|at| at.accuracy.value)
                                .fold(0.0, f64::max),
                        1
                    ),
                    number(sizes.best, 3),
                    number(sizes.trained, 3)
                ),
        ));
    }
    Some(Figure {
        id: "step-sizes-plot".to_owned(),
        panels,
        legend: vec![(Series(5).swatch(false), "tasks whose support loss rises at some step".to_owned())],
        caption: "Accuracy after the inner steps of the test (color of the learner, with its interval) and share of tasks whose support \
                  loss rises, at inner step sizes around that of training (vertical line)."
            .to_owned(),
        data,
    })
}
