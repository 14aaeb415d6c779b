//! Environments in another process: it draws tasks, and rolls a policy out on one of them. One message moves a whole batch of rollouts:
//! the weights of the policy go along, and the other side evaluates them.
//!
//! The process is greeted with `hello`, tells what is observed and done (`ready`), what tasks are (`tasks`), and what came of a policy
//! (`rollouts`). A task is a row of numbers that the process drew from a seed: whoever asks keeps the row, so that a list of tasks is fixed
//! once it was drawn. Each rollout has a seed of its own, from which the process draws both its start and its actions.

use std::collections::BTreeMap;
use std::time::Duration;

use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::config::ProcessConfig;
use crate::error::{GuestError, Result};
use crate::message::PROTOCOL;
use crate::talk::{Cancel, Talk, header};
use crate::tensors::Out;

/// Most numbers that make a task.
const MOST_NUMBERS: usize = 1 << 12;
/// Most steps of a rollout that a study may ask for.
pub const MOST_STEPS: usize = 100_000;

/// What may be done: `discrete-3`, one of three, or `continuous-2`, two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ActionSpace {
    /// One of so many.
    Discrete(usize),
    /// So many numbers.
    Continuous(usize),
}

impl ActionSpace {
    /// Numbers that an action has in a message.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::Discrete(_) => 1,
            Self::Continuous(n) => n,
        }
    }
}

impl std::fmt::Display for ActionSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Discrete(n) => write!(f, "discrete-{n}"),
            Self::Continuous(n) => write!(f, "continuous-{n}"),
        }
    }
}

impl From<ActionSpace> for String {
    fn from(space: ActionSpace) -> Self {
        space.to_string()
    }
}

impl TryFrom<String> for ActionSpace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refuse = || {
            format!(
                "{text:?} says not what may be done; write \"discrete-2\" for one of two actions, or \"continuous-2\" for two numbers"
            )
        };
        let (kind, n) = text.split_once('-').ok_or_else(refuse)?;
        let n = n.parse::<usize>().map_err(|_| refuse())?;
        match kind {
            "discrete" if (2..=256).contains(&n) => Ok(Self::Discrete(n)),
            "continuous" if (1..=256).contains(&n) => Ok(Self::Continuous(n)),
            _ => Err(refuse()),
        }
    }
}

/// An environment as a user writes it, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// The program and its arguments. It is started without a shell, in the folder that this program was started in.
    pub command: Vec<String>,
    /// Files that the environment consists of, from the same folder: their digests are part of what identifies a run.
    pub files: Vec<String>,
    /// Numbers that are observed of a state.
    pub observed: usize,
    /// What may be done.
    pub actions: ActionSpace,
    /// Most steps of a rollout; told to the process, and held against its answers.
    pub horizon: usize,
    /// Handed to it as they are: numbers, strings, true or false, or lists of them.
    pub settings: Map<String, Value>,
    /// Seconds that one answer may take.
    pub timeout_seconds: u64,
    /// SHA-256 of each of `files`. Set by this program, and no setting of a study.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
}

impl Default for EnvironmentConfig {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            files: Vec::new(),
            observed: 1,
            actions: ActionSpace::Discrete(2),
            horizon: 100,
            settings: Map::new(),
            timeout_seconds: 600,
            digests: BTreeMap::new(),
        }
    }
}

impl EnvironmentConfig {
    /// Checks what can be told without starting anything. A command that is absent passes: a study is checked line by line.
    ///
    /// # Errors
    /// [`GuestError::Setting`].
    pub fn check(&self) -> Result<()> {
        let refuse = |setting, problem: String| Err(GuestError::Setting { setting, problem });
        self.process().check()?;
        if !(1..=10_000).contains(&self.observed) {
            let problem = format!("{}: has to be 1 to 10,000 numbers", self.observed);
            return refuse("observed", problem);
        }
        if !(1..=MOST_STEPS).contains(&self.horizon) {
            let problem = format!(
                "{}: has to be 1 to 100,000 steps; 100 is usual",
                self.horizon
            );
            return refuse("horizon", problem);
        }
        Ok(())
    }

    /// What it has in common with a learner in another process.
    #[must_use]
    pub fn process(&self) -> ProcessConfig {
        ProcessConfig {
            command: self.command.clone(),
            files: self.files.clone(),
            settings: self.settings.clone(),
            timeout_seconds: self.timeout_seconds,
            digests: self.digests.clone(),
            ..ProcessConfig::default()
        }
    }
}

/// What a process says of its environments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentReady {
    /// Version of the protocol.
    pub protocol: u64,
    /// What it calls itself.
    pub name: String,
    /// Its own version.
    #[serde(default)]
    pub version: String,
    /// Numbers that are observed of a state.
    pub observed: usize,
    /// What may be done.
    pub actions: ActionSpace,
    /// What each number of a task is.
    #[serde(default)]
    pub task: Vec<String>,
}

