//! Family S: what a trained learner makes of a stream of tasks whose distribution switches.
//!
//! A stream has episodes of the test classes, one after the other. Each is first scored, and then it is one more outer step, of a meta-batch of
//! one, with the optimizer and the step size of the training and moments that start at zero: meta-training simply goes on (Finn, Rajeswaran,
//! Kakade & Levine 2019, "Online meta-learning", ICML, arXiv 1902.08438, has this as the baseline *train on everything*, here without a
//! buffer). Half as many episodes lie before the switch as after it. Three learners meet the same episodes:
//!
//! - *online*: the one that goes on learning;
//! - *frozen*: the trained learner, which takes no step;
//! - *told*: it takes as many steps before the switch as the online one, but on other episodes of the new distribution.
//!
//! The regret of a stream is the accuracy of the told learner less that of the online one, mean over the episodes after the switch.

use metastable_algorithms::{Outcome, ScheduleConfig, Task, TrainState, Trainer, Weights};
use metastable_analysis::Probe;
use metastable_analysis::record::answers::corruption::Place;
use metastable_analysis::record::answers::switches::{Answers, Kind, Switched};
use metastable_data::corruption::SEVERITIES;
use metastable_data::{Corruption, Dataset, EpisodeShape, MetaSplit, Sampler, Split};

use super::sensitivity::{each, small};
use super::shift::damage;
use super::subject::Subject;
use crate::error::{ProbeError, Result};

/// Streams of each kind.
const STREAMS: usize = 5;
/// Episodes that a stream may have: keys of streams do not meet.
const MOST_EPISODES: u64 = 1 << 20;

/// The question, with `n_tasks` episodes after the switch and half as many before it.
///
/// # Errors
/// If classes cannot give the episodes, or a pass fails.
pub fn ask(subject: &Subject<'_>, n_tasks: usize) -> Result<Probe> {
    let (n_before, n_after) = ((n_tasks / 2).max(1), n_tasks);
    let mut switches = Vec::new();
    for kind in Kind::ALL {
        let worlds: Vec<World<'_>> = (0..STREAMS as u64)
            .map(|stream| World::of(subject, kind, stream))
            .collect::<Result<Option<_>>>()?
            .unwrap_or_default();
        if worlds.is_empty() {
            continue;
        }
        let followed = each(STREAMS, |stream| {
            worlds[stream as usize].follow(n_before, n_after)
        })?;
        let mut all = Switched {
            kind,
            online: Vec::new(),
            frozen: Vec::new(),
            told: Vec::new(),
            n_diverged: 0,
        };
        for one in followed {
            all.online.extend(one.online);
            all.frozen.extend(one.frozen);
            all.told.extend(one.told);
            all.n_diverged += usize::from(one.has_diverged);
        }
        switches.push(all);
    }
    Ok(Probe {
        switches: Some(Answers {
            n_streams: STREAMS,
            n_before,
            n_after,
            switches,
        }),
        ..Probe::default()
    })
}

/// One stream's two distributions.
struct World<'s> {
    subject: &'s Subject<'s>,
    kind: Kind,
    /// Keys of its episodes begin here.
    first: u64,
    before: Sampler,
    after: Sampler,
}

/// One stream, as three learners met it.
struct Followed {
    online: Vec<f64>,
    frozen: Vec<f64>,
    told: Vec<f64>,
    has_diverged: bool,
}

impl<'s> World<'s> {
    /// None where the test classes do not hold it.
    fn of(subject: &'s Subject<'s>, kind: Kind, stream: u64) -> Result<Option<Self>> {
        let shape = small(subject);
        let samplers = match kind {
            Kind::Turn | Kind::Noise => Some((subject.sampler(shape)?, subject.sampler(shape)?)),
            Kind::Alphabet => {
                let from = (subject.dataset, subject.split);
                alphabets(from, shape, subject, stream as usize)?
            }
        };
        Ok(samplers.map(|(before, after)| Self {
            subject,
            kind,
            first: stream * MOST_EPISODES,
            before,
            after,
        }))
    }

