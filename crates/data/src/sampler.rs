//! The sampler: which episode stands at which key.
//!
//! | stream | decides | changing it leaves alone |
//! | --- | --- | --- |
//! | `task` | which classes (and turns, when they are classes); within one alphabet, which alphabet, and of several domains which domain; the number of classes where that is drawn | the positions, within a class, of queries and supports (classes of one size) |
//! | `query` | the queries of each class, from all its images | classes, labels, turns; supports, unless one became a query: then the next in line takes its place |
//! | `support` | the order in which images that are not queries are taken as supports; their numbers where those are drawn | everything but the supports |
//! | `label` | which class gets which label | the images and turn of each class |
//! | `augment` | the turn of each class under [`Rotations::Augment`] | everything but the turns |
//!
//! Draws are made class by class in the order of the task stream, each class on a sub-stream of its own, one at a
//! time. So episodes nest: a larger `k_shot` keeps the supports of a smaller one, and a larger `n_way` keeps its
//! classes, their queries and their supports. A larger `n_query` keeps the queries and moves a support only where
//! it became a query.

use rand_chacha::ChaCha8Rng;

use crate::draw::{Permutation, below};
use crate::sizes::{
    LOG_WEIGHTS, MAX_WAYS, MIN_WAYS, meta_dataset_queries, meta_dataset_shots, unequal_shots, unit,
};
use crate::{
    ClassRef, DataError, Dataset, Domain, Episode, EpisodeShape, Rotations, Seeds, Sizes, Stream,
};

/// Sub-stream of what concerns all classes of an episode; those of its classes are 0, 1, ...
const OF_ALL: u32 = u32::MAX;

/// Draws episodes from some classes of a data set.
#[derive(Clone, Debug)]
pub struct Sampler {
    /// What is not drawn.
    shape: EpisodeShape,
    sizes: Sizes,
    rotations: Rotations,
    /// By domain, one of which is drawn first, the pools one of which an episode draws its classes from: one, or one for each alphabet
    /// large enough.
    domains: Vec<Vec<Vec<Source>>>,
}

/// What the sampler needs to know of a class.
#[derive(Clone, Copy, Debug)]
struct Source {
    class_idx: u32,
    first_image: u32,
    n_images: u32,
    /// Of these, the first ones that are the only queries; none where any may be.
    n_held: u32,
}

impl Source {
    /// Images that may be queries.
    fn n_queries(&self) -> u32 {
        match self.n_held {
            0 => self.n_images,
            held => held,
        }
    }

    /// Images that an episode can use where it asks for so many queries: all, unless the queries are too few.
    fn n_usable(&self, n_query: usize) -> usize {
        let (held, others) = (self.n_held as usize, (self.n_images - self.n_held) as usize);
        match self.n_held {
            0 => others,
            _ if held < n_query => held,
            _ => others + n_query,
        }
    }
}

impl Sampler {
    /// A sampler of episodes of one shape over `classes` (indices into [`Dataset::classes`], e.g. one part of a [`crate::Split`]).
    ///
    /// With `within_alphabet`, an alphabet is drawn first, uniformly among those with enough classes, and all
    /// classes of the episode come from it.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a size of zero, fewer than two ways, a class that is not there or twice, or rotations of images
    /// that are not square;
    /// [`DataError::TooFew`] if there are fewer classes than `n_way` or a class holds fewer images than
    /// `k_shot + n_query`.
    pub fn new(
        dataset: &Dataset,
        classes: &[u32],
        shape: EpisodeShape,
        rotations: Rotations,
        within_alphabet: bool,
    ) -> Result<Self, DataError> {
        Self::sized(
            dataset,
            classes,
            (shape, Sizes::Even),
            rotations,
            within_alphabet,
        )
    }

