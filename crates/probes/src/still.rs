//! Features of an image by itself: what a body makes of it, whatever else is in the batch.

use std::sync::Arc;

use metastable_data::{ClassRef, Dataset, Episode, EpisodeShape, MetaSplit, Split};
use metastable_models::{Layout, Loss, Network, Objective, Params, Pass, Statistics};

use super::subject::Subject;
use crate::error::Result;

/// Images of a pass.
pub(crate) const OF_A_PASS: usize = 50;
/// Training images whose statistics normalise, where a network stores none.
const REFERENCE_IMAGES: usize = 100;

/// A body, its weights, and the statistics that it normalises by.
pub(crate) struct Still<'s> {
    pub(crate) network: &'s dyn Network<f32>,
    /// The weights of the body.
    body: Params<f32>,
    /// None for a network that does not normalise.
    stored: Option<Params<f32>>,
}

impl<'s> Still<'s> {
    /// That of a subject; none if it shows no features. Statistics are those that it stores, else those of a batch of training
    /// images: 100, as evenly over the classes as they go.
    pub(crate) fn of(subject: &'s Subject<'_>) -> Result<Option<Self>> {
        let Some(network) = subject.still.as_deref() else {
            return Ok(None);
        };
        let body = fitted(subject.theta(), network.layout());
        let stored = match subject.statistics() {
            _ if network.buffers().n_values() == 0 => None,
            Statistics::Stored(own) => Some(fitted(own, network.buffers())),
            Statistics::Batch => {
                let images = reference(subject.dataset, subject.split);
                Some(statistics(network, &body, &images, subject.dataset)?)
            }
        };
        Ok(Some(Self {
            network,
            body,
            stored,
        }))
    }

    /// What normalises.
    pub(crate) fn statistics(&self) -> Statistics<'_, f32> {
        self.stored
            .as_ref()
            .map_or(Statistics::Batch, Statistics::Stored)
    }

    /// A row an image, in their order.
    pub(crate) fn features(&self, images: &[f32], n_values: usize) -> Result<Vec<f64>> {
        let pass = Pass {
            inner_step: 0,
            statistics: self.statistics(),
        };
        let mut rows = Vec::new();
        for batch in images.chunks(OF_A_PASS * n_values) {
            let outputs = self.network.outputs(&self.body, batch, pass)?;
            rows.extend(outputs.into_iter().map(f64::from));
        }
        Ok(rows)
    }

    /// The body's weights in the layout of the same network with a head, whose rows are zero.
    pub(crate) fn headed(&self, layout: &Arc<Layout>) -> Params<f32> {
        fitted(&self.body, layout)
    }
}

/// The values of a layout by name; what is not there is zero, and of more values the leading ones are taken (of a scale for each inner
/// step that for no step).
fn fitted(whole: &Params<f32>, layout: &Arc<Layout>) -> Params<f32> {
    let mut own = Params::zeros(layout);
    for entry in layout.entries() {
        if let Some(values) = whole.get(&entry.name) {
            let n = values.len().min(entry.len());
            own.values_mut()[entry.offset..][..n].copy_from_slice(&values[..n]);
        }
    }
    own
}

/// Training images, as evenly over the classes as they go.
fn reference(dataset: &Dataset, split: &Split) -> Vec<f32> {
    let classes = split.classes(MetaSplit::Train);
    let n_classes = classes.len().min(REFERENCE_IMAGES);
    let n_images = (REFERENCE_IMAGES / n_classes.max(1))
        .min(split.fewest_images(dataset, MetaSplit::Train))
        .max(1);
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
    let mut images = Vec::new();
    Episode::even(shape, classes, support, Vec::new()).gather(dataset, &mut images);
    images
}

/// Mean and variance of a batch at every normalisation.
fn statistics(
    network: &dyn Network<f32>,
    body: &Params<f32>,
    images: &[f32],
    dataset: &Dataset,
) -> Result<Params<f32>> {
    // A pass tells its statistics with a loss; whose does not matter to them.
    let headed = network.with_head(2)?;
    let labels = vec![0; images.len() / dataset.n_values()];
    let objective = Objective {
        loss: Loss::CrossEntropy,
        n_way: 2,
        supports: &[],
        labels: &labels,
        values: &[],
    };
    let params = fitted(body, headed.layout());
    let tape = headed.record(&params, images, Pass::batch(0), objective)?;
    Ok(tape.statistics())
}
