//! The mean along one factor, over all others.

use crate::estimate::Estimate;
use crate::factors::key::{KeyFactors, RankedFactor};
use crate::factors::responses::Side;
use crate::report::document::{Cell, Csv, Figure};
use crate::report::svg::{Axis, Extent, Panel, Rows, Series, heading};

/// Most factors that are drawn.
const MOST: usize = 4;

/// A panel for each of the first factors of the mean.
pub(super) fn figure(key: &KeyFactors) -> Option<Figure> {
    let ranked = key
        .lists
        .iter()
        .find(|list| list.side == Side::Mean)?
        .ranked
        .as_ref()?;
    let shown = &ranked.factors[..ranked.factors.len().min(MOST)];
    let values = shown
        .iter()
        .flat_map(|factor| factor.marginal.iter().flat_map(|point| ends(&point.value)));
    // One scale for all: a flat line means that the factor hardly matters.
    let extent = Extent::of(values)?.padded(0.06, 0.0, f64::NEG_INFINITY, f64::INFINITY);
    let mut data = Csv::new("factor,level,mean_response,lower,upper");
    let mut panels = Vec::new();
    for factor in shown {
        for point in &factor.marginal {
            data.row(&[
                Cell::Text(&factor.factor),
                Cell::Text(&point.level),
                Cell::Number(point.value.value),
                Cell::Number(ends(&point.value)[0]),
                Cell::Number(ends(&point.value)[2]),
            ]);
        }
        panels.push(match curve(factor) {
            Some(points) => line(key, factor, &points, extent, panels.len())?,
            None => categories(key, factor, extent, panels.len()),
        });
    }
    Some(Figure {
        id: "marginals".to_owned(),
        panels,
        legend: Vec::new(),
        caption: format!(
            "Mean {} along each of the first factors, averaged over all others by the forest, with its interval over forests on resampled \
             points. Dashed: the best less {}, which is the edge of the basin.",
            key.response, key.basin_margin
        ),
        data,
    })
}

/// Lower limit, value, upper limit.
fn ends(estimate: &Estimate) -> [f64; 3] {
    let limits = estimate.interval.as_ref();
    [
        limits.map_or(f64::NAN, |interval| interval.lower),
        estimate.value,
        limits.map_or(f64::NAN, |interval| interval.upper),
    ]
}

/// Levels as numbers with the ends of their values, if the factor is a number.
fn curve(factor: &RankedFactor) -> Option<Vec<(f64, [f64; 3])>> {
    let unit = &factor.basin.unit;
    if unit == "categories" {
        return None;
    }
    factor
        .marginal
        .iter()
        .map(|point| Some((point.level.parse().ok()?, ends(&point.value))))
        .collect()
}

fn title(factor: &RankedFactor) -> String {
    heading(
        &factor.factor,
        &format!("{:.0} % alone", 100.0 * factor.main.value),
    )
}

fn words(factor: &RankedFactor) -> String {
    format!(
        "Near its best from {} to {}.",
        factor.basin.low, factor.basin.high
    )
}

fn line(
    key: &KeyFactors,
    factor: &RankedFactor,
    points: &[(f64, [f64; 3])],
    extent: Extent,
    panel: usize,
) -> Option<String> {
    let x = Axis {
        title: factor.factor.clone(),
        extent: Extent::of(points.iter().map(|point| point.0))?,
        logarithmic: factor.basin.unit == "decades",
    };
    let y = Axis::new(&format!("mean {}", key.response), extent);
    let mut drawn = Panel::new(&title(factor), &x, &y, 230.0);
    let best = points
        .iter()
        .map(|point| point.1[1])
        .fold(f64::NEG_INFINITY, f64::max);
    drawn.level(best - key.basin_margin, "");
    let band: Vec<_> = points.iter().map(|(x, y)| (*x, y[0], y[2])).collect();
    let line: Vec<_> = points.iter().map(|(x, y)| (*x, y[1])).collect();
    drawn.band(Series(0), "band80", &band);
    drawn.line(Series(0), "line", &line);
    Some(drawn.finish(
        &format!("marginal-{panel}"),
        &format!("Mean {} along {}", key.response, factor.factor),
        &words(factor),
    ))
}

fn categories(key: &KeyFactors, factor: &RankedFactor, extent: Extent, panel: usize) -> String {
    let axis = Axis::new(&format!("mean {}", key.response), extent);
    let names: Vec<String> = factor
        .marginal
        .iter()
        .map(|point| point.level.clone())
        .collect();
    let mut rows = Rows::new(&title(factor), &axis, &names, 30.0);
    for (row, point) in factor.marginal.iter().enumerate() {
        let [lower, value, upper] = ends(&point.value);
        rows.interval(row, 0.0, Series(0), "dot", lower, value, upper);
    }
    rows.finish(
        &format!("marginal-{panel}"),
        &format!("Mean {} for each {}", key.response, factor.factor),
        &words(factor),
    )
}
