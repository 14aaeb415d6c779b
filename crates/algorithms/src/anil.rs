//! ANIL: MAML whose inner loop moves the head alone.
//!
//! Raghu, Raghu, Bengio & Vinyals 2020, "Rapid learning or feature reuse? Towards understanding the effectiveness of
//! MAML", ICLR, arXiv 1909.09157, section 4.
//!
//! `phi_{k+1} = phi_k - alpha M grad L_S(phi_k)`, with `M` the projection onto the head; the outer loop still moves all of
//! theta, along the exact `d L_Q(phi_K) / d theta`: `v <- v - alpha H_S(phi_k) M v`. The settings are MAML's
//! ([`crate::maml`]).
//!
//! Every inner step computes the gradient of the whole network, and drops what is not the head's.

use serde_json::Value;

use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::inner::HEAD;
use crate::maml::{GradientOrder, MamlConfig};
use crate::{AlgorithmError, Moves};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "anil",
    summary: "ANIL: MAML whose inner loop moves the head alone",
    citation: "Raghu, Raghu, Bengio & Vinyals 2020, ICLR, arXiv 1909.09157",
    head: Head::Linear,
    complete: complete_steps::<MamlConfig>,
    build,
};

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>, AlgorithmError> {
    let config: MamlConfig = parse_for(ENTRY.name, settings)?;
    let maml = config.validate(GradientOrder::Second)?;
    Ok(Box::new(maml.moving(Moves::Named(HEAD))))
}
