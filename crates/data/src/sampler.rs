//! The sampler: which episode stands at which key.
//!
//! | stream | decides | changing it leaves alone |
//! | --- | --- | --- |
//! | `task` | which classes (and turns, when they are classes); within one alphabet, which alphabet | the positions, within a class, of queries and supports (classes of one size) |
//! | `query` | the queries of each class, from all its images | classes, labels, turns; supports, unless one became a query: then the next in line takes its place |
//! | `support` | the order in which images that are not queries are taken as supports | everything but the supports |
//! | `label` | which class gets which label | the images and turn of each class |
//! | `augment` | the turn of each class under [`Rotations::Augment`] | everything but the turns |
//!
//! Draws are made class by class in the order of the task stream, each class on a sub-stream of its own, one at a
//! time. So episodes nest: a larger `k_shot` keeps the supports of a smaller one, and a larger `n_way` keeps its
//! classes, their queries and their supports. A larger `n_query` keeps the queries and moves a support only where
//! it became a query.

use rand_chacha::ChaCha8Rng;

use crate::draw::{Permutation, below};
use crate::{ClassRef, DataError, Dataset, Episode, EpisodeShape, Rotations, Seeds, Stream};

/// Draws episodes of one shape from some classes of a data set.
#[derive(Clone, Debug)]
pub struct Sampler {
    shape: EpisodeShape,
    rotations: Rotations,
    /// The pools one of which an episode draws its classes from: one, or one for each alphabet large enough.
    pools: Vec<Vec<Source>>,
}

/// What the sampler needs to know of a class.
#[derive(Clone, Copy, Debug)]
struct Source {
    class_idx: u32,
    first_image: u32,
    n_images: u32,
}

impl Sampler {
    /// A sampler over `classes` (indices into [`Dataset::classes`], e.g. one part of a [`crate::Split`]).
    ///
    /// With `within_alphabet`, an alphabet is drawn first, uniformly among those with enough classes, and all
    /// classes of the episode come from it.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a size of zero, fewer than two ways, or a class that is not there or twice;
    /// [`DataError::TooFew`] if there are fewer classes than `n_way` or a class holds fewer images than
    /// `k_shot + n_query`.
    pub fn new(
        dataset: &Dataset,
        classes: &[u32],
        shape: EpisodeShape,
        rotations: Rotations,
        within_alphabet: bool,
    ) -> Result<Self, DataError> {
        check_shape(shape)?;
        let sources = sources(dataset, classes)?;
        check_images(dataset, &sources, shape)?;
        let n_variants = rotations.n_variants() as usize;
        let pools = if within_alphabet {
            by_alphabet(dataset, &sources)
        } else {
            vec![sources]
        };
        let largest = pools.iter().map(Vec::len).max().unwrap_or(0) * n_variants;
        if largest < shape.n_way {
            let (where_, else_) = if within_alphabet {
                (" in the largest alphabet", ", or draw from all alphabets")
            } else {
                ("", "")
            };
            return Err(DataError::TooFew {
                what: format!("classes of `{}`{where_} for way", dataset.name),
                needed: shape.n_way,
                available: largest,
                next_step: too_few_classes(largest, else_),
            });
        }
        let pools = pools
            .into_iter()
            .filter(|pool| pool.len() * n_variants >= shape.n_way)
            .collect();
        Ok(Self {
            shape,
            rotations,
            pools,
        })
    }

    /// The shape of its episodes.
    #[must_use]
    pub fn shape(&self) -> EpisodeShape {
        self.shape
    }

    /// What it does with rotations.
    #[must_use]
    pub fn rotations(&self) -> Rotations {
        self.rotations
    }

