//! What a chapter is about, and what it is written from.

use super::document::Chapter;
use super::group::Group;
use crate::outcome::StudyAnalysis;
use crate::record::Study;

/// What chapters are written from.
pub(crate) struct Material<'m> {
    /// The records.
    pub(crate) study: &'m Study,
    /// Their figures.
    pub(crate) analysis: &'m StudyAnalysis,
    /// The runs of each learner in each setting, with their figures.
    pub(crate) groups: &'m [Group<'m>],
}

/// What a chapter is about. Each chapter has one, as a constant in its file, and [`super::chapters::SUBJECTS`] lists them.
pub(crate) struct Subject {
    /// Anchor, unique in the document.
    pub(crate) id: &'static str,
    /// Where it belongs.
    pub(crate) family: Family,
    /// Heading.
    pub(crate) title: &'static str,
    /// The question that the chapter answers.
    pub(crate) question: &'static str,
    /// Metrics whose sentences stand in it.
    pub(crate) metrics: &'static [&'static str],
    /// Writes it; none where the records say nothing on the subject, which then is not mentioned.
    pub(crate) write: fn(&Material<'_>) -> Option<Chapter>,
}

impl Subject {
    /// Whether the sentences of a metric stand in the chapter: those that it lists, or that of its own name if it lists none.
    pub(crate) fn claims(&self, metric: &str) -> bool {
        self.metrics.contains(&metric) || (self.metrics.is_empty() && self.id == metric)
    }
}

/// Families of measurements, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Which source or setting causes the movement.
    Sources,
    /// How much the result moves between runs and tasks, and how bad the tail is.
    Outcome,
    /// Whether one trained learner gives one answer.
    Adaptation,
    /// Whether another task or example changes the learner; the gap to new classes.
    Generalization,
    /// Whether training converges, how fast, how smoothly.
    Dynamics,
    /// How curved the landscape is, and what the features are.
    Geometry,
    /// What is left under other data, and whether confidences are honest.
    Shift,
    /// Which learner is better.
    Comparison,
    /// What was run.
    Replication,
}

impl Family {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 9] = [
        Self::Sources,
        Self::Outcome,
        Self::Adaptation,
        Self::Generalization,
        Self::Dynamics,
        Self::Geometry,
        Self::Shift,
        Self::Comparison,
        Self::Replication,
    ];

    /// A word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sources => "Sources",
            Self::Outcome => "Outcome",
            Self::Adaptation => "Adaptation",
            Self::Generalization => "Generalization",
            Self::Dynamics => "Dynamics",
            Self::Geometry => "Geometry",
            Self::Shift => "Shift",
            Self::Comparison => "Comparison",
            Self::Replication => "Replication",
        }
    }
}
