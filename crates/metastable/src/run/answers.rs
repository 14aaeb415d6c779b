//! What a run answered in its test, image by image: episodes of any shapes, predictions, log-probabilities, names of files.

use std::collections::BTreeMap;

use metastable_analysis::{TaskScores, Test};
use metastable_data::{Episode, EpisodeShape};

/// The test of one run. Lists go task by task, query by query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answers {
    pub(crate) episodes: Vec<Episode>,
    /// Predicted label of each query.
    pub(crate) predictions: Vec<u8>,
    /// `(n_tasks)`, in nats.
    pub(crate) task_nll: Vec<f64>,
    /// `ln((1 - p) / p)` of each query.
    pub(crate) log_odds: Option<Vec<f64>>,
    /// Natural log-probabilities, as many a query as its task has classes.
    pub(crate) log_probabilities: Option<Vec<f32>>,
    /// Where each image of the episodes came from, by its number.
    pub(crate) files: BTreeMap<u32, String>,
    /// Names of the domains; none where the data set is one.
    pub(crate) domains: Vec<String>,
    /// Number of the domain of each task; none where the data set is one.
    pub(crate) task_domain: Vec<u32>,
    /// Where each task starts.
    starts: Vec<Start>,
}

/// Where a task starts in the lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Start {
    query: usize,
    cell: usize,
}

impl Answers {
    /// Of these episodes; absent if a list is of another length.
    pub(crate) fn new(
        episodes: Vec<Episode>,
        predictions: Vec<u8>,
        task_nll: Vec<f64>,
    ) -> Option<Self> {
        let mut at = Start::default();
        let mut starts = Vec::with_capacity(episodes.len());
        for episode in &episodes {
            starts.push(at);
            let n_queries = episode.shape.n_queries();
            at.query += n_queries;
            at.cell += n_queries * episode.shape.n_way;
        }
        let fits = predictions.len() == at.query && task_nll.len() == episodes.len();
        fits.then(|| Self {
            episodes,
            predictions,
            task_nll,
            starts,
            ..Self::default()
        })
    }

    /// Queries and log-probabilities of all tasks.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let cells = self.episodes.iter().map(|it| {
            let n_queries = it.shape.n_queries();
            n_queries * it.shape.n_way
        });
        (self.predictions.len(), cells.sum())
    }

    pub(crate) fn shape(&self, task: usize) -> EpisodeShape {
        self.episodes[task].shape
    }

    /// Right label of a query of a task.
    pub(crate) fn label(&self, task: usize, query: usize) -> usize {
        query / self.shape(task).n_query
    }

    pub(crate) fn predicted(&self, task: usize, query: usize) -> usize {
        self.predictions[self.starts[task].query + query].into()
    }

    /// Number of the class behind a label; absent in files of old that do not say it.
    pub(crate) fn class(&self, task: usize, label: usize) -> Option<u32> {
        let class = self.episodes[task].classes.get(label);
        class.map(|class| class.class_idx)
    }

    pub(crate) fn log_odds(&self, task: usize, query: usize) -> Option<f64> {
        let odds = self.log_odds.as_ref()?;
        odds.get(self.starts[task].query + query).copied()
    }

    /// Of a class of a query.
    pub(crate) fn log_probability(&self, task: usize, query: usize, label: usize) -> Option<f64> {
        let all = self.log_probabilities.as_ref()?;
        let at = self.starts[task].cell + query * self.shape(task).n_way + label;
        all.get(at).map(|p| f64::from(*p))
    }

    /// Name of the domain of a task.
    pub(crate) fn domain(&self, task: usize) -> Option<&String> {
        self.domains.get(*self.task_domain.get(task)? as usize)
    }

    /// File, or class and number, of an image.
    pub(crate) fn file(&self, image: u32) -> Option<&String> {
        self.files.get(&image)
    }

    /// Share of right predictions of each task, 0 to 1.
    pub(crate) fn task_accuracies(&self) -> Vec<f64> {
        let tasks = 0..self.episodes.len();
        let accuracy = |task: usize| {
            let n_queries = self.shape(task).n_queries();
            let right = (0..n_queries)
                .filter(|query| self.label(task, *query) == self.predicted(task, *query));
            right.count() as f64 / n_queries as f64
        };
        tasks.map(accuracy).collect()
    }

    /// A number of the shapes: the one of all tasks, or one a task where they differ.
    fn by_task(&self, of: impl Fn(EpisodeShape) -> usize) -> (Option<usize>, Option<Vec<usize>>) {
        let all: Vec<usize> = self.episodes.iter().map(|it| of(it.shape)).collect();
        match all.first() {
            Some(first) if all.iter().all(|it| it == first) => (Some(*first), None),
            _ => (None, Some(all)),
        }
    }

    /// As the analysis takes it: predictions where all tasks are of one way and as many queries, scores with the way and
    /// the queries of each task where they are not.
    pub(crate) fn for_analysis(&self) -> (Option<Test>, Option<TaskScores>) {
        let of = |shape: EpisodeShape| (shape.n_way, shape.n_query);
        let first = self.episodes.first().map_or((0, 0), |it| of(it.shape));
        if self.episodes.iter().any(|it| of(it.shape) != first) {
            let (n_way, task_ways) = self.by_task(|shape| shape.n_way);
            let (queries_per_task, task_queries) = self.by_task(|shape| shape.n_queries());
            let scores = TaskScores {
                accuracies: self.task_accuracies(),
                queries_per_task,
                n_way,
                task_queries,
                task_ways,
                ..TaskScores::default()
            };
            return (None, Some(scores));
        }
        let classes = self.episodes.iter().flat_map(|it| &it.classes);
        let test = Test {
            n_tasks: self.episodes.len(),
            n_way: first.0,
            n_query: first.1,
            predictions: self.predictions.clone(),
            task_nll: self.task_nll.clone(),
            query_log_odds: self.log_odds.clone(),
            classes: Some(classes.map(|class| class.class_idx).collect()),
        };
        (Some(test), None)
    }
}
