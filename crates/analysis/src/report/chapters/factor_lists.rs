//! The lists of factors, side by side: for the mean, the spread and the failures.

use super::intervals::written;
use crate::factors::best::BestLevels;
use crate::factors::key::{FactorList, KeyFactors, RankedFactor, RankedFactors};
use crate::factors::responses::Side;
use crate::factors::tested::TestedFactor;
use crate::factors::words::effect as told;
use crate::findings::p_value;
use crate::report::document::{Cell, Csv, Figure, Table, count, list};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Rows, Series, heading};

/// Most factors in one panel.
const MOST: usize = 12;

/// A panel for each side: shares of the mean, ratios of the others.
pub(super) fn figure(key: &KeyFactors) -> Option<Figure> {
    let mut data = Csv::new(
        "side,factor,settled,p_value,share_of_points,effect_from,effect_to,effect,effect_lower,effect_upper,share_alone,alone_lower,\
         alone_upper,share_total,total_lower,total_upper,first_in_resamples",
    );
    let mut panels = Vec::new();
    for side in key.lists.iter().filter(|list| !list.tested.is_empty()) {
        rows_of(side, &mut data);
        panels.extend(match (&side.ranked, side.side) {
            (Some(ranked), _) => shares(side, ranked, panels.len()),
            (None, Side::Mean) => tested(side, panels.len()),
            (None, _) => ratios(side, panels.len()),
        });
    }
    if panels.is_empty() {
        return None;
    }
    let caption = format!(
        "Factors of each side, over {} at {}; settled factors first. Bars: share of the variance of the mean that a factor explains alone, \
         by functional analysis of variance on a random forest. A forest underestimates effects, so no interval is given. Diamonds: share \
         alone and together with other factors. Dots: ratio of standard deviations over seeds (for failures: of odds) between the levels \
         named in the data, with its interval; the line marks no difference. p: probability that any factor of the list reaches such a value \
         if none moves this side.",
        count(key.n_runs, "run"),
        count(key.n_points, "point")
    );
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
    for one in &side.tested {
        let ranked = side
            .ranked
            .as_ref()
            .and_then(|r| r.factors.iter().find(|f| f.factor == one.factor));
        let estimate = |of: Option<&crate::Estimate>| {
            let limits = of.and_then(|e| e.interval.as_ref());
            [
                of.map(|e| e.value),
                limits.map(|i| i.lower),
                limits.map(|i| i.upper),
            ]
            .map(|v| Cell::Number(v.unwrap_or(f64::NAN)))
        };
        let effect = one.effect.as_ref();
        let mut row = vec![
            Cell::Text(side.side.name()),
            Cell::Text(&one.factor),
            Cell::Text(if one.is_settled() { "yes" } else { "no" }),
            Cell::Number(one.p_value),
            Cell::Number(one.share),
            Cell::Text(effect.map_or("", |e| e.from.as_str())),
            Cell::Text(effect.map_or("", |e| e.to.as_str())),
        ];
        row.extend(estimate(effect.map(|e| &e.value)));
        row.extend(estimate(ranked.map(|f| &f.main)));
        row.extend(estimate(ranked.map(|f| &f.total)));
        row.push(Cell::Number(ranked.map_or(f64::NAN, |f| f.first)));
        data.row(&row);
    }
}

/// Ratios with their intervals on a logarithmic axis.
fn ratios(side: &FactorList, panel: usize) -> Option<String> {
    let shown = &side.tested[..side.tested.len().min(MOST)];
    let title = if side.side == Side::Failure {
        "ratio of odds"
    } else {
        "ratio of SDs"
    };
    // A limit that is hardly known may leave the frame.
    let ends = shown
        .iter()
        .filter_map(|one| one.effect.as_ref())
        .flat_map(|e| {
            let interval = e.value.interval.as_ref();
            let limits = interval.map_or([e.value.value; 2], |i| [i.lower, i.upper]);
            [
                e.value.value.min(50.0),
                limits[0].max(0.02),
                limits[1].min(50.0),
                0.5,
                2.0,
            ]
        });
    let axis = Axis {
        title: title.to_owned(),
        extent: Extent::of(ends)?,
        logarithmic: true,
    };
    let names: Vec<String> = shown.iter().map(named).collect();
    let mut rows = Rows::new(&heading(side.side.name(), title), &axis, &names, 30.0);
    rows.upright(1.0, "level");
    let mut words = Vec::new();
    for (row, one) in shown.iter().enumerate() {
        let Some(effect) = &one.effect else {
            rows.words(row, "no ratio");
            continue;
        };
        let interval = effect.value.interval.as_ref();
        let (lower, upper) = interval.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
        let series = Series(if one.is_settled() { 0 } else { 5 });
        rows.interval(row, 0.0, series, "dot", lower, effect.value.value, upper);
        words.push(told(side.side, &one.factor, effect));
    }
    Some(rows.finish(
        &format!("factors-{panel}"),
        &format!("Factors of the {}", side.side.name()),
        &format!("{}.", list(&words)),
    ))
}

