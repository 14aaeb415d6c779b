//! From the files of a run to the plain table that the analysis takes.

use anyhow::{Result, anyhow};
use metastable_algorithms as algorithms;
use metastable_analysis::training::{
    Angles, BlockState, FirstOrderBias, InnerAngles, Inside, LogLine, MeanCurve, Selection,
    TrainingLog,
};
use metastable_analysis::{Progress, Run, TaskScores};

use super::record::RunResult;
use super::{Record, log, regression, results, returns};
use crate::campaign::Finished;
use crate::study::Chosen;

/// The table of a finished run of a study.
pub(crate) fn table(run: &Finished) -> Result<Run> {
    let Finished {
        entry,
        folder,
        record,
    } = run;
    let result = record
        .result
        .as_ref()
        .ok_or_else(|| anyhow!("run {} has not ended", entry.label))?;
    let lines = log::read(&folder.log())?;
    let is_regression = record.config.is_regression();
    let is_policy = record.config.is_policy();
    // A loss is then the score with its sign turned.
    let has_no_classes = is_regression || is_policy;
    let history = lines
        .iter()
        .map(|line| Progress {
            step: line.step,
            train_loss: line.train_loss,
            // The analysis takes scores of which more is better.
            train_accuracy: match has_no_classes {
                true => -line.train_loss,
                false => line.train_accuracy,
            },
            validation_accuracy: match has_no_classes {
                true => line.validation_loss.map(|loss| -loss),
                false => line.validation_accuracy,
            },
        })
        .collect();
    let (test, scores, adaptation, selection) = match &result.test {
        None => (None, None, None, None),
        Some(_) if is_regression => {
            let stored = regression::read(&folder.test(), &record.identity)?;
            let errors = regression::turned(&stored.errors);
            // As of classes: a run that blew up on a test task has no usable test.
            let is_usable = errors.iter().all(|error| error.is_finite());
            let scores = is_usable.then(|| TaskScores {
                accuracies: errors,
                ..TaskScores::default()
            });
            (None, scores, stored.adaptation, None)
        }
        Some(_) if is_policy => {
            let (path, config) = (folder.test(), &record.config);
            let (returned, _) = returns::read(&path, &record.identity, config)?;
            let returns = returned.scores();
            let is_usable = returns.iter().all(|score| score.is_finite());
            let scores = is_usable.then(|| TaskScores {
                accuracies: returns,
                best: returned.best.clone(),
                ..TaskScores::default()
            });
            (None, scores, returned.adaptation(config.test.curves), None)
        }
        Some(_) => {
            let stored = results::read(&folder.test(), &record.identity)?;
            let (test, scores) = stored.answers.for_analysis();
            let accuracies = stored.answers.task_accuracies();
            let selection = selection(record, result, accuracies, stored.other);
            (test, scores, stored.adaptation, selection)
        }
    };
    Ok(Run {
        id: entry.label.clone(),
        learner: entry.learner.clone(),
        setting: record.config.setting(),
        seed: entry.seed,
        outcome: result.outcome.clone(),
        history,
        train_seconds: result.train_seconds,
        test,
        scores,
        adaptation,
        // A guest tells its losses, and no gradients.
        training: result.guest.is_none().then(|| TrainingLog {
            n_tasks: record.config.training.meta_batch,
            layers: record.layers.clone(),
            lines: lines.into_iter().map(line).collect(),
        }),
        selection,
        fingerprint: record.fingerprint()?,
    })
}

/// Accuracies of the best and of the last weights; one and the same where both are of one step.
fn selection(
    record: &Record,
    result: &RunResult,
    chosen: Vec<f64>,
    other: Option<Vec<f64>>,
) -> Option<Selection> {
    // Of several checkpoints together neither the best weights nor the last ones were tested.
    if record.config.test.checkpoints > 1 {
        return None;
    }
    let step = result.test.as_ref()?.step;
    let (other, other_step) = match (other, &result.other_test) {
        (Some(accuracies), Some(test)) => (accuracies, test.step),
        _ => (chosen.clone(), step),
    };
    let [best, last] = match record.config.test.weights {
        Chosen::Best => [(chosen, step), (other, other_step)],
        Chosen::Last => [(other, other_step), (chosen, step)],
    };
    Some(Selection {
        best_step: best.1,
        last_step: last.1,
        best: best.0,
        last: last.0,
    })
}

fn line(line: log::LogLine) -> LogLine {
    let [mean_square, sum_of_squares] = line.gradient_squares;
    LogLine {
        step: line.step,
        losses: line.losses,
        layer_norms: line.layer_norms,
        n_clipped: line.n_clipped,
        update_ratio: line.update_ratio,
        mean_square,
        sum_of_squares,
        angles: line.observation.map(|it| angles(it, line.domains)),
        inside: line.inspection.map(inside),
    }
}

fn angles(observed: algorithms::Observation, domains: Vec<u32>) -> Angles {
    let bias = |bias: algorithms::FirstOrderBias| FirstOrderBias {
        cosine: bias.cosine,
        difference: bias.difference,
    };
    Angles {
        gradients: observed.cosines,
        domains,
        inner: observed.inner.map(|inner| InnerAngles {
            within_task: inner.within_task,
            trajectories: inner.coherence,
            bias: inner.bias.map(bias),
            layers: inner.layers.into_iter().map(|it| it.map(bias)).collect(),
        }),
    }
}

fn inside(inspected: algorithms::Inspection) -> Inside {
    Inside {
        n_tasks: inspected.n_tasks,
        // The chapter on curves of validations is about right answers; a regression has none.
        curve: inspected
            .curve
            .filter(|curve| !curve.query_accuracy.is_empty())
            .map(|curve| MeanCurve {
                query_accuracy: curve.query_accuracy,
                support_loss: curve.support_loss,
                query_loss: curve.query_loss,
                support_rose: curve.support_rose,
            }),
        blocks: inspected
            .blocks
            .into_iter()
            .map(|block| BlockState {
                dead: block.dead,
                drift: block.drift.map(|drift| [drift.mean, drift.scale]),
            })
            .collect(),
    }
}
