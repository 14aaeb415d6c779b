//! A question of another crate: a metric of each learner, and the chapter that answers it.

use super::chapters::intervals::{self, Look, Quantity};
use super::document::{Chapter, Table};
use super::said::Said;
use super::subject::{Family, Material, Subject};
use super::svg::text::number;
use crate::estimate::Estimate;
use crate::metric::{LearnerMetric, Measures};

/// A question that another crate asks of the runs of each learner: it is measured by
/// [`analyze_with`](crate::analyze_with), stored in `report.json` under the identifier of its metric, and has a chapter with a figure, a
/// table, and the sentences of its metric.
pub struct Question {
    /// Measures it.
    pub metric: &'static LearnerMetric,
    pub(crate) subject: Subject,
    caveat: &'static str,
    axis: &'static str,
    estimate: fn(&Measures) -> Option<Estimate>,
}

impl Question {
    /// The question in its family: as a sentence with its mark, what its answer does not say, quantity and unit of the answer, and the
    /// answer itself out of the results of one learner.
    #[must_use]
    pub const fn new(
        metric: &'static LearnerMetric,
        family: Family,
        question: &'static str,
        caveat: &'static str,
        axis: &'static str,
        estimate: fn(&Measures) -> Option<Estimate>,
    ) -> Self {
        Self {
            metric,
            subject: Subject {
                id: metric.id,
                family,
                title: metric.title,
                question,
                // Sentences come to it by its identifier.
                metrics: &[],
                write: nothing,
            },
            caveat,
            axis,
            estimate,
        }
    }

    /// The chapter; none where no learner has an answer.
    pub(super) fn chapter(&self, material: &Material<'_>) -> Option<Chapter> {
        let answered: Vec<Quantity<'_, '_>> = material
            .groups
            .iter()
            .filter_map(|group| {
                let estimate = (self.estimate)(&group.analysis?.all)?;
                Some(Quantity {
                    group,
                    name: "",
                    estimate,
                })
            })
            .collect();
        let look = Look {
            id: self.metric.id,
            axis: self.axis,
            factor: 1.0,
            decimals: DECIMALS,
            reference: None,
        };
        let figure = intervals::figure(look, &format!("{}.", self.axis), &answered)?;
        let rows: Vec<Vec<String>> = answered
            .iter()
            .map(|it| {
                vec![
                    it.group.name.clone(),
                    shown(&it.estimate),
                    it.group.runs.len().to_string(),
                ]
            })
            .collect();
        let each: Vec<String> = rows.iter().map(|row| row[..2].join(" ")).collect();
        Some(Chapter {
            finding: Said::described(format!("{}: {}.", self.axis, each.join(", "))),
            caveat: self.caveat.to_owned(),
            figures: vec![figure],
            tables: vec![Table {
                caption: format!("{}, with its interval.", self.axis),
                head: ["learner", self.axis, "runs"].map(str::to_owned).to_vec(),
                rows,
            }],
            ..Chapter::default()
        })
    }
}

const DECIMALS: usize = 3;

/// The value, and its interval if it has one.
fn shown(estimate: &Estimate) -> String {
    let value = number(estimate.value, DECIMALS);
    estimate.interval.as_ref().map_or(value.clone(), |it| {
        format!(
            "{value} [{}, {}]",
            number(it.lower, DECIMALS),
            number(it.upper, DECIMALS)
        )
    })
}

/// Its chapter is written by the question itself.
fn nothing(_: &Material<'_>) -> Option<Chapter> {
    None
}
