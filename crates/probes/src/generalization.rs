//! Family D: what is left on tasks ever further from those of training, and what one task of one step changes.

use crate::error::Result;
use metastable_algorithms::{Episodes, TrainState, Trainer, Weights};
use metastable_analysis::Probe;
use metastable_analysis::probe::gaps::{self, AtStep, Level};
use metastable_analysis::probe::trajectory;
use metastable_analysis::summary::relative_change;
use metastable_data::pool::unseen;
use metastable_data::{Episode, EpisodeShape, MetaSplit, Sampler, Seeds, Stream};

use super::sensitivity::each;
use super::subject::{FEW_QUERIES, Subject};
use super::values::wide;

/// Outer steps before the exchange, where the training has as many.
const START: usize = 50;
/// Outer steps that two trainings are followed.
const FOLLOWED: usize = 200;
/// Tasks of that step that are exchanged, one at a time.
const EXCHANGES: usize = 2;

/// Every question of the family, on `n_tasks` tasks; `initial` is the state before the first step of the subject's training, of
/// which the question about single steps makes some again. It is left out for a learner whose steps are made elsewhere.
///
/// # Errors
///
/// If classes cannot give the episodes, or a step fails.
pub fn ask(
    subject: &Subject<'_>,
    initial: Option<TrainState<f32>>,
    n_tasks: usize,
) -> Result<Probe> {
    let trajectory = initial.map(|initial| trajectory(subject, initial));
    Ok(Probe {
        gaps: gaps(subject, n_tasks)?,
        trajectory: trajectory.transpose()?,
        ..Probe::default()
    })
}

/// Training episodes, seen and new, with queries of one number.
struct Levels<'s> {
    training: Episodes<'s>,
    seeds: Seeds,
    /// Shape of every judged task.
    shape: EpisodeShape,
    /// All images of each class in an order of their own, for queries that an episode did not have.
    further: Sampler,
    has_fresh: bool,
    test: Option<Sampler>,
}

impl<'s> Levels<'s> {
    fn new(subject: &Subject<'s>) -> Result<Self> {
        let protocol = &subject.protocol;
        let trained = protocol.episode;
        let n_images = subject
            .split
            .fewest_images(subject.dataset, MetaSplit::Train);
        let n_spare = n_images - trained.k_shot - trained.n_query;
        let n_query = trained.n_query.min(FEW_QUERIES);
        let shape = EpisodeShape {
            n_query: if n_spare > 0 {
                n_query.min(n_spare)
            } else {
                n_query
            },
            ..trained
        };
        let rotations = protocol.rotations;
        Ok(Self {
            training: subject.training()?,
            seeds: protocol.seeds,
            shape,
            further: subject.sampler_of(
                MetaSplit::Train,
                EpisodeShape {
                    n_query: n_images - trained.k_shot,
                    ..trained
                },
                rotations,
            )?,
            has_fresh: n_spare > 0,
            // There may be too few test classes for the shape of training.
            test: subject.sampler_of(MetaSplit::Test, shape, rotations).ok(),
        })
    }

    /// A training episode with the first of its queries.
    fn seen(&self, episode: Episode) -> Episode {
        let classes = episode.queries_by_label();
        let first = classes.flat_map(|class| &class[..self.shape.n_query]);
        Episode {
            shape: self.shape,
            query: first.copied().collect(),
            ..episode
        }
    }

    /// The same episode with queries that it did not have: the seed of the query stream alone is another, and what a class
    /// has among its supports and queries is passed over.
    fn with_fresh_queries(&self, number: u64, own: Episode) -> Episode {
        let seeds = self
            .seeds
            .with(Stream::Query, self.seeds.query.wrapping_add(1));
        let further = self.further.episode(&seeds, number);
        let shape = further.shape;
        let all = further
            .query
            .chunks_exact(shape.n_query)
            .zip(further.support.chunks_exact(shape.k_shot));
        let had = own
            .query
            .chunks_exact(own.shape.n_query)
            .zip(own.support.chunks_exact(own.shape.k_shot));
        let fresh = all.zip(had).flat_map(|((query, support), had)| {
            let is_new = move |image: &u32| !had.0.contains(image) && !had.1.contains(image);
            let images = query.iter().chain(support).copied();
            images.filter(is_new).take(self.shape.n_query)
        });
        Episode {
            shape: self.shape,
            query: fresh.collect(),
            ..own
        }
    }
}

/// None if the tested weights predict nothing that is finite.
fn gaps(subject: &Subject<'_>, n_tasks: usize) -> Result<Option<gaps::Answers>> {
    let levels = Levels::new(subject)?;
    let tested = at_step(subject, &levels, &subject.weights, subject.step, n_tasks)?;
    let Some(tested) = tested else {
        return Ok(None);
    };
    let mut points = vec![AtStep {
        is_tested: true,
        ..tested
    }];
    if let Some((step, weights)) = subject
        .last
        .as_ref()
        .filter(|(step, _)| *step > subject.step)
    {
        points.extend(at_step(subject, &levels, weights, *step, n_tasks)?);
    }
    let shape = levels.shape;
    Ok(Some(gaps::Answers {
        shape: (shape.n_way, shape.k_shot, shape.n_query),
        points,
    }))
}

