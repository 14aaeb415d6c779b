//! The runs of one learner in one setting, and what the plots read off them directly.

use super::svg::Series;
use crate::metric::Measure;
use crate::outcome::{LearnerAnalysis, StudyAnalysis};
use crate::record::{Adaptation, Outcome, Run, Study, Test};

/// All runs of one learner in one setting, with their figures.
pub(crate) struct Group<'a> {
    /// Name of the learner.
    pub(crate) learner: &'a str,
    /// Name of the setting.
    pub(crate) setting: &'a str,
    /// Learner, and setting where the study has several.
    pub(crate) name: String,
    /// The learner's look in every plot.
    pub(crate) series: Series,
    /// Its runs, in order of seed.
    pub(crate) runs: Vec<&'a Run>,
    /// Its figures; absent if the analysis is not of this study.
    pub(crate) analysis: Option<&'a LearnerAnalysis>,
}

/// The groups of a study: settings in order of first appearance, learners likewise within each.
pub(crate) fn groups<'a>(study: &'a Study, analysis: &'a StudyAnalysis) -> Vec<Group<'a>> {
    let learners = distinct(study.runs.iter().map(|run| run.learner.as_str()));
    let settings = distinct(study.runs.iter().map(|run| run.setting.as_str()));
    let mut groups = Vec::new();
    for &setting in &settings {
        let figures = analysis.settings.iter().find(|s| s.setting == setting);
        for (i, &learner) in learners.iter().enumerate() {
            let belongs = |run: &&Run| run.learner == learner && run.setting == setting;
            let mut runs: Vec<&Run> = study.runs.iter().filter(belongs).collect();
            if runs.is_empty() {
                continue;
            }
            runs.sort_by_key(|run| run.seed);
            groups.push(Group {
                learner,
                setting,
                name: if settings.len() > 1 {
                    format!("{learner}, {setting}")
                } else {
                    learner.to_owned()
                },
                series: Series(i),
                runs,
                analysis: figures.and_then(|s| s.learners.iter().find(|l| l.learner == learner)),
            });
        }
    }
    groups
}

/// The groups of each setting, in order: panels of one setting share their axes.
pub(crate) fn by_setting<'g, 'a>(groups: &'g [Group<'a>]) -> Vec<(&'a str, Vec<&'g Group<'a>>)> {
    distinct(groups.iter().map(|group| group.setting))
        .into_iter()
        .map(|setting| {
            (
                setting,
                groups
                    .iter()
                    .filter(|group| group.setting == setting)
                    .collect(),
            )
        })
        .collect()
}

/// Each value once, in order of first appearance.
pub(crate) fn distinct<'s>(values: impl Iterator<Item = &'s str>) -> Vec<&'s str> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

impl<'a> Group<'a> {
    /// A figure over all tested runs; none where the data could not carry it.
    pub(crate) fn get<M: Measure>(&self) -> Option<M> {
        self.analysis?.all.get()
    }

    /// Runs with a usable test: a whole table and finite losses, as the analysis has it.
    pub(crate) fn tested(&self) -> Vec<(&'a Run, &'a Test)> {
        let usable = |test: &&Test| {
            test.check("").is_ok() && test.task_nll.iter().all(|nll| nll.is_finite())
        };
        self.runs
            .iter()
            .filter_map(|run| Some((*run, run.test.as_ref().filter(usable)?)))
            .collect()
    }

    /// Runs with an accuracy on each task, in order of seed.
    pub(crate) fn scored(&self) -> Vec<(&'a Run, Vec<f64>)> {
        let usable = |run: &Run| {
            let (test, scores) = (run.test.as_ref(), run.scores.as_ref());
            test.is_none_or(|test| test.check("").is_ok())
                && scores.is_none_or(|scores| scores.check_on("", false).is_ok())
        };
        self.runs
            .iter()
            .filter(|run| usable(run))
            .filter_map(|run| Some((*run, run.task_accuracies()?)))
            .collect()
    }

    /// Whether its runs lack tasks of each other, and have adjusted means.
    pub(crate) fn is_incomplete(&self) -> bool {
        let has_cells = |run: &&Run| run.scores.as_ref().is_some_and(|it| it.cells.is_some());
        self.runs.iter().any(has_cells)
    }

    /// Queries behind each accuracy, if known.
    pub(crate) fn queries_per_task(&self) -> Option<usize> {
        let of = |run: &Run| match (&run.test, &run.scores) {
            (Some(test), _) => Some(test.queries_per_task()),
            (None, scores) => scores.as_ref()?.queries_per_task,
        };
        self.scored().first().and_then(|(run, _)| of(run))
    }

    /// Whether the analysis counts this run as failed.
    pub(crate) fn failed(&self, run: &Run) -> bool {
        self.analysis
            .is_some_and(|a| a.failures.failed.iter().any(|failed| failed.id == run.id))
    }

    /// Runs whose inner loop was recorded, with a whole table.
    pub(crate) fn adapted(&self) -> Vec<(&'a Run, &'a Adaptation)> {
        self.runs
            .iter()
            .filter_map(|run| {
                Some((
                    *run,
                    run.adaptation.as_ref().filter(|a| n_columns(a).is_some())?,
                ))
            })
            .collect()
    }

    /// Runs that diverged: step and cause.
    pub(crate) fn diverged(&self) -> Vec<(&'a Run, usize, &'a str)> {
        self.runs
            .iter()
            .filter_map(|run| match &run.outcome {
                Outcome::Completed => None,
                Outcome::Diverged { step, cause } => Some((*run, *step, cause.as_str())),
            })
            .collect()
    }
}

/// Share of queries on which two runs give different labels; `None` if the tables differ in size.
pub(crate) fn disagreement(a: &Test, b: &Test) -> Option<f64> {
    if a.predictions.len() != b.predictions.len() || a.predictions.is_empty() {
        return None;
    }
    let differ = a
        .predictions
        .iter()
        .zip(&b.predictions)
        .filter(|(x, y)| x != y)
        .count();
    Some(differ as f64 / a.predictions.len() as f64)
}

/// Columns of the adaptation tables, inner steps plus one; `None` if they do not fit each other.
pub(crate) fn n_columns(adaptation: &Adaptation) -> Option<usize> {
    let n = adaptation.query_accuracy.len();
    let columns = n.checked_div(adaptation.n_tasks)?;
    let whole = columns > 0
        && columns * adaptation.n_tasks == n
        && adaptation.support_loss.len() == n
        && adaptation.query_loss.len() == n;
    whole.then_some(columns)
}

/// Validation curve of a run: `(step, accuracy)` where it was measured and is finite.
pub(crate) fn validation(run: &Run) -> Vec<(usize, f64)> {
    run.history
        .iter()
        .filter_map(|line| {
            Some((
                line.step,
                line.validation_accuracy.filter(|a| a.is_finite())?,
            ))
        })
        .collect()
}

/// `otherwise`, or that scores are there and the predictions behind them, which would tell `what`, are not.
pub(crate) fn without_predictions(groups: &[Group<'_>], what: &str, otherwise: &str) -> String {
    let has_tests = groups.iter().any(|group| !group.tested().is_empty());
    let has_scores = groups.iter().any(|group| !group.scored().is_empty());
    if has_scores && !has_tests {
        format!("The runs have scores and no predictions; {what} is not known.")
    } else {
        otherwise.to_owned()
    }
}
