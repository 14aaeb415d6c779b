//! The check of meta-gradients accepts right ones and rejects planted mistakes; the first-order gap has its closed form.

use std::sync::Arc;

use metastable_algorithms::check::{first_order_gap, meta_gradient, precision_gap};
use metastable_algorithms::maml::MamlConfig;
use metastable_algorithms::{Head, LearnerConfig};
use metastable_models::{
    Backend, Layout, ModelError, Network, NetworkConfig, Norm, Objective, Params, Pass, Tape,
};

use crate::closed_form::Quadratic;
use crate::networks::{SHAPE, network_on, task};
use crate::second_order::maml;

const LIMIT: f64 = metastable_models::check::TOLERANCE;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    /// Hessian products are a hundredth too long: nothing that only descends would notice.
    Hessian,
    /// One tensor gets no gradient.
    Tensor,
}

/// A right network with a mistake planted in its derivatives.
struct Planted {
    right: Box<dyn Network<f64>>,
    mistake: Mistake,
}

struct PlantedTape<'a> {
    right: Box<dyn Tape<f64> + 'a>,
    mistake: Mistake,
}

impl Network<f64> for Planted {
    fn config(&self) -> &NetworkConfig {
        self.right.config()
    }

    fn layout(&self) -> &Arc<Layout> {
        self.right.layout()
    }

    fn buffers(&self) -> &Arc<Layout> {
        self.right.buffers()
    }

    fn n_outputs(&self) -> usize {
        self.right.n_outputs()
    }

    fn outputs(
        &self,
        params: &Params<f64>,
        images: &[f64],
        pass: Pass<'_, f64>,
    ) -> Result<Vec<f64>, ModelError> {
        self.right.outputs(params, images, pass)
    }

    fn record(
        &self,
        params: &Params<f64>,
        images: &[f64],
        pass: Pass<'_, f64>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<f64> + '_>, ModelError> {
        Ok(Box::new(PlantedTape {
            right: self.right.record(params, images, pass, objective)?,
            mistake: self.mistake,
        }))
    }
}

impl Tape<f64> for PlantedTape<'_> {
    fn loss(&self) -> f64 {
        self.right.loss()
    }

    fn log_probabilities(&self) -> &[f64] {
        self.right.log_probabilities()
    }

    fn outputs(&self) -> &[f64] {
        self.right.outputs()
    }

    fn statistics(&self) -> Params<f64> {
        self.right.statistics()
    }

    fn gradient(&mut self) -> Result<Params<f64>, ModelError> {
        let mut gradient = self.right.gradient()?;
        if self.mistake == Mistake::Tensor {
            let entry = gradient.layout().entries()[0].clone();
            gradient.values_mut()[entry.offset..][..entry.len()].fill(0.0);
        }
        Ok(gradient)
    }

    fn hessian_product(&mut self, v: &Params<f64>) -> Result<Params<f64>, ModelError> {
        let mut product = self.right.hessian_product(v)?;
        if self.mistake == Mistake::Hessian {
            product.scale(1.01);
        }
        Ok(product)
    }
}

fn error_of(learner: &LearnerConfig, head: Head, mistake: Mistake) -> f64 {
    let (right, theta) = network_on(Backend::Fused, "conv4", Norm::Batch, head);
    let checked = learner.validate().unwrap();
    let mut rng = metastable_data::Seeds::all(3).rng(metastable_data::Stream::Eval, 0);
    let network = Planted { right, mistake };
    meta_gradient(checked.double(), &network, &theta, &task(0), &mut rng).unwrap()
}

#[test]
fn right_meta_gradients_are_accepted_and_planted_mistakes_rejected() {
    let learners = [
        (maml("maml", 0.2, 3), Head::Linear, true),
        // No Hessian product enters it, and it is checked against what it is the derivative of.
        (maml("fomaml", 0.2, 3), Head::Linear, false),
        (LearnerConfig::named("protonet"), Head::None, false),
        (LearnerConfig::named("matching"), Head::None, false),
    ];
    for (learner, head, uses_hessian) in learners {
        let error = |mistake| error_of(&learner, head, mistake);
        let name = &learner.name;
        let right = error(Mistake::None);
        assert!(right < LIMIT, "{name}: {right:e}");
        let hessian = error(Mistake::Hessian);
        assert_eq!(hessian > 100.0 * LIMIT, uses_hessian, "{name}: {hessian:e}");
        let tensor = error(Mistake::Tensor);
        assert!(tensor > 100.0 * LIMIT, "{name}: {tensor:e}");
    }
}

#[test]
fn single_precision_is_near_double_and_not_equal() {
    let (double, theta) = network_on(Backend::Fused, "conv4", Norm::Batch, Head::Linear);
    let config = double.config();
    let single =
        metastable_models::build::<f32>(config, Backend::Fused, Default::default()).unwrap();
    let learner = maml("maml", 0.2, 3).validate().unwrap();
    let task = task(0).cast();
    let gap = precision_gap(&learner, (&*single, &*double), &theta.cast(), &task).unwrap();
    assert!((1e-9..1e-3).contains(&gap), "{gap:e} on {SHAPE:?}");
}

/// MAML's is `b (1 - alpha a)^2K theta`, first order's `b (1 - alpha a)^K theta`: they differ by `(1 - alpha a)^-K - 1` of
/// the exact one, in its direction.
#[test]
fn the_first_order_gap_of_a_quadratic_is_the_power_of_its_shrinkage() {
    let (alpha, a, steps) = (0.3, 0.8, 4);
    let network = Quadratic::new(1);
    let tasks = [1.0, 2.5].map(|b| Quadratic::task(&[a], &[b]));
    let config = MamlConfig {
        inner_lr: alpha,
        inner_steps: steps,
        ..MamlConfig::default()
    };
    let gap = first_order_gap(&config, &network, &network.theta(&[1.5]), &tasks).unwrap();
    let expected = (1.0 - alpha * a).powi(-(steps as i32)) - 1.0;
    assert!((gap.relative - expected).abs() < 1e-12, "{gap:?}");
    assert!((gap.cosine - 1.0).abs() < 1e-12, "{gap:?}");
}
