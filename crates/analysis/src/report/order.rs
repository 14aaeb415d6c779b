//! The order in which a report tells its findings.

use super::card;
use super::document::Chapter;
use super::group::Group;
use super::said::{Basis, Said};
use super::subject::{Family, Subject};
use crate::findings::Certainty;
use crate::outcome::StudyAnalysis;

/// Chapters whose figure a light of the card judges.
const JUDGED: [(&str, &str); 4] = [
    ("outcome", "seed_sd"),
    ("tail", "tail"),
    ("failures", "failed"),
    ("support-sets", "support_sd"),
];

/// One finding of each chapter but those on what was run. What a test settled stands before the rest. In both halves, figures beyond their
/// threshold stand first, the farthest first, and figures within it last; figures without a threshold stand between, in the order of the families.
pub(super) fn findings(
    chapters: &[(&'static Subject, Chapter)],
    groups: &[Group<'_>],
    analysis: &StudyAnalysis,
) -> Vec<Said> {
    let sizes = card::over_thresholds(groups, analysis);
    let place = |subject: &Subject| {
        let own = [subject.id];
        let metrics = if subject.metrics.is_empty() {
            &own
        } else {
            subject.metrics
        };
        let is_settled = Basis::verdict(analysis, metrics) == Certainty::Distinguishable;
        let judged = JUDGED.iter().find(|(id, _)| *id == subject.id);
        let size = judged.and_then(|(_, light)| sizes.get(light).copied());
        // What has no threshold counts as one that is just reached.
        (!is_settled, -size.unwrap_or(1.0))
    };
    let mut told: Vec<_> = chapters
        .iter()
        .filter(|(subject, _)| subject.family != Family::Replication)
        .map(|(subject, chapter)| (place(subject), chapter))
        .collect();
    told.sort_by(|((a, x), _), ((b, y), _)| a.cmp(b).then(x.total_cmp(y)));
    told.into_iter()
        .map(|(_, chapter)| chapter.finding.clone())
        .collect()
}
