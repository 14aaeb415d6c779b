//! `test.safetensors`: every answer of the meta-test with the images that it was about, and the inner-loop curves.
//!
//! Where all episodes are of one shape the tensors are tables, `(tasks, ...)`. Where they differ (any way, any shot) the same tensors are
//! one list, task by task, and `task_way`, `task_query` `(tasks)` and `shots` (supports of each class) say how to cut them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use metastable_algorithms::{Curves, Evaluation};
use metastable_analysis::Adaptation;
use metastable_data::{ClassRef, Dataset, Episode, EpisodeShape};

use super::answers::Answers;
use super::tensors::TensorFile;

/// What a meta-test found.
pub(crate) struct Tested<'a> {
    pub(crate) evaluation: &'a Evaluation,
    /// Of the weights that were not chosen, if they are others.
    pub(crate) other: Option<&'a Evaluation>,
    /// The tasks themselves.
    pub(crate) episodes: &'a [Episode],
    /// The images that the episodes count.
    pub(crate) dataset: &'a Dataset,
    pub(crate) curves: Option<&'a Curves>,
}

/// Metadata key of the names of the images: JSON, number to file.
const FILES: &str = "files";

/// Metadata key of the names of the domains: JSON, in the order of their numbers.
const DOMAINS: &str = "domains";

/// Writes predictions and curves.
pub(crate) fn write(path: &Path, identity: &str, tested: &Tested<'_>) -> Result<()> {
    let Tested {
        evaluation,
        other,
        episodes,
        dataset,
        curves,
    } = *tested;
    let n_tasks = evaluation.n_tasks;
    let mut file = TensorFile::default();
    let mut note = |key: &str, value: String| file.metadata.insert(key.to_owned(), value);
    note("identity", identity.to_owned());
    note("data_digest", dataset.digest.clone());
    note(FILES, serde_json::to_string(&files(dataset, episodes))?);
    let shape = common_shape(episodes);
    if let Some(shape) = shape {
        note("n_query", shape.n_query.to_string());
    }
    if let Some(curves) = curves {
        note("trained_steps", curves.trained_steps.to_string());
    }
    if !dataset.domains.is_empty() {
        let names: Vec<&str> = dataset.domains.iter().map(|it| it.name.as_str()).collect();
        note(DOMAINS, serde_json::to_string(&names)?);
        let of = |episode: &Episode| {
            let class = episode.classes.first();
            class.and_then(|class| dataset.domain_of(class.class_idx))
        };
        let of_task: Option<Vec<usize>> = episodes.iter().map(of).collect();
        let of_task = of_task.context("a test episode is of no domain, which is a bug")?;
        let of_task: Vec<u32> = of_task.into_iter().map(|at| at as u32).collect();
        file.push("task_domain", &[n_tasks], &of_task);
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
    // A table where there is one shape, else one list.
    let table = |columns: fn(EpisodeShape) -> Vec<usize>, n_values: usize| match shape {
        Some(shape) => [vec![n_tasks], columns(shape)].concat(),
        None => vec![n_values],
    };
    if shape.is_none() {
        let mut push = |name: &str, of: fn(&Episode) -> Vec<u32>| {
            let numbers: Vec<u32> = episodes.iter().flat_map(of).collect();
            file.push(name, &[numbers.len()], &numbers);
        };
        push("task_way", |it| vec![it.shape.n_way as u32]);
        push("task_query", |it| vec![it.shape.n_query as u32]);
        push("shots", |it| it.shots.clone());
    }
    let classes = || episodes.iter().flat_map(|episode| &episode.classes);
    let indices: Vec<u32> = classes().map(|class| class.class_idx).collect();
    let by_class = table(|shape| vec![shape.n_way], indices.len());
    file.push("classes", &by_class, &indices);
    let turns: Vec<u8> = classes().map(|class| class.quarter_turns).collect();
    file.push("quarter_turns", &by_class, &turns);
    let images = |of: fn(&Episode) -> &Vec<u32>| -> Vec<u32> {
        episodes.iter().flat_map(of).copied().collect()
    };
    let supports = images(|it| &it.support);
    let queries = images(|it| &it.query);
    let by_support = table(|shape| vec![shape.n_support()], supports.len());
    let by_query = table(|shape| vec![shape.n_queries()], queries.len());
    file.push("support_images", &by_support, &supports);
    file.push("query_images", &by_query, &queries);
    file.push("predictions", &by_query, &evaluation.predictions);
    let log_odds: Vec<f32> = evaluation
        .query_log_odds
        .iter()
        .map(|&odds| odds as f32)
        .collect();
    file.push("query_log_odds", &by_query, &log_odds);
    let rows = &evaluation.log_probabilities;
    let by_cell = table(|shape| vec![shape.n_queries(), shape.n_way], rows.len());
    file.push("log_probabilities", &by_cell, rows);
    file.write(path)
}

/// The shape of all episodes, if they have one.
fn common_shape(episodes: &[Episode]) -> Option<EpisodeShape> {
    let shape = episodes.first()?.shape;
    let has_it = |it: &Episode| it.shape == shape && it.is_even();
    episodes.iter().all(has_it).then_some(shape)
}

/// What the images of the episodes are called.
fn files(dataset: &Dataset, episodes: &[Episode]) -> BTreeMap<u32, String> {
    let images = episodes
        .iter()
        .flat_map(|it| it.support.iter().chain(&it.query));
    images
        .map(|image| (*image, dataset.image_name(*image as usize)))
        .collect()
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
        Ok(List {
            data_digest: file.text("data_digest")?.to_owned(),
            episodes: listed(&file)?,
        })
    };
    read().with_context(|| {
        format!(
            "{} holds no list of episodes; give the test.safetensors of a run that this version made",
            path.display()
        )
    })
}

