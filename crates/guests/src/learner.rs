//! A guest as a learner among others: it predicts, and has neither an inner loop nor gradients to show.
//!
//! One that was built from a study's settings is a name and a check of those settings; [`Guest::with`] gives it the processes that
//! answer. Which of them is asked is what its one parameter says ([`state`]): the learner that was tested, or the one after the last
//! step.

use std::sync::{Arc, Mutex, PoisonError};

use metastable_algorithms::entry::{AnyLearner, Head, LearnerEntry};
use metastable_algorithms::{
    AlgorithmError, Context, Learner, MetaGradient, Predict, Prediction, Train, Weights,
};
use metastable_models::{Params, Real, Tape};
use serde::Deserialize;
use serde_json::Value;

use crate::config::ProcessConfig;
use crate::network::Outside;
use crate::session::Session;

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "process",
    summary: "a learner of your own in another process, in any language (docs/guests.md)",
    citation: "whatever the guest cites",
    head: Head::None,
    complete,
    build,
};

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(ProcessConfig::deserialize(settings)?)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>, AlgorithmError> {
    let refuse = |source| AlgorithmError::Settings {
        learner: ENTRY.name,
        source,
    };
    let config = ProcessConfig::deserialize(settings).map_err(refuse)?;
    config.check().map_err(outside)?;
    Ok(Box::new(Guest {
        sessions: Vec::new(),
    }))
}

/// A learner whose answers come from elsewhere. Requests to one process wait for each other.
#[derive(Debug)]
pub struct Guest {
    sessions: Vec<Mutex<Session>>,
}

/// Weights that stand for saved state `number` of a guest: its place among the sessions of [`Guest::with`].
#[must_use]
pub fn state<T: Real>(network: &Outside, number: u16) -> Weights<T> {
    Weights::new(network, network.state(number))
}

/// The number that [`state`] put in.
#[must_use]
pub fn state_of<T: Real>(theta: &Params<T>) -> usize {
    theta
        .values()
        .first()
        .map_or(0, |value| value.wide() as usize)
}

impl Guest {
    /// A learner that asks these processes, one a saved state.
    #[must_use]
    pub fn with(sessions: Vec<Session>) -> Arc<Self> {
        let sessions = sessions.into_iter().map(Mutex::new).collect();
        Arc::new(Self { sessions })
    }

    /// Lets `ask` talk to the process of a saved state.
    ///
    /// # Errors
    /// Those of `ask`; [`AlgorithmError::Outside`] where there is no such process.
    pub fn ask<A>(
        &self,
        number: usize,
        ask: impl FnOnce(&mut Session) -> crate::Result<A>,
    ) -> Result<A, AlgorithmError> {
        let session = self.sessions.get(number).ok_or_else(|| {
            let problem = "the guest was not started; only a run, a probe or a test starts it";
            AlgorithmError::Outside(problem.into())
        })?;
        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut session).map_err(outside)
    }
}

fn outside(error: crate::GuestError) -> AlgorithmError {
    AlgorithmError::Outside(Box::new(error))
}

/// What no guest has.
fn no_gradients() -> AlgorithmError {
    AlgorithmError::Outside("a guest shows no gradients".into())
}

impl<T: Real> Predict<T> for Guest {
    fn predict(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<Prediction<T>, AlgorithmError> {
        let mut found = self.ask(state_of(theta), |session| session.predict(&[context.task]))?;
        found.pop().ok_or_else(|| {
            AlgorithmError::Outside("the guest's answer holds no prediction for the task".into())
        })
    }
}

impl<T: Real> Train<T> for Guest {
    fn meta_gradient(
        &self,
        _context: &Context<'_, T>,
        _theta: &Params<T>,
    ) -> Result<MetaGradient<T>, AlgorithmError> {
        Err(no_gradients())
    }

    fn query_loss<'a>(
        &self,
        _context: &Context<'a, T>,
        _phi: &Params<T>,
        _labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        Err(no_gradients())
    }
}

impl<T: Real> Learner<T> for Guest {}
