//! The meta-test of a guest, and its noise floor: the first test episodes asked again, of the same process and of a new one that
//! has loaded what was saved.

use std::time::Instant;

use anyhow::Result;
use metastable_algorithms::{Episodes, Evaluation, Judged, Prediction, Task};
use metastable_analysis::probe::noise_floor::{Difference, NoiseFloor};
use metastable_data::MetaSplit;
use metastable_guests::Session;

use super::saved::Saved;
use super::{Host, Product};
use crate::run::record::TestResult;
use crate::run::{Run, RunFolder, Workshop, results};
use crate::study::Chosen;

/// Test episodes that are asked again.
const ASKED_AGAIN: usize = 20;

/// Most tasks of one message, however many the guest would take: a message lies in the memory of both sides.
const MOST_TASKS: usize = 64;

/// What a test gives.
pub(super) struct Tested {
    pub(super) chosen: TestResult,
    pub(super) other: Option<TestResult>,
    pub(super) noise_floor: NoiseFloor,
    /// The first answer that is no number.
    pub(super) blown_up: Option<String>,
}

/// Predictions on the first `n_tasks` of a list, in messages of as many tasks as the guest takes.
pub(super) fn ask(
    session: &mut Session,
    episodes: &Episodes<'_>,
    n_tasks: usize,
) -> Result<Evaluation> {
    let mut judged = Vec::with_capacity(n_tasks);
    let hear = |task: &Task<f32>, prediction: &Prediction<f32>| -> Result<()> {
        judged.push(Judged::of(prediction, task)?);
        Ok(())
    };
    each(session, episodes, n_tasks, MOST_TASKS, hear)?;
    Ok(Evaluation::assembled(judged))
}

/// Hears the predictions on the first `n_tasks` of a list, asked in messages of at most `most` tasks.
fn each(
    session: &mut Session,
    episodes: &Episodes<'_>,
    n_tasks: usize,
    most: usize,
    mut hear: impl FnMut(&Task<f32>, &Prediction<f32>) -> Result<()>,
) -> Result<()> {
    let indices: Vec<u64> = (0..n_tasks as u64).collect();
    for some in indices.chunks(session.ready().max_batch.min(most)) {
        let tasks = some
            .iter()
            .map(|index| episodes.task::<f32>(*index))
            .collect::<Result<Vec<_>, _>>()?;
        let asked: Vec<&Task<f32>> = tasks.iter().collect();
        let answers = session.predict(&asked)?;
        for (task, prediction) in tasks.iter().zip(&answers) {
            hear(task, prediction)?;
        }
    }
    Ok(())
}

/// The predictions on the first tasks, asked in messages of at most `most`.
fn answers(
    session: &mut Session,
    episodes: &Episodes<'_>,
    n_tasks: usize,
    most: usize,
) -> Result<Vec<Prediction<f32>>> {
    let mut found = Vec::with_capacity(n_tasks);
    each(session, episodes, n_tasks, most, |_, prediction| {
        found.push(prediction.clone());
        Ok(())
    })?;
    Ok(found)
}

