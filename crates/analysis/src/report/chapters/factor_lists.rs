//! The ordered lists of factors, side by side: for the mean, the spread and the failures.

use crate::factors::key::{FactorList, KeyFactors, RankedFactor, RankedFactors};
use crate::findings::p_value;
use crate::report::document::{Cell, Csv, Figure, Table, count, list};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Rows, Series, heading};

/// Most factors in one panel.
const MOST: usize = 12;

/// Bars of shares, a panel for each side.
pub(super) fn figure(key: &KeyFactors) -> Option<Figure> {
    let mut data = Csv::new(
        "side,factor,share_alone,alone_lower,alone_upper,share_total,total_lower,total_upper,first_in_resamples,rank_share,p_value",
    );
    let mut panels = Vec::new();
    let mut refused = Vec::new();
    for side in key.lists.iter().filter(|list| !list.screened.is_empty()) {
        rows_of(side, &mut data);
        panels.push(match &side.ranked {
            Some(ranked) => shares(side, ranked, panels.len())?,
            None => {
                refused.push(side.side.name());
                screened(side, panels.len())?
            }
        });
    }
    if panels.is_empty() {
        return None;
    }
    let mut caption = format!(
        "Factors in order, over {} at {}. Bars: share of the variance that a factor brings alone, by functional analysis of variance \
         on a random forest, with its interval; diamonds: share alone and together with others.",
        count(key.n_runs, "run"),
        count(key.n_points, "point")
    );
    if !refused.is_empty() {
        caption += &format!(
            " For the {} the forest explains too little: there the bars are the share of the variance of ranks between groups of the \
             factor by itself, and p how often chance gives as much.",
            list(&refused)
        );
    }
    let bar = swatch("<rect class=\"c0 part\" x=\"2\" y=\"1\" width=\"26\" height=\"10\"/>");
    Some(Figure {
        id: "factor-lists".to_owned(),
        panels,
        legend: vec![
            (bar, "alone".to_owned()),
            (
                Series(3).swatch(true),
                "alone and together with others".to_owned(),
            ),
        ],
        caption,
        data,
    })
}

fn rows_of(side: &FactorList, data: &mut Csv) {
    for screened in &side.screened {
        let ranked = side
            .ranked
            .as_ref()
            .and_then(|r| r.factors.iter().find(|f| f.factor == screened.factor));
        let estimate = |of: Option<&crate::Estimate>| {
            let limits = of.and_then(|e| e.interval.as_ref());
            [
                of.map(|e| e.value),
                limits.map(|i| i.lower),
                limits.map(|i| i.upper),
            ]
            .map(|v| Cell::Number(v.unwrap_or(f64::NAN)))
        };
        let mut row = vec![Cell::Text(side.side.name()), Cell::Text(&screened.factor)];
        row.extend(estimate(ranked.map(|f| &f.main)));
        row.extend(estimate(ranked.map(|f| &f.total)));
        row.push(Cell::Number(ranked.map_or(f64::NAN, |f| f.first)));
        row.push(Cell::Number(screened.eta_squared));
        row.push(Cell::Number(screened.p_value));
        data.row(&row);
    }
}

fn shares(side: &FactorList, ranked: &RankedFactors, panel: usize) -> Option<String> {
    let shown = &ranked.factors[..ranked.factors.len().min(MOST)];
    let axis = Axis::new("share of the variance, %", Extent::of([0.0, 100.0])?);
    // The value stands in the name: beside the marks it would be crossed by them.
    let named =
        |factor: &RankedFactor| format!("{} {:.0} %", factor.factor, 100.0 * factor.main.value);
    let names: Vec<String> = shown.iter().map(named).collect();
    let title = heading(
        side.side.name(),
        &format!("{:.0} % explained", 100.0 * ranked.r_squared),
    );
    let mut rows = Rows::new(&title, &axis, &names, 28.0);
    let mut words = Vec::new();
    for (row, factor) in shown.iter().enumerate() {
        let alone = 100.0 * factor.main.value;
        let total = 100.0 * factor.total.value;
        rows.bar(row, "c0 part", 0.0, alone, 13.0);
        if let Some(interval) = &factor.main.interval {
            rows.whisker(
                row,
                0.0,
                "c5",
                100.0 * interval.lower,
                100.0 * interval.upper,
            );
        }
        rows.dots(row, 0.0, Series(3), "dot", 4.6, &[total]);
        words.push(format!(
            "{} {alone:.0} % alone, {total:.0} % in all",
            factor.factor
        ));
    }
    Some(rows.finish(
        &format!("factors-{panel}"),
        &format!("Factors of the {}", side.side.name()),
        &format!("In order: {}.", list(&words)),
    ))
}

