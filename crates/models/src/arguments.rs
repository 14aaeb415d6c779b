//! The checks of a pass's arguments, once, at the public boundary and the same for both backends.

use crate::architecture::n_values;
use crate::{Architecture, Loss, ModelError, Norm, Objective, Params, Pass, Real, Statistics};

impl Architecture {
    /// Checks the arguments of a pass and returns the number of images.
    ///
    /// # Errors
    /// [`ModelError::Length`] if a length does not fit, [`ModelError::Config`] if stored statistics are asked of a norm
    /// that stores none.
    pub fn check_pass<T: Real>(
        &self,
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
    ) -> Result<usize, ModelError> {
        let expect = |what, expected: usize, got: usize| {
            if expected == got {
                return Ok(());
            }
            Err(ModelError::Length {
                what,
                expected,
                got,
            })
        };
        expect("params", self.layout().n_values(), params.values().len())?;
        if let Statistics::Stored(stored) = pass.statistics {
            if self.config().norm != Norm::Running {
                return Err(ModelError::Config {
                    what: "pass.statistics",
                    got: "stored".to_owned(),
                    advice:
                        "only a network with running norm stores statistics; use those of the batch"
                            .to_owned(),
                });
            }
            expect(
                "stored statistics",
                self.buffers().n_values(),
                stored.values().len(),
            )?;
        }
        let per_image = n_values(self.config().image);
        let n_images = images.len() / per_image;
        expect("images", n_images.max(1) * per_image, images.len())?;
        Ok(n_images)
    }

    /// Checks that an objective fits this network and a batch of `n_images`.
    ///
    /// # Errors
    /// [`ModelError::Length`] for a wrong number of rows, [`ModelError::Label`] for a label out of range,
    /// [`ModelError::Config`] for a setting that no loss can have.
    pub fn check_objective(
        &self,
        objective: &Objective<'_>,
        n_images: usize,
    ) -> Result<(), ModelError> {
        let refuse = |what, got: String, advice: &str| {
            Err(ModelError::Config {
                what,
                got,
                advice: advice.to_owned(),
            })
        };
        if objective.labels.is_empty() {
            return refuse(
                "objective.labels",
                "[]".to_owned(),
                "judge at least one row",
            );
        }
        match objective.loss {
            Loss::CrossEntropy if self.n_outputs() != objective.n_way => {
                return Err(ModelError::Length {
                    what: "an output row under cross-entropy (one logit per class)",
                    expected: objective.n_way,
                    got: self.n_outputs(),
                });
            }
            Loss::Prototype { temperature, .. } | Loss::Matching { temperature, .. } => {
                if !(temperature.is_finite() && temperature > 0.0) {
                    return refuse(
                        "objective.temperature",
                        temperature.to_string(),
                        "must be finite and greater than 0",
                    );
                }
                if objective.n_support() == 0 {
                    let got = format!("{}-way {}-shot", objective.n_way, objective.k_shot);
                    return refuse("objective.k_shot", got, "metric losses need supports");
                }
            }
            Loss::CrossEntropy => {}
        }
        if objective.n_rows() != n_images {
            return Err(ModelError::Length {
                what: "the batch (in images)",
                expected: objective.n_rows(),
                got: n_images,
            });
        }
        for (row, &label) in objective.labels.iter().enumerate() {
            if label >= objective.n_way {
                return Err(ModelError::Label {
                    row,
                    label,
                    n_way: objective.n_way,
                });
            }
        }
        Ok(())
    }
}
