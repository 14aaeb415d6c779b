//! The processes of a guest between two questions: kept where that is seen to change no answer.
//!
//! A process that has answered may have changed, since it counts, caches or averages. So what was saved is loaded into it again, and it
//! is asked again about a few test tasks that it was asked about when it was new. If one bit of an answer differs, the process ends, and
//! a new one takes its place.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use metastable_algorithms::{Prediction, Task};
use metastable_data::MetaSplit;
use metastable_guests::{Guest, Ready, Session};

use crate::run::guest::Host;
use crate::run::{Material, RunConfig};

/// Test tasks that are asked about again.
const WITNESSES: u64 = 3;

/// Where the processes of one run are, if there are any.
#[derive(Default)]
pub(super) struct Keeper(Mutex<Option<Kept>>);

/// Processes that have answered.
struct Kept {
    guest: Arc<Guest>,
    ready: Ready,
    /// What each process answered when it was new.
    first: Vec<Vec<Prediction<f32>>>,
}

/// What it takes to ask a guest: how it is started, the states that were saved, the tasks that tell whether it has changed.
pub(super) struct Recipe<'s> {
    host: Host,
    states: Vec<&'s [u8]>,
    witnesses: Vec<Task<f32>>,
}

impl<'s> Recipe<'s> {
    /// For the guest of a run; its files are looked at again for every question.
    pub(super) fn new(
        config: &RunConfig,
        material: &Material,
        states: Vec<&'s [u8]>,
    ) -> Result<Self> {
        let train_classes = material.split.classes(MetaSplit::Train).len();
        let test = material.list(config, MetaSplit::Test)?.episodes()?;
        let n_witnesses = WITNESSES.min(config.test.episodes as u64);
        Ok(Self {
            host: Host::new(config, "questions", train_classes)?.for_questions(),
            states,
            witnesses: (0..n_witnesses)
                .map(|index| test.task(index))
                .collect::<Result<_, _>>()?,
        })
    }

    fn start(&self) -> Result<Kept> {
        let sessions = self.states.iter().map(|state| {
            let mut session = self.host.start()?;
            load(&mut session, state)?;
            anyhow::Ok(session)
        });
        let sessions = sessions.collect::<Result<Vec<_>>>()?;
        let ready = sessions[0].ready().clone();
        let guest = Guest::with(sessions);
        let first = (0..self.states.len())
            .map(|state| self.witnessed(&guest, state))
            .collect::<Result<_>>()?;
        Ok(Kept {
            guest,
            ready,
            first,
        })
    }

    /// What a process answers about the tasks.
    fn witnessed(&self, guest: &Guest, state: usize) -> Result<Vec<Prediction<f32>>> {
        let ask = |session: &mut Session| {
            let each = self.witnesses.iter();
            each.map(|task| Ok(session.predict(&[task])?.remove(0)))
                .collect()
        };
        Ok(guest.ask(state, ask)?)
    }

    /// Whether every process is as it was when it was new. One that fails is not.
    fn is_as_new(&self, kept: &Kept) -> bool {
        let again = |(state, bytes): (usize, &&[u8])| -> Result<Vec<Prediction<f32>>> {
            kept.guest.ask(state, |session| load(session, bytes))?;
            self.witnessed(&kept.guest, state)
        };
        let mut states = self.states.iter().enumerate().zip(&kept.first);
        kept.first.len() == self.states.len()
            && states.all(|(state, first)| {
                again(state).is_ok_and(|found| {
                    let mut pairs = found.iter().zip(first);
                    pairs.all(|(a, b)| has_same_bits(a, b))
                })
            })
    }
}

impl Keeper {
    /// The guest of a recipe: the processes of the last question if they are as new, else new ones.
    pub(super) fn guest(&self, recipe: &Recipe<'_>) -> Result<(Arc<Guest>, Ready)> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match place.take().filter(|kept| recipe.is_as_new(kept)) {
            Some(kept) => kept,
            None => recipe.start()?,
        };
        let kept = place.insert(kept);
        Ok((Arc::clone(&kept.guest), kept.ready.clone()))
    }

    /// Ends them.
    pub(super) fn release(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Puts back what was saved; a guest that learns nothing has saved nothing.
fn load(session: &mut Session, state: &[u8]) -> metastable_guests::Result<()> {
    if state.is_empty() {
        return Ok(());
    }
    session.load(state)
}

fn has_same_bits(a: &Prediction<f32>, b: &Prediction<f32>) -> bool {
    let bits = |prediction: &Prediction<f32>| -> Vec<u32> {
        let values = prediction.log_probabilities.iter();
        values.map(|value| value.to_bits()).collect()
    };
    bits(a) == bits(b)
}
