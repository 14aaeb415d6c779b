//! Columns on the trainings: how fast, how smooth, with what gradients.

use super::column::{Column, Row, with_interval};
use super::probed::raw;
use crate::report::document::{decimal, percent};
use crate::threshold::StepsToThreshold;
use crate::training::alignment::Alignment;
use crate::training::first_order::FirstOrder;
use crate::training::inside::HiddenUnits;
use crate::training::reliability::Reliability;
use crate::training::selection::SelectionGap;
use crate::training::signal::GradientSignal;
use crate::training::spikes::LossSpikes;

/// What the logs of the trainings say.
pub(super) const COLUMNS: &[Column] = &[
    plain("steps to threshold (quartiles)", steps),
    plain("worst drawdown, pp [CI]", |row| {
        let risk = row.measures.get::<Reliability>()?.long_term_risk;
        Some(match row.words.are_shares() {
            true => with_interval(&risk),
            false => row.words.bare_points_with(&risk),
        })
    }),
    plain("spikes in 1,000 steps [CI]", |row| {
        Some(raw(&row.measures.get::<LossSpikes>()?.rate, 2))
    }),
    plain("signal to noise [CI]", |row| {
        Some(raw(&row.measures.get::<GradientSignal>()?.snr?, 1))
    }),
    plain("pairs in conflict, % [CI]", |row| {
        Some(with_interval(&row.measures.get::<Alignment>()?.conflict?))
    }),
    plain("first-order cosine [CI]", |row| {
        Some(raw(&row.measures.get::<FirstOrder>()?.cosine, 3))
    }),
    plain("dead units, %", |row| {
        Some(percent(row.measures.get::<HiddenUnits>()?.dead.value))
    }),
    plain("best less last weights, pp [CI]", |row| {
        Some(with_interval(&row.measures.get::<SelectionGap>()?.gap))
    }),
];

const fn plain(head: &'static str, cell: fn(&Row<'_>) -> Option<String>) -> Column {
    Column {
        head,
        cell,
        light: None,
    }
}

fn steps(row: &Row<'_>) -> Option<String> {
    let steps: StepsToThreshold = row.measures.get()?;
    let shown =
        |step: Option<f64>| step.map_or_else(|| "not reached".to_owned(), |step| decimal(step, 0));
    let [lower, upper] = steps.quartiles;
    if lower.is_none() {
        return Some("not reached".to_owned());
    }
    Some(format!(
        "{} ({} to {})",
        shown(steps.median),
        shown(lower),
        shown(upper)
    ))
}
