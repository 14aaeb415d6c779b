//! First-order MAML: the meta-gradient without the Hessians of the support loss.
//!
//! Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400, section 5.2; named and analysed by Nichol, Achiam & Schulman
//! 2018, "On first-order meta-learning algorithms", arXiv 1803.02999, section 3.
//!
//! `d L_Q(phi_K) / d theta` is taken for `grad L_Q(phi_K)`; the inner loop is MAML's ([`crate::maml`]). There is no
//! setting `trajectory`: nothing is kept.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::maml::{GradientOrder, MamlConfig};
use crate::{AlgorithmError, HeadStart, Trajectory};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "fomaml",
    summary: "first-order MAML: the Hessians are dropped",
    citation: "Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400, section 5.2; Nichol, Achiam & Schulman 2018, arXiv 1803.02999",
    head: Head::Linear,
    complete: complete_steps::<FomamlConfig>,
    build,
};

/// Settings as a user writes them, unchecked; the defaults are those of [`MamlConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FomamlConfig {
    /// Step size of the inner loop, alpha.
    pub inner_lr: f64,
    /// Inner steps in training, K.
    pub inner_steps: usize,
    /// Inner steps at test and validation; as in training if absent.
    pub test_inner_steps: Option<usize>,
    /// Where the head starts in each task, as of [`MamlConfig`].
    pub head: HeadStart,
}

impl Default for FomamlConfig {
    fn default() -> Self {
        let maml = MamlConfig::default();
        Self {
            inner_lr: maml.inner_lr,
            inner_steps: maml.inner_steps,
            test_inner_steps: maml.test_inner_steps,
            head: maml.head,
        }
    }
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>, AlgorithmError> {
    let config: FomamlConfig = parse_for(ENTRY.name, settings)?;
    let maml = MamlConfig {
        inner_lr: config.inner_lr,
        inner_steps: config.inner_steps,
        test_inner_steps: config.test_inner_steps,
        trajectory: Trajectory::Auto,
        head: config.head,
    };
    Ok(Box::new(maml.validate(GradientOrder::First)?))
}
