//! Family F: how curved the losses are at the learnt parameters, what the features are like, which tasks are alike.

use crate::error::Result;
use metastable_algorithms::Task;
use metastable_analysis::Probe;
use metastable_analysis::landscape::{filter_normalized, random_vector, shifted};
use metastable_analysis::probe::{curvature, surface};
use metastable_analysis::spectrum::{hutchinson, lanczos};
use metastable_models::{Params, Tape};

use super::features;
use super::sensitivity::{each, hessian_product, small};
use super::subject::Subject;
use super::task_map;
use super::values::{filters, params, wide};

/// Tasks whose curvature is measured: each costs a hundred products.
const MOST_SPECTRA: usize = 10;
/// Steps of Lanczos' method.
const LANCZOS_STEPS: usize = 20;
/// Steps of Lanczos' method in the block of one layer, whose outermost eigenvalue alone is asked for.
const LAYER_STEPS: usize = 10;
/// Tasks whose layers are asked about.
const MOST_LAYER_TASKS: usize = 3;
/// Random vectors of Hutchinson's estimator.
const TRACE_DRAWS: usize = 8;
/// Step of sharpness (Foret et al. 2021).
const RHO: f64 = 0.05;
/// Random directions of the average sharpness.
const RANDOM_DIRECTIONS: u64 = 5;
/// Tasks that a loss surface is the mean over.
const SURFACE_TASKS: usize = 4;
/// Points of a loss surface along each axis.
const SURFACE_POINTS: usize = 11;

/// Every question of the family, on `n_tasks` test tasks at most. Representations are absent for a subject without blocks, and all
/// others for one whose parameters are not here.
///
/// # Errors
///
/// If the test classes cannot give the episodes, or a pass fails.
pub fn ask(subject: &Subject<'_>, n_tasks: usize) -> Result<Probe> {
    if !subject.is_open {
        return Ok(Probe {
            representation: features::representation(subject, n_tasks)?,
            ..Probe::default()
        });
    }
    Ok(Probe {
        curvature: Some(curvature(subject, n_tasks.min(MOST_SPECTRA))?),
        surface: Some(surface(subject, n_tasks.min(SURFACE_TASKS))?),
        representation: features::representation(subject, n_tasks)?,
        task_map: Some(task_map::task_map(subject, n_tasks)?),
        ..Probe::default()
    })
}

fn curvature(subject: &Subject<'_>, n_tasks: usize) -> Result<curvature::Answers> {
    let sampler = subject.sampler(small(subject))?;
    let seeds = subject.seeds();
    let measured = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let (learner, context) = (subject.learner(), subject.context(&task));
        let with_layers = index < MOST_LAYER_TASKS as u64;
        let phi = learner.adapted(&context, subject.theta())?;
        let query = at_point(&phi, index, with_layers, |point| {
            Ok(learner.query_loss(&context, point, task.query_labels())?)
        })?;
        let support = match learner.inner_loop() {
            None => None,
            Some(inner) => {
                let start = inner.start(&context, subject.theta())?;
                at_point(&start, index, with_layers, |point| {
                    Ok(inner.support_loss(&context, point, 0)?)
                })?
            }
        };
        Ok((support, query))
    })?;
    let has_support = subject.learner().inner_loop().is_some();
    let (support, query): (Vec<_>, Vec<_>) = measured.into_iter().unzip();
    Ok(curvature::Answers {
        rho: RHO,
        support: has_support.then(|| gathered(support)),
        query: gathered(query),
    })
}

/// Curvature of one task's loss at one point.
struct AtPoint {
    values: [f64; 5],
    spectrum: Vec<(f64, f64)>,
    layers: Vec<(String, f64)>,
}

/// None where a value is not finite.
fn at_point<'a>(
    at: &Params<f32>,
    index: u64,
    with_layers: bool,
    record: impl Fn(&Params<f32>) -> Result<Box<dyn Tape<f32> + 'a>>,
) -> Result<Option<AtPoint>> {
    let mut tape = record(at)?;
    let loss = f64::from(tape.loss());
    let gradient = wide(tape.gradient()?.values());
    let n = gradient.len();
    let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    let base = wide(at.values());
    let rise = |direction: &[f64], step: f64| -> Result<f64> {
        let point = params(at, &shifted(&base, &[direction], &[step])?);
        Ok(f64::from(record(&point)?.loss()) - loss)
    };
    let sharpness = if length > 0.0 {
        rise(&gradient, RHO / length)?
    } else {
        0.0
    };
    let mut random = 0.0;
    for draw in 0..RANDOM_DIRECTIONS {
        let direction = random_vector(n, RHO, draw, index);
        random += rise(&direction, 1.0)? / RANDOM_DIRECTIONS as f64;
    }
    let Ok(spectrum) = lanczos(n, LANCZOS_STEPS, index, |v| {
        hessian_product(tape.as_mut(), at, v)
    }) else {
        return Ok(None);
    };
    let Ok(trace) = hutchinson(n, TRACE_DRAWS, index, 0.95, |v| {
        hessian_product(tape.as_mut(), at, v)
    }) else {
        return Ok(None);
    };
    let values = [
        spectrum.values[0],
        spectrum.values[spectrum.values.len() - 1],
        trace.value,
        sharpness,
        random,
    ];
    if values.iter().any(|value| !value.is_finite()) {
        return Ok(None);
    }
    Ok(Some(AtPoint {
        values,
        spectrum: spectrum
            .values
            .iter()
            .copied()
            .zip(spectrum.weights)
            .collect(),
        layers: if with_layers {
            layers(tape.as_mut(), at)?
        } else {
            Vec::new()
        },
    }))
}

