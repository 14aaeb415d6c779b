//! The task map: each task as its Fisher information, and how it and its alphabets fare.

use std::ops::Range;

use crate::error::Result;
use metastable_algorithms::Task;
use metastable_analysis::AnalysisError;
use metastable_analysis::probe::alphabets::ClassGroup;
use metastable_analysis::probe::task_map::Answers;
use metastable_analysis::summary::standard_deviation;
use metastable_analysis::task_distance::{FisherDiagonal, distance, drawn_labels, plane};
use metastable_data::{MetaSplit, Stream};

use super::sensitivity::{each, small};
use super::subject::Subject;
use super::values::{filters, wide};

/// Draws of labels for the Fisher information of a task.
const LABEL_DRAWS: u64 = 8;
/// Support sets over which the instability of a task is taken.
const SUPPORT_DRAWS: u64 = 8;

pub(crate) fn task_map(subject: &Subject<'_>, n_tasks: usize) -> Result<Answers> {
    let sampler = subject.sampler(small(subject))?;
    let seeds = subject.seeds();
    let filters = filters(subject.theta().layout());
    let answers = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let by_class = (0..SUPPORT_DRAWS)
            .map(|draw| {
                let seeds = seeds.with(Stream::Support, seeds.support.wrapping_add(draw));
                let task = subject.gather(&sampler.episode(&seeds, index))?;
                class_accuracies(subject, &task)
            })
            .collect::<Result<Vec<Vec<f64>>>>()?;
        Ok((embedding(subject, &task, index, &filters)?, by_class))
    })?;
    let mut distances = Vec::with_capacity(n_tasks * n_tasks);
    for (a, _) in &answers {
        distances.extend(answers.iter().map(|(b, _)| distance(a, b)));
    }
    let mean = metastable_analysis::summary::mean;
    // Every class has equally many queries.
    let accuracies = |by_class: &[Vec<f64>]| by_class.iter().map(|it| mean(it)).collect::<Vec<_>>();
    let n_way = subject.test_shape().n_way;
    let of_class = |by_class: &[Vec<f64>], label: usize| {
        standard_deviation(&by_class.iter().map(|it| it[label]).collect::<Vec<_>>())
    };
    Ok(Answers {
        n_tasks,
        plane: plane(&distances, n_tasks)?,
        distances,
        information: answers
            .iter()
            .map(|(embedding, _)| mean(embedding))
            .collect(),
        accuracy: answers
            .iter()
            .map(|(_, by_class)| mean(&accuracies(by_class)))
            .collect(),
        support_sd: answers
            .iter()
            .map(|(_, by_class)| standard_deviation(&accuracies(by_class)))
            .collect(),
        groups: groups(subject),
        classes: (0..n_tasks as u64)
            .flat_map(|index| sampler.episode(&seeds, index).classes)
            .map(|class| class.class_idx)
            .collect(),
        class_support_sd: answers
            .iter()
            .flat_map(|(_, by_class)| (0..n_way).map(move |label| of_class(by_class, label)))
            .collect(),
    })
}

/// Accuracy on the queries of each class.
fn class_accuracies(subject: &Subject<'_>, task: &Task<f32>) -> Result<Vec<f64>> {
    let prediction = subject.predict(task)?;
    let n_query = task.shape().n_query;
    let mut right = vec![0.0; task.shape().n_way];
    for (predicted, label) in prediction.labels().zip(task.query_labels()) {
        right[*label] += f64::from(u8::from(predicted == *label)) / n_query as f64;
    }
    Ok(right)
}

/// The alphabets of the test classes; the classes themselves where the data have one alphabet.
fn groups(subject: &Subject<'_>) -> Vec<ClassGroup> {
    let dataset = subject.dataset;
    let mut groups: Vec<ClassGroup> = Vec::new();
    for class_idx in subject.split.classes(MetaSplit::Test) {
        let class = &dataset.classes[*class_idx as usize];
        let name = if dataset.alphabets.len() > 1 {
            &dataset.alphabets[class.alphabet_idx]
        } else {
            &class.name
        };
        match groups.iter_mut().find(|group| group.name == *name) {
            Some(group) => group.classes.push(*class_idx),
            None => groups.push(ClassGroup {
                name: name.clone(),
                classes: vec![*class_idx],
            }),
        }
    }
    groups
}

/// Diagonal Fisher information of the queries at the adapted parameters, by filter; zeros if it is not finite.
fn embedding(
    subject: &Subject<'_>,
    task: &Task<f32>,
    index: u64,
    filters: &[Range<usize>],
) -> Result<Vec<f64>> {
    let (learner, context) = (subject.learner(), subject.context(task));
    let phi = learner.adapted(&context, subject.theta())?;
    let n_rows = task.query_labels().len();
    let mut fisher = FisherDiagonal::new(phi.values().len());
    let rows = wide(
        learner
            .query_loss(&context, &phi, task.query_labels())?
            .log_probabilities(),
    );
    for draw in 0..LABEL_DRAWS {
        let labels = drawn_labels(&rows, task.shape().n_way, index, draw);
        let mut tape = learner.query_loss(&context, &phi, &labels)?;
        match fisher.add(&wide(tape.gradient()?.values())) {
            Err(AnalysisError::NotFinite { .. }) => return Ok(vec![0.0; filters.len()]),
            added => added?,
        }
    }
    Ok(fisher.embedding(n_rows, filters)?)
}