fn at_step(
    subject: &Subject<'_>,
    levels: &Levels<'_>,
    weights: &Weights<f32>,
    step: usize,
    n_tasks: usize,
) -> Result<Option<AtStep>> {
    let protocol = &subject.protocol;
    // Spread over all that the checkpoint has seen; of a pool, over its members, once each.
    let n_read = (step * protocol.training.meta_batch).max(1);
    let n_seen = protocol.pool.map_or(n_read, |pool| n_read.min(pool.size()));
    let n_tasks = n_tasks.min(n_seen);
    let judged = each(n_tasks, |at| {
        let index = at * n_seen as u64 / n_tasks as u64;
        let number = levels.training.number(index);
        let own = levels.training.numbered(number);
        let judge = |episode: Episode| -> Result<(f64, f64)> {
            let task = subject.gather(&episode)?;
            subject.judge_at(weights, &task)
        };
        let fresh = levels
            .has_fresh
            .then(|| judge(levels.with_fresh_queries(number, own.clone())));
        let new_task = levels.seen(levels.training.numbered(unseen(at)));
        let evaluation = subject.seeds();
        let new_classes = levels.test.as_ref();
        let new_classes = new_classes.map(|test| judge(test.episode(&evaluation, at)));
        Ok([
            Some(judge(levels.seen(own))?),
            fresh.transpose()?,
            Some(judge(new_task)?),
            new_classes.transpose()?,
        ])
    })?;
    // A task on which one of the losses is not finite is left out of all levels.
    let is_finite =
        |task: &&[Option<(f64, f64)>; 4]| task.iter().flatten().all(|(_, loss)| loss.is_finite());
    let finite: Vec<_> = judged.iter().filter(is_finite).collect();
    let level = |which: usize| -> Level {
        let (accuracy, loss) = finite.iter().filter_map(|task| task[which]).unzip();
        Level { accuracy, loss }
    };
    let some = |which: usize, is_there: bool| is_there.then(|| level(which));
    Ok((!finite.is_empty()).then(|| AtStep {
        step,
        is_tested: false,
        seen: level(0),
        fresh_queries: some(1, levels.has_fresh),
        new_tasks: level(2),
        new_classes: some(3, levels.test.is_some()),
    }))
}

/// The training of the run again up to a step; there one task is exchanged, and the trainings go on side by side.
fn trajectory(subject: &Subject<'_>, initial: TrainState<f32>) -> Result<trajectory::Answers> {
    let mut config = subject.protocol.training.clone();
    // Nothing but steps; the schedule keeps its length.
    config.validate_every = 0;
    config.observe_every = 0;
    let plan = config.validate()?;
    let (n_steps, meta_batch) = (config.outer_steps, config.meta_batch);
    let start = START.min(n_steps / 5);
    let training = subject.training()?;
    let first = (start * meta_batch) as u64;
    // Which index has another task; none for the training that is only repeated.
    let exchanged: Vec<Option<u64>> = std::iter::once(None)
        .chain((first..).take(EXCHANGES.min(meta_batch)).map(Some))
        .collect();
    let sources: Vec<_> = exchanged
        .iter()
        .map(|at| {
            |index: u64| match at {
                Some(at) if *at == index => training.gather(&training.numbered(unseen(index))),
                _ => training.task(index),
            }
        })
        .collect();
    let (network, learner) = (&*subject.network, subject.learner());
    let trainer = |source: usize, state: TrainState<f32>| {
        let source = &sources[source];
        Trainer::new(network, learner, source, source, plan.clone(), state)
    };
    let mut base = trainer(0, initial)?;
    for _ in 0..start {
        base.step()?;
    }
    let mut others = (0..sources.len())
        .map(|source| Ok((trainer(source, base.state().clone())?, Vec::new())))
        .collect::<Result<Vec<_>>>()?;
    for _ in 0..FOLLOWED.min(n_steps - start) {
        if base.step()?.is_none() {
            break;
        }
        let theta = wide(base.state().weights.theta.values());
        for (other, distances) in &mut others {
            if other.step()?.is_some() {
                let theirs = wide(other.state().weights.theta.values());
                distances.push(relative_change(&theta, &theirs));
            }
        }
    }
    let mut distances = others.into_iter().map(|(_, distances)| distances);
    Ok(trajectory::Answers {
        start,
        meta_batch,
        repeated: distances.next().unwrap_or_default(),
        exchanged: distances.collect(),
    })
}
