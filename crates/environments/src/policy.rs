//! Policies: a multilayer perceptron whose outputs are the parameters of a distribution over actions.
//!
//! *Gaussian*: independent actions, the mean an output and the logarithm of the standard deviation one number for each action, whatever
//! the state. It is the bias of an output whose weights are zero and stay so: [`Policy::project`] is the projection of directions onto
//! what moves. *Categorical*: logits.

use metastable_models::{
    Architecture, Backend, DeviceSpec, ImageShape, Init, Loss, Network, NetworkConfig, Norm,
    Objective, Params, Pass, Real, Tape, build,
};
use rand::Rng;

use crate::draw::{normal, outcome};
use crate::environment::{Action, Actions};
use crate::error::{Result, require};

/// What hidden units do to what comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`, as in the code of Finn et al. 2017.
    #[default]
    Relu,
    /// The hyperbolic tangent, as in a port of it that is widely used (tristandeleu/pytorch-maml-rl).
    Tanh,
}

impl Activation {
    /// The network that has it.
    #[must_use]
    pub fn network(self) -> &'static str {
        match self {
            Self::Relu => "mlp",
            Self::Tanh => "mlp-tanh",
        }
    }

    /// What the network of that name has; none for one that is no policy's.
    #[must_use]
    pub fn of_network(name: &str) -> Option<Self> {
        [Self::Relu, Self::Tanh]
            .into_iter()
            .find(|it| it.network() == name)
    }
}

/// What a policy is, but for its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolicyConfig {
    /// Units of each hidden layer; 100 in the code of Finn et al. 2017.
    pub width: usize,
    /// Hidden layers; 2 there.
    pub n_layers: usize,
    /// Their activation.
    pub activation: Activation,
    /// Standard deviation of a Gaussian policy before training, in the unit of the actions; 1 there.
    pub deviation: f64,
    /// Whether training moves it.
    pub learns_deviation: bool,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            width: 100,
            n_layers: 2,
            activation: Activation::Relu,
            deviation: 1.0,
            learns_deviation: true,
        }
    }
}

/// A policy without weights.
pub struct Policy<T> {
    network: Box<dyn Network<T>>,
    actions: Actions,
    config: PolicyConfig,
}

/// What was seen and done, row by row, and how much each row counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows<T> {
    /// `(n_rows, n_observed)`.
    pub observed: Vec<T>,
    /// What each row brings to [`Loss::Gaussian`] or [`Loss::Categorical`] but for its weight: an action, or a distribution.
    pub brought: Vec<f64>,
    /// Weight of each row.
    pub weights: Vec<f64>,
}

impl<T: Real> Policy<T> {
    /// A policy for what is observed and may be done.
    ///
    /// # Errors
    /// [`crate::EnvironmentError::Setting`] unless the deviation is finite and positive; those of the network.
    pub fn new(
        config: PolicyConfig,
        n_observed: usize,
        actions: Actions,
        backend: Backend,
    ) -> Result<Self> {
        require(
            config.deviation.is_finite() && 0.0 < config.deviation,
            "deviation",
            config.deviation,
            "has to be finite and positive, e.g. 1",
        )?;
        let network = NetworkConfig {
            name: config.activation.network().to_owned(),
            form: None,
            image: ImageShape {
                height: 1,
                width: 1,
                channels: n_observed,
            },
            n_blocks: config.n_layers,
            width: config.width,
            norm: Norm::None,
            n_way: Some(match actions {
                Actions::Continuous(n) => 2 * n,
                Actions::Discrete(n) => n,
            }),
        };
        Ok(Self {
            network: build(&network, backend, DeviceSpec::Cpu)?,
            actions,
            config,
        })
    }

    /// Its network.
    #[must_use]
    pub fn network(&self) -> &dyn Network<T> {
        &*self.network
    }

    /// What it is, but for its weights.
    #[must_use]
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// What may be done.
    #[must_use]
    pub fn actions(&self) -> Actions {
        self.actions
    }

    /// Initial weights: Glorot's uniform distribution, as in rllab, and biases of zero.
    ///
    /// # Errors
    /// Those of the network.
    pub fn initial(&self, rng: &mut dyn Rng) -> Result<Params<T>> {
        let architecture = Architecture::new(self.network.config())?;
        let mut theta = architecture.initial_params_by(Init::Xavier, rng);
        self.clear_deviation_weights(&mut theta);
        if let (Actions::Continuous(n), Some(bias)) =
            (self.actions, theta.layout().find("head.bias").cloned())
        {
            let bias = &mut theta.values_mut()[bias.offset..][..bias.len()];
            bias[n..].fill(T::of(self.config.deviation.ln()));
        }
        Ok(theta)
    }

    /// `v <- M v`: the projection onto what training moves. The deviation of a Gaussian policy does not depend on the state, and stays as
    /// it is if it is not learnt.
    pub fn project(&self, v: &mut Params<T>) {
        self.clear_deviation_weights(v);
        if let (Actions::Continuous(n), false) = (self.actions, self.config.learns_deviation)
            && let Some(bias) = v.layout().find("head.bias").cloned()
        {
            v.values_mut()[bias.offset..][n..2 * n].fill(T::ZERO);
        }
    }

