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
        if objective.n_judged() == 0 {
            return refuse(
                if objective.loss.is_of_values() {
                    "objective.values"
                } else {
                    "objective.labels"
                },
                "[]".to_owned(),
                "judge at least one row",
            );
        }
        let per_row = objective.loss.values_per_row(objective.n_way);
        let expected = per_row * objective.n_judged();
        if objective.values.len() != expected {
            return Err(ModelError::Length {
                what: "the values of the judged rows",
                expected,
                got: objective.values.len(),
            });
        }
        if objective.loss.is_of_values() && !objective.labels.is_empty() {
            return refuse(
                "objective.labels",
                format!("{:?}", objective.labels),
                "rows that bring values have no labels; leave them empty",
            );
        }
        match objective.loss {
            Loss::CrossEntropy | Loss::SquaredError | Loss::Gaussian | Loss::Categorical
                if self.n_outputs() != objective.n_way =>
            {
                return Err(ModelError::Length {
                    what: "an output row (one output for each class or target)",
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
                let supports = objective.supports;
                let is_beyond = supports.iter().any(|label| *label >= objective.n_way);
                if !supports.is_sorted()
                    || is_beyond
                    || objective.classes().any(|class| class.is_empty())
                {
                    return refuse(
                        "objective.supports",
                        format!("{supports:?} for {} classes", objective.n_way),
                        "metric losses need supports of every class, class by class",
                    );
                }
            }
            Loss::Gaussian if !objective.n_way.is_multiple_of(2) => {
                return refuse(
                    "objective.n_way",
                    objective.n_way.to_string(),
                    "a Gaussian policy has a mean and a standard deviation for each action: an even number of outputs",
                );
            }
            Loss::CrossEntropy | Loss::SquaredError | Loss::Gaussian | Loss::Categorical => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImageShape, Metric, NetworkConfig};

    #[test]
    fn supports_of_a_metric_loss_are_of_every_class_and_class_by_class() {
        let config = NetworkConfig {
            name: "mlp".to_owned(),
            form: None,
            image: ImageShape {
                height: 1,
                width: 2,
                channels: 1,
            },
            n_blocks: 1,
            width: 3,
            norm: Norm::None,
            n_way: None,
        };
        let architecture = Architecture::new(&config).unwrap();
        let check = |supports: &[usize]| {
            let objective = Objective {
                loss: Loss::Prototype {
                    metric: Metric::Euclidean,
                    temperature: 1.0,
                },
                n_way: 3,
                supports,
                labels: &[0],
                values: &[],
            };
            architecture.check_objective(&objective, supports.len() + 1)
        };
        assert!(check(&[0, 1, 2]).is_ok() && check(&[0, 0, 0, 1, 2, 2]).is_ok());
        for refused in [&[][..], &[0, 0, 2], &[0, 2, 1], &[0, 1, 2, 3]] {
            let message = check(refused).unwrap_err().to_string();
            assert!(message.contains("objective.supports"), "{message}");
            assert!(message.contains("every class"), "{message}");
        }
    }
}