    /// An episode of the distribution before or after the switch, by its key.
    fn task(&self, index: u64, has_switched: bool) -> Result<Task<f32>> {
        let (subject, key) = (self.subject, self.first + index);
        let seeds = subject.seeds();
        let sampler = if has_switched {
            &self.after
        } else {
            &self.before
        };
        let mut episode = sampler.episode(&seeds, key);
        match self.kind {
            Kind::Turn if has_switched => {
                for class in &mut episode.classes {
                    class.quarter_turns = (class.quarter_turns + 1) % 4;
                }
                subject.gather(&episode)
            }
            Kind::Noise if has_switched => {
                let task = subject.gather(&episode)?;
                let (noise, place) = (Corruption::Noise, Place::Both);
                damage(subject, &task, noise, SEVERITIES, place, &seeds, key)
            }
            Kind::Turn | Kind::Noise | Kind::Alphabet => subject.gather(&episode),
        }
    }

    /// The three learners along the stream.
    fn follow(&self, n_before: usize, n_after: usize) -> Result<Followed> {
        let n = n_before + n_after;
        let stream: Vec<Task<f32>> = (0..n)
            .map(|at| self.task(at as u64, at >= n_before))
            .collect::<Result<_>>()?;
        // What the told learner has seen of the new distribution is no episode of the stream.
        let mut told_of = (0..n_before)
            .map(|at| self.task((n + at) as u64, true))
            .collect::<Result<Vec<_>>>()?;
        told_of.extend(stream[n_before..].iter().cloned());
        let weights = &self.subject.weights;
        let score = |weights: &Weights<f32>, task| Ok(self.subject.judge_at(weights, task)?.0);
        let frozen = stream.iter().map(|task| score(weights, task));
        let frozen = frozen.collect::<Result<Vec<f64>>>()?;
        let (online, diverged) = self.learn(&stream)?;
        let (told, _) = self.learn(&told_of)?;
        Ok(Followed {
            online,
            frozen,
            told: told[n_before..].to_vec(),
            has_diverged: diverged,
        })
    }

    /// Scores each task and then learns from it; whether a step was not finite, after which no more is learnt.
    fn learn(&self, tasks: &[Task<f32>]) -> Result<(Vec<f64>, bool)> {
        let subject = self.subject;
        let (network, learner) = (&*subject.network, subject.learner());
        let mut config = subject.protocol.training.clone();
        config.schedule = ScheduleConfig::Constant;
        (config.outer_steps, config.meta_batch) = (tasks.len(), 1);
        (config.validate_every, config.observe_every) = (0, 0);
        config.ema = None;
        let mut state = TrainState::new(network, &config.optimizer, subject.theta().clone());
        state.weights = subject.weights.clone();
        let source = |index: u64| Ok(tasks[index as usize].clone());
        let mut trainer = Trainer::new(
            network,
            learner,
            &source,
            &source,
            config.validate()?,
            state,
        )?;
        let mut scores = Vec::with_capacity(tasks.len());
        let mut is_learning = true;
        for task in tasks {
            scores.push(subject.judge_at(&trainer.state().weights, task)?.0);
            is_learning = is_learning && trainer.step()?.is_some();
        }
        let has_diverged =
            !is_learning && matches!(trainer.outcome(), Some(Outcome::Diverged { .. }));
        Ok((scores, has_diverged))
    }
}

/// Samplers of two alphabets of the test part that hold the episodes, other pairs in other streams; none where fewer than two do.
fn alphabets(
    (dataset, split): (&Dataset, &Split),
    shape: EpisodeShape,
    subject: &Subject<'_>,
    stream: usize,
) -> Result<Option<(Sampler, Sampler)>> {
    let rotations = subject.protocol.test_rotations;
    let classes = split.classes(MetaSplit::Test);
    let of = |alphabet: usize| -> Vec<u32> {
        let own = |class: &u32| dataset.classes[*class as usize].alphabet_idx == alphabet;
        classes.iter().copied().filter(own).collect()
    };
    let known: Vec<Vec<u32>> = (0..dataset.alphabets.len())
        .map(of)
        .filter(|classes| Sampler::new(dataset, classes, shape, rotations, false).is_ok())
        .collect();
    if known.len() < 2 {
        return Ok(None);
    }
    // Neighbours first, then every second one, and so on.
    let (first, gap) = (
        stream % known.len(),
        1 + stream / known.len() % (known.len() - 1),
    );
    let second = (first + gap) % known.len();
    let sampler = |classes: &[u32]| {
        Sampler::new(dataset, classes, shape, rotations, false)
            .map_err(|source| ProbeError::Episodes { shape, source })
    };
    Ok(Some((sampler(&known[first])?, sampler(&known[second])?)))
}
