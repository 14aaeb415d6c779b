//! D3: three nested gaps: fresh queries of seen tasks, new tasks from the training classes, new classes.

use serde::{Deserialize, Serialize};

use super::pool::in_points;
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::summary::{mean, variance};

pub use crate::record::answers::gaps::{Answers, AtStep, Level};

/// The gaps of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each level.
    pub n_tasks: usize,
    /// Classes, supports and queries of each task.
    pub shape: (usize, usize, usize),
    /// Mean accuracy and loss on seen tasks.
    pub seen: (f64, f64),
    /// At the checkpoint of the test.
    pub tested: AtCheckpoint,
    /// After the last step; absent where that is the checkpoint of the test in every run.
    pub last: Option<AtCheckpoint>,
}

/// The gaps at one checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtCheckpoint {
    /// Outer steps, mean over runs.
    pub step: f64,
    /// (i) Seen tasks with fresh queries.
    pub fresh_queries: Option<Gap>,
    /// (ii) New tasks from the training classes.
    pub new_tasks: Gap,
    /// (iii) New classes: the meta-generalization gap.
    pub new_classes: Option<Gap>,
}

/// What is lost against seen tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Accuracy on seen tasks less accuracy here.
    pub accuracy: Estimate,
    /// Loss here less loss on seen tasks, in nats.
    pub loss: Estimate,
}

impl Measure for Gaps {
    const ID: &'static str = "gaps";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Gaps::ID,
    title: "Seen tasks, new tasks, new classes (D3)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.gaps.as_ref());
    let tested: Vec<&AtStep> = asked.iter().filter_map(|run| run.tested()).collect();
    let (Some(first), Some(at), Some(of_test)) = (
        asked.first(),
        tested.first(),
        at_checkpoint(&tested, options.level),
    ) else {
        return Ok(Measured::absent());
    };
    let last: Vec<&AtStep> = asked.iter().filter_map(|run| run.points.last()).collect();
    let over = |of: fn(&Level) -> &Vec<f64>| {
        mean(
            &tested
                .iter()
                .map(|point| mean(of(&point.seen)))
                .collect::<Vec<_>>(),
        )
    };
    let result = Gaps {
        n_runs: tested.len(),
        n_tasks: at.seen.loss.len(),
        shape: first.shape,
        seen: (over(|level| &level.accuracy), over(|level| &level.loss)),
        tested: of_test,
        last: if last.iter().all(|point| point.is_tested) {
            None
        } else {
            at_checkpoint(&last, options.level)
        },
    };
    let mut parts = Vec::new();
    for (gap, of) in [
        (result.tested.fresh_queries.as_ref(), "with fresh queries"),
        (
            Some(&result.tested.new_tasks),
            "on new tasks from the training classes",
        ),
        (result.tested.new_classes.as_ref(), "on new classes"),
    ] {
        if let Some(gap) = gap {
            parts.push(format!("{} {of}", in_points(&gap.accuracy)));
        }
    }
    let text = format!(
        "Compared with {:.2} % on the tasks of its training, {} loses {}.",
        100.0 * result.seen.0,
        group.learner,
        parts.join(", ")
    );
    let widest = result
        .tested
        .new_classes
        .as_ref()
        .unwrap_or(&result.tested.new_tasks);
    let certainty = match &widest.accuracy.interval {
        None => Certainty::TooFewRuns,
        Some(interval) if interval.contains(0.0) => Certainty::NotDistinguishable,
        Some(_) => Certainty::Distinguishable,
    };
    let finding = Finding::of_learner(group, Gaps::ID, certainty, text);
    Measured::new(&result, vec![finding])
}

