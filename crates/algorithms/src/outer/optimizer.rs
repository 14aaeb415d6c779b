//! Optimizers of the outer loop: Adam and SGD with momentum, operation by operation as PyTorch's.

use metastable_models::{Params, Real};
use serde::{Deserialize, Serialize};

use crate::AlgorithmError;
use crate::error::require;

/// How a gradient becomes an update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Kingma & Ba 2015, "Adam: a method for stochastic optimization", ICLR, arXiv 1412.6980, algorithm 1.
    ///
    /// `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`,
    /// `theta -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)`.
    Adam {
        /// Decay of the first moment.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the second moment.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of the second moment.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// `m = momentum m + g` (at the first step `m = g`), `theta -= lr m`: PyTorch's form, without dampening.
    Sgd {
        /// Decay of the accumulated gradient; 0 for none.
        #[serde(default)]
        momentum: f64,
    },
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adam {
            beta1: beta1(),
            beta2: beta2(),
            epsilon: epsilon(),
        }
    }
}

impl OptimizerConfig {
    pub(crate) fn check(&self) -> Result<(), AlgorithmError> {
        let decay = |setting, value: f64| {
            let advice = "a decay is at least 0 and less than 1";
            require((0.0..1.0).contains(&value), setting, value, advice)
        };
        match *self {
            Self::Adam {
                beta1,
                beta2,
                epsilon,
            } => {
                decay("optimizer.beta1", beta1)?;
                decay("optimizer.beta2", beta2)?;
                require(
                    epsilon.is_finite() && 0.0 <= epsilon,
                    "optimizer.epsilon",
                    epsilon,
                    "it has to be finite and not negative, e.g. 1e-8",
                )
            }
            Self::Sgd { momentum } => decay("optimizer.momentum", momentum),
        }
    }

    /// Vectors that the optimizer keeps from step to step.
    #[must_use]
    pub fn n_moments(&self) -> usize {
        match self {
            Self::Adam { .. } => 2,
            Self::Sgd { .. } => 1,
        }
    }

    /// Update number `t` (counted from 1) of `theta` and of the [`Self::n_moments`] moments (zeros before the first), by
    /// the step size `lr`.
    pub fn update<T: Real>(
        &self,
        t: usize,
        lr: f64,
        theta: &mut Params<T>,
        moments: &mut [Params<T>],
        gradient: &Params<T>,
    ) {
        match (*self, moments) {
            (
                Self::Adam {
                    beta1,
                    beta2,
                    epsilon,
                },
                [first, second],
            ) => {
                // Past i32::MAX both powers have long been 0.
                let power = i32::try_from(t).unwrap_or(i32::MAX);
                // Scalars in double precision, as PyTorch computes them.
                let of = T::of;
                let (m, v, g) = (first.values_mut(), second.values_mut(), gradient.values());
                T::average_in(m, of(1.0 - beta1), g);
                T::average_squares_in(v, [of(beta2), of(1.0 - beta2)], g);
                let step_size = of(lr / (1.0 - beta1.powi(power)));
                let correction = of((1.0 - beta2.powi(power)).sqrt());
                T::step_by_root(
                    theta.values_mut(),
                    m,
                    v,
                    [step_size, correction, of(epsilon)],
                );
            }
            (Self::Sgd { momentum }, [accumulated]) => {
                accumulated.scale(T::of(momentum));
                accumulated.add(T::ONE, gradient);
                theta.add(T::of(-lr), accumulated);
            }
            (_, moments) => unreachable!(
                "{} moments for {self:?}: a training state is checked when it is made",
                moments.len()
            ),
        }
    }
}