/// A policy on its way to a process: a multilayer perceptron by its tensors, in the names and shapes of PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub struct SentPolicy {
    /// `relu` or `tanh`.
    pub activation: &'static str,
    /// Name, shape and values of each tensor, first layer first.
    pub tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

/// One rollout as it came back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rolled {
    /// `(n_steps, observed)`.
    pub observed: Vec<f64>,
    /// `(n_steps, width)`: numbers, or which of the actions.
    pub actions: Vec<f64>,
    /// `(n_steps)`.
    pub rewards: Vec<f64>,
}

/// Environments that were greeted.
#[derive(Debug)]
pub struct Environments {
    talk: Talk,
    config: EnvironmentConfig,
    ready: EnvironmentReady,
}

impl Environments {
    /// Starts and greets a process.
    ///
    /// # Errors
    /// [`GuestError::Start`]; [`GuestError::Version`]; [`GuestError::Protocol`] for one that observes, or does, something else than
    /// the study says.
    pub fn start(config: &EnvironmentConfig, threads: usize, cancel: Cancel) -> Result<Self> {
        config.check()?;
        if config.command.is_empty() {
            return Err(GuestError::Setting {
                setting: "command",
                problem: "is missing; say how the environment is started, e.g. command = [\"python3\", \"my_environment.py\"]".to_owned(),
            });
        }
        let patience = Duration::from_secs(config.timeout_seconds);
        let mut talk = Talk::start(&config.command, threads, patience, cancel)?;
        let greeting = header(
            "hello",
            &[
                ("protocol", json!(PROTOCOL)),
                ("role", json!("environment")),
                ("settings", json!(config.settings)),
                ("horizon", json!(config.horizon)),
                ("threads", json!(threads)),
            ],
        );
        let frame = talk.ask("hello", greeting, &[], 0)?;
        let theirs = frame.header.get("protocol").and_then(Value::as_u64);
        if theirs != Some(PROTOCOL) {
            return Err(GuestError::Version {
                name: config.command.join(" "),
                ours: PROTOCOL,
                theirs: theirs.unwrap_or(0),
            });
        }
        let ready: EnvironmentReady = talk.parse("hello", "ready", frame)?;
        let (theirs, ours) = (
            (ready.observed, ready.actions),
            (config.observed, config.actions),
        );
        if theirs != ours {
            return Err(talk.protocol(
                "hello",
                format!(
                    "it observes {} and does {}; the study says observed = {} and actions = \"{}\"",
                    theirs.0, theirs.1, ours.0, ours.1
                ),
            ));
        }
        if ready.task.len() > MOST_NUMBERS {
            let problem = format!(
                "a task of {} numbers, and at most {MOST_NUMBERS} are kept",
                ready.task.len()
            );
            return Err(talk.protocol("hello", problem));
        }
        Ok(Self {
            talk,
            config: config.clone(),
            ready,
        })
    }

    /// What it said of itself.
    #[must_use]
    pub fn ready(&self) -> &EnvironmentReady {
        &self.ready
    }

    /// The tasks of these seeds, a row of numbers each.
    ///
    /// # Errors
    /// [`GuestError`]: an answer of another shape, or a number that is not finite.
    pub fn tasks(&mut self, seeds: &[u64]) -> Result<Vec<Vec<f64>>> {
        let request = format!("tasks ({})", seeds.len());
        let width = self.ready.task.len();
        let most = (seeds.len() * width) as u64 * 8;
        let asked = header("tasks", &[("seeds", json!(seeds))]);
        let frame = self.talk.ask(&request, asked, &[], most.max(1))?;
        self.talk.expect(&request, "tasks", &frame)?;
        let read = || -> Result<Vec<Vec<f64>>, String> {
            let found = tensors(&frame.payload)?;
            let numbers = numbers(&found, "tasks", &[seeds.len(), width])?;
            match numbers.iter().find(|value| !value.is_finite()) {
                Some(value) => Err(format!("a task has the number {value}")),
                None if width == 0 => Ok(vec![Vec::new(); seeds.len()]),
                None => Ok(numbers.chunks_exact(width).map(<[f64]>::to_vec).collect()),
            }
        };
        read().map_err(|problem| self.talk.protocol(&request, problem))
    }

