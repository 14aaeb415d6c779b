//! Family L: what a trained learner keeps of classes that come one after the other, an image at a time, and never again.
//!
//! A stream has so many of the test classes in an order that the label stream of the test list draws, 15 images of each in a row. Three
//! heads learn from it: softmax regression on the frozen features (OML's evaluation), the mean feature of each class so far, and the
//! learner's own inner loop, a step an image, from the trained body and zero rows. After the stream each is asked about new images of all
//! classes (*seen*), about those it learnt from (*retained*), and along the longest stream about each block of classes after each block
//! (the matrix of Lopez-Paz & Ranzato 2017, "Gradient episodic memory for continual learning", NeurIPS, arXiv 1706.08840).
//!
//! Classes and images of a stream are the same in every order and nest over the numbers of classes, so that only the order moves between
//! orders. Features are those of an image by itself: batch statistics would tell of images to come, so that stored ones normalise, or those of
//! 100 training images where a network stores none.
//!
//! Step sizes are chosen on validation classes (on training classes where a split has fewer than two of them), never on test classes: the
//! code of ANML searches them on the latter (Beaulieu et al. 2020, "Learning to continually learn", ECAI, arXiv 2002.09571).
//!
//! Differs from both papers: neither body was trained for streams, the head of the inner loop starts at zero, and features have the size
//! that the network has.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use metastable_algorithms::{Batch, Context, InnerLoop};
use metastable_analysis::Probe;
use metastable_analysis::record::answers::lifelong::{Answers, Head as Kind, Streamed};
use metastable_data::{Dataset, Episode, EpisodeShape, MetaSplit, Sampler, Seeds, Split, Stream};
use metastable_models::{Params, Pass};

use super::sensitivity::each;
use super::still::{OF_A_PASS, Still};
use super::stream::{Course, Head, Linear, Part, Prototypes, Rows, follow, largest};
use super::subject::{Protocol, Subject};
use crate::error::{ProbeError, Result};

/// Numbers of classes in the papers.
const PUBLISHED: [usize; 5] = [10, 50, 100, 200, 600];
/// Images of a class in a stream, in the papers.
const IMAGES: usize = 15;
/// New images of a class, in the papers.
const QUERIES: usize = 5;
/// Blocks of the matrix.
const BLOCKS: usize = 10;
/// Most classes of the inner loop: the outputs that a head of these networks has at most.
const MOST_OUTPUTS: usize = 256;
/// Most classes of the stream on which the share of the inner step is chosen.
const MOST_TRIED: usize = 50;
/// Step sizes of the linear head that are tried, over `1 + mean |f|^2`, the curvature that they meet.
const STEPS: [f64; 6] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
/// Shares of the inner step size that are tried.
const SHARES: [f64; 3] = [0.01, 0.1, 1.0];

/// Sizes that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Numbers of classes, ascending; those of the papers that the test classes hold if empty, or all classes if there are fewer than 10.
    pub classes: Vec<usize>,
    /// Images of a class; 15 if absent, or what classes hold beside the new images.
    pub images: Option<usize>,
    /// Orders.
    pub orders: usize,
}

/// Sizes that the classes hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    classes: Vec<usize>,
    k_shot: usize,
    n_query: usize,
    n_orders: usize,
}

impl Settled {
    fn shape(&self, n_way: usize) -> EpisodeShape {
        EpisodeShape {
            n_way,
            k_shot: self.k_shot,
            n_query: self.n_query,
        }
    }
}

