//! The alphabets of the task map: which are hard, and on which a learner is unstable.

use crate::estimate::Estimate;
use crate::findings::Certainty;
use crate::probe::alphabets::AlphabetStability;
use crate::probe::task_map::TaskMap;
use crate::report::document::{Cell, Csv, Figure, Table, decimal, percent, percent_range};
use crate::report::group::Group;
use crate::report::said::{Basis, Said};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Rows, heading};

/// Rows of a table or a panel: the lowest of each learner.
const MOST: usize = 10;

/// The hardest alphabet of all learners, for the chapter's finding; empty if classes are not known.
pub(super) fn finding(found: &[(&Group<'_>, TaskMap)]) -> Said {
    let lowest = found
        .iter()
        .filter_map(|(group, map)| Some((group, map.alphabets.first()?)));
    let Some((group, alphabet)) =
        lowest.min_by(|a, b| a.1.accuracy.value.total_cmp(&b.1.accuracy.value))
    else {
        return Said::default();
    };
    let (certainty, verdict) = if alphabet.is_below {
        (Certainty::Distinguishable, "")
    } else {
        (
            Certainty::NotDistinguishable,
            ", which is not distinguishable from the mean of all",
        )
    };
    let text = format!(
        "The hardest is {} for {} ({} %{verdict}).",
        alphabet.name,
        group.name,
        percent(alphabet.accuracy.value)
    );
    Said::carried(text, Basis::of(&[*group], certainty))
}

/// The lowest alphabets of every learner, one panel each.
pub(super) fn figure(found: &[(&Group<'_>, TaskMap)]) -> Option<Figure> {
    let shown = || {
        let with = found.iter().filter(|(_, map)| !map.alphabets.is_empty());
        with.map(|(group, map)| (*group, lowest(map)))
    };
    let ends = |it: &AlphabetStability| {
        let interval = it.accuracy.interval.as_ref();
        interval.map_or([it.accuracy.value; 2], |i| [i.lower, i.upper])
    };
    let values = shown().flat_map(|(_, rows)| rows.iter().flat_map(ends).collect::<Vec<_>>());
    let extent = Extent::of(values.map(|value| 100.0 * value))?;
    let axis = Axis::new("accuracy, %", extent.padded(0.04, 1e-6, 0.0, 100.0));
    let mut data =
        Csv::new("setting,learner,alphabet,slots,accuracy,lower,upper,below,seed_sd,support_sd");
    let mut panels = Vec::new();
    for (group, rows) in shown() {
        let names: Vec<String> = rows.iter().map(|it| it.name.clone()).collect();
        let mut panel = Rows::new(
            &heading(&group.name, "hardest alphabets"),
            &axis,
            &names,
            22.0,
        );
        let mut words = Vec::new();
        for (row, it) in rows.iter().enumerate() {
            let [lower, upper] = ends(it);
            let (value, low, high) = (100.0 * it.accuracy.value, 100.0 * lower, 100.0 * upper);
            panel.interval(row, 0.0, group.series, "dot", low, value, high);
            panel.text(row, low, high, &number(value, 1));
            words.push(format!("{} {} %", it.name, number(value, 1)));
            let sd = |estimate: &Option<Estimate>| {
                Cell::Number(estimate.as_ref().map_or(f64::NAN, |it| it.value))
            };
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Text(&it.name),
                Cell::Count(it.n_slots),
                Cell::Number(it.accuracy.value),
                Cell::Number(lower),
                Cell::Number(upper),
                Cell::Count(usize::from(it.is_below)),
                sd(&it.seed_sd),
                sd(&it.support_sd),
            ]);
        }
        panels.push(panel.finish(
            &format!("alphabets-plot-{}", panels.len()),
            &format!("Accuracy by alphabet, {}", group.name),
            &format!("{}.", words.join("; ")),
        ));
    }
    (!panels.is_empty()).then(|| Figure {
        id: "alphabets-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Accuracy on the queries of the alphabets with the lowest, with the interval of crossed runs and times in a test task."
            .to_owned(),
        data,
    })
}

/// The lowest alphabets of every learner, with their spreads.
pub(super) fn table(found: &[(&Group<'_>, TaskMap)]) -> Table {
    let interval = |estimate: &Estimate| {
        estimate.interval.as_ref().map_or_else(String::new, |i| {
            format!(" {}", percent_range(i.lower, i.upper))
        })
    };
    let in_percent = |estimate: &Option<Estimate>| {
        estimate.as_ref().map_or_else(
            || "–".to_owned(),
            |it| format!("{}{}", decimal(100.0 * it.value, 2), interval(it)),
        )
    };
    let row = |group: &Group<'_>, it: &AlphabetStability| {
        vec![
            format!("{}: {}", group.name, it.name),
            format!("{}{}", percent(it.accuracy.value), interval(&it.accuracy)),
            if it.is_below { "yes" } else { "–" }.to_owned(),
            in_percent(&it.seed_sd),
            in_percent(&it.support_sd),
            number(it.n_slots as f64, 0),
        ]
    };
    Table {
        caption: format!(
            "The {MOST} alphabets (or classes, where the data have none) with the lowest accuracy of each learner. Below the mean: \
             distinguishably below the mean of all, at a level divided among the alphabets. SDs in percentage points: over seeds \
             (chi-square), over support sets for one class of one task."
        ),
        head: [
            "learner: alphabet",
            "accuracy, %",
            "below the mean",
            "SD over seeds, pp",
            "SD over support sets, pp",
            "times in a task",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: found
            .iter()
            .flat_map(|(group, map)| {
                lowest(map)
                    .iter()
                    .map(|it| row(group, it))
                    .collect::<Vec<_>>()
            })
            .collect(),
    }
}

fn lowest(map: &TaskMap) -> &[AlphabetStability] {
    &map.alphabets[..map.alphabets.len().min(MOST)]
}
