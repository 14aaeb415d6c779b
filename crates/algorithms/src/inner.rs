//! The inner loop: gradient descent on the support loss, its adjoint, and its curve.
//!
//! `phi_0` is theta, with the head that [`HeadStart`] gives it; `phi_{k+1} = phi_k - alpha M grad L_S(phi_k)`, where `M` is the
//! identity or the projection onto the tensors that move ([`Moves`]). Fast weights are values; nothing is differentiated through: the adjoint runs backwards with one
//! Hessian product per step.

use std::sync::Arc;

use metastable_models::{Loss, Params, Real, Tape};
use serde::{Deserialize, Serialize};

use crate::checkpoints::{SLOTS, positions};
use crate::minibatch::minibatch;
use crate::prediction::n_correct;
use crate::{Batch, Context, Curve, HeadStart, NonFinite, Result, Targets};

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

/// Which tensors the inner loop moves: the projection `M` of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// All of them.
    All,
    /// Those whose names begin so; the others stay at theta.
    Named(&'static str),
    /// All but those whose names begin so.
    AllBut(&'static str),
}

/// What the tensors of the head are called ([`metastable_models::Architecture`]).
pub(crate) const HEAD: &str = "head.";

impl Moves {
    /// Whether a tensor of that name moves.
    fn moves(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(prefix) => name.starts_with(prefix),
            Self::AllBut(prefix) => !name.starts_with(prefix),
        }
    }

    /// `v <- M v`.
    pub(crate) fn project<T: Real>(self, v: &mut Params<T>) {
        if self == Self::All {
            return;
        }
        let layout = Arc::clone(v.layout());
        let entries = layout.entries().iter();
        for entry in entries.filter(|entry| !self.moves(&entry.name)) {
            v.values_mut()[entry.offset..][..entry.len()].fill(T::ZERO);
        }
    }
}

/// Steps up to which [`Trajectory::Auto`] keeps tapes: at 0.6 MB an image of a conv-4, 8 tapes of a 20-way 5-shot
/// support set take about 0.5 GB.
const AUTO_STORED_STEPS: usize = 8;

/// A descent on one task's support loss.
#[derive(Clone, Copy)]
pub(crate) struct GradientDescent<'a, T> {
    /// The task before the network whose head fits it.
    pub(crate) context: Context<'a, T>,
    /// The same before the network of theta.
    pub(crate) outer: Context<'a, T>,
    pub(crate) head: HeadStart,
    pub(crate) inner_lr: T,
    pub(crate) n_steps: usize,
    pub(crate) moves: Moves,
    /// Supports of each step, taken in turn; all of them if absent.
    pub(crate) batch: Option<usize>,
    /// `lambda` of the pull back to theta, `lambda |phi - theta|^2 / 2`, that the steps descend besides the support loss; none if
    /// absent. [`Self::pull_back`] is for descents without it.
    pub(crate) proximity: Option<T>,
}

/// Where the descent ended, and what its adjoint needs.
pub(crate) struct Descent<'a, T> {
    pub(crate) phi: Params<T>,
    pub(crate) non_finite: Option<NonFinite>,
    /// Where it started, `phi_0`.
    start: Params<T>,
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

impl<'a, T: Real> GradientDescent<'a, T> {
    /// `phi_0`.
    pub(crate) fn start(&self, theta: &Params<T>) -> Result<Params<T>> {
        self.head.start(&self.outer, theta)
    }

    /// What a derivative with respect to `phi_0` is with respect to theta.
    pub(crate) fn at_theta(&self, start: &Params<T>, v: Params<T>) -> Result<Params<T>> {
        self.head.pull_back(&self.outer, start, v)
    }

    fn loss(&self) -> Loss {
        self.context.task.head_loss()
    }