impl Sizes {
    /// What of it the test classes hold.
    ///
    /// # Errors
    /// [`ProbeError::Stream`] for a number of classes or of images that is asked for and is not there; [`ProbeError::Episodes`] where there
    /// are no two classes with two images.
    pub fn settle(
        &self,
        protocol: &Protocol,
        (dataset, split): (&Dataset, &Split),
    ) -> Result<Settled> {
        let fewest = split.fewest_images(dataset, MetaSplit::Test);
        let (k_shot, n_query) = match self.images {
            Some(images) if images < fewest => (images, QUERIES.min(fewest - images)),
            Some(images) => {
                let most = fewest.saturating_sub(1);
                let advice = format!(
                    "the smallest test class has {fewest} images, one of which has to be new; ask for at most {most}, or leave it out"
                );
                return Err(ProbeError::Stream {
                    setting: "stream_images",
                    got: images,
                    advice,
                });
            }
            None => {
                let n_query = (fewest / 4).clamp(1, QUERIES);
                (IMAGES.min(fewest.saturating_sub(n_query)).max(1), n_query)
            }
        };
        let holds = |n_way: usize| {
            let shape = EpisodeShape {
                n_way,
                k_shot,
                n_query,
            };
            sampler(protocol, (dataset, split), MetaSplit::Test, shape)
        };
        let mut classes = self.classes.clone();
        if let Some(n_way) = classes.iter().copied().find(|n_way| holds(*n_way).is_err()) {
            let all = holds(2)?.n_classes();
            return Err(ProbeError::Stream {
                setting: "stream_classes",
                got: n_way,
                advice: format!(
                    "the test part has {all} classes; ask for 2 to {all} of them, or leave it out"
                ),
            });
        }
        if classes.is_empty() {
            classes = PUBLISHED
                .into_iter()
                .filter(|n| holds(*n).is_ok())
                .collect();
        }
        if classes.is_empty() {
            holds(2)?;
            classes.extend((2..PUBLISHED[0]).rev().find(|n| holds(*n).is_ok()));
        }
        Ok(Settled {
            classes,
            k_shot,
            n_query,
            n_orders: self.orders,
        })
    }
}

/// Streams of a part of the classes, from all of its alphabets.
fn sampler(
    protocol: &Protocol,
    (dataset, split): (&Dataset, &Split),
    part: MetaSplit,
    shape: EpisodeShape,
) -> Result<Sampler> {
    let rotations = protocol.test_rotations;
    Sampler::new(dataset, split.classes(part), shape, rotations, false)
        .map_err(|source| ProbeError::Episodes { shape, source })
}

/// Every question of the family; nothing of a subject that shows no features.
///
/// # Errors
///
/// As for [`Sizes::settle`], or if a pass fails.
pub fn ask(subject: &Subject<'_>, sizes: &Sizes) -> Result<Probe> {
    let from = (subject.dataset, subject.split);
    let settled = sizes.settle(&subject.protocol, from)?;
    let Some(still) = Still::of(subject)? else {
        return Ok(Probe::default());
    };
    let asked = Asked {
        subject,
        still: &still,
        settled: &settled,
        test: Table::of(subject, &still, MetaSplit::Test, &settled)?,
        trial: Table::of(subject, &still, trial_part(subject.split), &settled)?,
    };
    let mut heads = vec![asked.linear()?, asked.prototypes()?];
    heads.extend(asked.inner_loop()?);
    Ok(Probe {
        lifelong: Some(Answers {
            classes: settled.classes.clone(),
            n_orders: settled.n_orders,
            n_images: settled.k_shot,
            n_queries: settled.n_query,
            heads,
        }),
        ..Probe::default()
    })
}

/// The classes on which step sizes are chosen.
fn trial_part(split: &Split) -> MetaSplit {
    match split.classes(MetaSplit::Validation).len() {
        0 | 1 => MetaSplit::Train,
        _ => MetaSplit::Validation,
    }
}

/// Features of every image of the longest stream of a part.
struct Table {
    part: MetaSplit,
    /// Classes of the longest stream.
    n_way: usize,
    width: usize,
    values: Vec<f64>,
    /// Row of an image, by its number and its turn.
    places: BTreeMap<(u32, u8), usize>,
}

impl Table {
    fn of(
        subject: &Subject<'_>,
        still: &Still<'_>,
        part: MetaSplit,
        settled: &Settled,
    ) -> Result<Self> {
        let from = (subject.dataset, subject.split);
        let wanted = settled.classes.last().copied().unwrap_or(2);
        let holds =
            |n_way: &usize| sampler(&subject.protocol, from, part, settled.shape(*n_way)).is_ok();
        // Of the test classes all that are wanted are there; the trial takes what its part has.
        let n_way = (2..=wanted).rev().find(holds).unwrap_or(2);
        let sampler = sampler(&subject.protocol, from, part, settled.shape(n_way))?;
        let episode = sampler.episode(&subject.seeds(), 0);
        let mut images = Vec::new();
        episode.gather(subject.dataset, &mut images);
        let values = still.features(&images, subject.dataset.n_values())?;
        let keys = keys(&episode);
        Ok(Self {
            part,
            n_way,
            width: values.len() / keys.len().max(1),
            values,
            places: keys.into_iter().zip(0..).collect(),
        })
    }

    fn rows(&self, episode: &Episode) -> Rows<'_> {
        let mut all: Vec<&[f64]> = keys(episode)
            .iter()
            .map(|key| &self.values[self.places[key] * self.width..][..self.width])
            .collect();
        let new = all.split_off(episode.support.len());
        Rows {
            shape: episode.shape,
            learnt: all,
            new,
        }
    }
}

