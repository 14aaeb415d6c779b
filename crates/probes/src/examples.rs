//! Single supports: one exchanged for another, one left out, and ever more of them.

use crate::error::Result;
use metastable_analysis::probe::{example_influence, shots};
use metastable_data::EpisodeShape;

use super::sensitivity::{each, narrowed, small};
use super::subject::Subject;

/// Supports of a class where the test has one, which cannot be left out.
const SPARE_SHOTS: usize = 5;
/// Supports of a class that are asked for, as far as classes hold as many beside the queries.
const SHOTS: [usize; 11] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20];

/// Accuracy and loss of a task as it is, and of its variants.
type Judged = ((f64, f64), Vec<(f64, f64)>);

/// The tables of all tasks whose losses are finite.
fn tables(k_shot: usize, n_examples: usize, judged: &[Judged]) -> example_influence::Answers {
    let is_finite = |(whole, others): &&Judged| {
        whole.1.is_finite() && others.iter().all(|other| other.1.is_finite())
    };
    let finite: Vec<_> = judged.iter().filter(is_finite).collect();
    let changed =
        |of: fn(&(f64, f64)) -> f64| finite.iter().flat_map(|a| a.1.iter().map(of)).collect();
    example_influence::Answers {
        n_tasks: finite.len(),
        k_shot,
        n_examples,
        loss: finite.iter().map(|a| a.0.1).collect(),
        changed_loss: changed(|other| other.1),
        accuracy: finite.iter().map(|a| a.0.0).collect(),
        changed_accuracy: changed(|other| other.0),
    }
}

/// Each support exchanged for another image of its class.
pub(crate) fn exchanged(
    subject: &Subject<'_>,
    n_tasks: usize,
) -> Result<example_influence::Answers> {
    let shape = small(subject);
    // One more support of each class: what its examples are exchanged for.
    let sampler = subject.sampler(EpisodeShape {
        k_shot: shape.k_shot + 1,
        ..shape
    })?;
    let seeds = subject.seeds();
    let n_examples = shape.n_support();
    let judged = each(n_tasks, |index| {
        let wide = sampler.episode(&seeds, index);
        let judge = |exchanged: Option<usize>| {
            let choice: Vec<usize> = (0..n_examples)
                .map(|slot| {
                    if exchanged == Some(slot) {
                        shape.k_shot
                    } else {
                        slot % shape.k_shot
                    }
                })
                .collect();
            let narrow = narrowed(&wide, &choice, shape.k_shot, shape.n_query, false);
            subject.judge(&subject.gather(&narrow)?)
        };
        let others = (0..n_examples).map(|slot| judge(Some(slot)));
        Ok((judge(None)?, others.collect::<Result<_>>()?))
    })?;
    Ok(tables(shape.k_shot, n_examples, &judged))
}

/// Each support left out, of the tasks of the test, or of tasks with more supports where those have one a class. None where
/// classes hold too few images.
pub(crate) fn left_out(
    subject: &Subject<'_>,
    n_tasks: usize,
) -> Result<Option<example_influence::Answers>> {
    let shape = small(subject);
    let n_spare = subject.fewest_images().saturating_sub(shape.n_query);
    let shape = EpisodeShape {
        k_shot: if shape.k_shot > 1 {
            shape.k_shot
        } else {
            n_spare.min(SPARE_SHOTS)
        },
        ..shape
    };
    if shape.k_shot < 2 {
        return Ok(None);
    }
    let sampler = subject.sampler(shape)?;
    let seeds = subject.seeds();
    let n_examples = shape.n_support();
    let judged = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let others = (0..n_examples).map(|row| subject.judge(&task.without_support(row)?));
        Ok((subject.judge(&task)?, others.collect::<Result<_>>()?))
    })?;
    Ok(Some(tables(shape.k_shot, n_examples, &judged)))
}

/// Accuracies with ever more supports: classes and queries stay, and supports nest.
pub(crate) fn shots(subject: &Subject<'_>, n_tasks: usize) -> Result<shots::Answers> {
    let shape = small(subject);
    let most = subject.fewest_images().saturating_sub(shape.n_query);
    let shots: Vec<usize> = SHOTS.into_iter().filter(|shots| *shots <= most).collect();
    let widest = shots.last().copied().unwrap_or(shape.k_shot);
    let sampler = subject.sampler(EpisodeShape {
        k_shot: widest,
        ..shape
    })?;
    let seeds = subject.seeds();
    let judged = each(n_tasks, |index| {
        let wide = sampler.episode(&seeds, index);
        let judge = |k_shot: &usize| {
            let choice: Vec<usize> = (0..shape.n_way).flat_map(|_| 0..*k_shot).collect();
            let narrow = narrowed(&wide, &choice, *k_shot, shape.n_query, false);
            Ok(subject.judge(&subject.gather(&narrow)?)?.0)
        };
        shots.iter().map(judge).collect::<Result<Vec<f64>>>()
    })?;
    let row = |at: usize| judged.iter().map(move |task| task[at]);
    Ok(shots::Answers {
        n_tasks,
        trained: subject.protocol.episode.k_shot,
        accuracy: (0..shots.len()).flat_map(row).collect(),
        shots,
    })
}
