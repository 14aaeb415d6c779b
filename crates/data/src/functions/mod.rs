//! Tasks without classes: functions of a number, of which a few points are shown.
//!
//! A task is a pure function of its key, like an episode of images: parameters are drawn by the stream `task`, the inputs that
//! adapt by `support` and those that judge by `query`. No list of functions is kept, so the three parts of the data are kept apart
//! by their keys: a training task is in no test.
//!
//! A family is a file and a line in [`FUNCTIONS`].

mod sinusoid;

use rand_chacha::rand_core::Rng;
use sha2::{Digest, Sha256};

use crate::{Dataset, ImageSize, MetaSplit, Seeds, Split, SplitRule, Stream, TaskPool, digest};

/// A family of functions.
#[derive(Clone, Copy, Debug)]
pub struct FunctionFamily {
    /// As written in a study (`data.set`).
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Who published it.
    pub citation: &'static str,
    /// Name and range of each parameter, lowest and highest, drawn uniformly in this order.
    pub parameters: &'static [(&'static str, [f64; 2])],
    /// Range of the inputs, drawn uniformly.
    pub inputs: [f64; 2],
    /// The value at an input under the parameters.
    pub value: fn(&[f64], f64) -> f64,
}

/// Every family.
pub const FUNCTIONS: &[FunctionFamily] = &[sinusoid::FAMILY];

/// One task: points of one function, those that adapt before those that judge.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionTask {
    /// In the order of [`FunctionFamily::parameters`].
    pub parameters: Vec<f64>,
    /// `(n_support + n_query)`.
    pub inputs: Vec<f64>,
    /// The value at each input.
    pub targets: Vec<f64>,
    /// Points that adapt.
    pub n_support: usize,
}

/// The tasks of one part, by index.
#[derive(Clone, Copy, Debug)]
pub struct Functions {
    /// What is drawn from.
    pub family: &'static FunctionFamily,
    /// For training, validation or test.
    pub part: MetaSplit,
    /// Points that adapt, K.
    pub n_support: usize,
    /// Points that judge, Q.
    pub n_query: usize,
    /// Every draw.
    pub seeds: Seeds,
    /// Which tasks a training goes through again and again; absent for endless ones.
    pub pool: Option<TaskPool>,
}

impl FunctionFamily {
    /// The family of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|family| family.name == name)
    }

    /// What stands in the place of images: a data set without one, whose digest is that of the definition (name, ranges, and the value
    /// of the function at a grid of parameters and inputs).
    #[must_use]
    pub fn outline(&self) -> Dataset {
        let mut hasher = Sha256::new();
        hasher.update(self.name);
        let ranges = self.parameters.iter().map(|(_, range)| range);
        for range in ranges.clone().chain([&self.inputs]) {
            hasher.update(range[0].to_le_bytes());
            hasher.update(range[1].to_le_bytes());
        }
        for step in 0..=4 {
            let share = f64::from(step) / 4.0;
            let parameters: Vec<f64> = ranges.clone().map(|range| at(*range, share)).collect();
            for step in 0..=16 {
                let input = at(self.inputs, f64::from(step) / 16.0);
                // Single precision: another system's sine may round the last bit otherwise, and is no other family.
                let value = (self.value)(&parameters, input) as f32;
                hasher.update(((f64::from(value) * 1e4).round() as i64).to_le_bytes());
            }
        }
        Dataset {
            digest: digest::hex(&hasher.finalize()),
            ..Dataset::empty(self.name, ImageSize::square(1), 1)
        }
    }

    /// What stands in the place of a split: no class in any part.
    #[must_use]
    pub fn split(&self, rule: SplitRule) -> Split {
        Split {
            rule,
            train: Vec::new(),
            validation: Vec::new(),
            test: Vec::new(),
        }
    }
}