    /// The same for episodes of any [`Sizes`]; of the shape they take what they do not draw.
    ///
    /// # Errors
    /// As for [`Self::new`]; for Meta-Dataset's sizes [`DataError::TooFew`] with fewer than 5 classes, or 2 images of a class.
    pub fn sized(
        dataset: &Dataset,
        classes: &[u32],
        (shape, sizes): (EpisodeShape, Sizes),
        rotations: Rotations,
        within_alphabet: bool,
    ) -> Result<Self, DataError> {
        let needed = match sizes {
            Sizes::MetaDataset => EpisodeShape {
                n_way: MIN_WAYS,
                k_shot: 1,
                n_query: 1,
            },
            // The same of every class, whatever the data.
            Sizes::Even | Sizes::Unequal { .. } => sizes.largest(shape, 0, 0),
        };
        check_shape(needed)?;
        rotations.check(dataset.size)?;
        let sources = sources(dataset, classes)?;
        check_images(dataset, &sources, needed)?;
        let n_variants = rotations.n_variants() as usize;
        let mut domains = Vec::new();
        for (name, sources) in by_domain(dataset, sources) {
            let pools = if within_alphabet {
                by_alphabet(dataset, &sources)
            } else {
                vec![sources]
            };
            let largest = pools.iter().map(Vec::len).max().unwrap_or(0) * n_variants;
            if largest >= needed.n_way {
                let is_large = |pool: &Vec<Source>| pool.len() * n_variants >= needed.n_way;
                domains.push(pools.into_iter().filter(is_large).collect());
                continue;
            }
            let (where_, else_) = if within_alphabet {
                (" in the largest alphabet", ", or draw from all alphabets")
            } else {
                ("", "")
            };
            return Err(DataError::TooFew {
                what: format!("classes of `{name}`{where_} for way"),
                needed: needed.n_way,
                available: largest,
                next_step: if sizes.draws_way() {
                    format!(
                        "Meta-Dataset's episodes have {MIN_WAYS} classes or more; give this part of the split more of them{else_}"
                    )
                } else {
                    too_few_classes(largest, else_)
                },
            });
        }
        Ok(Self {
            shape,
            sizes,
            rotations,
            domains,
        })
    }

    /// The shape of its episodes; the largest where their sizes differ.
    #[must_use]
    pub fn shape(&self) -> EpisodeShape {
        let pools = || self.domains.iter().flatten();
        let classes = pools().flatten();
        let most_images = classes.map(|source| source.n_images).max().unwrap_or(0);
        let largest = pools().map(Vec::len).max().unwrap_or(0);
        let n_classes = largest * self.rotations.n_variants() as usize;
        self.sizes
            .largest(self.shape, most_images as usize, n_classes)
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
        let pools = self.domains.iter().flatten();
        pools.map(Vec::len).sum::<usize>() * self.rotations.n_variants() as usize
    }

    /// The number of a class among those to draw from, less than [`Self::n_classes`]; none for a class that it does not draw. Turns
    /// are classes of their own where they are drawn as such.
    #[must_use]
    pub fn number_of(&self, class: ClassRef) -> Option<usize> {
        let mut sources = self.domains.iter().flatten().flatten();
        let place = sources.position(|source| source.class_idx == class.class_idx)?;
        let turn = match self.rotations {
            Rotations::AsClasses => usize::from(class.quarter_turns),
            Rotations::Augment | Rotations::Off => 0,
        };
        Some(place * self.rotations.n_variants() as usize + turn)
    }

