//! How the outer step size changes over training.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::AlgorithmError;
use crate::error::require;

/// A factor on `outer_lr`, as a function of the steps made so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// `lr_t = lr`.
    #[default]
    Constant,
    /// `lr_t = final_lr + (lr - final_lr) (1 + cos(pi t / outer_steps)) / 2`: Loshchilov & Hutter 2017, SGDR, ICLR,
    /// arXiv 1608.03983, equation 5, without restarts. MAML++ anneals 1e-3 to 1e-5 so.
    Cosine {
        /// Step size at the end.
        #[serde(default)]
        final_lr: f64,
    },
    /// `lr_t = lr * factor^floor(t / every)`. Snell et al. halve every 2,000 episodes.
    Step {
        /// Steps between two changes.
        every: usize,
        /// What multiplies the step size.
        #[serde(default = "half")]
        factor: f64,
    },
}

fn half() -> f64 {
    0.5
}

impl ScheduleConfig {
    pub(crate) fn check(&self) -> Result<(), AlgorithmError> {
        match *self {
            Self::Constant => Ok(()),
            Self::Cosine { final_lr } => require(
                final_lr.is_finite() && 0.0 <= final_lr,
                "schedule.final_lr",
                final_lr,
                "the last step size has to be finite and not negative",
            ),
            Self::Step { every, factor } => {
                require(
                    0 < every,
                    "schedule.every",
                    every,
                    "there has to be at least one step between changes",
                )?;
                require(
                    factor.is_finite() && 0.0 < factor,
                    "schedule.factor",
                    factor,
                    "it multiplies the step size and has to be finite and positive, e.g. 0.5",
                )
            }
        }
    }

    /// The step size after `t` of `n_steps` steps, from the initial `lr`.
    #[must_use]
    pub fn lr(&self, lr: f64, t: usize, n_steps: usize) -> f64 {
        match *self {
            Self::Constant => lr,
            Self::Cosine { final_lr } => {
                let progress = t as f64 / n_steps as f64;
                final_lr + (lr - final_lr) * (1.0 + (PI * progress).cos()) / 2.0
            }
            Self::Step { every, factor } => {
                let n_changes = i32::try_from(t / every).unwrap_or(i32::MAX);
                lr * factor.powi(n_changes)
            }
        }
    }
}
