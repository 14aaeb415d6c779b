//! C4: what each inner step does to accuracy and losses.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::record::Adaptation;
use crate::summary::{mean, quantile_of_sorted, sorted};
use crate::words::Words;

/// Inner-loop curves of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InnerCurves {
    /// Runs with finite curves.
    pub n_runs: usize,
    /// Runs left out because a loss along the inner loop was not finite.
    pub n_not_finite: usize,
    /// Tasks of each run.
    pub n_tasks: usize,
    /// Inner steps that training used.
    pub trained_steps: usize,
    /// Over all tasks of all runs, `k = 0, 1, ...` inner steps.
    pub query_accuracy: Vec<Band>,
    /// Support loss, in nats.
    pub support_loss: Vec<Band>,
    /// Query loss, in nats.
    pub query_loss: Vec<Band>,
    /// Mean over runs.
    pub summary: CurveSummary,
    /// Each run by itself, in order of seed.
    pub runs: Vec<CurveSummary>,
}

/// A curve's value over tasks at one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// 10th percentile.
    pub lower: f64,
    /// 90th percentile.
    pub upper: f64,
}

/// What a run's curves say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveSummary {
    /// `A_0`: mean query accuracy before adaptation; guessing is expected where labels are drawn anew.
    pub before: f64,
    /// `A_1 - A_0`; 0 if there are no steps.
    pub gain_of_first_step: f64,
    /// `A_end - A_0`.
    pub gain: f64,
    /// Step with the best mean accuracy (the first of several; in the mean over runs: that of the mean curve).
    pub best_step: usize,
    /// `max_k A_k - A_end`: accuracy lost by adapting on.
    pub overshoot: f64,
    /// Share of tasks whose support loss rose at any step.
    pub support_rose: f64,
    /// Share of tasks on which, at some step, the query loss rose while the support loss fell.
    pub query_rose_while_support_fell: f64,
}

impl Measure for InnerCurves {
    const ID: &'static str = "curves";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: InnerCurves::ID,
    title: "Inner-loop curves (C4)",
    measure,
};

/// Bands over all tasks of all runs, and the summary of each run.
///
/// # Errors
/// [`AnalysisError::TooFew`] without runs, tasks or points; [`AnalysisError::Shape`] naming the table and the run;
/// [`AnalysisError::NotFinite`] with the index in the table.
pub fn inner_curves(runs: &[&Adaptation]) -> Result<InnerCurves, AnalysisError> {
    let Some(first) = runs.first() else {
        return Err(AnalysisError::too_few("runs with inner-loop curves", 1, 0));
    };
    let n_tasks = first.n_tasks;
    if n_tasks == 0 || first.query_accuracy.len() < n_tasks {
        return Err(AnalysisError::too_few("tasks with inner-loop curves", 1, 0));
    }
    let n_points = first.query_accuracy.len() / n_tasks;
    for (run, curves) in runs.iter().enumerate() {
        for (what, table) in tables(curves) {
            let what = format!("{what} of run {run}");
            check_len(&what, n_tasks * n_points, table.len())?;
            check_finite(&what, table)?;
        }
    }
    let bands = |of: fn(&Adaptation) -> &[f64]| -> Vec<Band> {
        (0..n_points)
            .map(|k| {
                runs.iter()
                    .flat_map(|run| of(run).iter().skip(k).step_by(n_points).copied())
                    .collect()
            })
            .map(|values: Vec<f64>| band(&values))
            .collect()
    };
    let query_accuracy = bands(|run| &run.query_accuracy);
    let each: Vec<CurveSummary> = runs.iter().map(|run| summary(run, n_points)).collect();
    let average = |of: fn(&CurveSummary) -> f64| mean(&each.iter().map(of).collect::<Vec<_>>());
    let mean_curve: Vec<f64> = query_accuracy.iter().map(|band| band.mean).collect();
    Ok(InnerCurves {
        n_runs: runs.len(),
        n_not_finite: 0,
        n_tasks,
        trained_steps: first.trained_steps,
        support_loss: bands(|run| &run.support_loss),
        query_loss: bands(|run| &run.query_loss),
        query_accuracy,
        summary: CurveSummary {
            before: average(|run| run.before),
            gain_of_first_step: average(|run| run.gain_of_first_step),
            gain: average(|run| run.gain),
            best_step: first_best(&mean_curve),
            overshoot: average(|run| run.overshoot),
            support_rose: average(|run| run.support_rose),
            query_rose_while_support_fell: average(|run| run.query_rose_while_support_fell),
        },
        runs: each,
    })
}

