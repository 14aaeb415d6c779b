//! How far the final accuracy moves between trainings: the chapter around fan, raincloud and waterfall.

use super::{fan, seeds, waterfall};
use crate::estimate::Estimate;
use crate::report::document::{Chapter, extremes, percent, percent_range, range};
use crate::report::group::Group;
use crate::report::subject::{Family, Material, Subject};
use crate::spread::Spread;

/// Runs from which quantile bands mean something; below, the lowest and highest run are shown and called so.
pub(super) const LEAST_FOR_BANDS: usize = 5;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "outcome",
    family: Family::Outcome,
    title: "Between trainings",
    question: "How far does the final accuracy move from training to training, and where does the uncertainty come from?",
    metrics: &["spread", "components", "threshold"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material { groups, .. } = *material;
    let deviations: Vec<(&Group<'_>, Estimate)> = groups
        .iter()
        .filter_map(|group| Some((group, group.get::<Spread>()?.seed_sd?)))
        .collect();
    let values: Vec<(&str, f64)> = deviations
        .iter()
        .map(|(group, sd)| (group.name.as_str(), sd.value))
        .collect();
    let finding = match extremes(&values) {
        None => "No learner has two tested runs, so nothing can be said about another training."
            .to_owned(),
        Some(((only, sd), _)) if values.len() == 1 => format!(
            "Between trainings, {only} moves with a standard deviation of {} pp.",
            percent(*sd)
        ),
        Some(((steady, lo), (moving, hi))) => {
            let limits = |name: &str| {
                deviations
                    .iter()
                    .find(|(g, _)| g.name == name)
                    .and_then(|(_, sd)| sd.interval.clone())
            };
            let apart = match (limits(steady), limits(moving)) {
                (Some(a), Some(b)) if a.upper < b.lower => {
                    "The intervals of these two do not overlap."
                }
                _ => {
                    "The intervals of these two overlap: the runs are too few to say that one is steadier than the other."
                }
            };
            let shown = |name: &str| {
                limits(name).map_or(String::new(), |i| {
                    format!(" {}", percent_range(i.lower, i.upper))
                })
            };
            format!(
                "Between trainings, {steady} moves least (standard deviation {} pp{}) and {moving} most ({} pp{}). {apart}",
                percent(*lo),
                shown(steady),
                percent(*hi),
                shown(moving)
            )
        }
    };
    Some(Chapter {
        number: extremes(&values).map(|((_, lo), (_, hi))| (range(*lo, *hi, "pp"), "standard deviation between seeds".to_owned())),
        finding,
        caveat: "A standard deviation from three runs is known only to a factor of twelve between its limits; the usual interval over \
                 test tasks of one run says nothing about another training.".to_owned(),
        figures: [fan::figure(groups), seeds::figure(groups), waterfall::figure(groups)].into_iter().flatten().collect(),
        tables: waterfall::table(groups).into_iter().collect(),
        ..Chapter::default()
    })
}
