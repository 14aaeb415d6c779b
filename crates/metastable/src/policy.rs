//! MAML for policies as a study names it: its settings, and the registry's line.
//!
//! It has no labelled examples to learn from, so the line builds a learner that answers no question about them: the run of a policy is
//! made elsewhere (`crate::run::returns`).

use metastable_algorithms::entry::{AnyLearner, Head, LearnerEntry};
use metastable_algorithms::{
    AlgorithmError, Context, Learner, MetaGradient, Predict, Prediction, Train,
};
use metastable_environments::{Fisher, MamlRlConfig, PolicyConfig, SamplingTerm};
use metastable_models::{Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The registry's line.
pub(crate) const ENTRY: LearnerEntry = LearnerEntry {
    name: "maml-rl",
    summary: "MAML for policies: policy-gradient inner steps, trust-region outer steps; for data sets of returns (docs/returns.md)",
    citation: "Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400, algorithm 3",
    head: Head::None,
    complete,
    build,
};

/// Its settings; the defaults are those of the authors' code, but for the Fisher product, which is the cheaper one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Step size of the inner loop in training; 0 for a policy that is pretrained on all tasks together.
    pub(crate) inner_lr: f64,
    /// Step size of the first inner step of a test; as in training if absent. Later steps are half as long, as in the authors' test.
    pub(crate) test_inner_lr: Option<f64>,
    /// Inner steps of a test.
    pub(crate) test_inner_steps: usize,
    /// Discount of returns in what is learnt; scores have none.
    pub(crate) discount: f64,
    /// Largest mean divergence of an outer step, in nats; 0 for a policy that stays as it was drawn.
    pub(crate) max_divergence: f64,
    /// Steps of conjugate gradients.
    pub(crate) cg_steps: usize,
    /// Added to the Fisher information, times the identity.
    pub(crate) damping: f64,
    /// Most times that an outer step is shortened.
    pub(crate) backtracks: usize,
    /// What it is shortened by.
    pub(crate) backtrack_factor: f64,
    /// What the outer gradient knows of the rollouts that adapt: `plain` or `e-maml`.
    pub(crate) sampling: SamplingTerm,
    /// Curvature of the divergence: `exact` (through the inner step) or `first-order`.
    pub(crate) fisher: Fisher,
    /// Of the rows after adaptation every so many-th tells it.
    pub(crate) fisher_every: usize,
    /// Standard deviation of the actions before training, in their unit.
    pub(crate) deviation: f64,
    /// Whether training and adaptation move it.
    pub(crate) learns_deviation: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let usual = MamlRlConfig::default();
        let policy = PolicyConfig::default();
        Self {
            inner_lr: usual.inner_lr,
            test_inner_lr: None,
            test_inner_steps: 3,
            discount: usual.discount,
            max_divergence: usual.max_divergence,
            cg_steps: usual.cg_steps,
            damping: usual.damping,
            backtracks: usual.backtracks,
            backtrack_factor: usual.backtrack_factor,
            sampling: usual.sampling,
            fisher: Fisher::FirstOrder,
            fisher_every: 4,
            deviation: policy.deviation,
            learns_deviation: policy.learns_deviation,
        }
    }
}

impl Settings {
    /// With sizes that a run has elsewhere: tasks of an outer step, and rollouts of each.
    pub(crate) fn maml(&self, meta_batch: usize, n_rollouts: usize) -> MamlRlConfig {
        MamlRlConfig {
            inner_lr: self.inner_lr,
            meta_batch,
            n_rollouts,
            discount: self.discount,
            max_divergence: self.max_divergence,
            cg_steps: self.cg_steps,
            damping: self.damping,
            backtracks: self.backtracks,
            backtrack_factor: self.backtrack_factor,
            sampling: self.sampling,
            fisher: self.fisher,
            fisher_every: self.fisher_every,
        }
    }

    /// Step sizes of a test, in order.
    pub(crate) fn test_steps(&self) -> Vec<f64> {
        let first = self.test_inner_lr.unwrap_or(self.inner_lr);
        (0..self.test_inner_steps)
            .map(|step| if step == 0 { first } else { first / 2.0 })
            .collect()
    }

    fn check(&self) -> Result<(), AlgorithmError> {
        let refused = |problem: metastable_environments::EnvironmentError| {
            AlgorithmError::Outside(Box::new(problem))
        };
        self.maml(1, 1).check().map_err(refused)?;
        let is_step = |value: f64| value.is_finite() && 0.0 <= value;
        if !self.test_inner_lr.is_none_or(is_step) {
            return Err(AlgorithmError::Outside(
                "test_inner_lr: has to be finite and not negative, e.g. 0.5".into(),
            ));
        }
        if !(self.deviation.is_finite() && 0.0 < self.deviation) {
            return Err(AlgorithmError::Outside(
                "deviation: has to be finite and positive, e.g. 1".into(),
            ));
        }
        Ok(())
    }
}

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(Settings::deserialize(settings)?)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>, AlgorithmError> {
    let refuse = |source| AlgorithmError::Settings {
        learner: ENTRY.name,
        source,
    };
    Settings::deserialize(settings).map_err(refuse)?.check()?;
    Ok(Box::new(Adapted))
}

/// Stands for a policy where somebody asks for a learner.
struct Adapted;

fn no_examples() -> AlgorithmError {
    AlgorithmError::Outside("a policy learns from rollouts, and has no labelled examples".into())
}

impl<T: Real> Predict<T> for Adapted {
    fn predict(
        &self,
        _context: &Context<'_, T>,
        _theta: &Params<T>,
    ) -> Result<Prediction<T>, AlgorithmError> {
        Err(no_examples())
    }
}

impl<T: Real> Train<T> for Adapted {
    fn meta_gradient(
        &self,
        _context: &Context<'_, T>,
        _theta: &Params<T>,
    ) -> Result<MetaGradient<T>, AlgorithmError> {
        Err(no_examples())
    }

    fn query_loss<'a>(
        &self,
        _context: &Context<'a, T>,
        _phi: &Params<T>,
        _labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        Err(no_examples())
    }
}

impl<T: Real> Learner<T> for Adapted {}