fn tables(curves: &Adaptation) -> [(&'static str, &[f64]); 3] {
    [
        ("query accuracy", &curves.query_accuracy),
        ("support loss", &curves.support_loss),
        ("query loss", &curves.query_loss),
    ]
}

fn band(values: &[f64]) -> Band {
    let ordered = sorted(values);
    Band {
        mean: mean(values),
        median: quantile_of_sorted(&ordered, 0.5),
        lower: quantile_of_sorted(&ordered, 0.1),
        upper: quantile_of_sorted(&ordered, 0.9),
    }
}

fn first_best(curve: &[f64]) -> usize {
    (0..curve.len()).fold(0, |best, k| if curve[k] > curve[best] { k } else { best })
}

fn summary(run: &Adaptation, n_points: usize) -> CurveSummary {
    let at = |k: usize| {
        mean(
            &run.query_accuracy
                .iter()
                .skip(k)
                .step_by(n_points)
                .copied()
                .collect::<Vec<_>>(),
        )
    };
    let curve: Vec<f64> = (0..n_points).map(at).collect();
    let end = curve[n_points - 1];
    let best_step = first_best(&curve);
    let tasks = || {
        run.support_loss
            .chunks_exact(n_points)
            .zip(run.query_loss.chunks_exact(n_points))
    };
    let share = |holds: &dyn Fn(&[f64], &[f64]) -> bool| {
        tasks()
            .filter(|(support, query)| holds(support, query))
            .count() as f64
            / run.n_tasks as f64
    };
    CurveSummary {
        before: curve[0],
        gain_of_first_step: curve.get(1).map_or(0.0, |first| first - curve[0]),
        gain: end - curve[0],
        best_step,
        overshoot: curve[best_step] - end,
        support_rose: share(&|support, _| support.windows(2).any(|step| step[1] > step[0])),
        query_rose_while_support_fell: share(&|support, query| {
            support
                .windows(2)
                .zip(query.windows(2))
                .any(|(s, q)| q[1] > q[0] && s[1] < s[0])
        }),
    }
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let all: Vec<&Adaptation> = group
        .runs
        .iter()
        .filter_map(|run| run.adaptation.as_ref())
        .collect();
    let finite = |curves: &&Adaptation| {
        tables(curves)
            .iter()
            .all(|(_, table)| table.iter().all(|x| x.is_finite()))
    };
    let runs: Vec<&Adaptation> = all.iter().copied().filter(finite).collect();
    if runs.is_empty() {
        return Ok(Measured::absent());
    }
    let mut result = inner_curves(&runs)?;
    result.n_not_finite = all.len() - runs.len();
    let (summary, words) = (&result.summary, Words::of(options));
    let text = format!(
        "Before adaptation, {} is at {}; the first inner step adds {}. The best mean is at step {} of {} (trained with {}), and the steps \
         after it cost {}. The support loss rises at some step on {} of tasks.",
        group.learner,
        words.value(summary.before),
        words.points(summary.gain_of_first_step),
        summary.best_step,
        result.query_accuracy.len() - 1,
        result.trained_steps,
        words.points(summary.overshoot),
        percent(summary.support_rose)
    );
    let finding = Finding::of_learner(group, InnerCurves::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_by_hand() {
        let run = Adaptation {
            n_tasks: 2,
            trained_steps: 1,
            query_accuracy: vec![0.2, 0.8, 0.6, 0.2, 0.6, 0.6],
            support_loss: vec![2.0, 1.0, 0.5, 2.0, 1.0, 1.5],
            query_loss: vec![2.0, 1.0, 1.2, 2.0, 1.5, 1.0],
        };
        let curves = inner_curves(&[&run, &run]).unwrap();
        let s = curves.summary;
        for (got, expected) in [
            (s.before, 0.2),
            (s.gain_of_first_step, 0.5),
            (s.gain, 0.4),
            (s.overshoot, 0.1),
            (s.support_rose, 0.5),
            (s.query_rose_while_support_fell, 0.5),
            (curves.query_accuracy[1].median, 0.7),
        ] {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
        assert_eq!(s.best_step, 1);
    }
}
