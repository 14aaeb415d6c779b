//! Representations: the outputs of each block, by networks that end there.

use crate::error::Result;
use metastable_algorithms::Task;
use metastable_analysis::probe::representation::{Answers, Layer};
use metastable_analysis::separation::{class_separation, prototype_spread};
use metastable_analysis::similarity::{Features, debiased_cka, effective_rank};
use metastable_data::{ClassRef, Episode, EpisodeShape, MetaSplit, Stream};
use metastable_models::{Network, Params, Pass, Statistics};

use super::sensitivity::each;
use super::subject::Subject;
use super::values::wide;

/// Classes whose images are looked at together.
const MOST_CLASSES: usize = 40;
/// Images of each.
const IMAGES_OF_CLASS: usize = 5;
/// Support sets of a task over which prototypes move.
const PROTOTYPE_DRAWS: u64 = 10;
/// Tasks whose features are compared before and after adaptation: kernels of whole feature maps cost seconds.
const MOST_CHANGES: usize = 8;

/// The blocks of a network, each by a network that ends after it.
pub(crate) struct Body<'s> {
    blocks: &'s [Box<dyn Network<f32>>],
}

impl<'s> Body<'s> {
    pub(crate) fn new(subject: &'s Subject<'_>) -> Self {
        Self {
            blocks: &subject.blocks,
        }
    }

    pub(crate) fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Features after block `block` (from 0) of the whole network's parameters, a row an image.
    pub(crate) fn features(
        &self,
        subject: &Subject<'_>,
        block: usize,
        phi: &Params<f32>,
        images: &[f32],
        inner_step: usize,
    ) -> Result<Vec<f64>> {
        let network = &self.blocks[block];
        let own = part(phi, network.layout());
        let stored = match subject.statistics() {
            Statistics::Batch => None,
            Statistics::Stored(buffers) => Some(part(buffers, network.buffers())),
        };
        let pass = Pass {
            inner_step,
            statistics: stored
                .as_ref()
                .map_or(Statistics::Batch, Statistics::Stored),
        };
        Ok(wide(&network.outputs(&own, images, pass)?))
    }

    /// Those of the last block.
    fn last(
        &self,
        subject: &Subject<'_>,
        phi: &Params<f32>,
        images: &[f32],
        inner_step: usize,
    ) -> Result<Vec<f64>> {
        self.features(subject, self.n_blocks() - 1, phi, images, inner_step)
    }
}

/// The tensors of a shorter network; what the whole one does not have is zero, which no network of the registry asks for.
fn part(whole: &Params<f32>, layout: &std::sync::Arc<metastable_models::Layout>) -> Params<f32> {
    let mut own = Params::zeros(layout);
    for entry in layout.entries() {
        if let Some(values) = whole.get(&entry.name) {
            own.values_mut()[entry.offset..][..values.len()].copy_from_slice(values);
        }
    }
    own
}

/// Images of many test classes: the same for every run with this split.
pub(crate) fn many_images(subject: &Subject<'_>) -> Result<(Vec<f32>, usize)> {
    let dataset = subject.dataset;
    let classes = subject.split.classes(MetaSplit::Test);
    let n_images = subject.fewest_images().min(IMAGES_OF_CLASS);
    let n_classes = classes.len().min(MOST_CLASSES);
    let chosen: Vec<u32> = (0..n_classes)
        .map(|at| classes[at * classes.len() / n_classes])
        .collect();
    // There are no queries; a count of 0 would be no episode.
    let shape = EpisodeShape {
        n_way: n_classes,
        k_shot: n_images,
        n_query: 1,
    };
    let support = chosen
        .iter()
        .flat_map(|class| {
            let first = dataset.classes[*class as usize].first_image;
            (first..first + n_images).map(|image| image as u32)
        })
        .collect();
    let classes = chosen
        .into_iter()
        .map(|class_idx| ClassRef {
            class_idx,
            quarter_turns: 0,
        })
        .collect();
    let episode = Episode::even(shape, classes, support, Vec::new());
    let mut images = Vec::new();
    episode.gather(dataset, &mut images);
    Ok((images, n_classes * n_images))
}

