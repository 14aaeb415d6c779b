//! The check of meta-gradients accepts right ones, rejects planted mistakes, and is silent where nothing can be said.

use std::sync::Arc;

use metastable_algorithms::check::{
    Certificate, Finding, SINGLE_TOLERANCE, Silence, certify, meta_gradient,
};
use metastable_algorithms::{FirstOrderBias, Head, LEARNERS, LearnerConfig, Task};
use metastable_data::{Seeds, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{
    Backend, DeviceSpec, Layout, ModelError, Network, NetworkConfig, Norm, Objective, Params, Pass,
    Real, Tape, build,
};

use crate::closed_form::Quadratic;
use crate::networks::{SHAPE, network, network_config, task};
use crate::second_order::maml;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    /// Hessian products are a hundredth too long: nothing that only descends would notice.
    Hessian,
    /// One tensor gets no gradient.
    Tensor,
}

/// A right network with a mistake planted in its derivatives.
struct Planted<T> {
    right: Box<dyn Network<T>>,
    mistake: Mistake,
}

struct PlantedTape<'a, T> {
    right: Box<dyn Tape<T> + 'a>,
    mistake: Mistake,
}

impl<T: Real> Network<T> for Planted<T> {
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
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
    ) -> Result<Vec<T>, ModelError> {
        self.right.outputs(params, images, pass)
    }

    fn record(
        &self,
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<T> + '_>, ModelError> {
        Ok(Box::new(PlantedTape {
            right: self.right.record(params, images, pass, objective)?,
            mistake: self.mistake,
        }))
    }

    /// With another head it makes no mistakes.
    fn with_head(&self, n_outputs: usize) -> Result<&dyn Network<T>, ModelError> {
        self.right.with_head(n_outputs)
    }

    /// Nor with one that reads directions.
    fn with_unit_head(&self, n_outputs: usize) -> Result<&dyn Network<T>, ModelError> {
        self.right.with_unit_head(n_outputs)
    }
}

impl<T: Real> Tape<T> for PlantedTape<'_, T> {
    fn loss(&self) -> T {
        self.right.loss()
    }

    fn log_probabilities(&self) -> &[T] {
        self.right.log_probabilities()
    }

    fn outputs(&self) -> &[T] {
        self.right.outputs()
    }

    fn statistics(&self) -> Params<T> {
        self.right.statistics()
    }

    fn gradient(&mut self) -> Result<Params<T>, ModelError> {
        let mut gradient = self.right.gradient()?;
        if self.mistake == Mistake::Tensor {
            let entry = gradient.layout().entries()[0].clone();
            gradient.values_mut()[entry.offset..][..entry.len()].fill(T::ZERO);
        }
        Ok(gradient)
    }

    fn hessian_product(&mut self, v: &Params<T>) -> Result<Params<T>, ModelError> {
        let mut product = self.right.hessian_product(v)?;
        if self.mistake == Mistake::Hessian {
            product.scale(T::of(1.01));
        }
        Ok(product)
    }
}

fn planted<T: Real>(config: &NetworkConfig, backend: Backend, mistake: Mistake) -> Planted<T> {
    Planted {
        right: build(config, backend, DeviceSpec::Cpu).unwrap(),
        mistake,
    }
}

/// The certificate of a learner on a small network, with mistakes in its single and double precision.
fn certificate(
    learner: &LearnerConfig,
    (backend, name, norm): (Backend, &str, Norm),
    mistakes: [Mistake; 2],
) -> Certificate {
    let checked = learner.validate().unwrap();
    let config = network_config(name, norm, checked.head());
    let single = planted(&config, backend, mistakes[0]);
    let double = planted(&config, backend, mistakes[1]);
    let mut rng = Seeds::all(3).rng(Stream::Eval, 0);
    certify(&checked, (&single, &double), SHAPE, &mut rng).unwrap()
}

const CONV4: (Backend, &str, Norm) = (Backend::Fused, "conv4", Norm::Batch);

fn error(finding: Finding) -> f64 {
    match finding {
        Finding::Error(error) => error,
        Finding::Silent(silence) => panic!("{silence}"),
    }
}

#[test]
fn every_learner_is_certified_on_every_kind_of_network() {
    for entry in LEARNERS {
        for network in [
            CONV4,
            (Backend::Graph, "conv4", Norm::Batch),
            (Backend::Fused, "conv4", Norm::Running),
            (Backend::Fused, "conv4", Norm::PerStep { n_steps: 3 }),
            (Backend::Fused, "conv4", Norm::None),
            (Backend::Fused, "conv4-strided", Norm::Batch),
            (Backend::Graph, "mlp", Norm::None),
        ] {
            let learner = if entry.head.is_bound() {
                maml(entry.name, 0.1, 3)
            } else {
                LearnerConfig::named(entry.name)
            };
            let found = certificate(&learner, network, [Mistake::None; 2]);
            let what = format!("{} on {network:?}: {found:?}", entry.name);
            let claims = learner
                .validate()
                .unwrap()
                .double()
                .differentiable()
                .is_some();
            match found.meta_gradient {
                Finding::Error(error) => assert!(claims && error < TOLERANCE, "{what}"),
                Finding::Silent(why) => {
                    assert!(!claims && why == Silence::NotClaimed, "{what}");
                }
            }
            assert!(error(found.blindness) < TOLERANCE, "{what}");
            assert!(error(found.adaptation) < TOLERANCE, "{what}");
            // Rounding is there, and is small; what learns nothing rounds nothing.
            let single = error(found.single_precision);
            let is_right = if entry.name == "nearest-mean" {
                single <= 0.0
            } else {
                (1e-9..1e-3).contains(&single)
            };
            assert!(is_right, "{what}");
        }
    }
}

