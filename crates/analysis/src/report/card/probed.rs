//! Columns on what trained learners answered to probes.

use super::column::{Column, Row, with_interval};
use crate::estimate::Estimate;
use crate::probe::confidence::Confidence;
use crate::probe::corruption::{CorruptionDrop, Place};
use crate::probe::coupling::Coupling;
use crate::probe::curvature::Curvature;
use crate::probe::example_influence::ExampleInfluence;
use crate::probe::gaps::Gaps;
use crate::probe::kinship::Kinship;
use crate::probe::label_noise::LabelNoise;
use crate::probe::label_order::LabelOrder;
use crate::probe::lifelong::{Lifelong, OfHead};
use crate::probe::mismatch::Mismatch;
use crate::probe::step_sizes::StepSizes;
use crate::probe::support_sets::SupportSets;
use crate::probe::trajectory::Trajectory;
use crate::record::answers::lifelong::Head;
use crate::replacement::coefficient::ReplaceOneTask;
use crate::report::document::{decimal, percent};

/// Whether one trained learner gives one answer.
pub(super) const ADAPTATION: &[Column] = &[
    Column {
        head: "support SD, pp [CI]",
        cell: |row| Some(with_interval(&row.measures.get::<SupportSets>()?.sd)),
        light: Some(("support_sd", |row| {
            Some(row.measures.get::<SupportSets>()?.sd)
        })),
    },
    plain("best less worst support set, pp [CI]", |row| {
        let sets: SupportSets = row.measures.get()?;
        Some(with_interval(&sets.extremes?.range))
    }),
    plain("SD over label orders, pp [CI]", |row| {
        let order: LabelOrder = row.measures.get()?;
        Some(if order.is_exactly_zero {
            "exactly 0".to_owned()
        } else {
            with_interval(&order.sd)
        })
    }),
    plain("queries together less alone, pp [CI]", |row| {
        Some(with_interval(&row.measures.get::<Coupling>()?.difference))
    }),
    plain("one support exchanged, nats [CI]", |row| {
        let influence: ExampleInfluence = row.measures.get()?;
        Some(raw(&influence.largest_loss_change, 3))
    }),
    plain("step-size margin (tasks under 1, %)", |row| {
        let margin = row.measures.get::<StepSizes>()?.margin_at_theta?;
        Some(format!(
            "{} ({})",
            decimal(margin.median, 2),
            percent(margin.below_one)
        ))
    }),
];

/// What is kept of classes that come one after the other.
pub(super) const STREAMS: &[Column] = &[
    plain("stream of classes, linear head, % [CI] (classes)", |row| {
        let end = on_streams(row)?.curve.pop()?;
        let seen = with_interval(&end.seen);
        Some(format!("{seen} ({})", end.n_classes))
    }),
    plain("its backward transfer, pp [CI]", |row| {
        Some(with_interval(&on_streams(row)?.backward))
    }),
    plain("its SD over orders, pp [CI]", |row| {
        Some(with_interval(&on_streams(row)?.curve.pop()?.order_sd?))
    }),
];

/// What a linear head keeps of a stream of classes.
fn on_streams(row: &Row<'_>) -> Option<OfHead> {
    let streams: Lifelong = row.measures.get()?;
    let mut heads = streams.heads.into_iter();
    heads.find(|it| it.head == Head::Linear)
}

/// Whether another task changes the learner, and what is left on other tasks.
pub(super) const GENERALIZATION: &[Column] = &[
    plain("one task exchanged, nats [CI] (noise floor)", |row| {
        let found: ReplaceOneTask = row.measures.get()?;
        let floor = match found.floor {
            None => "not measured".to_owned(),
            Some(floor) if floor.is_exactly_zero() => "exactly 0".to_owned(),
            Some(floor) => format!("{:.1e}", floor.loss),
        };
        Some(format!("{} ({floor})", raw(&found.beta, 4)))
    }),
    plain("its parameters, %", |row| {
        let found: ReplaceOneTask = row.measures.get()?;
        Some(percent(found.distance.value))
    }),
    plain("doublings in 100 steps [CI]", |row| {
        Some(raw(&row.measures.get::<Trajectory>()?.growth, 2))
    }),
    plain("gap to fresh queries, pp [CI]", |row| {
        let gaps: Gaps = row.measures.get()?;
        Some(with_interval(&gaps.tested.fresh_queries?.accuracy))
    }),
    plain("gap to new tasks, pp [CI]", |row| {
        Some(with_interval(
            &row.measures.get::<Gaps>()?.tested.new_tasks.accuracy,
        ))
    }),
    plain("gap to new classes, pp [CI]", |row| {
        let gaps: Gaps = row.measures.get()?;
        Some(with_interval(&gaps.tested.new_classes?.accuracy))
    }),
];

/// How curved the landscape is, what the features are, and what is left elsewhere.
pub(super) const GEOMETRY_AND_SHIFT: &[Column] = &[
    plain("largest eigenvalue (quartiles)", |row| {
        let [lower, median, upper] = row.measures.get::<Curvature>()?.query.quartiles;
        Some(format!(
            "{} ({} to {})",
            decimal(median, 1),
            decimal(lower, 1),
            decimal(upper, 1)
        ))
    }),
    plain("CKA between seeds [CI]", |row| {
        let kinship: Kinship = row.of_setting?.get()?;
        let mut learners = kinship.learners.into_iter();
        let among = learners.find(|among| among.learner == row.learner)?;
        Some(raw(&among.layers.last()?.1, 2))
    }),
    plain("damage drop, pp [CI]", |row| {
        let drop: CorruptionDrop = row.measures.get()?;
        let mut places = drop.places.iter();
        Some(with_interval(&places.find(|(at, _)| *at == Place::Both)?.1))
    }),
    plain("worst other data, drop in pp", |row| {
        let mismatch: Mismatch = row.measures.get()?;
        let domains = mismatch.domains.iter();
        let worst = domains.max_by(|a, b| a.drop.value.total_cmp(&b.drop.value))?;
        Some(format!("{} ({})", percent(worst.drop.value), worst.set))
    }),
    plain("wrong labels that halve it, %", |row| {
        let noise: LabelNoise = row.measures.get()?;
        let highest = noise.curve.last()?.0;
        let beyond = || format!("over {}", percent(highest));
        Some(noise.breakdown.map_or_else(beyond, percent))
    }),
    plain("ECE, pp (if calibrated)", |row| {
        let confidence: Confidence = row.measures.get()?;
        Some(format!(
            "{} ({})",
            percent(confidence.ece.value),
            percent(confidence.honest_ece)
        ))
    }),
];

const fn plain(head: &'static str, cell: fn(&Row<'_>) -> Option<String>) -> Column {
    Column {
        head,
        cell,
        light: None,
    }
}

/// A value with its interval, in units of its own.
pub(super) fn raw(estimate: &Estimate, decimals: usize) -> String {
    let value = decimal(estimate.value, decimals);
    match &estimate.interval {
        Some(i) => format!(
            "{value} [{}, {}]",
            decimal(i.lower, decimals),
            decimal(i.upper, decimals)
        ),
        None => value,
    }
}
