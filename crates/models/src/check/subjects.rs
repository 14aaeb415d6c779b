//! Small cases over the whole registry.

use rand::Rng;

use super::case::Case;
use crate::architecture::{n_values, signed_unit};
use crate::registry::HeadForm;
use crate::{
    Architecture, ImageShape, Loss, Metric, ModelError, NETWORKS, NetworkConfig, Norm, Objective,
    Params, Pass, Statistics,
};

/// A network and a case for it, with everything that the case borrows.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The network.
    pub config: NetworkConfig,
    /// The loss.
    pub loss: Loss,
    /// Classes of the objective.
    pub n_way: usize,
    /// Label of each support, of unequal number: what holds for them holds for equal ones.
    pub supports: Vec<usize>,
    /// Labels of the judged rows; none for the losses of values.
    pub labels: Vec<usize>,
    /// What the judged rows bring; none for the losses of labels.
    pub values: Vec<f64>,
    /// Inner steps taken.
    pub inner_step: usize,
    /// Stored statistics, where they normalise.
    pub stored: Option<Params<f64>>,
    /// Initial weights, every value shaken, so that no shift is zero and no unit exactly at its kink.
    pub params: Params<f64>,
    /// Uniform pixels; the left third of each image is blank, so that pooling windows tie exactly.
    pub images: Vec<f64>,
}

impl Subject {
    /// The case, borrowed.
    #[must_use]
    pub fn case(&self) -> Case<'_> {
        Case {
            params: &self.params,
            images: &self.images,
            pass: Pass {
                inner_step: self.inner_step,
                statistics: self
                    .stored
                    .as_ref()
                    .map_or(Statistics::Batch, Statistics::Stored),
            },
            objective: Objective {
                loss: self.loss,
                n_way: self.n_way,
                supports: &self.supports,
                labels: &self.labels,
                values: &self.values,
            },
        }
    }

    /// What is tested, for messages.
    #[must_use]
    pub fn title(&self) -> String {
        let ImageShape {
            height,
            width,
            channels,
        } = self.config.image;
        format!(
            "{} {height}x{width}x{channels}, {} blocks, {:?}{}, step {}, {:?}, head {:?}, {} judged",
            self.config.name,
            self.config.n_blocks,
            self.config.norm,
            if self.stored.is_some() {
                " (stored)"
            } else {
                ""
            },
            self.inner_step,
            self.loss,
            self.config.n_way,
            self.case().objective.n_judged(),
        )
    }

    pub(super) fn new(
        config: NetworkConfig,
        loss: Loss,
        n_judged: usize,
        inner_step: usize,
        use_stored: bool,
        rng: &mut dyn Rng,
    ) -> Result<Self, ModelError> {
        let architecture = Architecture::new(&config)?;
        let n_way = match loss {
            Loss::CrossEntropy | Loss::SquaredError | Loss::Gaussian | Loss::Categorical => {
                architecture.n_outputs()
            }
            Loss::Prototype { .. } | Loss::Matching { .. } => 3,
        };
        let supports = vec![0, 0, 0, 1, 2, 2];
        let mut params = architecture.initial_params::<f64>(rng);
        for entry in architecture.layout().entries() {
            // Shifts go up on average: a small network with most of its units off has next to no derivative to test.
            let lift = if entry.name.ends_with(".bias") {
                0.3
            } else {
                0.0
            };
            for value in &mut params.values_mut()[entry.offset..][..entry.len()] {
                *value += lift + 0.3 * signed_unit(rng);
            }
        }
        let mut stored = architecture.initial_buffers::<f64>();
        for value in stored.values_mut() {
            *value += 0.5 * signed_unit(rng);
        }
        let labels: Vec<_> = match loss.is_of_values() {
            true => Vec::new(),
            false => (0..n_judged).map(|row| row % n_way).collect(),
        };
        let values: Vec<f64> = (0..n_judged)
            .flat_map(|row| brought(loss, n_way, row, rng))
            .collect();
        let n_images = Objective {
            loss,
            n_way,
            supports: &supports,
            labels: &labels,
            values: &values,
        }
        .n_rows();
        let shape = config.image;
        let images = (0..n_images * n_values(shape))
            .map(|index| {
                let column = index / shape.channels % shape.width;
                let pixel = 0.5 + 0.5 * signed_unit(rng);
                if column < shape.width / 3 { 0.0 } else { pixel }
            })
            .collect();
        Ok(Self {
            config,
            loss,
            n_way,
            supports,
            labels,
            values,
            inner_step,
            stored: use_stored.then_some(stored),
            params,
            images,
        })
    }
}

/// What a row brings: targets; a policy, or in every other row an action, and a weight of either sign.
fn brought(loss: Loss, n_outputs: usize, row: usize, rng: &mut dyn Rng) -> Vec<f64> {
    let is_action = row.is_multiple_of(2);
    let mut values: Vec<f64> = (0..loss.values_per_row(n_outputs))
        .map(|_| signed_unit(rng))
        .collect();
    match loss {
        Loss::CrossEntropy
        | Loss::Prototype { .. }
        | Loss::Matching { .. }
        | Loss::SquaredError => {}
        Loss::Gaussian => {
            for deviation in &mut values[n_outputs / 2..n_outputs] {
                *deviation = if is_action { 0.0 } else { deviation.abs() };
            }
        }
        Loss::Categorical => {
            let shares = &mut values[..n_outputs];
            let sum: f64 = shares.iter().map(|share| share.abs()).sum();
            for (action, share) in shares.iter_mut().enumerate() {
                *share = match is_action {
                    true => f64::from(u8::from(action == row / 2 % n_outputs)),
                    false => share.abs() / sum,
                };
            }
        }
    }
    values
}