/// `None` without answers.
fn at_checkpoint(points: &[&AtStep], level: f64) -> Option<AtCheckpoint> {
    let to = |of: fn(&AtStep) -> Option<&Level>, paired: bool| {
        let with: Vec<(&Level, &Level)> = points
            .iter()
            .filter_map(|point| Some((&point.seen, of(point)?)))
            .collect();
        let gap = |of: fn(&Level) -> &Vec<f64>, sign: f64| {
            let tables: Vec<(&[f64], &[f64])> = with
                .iter()
                .map(|(seen, there)| (of(seen).as_slice(), of(there).as_slice()))
                .collect();
            difference(&tables, sign, paired, level)
        };
        Some(Gap {
            accuracy: gap(|level| &level.accuracy, 1.0)?,
            loss: gap(|level| &level.loss, -1.0)?,
        })
    };
    let steps: Vec<f64> = points.iter().map(|point| point.step as f64).collect();
    Some(AtCheckpoint {
        step: mean(&steps),
        fresh_queries: to(|point| point.fresh_queries.as_ref(), true),
        new_tasks: to(|point| Some(&point.new_tasks), false)?,
        new_classes: to(|point| point.new_classes.as_ref(), false),
    })
}

/// `sign (seen - there)`, mean over runs of the means over tasks. Student's interval over runs; with one run over its tasks,
/// pairs of them where the tasks are the same ones, else with Welch's degrees of freedom.
fn difference(runs: &[(&[f64], &[f64])], sign: f64, paired: bool, level: f64) -> Option<Estimate> {
    let gaps: Vec<f64> = runs
        .iter()
        .map(|(seen, there)| sign * (mean(seen) - mean(there)))
        .collect();
    let (variance_of_mean, df, method) = match runs {
        [] => return None,
        [(seen, there)] if paired => {
            let each: Vec<f64> = seen.iter().zip(*there).map(|(a, b)| a - b).collect();
            let n = each.len() as f64;
            (variance(&each) / n, n - 1.0, "tasks of one run, paired")
        }
        [(seen, there)] => {
            let part = |values: &[f64]| {
                (
                    variance(values) / values.len() as f64,
                    values.len() as f64 - 1.0,
                )
            };
            let ((a, df_a), (b, df_b)) = (part(seen), part(there));
            let both = a + b;
            let df = both * both / (a * a / df_a + b * b / df_b);
            (
                both,
                if both > 0.0 { df } else { df_a.min(df_b) },
                "tasks of one run, Welch",
            )
        }
        _ => {
            let n = gaps.len() as f64;
            (variance(&gaps) / n, n - 1.0, "runs")
        }
    };
    let center = mean(&gaps);
    if df.is_nan() || df < 1.0 {
        return Some(Estimate::bare(center));
    }
    let method = format!("Student t over {method}");
    Some(Estimate::new(
        center,
        Interval::student(center, variance_of_mean, df, level, method),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_by_hand() {
        let (seen, there) = ([0.9, 0.7, 0.8], [0.5, 0.6, 0.4]);
        let one = [(&seen[..], &there[..])];
        let half = |estimate: &Estimate| estimate.interval.as_ref().unwrap().half_width();
        // Pairs: 0.4, 0.1, 0.4, mean 0.3, SD sqrt(0.03); t(0.975, 2) = 4.302653.
        let paired = difference(&one, 1.0, true, 0.95).unwrap();
        assert!((paired.value - 0.3).abs() < 1e-12);
        assert!((half(&paired) - 4.302_653 * (0.03_f64 / 3.0).sqrt()).abs() < 1e-6);
        // Unpaired: variances 0.01 and 0.01, so Welch has 4 degrees of freedom; t(0.975, 4) = 2.776445.
        let apart = difference(&one, -1.0, false, 0.95).unwrap();
        assert!((apart.value + 0.3).abs() < 1e-12);
        assert!((half(&apart) - 2.776_445 * (0.02_f64 / 3.0).sqrt()).abs() < 1e-6);
        // Two runs with gaps 0.3 and 0.1: mean 0.2, SD of the mean 0.1; t(0.975, 1) = 12.706205.
        let two = [one[0], (&[0.6][..], &[0.5][..])];
        let runs = difference(&two, 1.0, true, 0.95).unwrap();
        assert!((runs.value - 0.2).abs() < 1e-12 && (half(&runs) - 1.270_620_5).abs() < 1e-6);
    }
}