/// Largest eigenvalue of the diagonal block of each weight.
fn layers(tape: &mut dyn Tape<f32>, at: &Params<f32>) -> Result<Vec<(String, f64)>> {
    let mut found = Vec::new();
    for entry in at
        .layout()
        .entries()
        .iter()
        .filter(|entry| entry.shape.len() > 1)
    {
        let block = entry.offset..entry.offset + entry.len();
        let spectrum = lanczos(entry.len(), LAYER_STEPS, 0, |v| {
            let mut whole = vec![0.0; at.values().len()];
            whole[block.clone()].copy_from_slice(v);
            hessian_product(tape, at, &whole).map(|product| product[block.clone()].to_vec())
        });
        if let Ok(spectrum) = spectrum {
            found.push((entry.name.clone(), spectrum.values[0]));
        }
    }
    Ok(found)
}

fn gathered(tasks: Vec<Option<AtPoint>>) -> curvature::Tasks {
    let tasks: Vec<AtPoint> = tasks.into_iter().flatten().collect();
    let column = |which: usize| tasks.iter().map(|task| task.values[which]).collect();
    let first = tasks.first();
    let names = first.map(|task| task.layers.clone()).unwrap_or_default();
    let of_layer = |(at, (name, _)): (usize, (String, f64))| {
        let values: Vec<f64> = tasks
            .iter()
            .filter_map(|task| Some(task.layers.get(at)?.1))
            .collect();
        (name, metastable_analysis::summary::mean(&values))
    };
    curvature::Tasks {
        largest: column(0),
        smallest: column(1),
        trace: column(2),
        sharpness: column(3),
        random_sharpness: column(4),
        spectrum: first.map(|task| task.spectrum.clone()).unwrap_or_default(),
        layers: names.into_iter().enumerate().map(of_layer).collect(),
    }
}

fn surface(subject: &Subject<'_>, n_tasks: usize) -> Result<surface::Answers> {
    let sampler = subject.sampler(small(subject))?;
    let seeds = subject.seeds();
    let theta = subject.theta();
    let base = wide(theta.values());
    let filters = filters(theta.layout());
    let directions = [
        filter_normalized(&base, &filters, 0, 0)?,
        filter_normalized(&base, &filters, 0, 1)?,
    ];
    let half = (SURFACE_POINTS / 2) as f64;
    let steps: Vec<f64> = (0..SURFACE_POINTS)
        .map(|at| at as f64 / half - 1.0)
        .collect();
    let tasks = each(n_tasks, |index| {
        subject.gather(&sampler.episode(&seeds, index))
    })?;
    let losses = each(SURFACE_POINTS * SURFACE_POINTS, |at| {
        let at = at as usize;
        let along = [steps[at / SURFACE_POINTS], steps[at % SURFACE_POINTS]];
        let point = params(
            theta,
            &shifted(&base, &[&directions[0], &directions[1]], &along)?,
        );
        let mut sums = [0.0; 3];
        for task in &tasks {
            for (sum, loss) in sums.iter_mut().zip(losses_at(subject, &point, task)?) {
                *sum += loss / n_tasks as f64;
            }
        }
        Ok(sums.map(|loss| Some(loss).filter(|loss| loss.is_finite())))
    })?;
    let table = |which: usize| losses.iter().map(|point| point[which]).collect();
    let has_inner_loop = subject.learner().inner_loop().is_some();
    Ok(surface::Answers {
        n_tasks,
        steps: steps.clone(),
        support: has_inner_loop.then(|| table(0)),
        before: has_inner_loop.then(|| table(1)),
        after: table(2),
    })
}

/// Support loss, query loss, and query loss after adaptation, from `point`; NaN where the learner has none.
fn losses_at(subject: &Subject<'_>, point: &Params<f32>, task: &Task<f32>) -> Result<[f64; 3]> {
    let (learner, context) = (subject.learner(), subject.context(task));
    let after = learner.predict(&context, point)?.query_loss;
    let (support, before) = match learner.inner_loop() {
        None => (f32::NAN, f32::NAN),
        Some(inner) => {
            let support = inner.support_loss(&context, point, 0)?.loss();
            let labels = task.query_labels();
            (support, learner.query_loss(&context, point, labels)?.loss())
        }
    };
    Ok([support, before, after].map(f64::from))
}