/// Images of an episode, supports before queries, each with its turn.
fn keys(episode: &Episode) -> Vec<(u32, u8)> {
    let shape = episode.shape;
    let turned = |images: &[u32], n_each: usize| {
        let each = images.chunks_exact(n_each).zip(&episode.classes);
        each.flat_map(|(images, class)| images.iter().map(|image| (*image, class.quarter_turns)))
            .collect::<Vec<_>>()
    };
    [
        turned(&episode.support, shape.k_shot),
        turned(&episode.query, shape.n_query),
    ]
    .concat()
}

/// A subject with the features of its streams.
struct Asked<'s, 'm> {
    subject: &'s Subject<'m>,
    still: &'s Still<'s>,
    settled: &'s Settled,
    test: Table,
    trial: Table,
}

/// What a head is put to: the stream of an order, and blocks of its matrix.
struct Trip<'e> {
    episode: &'e Episode,
    rows: &'e Rows<'e>,
    n_blocks: usize,
}

impl Asked<'_, '_> {
    /// The stream of `n_way` classes of a part in order `order`.
    fn episode(&self, part: MetaSplit, n_way: usize, order: usize) -> Result<Episode> {
        let from = (self.subject.dataset, self.subject.split);
        let shape = self.settled.shape(n_way);
        let sampler = sampler(&self.subject.protocol, from, part, shape)?;
        Ok(sampler.episode(&ordered(self.subject.seeds(), order), 0))
    }

    /// The longest streams that a head can have, with their courses in each order.
    fn streamed(
        &self,
        head: Kind,
        most: usize,
        step: impl Fn(usize) -> Result<f64>,
        course: impl Fn(&Trip<'_>, f64) -> Result<Course> + Sync,
    ) -> Result<Streamed> {
        let fits = self.settled.classes.iter().filter(|n_way| **n_way <= most);
        let counts: Vec<usize> = fits.copied().collect();
        let longest = counts.last().copied().unwrap_or(0);
        let mut streamed = Streamed {
            head,
            n_counts: counts.len(),
            n_blocks: longest.min(BLOCKS),
            steps: Vec::new(),
            seen: Vec::new(),
            retained: Vec::new(),
            matrix: Vec::new(),
        };
        for n_way in counts {
            let step = step(n_way)?;
            let n_blocks = if n_way == longest {
                streamed.n_blocks
            } else {
                1
            };
            let courses = each(self.settled.n_orders, |order| {
                let episode = self.episode(self.test.part, n_way, order as usize)?;
                let trip = Trip {
                    episode: &episode,
                    rows: &self.test.rows(&episode),
                    n_blocks,
                };
                course(&trip, step)
            })?;
            streamed.steps.push(step);
            streamed
                .seen
                .extend(courses.iter().map(|course| course.seen));
            streamed
                .retained
                .extend(courses.iter().map(|course| course.retained));
            if n_way == longest {
                streamed.matrix = courses
                    .into_iter()
                    .flat_map(|course| course.matrix)
                    .collect();
            }
        }
        Ok(streamed)
    }

    /// Of some steps the one after which most new images are told right on the trial classes, the smaller of equal ones.
    fn best(
        &self,
        n_way: usize,
        steps: &[f64],
        course: impl Fn(&Trip<'_>, f64) -> Result<Course>,
    ) -> Result<f64> {
        let episode = self.episode(self.trial.part, n_way.min(self.trial.n_way), 0)?;
        let trip = Trip {
            episode: &episode,
            rows: &self.trial.rows(&episode),
            n_blocks: 1,
        };
        let scores = steps
            .iter()
            .map(|step| Ok(course(&trip, *step)?.seen))
            .collect::<Result<Vec<f64>>>()?;
        Ok(largest(&scores).map_or(0.0, |at| steps[at]))
    }

    fn linear(&self) -> Result<Streamed> {
        let course = |trip: &Trip<'_>, step: f64| {
            follow(
                &mut Linear::new(trip.rows, step),
                trip.rows.shape,
                trip.n_blocks,
            )
        };
        let step = |n_way: usize| {
            let episode = self.episode(self.trial.part, n_way.min(self.trial.n_way), 0)?;
            let scale = self.trial.rows(&episode).scale();
            let steps = STEPS.map(|step| step / scale);
            self.best(n_way, &steps, course)
        };
        self.streamed(Kind::Linear, usize::MAX, step, course)
    }

    fn prototypes(&self) -> Result<Streamed> {
        let course = |trip: &Trip<'_>, _: f64| {
            follow(
                &mut Prototypes::new(trip.rows),
                trip.rows.shape,
                trip.n_blocks,
            )
        };
        let mut streamed = self.streamed(Kind::Prototypes, usize::MAX, |_| Ok(0.0), course)?;
        streamed.steps.clear();
        Ok(streamed)
    }