    fn clear_deviation_weights(&self, v: &mut Params<T>) {
        if let (Actions::Continuous(n), Some(weight)) =
            (self.actions, v.layout().find("head.weight").cloned())
        {
            let weight = &mut v.values_mut()[weight.offset..][..weight.len()];
            let row = weight.len() / (2 * n);
            weight[n * row..].fill(T::ZERO);
        }
    }

    /// Parameters of the distributions at these observations, `(n_rows, outputs)`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn outputs(&self, params: &Params<T>, observed: &[T]) -> Result<Vec<T>> {
        Ok(self.network.outputs(params, observed, Pass::batch(0))?)
    }

    /// An action by the distribution of one row of outputs.
    pub fn draw(&self, row: &[T], rng: &mut dyn Rng) -> Action {
        match self.actions {
            Actions::Continuous(n) => Action::Continuous(
                (0..n)
                    .map(|at| row[at].wide() + row[n + at].wide().exp() * normal(rng))
                    .collect(),
            ),
            Actions::Discrete(_) => Action::Discrete(outcome(rng, &shares(row))),
        }
    }

    /// What a row brings that is an action.
    #[must_use]
    pub fn of_action(&self, action: &Action) -> Vec<f64> {
        match (self.actions, action) {
            (Actions::Continuous(n), Action::Continuous(values)) => {
                values.iter().copied().chain(vec![0.0; n]).collect()
            }
            (Actions::Discrete(n), Action::Discrete(chosen)) => (0..n)
                .map(|at| f64::from(u8::from(at == *chosen)))
                .collect(),
            (actions, action) => panic!("{action:?} is none of {actions:?}, which is a bug"),
        }
    }

    /// What a row brings that is the distribution of these outputs.
    #[must_use]
    pub fn of_outputs(&self, row: &[T]) -> Vec<f64> {
        match self.actions {
            Actions::Continuous(n) => {
                let means = row[..n].iter().map(|value| value.wide());
                means
                    .chain(row[n..].iter().map(|value| value.wide().exp()))
                    .collect()
            }
            Actions::Discrete(_) => shares(row),
        }
    }

    /// Natural logarithm of the density, or of the probability, of what a row brings that is an action.
    #[must_use]
    pub fn log_likelihood(&self, row: &[T], action: &[f64]) -> f64 {
        match self.actions {
            Actions::Continuous(n) => (0..n)
                .map(|at| {
                    let deviation = row[n + at].wide();
                    let gap = (action[at] - row[at].wide()) / deviation.exp();
                    -0.5 * gap * gap - deviation - 0.5 * std::f64::consts::TAU.ln()
                })
                .sum(),
            Actions::Discrete(_) => shares(row)
                .iter()
                .zip(action)
                .map(|(share, chosen)| if *chosen > 0.5 { share.ln() } else { 0.0 })
                .sum(),
        }
    }

    /// `KL(old, new)` of the distributions of two rows, in nats.
    #[must_use]
    pub fn divergence(&self, old: &[T], new: &[T]) -> f64 {
        match self.actions {
            Actions::Continuous(n) => (0..n)
                .map(|at| {
                    let [m, l] = [old[at].wide(), old[n + at].wide()];
                    let [to, width] = [new[at].wide(), new[n + at].wide()];
                    let squares = (2.0 * l).exp() + (m - to) * (m - to);
                    width - l + 0.5 * squares * (-2.0 * width).exp() - 0.5
                })
                .sum(),
            Actions::Discrete(_) => shares(old)
                .iter()
                .zip(shares(new))
                .filter(|(q, _)| **q > 0.0)
                .map(|(q, p)| q * (q / p).ln())
                .sum(),
        }
    }

    /// One pass over rows, kept for derivatives: `sum_i w_i H(q_i, pi)` ([`Loss`]).
    ///
    /// # Errors
    /// Those of the network.
    pub fn record<'a>(
        &'a self,
        params: &Params<T>,
        rows: &Rows<T>,
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let n_outputs = self.network.n_outputs();
        let (loss, per_row) = match self.actions {
            Actions::Continuous(_) => (Loss::Gaussian, n_outputs),
            Actions::Discrete(_) => (Loss::Categorical, n_outputs),
        };
        let mut values = Vec::with_capacity(rows.brought.len() + rows.weights.len());
        for (brought, weight) in rows.brought.chunks_exact(per_row).zip(&rows.weights) {
            values.extend_from_slice(brought);
            values.push(*weight);
        }
        let objective = Objective {
            loss,
            n_way: n_outputs,
            supports: &[],
            labels: &[],
            values: &values,
        };
        Ok(self
            .network
            .record(params, &rows.observed, Pass::batch(0), objective)?)
    }
}

/// Softmax of a row, in double precision.
fn shares<T: Real>(row: &[T]) -> Vec<f64> {
    let most = row
        .iter()
        .fold(f64::NEG_INFINITY, |most, value| most.max(value.wide()));
    let weights: Vec<f64> = row
        .iter()
        .map(|value| (value.wide() - most).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}