/// None for a subject without blocks.
pub(crate) fn representation(subject: &Subject<'_>, n_tasks: usize) -> Result<Option<Answers>> {
    let body = Body::new(subject);
    if body.n_blocks() == 0 {
        return Ok(None);
    }
    let sampler = subject.sampler(subject.test_shape())?;
    let seeds = subject.seeds();
    let shape = subject.test_shape();
    let inner = subject.learner().inner_loop();
    let n_steps = inner.map_or(0, |inner| inner.test_steps());
    let tasks = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let (context, theta) = (subject.context(&task), subject.theta());
        let phi = subject.learner().adapted(&context, theta)?;
        let rows = query_features(&body, subject, &phi, &task, n_steps)?;
        let separated = class_separation(&rows, task.query_labels(), shape.n_way);
        let prototypes = (0..PROTOTYPE_DRAWS)
            .map(|draw| {
                let seeds = seeds.with(Stream::Support, seeds.support.wrapping_add(draw));
                let task = subject.gather(&sampler.episode(&seeds, index))?;
                prototypes(&body, subject, &task)
            })
            .collect::<Result<Vec<_>>>()?;
        let spread = prototype_spread(&prototypes, shape.n_way);
        let changes = match inner {
            Some(_) if index < MOST_CHANGES as u64 => {
                Some(changes(&body, subject, &phi, &task, n_steps)?)
            }
            _ => None,
        };
        // What is not finite has no separation.
        Ok((separated.ok(), spread.ok().flatten(), changes))
    })?;
    let (images, n_images) = many_images(subject)?;
    let features = body.last(subject, subject.theta(), &images, 0)?;
    let separated = || tasks.iter().filter_map(|task| task.0);
    Ok(Some(Answers {
        n_tasks,
        separation: separated().filter_map(|s| s.ratio).collect(),
        misplaced: separated().map(|s| s.misplaced).collect(),
        prototype_spread: tasks.iter().filter_map(|task| task.1).collect(),
        effective_rank: Features::new(&features, n_images).map_or(0.0, |f| effective_rank(&f)),
        width: features.len() / n_images,
        layers: by_layer(
            &body,
            subject,
            tasks.into_iter().filter_map(|task| task.2).collect(),
        ),
    }))
}

/// Last features of the queries of a task, as they are judged: with the supports in one batch where the learner does so.
fn query_features(
    body: &Body<'_>,
    subject: &Subject<'_>,
    phi: &Params<f32>,
    task: &Task<f32>,
    inner_step: usize,
) -> Result<Vec<f64>> {
    if subject.learner().inner_loop().is_some() {
        return body.last(subject, phi, task.query_images(), inner_step);
    }
    let rows = body.last(subject, phi, task.images(), inner_step)?;
    let width = rows.len() / (task.support_labels().len() + task.query_labels().len());
    Ok(rows[task.support_labels().len() * width..].to_vec())
}

/// Mean features of the supports of each class, in one batch with the queries, at theta.
fn prototypes(body: &Body<'_>, subject: &Subject<'_>, task: &Task<f32>) -> Result<Vec<f64>> {
    let rows = body.last(subject, subject.theta(), task.images(), 0)?;
    let n_support = task.support_labels().len();
    let width = rows.len() / (n_support + task.query_labels().len());
    let k_shot = task.shape().k_shot;
    let classes = rows[..n_support * width].chunks_exact(k_shot * width);
    let center = |class: &[f64]| -> Vec<f64> {
        (0..width)
            .map(|at| class.iter().skip(at).step_by(width).sum::<f64>() / k_shot as f64)
            .collect()
    };
    Ok(classes.flat_map(center).collect())
}

/// CKA of each block's features of the queries before and after adaptation; absent where they are not finite.
fn changes(
    body: &Body<'_>,
    subject: &Subject<'_>,
    phi: &Params<f32>,
    task: &Task<f32>,
    n_steps: usize,
) -> Result<(Params<f32>, Vec<Option<f64>>)> {
    let n = task.query_labels().len();
    let mut found = Vec::new();
    for block in 0..body.n_blocks() {
        let of = |params: &Params<f32>, step: usize| -> Result<Option<Features>> {
            let rows = body.features(subject, block, params, task.query_images(), step)?;
            Ok(Features::new(&rows, n).ok())
        };
        found.push(match (of(subject.theta(), 0)?, of(phi, n_steps)?) {
            (Some(before), Some(after)) => debiased_cka(&before, &after)?,
            _ => None,
        });
    }
    Ok((phi.clone(), found))
}

/// The changes of each layer over tasks: blocks, then the head.
fn by_layer(
    body: &Body<'_>,
    subject: &Subject<'_>,
    tasks: Vec<(Params<f32>, Vec<Option<f64>>)>,
) -> Vec<Layer> {
    if tasks.is_empty() {
        return Vec::new();
    }
    let theta = subject.theta();
    let weights: Vec<_> = theta
        .layout()
        .entries()
        .iter()
        .filter(|entry| entry.shape.len() > 1)
        .collect();
    let layer = |(at, entry): (usize, &&metastable_models::Entry)| {
        let own = |params: &Params<f32>| wide(params.get(&entry.name).unwrap_or_default());
        let before = own(theta);
        let change = tasks
            .iter()
            .map(|(phi, _)| metastable_analysis::summary::relative_change(&before, &own(phi)));
        Layer {
            name: entry.name.clone(),
            weight_change: change.filter(|change| change.is_finite()).collect(),
            cka: if at < body.n_blocks() {
                tasks.iter().filter_map(|(_, cka)| cka[at]).collect()
            } else {
                Vec::new()
            },
        }
    };
    weights.iter().enumerate().map(layer).collect()
}
