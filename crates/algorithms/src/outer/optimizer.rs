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
                let step = AdamStep::new(t, lr, beta1, beta2, epsilon);
                let moments = first.values_mut().iter_mut().zip(second.values_mut());
                let values = theta.values_mut().iter_mut().zip(gradient.values());
                for ((theta, g), (m, v)) in values.zip(moments) {
                    step.apply(theta, *g, m, v);
                }
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

/// Adam's scalars of one step, computed in double precision as PyTorch does.
struct AdamStep<T> {
    one_minus_beta1: T,
    beta2: T,
    one_minus_beta2: T,
    root_correction2: T,
    epsilon: T,
    step_size: T,
}

impl<T: Real> AdamStep<T> {
    fn new(t: usize, lr: f64, beta1: f64, beta2: f64, epsilon: f64) -> Self {
        // Past i32::MAX both powers have long been 0.
        let t = i32::try_from(t).unwrap_or(i32::MAX);
        Self {
            one_minus_beta1: T::of(1.0 - beta1),
            beta2: T::of(beta2),
            one_minus_beta2: T::of(1.0 - beta2),
            root_correction2: T::of((1.0 - beta2.powi(t)).sqrt()),
            epsilon: T::of(epsilon),
            step_size: T::of(lr / (1.0 - beta1.powi(t))),
        }
    }

    #[inline(always)]
    fn apply(&self, theta: &mut T, g: T, m: &mut T, v: &mut T) {
        *m += self.one_minus_beta1 * (g - *m);
        *v = *v * self.beta2 + self.one_minus_beta2 * g * g;
        let denominator = v.sqrt() / self.root_correction2 + self.epsilon;
        *theta -= self.step_size * *m / denominator;
    }
}