    /// None for a learner without an inner loop whose steps are alike.
    fn inner_loop(&self) -> Result<Option<Streamed>> {
        let subject = self.subject;
        let Some(inner) = subject.learner().inner_loop().filter(|_| subject.is_open) else {
            return Ok(None);
        };
        let course = |trip: &Trip<'_>, share: f64| -> Result<Course> {
            let task = subject.gather(trip.episode)?;
            let network = self.still.network.with_head(trip.rows.shape.n_way)?;
            let mut head = Adapting {
                inner,
                context: Context {
                    network,
                    statistics: self.still.statistics(),
                    task: &task,
                },
                phi: self.still.headed(network.layout()),
                share,
                n_values: subject.dataset.n_values(),
            };
            follow(&mut head, trip.rows.shape, trip.n_blocks)
        };
        if !self.steps_alike(inner)? || self.settled.classes[0] > MOST_OUTPUTS {
            return Ok(None);
        }
        let mut chosen: BTreeMap<usize, f64> = BTreeMap::new();
        for n_way in &self.settled.classes {
            let tried = (*n_way).min(MOST_TRIED).min(self.trial.n_way);
            if let Entry::Vacant(place) = chosen.entry(tried) {
                place.insert(self.best(tried, &SHARES, course)?);
            }
        }
        let share = |n_way: usize| Ok(chosen[&n_way.min(MOST_TRIED).min(self.trial.n_way)]);
        self.streamed(Kind::InnerLoop, MOST_OUTPUTS, share, course)
            .map(Some)
    }

    /// Whether an inner loop has steps that a stream can have, which one step tells.
    fn steps_alike(&self, inner: &dyn InnerLoop<f32>) -> Result<bool> {
        let episode = self.episode(self.trial.part, 2, 0)?;
        let task = self.subject.gather(&episode)?;
        let network = self.still.network.with_head(2)?;
        let context = Context {
            network,
            statistics: self.still.statistics(),
            task: &task,
        };
        let phi = self.still.headed(network.layout());
        let made = inner.step_on(&context, &phi, task.supports(), 1.0)?;
        Ok(made.is_some())
    }
}

/// The seeds of the stream in order `order`: the label stream tells which class comes when, and nothing else.
fn ordered(seeds: Seeds, order: usize) -> Seeds {
    seeds.with(Stream::Label, seeds.label.wrapping_add(order as u64))
}

/// The learner's inner loop, which makes a step an image.
struct Adapting<'a> {
    inner: &'a dyn InnerLoop<f32>,
    context: Context<'a, f32>,
    phi: Params<f32>,
    share: f64,
    n_values: usize,
}

impl Adapting<'_> {
    fn images(&self, part: Part, rows: Range<usize>) -> &[f32] {
        let images = match part {
            Part::Learnt => self.context.task.support_images(),
            Part::New => self.context.task.query_images(),
        };
        &images[rows.start * self.n_values..rows.end * self.n_values]
    }
}

impl Head for Adapting<'_> {
    fn learn(&mut self, at: usize) -> Result<()> {
        let label = at / self.context.task.shape().k_shot;
        let batch = Batch {
            images: self.images(Part::Learnt, at..at + 1),
            labels: &[label],
        };
        let next = self
            .inner
            .step_on(&self.context, &self.phi, batch, self.share)?;
        if let Some(next) = next {
            self.phi = next;
        }
        Ok(())
    }

    fn told(&self, part: Part, rows: Range<usize>) -> Result<Vec<Option<usize>>> {
        let network = self.context.network;
        let pass = Pass {
            inner_step: 0,
            statistics: self.context.statistics,
        };
        let images = self.images(part, rows);
        let mut told = Vec::new();
        for batch in images.chunks(OF_A_PASS * self.n_values) {
            let logits = network.outputs(&self.phi, batch, pass)?;
            told.extend(logits.chunks_exact(network.n_outputs()).map(largest));
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_another_label_stream_alone() {
        let seeds = Seeds::all(3);
        assert_eq!(ordered(seeds, 0), seeds);
        let other = ordered(seeds, 2);
        assert_eq!(other, seeds.with(Stream::Label, 5));
    }
}