/// Tests what `test.weights` names, and then the other, in the process of the training; then asks again.
pub(super) fn test(
    run: &Run<'_>,
    shop: &Workshop<'_>,
    folder: &RunFolder,
    host: &Host,
    mut session: Session,
    product: &Product,
) -> Result<Tested> {
    let settings = &run.config().test;
    let last = &product.last;
    let best = product.best.as_ref().unwrap_or(last);
    let [chosen, other] = match settings.weights {
        Chosen::Best => [best, last],
        Chosen::Last => [last, best],
    };
    let episodes = shop
        .material
        .list(run.config(), MetaSplit::Test)?
        .episodes()?;
    let n_tasks = settings.episodes;
    let load = |session: &mut Session, saved: &Saved| -> Result<()> {
        if !saved.bytes.is_empty() {
            session.load(&saved.bytes)?;
        }
        Ok(())
    };
    let begun = Instant::now();
    if chosen.step != last.step {
        load(&mut session, chosen)?;
    }
    let n_again = n_tasks.min(ASKED_AGAIN);
    let (mut first, mut labels) = (Vec::new(), Vec::new());
    let mut judged = Vec::with_capacity(n_tasks);
    let mut blown_up = None;
    let hear = |task: &Task<f32>, prediction: &Prediction<f32>| -> Result<()> {
        if first.len() < n_again {
            first.push(prediction.clone());
            labels.push(task.query_labels().to_vec());
        }
        let is_finite = prediction.query_loss.is_finite()
            && prediction
                .log_probabilities
                .iter()
                .all(|value| !value.is_nan());
        if !is_finite && blown_up.is_none() {
            blown_up = Some(format!(
                "an answer of the guest to test task {}",
                judged.len()
            ));
        }
        judged.push(Judged::of(prediction, task)?);
        Ok(())
    };
    each(&mut session, &episodes, n_tasks, MOST_TASKS, hear)?;
    let evaluation = Evaluation::assembled(judged);
    let chosen_result = TestResult::new(chosen.step, &evaluation, begun);
    let again = answers(&mut session, &episodes, n_again, MOST_TASKS)?;
    let mut fresh = host.start()?;
    load(&mut fresh, chosen)?;
    let elsewhere = answers(&mut fresh, &episodes, n_again, 1)?;
    fresh.bye();
    let noise_floor = NoiseFloor {
        n_tasks: n_again,
        same_process: difference(&first, &again, &labels),
        new_process: difference(&first, &elsewhere, &labels),
    };
    let begun = Instant::now();
    let other = if other.step == chosen.step {
        None
    } else {
        load(&mut session, other)?;
        let evaluation = ask(&mut session, &episodes, n_tasks)?;
        Some((TestResult::new(other.step, &evaluation, begun), evaluation))
    };
    session.bye();
    let (other_result, other) = other.unzip();
    if blown_up.is_none() {
        let list = episodes.first(n_tasks);
        let tested = results::Tested {
            evaluation: &evaluation,
            other: other.as_ref(),
            episodes: &list,
            dataset: &shop.material.dataset,
            curves: None,
        };
        results::write(&folder.test(), run.identity(), &tested)?;
    }
    Ok(Tested {
        chosen: chosen_result,
        other: other_result,
        noise_floor,
        blown_up,
    })
}

/// What differs between two lists of answers to the same questions. JSON has no infinity and no NaN, so a gap that is not finite (minus
/// infinity or NaN against a number) counts as the largest number of single precision.
fn difference(
    first: &[Prediction<f32>],
    second: &[Prediction<f32>],
    labels: &[Vec<usize>],
) -> Difference {
    let pairs = || first.iter().zip(second);
    let gap = |(a, b): (&f32, &f32)| {
        if a.to_bits() == b.to_bits() {
            return 0.0;
        }
        let gap = (f64::from(*a) - f64::from(*b)).abs();
        if gap.is_finite() {
            gap
        } else {
            f64::from(f32::MAX)
        }
    };
    let log_probability = pairs()
        .flat_map(|(a, b)| {
            a.log_probabilities
                .iter()
                .zip(&b.log_probabilities)
                .map(gap)
        })
        .fold(0.0, f64::max);
    let n_queries: usize = labels.iter().map(Vec::len).sum();
    let n_changed: usize = pairs().map(|(a, b)| a.n_changed(b)).sum();
    let accuracy = |answers: &[Prediction<f32>]| -> f64 {
        let each = answers.iter().zip(labels);
        each.map(|(answer, labels)| answer.accuracy(labels))
            .sum::<f64>()
            / labels.len().max(1) as f64
    };
    Difference {
        log_probability,
        churn: n_changed as f64 / n_queries.max(1) as f64,
        accuracy: (accuracy(first) - accuracy(second)).abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One query of two classes.
    fn answer(log_probabilities: [f32; 2]) -> Prediction<f32> {
        Prediction {
            log_probabilities: log_probabilities.to_vec(),
            n_way: 2,
            query_loss: 0.0,
        }
    }

    #[test]
    fn a_difference_is_read_back_from_json_whatever_the_answers_are() {
        let labels = [vec![0]];
        let of = |first: [f32; 2], second: [f32; 2]| {
            let found = difference(&[answer(first)], &[answer(second)], &labels);
            let text = serde_json::to_string(&found).unwrap();
            assert_eq!(serde_json::from_str::<Difference>(&text).unwrap(), found);
            found.log_probability
        };
        let most = f64::from(f32::MAX);
        let same = |found: f64, expected: f64| assert_eq!(found.to_bits(), expected.to_bits());
        same(of([-0.5, -1.5], [-0.75, -1.5]), 0.25);
        same(of([0.0, f32::NEG_INFINITY], [0.0, f32::NEG_INFINITY]), 0.0);
        same(of([0.0, f32::NEG_INFINITY], [-0.5, -1.0]), most);
        same(of([f32::NAN, -1.0], [-0.5, -1.0]), most);
        same(of([f32::NAN, -1.0], [f32::NAN, -1.0]), 0.0);
    }
}
