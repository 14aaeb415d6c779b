//! Family C: does the same trained learner give the same answer if support set, label order, step size or batch change?

use crate::error::Result;
use metastable_algorithms::Curve;
use metastable_analysis::Probe;
use metastable_analysis::probe::{coupling, label_order, step_sizes, support_sets};
use metastable_analysis::spectrum::lanczos;
use metastable_analysis::support_search::{Goal, greedy};
use metastable_data::{Episode, EpisodeShape, Stream};
use metastable_models::{Params, Tape};
use rayon::prelude::*;

use super::examples;
use super::subject::{FEW_QUERIES, Subject, small_shape};

/// Support sets drawn for each task.
const N_DRAWS: u64 = 20;
/// Candidates of a class in the search for the worst support set.
const MOST_CANDIDATES: usize = 10;
/// Rounds of that search, as in the released code of its authors.
const ROUNDS: usize = 3;
/// Orders of the classes: all of them up to 5-way.
const MOST_ORDERS: usize = 120;
/// Step sizes of the sweep, as powers of ten times that of the run: two decades around it.
const DECADES: [f64; 11] = [-1.0, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
/// Steps of Lanczos' method: enough for the outermost eigenvalue.
const LANCZOS_STEPS: usize = 15;

/// Every question of the family, on `n_tasks` test tasks.
///
/// # Errors
///
/// If the test classes cannot give the episodes, or a pass fails.
pub fn ask(subject: &Subject<'_>, n_tasks: usize) -> Result<Probe> {
    Ok(Probe {
        support_sets: Some(support_sets(subject, n_tasks)?),
        label_order: Some(label_order(subject, n_tasks)?),
        support_order: Some(examples::orders(subject, n_tasks)?),
        step_sizes: step_sizes(subject, n_tasks)?,
        coupling: Some(coupling(subject, n_tasks)?),
        example_influence: Some(examples::exchanged(subject, n_tasks)?),
        left_out: examples::left_out(subject, n_tasks)?,
        shots: Some(examples::shots(subject, n_tasks)?),
        ..Probe::default()
    })
}

/// One answer a task, in the order of the list, on all threads.
pub(crate) fn each<T: Send>(
    n_tasks: usize,
    answer: impl Fn(u64) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    (0..n_tasks as u64).into_par_iter().map(answer).collect()
}

/// The test shape with few queries.
pub(crate) fn small(subject: &Subject<'_>) -> EpisodeShape {
    small_shape(&subject.protocol)
}

fn support_sets(subject: &Subject<'_>, n_tasks: usize) -> Result<support_sets::Answers> {
    let sampler = subject.sampler(subject.test_shape())?;
    let seeds = subject.seeds();
    let accuracy = each(n_tasks, |index| {
        (0..N_DRAWS)
            .map(|draw| {
                // Classes and queries stay: they have streams of their own.
                let seeds = seeds.with(Stream::Support, seeds.support.wrapping_add(draw));
                let task = subject.gather(&sampler.episode(&seeds, index))?;
                Ok(subject.judge(&task)?.0)
            })
            .collect::<Result<Vec<f64>>>()
    })?;
    Ok(support_sets::Answers {
        n_tasks,
        n_draws: N_DRAWS as usize,
        accuracy: accuracy.concat(),
        extremes: extremes(subject, (n_tasks / 2).max(1))?,
    })
}

/// Worst, drawn and best support set of each task; none where classes are too small for a search.
fn extremes(subject: &Subject<'_>, n_tasks: usize) -> Result<Option<support_sets::Extremes>> {
    let shape = subject.test_shape();
    let n_images = subject.fewest_images();
    let n_candidates = (n_images / 2).min(MOST_CANDIDATES);
    let n_query = (n_images - n_candidates) / 2;
    if n_candidates <= shape.k_shot || n_query == 0 {
        return Ok(None);
    }
    let n_query = n_query.min(FEW_QUERIES);
    // Supports of the wide episode are the candidates, its queries those of the search and those of the verdict.
    let sampler = subject.sampler(EpisodeShape {
        k_shot: n_candidates,
        n_query: 2 * n_query,
        ..shape
    })?;
    let seeds = subject.seeds();
    let found = each(n_tasks, |index| {
        let wide = sampler.episode(&seeds, index);
        let start: Vec<usize> = (0..shape.n_way).flat_map(|_| 0..shape.k_shot).collect();
        let judge = |choice: &[usize], fresh: bool| {
            let task = subject.gather(&narrowed(&wide, choice, shape.k_shot, n_query, fresh))?;
            subject.judge(&task)
        };
        // Equal accuracies are told apart by the loss.
        let search = |goal| {
            greedy(&start, shape.k_shot, n_candidates, ROUNDS, goal, |choice| {
                judge(choice, false).map(|(accuracy, loss)| (accuracy, -loss))
            })
        };
        let (worst, best) = (search(Goal::Worst)?, search(Goal::Best)?);
        let searched = [worst.score.0, judge(&start, false)?.0, best.score.0];
        let fresh = [
            judge(&worst.choice, true)?.0,
            judge(&start, true)?.0,
            judge(&best.choice, true)?.0,
        ];
        Ok((searched, fresh))
    })?;
    let (searched, fresh): (Vec<[f64; 3]>, Vec<[f64; 3]>) = found.into_iter().unzip();
    let columns =
        |rows: &[[f64; 3]]| [0, 1, 2].map(|which| rows.iter().map(|row| row[which]).collect());
    Ok(Some(support_sets::Extremes {
        n_tasks,
        n_candidates,
        rounds: ROUNDS,
        searched: columns(&searched),
        fresh: columns(&fresh),
    }))
}

/// The episode of chosen candidates, and of the first half of the queries (or the second, the fresh ones).
pub(crate) fn narrowed(
    wide: &Episode,
    choice: &[usize],
    k_shot: usize,
    n_query: usize,
    fresh: bool,
) -> Episode {
    let n_candidates = wide.shape.k_shot;
    let from = if fresh { n_query } else { 0 };
    let support = choice.iter().enumerate();
    let shape = EpisodeShape {
        k_shot,
        n_query,
        ..wide.shape
    };
    let support = support
        .map(|(slot, candidate)| wide.support[slot / k_shot * n_candidates + candidate])
        .collect();
    let query = wide
        .queries_by_label()
        .flat_map(|of_class| &of_class[from..from + n_query])
        .copied()
        .collect();
    Episode::even(shape, wide.classes.clone(), support, query)
}

fn label_order(subject: &Subject<'_>, n_tasks: usize) -> Result<label_order::Answers> {
    let shape = small(subject);
    let sampler = subject.sampler(shape)?;
    let seeds = subject.seeds();
    let (orders, all) = label_order::orders(shape.n_way, MOST_ORDERS, 0);
    let answers = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let mut accuracy = Vec::new();
        let mut tables = Vec::new();
        for order in &orders {
            let prediction = subject.predict(&task.relabeled(order)?)?;
            accuracy.push(prediction.accuracy(task.query_labels()));
            let rows: Vec<f64> = prediction
                .log_probabilities
                .iter()
                .map(|p| f64::from(*p))
                .collect();
            tables.push(label_order::original_order(&rows, order));
        }
        Ok((accuracy, label_order::ensemble(&tables, shape.n_way)))
    })?;
    Ok(label_order::Answers {
        n_tasks,
        n_orders: orders.len(),
        all,
        accuracy: answers
            .iter()
            .flat_map(|(accuracy, _)| accuracy)
            .copied()
            .collect(),
        ensemble: answers.iter().map(|(_, (accuracy, _))| *accuracy).collect(),
        largest_change: answers
            .iter()
            .map(|(_, (_, change))| *change)
            .fold(0.0, f64::max),
    })
}

