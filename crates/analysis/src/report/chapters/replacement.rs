//! Whether one training task decides what is learnt, and how that changes with the number of tasks.

use super::intervals::{measured, written};
use crate::Estimate;
use crate::replacement::coefficient::{Floor, ReplaceOneTask};
use crate::replacement::slope::{ReplaceLine, ReplaceSlopes};
use crate::report::document::{Cell, Chapter, Csv, Figure, Table};
use crate::report::group::{Group, distinct};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, Series, heading};
use crate::words::Words;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "one-task",
    family: Family::Generalization,
    title: "One training task",
    question: "Does training give another learner if one task of the training pool is exchanged?",
    metrics: &[
        <ReplaceOneTask as crate::Measure>::ID,
        <ReplaceSlopes as crate::Measure>::ID,
    ],
    write: chapter,
};

/// The look of what theory says.
const THEORY: Series = Series(5);

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, ReplaceOneTask)> = measured(material.groups);
    let (_, first) = found.first()?;
    let words = Words::of(&material.analysis.options);
    let unit = words.loss_unit();
    let slopes: Option<ReplaceSlopes> = material.analysis.all.get();
    let lines = slopes.map_or_else(Vec::new, |slopes| slopes.lines);
    let most = found
        .iter()
        .max_by(|a, b| a.1.beta.value.total_cmp(&b.1.beta.value))?;
    let floors: Vec<Floor> = found.iter().filter_map(|(_, it)| it.floor).collect();
    let floor = if floors.is_empty() {
        "No training was made again, so the noise floor is not known.".to_owned()
    } else if floors.iter().all(Floor::is_exactly_zero) {
        let n: usize = floors.iter().map(|floor| floor.n_repeats).sum();
        format!(
            "With nothing exchanged, {n} of {n} repeated trainings end in the same bits: the noise floor is exactly 0."
        )
    } else {
        let most = floors.iter().map(|floor| floor.loss).fold(0.0, f64::max);
        format!(
            "With nothing exchanged, repeated trainings change losses by up to {most:.2e}{unit}: changes up to that size are noise."
        )
    };
    let steepest = lines.iter().filter_map(|line| {
        let slope = line.slope.as_ref()?;
        Some(format!("n^{} for {}", written(slope, 1.0, 2), line.learner))
    });
    let rates: Vec<String> = steepest.collect();
    let rate = if rates.is_empty() {
        String::new()
    } else {
        format!(
            " It scales with the number of tasks like {}.",
            rates.join(", ")
        )
    };
    Some(Chapter {
        number: Some((
            format!("{}{unit}", number(most.1.beta.value, 3)),
            format!(
                "change of the query loss of a test task when one of {} training tasks of {} is exchanged",
                most.1.pool, most.0.learner
            ),
        )),
        finding: Said::described(format!(
            "Exchanging one training task changes the query loss of a test task by {} to {}{unit} on average.{rate} {floor}",
            number(
                found
                    .iter()
                    .map(|(_, it)| it.beta.value)
                    .fold(f64::INFINITY, f64::min),
                4
            ),
            number(most.1.beta.value, 4)
        )),
        caveat: format!(
            "Means over {} exchanges a pool. The exchanged tasks are the first members of each pool, which are the same in pools of every \
             size; members are in no particular order. Every training makes the same number of steps, so a task of a larger pool is seen \
             less often. Convex smooth losses would give slope -1; where training amplifies small differences, any exchange grows to about \
             the same size and the slope is flat. The largest change of a single test task is a lower estimate of uniform stability.{}",
            first.n_exchanges,
            few_seeds(found.iter().map(|(_, it)| it.n_seeds).min())
        ),
        figures: figure(&found, words).into_iter().collect(),
        tables: vec![table(&found, words), rates_table(&lines)]
            .into_iter()
            .filter(|table| !table.rows.is_empty())
            .collect(),
        ..Chapter::default()
    })
}

/// Seeds from which on drawing them anew tells how far their mean may be off.
const ENOUGH_SEEDS: usize = 5;

/// What the intervals leave out where there are few seeds.
fn few_seeds(fewest: Option<usize>) -> String {
    match fewest {
        Some(n) if n < ENOUGH_SEEDS => format!(
            " The intervals resample seeds, and {n} seeds show less scatter than all seeds would, so the intervals are too narrow."
        ),
        _ => String::new(),
    }
}