    /// Number of classes to draw from, turns counted when they are classes; under `within_alphabet`, those of
    /// alphabets with at least `n_way` classes.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.pools.iter().map(Vec::len).sum::<usize>() * self.rotations.n_variants() as usize
    }

    /// The episode at `index`: a pure function of the sampler, `seeds` and `index`.
    #[must_use]
    pub fn episode(&self, seeds: &Seeds, index: u64) -> Episode {
        let EpisodeShape {
            n_way,
            k_shot,
            n_query,
        } = self.shape;
        let mut order = Permutation::default();
        let drawn = self.draw_classes(seeds, index, &mut order);
        order.restart(n_way as u32);
        let slot_of_label = order.finish(&mut seeds.rng(Stream::Label, index)).to_vec();

        let query_rng = seeds.rng(Stream::Query, index);
        let support_rng = seeds.rng(Stream::Support, index);
        let mut classes = Vec::with_capacity(n_way);
        let mut support = Vec::with_capacity(self.shape.n_support());
        let mut query = Vec::with_capacity(self.shape.n_queries());
        for slot in slot_of_label {
            let (source, class) = drawn[slot as usize];
            classes.push(class);
            let first_query = query.len();
            order.restart(source.n_images);
            let mut rng = sub_stream(&query_rng, slot);
            query.extend(
                std::iter::from_fn(|| order.next(&mut rng))
                    .take(n_query)
                    .map(|position| source.first_image + position),
            );
            let queries = &query[first_query..];
            order.restart(source.n_images);
            let mut rng = sub_stream(&support_rng, slot);
            support.extend(
                std::iter::from_fn(|| order.next(&mut rng))
                    .map(|position| source.first_image + position)
                    .filter(|image_idx| !queries.contains(image_idx))
                    .take(k_shot),
            );
        }
        Episode {
            shape: self.shape,
            classes,
            support,
            query,
        }
    }

    /// The classes of an episode in the order of the task stream.
    fn draw_classes(
        &self,
        seeds: &Seeds,
        index: u64,
        order: &mut Permutation,
    ) -> Vec<(Source, ClassRef)> {
        let mut rng = seeds.rng(Stream::Task, index);
        let pool = if let [pool] = self.pools.as_slice() {
            pool
        } else {
            &self.pools[below(&mut rng, self.pools.len() as u32) as usize]
        };
        let n_variants = self.rotations.n_variants();
        let mut augment_rng = seeds.rng(Stream::Augment, index);
        order.restart(pool.len() as u32 * n_variants);
        std::iter::from_fn(|| order.next(&mut rng))
            .take(self.shape.n_way)
            .map(|variant| {
                let source = pool[(variant / n_variants) as usize];
                let quarter_turns = match self.rotations {
                    Rotations::AsClasses => variant % n_variants,
                    Rotations::Augment => below(&mut augment_rng, 4),
                    Rotations::Off => 0,
                };
                let class = ClassRef {
                    class_idx: source.class_idx,
                    quarter_turns: quarter_turns as u8,
                };
                (source, class)
            })
            .collect()
    }
}

/// What to do where a part of the split has no more than `largest` classes to draw from.
fn too_few_classes(largest: usize, else_: &str) -> String {
    if largest < 2 {
        return format!(
            "an episode takes 2 classes or more, and no class is in two parts of a split: a problem of two classes cannot be meta-learnt from alone, so bring more classes of the same kind, or give this part of the split more of them{else_}"
        );
    }
    format!("lower way to {largest} or less, give this part of the split more classes{else_}")
}

/// The generator of one class of an episode.
fn sub_stream(rng: &ChaCha8Rng, slot: u32) -> ChaCha8Rng {
    let mut rng = rng.clone();
    rng.set_stream(u64::from(slot));
    rng
}

fn check_shape(shape: EpisodeShape) -> Result<(), DataError> {
    let checks = [
        ("way", shape.n_way, 2),
        ("shot", shape.k_shot, 1),
        ("query", shape.n_query, 1),
    ];
    for (setting, value, minimum) in checks {
        if value < minimum {
            return Err(DataError::Invalid {
                setting,
                value: value.to_string(),
                problem: "an episode cannot be that small".into(),
                next_step: format!("set {setting} to {minimum} or more"),
            });
        }
    }
    Ok(())
}

fn sources(dataset: &Dataset, classes: &[u32]) -> Result<Vec<Source>, DataError> {
    let mut seen = vec![false; dataset.classes.len()];
    classes
        .iter()
        .map(|&class_idx| {
            let invalid = |problem: String| DataError::Invalid {
                setting: "classes",
                value: class_idx.to_string(),
                problem,
                next_step: "take the classes from a split of the same data set".into(),
            };
            let Some(class) = dataset.classes.get(class_idx as usize) else {
                let n_classes = dataset.classes.len();
                return Err(invalid(format!(
                    "`{}` has {n_classes} classes",
                    dataset.name
                )));
            };
            if std::mem::replace(&mut seen[class_idx as usize], true) {
                return Err(invalid(format!("class `{}` is listed twice", class.name)));
            }
            Ok(Source {
                class_idx,
                first_image: class.first_image as u32,
                n_images: class.n_images as u32,
            })
        })
        .collect()
}

fn check_images(
    dataset: &Dataset,
    sources: &[Source],
    shape: EpisodeShape,
) -> Result<(), DataError> {
    let needed = shape.k_shot + shape.n_query;
    let Some(smallest) = sources.iter().min_by_key(|source| source.n_images) else {
        return Ok(()); // The missing classes are reported with n_way.
    };
    let available = smallest.n_images as usize;
    if available >= needed {
        return Ok(());
    }
    let n_small = sources
        .iter()
        .filter(|source| (source.n_images as usize) < needed)
        .count();
    Err(DataError::TooFew {
        what: format!(
            "images of class `{}` for shot {} + query {} ({n_small} of {} classes are too small)",
            dataset.classes[smallest.class_idx as usize].name,
            shape.k_shot,
            shape.n_query,
            sources.len(),
        ),
        needed,
        available,
        next_step: format!(
            "lower query or shot, or leave such classes out (data.min_images = {needed})"
        ),
    })
}

fn by_alphabet(dataset: &Dataset, sources: &[Source]) -> Vec<Vec<Source>> {
    let mut pools = vec![Vec::new(); dataset.alphabets.len()];
    for source in sources {
        pools[dataset.classes[source.class_idx as usize].alphabet_idx].push(*source);
    }
    pools
}

#[cfg(test)]
mod tests;