fn step_sizes(subject: &Subject<'_>, n_tasks: usize) -> Result<Option<step_sizes::Answers>> {
    let Some(inner) = subject.learner().inner_loop() else {
        return Ok(None);
    };
    let trained = subject.setting("inner_lr")?;
    let n_steps = inner.test_steps();
    if trained <= 0.0 || n_steps == 0 {
        return Ok(None);
    }
    let sampler = subject.sampler(small(subject))?;
    let seeds = subject.seeds();
    let step_sizes: Vec<f64> = DECADES.map(|decade| trained * 10_f64.powf(decade)).to_vec();
    let (mut accuracy, mut rose) = (Vec::new(), Vec::new());
    for alpha in &step_sizes {
        let Some(learner) = subject.with_step_size(*alpha)? else {
            return Ok(None);
        };
        let Some(inner) = learner.single().inner_loop() else {
            return Ok(None);
        };
        let curves = each(n_tasks, |index| {
            let task = subject.gather(&sampler.episode(&seeds, index))?;
            Ok(inner.curve(&subject.context(&task), subject.theta(), n_steps)?)
        })?;
        for curve in curves {
            accuracy.push(curve.query_accuracy.last().copied().unwrap_or(0.0));
            rose.push(has_risen(&curve));
        }
    }
    // Eigenvalues cost many products; fewer tasks tell their median.
    let n_spectra = n_tasks.min(20);
    let mut largest = each(n_spectra, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let (context, theta) = (subject.context(&task), subject.theta());
        let phi = inner.adapt(&context, theta)?;
        let start = inner.start(&context, theta)?;
        Ok([
            largest_eigenvalue(inner.support_loss(&context, &start, 0)?, &start)?,
            largest_eigenvalue(inner.support_loss(&context, &phi, n_steps)?, &phi)?,
        ])
    })?;
    largest.resize(n_tasks, [None, None]);
    Ok(Some(step_sizes::Answers {
        n_tasks,
        trained,
        n_steps,
        step_sizes,
        accuracy,
        rose,
        largest_at_theta: largest.iter().map(|pair| pair[0]).collect(),
        largest_at_phi: largest.iter().map(|pair| pair[1]).collect(),
    }))
}

