//! What equal questions to a learner from elsewhere differ by.

use super::intervals::{measured, names, values};
use crate::probe::noise_floor::{Difference, Floor};
use crate::report::document::{Chapter, Table, extremes, list, percent, range};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "noise-floor",
    family: Family::Outcome,
    title: "Noise floor",
    question: "Does a learner from elsewhere give equal questions equal answers?",
    metrics: &["noise_floor"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Floor)> = measured(material.groups);
    let churn = |floor: &Floor| floor.worse().churn;
    let churns = values(&found, churn);
    let ((_, lo), (most, hi)) = extremes(&churns)?;
    let exact = names(&found, |floor| {
        floor.same_process.is_none() && floor.new_process.is_none()
    });
    let none = match exact.as_slice() {
        [] => String::new(),
        names => format!(
            "Equal questions have equal answers, to the bit: {}. ",
            list(names)
        ),
    };
    let some = if exact.len() < found.len() {
        format!(
            "{} % of the answers of {most} change when the same question is asked again.",
            percent(*hi)
        )
    } else {
        String::new()
    };
    let cells = |difference: &Difference| {
        [
            format!("{:.1e}", difference.log_probability),
            percent(difference.churn),
            percent(difference.accuracy),
        ]
    };
    Some(Chapter {
        number: Some((range(*lo, *hi, "%"), "of the answers change when the same question is asked again".to_owned())),
        finding: Said::described((none + &some).trim_end().to_owned()),
        caveat: "The learners of this program give the same bits for the same question and are not listed. If the spread of a listed learner \
                 is not above its noise floor, its own arithmetic explains the spread. A listed learner shows neither gradients nor \
                 parameters, so the chapters on curvature, loss surfaces, features and meta-gradients leave it out."
            .to_owned(),
        tables: vec![Table {
            caption: "Largest difference over the runs. Again: the same process; new: a new process that loads what was saved.".to_owned(),
            head: [
                "learner",
                "again: log-probability",
                "again: answers, %",
                "again: accuracy, pp",
                "new: log-probability",
                "new: answers, %",
                "new: accuracy, pp",
                "runs × tasks",
            ]
            .map(str::to_owned)
            .to_vec(),
            rows: found
                .iter()
                .map(|(group, floor)| {
                    let mut row = vec![group.name.clone()];
                    row.extend(cells(&floor.same_process));
                    row.extend(cells(&floor.new_process));
                    row.push(format!("{} × {}", floor.n_runs, floor.n_tasks));
                    row
                })
                .collect(),
        }],
        ..Chapter::default()
    })
}
