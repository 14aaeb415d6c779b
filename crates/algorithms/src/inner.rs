//! The inner loop: gradient descent on the support loss, its adjoint, and its curve.
//!
//! `phi_0 = theta`, `phi_{k+1} = phi_k - alpha grad L_S(phi_k)`. Fast weights are values; nothing is differentiated
//! through: the adjoint runs backwards with one Hessian product per step.

use metastable_models::{Loss, Network, Objective, Params, Pass, Real, Statistics, Tape};
use serde::{Deserialize, Serialize};

use crate::checkpoints::{SLOTS, positions};
use crate::learner::n_correct;
use crate::{AlgorithmError, Curve, NonFinite, Task};

/// What the inner loop keeps for the adjoint. Every choice gives the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trajectory {
    /// `Stored` up to 8 inner steps, `Recompute` beyond.
    #[default]
    Auto,
    /// The tape of every step: fastest, memory grows with the inner steps (about 3 MB a step for a 5-way 1-shot
    /// conv-4).
    Stored,
    /// Six checkpoints of the fast weights; tapes are recorded again, one at a time, and so are, beyond 6 steps, the fast weights
    /// between: memory does not grow with the inner steps.
    Recompute,
}

/// Steps up to which [`Trajectory::Auto`] keeps tapes: at 0.6 MB an image of a conv-4, 8 tapes of a 20-way 5-shot
/// support set take about 0.5 GB.
const AUTO_STORED_STEPS: usize = 8;

/// A descent on one task's support loss.
#[derive(Clone, Copy)]
pub(crate) struct InnerLoop<'a, T> {
    pub(crate) network: &'a dyn Network<T>,
    pub(crate) task: &'a Task<T>,
    pub(crate) statistics: Statistics<'a, T>,
    pub(crate) inner_lr: T,
    pub(crate) n_steps: usize,
}

/// Where the descent ended, and what its adjoint needs.
pub(crate) struct Descent<'a, T> {
    pub(crate) phi: Params<T>,
    pub(crate) non_finite: Option<NonFinite>,
    kept: Kept<'a, T>,
}

enum Kept<'a, T> {
    Nothing,
    /// Tapes at `phi_0 .. phi_{K-1}`.
    Tapes(Vec<Box<dyn Tape<T> + 'a>>),
    Checkpoints {
        phis: Vec<Checkpoint<T>>,
        /// Steps at which one is kept.
        positions: Vec<usize>,
    },
}

/// `phi_k`.
struct Checkpoint<T> {
    k: usize,
    phi: Params<T>,
}

impl<'a, T: Real> InnerLoop<'a, T> {
    /// Refuses a head that does not fit the task.
    pub(crate) fn check(&self) -> Result<(), AlgorithmError> {
        let (n_outputs, n_way) = (self.network.n_outputs(), self.task.shape().n_way);
        if n_outputs == n_way {
            Ok(())
        } else {
            Err(AlgorithmError::Ways { n_outputs, n_way })
        }
    }

