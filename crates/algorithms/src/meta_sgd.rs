//! Meta-SGD: MAML whose inner step sizes are learnt, one for each parameter.
//!
//! Li, Zhou, Chen & Li 2017, "Meta-SGD: learning to learn quickly for few-shot learning", arXiv 1707.09835, equation 2 and algorithm 1.
//!
//! `phi_{k+1} = phi_k - alpha * grad L_S(phi_k)`, with `*` elementwise and `alpha` learnt together with `phi_0` (the meta-gradient, which is
//! exact, is in `rated.rs`). Until a rate has moved, Meta-SGD is MAML.
//!
//! Differs from the paper: all rates begin at `inner_lr` (there drawn uniformly from 0.005 to 0.1), and any number of inner steps can
//! be made (one there), which share their rates.

use metastable_models::Beside;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;
use crate::adaptation::Adaptation;
use crate::annealing::Annealing;
use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::rated::Rated;
use crate::rates::Sharing;

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "meta-sgd",
    summary: "Meta-SGD: MAML with a learnt inner step size for each parameter",
    citation: "Li, Zhou, Chen & Li 2017, arXiv 1707.09835",
    head: Head::Beside(Beside::Copy),
    complete: complete_steps::<MetaSgdConfig>,
    build,
};

/// Settings as a user writes them, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetaSgdConfig {
    /// What every inner step size is before the first outer step.
    pub inner_lr: f64,
    /// Inner steps in training, K.
    pub inner_steps: usize,
    /// Inner steps at test and validation; as in training if absent.
    pub test_inner_steps: Option<usize>,
}

impl Default for MetaSgdConfig {
    fn default() -> Self {
        Self {
            inner_lr: 0.05,
            inner_steps: 1,
            test_inner_steps: None,
        }
    }
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: MetaSgdConfig = parse_for(ENTRY.name, settings)?;
    Ok(Box::new(Rated {
        name: ENTRY.name,
        sharing: Sharing::PerParameter,
        inner_lr: config.inner_lr,
        adaptation: Adaptation::new(config.inner_lr, config.inner_steps, config.test_inner_steps)?,
        annealing: Annealing::default(),
    }))
}