    /// A rollout for each seed, of a policy on a task. Numbers that are not finite are no error.
    ///
    /// # Errors
    /// [`GuestError`]: an answer of another shape; a rollout without a step, or longer than the horizon; an action that is none.
    pub fn rollouts(
        &mut self,
        task: &[f64],
        policy: &SentPolicy,
        seeds: &[u64],
    ) -> Result<Vec<Rolled>> {
        let request = format!("rollouts ({})", seeds.len());
        let mut out: Vec<Out> = policy
            .tensors
            .iter()
            .map(|(name, shape, values)| Out::singles(format!("policy.{name}"), shape, values))
            .collect();
        out.push(Out::doubles("task".to_owned(), &[task.len()], task));
        let asked = header(
            "rollouts",
            &[
                ("seeds", json!(seeds)),
                ("activation", json!(policy.activation)),
            ],
        );
        let (n_observed, width) = (self.config.observed, self.config.actions.width());
        let n_steps = (seeds.len() * self.config.horizon) as u64;
        let most = 8 * (seeds.len() as u64 + n_steps * (n_observed + width + 1) as u64);
        let frame = self.talk.ask(&request, asked, &out, most)?;
        self.talk.expect(&request, "rollouts", &frame)?;
        let read = || self.read(&frame.payload, seeds.len());
        read().map_err(|problem| self.talk.protocol(&request, problem))
    }

    fn read(&self, payload: &[u8], n: usize) -> Result<Vec<Rolled>, String> {
        let found = tensors(payload)?;
        let lengths = numbers(&found, "lengths", &[n])?;
        let horizon = self.config.horizon;
        let fits = |length: &f64| length.fract() == 0.0 && (1.0..=horizon as f64).contains(length);
        if let Some(length) = lengths.iter().find(|length| !fits(length)) {
            return Err(format!(
                "a rollout of {length} steps; 1 to {horizon} can be right"
            ));
        }
        let lengths: Vec<usize> = lengths.iter().map(|length| *length as usize).collect();
        let n_steps: usize = lengths.iter().sum();
        let (n_observed, width) = (self.config.observed, self.config.actions.width());
        let observed = numbers(&found, "observations", &[n_steps, n_observed])?;
        let actions = numbers(&found, "actions", &[n_steps, width])?;
        let rewards = numbers(&found, "rewards", &[n_steps])?;
        if let ActionSpace::Discrete(n) = self.config.actions {
            let is_one = |action: &f64| action.fract() == 0.0 && (0.0..n as f64).contains(action);
            if let Some(action) = actions.iter().find(|action| !is_one(action)) {
                return Err(format!("the action {action}; 0 to {} can be right", n - 1));
            }
        }
        let mut first = 0;
        Ok(lengths
            .into_iter()
            .map(|length| {
                let steps = first..first + length;
                first += length;
                Rolled {
                    observed: observed[steps.start * n_observed..steps.end * n_observed].to_vec(),
                    actions: actions[steps.start * width..steps.end * width].to_vec(),
                    rewards: rewards[steps].to_vec(),
                }
            })
            .collect())
    }

    /// Tells it goodbye; one that does not go is killed.
    pub fn bye(mut self) {
        let _ = self.talk.send("bye", header("bye", &[]), &[], 0);
        self.talk.child.farewell();
    }
}

fn tensors(payload: &[u8]) -> Result<SafeTensors<'_>, String> {
    SafeTensors::deserialize(payload)
        .map_err(|error| format!("its payload is no safetensors: {error}"))
}

/// The numbers of a tensor of this shape: `F64`, `F32` or `I64`.
fn numbers(found: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f64>, String> {
    let tensor = found
        .tensor(name)
        .map_err(|_| format!("it has no tensor {name:?}"))?;
    if tensor.shape() != shape {
        return Err(format!(
            "{name} has shape {:?}, and {shape:?} is expected",
            tensor.shape()
        ));
    }
    let bytes = tensor.data();
    let eight = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).unwrap_or_default();
    match tensor.dtype() {
        Dtype::F64 => Ok(bytes
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes(eight(b)))
            .collect()),
        Dtype::F32 => {
            let four = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).unwrap_or_default();
            Ok(bytes
                .chunks_exact(4)
                .map(|b| f64::from(f32::from_le_bytes(four(b))))
                .collect())
        }
        Dtype::I64 => Ok(bytes
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes(eight(b)) as f64)
            .collect()),
        other => Err(format!(
            "{name} has numbers of type {other:?}; send F64, F32 or I64"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_done_is_read_and_written() {
        let read = |text: &str| ActionSpace::try_from(text.to_owned());
        assert_eq!(read("discrete-3"), Ok(ActionSpace::Discrete(3)));
        assert_eq!(read("continuous-1").unwrap().to_string(), "continuous-1");
        for wrong in [
            "discrete",
            "discrete-1",
            "continuous-0",
            "box-2",
            "discrete-x",
        ] {
            assert!(read(wrong).unwrap_err().contains("discrete-2"), "{wrong}");
        }
        let bad = EnvironmentConfig {
            horizon: 0,
            ..EnvironmentConfig::default()
        };
        assert!(
            bad.check()
                .unwrap_err()
                .to_string()
                .contains("1 to 100,000")
        );
    }
}
