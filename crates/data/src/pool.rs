//! Finite pools of training tasks: which episode a training reads at each of its indices.
//!
//! A training without a pool never reads an episode twice: at index `i` it reads episode `i`. With a pool of `n` tasks it
//! goes through the episodes `0 .. n` again and again, in an order drawn anew for each pass. One *member* may be replaced
//! by an episode that is in no pool: two such trainings differ in that task and in no other bit, which is what the
//! replace-one definitions of stability compare (Bousquet & Elisseeff 2002, JMLR 2; for tasks Maurer 2005, JMLR 6).
//!
//! Pools nest: the members of a small one are the first of a larger one, and what stands in for member `i` is the same
//! episode in every pool.

use serde::{Deserialize, Serialize};

use crate::draw::Permutation;
use crate::{DataError, Seeds, Stream};

/// Episodes from here on stand in for members; no training without replacement reaches them.
const STAND_INS: u64 = 1 << 62;
/// Episodes from here on are read by no training.
const UNSEEN: u64 = STAND_INS + (1 << 32);
/// Keys of the orders of passes: above those of all episodes.
const ORDERS: u64 = 1 << 63;

/// A finite pool of training tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskPool {
    size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<u32>,
}

impl TaskPool {
    /// A pool of `size` tasks, of which member `replaced` (from 0) is exchanged for a fresh one.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a pool of no task or of more than 2^32, or a member that it does not have.
    pub fn new(size: usize, replaced: Option<usize>) -> Result<Self, DataError> {
        let invalid =
            |setting, value: usize, problem: String, next_step: &str| DataError::Invalid {
                setting,
                value: value.to_string(),
                problem,
                next_step: next_step.into(),
            };
        let n_tasks = u32::try_from(size).ok().filter(|size| *size > 0);
        let n_tasks = n_tasks.ok_or_else(|| {
            let next_step = "take 1 to 4,294,967,295, e.g. 1000";
            invalid(
                "pool",
                size,
                "no pool has that many tasks".into(),
                next_step,
            )
        })?;
        if let Some(member) = replaced.filter(|member| size <= *member) {
            let problem = format!("the pool has the members 0 to {}", size - 1);
            return Err(invalid("replaced", member, problem, "name one of them"));
        }
        Ok(Self {
            size: n_tasks,
            replaced: replaced.map(|member| member as u32),
        })
    }

    /// Number of its tasks, n.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// The member that is exchanged.
    #[must_use]
    pub fn replaced(&self) -> Option<usize> {
        self.replaced.map(|member| member as usize)
    }

    /// The same pool with nothing exchanged.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self {
            replaced: None,
            ..*self
        }
    }

    /// Which episode a training reads at `index`: a pure function of the pool, the seed of the task stream and the index.
    ///
    /// # Cost
    /// Of the order of `size`: the pass is shuffled up to the index.
    #[must_use]
    pub fn episode(&self, seeds: &Seeds, index: u64) -> u64 {
        let (pass, place) = (index / u64::from(self.size), index % u64::from(self.size));
        let mut rng = seeds.rng(Stream::Task, ORDERS + pass);
        let mut order = Permutation::default();
        order.restart(self.size);
        let mut member = order.next(&mut rng);
        for _ in 0..place {
            member = order.next(&mut rng);
        }
        let member = u64::from(member.expect("a pass has a member at each of its places"));
        if self.replaced.map(u64::from) == Some(member) {
            STAND_INS + member
        } else {
            member
        }
    }
}

/// The `k`-th episode that no training reads: tasks of the training classes that are new to every learner.
#[must_use]
pub fn unseen(k: u64) -> u64 {
    UNSEEN + k
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::dataset;
    use crate::{EpisodeShape, Rotations, Sampler};

    fn read(pool: TaskPool, seeds: &Seeds, n: u64) -> Vec<u64> {
        (0..n).map(|index| pool.episode(seeds, index)).collect()
    }

    #[test]
    fn every_pass_reads_every_member_once_in_an_order_of_its_own() {
        let seeds = Seeds::all(3);
        let pool = TaskPool::new(50, None).unwrap();
        let read = read(pool, &seeds, 150);
        let passes: Vec<&[u64]> = read.chunks(50).collect();
        for pass in &passes {
            let mut members = pass.to_vec();
            members.sort_unstable();
            assert_eq!(members, (0..50).collect::<Vec<_>>());
        }
        assert!(passes[0] != passes[1] && passes[1] != passes[2]);
        // No other stream takes part.
        let other = Seeds::all(9).with(Stream::Task, 3);
        assert_eq!(read, super::tests::read(pool, &other, 150));
        assert_ne!(
            read,
            super::tests::read(pool, &seeds.with(Stream::Task, 4), 150)
        );
    }

    #[test]
    fn replacing_a_member_leaves_the_bytes_of_every_other_episode_alone() {
        let (seeds, dataset) = (Seeds::all(5), dataset(4, 6, 20));
        let shape = EpisodeShape {
            n_way: 5,
            k_shot: 1,
            n_query: 3,
        };
        let classes = dataset.all_classes();
        let sampler = Sampler::new(&dataset, &classes, shape, Rotations::AsClasses, false).unwrap();
        let whole = TaskPool::new(12, None).unwrap();
        let replaced = TaskPool::new(12, Some(7)).unwrap();
        let mut n_changed = 0;
        for index in 0..48 {
            let (was, is) = (
                whole.episode(&seeds, index),
                replaced.episode(&seeds, index),
            );
            let (was, is) = [was, is]
                .map(|at| {
                    let episode = sampler.episode(&seeds, at);
                    let mut bytes: Vec<u8> = Vec::new();
                    for image in episode.support.iter().chain(&episode.query) {
                        bytes.extend_from_slice(dataset.image(*image as usize));
                    }
                    (at, episode, bytes)
                })
                .into();
            if was.0 == 7 {
                n_changed += 1;
                assert!(was.1 != is.1 && was.2 != is.2);
            } else {
                assert_eq!(was, is);
            }
        }
        assert_eq!(n_changed, 4, "once in each pass");
        assert_eq!(replaced.whole(), whole);
    }

    #[test]
    fn pools_nest_and_share_their_stand_ins() {
        let seeds = Seeds::all(1);
        let members = |size: usize| {
            let mut read = read(TaskPool::new(size, Some(2)).unwrap(), &seeds, size as u64);
            read.sort_unstable();
            read
        };
        let (small, large) = (members(5), members(9));
        assert!(small.iter().all(|episode| large.contains(episode)));
        assert_eq!(small.last(), large.last());
        assert!(*small.last().unwrap() > 9 && !large.contains(&unseen(2)));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let message = |size, replaced| TaskPool::new(size, replaced).unwrap_err().to_string();
        assert!(message(0, None).contains("pool = 0"));
        assert!(message(5, Some(5)).contains("replaced = 5: the pool has the members 0 to 4"));
    }
}