/// The episodes of a file.
fn listed(file: &TensorFile) -> Result<Vec<Episode>> {
    let (table, classes) = file.need::<u32>("classes")?;
    let turns = file.need::<u8>("quarter_turns")?.1;
    let supports = file.need::<u32>("support_images")?.1;
    let queries = file.need::<u32>("query_images")?.1;
    let wrong = "its tensors do not fit each other";
    let (ways, query, shots) = match file.get::<u32>("task_way")? {
        Some((_, ways)) => (
            ways,
            file.need::<u32>("task_query")?.1,
            file.need::<u32>("shots")?.1,
        ),
        None => {
            ensure!(table.len() == 2, "classes have shape {table:?}");
            let (n_tasks, n_way) = (table[0], table[1]);
            let n_classes = classes.len();
            ensure!(
                n_classes > 0
                    && supports.len().is_multiple_of(n_classes)
                    && queries.len().is_multiple_of(n_classes),
                "{wrong}"
            );
            let each = |n: usize| u32::try_from(n / n_classes);
            (
                vec![u32::try_from(n_way)?; n_tasks],
                vec![each(queries.len())?; n_tasks],
                vec![each(supports.len())?; n_classes],
            )
        }
    };
    ensure!(
        turns.len() == classes.len() && shots.len() == classes.len() && query.len() == ways.len(),
        "{wrong}"
    );
    let (mut class_at, mut support_at, mut query_at) = (0_usize, 0_usize, 0_usize);
    let mut episodes = Vec::with_capacity(ways.len());
    for (n_way, n_query) in ways.iter().zip(&query) {
        let (n_way, n_query) = (*n_way as usize, *n_query as usize);
        let own = class_at..class_at.saturating_add(n_way);
        let shots = shots.get(own.clone()).context(wrong)?;
        let n_support: usize = shots.iter().map(|n| *n as usize).sum();
        let n_queries = n_way.saturating_mul(n_query);
        let part = |all: &[u32], from: usize, n: usize| {
            all.get(from..from.saturating_add(n)).map(<[u32]>::to_vec)
        };
        let k_shot = shots.iter().copied().max().unwrap_or(0) as usize;
        ensure!(k_shot > 0 && n_query > 0 && !shots.contains(&0), "{wrong}");
        let refs = classes[own.clone()].iter().zip(&turns[own]);
        episodes.push(Episode {
            shape: EpisodeShape {
                n_way,
                k_shot,
                n_query,
            },
            shots: shots.to_vec(),
            classes: refs
                .map(|(class_idx, quarter_turns)| ClassRef {
                    class_idx: *class_idx,
                    quarter_turns: *quarter_turns,
                })
                .collect(),
            support: part(&supports, support_at, n_support).context(wrong)?,
            query: part(&queries, query_at, n_queries).context(wrong)?,
        });
        class_at += n_way;
        support_at += n_support;
        query_at += n_queries;
    }
    ensure!(
        (class_at, support_at, query_at) == (classes.len(), supports.len(), queries.len()),
        "{wrong}"
    );
    Ok(episodes)
}

/// What [`write()`] wrote.
pub(crate) struct Stored {
    pub(crate) answers: Answers,
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
    let predictions = file.need::<u8>("predictions")?.1;
    let task_nll = file.need::<f64>("task_nll")?.1;
    let answers = Answers::new(listed(&file)?, predictions, task_nll);
    let mut answers = answers.context("its predictions are not those of its episodes")?;
    answers.log_odds = file
        .get::<f32>("query_log_odds")?
        .map(|(_, odds)| odds.into_iter().map(f64::from).collect());
    answers.log_probabilities = file.get::<f32>("log_probabilities")?.map(|(_, rows)| rows);
    if let Some(names) = file.metadata.get(FILES) {
        answers.files = serde_json::from_str(names).context("its names of files are damaged")?;
    }
    if let Some(names) = file.metadata.get(DOMAINS) {
        answers.domains =
            serde_json::from_str(names).context("its names of domains are damaged")?;
        answers.task_domain = file.need::<u32>("task_domain")?.1;
    }
    let (n_queries, n_cells) = answers.totals();
    let has = |list: Option<usize>, n: usize| list.is_none_or(|len| len == n);
    ensure!(
        has(answers.log_odds.as_ref().map(Vec::len), n_queries)
            && has(answers.log_probabilities.as_ref().map(Vec::len), n_cells)
            && [0, answers.episodes.len()].contains(&answers.task_domain.len())
            && answers
                .task_domain
                .iter()
                .all(|at| (*at as usize) < answers.domains.len()),
        "its probabilities are not those of its episodes"
    );
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
        answers,
        adaptation,
        other: file
            .get::<f64>("other.task_accuracy")?
            .map(|(_, accuracies)| accuracies),
    })
}