/// Norms, with the inner step and whether stored statistics normalise.
pub(super) const NORMS: [(Norm, usize, bool); 6] = [
    (Norm::Batch, 0, false),
    (Norm::Running, 0, false),
    (Norm::Running, 0, true),
    (Norm::PerStep { n_steps: 3 }, 1, false),
    (Norm::PerStep { n_steps: 3 }, 9, false),
    (Norm::None, 0, false),
];

/// Losses, with the outputs of the head.
pub(super) const LOSSES: [(Loss, Option<usize>); 6] = [
    (Loss::CrossEntropy, Some(4)),
    (Loss::CrossEntropy, None),
    (prototype(Metric::Euclidean, 1.5), None),
    (prototype(Metric::Cosine, 0.2), Some(5)),
    (matching(Metric::Euclidean, 2.0), Some(5)),
    (matching(Metric::Cosine, 0.2), None),
];

/// Losses of rows that bring values, with the outputs of the head. What lies before the outputs does not ask for them, so that
/// each network is taken with each of them once.
const VALUE_LOSSES: [(Loss, Option<usize>); 4] = [
    (Loss::SquaredError, Some(1)),
    (Loss::SquaredError, Some(3)),
    (Loss::Gaussian, Some(4)),
    (Loss::Categorical, Some(3)),
];

const fn prototype(metric: Metric, temperature: f64) -> Loss {
    Loss::Prototype {
        metric,
        temperature,
    }
}

const fn matching(metric: Metric, temperature: f64) -> Loss {
    Loss::Matching {
        metric,
        temperature,
    }
}

/// Small cases over the whole registry: every network with every norm and every loss, with and without a head, on odd
/// and rectangular images, on maps that are flattened with several pixels, and on a single image.
///
/// # Errors
/// None, unless a network of the registry refuses small images.
pub fn subjects(rng: &mut dyn Rng) -> Result<Vec<Subject>, ModelError> {
    let image = |height, width, channels| ImageShape {
        height,
        width,
        channels,
    };
    let mut subjects = Vec::new();
    for entry in NETWORKS {
        let config = |image, n_blocks, norm, n_way| NetworkConfig {
            name: entry.name.to_owned(),
            form: None,
            image,
            n_blocks,
            width: 5,
            norm,
            n_way,
        };
        for (norm, step, stored) in NORMS {
            for (loss, n_way) in LOSSES {
                let config = config(image(7, 6, 2), 2, norm, n_way);
                subjects.push(Subject::new(config, loss, 6, step, stored, rng)?);
            }
            // Several pixels at the read-out, and a width that no register tile divides.
            let mut wide = config(image(5, 9, 1), 1, norm, Some(3));
            wide.width = 19;
            subjects.push(Subject::new(
                wide,
                Loss::CrossEntropy,
                5,
                step,
                stored,
                rng,
            )?);
            // A width that the first layer's kernels and Winograd's transforms take, odd edges included.
            let mut even = config(image(11, 14, 1), 2, norm, Some(3));
            even.width = 16;
            subjects.push(Subject::new(
                even,
                Loss::CrossEntropy,
                9,
                step,
                stored,
                rng,
            )?);
            // More images than one group of a parallel sum. Deep enough that the smallest map is one pixel.
            let deep = config(image(8, 11, 1), 3, norm, Some(3));
            subjects.push(Subject::new(
                deep,
                Loss::CrossEntropy,
                19,
                step,
                stored,
                rng,
            )?);
            // One image. A linear block has one value per unit then, and batch statistics leave nothing of it.
            if stored || norm == Norm::None || !entry.form.block.is_linear() {
                let config = config(image(6, 7, 1), 1, norm, Some(3));
                subjects.push(Subject::new(
                    config,
                    Loss::CrossEntropy,
                    1,
                    step,
                    stored,
                    rng,
                )?);
            }
        }
    }
    for entry in NETWORKS {
        for (turn, (loss, n_way)) in VALUE_LOSSES.into_iter().enumerate() {
            // The last norm, none at all, is what regression and policies have.
            for (norm, step, stored) in [NORMS[turn], NORMS[NORMS.len() - 1]] {
                let config = NetworkConfig {
                    name: entry.name.to_owned(),
                    form: None,
                    image: image(5, 6, 1),
                    n_blocks: 2,
                    width: 6,
                    norm,
                    n_way,
                };
                subjects.push(Subject::new(config, loss, 7, step, stored, rng)?);
            }
        }
    }
    // Heads that read directions, on features that end in the middle of a register tile too.
    for entry in NETWORKS {
        for (norm, step, stored) in NORMS {
            let config = NetworkConfig {
                name: entry.name.to_owned(),
                form: None,
                image: image(6, 7, 2),
                n_blocks: 2,
                width: 5,
                norm,
                n_way: None,
            };
            let config = config.headed(4, HeadForm::Unit)?;
            subjects.push(Subject::new(
                config,
                Loss::CrossEntropy,
                7,
                step,
                stored,
                rng,
            )?);
        }
    }
    Ok(subjects)
}