fn table(found: &[(&Group<'_>, ReplaceOneTask)], words: Words<'_>) -> Table {
    let floor = |floor: Option<Floor>| match floor {
        None => "not measured".to_owned(),
        Some(floor) if floor.is_exactly_zero() => "exactly 0".to_owned(),
        Some(floor) => format!("{:.1e}", floor.loss),
    };
    Table {
        caption: words.text(
            "Change of the query loss of test tasks in nats; parameters: distance over length after the last step. Noise floor: largest \
             change when the same training is made again.",
        ),
        head: [
            "learner", "tasks n", "coefficient", "noise floor", "largest change", "signed change", "parameters, %", "seeds × exchanges",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: found
            .iter()
            .map(|(group, it)| {
                let lost = if it.n_lost == 0 {
                    String::new()
                } else {
                    format!(", {} blew up", it.n_lost)
                };
                vec![
                    group.learner.to_owned(),
                    it.pool.to_string(),
                    written(&it.beta, 1.0, 4),
                    floor(it.floor),
                    number(it.largest, 3),
                    written(&it.signed, 1.0, 4),
                    written(&it.distance, 100.0, 2),
                    format!("{} × {}{lost}", it.n_seeds, it.n_exchanges / it.n_seeds.max(1)),
                ]
            })
            .collect(),
    }
}

fn rates_table(lines: &[ReplaceLine]) -> Table {
    Table {
        caption:
            "Slope of the logarithm of the coefficient on that of the number of tasks; -1 is 1/n."
                .to_owned(),
        head: ["learner", "tasks", "slope", "interval"]
            .map(str::to_owned)
            .to_vec(),
        rows: lines
            .iter()
            .filter_map(|line| {
                let slope = line.slope.as_ref()?;
                let sizes: Vec<String> = line
                    .pools
                    .iter()
                    .map(|(size, _)| size.to_string())
                    .collect();
                Some(vec![
                    line.learner.clone(),
                    sizes.join(", "),
                    written(slope, 1.0, 2),
                    slope
                        .interval
                        .as_ref()
                        .map_or_else(String::new, |i| i.method.clone()),
                ])
            })
            .collect(),
    }
}

/// A quantity that is drawn over the size of the pool.
struct Drawn {
    name: &'static str,
    /// Of the vertical axis, with its unit.
    axis: &'static str,
    factor: f64,
    of: fn(&ReplaceOneTask) -> &Estimate,
    /// Whether theory says how it falls.
    has_theory: bool,
}

impl Drawn {
    /// The axis in the unit of the losses, which are no nats where scores are errors.
    fn axis_in(&self, words: Words<'_>) -> String {
        if words.are_shares() {
            self.axis.to_owned()
        } else {
            self.axis.replace(", nats", "")
        }
    }
}

const DRAWN: [Drawn; 2] = [
    Drawn {
        name: "coefficient",
        axis: "change of the query loss, nats",
        factor: 1.0,
        of: |it| &it.beta,
        has_theory: true,
    },
    Drawn {
        name: "parameters",
        axis: "distance of the parameters, %",
        factor: 100.0,
        of: |it| &it.distance,
        has_theory: false,
    },
];

/// The pools of one learner in one setting, by size.
type Curve<'f, 'g> = (&'f Group<'g>, Vec<&'f ReplaceOneTask>);

/// Coefficient and parameter distance over the size of the pool, a pair of panels for each setting.
fn figure(found: &[(&Group<'_>, ReplaceOneTask)], words: Words<'_>) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,tasks,quantity,value,lower,upper");
    let mut panels = Vec::new();
    for setting in distinct(found.iter().map(|(_, it)| it.setting.as_str())) {
        let own = || found.iter().filter(|(_, it)| it.setting == setting);
        let curve = |learner: &&str| -> Option<Curve<'_, '_>> {
            let of_learner = || own().filter(|(group, _)| group.learner == *learner);
            let mut pools: Vec<&ReplaceOneTask> = of_learner().map(|(_, it)| it).collect();
            pools.sort_by_key(|it| it.pool);
            Some((of_learner().next()?.0, pools))
        };
        let learners = distinct(own().map(|(group, _)| group.learner));
        let curves: Vec<Curve<'_, '_>> = learners.iter().filter_map(curve).collect();
        for drawn in &DRAWN {
            let id = format!("one-task-plot-{}", panels.len());
            panels.extend(panel(&id, setting, drawn, &curves, words, &mut data));
        }
    }
    let mut learners: Vec<&Group<'_>> = Vec::new();
    for (group, _) in found {
        if !learners.iter().any(|it| it.learner == group.learner) {
            learners.push(group);
        }
    }
    let mut legend: Vec<(String, String)> = learners
        .iter()
        .map(|group| (group.series.swatch(true), group.learner.to_owned()))
        .collect();
    legend.push((
        THEORY.swatch(false),
        "slope -1, as under convex smooth losses, through the first point of the first learner"
            .to_owned(),
    ));
    (!panels.is_empty()).then(|| Figure {
        id: "one-task-plot".to_owned(),
        panels,
        legend,
        caption: "Replace-one-task coefficient, and distance of the parameters over their length, with bootstrap intervals, over the \
                  number of tasks of the pool; logarithmic axes."
            .to_owned(),
        data,
    })
}

/// None where nothing is above 0, which has no place on a logarithmic axis.
fn panel(
    id: &str,
    setting: &str,
    drawn: &Drawn,
    curves: &[Curve<'_, '_>],
    units: Words<'_>,
    data: &mut Csv,
) -> Option<String> {
    let limits = |it: &ReplaceOneTask| {
        let estimate = (drawn.of)(it);
        let interval = estimate.interval.as_ref();
        [
            interval.map_or(estimate.value, |i| i.lower),
            estimate.value,
            interval.map_or(estimate.value, |i| i.upper),
        ]
        .map(|value| drawn.factor * value)
    };
    let pools = || curves.iter().flat_map(|(_, pools)| pools);
    let x = Axis {
        title: "tasks of the pool".to_owned(),
        extent: Extent::of(pools().map(|it| it.pool as f64))?,
        logarithmic: true,
    };
    let y = Axis {
        title: drawn.axis_in(units),
        extent: Extent::of(
            pools()
                .flat_map(|it| limits(it))
                .filter(|value| *value > 0.0),
        )?,
        logarithmic: true,
    };
    let mut panel = Panel::new(&heading(setting, drawn.name), &x, &y, 280.0);
    let mut words = Vec::new();
    for (group, pools) in curves {
        let points = pools.iter().map(|it| (it.pool as f64, limits(it)));
        let points: Vec<(f64, [f64; 3])> = points.collect();
        let line: Vec<(f64, f64)> = points.iter().map(|(n, limits)| (*n, limits[1])).collect();
        let band: Vec<(f64, f64, f64)> = points
            .iter()
            .map(|(n, limits)| (*n, limits[0], limits[2]))
            .collect();
        panel.band(group.series, "band80", &band);
        panel.line(group.series, "line", &line);
        panel.dots(group.series, "dot", 3.0, &line);
        for (it, (_, limits)) in pools.iter().zip(&points) {
            data.row(&[
                Cell::Text(setting),
                Cell::Text(group.learner),
                Cell::Count(it.pool),
                Cell::Text(drawn.name),
                Cell::Number(limits[1] / drawn.factor),
                Cell::Number(limits[0] / drawn.factor),
                Cell::Number(limits[2] / drawn.factor),
            ]);
            words.push(format!(
                "{} at {} tasks {}",
                group.learner,
                it.pool,
                number(limits[1], 3)
            ));
        }
    }
    if let (true, Some((_, pools))) = (drawn.has_theory, curves.first())
        && let (Some(first), Some(last)) = (pools.first(), pools.last())
    {
        let (from, to, start) = (first.pool as f64, last.pool as f64, limits(first)[1]);
        panel.line(THEORY, "line", &[(from, start), (to, start * from / to)]);
    }
    let title = format!(
        "{}, over the number of tasks, {setting}",
        drawn.axis_in(units)
    );
    Some(panel.finish(id, &title, &format!("{}.", words.join("; "))))
}