    /// `L_S` at `phi_k`, of all supports.
    pub(crate) fn support(&self, phi: &Params<T>, k: usize) -> Result<Box<dyn Tape<T> + 'a>> {
        let supports = self.context.task.supports();
        self.context.record(self.loss(), phi, supports, k)
    }

    /// The loss that step `k` descends: `L_S`, of the supports whose turn it is.
    pub(crate) fn step_loss(&self, phi: &Params<T>, k: usize) -> Result<Box<dyn Tape<T> + 'a>> {
        let supports = self.context.task.supports();
        match self.batch {
            Some(size) if size < supports.labels.len() => {
                let (images, labels) = minibatch(supports, size, k);
                let batch = Batch {
                    images: &images,
                    labels: &labels,
                };
                self.context.record(self.loss(), phi, batch, k)
            }
            Some(_) | None => self.support(phi, k),
        }
    }

    /// `phi_{k+1}` from `phi_k`, and the tape of step `k`.
    pub(crate) fn next(
        &self,
        theta: &Params<T>,
        phi: &Params<T>,
        tape: &mut (dyn Tape<T> + 'a),
    ) -> Result<Params<T>> {
        let mut direction = self.direction(tape)?;
        if let Some(lambda) = self.proximity {
            direction.add(lambda, &phi.plus(T::of(-1.0), theta));
        }
        Ok(phi.plus(-self.inner_lr, &direction))
    }

    /// `M grad L_S(phi_k)`, from the tape of step `k`.
    fn direction(&self, tape: &mut (dyn Tape<T> + 'a)) -> Result<Params<T>> {
        let mut gradient = tape.gradient()?;
        self.moves.project(&mut gradient);
        Ok(gradient)
    }

    /// `L_Q` at `phi_k`.
    pub(crate) fn query(&self, phi: &Params<T>, k: usize) -> Result<Box<dyn Tape<T> + 'a>> {
        let queries = self.context.task.queries();
        self.context.record(self.loss(), phi, queries, k)
    }

    /// `phi_K` alone.
    pub(crate) fn adapt(&self, theta: &Params<T>) -> Result<Descent<'a, T>> {
        self.run(theta, Kept::Nothing)
    }

    /// `phi_K`, and what [`Self::pull_back`] needs.
    pub(crate) fn adapt_for_adjoint(
        &self,
        theta: &Params<T>,
        trajectory: Trajectory,
    ) -> Result<Descent<'a, T>> {
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

    fn run(&self, theta: &Params<T>, mut kept: Kept<'a, T>) -> Result<Descent<'a, T>> {
        let mut non_finite = None;
        let start = self.start(theta)?;
        let mut phi = start.clone();
        for k in 0..self.n_steps {
            // phi_{k+1} = phi_k - alpha M grad L_S(phi_k)
            let mut tape = self.step_loss(&phi, k)?;
            if non_finite.is_none() && !tape.loss().is_finite() {
                // A weight that is not finite was there before the loss that it spoils.
                let loss = NonFinite::SupportLoss { inner_step: k };
                non_finite = Some(first_bad_weight(&phi, k).unwrap_or(loss));
            }
            let next = self.next(theta, &phi, tape.as_mut())?;
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
            start,
            kept,
        })
    }

    /// The adjoint of the whole descent: `v <- v - alpha H_S(phi_k) M v` for `k = K-1 ..= 0`.
    ///
    /// `H_S(phi_k)` and `M` are symmetric and `d phi_{k+1} / d phi_k = I - alpha M H_S(phi_k)`, so this takes `dL/dphi_K`
    /// to `dL/dphi_0`, and [`HeadStart`] that to `dL/dtheta`. For a descent made by [`Self::adapt`] nothing was kept, and `v` is taken
    /// for `dL/dphi_0`.
    pub(crate) fn pull_back(&self, descent: Descent<'a, T>, mut v: Params<T>) -> Result<Params<T>> {
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
        self.at_theta(&descent.start, v)
    }

    /// The adjoint of the steps up to `end`, from checkpoints that have `slots` among them.
    fn pull_back_from(
        &self,
        mut checkpoints: Vec<Checkpoint<T>>,
        mut end: usize,
        slots: usize,
        mut v: Params<T>,
    ) -> Result<Params<T>> {
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
    ) -> Result<Params<T>> {
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
            let mut tape = self.step_loss(&self.descend(&checkpoint, k)?.phi, k)?;
            v = self.pull_back_step(tape.as_mut(), v)?;
        }
        Ok(v)
    }

    /// `phi_k`, from an earlier checkpoint.
    fn descend(&self, from: &Checkpoint<T>, k: usize) -> Result<Checkpoint<T>> {
        let mut phi = from.phi.clone();
        for step in from.k..k {
            let mut tape = self.step_loss(&phi, step)?;
            phi = phi.plus(-self.inner_lr, &self.direction(tape.as_mut())?);
        }
        Ok(Checkpoint { k, phi })
    }

    /// `v - alpha H_S(phi_k) M v`, from the tape of step `k`.
    pub(crate) fn pull_back_step(
        &self,
        tape: &mut (dyn Tape<T> + 'a),
        mut v: Params<T>,
    ) -> Result<Params<T>> {
        let hessian_v = match self.moves {
            Moves::All => tape.hessian_product(&v)?,
            Moves::Named(_) | Moves::AllBut(_) => {
                let mut moved = v.clone();
                self.moves.project(&mut moved);
                tape.hessian_product(&moved)?
            }
        };
        v.add(-self.inner_lr, &hessian_v);
        Ok(v)
    }

    /// Losses and query accuracy at `phi_0 ..= phi_K`.
    pub(crate) fn curve(&self, theta: &Params<T>) -> Result<Curve> {
        let start = self.start(theta)?;
        self.curve_by(start, self.n_steps, |phi, k, mut support| {
            if self.batch.is_some() {
                support = self.step_loss(phi, k)?;
            }
            self.next(theta, phi, support.as_mut())
        })
    }

    /// The curve of a descent from `phi` over `n_steps` steps, each made by `next` out of the fast weights, the step's number and the
    /// support loss recorded there.
    pub(crate) fn curve_by(
        &self,
        mut phi: Params<T>,
        n_steps: usize,
        next: impl Fn(&Params<T>, usize, Box<dyn Tape<T> + 'a>) -> Result<Params<T>>,
    ) -> Result<Curve> {
        let mut curve = Curve {
            query_accuracy: Vec::with_capacity(n_steps + 1),
            support_loss: Vec::with_capacity(n_steps + 1),
            query_loss: Vec::with_capacity(n_steps + 1),
        };
        let task = self.context.task;
        let labels = task.query_labels();
        for k in 0..=n_steps {
            let query = self.query(&phi, k)?;
            if *task.targets() == Targets::Classes {
                let n_right = n_correct(query.log_probabilities(), task.shape().n_way, labels);
                curve
                    .query_accuracy
                    .push(n_right as f64 / labels.len() as f64);
            }
            curve.query_loss.push(query.loss().wide());
            let support = self.support(&phi, k)?;
            curve.support_loss.push(support.loss().wide());
            if k < n_steps {
                phi = next(&phi, k, support)?;
            }
        }
        Ok(curve)
    }
}

/// The first tensor of the fast weights that is not finite, `inner_step` steps into the inner loop.
pub(crate) fn first_bad_weight<T: Real>(phi: &Params<T>, inner_step: usize) -> Option<NonFinite> {
    phi.first_non_finite().map(|tensor| NonFinite::FastWeights {
        tensor: tensor.to_owned(),
        inner_step,
    })
}