#[test]
fn planted_mistakes_are_rejected() {
    let learners = [
        (maml("maml", 0.2, 3), true),
        (maml("anil", 0.2, 3), true),
        // No Hessian product enters it, and it is checked against what it is the derivative of.
        (maml("fomaml", 0.2, 3), false),
        (LearnerConfig::named("protonet"), false),
        (LearnerConfig::named("matching"), false),
    ];
    for (learner, uses_hessian) in learners {
        let found = |single, double| certificate(&learner, CONV4, [single, double]);
        let name = &learner.name;
        let hessian = error(found(Mistake::None, Mistake::Hessian).meta_gradient);
        assert_eq!(
            hessian > 100.0 * TOLERANCE,
            uses_hessian,
            "{name}: {hessian:e}"
        );
        let tensor = error(found(Mistake::None, Mistake::Tensor).meta_gradient);
        assert!(tensor > 100.0 * TOLERANCE, "{name}: {tensor:e}");
        // The same mistake in what trains: single precision alone.
        let tensor = error(found(Mistake::Tensor, Mistake::None).single_precision);
        assert!(tensor > SINGLE_TOLERANCE, "{name}: {tensor:e}");
    }
}

/// Whatever the step size, a right derivative is not refuted: it is proven, or nothing is said.
#[test]
fn a_loop_that_blows_up_is_neither_proven_nor_refuted() {
    let found = |inner_lr: f64, n_steps| {
        let learner = maml("maml", inner_lr, n_steps);
        certificate(&learner, CONV4, [Mistake::None; 2])
    };
    for n_steps in [1, 5] {
        for inner_lr in [0.01, 0.4, 4.0, 1e2, 1e4, 1e8, 1e38, 1e300] {
            let found = found(inner_lr, n_steps);
            let what = format!("{n_steps} steps of {inner_lr:e}: {found:?}");
            for (finding, limit) in [
                (found.meta_gradient, TOLERANCE),
                (found.single_precision, SINGLE_TOLERANCE),
            ] {
                match finding {
                    Finding::Error(error) => assert!(error < limit, "{what}"),
                    Finding::Silent(_) => assert!(inner_lr > 0.4, "{what}"),
                }
            }
        }
    }
    let blown_up = found(1e300, 5);
    let silent = Finding::Silent(Silence::NotFinite);
    assert_eq!(blown_up.meta_gradient, silent);
    assert_eq!(blown_up.single_precision, silent);
    assert_eq!(found(1e38, 5).single_precision, silent);
}

/// Why points are drawn: on blank images every normalized unit sits on the kink of its rectifier.
#[test]
fn on_blank_images_nothing_can_be_said() {
    let (network, theta) = network("conv4", Norm::Batch, Head::Linear);
    let learner = maml("maml", 0.2, 3).validate().unwrap();
    let blank = Task::new(SHAPE, vec![0.0; task(0).images().len()]).unwrap();
    let mut rng = Seeds::all(3).rng(Stream::Eval, 0);
    let [noise, blank] = [task(0), blank]
        .map(|task| meta_gradient(learner.double(), &*network, &theta, &task, &mut rng).unwrap());
    assert!(error(noise) < TOLERANCE);
    assert_eq!(blank, Finding::Silent(Silence::Unsettled));
}

/// MAML's is `b (1 - alpha a)^2K theta`, first order's `b (1 - alpha a)^K theta`: they differ by `(1 - alpha a)^-K - 1` of
/// the exact one, in its direction.
#[test]
fn the_first_order_bias_of_a_quadratic_is_the_power_of_its_shrinkage() {
    let (alpha, a, steps) = (0.3, 0.8, 4);
    let network = Quadratic::new(1);
    let tasks = |index: u64| Ok(Quadratic::task(&[a], &[1.0 + index as f64]));
    let learner = maml("maml", alpha, steps).validate().unwrap();
    let theta = network.theta(&[1.5]);
    let found = FirstOrderBias::at(&network, learner.double(), &theta, &tasks).unwrap();
    let found = found.unwrap();
    let expected = (1.0 - alpha * a).powi(-(steps as i32)) - 1.0;
    assert!((found.difference - expected).abs() < 1e-12, "{found:?}");
    assert!((found.cosine - 1.0).abs() < 1e-12, "{found:?}");

    let learner = LearnerConfig::named("protonet").validate().unwrap();
    let none = FirstOrderBias::at(&network, learner.double(), &theta, &tasks).unwrap();
    assert!(none.is_none(), "without an inner loop");
}
