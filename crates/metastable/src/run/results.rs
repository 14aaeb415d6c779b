//! `test.safetensors`: every prediction of the meta-test, and the inner-loop curves.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use metastable_algorithms::{Curves, Evaluation};
use metastable_analysis::{Adaptation, Test};

use super::tensors::TensorFile;

/// What a meta-test found.
pub(crate) struct Tested<'a> {
    pub(crate) evaluation: &'a Evaluation,
    /// Of the weights that were not chosen, if they are others.
    pub(crate) other: Option<&'a Evaluation>,
    /// The class behind each label of each task.
    pub(crate) classes: &'a [u32],
    pub(crate) curves: Option<&'a Curves>,
}

/// Writes predictions and curves.
pub(crate) fn write(path: &Path, identity: &str, tested: &Tested<'_>) -> Result<()> {
    let Tested {
        evaluation,
        other,
        classes,
        curves,
    } = *tested;
    let (n_tasks, shape) = (evaluation.n_tasks, evaluation.shape);
    let mut file = TensorFile::default();
    let mut note = |key: &str, value: String| file.metadata.insert(key.to_owned(), value);
    note("identity", identity.to_owned());
    note("n_query", shape.n_query.to_string());
    if let Some(curves) = curves {
        note("trained_steps", curves.trained_steps.to_string());
    }
    file.push("task_nll", &[n_tasks], &evaluation.task_nll);
    if let Some(other) = other {
        let accuracies: Vec<f64> = other.task_accuracies().collect();
        file.push("other.task_accuracy", &[n_tasks], &accuracies);
    }
    if let Some(curves) = curves {
        let curve_shape = [curves.tasks.len(), curves.n_steps + 1];
        let mut push = |name: &str, of: fn(&metastable_algorithms::Curve) -> &Vec<f64>| {
            let values: Vec<f64> = curves.tasks.iter().flat_map(of).copied().collect();
            file.push(name, &curve_shape, &values);
        };
        push("curves.query_accuracy", |curve| &curve.query_accuracy);
        push("curves.support_loss", |curve| &curve.support_loss);
        push("curves.query_loss", |curve| &curve.query_loss);
    }
    file.push("classes", &[n_tasks, shape.n_way], classes);
    let n_queries = shape.n_queries();
    file.push(
        "predictions",
        &[n_tasks, n_queries],
        &evaluation.predictions,
    );
    let log_odds: Vec<f32> = evaluation
        .query_log_odds
        .iter()
        .map(|&odds| odds as f32)
        .collect();
    file.push("query_log_odds", &[n_tasks, n_queries], &log_odds);
    file.write(path)
}

/// What [`write()`] wrote.
pub(crate) struct Stored {
    pub(crate) test: Test,
    pub(crate) adaptation: Option<Adaptation>,
    /// Accuracy on each task of the weights that were not chosen, if they are others.
    pub(crate) other: Option<Vec<f64>>,
}

/// Reads it.
pub(crate) fn read(path: &Path, identity: &str) -> Result<Stored> {
    parse(path, identity).with_context(|| format!("{} does not fit its run", path.display()))
}

fn parse(path: &Path, identity: &str) -> Result<Stored> {
    let file = TensorFile::read(path)?;
    ensure!(
        file.text("identity")? == identity,
        "it belongs to another run"
    );
    let (shape, classes) = file.need::<u32>("classes")?;
    ensure!(shape.len() == 2, "classes have shape {shape:?}");
    let (n_tasks, n_way) = (shape[0], shape[1]);
    let test = Test {
        n_tasks,
        n_way,
        n_query: file.text("n_query")?.parse()?,
        predictions: file.need::<u8>("predictions")?.1,
        task_nll: file.need::<f64>("task_nll")?.1,
        query_log_odds: file
            .get::<f32>("query_log_odds")?
            .map(|(_, odds)| odds.into_iter().map(f64::from).collect()),
        classes: Some(classes),
    };
    let adaptation = match file.get::<f64>("curves.query_accuracy")? {
        None => None,
        Some((shape, query_accuracy)) => Some(Adaptation {
            n_tasks: shape[0],
            trained_steps: file.text("trained_steps")?.parse()?,
            query_accuracy,
            support_loss: file.need::<f64>("curves.support_loss")?.1,
            query_loss: file.need::<f64>("curves.query_loss")?.1,
        }),
    };
    Ok(Stored {
        test,
        adaptation,
        other: file
            .get::<f64>("other.task_accuracy")?
            .map(|(_, accuracies)| accuracies),
    })
}