/// Whether the support loss rose at any step; a loss that is not finite did.
fn has_risen(curve: &Curve) -> bool {
    let mut steps = curve.support_loss.windows(2);
    steps.any(|pair| pair[1] > pair[0] || !pair[1].is_finite())
}

/// Of the Hessian of a loss recorded at `phi`; none if it is not finite.
fn largest_eigenvalue(mut tape: Box<dyn Tape<f32> + '_>, phi: &Params<f32>) -> Result<Option<f64>> {
    let spectrum = lanczos(phi.values().len(), LANCZOS_STEPS, 0, |v| {
        hessian_product(tape.as_mut(), phi, v)
    });
    Ok(spectrum
        .ok()
        .and_then(|spectrum| spectrum.values.first().copied()))
}

/// `H v` in double precision, from a tape in single.
pub(crate) fn hessian_product(
    tape: &mut dyn Tape<f32>,
    phi: &Params<f32>,
    v: &[f64],
) -> Result<Vec<f64>> {
    let v = Params::from_values(phi.layout(), v.iter().map(|x| *x as f32).collect());
    let product = tape.hessian_product(&v)?;
    Ok(product.values().iter().map(|x| f64::from(*x)).collect())
}

fn coupling(subject: &Subject<'_>, n_tasks: usize) -> Result<coupling::Answers> {
    let sampler = subject.sampler(small(subject))?;
    let seeds = subject.seeds();
    let pairs = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let alone = subject
            .learner()
            .predict_alone(&subject.context(&task), subject.theta())?;
        Ok((subject.judge(&task)?.0, alone.accuracy(task.query_labels())))
    })?;
    let (together, alone) = pairs.into_iter().unzip();
    Ok(coupling::Answers {
        n_tasks,
        together,
        alone,
    })
}
