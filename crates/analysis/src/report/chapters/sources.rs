//! Sources of chance: each varied alone, and their components in a design where they vary together.

use crate::factors::sources::{SourceSpread, Sources};
use crate::factors::variance::{QUERIES, REST, VarianceComponents, VarianceMethod};
use crate::report::document::{Cell, Csv, Figure, Table, count, list};
use crate::report::svg::{Axis, Extent, Rows, Series};

/// Standard deviations with their intervals, one row a source.
pub(super) fn alone(found: &Sources) -> Option<Figure> {
    let rows_of: Vec<&SourceSpread> = found.alone.iter().chain(&found.joint).collect();
    let ends = rows_of.iter().flat_map(|spread| {
        let upper = spread
            .sd
            .interval
            .as_ref()
            .map_or(spread.sd.value, |i| i.upper);
        // Of two runs the upper limit is thirty times the value: it may leave the frame.
        [0.0, spread.sd.value, upper.min(4.0 * spread.sd.value)]
    });
    let axis = Axis::new(
        &format!("standard deviation of {}", found.response),
        Extent::of(ends)?,
    );
    let names: Vec<String> = rows_of.iter().map(|spread| spread.source.clone()).collect();
    let mut rows = Rows::new("One source at a time", &axis, &names, 30.0);
    let mut data = Csv::new("source,sd,lower,upper,runs,groups");
    let mut words = Vec::new();
    for (row, spread) in rows_of.iter().enumerate() {
        let (lower, upper) = spread
            .sd
            .interval
            .as_ref()
            .map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
        let series = Series(if row < found.alone.len() { 0 } else { 5 });
        rows.interval(row, 0.0, series, "dot", lower, spread.sd.value, upper);
        data.row(&[
            Cell::Text(&spread.source),
            Cell::Number(spread.sd.value),
            Cell::Number(lower),
            Cell::Number(upper),
            Cell::Count(spread.n_runs),
            Cell::Count(spread.n_groups),
        ]);
        words.push(format!(
            "{} {:.4} from {}",
            spread.source,
            spread.sd.value,
            count(spread.n_runs, "run")
        ));
    }
    Some(Figure {
        id: "sources-alone".to_owned(),
        panels: vec![rows.finish("sources-alone-0", "Scatter of each source varied alone", &format!("{}.", list(&words)))],
        legend: Vec::new(),
        caption: "Standard deviation when one source varies and all else stays the same bit for bit, with its chi-square interval. In the \
                  last row, if there is one, all sources vary at once."
            .to_owned(),
        data,
    })
}

/// Each source alone beside the estimator of the nearest prior work.
pub(super) fn investigated(found: &Sources) -> Option<Table> {
    let rows: Vec<Vec<String>> = found
        .alone
        .iter()
        .filter_map(|spread| {
            let it = spread.investigated?;
            let figure = |value: f64| format!("{value:.4}");
            Some(vec![
                spread.source.clone(),
                figure(spread.sd.value),
                figure(it.contributed),
                figure(it.mitigated),
                format!("{:.2}", it.importance),
                it.n_settings.to_string(),
            ])
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: format!(
            "Each source alone: standard deviation of {} as above, pooled over draws of the others, and the figures of Pecher et al. 2024 \
             (arXiv 2402.12817). Contributed: average over draws of the others. Mitigated: standard deviation of the means over the source. \
             Importance: their difference divided by the standard deviation of all these runs; above 0, the source moves the result more \
             than the others together.",
            found.response
        ),
        head: ["source", "SD", "contributed", "mitigated", "importance", "draws of the others"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    })
}

/// Shares of the components, one bar a source.
pub(super) fn components(found: &VarianceComponents) -> Option<Figure> {
    let axis = Axis::new(
        "share of the variance of one run, %",
        Extent::of([0.0, 100.0])?,
    );
    let names: Vec<String> = found
        .sources
        .iter()
        .map(|source| source.source.clone())
        .collect();
    let mut rows = Rows::new("All sources drawn anew", &axis, &names, 28.0);
    let mut data = Csv::new(
        "source,variance,variance_lower,variance_upper,estimate_before_zero,sd,share,share_lower,share_upper",
    );
    let mut words = Vec::new();
    let mut from = 0.0;
    for (row, source) in found.sources.iter().enumerate() {
        let to = from + 100.0 * source.share.value;
        let look = match source.source.as_str() {
            QUERIES => "c2 part",
            REST => "total",
            _ => "c0 part",
        };
        rows.bar(row, look, from, to, 13.0);
        if row + 1 < found.sources.len() {
            rows.connector(row, to);
        }
        let limits = source.share.interval.as_ref();
        let range = limits.map_or_else(String::new, |i| {
            format!(" [{:.0}, {:.0}]", 100.0 * i.lower, 100.0 * i.upper)
        });
        let zero = if source.was_negative() {
            ", negative"
        } else {
            ""
        };
        let text = format!("{:.0} %{range}{zero}", 100.0 * source.share.value);
        rows.text(row, from, to, &text);
        words.push(format!("{} {text}", source.source));
        let of_variance = source.variance.interval.as_ref();
        let number = |value: Option<f64>| Cell::Number(value.unwrap_or(f64::NAN));
        data.row(&[
            Cell::Text(&source.source),
            Cell::Number(source.variance.value),
            number(of_variance.map(|i| i.lower)),
            number(of_variance.map(|i| i.upper)),
            Cell::Number(source.raw),
            Cell::Number(source.sd),
            Cell::Number(source.share.value),
            number(limits.map(|i| i.lower)),
            number(limits.map(|i| i.upper)),
        ]);
        from = to;
    }
    let method = match found.method {
        VarianceMethod::ExpectedMeanSquares => {
            "expected mean squares of the balanced design, with generalized intervals"
        }
        VarianceMethod::Reml => "restricted maximum likelihood, the design being unbalanced",
    };
    Some(Figure {
        id: "sources-components".to_owned(),
        panels: vec![rows.finish(
            "sources-components-0",
            "Variance components of the sources",
            &format!("{}.", list(&words)),
        )],
        legend: Vec::new(),
        caption: format!(
            "Parts of the variance of a run when every source is drawn anew, from {} in which the sources vary together; by {method}. \
             Negative estimates are shown as 0 and marked.",
            count(found.n_observations, "run")
        ),
        data,
    })
}
