//! D4: what choosing the best weights on validation is worth at test.

use serde::{Deserialize, Serialize};

use super::Selection;
use crate::distribution::student_two_sided;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, points};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::probe::pool::over_runs;
use crate::summary::standard_deviation;

/// Best against last weights of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionGap {
    /// Runs with both tests.
    pub n_runs: usize,
    /// Tasks of each test.
    pub n_tasks: usize,
    /// `A_test(best) - A_test(last)`.
    pub gap: Estimate,
    /// Standard deviation of the gap over runs; absent for one.
    pub sd: Option<f64>,
    /// Runs whose last weights are the best ones: their gap is 0 by definition.
    pub n_same: usize,
    /// Each run, in order of seed: step of the best weights over that of the last ones, and the gap.
    pub runs: Vec<(u64, f64, f64)>,
}

impl SelectionGap {
    /// Whether test accuracy fell after the best checkpoint, where `n_learners` learners are asked: Student's test over runs
    /// at `(1 - level) / n_learners`, so that of learners that do not fall at most `1 - level` of studies name one
    /// (Bonferroni). Never for a single run, nor where all gaps are equal: nothing says then how far they scatter.
    #[must_use]
    pub fn degrades(&self, n_learners: usize, level: f64) -> bool {
        self.p_value()
            .is_some_and(|p| p * (n_learners as f64) < 1.0 - level)
    }

    /// The two-sided p-value of a fall of zero, by Student's test over runs; none if nothing fell or nothing scatters.
    #[must_use]
    pub fn p_value(&self) -> Option<f64> {
        let n = self.n_runs as f64;
        let error = self.sd.unwrap_or(0.0) / n.sqrt();
        let fell = self.gap.value > 0.0 && error > 0.0;
        fell.then(|| student_two_sided(self.gap.value / error, n - 1.0))
    }
}

impl Measure for SelectionGap {
    const ID: &'static str = "selection";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: SelectionGap::ID,
    title: "Selection gap: best less last weights (D4)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let found: Vec<(u64, &Selection)> = group
        .runs
        .iter()
        .filter_map(|run| Some((run.seed, run.selection.as_ref()?)))
        .collect();
    let differences: Vec<Vec<f64>> = found
        .iter()
        .map(|(_, it)| it.best.iter().zip(&it.last).map(|(b, l)| b - l).collect())
        .collect();
    let Some(gap) = over_runs(&differences, options.level) else {
        return Ok(Measured::absent());
    };
    let runs: Vec<(u64, f64, f64)> = found
        .iter()
        .zip(&differences)
        .map(|((seed, it), differences)| {
            let share = it.best_step as f64 / it.last_step.max(1) as f64;
            (*seed, share, crate::summary::mean(differences))
        })
        .collect();
    let gaps: Vec<f64> = runs.iter().map(|run| run.2).collect();
    let result = SelectionGap {
        n_runs: runs.len(),
        n_tasks: found[0].1.best.len(),
        gap,
        sd: (gaps.len() > 1).then(|| standard_deviation(&gaps)),
        n_same: found
            .iter()
            .filter(|(_, it)| it.best_step == it.last_step)
            .count(),
        runs,
    };
    let zero = result.gap.interval.as_ref().is_none_or(|i| i.contains(0.0));
    let (certainty, verdict) = if zero {
        (
            Certainty::NotDistinguishable,
            "which is not distinguishable from zero",
        )
    } else {
        (Certainty::Distinguishable, "and the interval excludes zero")
    };
    let limits = result.gap.interval.as_ref().map_or_else(String::new, |i| {
        format!(" ({} to {})", points(i.lower), points(i.upper))
    });
    let text = format!(
        "Testing the best weights (on validation) instead of the last weights changes the accuracy of {} by {}{limits}, {verdict}; in {} of \
         {} runs they are the same weights.",
        group.learner,
        points(result.gap.value),
        result.n_same,
        result.n_runs
    );
    let finding = Finding::of_learner(group, SelectionGap::ID, certainty, text);
    Measured::new(&result, vec![finding])
}
