//! BOIL: MAML whose inner loop moves the body alone.
//!
//! Oh, Yoo, Kim & Yun 2021, "BOIL: Towards representation change for few-shot learning", ICLR, arXiv 2008.08882, section 3.
//!
//! `phi_{k+1} = phi_k - alpha M grad L_S(phi_k)`, with `M` the projection onto everything but the head: the reverse of
//! [`crate::anil`]. The outer loop moves all of theta, along the exact `d L_Q(phi_K) / d theta`. The settings are MAML's
//! ([`crate::maml`]).

use serde_json::Value;

use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::inner::HEAD;
use crate::maml::{GradientOrder, MamlConfig};
use crate::{AlgorithmError, Moves};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "boil",
    summary: "BOIL: MAML whose inner loop moves the body alone",
    citation: "Oh, Yoo, Kim & Yun 2021, ICLR, arXiv 2008.08882",
    head: Head::Linear,
    complete: complete_steps::<MamlConfig>,
    build,
};

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>, AlgorithmError> {
    let config: MamlConfig = parse_for(ENTRY.name, settings)?;
    let maml = config.validate(GradientOrder::Second)?;
    Ok(Box::new(maml.moving(Moves::AllBut(HEAD))))
}