    fn pass(&self, inner_step: usize) -> Pass<'a, T> {
        Pass {
            inner_step,
            statistics: self.statistics,
        }
    }

    fn objective(&self, labels: &'a [usize]) -> Objective<'a> {
        Objective {
            loss: Loss::CrossEntropy,
            n_way: self.task.shape().n_way,
            supports: self.task.support_labels(),
            labels,
        }
    }

    /// `L_S` at `phi_k`.
    pub(crate) fn support(
        &self,
        phi: &Params<T>,
        k: usize,
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        let objective = self.objective(self.task.support_labels());
        let images = self.task.support_images();
        Ok(self.network.record(phi, images, self.pass(k), objective)?)
    }

    /// `L_Q` at `phi_k`.
    pub(crate) fn query(
        &self,
        phi: &Params<T>,
        k: usize,
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        let objective = self.objective(self.task.query_labels());
        let images = self.task.query_images();
        Ok(self.network.record(phi, images, self.pass(k), objective)?)
    }

    /// `phi_K` alone.
    pub(crate) fn adapt(&self, theta: &Params<T>) -> Result<Descent<'a, T>, AlgorithmError> {
        self.run(theta, Kept::Nothing)
    }

    /// `phi_K`, and what [`Self::pull_back`] needs.
    pub(crate) fn adapt_for_adjoint(
        &self,
        theta: &Params<T>,
        trajectory: Trajectory,
    ) -> Result<Descent<'a, T>, AlgorithmError> {
        let stored = match trajectory {
            Trajectory::Stored => true,
            Trajectory::Recompute => false,
            Trajectory::Auto => self.n_steps <= AUTO_STORED_STEPS,
        };
        let kept = if stored {
            Kept::Tapes(Vec::with_capacity(self.n_steps))
        } else {
            Kept::Checkpoints {
                phis: Vec::new(),
                positions: positions(0..self.n_steps, SLOTS),
            }
        };
        self.run(theta, kept)
    }

    fn run(
        &self,
        theta: &Params<T>,
        mut kept: Kept<'a, T>,
    ) -> Result<Descent<'a, T>, AlgorithmError> {
        let mut non_finite = None;
        // phi_0 = theta
        let mut phi = theta.clone();
        for k in 0..self.n_steps {
            // phi_{k+1} = phi_k - alpha grad L_S(phi_k)
            let mut tape = self.support(&phi, k)?;
            if non_finite.is_none() && !tape.loss().is_finite() {
                // A weight that is not finite was there before the loss that it spoils.
                let loss = NonFinite::SupportLoss { inner_step: k };
                non_finite = Some(first_bad_weight(&phi, k).unwrap_or(loss));
            }
            let next = phi.plus(-self.inner_lr, &tape.gradient()?);
            match &mut kept {
                Kept::Nothing => {}
                Kept::Tapes(tapes) => tapes.push(tape),
                Kept::Checkpoints { phis, positions } if positions.contains(&k) => {
                    phis.push(Checkpoint { k, phi });
                }
                Kept::Checkpoints { .. } => {}
            }
            phi = next;
        }
        if non_finite.is_none() {
            non_finite = first_bad_weight(&phi, self.n_steps);
        }
        Ok(Descent {
            phi,
            non_finite,
            kept,
        })
    }

    /// The adjoint of the whole descent: `v <- v - alpha H_S(phi_k) v` for `k = K-1 ..= 0`.
    ///
    /// `H_S(phi_k)` is symmetric and `d phi_{k+1} / d phi_k = I - alpha H_S(phi_k)`, so this takes `dL/dphi_K` to
    /// `dL/dtheta`. For a descent made by [`Self::adapt`] nothing was kept, and `v` is returned as it is.
    pub(crate) fn pull_back(
        &self,
        descent: Descent<'a, T>,
        mut v: Params<T>,
    ) -> Result<Params<T>, AlgorithmError> {
        match descent.kept {
            Kept::Nothing => {}
            Kept::Tapes(mut tapes) => {
                // Popped, so that a tape's memory is free as soon as its step is done.
                while let Some(mut tape) = tapes.pop() {
                    v = self.pull_back_step(tape.as_mut(), v)?;
                }
            }
            Kept::Checkpoints { phis, .. } => {
                v = self.pull_back_from(phis, self.n_steps, SLOTS, v)?;
            }
        }
        Ok(v)
    }

    /// The adjoint of the steps up to `end`, from checkpoints that have `slots` among them.
    fn pull_back_from(
        &self,
        mut checkpoints: Vec<Checkpoint<T>>,
        mut end: usize,
        slots: usize,
        mut v: Params<T>,
    ) -> Result<Params<T>, AlgorithmError> {
        while let Some(checkpoint) = checkpoints.pop() {
            let start = checkpoint.k;
            v = self.pull_back_piece(checkpoint, end, slots - checkpoints.len(), v)?;
            end = start;
        }
        Ok(v)
    }

    /// The adjoint of the steps from one checkpoint to `end`; of `slots`, it has the first.
    fn pull_back_piece(
        &self,
        checkpoint: Checkpoint<T>,
        end: usize,
        slots: usize,
        mut v: Params<T>,
    ) -> Result<Params<T>, AlgorithmError> {
        let piece = checkpoint.k..end;
        if slots > 1 && piece.len() > 1 {
            let mut checkpoints = vec![checkpoint];
            for position in &positions(piece, slots)[1..] {
                let last = &checkpoints[checkpoints.len() - 1];
                checkpoints.push(self.descend(last, *position)?);
            }
            return self.pull_back_from(checkpoints, end, slots, v);
        }
        for k in piece.rev() {
            let mut tape = self.support(&self.descend(&checkpoint, k)?.phi, k)?;
            v = self.pull_back_step(tape.as_mut(), v)?;
        }
        Ok(v)
    }

    /// `phi_k`, from an earlier checkpoint.
    fn descend(&self, from: &Checkpoint<T>, k: usize) -> Result<Checkpoint<T>, AlgorithmError> {
        let mut phi = from.phi.clone();
        for step in from.k..k {
            let gradient = self.support(&phi, step)?.gradient()?;
            phi = phi.plus(-self.inner_lr, &gradient);
        }
        Ok(Checkpoint { k, phi })
    }

    fn pull_back_step(
        &self,
        tape: &mut (dyn Tape<T> + 'a),
        mut v: Params<T>,
    ) -> Result<Params<T>, AlgorithmError> {
        let hessian_v = tape.hessian_product(&v)?;
        v.add(-self.inner_lr, &hessian_v);
        Ok(v)
    }

    /// Losses and query accuracy at `phi_0 ..= phi_K`.
    pub(crate) fn curve(&self, theta: &Params<T>) -> Result<Curve, AlgorithmError> {
        let mut curve = Curve {
            query_accuracy: Vec::with_capacity(self.n_steps + 1),
            support_loss: Vec::with_capacity(self.n_steps + 1),
            query_loss: Vec::with_capacity(self.n_steps + 1),
        };
        let labels = self.task.query_labels();
        let mut phi = theta.clone();
        for k in 0..=self.n_steps {
            let query = self.query(&phi, k)?;
            let n_right = n_correct(query.log_probabilities(), self.task.shape().n_way, labels);
            curve
                .query_accuracy
                .push(n_right as f64 / labels.len() as f64);
            curve.query_loss.push(query.loss().wide());
            let mut support = self.support(&phi, k)?;
            curve.support_loss.push(support.loss().wide());
            if k < self.n_steps {
                phi.add(-self.inner_lr, &support.gradient()?);
            }
        }
        Ok(curve)
    }
}

/// The first tensor of the fast weights that is not finite, `inner_step` steps into the inner loop.
fn first_bad_weight<T: Real>(phi: &Params<T>, inner_step: usize) -> Option<NonFinite> {
    phi.first_non_finite().map(|tensor| NonFinite::FastWeights {
        tensor: tensor.to_owned(),
        inner_step,
    })
}
