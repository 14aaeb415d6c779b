//! What a training leaves behind besides its curve: the input of family E and of D4.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};

/// The log of one training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingLog {
    /// Tasks of a meta-batch, B.
    pub n_tasks: usize,
    /// Layers of the network, in the order of all tables by layer.
    pub layers: Vec<String>,
    /// In order of steps.
    pub lines: Vec<LogLine>,
}

/// The outer steps since the line before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Outer steps made.
    pub step: usize,
    /// Mean query loss of each step, in nats.
    pub losses: Vec<f64>,
    /// Norm of the meta-gradient in each layer before clipping, `(steps, layers)`; fewer rows where not every step is told.
    pub layer_norms: Vec<Vec<f64>>,
    /// Updates that clipping shortened.
    pub n_clipped: usize,
    /// Mean of `|theta' - theta| / |theta|`.
    pub update_ratio: f64,
    /// Mean of `|gbar|^2`, squared norm of the averaged meta-gradient.
    pub mean_square: f64,
    /// Mean of `sum_t |g_t|^2` over the tasks of a meta-batch.
    pub sum_of_squares: f64,
    /// Angles between tasks at the last of the steps, where they were taken.
    pub angles: Option<Angles>,
    /// The network after the last of the steps, where it was looked at.
    pub inside: Option<Inside>,
}

/// Cosines between directions that tasks give, before an update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Angles {
    /// Between the meta-gradients of each pair of tasks (E12).
    pub gradients: Vec<f64>,
    /// Number of the domain of each task, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<u32>,
    /// What needs an inner loop.
    pub inner: Option<InnerAngles>,
}

/// Angles of the inner loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InnerAngles {
    /// Between the support and the query gradient of each task at theta (E12b).
    pub within_task: Vec<f64>,
    /// Between `phi - theta` of each pair of tasks (E13).
    pub trajectories: Vec<f64>,
    /// The meta-gradient with and without Hessians (E14).
    pub bias: Option<FirstOrderBias>,
    /// The same in each layer; absent where the exact one is 0.
    pub layers: Vec<Option<FirstOrderBias>>,
}

/// What dropping the Hessians does to a meta-gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FirstOrderBias {
    /// Cosine of the exact and the first-order meta-gradient.
    pub cosine: f64,
    /// Norm of their difference over that of the exact one.
    pub difference: f64,
}

/// The network on fixed validation tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inside {
    /// Tasks that were inspected.
    pub n_tasks: usize,
    /// Mean inner-loop curve (E15).
    pub curve: Option<MeanCurve>,
    /// Each block of the network (E16).
    pub blocks: Vec<BlockState>,
}

/// Means over tasks after `k = 0, 1, ...` inner steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeanCurve {
    /// 0 to 1.
    pub query_accuracy: Vec<f64>,
    /// In nats.
    pub support_loss: Vec<f64>,
    /// In nats.
    pub query_loss: Vec<f64>,
    /// Share of tasks whose support loss rose at some step.
    pub support_rose: f64,
}

/// One block of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlockState {
    /// Share of units that are never active.
    pub dead: f64,
    /// Change of the batch statistics from theta to the adapted parameters: `|mean' - mean| / sd`, and `|ln(sd' / sd)|`.
    pub drift: Option<[f64; 2]>,
}

/// Accuracy on each test task of the best weights on validation and of the last ones (D4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Outer steps of the best weights.
    pub best_step: usize,
    /// Outer steps of the last ones.
    pub last_step: usize,
    /// Accuracies of the best weights, 0 to 1, `(n_tasks)`.
    pub best: Vec<f64>,
    /// Those of the last ones, on the same tasks.
    pub last: Vec<f64>,
}

impl TrainingLog {
    /// Losses of all steps, in order.
    #[must_use]
    pub fn losses(&self) -> Vec<f64> {
        let losses = self.lines.iter().flat_map(|line| &line.losses);
        losses.copied().collect()
    }

    /// Checks order, lengths and numbers; `what` names the log in the error.
    ///
    /// # Errors
    /// [`AnalysisError::OutOfRange`], [`AnalysisError::Shape`] or [`AnalysisError::NotFinite`] with the place.
    pub fn check(&self, what: &str) -> Result<(), AnalysisError> {
        let mut before = 0;
        for line in &self.lines {
            let of = |part: &str| format!("{what}: {part} at step {}", line.step);
            if line.step <= before {
                let expected = format!("a step after {before}");
                let got = line.step as f64;
                return Err(AnalysisError::out_of_range(
                    &format!("{what}: step"),
                    got,
                    "a line",
                    &expected,
                ));
            }
            before = line.step;
            for row in &line.layer_norms {
                check_len(&of("norms by layer"), self.layers.len(), row.len())?;
                check_finite(&of("norm of a layer"), row)?;
            }
            let sums = [line.update_ratio, line.mean_square, line.sum_of_squares];
            check_finite(&of("size of the gradients"), &sums)?;
            if let Some(angles) = &line.angles {
                check_finite(&of("cosine"), &angles.gradients)?;
            }
            let curve = line
                .inside
                .as_ref()
                .and_then(|inside| inside.curve.as_ref());
            if let Some(curve) = curve {
                let n_points = curve.query_accuracy.len();
                for column in [
                    &curve.query_accuracy,
                    &curve.support_loss,
                    &curve.query_loss,
                ] {
                    check_len(&of("inner-loop curve"), n_points, column.len())?;
                    check_finite(&of("inner-loop curve"), column)?;
                }
            }
        }
        Ok(())
    }
}

impl Selection {
    /// Checks lengths and numbers; `what` names the table in the error.
    ///
    /// # Errors
    /// [`AnalysisError::TooFew`], [`AnalysisError::Shape`] or [`AnalysisError::NotFinite`].
    pub fn check(&self, what: &str) -> Result<(), AnalysisError> {
        if self.best.is_empty() {
            return Err(AnalysisError::too_few(format!("{what}: tasks"), 1, 0));
        }
        check_len(what, self.best.len(), self.last.len())?;
        check_finite(what, &self.best)?;
        check_finite(what, &self.last)
    }
}
