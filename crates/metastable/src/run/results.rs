//! `test.safetensors`: every prediction of the meta-test, and the inner-loop curves.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use metastable_algorithms::{Curves, Evaluation};
use metastable_analysis::{Adaptation, Test};
use metastable_data::{ClassRef, Episode, EpisodeShape};

use super::tensors::TensorFile;

/// What a meta-test found.
pub(crate) struct Tested<'a> {
    pub(crate) evaluation: &'a Evaluation,
    /// Of the weights that were not chosen, if they are others.
    pub(crate) other: Option<&'a Evaluation>,
    /// The tasks themselves.
    pub(crate) episodes: &'a [Episode],
    /// Of the images that the episodes count.
    pub(crate) data_digest: &'a str,
    pub(crate) curves: Option<&'a Curves>,
}

/// Writes predictions and curves.
pub(crate) fn write(path: &Path, identity: &str, tested: &Tested<'_>) -> Result<()> {
    let Tested {
        evaluation,
        other,
        episodes,
        data_digest,
        curves,
    } = *tested;
    let (n_tasks, shape) = (evaluation.n_tasks, evaluation.shape);
    let mut file = TensorFile::default();
    let mut note = |key: &str, value: String| file.metadata.insert(key.to_owned(), value);
    note("identity", identity.to_owned());
    note("n_query", shape.n_query.to_string());
    note("data_digest", data_digest.to_owned());
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
    let classes = || episodes.iter().flat_map(|episode| &episode.classes);
    let indices: Vec<u32> = classes().map(|class| class.class_idx).collect();
    file.push("classes", &[n_tasks, shape.n_way], &indices);
    let turns: Vec<u8> = classes().map(|class| class.quarter_turns).collect();
    file.push("quarter_turns", &[n_tasks, shape.n_way], &turns);
    let mut push = |name: &str, n_images: usize, of: fn(&Episode) -> &Vec<u32>| {
        let images: Vec<u32> = episodes.iter().flat_map(of).copied().collect();
        file.push(name, &[n_tasks, n_images], &images);
    };
    push("support_images", shape.n_support(), |it| &it.support);
    push("query_images", shape.n_queries(), |it| &it.query);
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

/// The test episodes of a run.
pub(crate) struct List {
    /// Of the images that the episodes count.
    pub(crate) data_digest: String,
    pub(crate) episodes: Vec<Episode>,
}

/// Reads the episodes that [`write()`] wrote.
pub(crate) fn episodes(path: &Path) -> Result<List> {
    let read = || -> Result<List> {
        let file = TensorFile::read(path)?;
        let (shape, classes) = file.need::<u32>("classes")?;
        ensure!(shape.len() == 2, "classes have shape {shape:?}");
        let (n_tasks, n_way) = (shape[0], shape[1]);
        let (_, turns) = file.need::<u8>("quarter_turns")?;
        let images = |name: &str| -> Result<(usize, Vec<u32>)> {
            let (shape, images) = file.need::<u32>(name)?;
            ensure!(
                shape.len() == 2 && shape[0] == n_tasks && n_way > 0 && shape[1] % n_way == 0,
                "{name} have shape {shape:?}"
            );
            Ok((shape[1] / n_way, images))
        };
        let (k_shot, support) = images("support_images")?;
        let (n_query, query) = images("query_images")?;
        ensure!(
            k_shot > 0 && n_query > 0 && turns.len() == classes.len(),
            "its tensors do not fit each other"
        );
        let shape = EpisodeShape {
            n_way,
            k_shot,
            n_query,
        };
        let refs: Vec<ClassRef> = classes
            .iter()
            .zip(&turns)
            .map(|(class_idx, quarter_turns)| ClassRef {
                class_idx: *class_idx,
                quarter_turns: *quarter_turns,
            })
            .collect();
        let episodes = refs
            .chunks_exact(n_way)
            .zip(support.chunks_exact(shape.n_support()))
            .zip(query.chunks_exact(shape.n_queries()))
            .map(|((classes, support), query)| Episode {
                shape,
                classes: classes.to_vec(),
                support: support.to_vec(),
                query: query.to_vec(),
            })
            .collect();
        Ok(List {
            data_digest: file.text("data_digest")?.to_owned(),
            episodes,
        })
    };
    read().with_context(|| {
        format!(
            "{} holds no list of episodes; give the test.safetensors of a run that this version made",
            path.display()
        )
    })
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