fn screened(side: &FactorList, panel: usize) -> Option<String> {
    let shown = &side.screened[..side.screened.len().min(MOST)];
    let axis = Axis::new(
        "share of the variance of ranks, %",
        Extent::of([0.0, 100.0])?,
    );
    let names: Vec<String> = shown.iter().map(|factor| factor.factor.clone()).collect();
    let mut rows = Rows::new(
        &heading(side.side.name(), "each by itself"),
        &axis,
        &names,
        28.0,
    );
    let mut words = Vec::new();
    for (row, factor) in shown.iter().enumerate() {
        let share = 100.0 * factor.eta_squared;
        let note = format!("{share:.0} %, {}", p_value(factor.p_value));
        rows.bar(row, "total", 0.0, share, 13.0);
        rows.text(row, 0.0, share, &note);
        words.push(format!("{} {note}", factor.factor));
    }
    Some(rows.finish(
        &format!("factors-{panel}"),
        &format!("Factors of the {}, each by itself", side.side.name()),
        &format!("In order: {}.", list(&words)),
    ))
}

/// Where the mean stays near its best, for each factor.
pub(super) fn basins(key: &KeyFactors) -> Option<Table> {
    let ranked = key.lists.iter().find_map(|list| {
        list.ranked
            .as_ref()
            .filter(|r| r.factors.iter().any(|f| f.basin.is_some()))
    })?;
    let rows = ranked.factors.iter().filter_map(|factor| {
        let basin = factor.basin.as_ref()?;
        let limits = basin.width.interval.as_ref();
        let limits = limits.map_or_else(String::new, |i| {
            format!(" [{:.2}, {:.2}]", i.lower, i.upper)
        });
        Some(vec![
            factor.factor.clone(),
            basin.best.clone(),
            format!("{} to {}", basin.low, basin.high),
            format!("{:.2}{limits} {}", basin.width.value, basin.unit),
            format!("{:.0} %", 100.0 * basin.share),
        ])
    });
    Some(Table {
        caption: format!(
            "Basins: how far each setting may move before the mean over all others falls by more than {} from its best. Limits of the space \
             are no limits of the basin.",
            key.basin_margin
        ),
        head: [
            "factor",
            "best at",
            "from, to",
            "width [interval]",
            "of the space",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows.collect(),
    })
}

/// What pairs do together.
pub(super) fn pairs(key: &KeyFactors) -> Option<Table> {
    let mut rows = Vec::new();
    for side in &key.lists {
        for pair in side
            .ranked
            .iter()
            .flat_map(|ranked| &ranked.pairs)
            .filter(|pair| pair.share.value >= 0.01)
        {
            let limits = pair.share.interval.as_ref();
            let limits = limits.map_or_else(String::new, |i| {
                format!(" [{:.0}, {:.0}]", 100.0 * i.lower, 100.0 * i.upper)
            });
            rows.push(vec![
                format!("{} and {}", pair.a, pair.b),
                side.side.name().to_owned(),
                format!("{:.0}{limits}", 100.0 * pair.share.value),
            ]);
        }
    }
    (!rows.is_empty()).then(|| Table {
        caption:
            "Pairs that bring at least 1 % of the variance together, beyond what each brings alone."
                .to_owned(),
        head: ["pair", "of the", "share, % [interval]"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    })
}