fn named(one: &TestedFactor) -> String {
    format!("{} ({})", one.factor, p_value(one.p_value))
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

/// Shares of what varies between points, for a mean that the forest explains too little of.
fn tested(side: &FactorList, panel: usize) -> Option<String> {
    let shown = &side.tested[..side.tested.len().min(MOST)];
    let axis = Axis::new(
        "share of the variance between points, %",
        Extent::of([0.0, 100.0])?,
    );
    let names: Vec<String> = shown.iter().map(|factor| factor.factor.clone()).collect();
    let title = heading(side.side.name(), "line and square of each factor");
    let mut rows = Rows::new(&title, &axis, &names, 28.0);
    let mut words = Vec::new();
    for (row, factor) in shown.iter().enumerate() {
        let share = 100.0 * factor.share;
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

/// Where the mean stays near its best, for each factor, as the forest has it.
pub(super) fn basins(key: &KeyFactors) -> Option<Table> {
    let ranked = key.lists.iter().find_map(|list| list.ranked.as_ref())?;
    let rows = ranked.factors.iter().map(|factor| {
        let basin = &factor.basin;
        vec![
            factor.factor.clone(),
            format!("{} to {}", basin.low, basin.high),
            format!("{:.2} {}", basin.width, basin.unit),
            format!("{:.0} %", 100.0 * basin.share),
        ]
    });
    Some(Table {
        caption: format!(
            "Basins: range of each setting in which the forest's mean over all others stays within {} of its best. A forest underestimates \
             effects, so a basin may look wider than it is. A basin may extend beyond the limits of the space.",
            key.basin_margin
        ),
        head: ["factor", "from, to", "width", "of the space"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
    })
}

/// The levels that cannot be told from the best, by measured means.
pub(super) fn best(key: &KeyFactors) -> Option<Table> {
    if key.best.is_empty() {
        return None;
    }
    // Each factor's intervals hold by themselves; that any of them moves the mean, the tested list says, at 5 % as a whole.
    let mean = key.lists.iter().find(|it| it.side == Side::Mean);
    let is_settled = |one: &BestLevels| {
        one.settled && mean.is_some_and(|it| it.settled().any(|its| its.factor == one.factor))
    };
    let rows = key.best.iter().map(|one| {
        let stretches: Vec<String> = one
            .kept
            .iter()
            .map(|[first, last]| stretch(first, last))
            .collect();
        let kept = match () {
            () if !is_settled(one) => "no level is distinguishable from the best".to_owned(),
            () if one.mostly_failed() => "open: most runs at the highest mean failed".to_owned(),
            () => list(&stretches.iter().map(String::as_str).collect::<Vec<_>>()),
        };
        vec![
            one.factor.clone(),
            kept,
            one.worst.clone(),
            written(&one.fall, 1.0, 3),
            format!("{} of {}", one.n_failed, one.n_runs),
        ]
    });
    Some(Table {
        caption: format!(
            "Levels that cannot be told from the best: the mean {} by least squares over {}, all factors together (a number by its line and \
             its square), with intervals for all pairs of levels of a factor at once (Scheffe). Interactions are left out.",
            key.response,
            count(key.n_points, "point")
        ),
        head: [
            "factor",
            "not distinguishable from the best",
            "level with the lowest mean",
            "its distance to the best",
            "failed at the best levels",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows.collect(),
    })
}

fn stretch(first: &str, last: &str) -> String {
    if first == last {
        first.to_owned()
    } else {
        format!("{first} to {last}")
    }
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
            rows.push(vec![
                format!("{} and {}", pair.a, pair.b),
                side.side.name().to_owned(),
                format!("{:.0}", 100.0 * pair.share.value),
            ]);
        }
    }
    (!rows.is_empty()).then(|| Table {
        caption:
            "Pairs of factors that together explain at least 1 % of the variance beyond what each explains alone."
                .to_owned(),
        head: ["pair", "of the", "share, %"].map(str::to_owned).to_vec(),
        rows,
    })
}
