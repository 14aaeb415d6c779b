//! The run of a policy: tasks of a family of environments, scores that are returns.
//!
//! `crate::policy` has the settings of the learner, `training` makes outer steps, `test` rolls trained policies out and writes what they got. Rollouts are the
//! queries of a task; those that judge a policy after `k` inner steps adapt it to `k + 1`, as in the authors' test.

mod lab;
mod returned;
mod test;
mod training;

use anyhow::{Context, Result};
use metastable_analysis::ScoreScale;
use sha2::{Digest, Sha256};

pub(super) use self::lab::Lab;
pub(crate) use self::returned::Returned;
pub(crate) use self::test::read;
pub(super) use self::training::Training;
use super::RunConfig;
use crate::files::hex;

/// What a score of these runs is.
pub(crate) fn scale() -> ScoreScale {
    ScoreScale {
        name: String::from("return"),
        lower_is_better: false,
    }
}

/// The bits of a miniature: parameters, returns and gradients of its steps, and a test, as SHA-256.
pub(super) fn bits(config: &RunConfig) -> Result<String> {
    let lab = Lab::of(config)?.context("it is no run of a policy, which is a bug")?;
    let mut theta = lab.initial()?;
    let mut hasher = Sha256::new();
    hasher.update(lab.test.digest(4)?);
    for made in 0..config.training.outer_steps as u64 {
        let step = lab.maml().step(&mut theta, made)?;
        // Numbers are written with all of their digits.
        hasher.update(format!(
            "{} {} {:?}",
            step.before, step.after, step.searched
        ));
        for values in [&step.gradient, &theta] {
            let bytes = values.values().iter().flat_map(|value| value.to_le_bytes());
            hasher.update(bytes.collect::<Vec<u8>>());
        }
    }
    for value in lab.tested(&theta, 1)?.returns {
        hasher.update(value.to_le_bytes());
    }
    Ok(hex(&hasher.finalize()))
}