    /// The episode at `index`: a pure function of the sampler, `seeds` and `index`.
    #[must_use]
    pub fn episode(&self, seeds: &Seeds, index: u64) -> Episode {
        let mut order = Permutation::default();
        let drawn = self.draw_classes(seeds, index, &mut order);
        let n_way = drawn.len();
        order.restart(n_way as u32);
        let slot_of_label = order.finish(&mut seeds.rng(Stream::Label, index)).to_vec();

        let query_rng = seeds.rng(Stream::Query, index);
        let support_rng = seeds.rng(Stream::Support, index);
        let (n_query, shots_of_slot) = self.draw_sizes(&drawn, &support_rng);
        let mut classes = Vec::with_capacity(n_way);
        let mut shots = Vec::with_capacity(n_way);
        let mut support = Vec::new();
        let mut query = Vec::with_capacity(n_way * n_query);
        for slot in slot_of_label {
            let (source, class) = drawn[slot as usize];
            classes.push(class);
            let n_support = shots_of_slot[slot as usize];
            shots.push(n_support);
            let first_query = query.len();
            order.restart(source.n_queries());
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
                    .filter(|position| source.n_held <= *position)
                    .map(|position| source.first_image + position)
                    .filter(|image_idx| !queries.contains(image_idx))
                    .take(n_support as usize),
            );
        }
        Episode {
            shape: EpisodeShape {
                n_way,
                k_shot: shots.iter().copied().max().unwrap_or(0) as usize,
                n_query,
            },
            shots,
            classes,
            support,
            query,
        }
    }

    /// Queries of each class, and supports of each in the order of the task stream.
    fn draw_sizes(&self, drawn: &[(Source, ClassRef)], support: &ChaCha8Rng) -> (usize, Vec<u32>) {
        let EpisodeShape {
            k_shot, n_query, ..
        } = self.shape;
        let mut rng = sub_stream(support, OF_ALL);
        match self.sizes {
            Sizes::Even => (n_query, vec![k_shot as u32; drawn.len()]),
            Sizes::Unequal {
                imbalance,
                low,
                high,
            } => {
                let range = (low.into(), high.into());
                (
                    n_query,
                    unequal_shots(imbalance, range, drawn.len(), &mut rng),
                )
            }
            Sizes::MetaDataset => {
                let n_images: Vec<u32> = drawn.iter().map(|(source, _)| source.n_images).collect();
                let held = drawn.iter().map(|(source, _)| source.n_queries()).min();
                let n_query = meta_dataset_queries(&n_images).min(held.unwrap_or(0));
                // Held images that are no queries are no supports either.
                let usable = |(source, _): &(Source, ClassRef)| source.n_usable(n_query as usize);
                let n_images: Vec<u32> = drawn.iter().map(|it| usable(it) as u32).collect();
                let beta = unit(&mut rng);
                let width = LOG_WEIGHTS.end - LOG_WEIGHTS.start;
                let weights: Vec<f64> = drawn
                    .iter()
                    .map(|_| LOG_WEIGHTS.start + width * unit(&mut rng))
                    .collect();
                let shots = meta_dataset_shots(&n_images, n_query, beta, &weights);
                (n_query as usize, shots)
            }
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
        // Nothing is drawn where there is one.
        let mut which = |n: usize| match n {
            1 => 0,
            _ => below(&mut rng, n as u32) as usize,
        };
        let pools = &self.domains[which(self.domains.len())];
        let pool = &pools[which(pools.len())];
        let n_variants = self.rotations.n_variants();
        let n_classes = pool.len() as u32 * n_variants;
        let n_way = match self.sizes {
            Sizes::Even | Sizes::Unequal { .. } => self.shape.n_way,
            // Uniform in 5 ..= min(50, classes of the pool).
            Sizes::MetaDataset => {
                let most = (n_classes as usize).min(MAX_WAYS);
                MIN_WAYS + below(&mut rng, (most - MIN_WAYS) as u32 + 1) as usize
            }
        };
        let mut augment_rng = seeds.rng(Stream::Augment, index);
        order.restart(n_classes);
        std::iter::from_fn(|| order.next(&mut rng))
            .take(n_way)
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
                n_held: dataset.n_held(class_idx),
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
    let usable = |source: &Source| source.n_usable(shape.n_query);
    let Some(smallest) = sources.iter().min_by_key(|source| usable(source)) else {
        return Ok(()); // The missing classes are reported with n_way.
    };
    let available = usable(smallest);
    if available >= needed {
        return Ok(());
    }
    let n_small = sources
        .iter()
        .filter(|source| usable(source) < needed)
        .count();
    // No advice that leaves nothing to choose among.
    let leave_out = if sources.len() - n_small >= 2 {
        format!(", or leave such classes out (data.min_images = {needed})")
    } else {
        String::new()
    };
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
        next_step: format!("lower query or shot{leave_out}"),
    })
}

/// The classes of each domain that has any, with its name; all of them under the name of the set where it is no mix.
fn by_domain(dataset: &Dataset, sources: Vec<Source>) -> Vec<(String, Vec<Source>)> {
    if dataset.domains.is_empty() || sources.is_empty() {
        return vec![(dataset.name.clone(), sources)];
    }
    let of = |domain: &Domain| {
        let is_own = |source: &&Source| domain.classes.contains(&(source.class_idx as usize));
        let own: Vec<Source> = sources.iter().filter(is_own).copied().collect();
        (domain.name.clone(), own)
    };
    let domains = dataset.domains.iter().map(of);
    domains.filter(|(_, sources)| !sources.is_empty()).collect()
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
