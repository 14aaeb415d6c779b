//! A figure that many chapters need: one row a quantity and learner, its estimate and its interval.

use crate::estimate::Estimate;
use crate::report::document::{Cell, Csv, Figure};
use crate::report::group::Group;
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Rows};

/// One estimate of one learner.
pub(crate) struct Quantity<'g, 'a> {
    pub(crate) group: &'g Group<'a>,
    /// What it is, in a few words; empty if the figure has one quantity.
    pub(crate) name: &'static str,
    pub(crate) estimate: Estimate,
}

/// How the values are written.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// Anchor of the figure.
    pub(crate) id: &'static str,
    /// Quantity and unit of the axis.
    pub(crate) axis: &'static str,
    /// Values are multiplied by it: 100 for percent.
    pub(crate) factor: f64,
    /// Decimals of the numbers beside the marks.
    pub(crate) decimals: usize,
    /// A vertical line there, if it means something; in units of the axis.
    pub(crate) reference: Option<f64>,
}

/// The figure; none without quantities.
pub(crate) fn figure(look: Look, caption: &str, quantities: &[Quantity<'_, '_>]) -> Option<Figure> {
    let at = |value: f64| look.factor * value;
    let ends = |estimate: &Estimate| {
        let interval = estimate.interval.as_ref();
        interval.map_or((estimate.value, estimate.value), |i| (i.lower, i.upper))
    };
    let values = quantities.iter().flat_map(|quantity| {
        let (lower, upper) = ends(&quantity.estimate);
        [lower, quantity.estimate.value, upper]
    });
    let extent = Extent::of(values.map(at).chain(look.reference))?;
    let axis = Axis::new(look.axis, extent.padded(0.04, 1e-6, f64::MIN, f64::MAX));
    let names: Vec<String> = quantities
        .iter()
        .map(|quantity| match quantity.name {
            "" => quantity.group.name.clone(),
            name => format!("{}: {name}", quantity.group.name),
        })
        .collect();
    let mut rows = Rows::new("", &axis, &names, 26.0);
    if let Some(reference) = look.reference {
        rows.upright(reference, "reference");
    }
    let mut data = Csv::new("setting,learner,quantity,value,lower,upper,method");
    let mut words = Vec::new();
    for (row, (quantity, name)) in quantities.iter().zip(&names).enumerate() {
        let estimate = &quantity.estimate;
        let (lower, upper) = ends(estimate);
        let series = quantity.group.series;
        rows.interval(
            row,
            0.0,
            series,
            "dot",
            at(lower),
            at(estimate.value),
            at(upper),
        );
        let shown = number(at(estimate.value), look.decimals);
        rows.text(row, at(lower), at(upper), &shown);
        words.push(format!("{name} {shown}"));
        let method = estimate.interval.as_ref().map_or("", |i| i.method.as_str());
        data.row(&[
            Cell::Text(quantity.group.setting),
            Cell::Text(quantity.group.learner),
            Cell::Text(quantity.name),
            Cell::Number(estimate.value),
            Cell::Number(lower),
            Cell::Number(upper),
            Cell::Text(method),
        ]);
    }
    let description = format!("{}.", words.join("; "));
    Some(Figure {
        id: look.id.to_owned(),
        panels: vec![rows.finish(&format!("{}-0", look.id), look.axis, &description)],
        legend: Vec::new(),
        caption: caption.to_owned(),
        data,
    })
}

/// `1.20 [0.80, 1.60]` with values times `factor`.
pub(super) fn written(estimate: &Estimate, factor: f64, decimals: usize) -> String {
    let of = |value: f64| number(factor * value, decimals);
    match &estimate.interval {
        Some(interval) => format!(
            "{} [{}, {}]",
            of(estimate.value),
            of(interval.lower),
            of(interval.upper)
        ),
        None => of(estimate.value),
    }
}

/// The names of groups, each with a figure of what was found for it.
pub(super) fn values<'g, M>(
    found: &[(&'g Group<'_>, M)],
    of: impl Fn(&M) -> f64,
) -> Vec<(&'g str, f64)> {
    found
        .iter()
        .map(|(group, it)| (group.name.as_str(), of(it)))
        .collect()
}

/// The names of the groups for which something holds.
pub(super) fn names<'g, M>(
    found: &[(&'g Group<'_>, M)],
    holds: impl Fn(&M) -> bool,
) -> Vec<&'g str> {
    found
        .iter()
        .filter(|(_, it)| holds(it))
        .map(|(group, _)| group.name.as_str())
        .collect()
}

/// Groups that have a measure, with it.
pub(super) fn measured<'g, 'a, M: crate::metric::Measure>(
    groups: &'g [Group<'a>],
) -> Vec<(&'g Group<'a>, M)> {
    groups
        .iter()
        .filter_map(|group| Some((group, group.get::<M>()?)))
        .collect()
}