impl Functions {
    /// The task at `index`: equal keys give equal bits, whatever was drawn before and on which thread.
    #[must_use]
    pub fn task(&self, index: u64) -> FunctionTask {
        let number = self
            .pool
            .map_or(index, |pool| pool.episode(&self.seeds, index));
        let family = self.family;
        let mut rng = self.rng(Stream::Task, number);
        let parameters: Vec<f64> = family
            .parameters
            .iter()
            .map(|(_, range)| uniform(&mut rng, *range))
            .collect();
        let mut inputs = Vec::with_capacity(self.n_support + self.n_query);
        for (stream, n_points) in [
            (Stream::Support, self.n_support),
            (Stream::Query, self.n_query),
        ] {
            let mut rng = self.rng(stream, number);
            inputs.extend((0..n_points).map(|_| uniform(&mut rng, family.inputs)));
        }
        let value = |input: &f64| (family.value)(&parameters, *input);
        FunctionTask {
            targets: inputs.iter().map(value).collect(),
            parameters,
            inputs,
            n_support: self.n_support,
        }
    }

    /// What identifies the first `n` tasks: SHA-256 over their parameters and inputs, as little-endian `f64`.
    #[must_use]
    pub fn digest(&self, n: usize) -> String {
        let mut hasher = Sha256::new();
        for index in 0..n as u64 {
            let task = self.task(index);
            hasher.update((self.n_support as u64).to_le_bytes());
            for number in task.parameters.iter().chain(&task.inputs) {
                hasher.update(number.to_le_bytes());
            }
        }
        digest::hex(&hasher.finalize())
    }

    /// The generator of a stream at a task of this part: the parts take nonces of their own, so that no index of one is an index of
    /// another.
    fn rng(&self, stream: Stream, number: u64) -> impl Rng {
        let mut rng = self.seeds.rng(stream, number);
        rng.set_stream(match self.part {
            MetaSplit::Train => 1,
            MetaSplit::Validation => 2,
            MetaSplit::Test => 3,
        });
        rng
    }
}

/// A uniform draw from a range, from 53 bits of one word.
fn uniform(rng: &mut impl Rng, range: [f64; 2]) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
    at(range, (rng.next_u64() >> 11) as f64 * SCALE)
}

/// The place of a share of a range.
fn at([low, high]: [f64; 2], share: f64) -> f64 {
    low + share * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(part: MetaSplit) -> Functions {
        Functions {
            family: &FUNCTIONS[0],
            part,
            n_support: 10,
            n_query: 5,
            seeds: Seeds::all(3),
            pool: None,
        }
    }

    #[test]
    fn names_are_unique_and_every_task_keeps_to_the_ranges() {
        for (at, family) in FUNCTIONS.iter().enumerate() {
            assert!(FUNCTIONS[..at].iter().all(|it| it.name != family.name));
            let functions = Functions {
                family,
                ..functions(MetaSplit::Test)
            };
            for index in 0..200 {
                let task = functions.task(index);
                assert_eq!((task.inputs.len(), task.targets.len()), (15, 15));
                let within = task.parameters.iter().zip(family.parameters);
                assert!(within.clone().count() == family.parameters.len());
                for (value, (name, [low, high])) in within {
                    assert!(low <= value && value < high, "{name} = {value}");
                }
                let [low, high] = family.inputs;
                assert!(task.inputs.iter().all(|x| (low..high).contains(x)));
            }
        }
    }

    #[test]
    fn a_task_is_its_key_and_parts_share_none() {
        let test = functions(MetaSplit::Test);
        let (first, later) = (test.task(7), test.task(8));
        assert_eq!(first, test.task(7));
        assert_ne!(first.parameters, later.parameters);
        for part in [MetaSplit::Train, MetaSplit::Validation] {
            assert_ne!(functions(part).task(7).parameters, first.parameters);
        }
        let other = Functions {
            seeds: Seeds::all(3).with(Stream::Support, 4),
            ..test
        }
        .task(7);
        assert_eq!(other.parameters, first.parameters);
        assert_eq!(other.inputs[10..], first.inputs[10..]);
        assert_ne!(other.inputs[..10], first.inputs[..10]);
        assert_ne!(test.digest(3), test.digest(4));
    }

    #[test]
    fn a_pool_goes_through_its_tasks_again() {
        let pooled = Functions {
            pool: Some(TaskPool::new(3, None).unwrap()),
            ..functions(MetaSplit::Train)
        };
        let key = |index| {
            let task = pooled.task(index);
            task.parameters
                .iter()
                .map(|it| it.to_bits())
                .collect::<Vec<_>>()
        };
        let mut passes = [[0, 1, 2], [3, 4, 5]].map(|pass| pass.map(key));
        passes.iter_mut().for_each(|pass| pass.sort());
        assert_eq!(passes[0], passes[1]);
    }
}
