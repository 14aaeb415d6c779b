//! A certificate checks what a learner claims, and nothing that it does not claim; the learners here are another crate's.

use metastable_algorithms::check::{Certificate, Finding, SINGLE_TOLERANCE, Silence, certify};
use metastable_algorithms::{
    AlgorithmError, AnyLearner, Differentiable, Head, Learner, LearnerConfig, LearnerEntry,
    MetaGradient, Prediction, Task,
};
use metastable_data::{Seeds, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{
    Backend, DeviceSpec, Loss, Metric, Network, Norm, Objective, Params, Pass, Real, Statistics,
    Tape, build,
};
use serde_json::Value;

use crate::networks::{SHAPE, network_config};

/// ProtoNet with another direction: twice the gradient of its loss.
struct Doubled {
    claims_a_gradient: bool,
}

impl<T: Real> Learner<T> for Doubled {
    fn meta_gradient(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
    ) -> Result<MetaGradient<T>, AlgorithmError> {
        let labels = task.query_labels();
        let mut tape = self.query_loss(network, theta, Statistics::Batch, task, labels)?;
        let mut gradient = tape.gradient()?;
        gradient.scale(T::of(2.0));
        Ok(MetaGradient {
            query_loss: tape.loss(),
            n_correct: 0,
            n_queries: labels.len(),
            gradient,
            statistics: tape.statistics(),
            non_finite: None,
        })
    }

    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        if self.claims_a_gradient {
            Some(self)
        } else {
            None
        }
    }

    fn predict(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Prediction<T>, AlgorithmError> {
        let tape = self.query_loss(network, theta, statistics, task, task.query_labels())?;
        Ok(Prediction {
            log_probabilities: tape.log_probabilities().to_vec(),
            n_way: task.shape().n_way,
            query_loss: tape.loss(),
        })
    }

    fn query_loss<'a>(
        &self,
        network: &'a dyn Network<T>,
        phi: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        let objective = Objective {
            loss: Loss::Prototype {
                metric: Metric::Euclidean,
                temperature: 1.0,
            },
            n_way: task.shape().n_way,
            supports: task.support_labels(),
            labels,
        };
        let pass = Pass {
            inner_step: 0,
            statistics,
        };
        Ok(network.record(phi, task.images(), pass, objective)?)
    }

    fn predict_alone(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Prediction<T>, AlgorithmError> {
        self.predict(network, theta, statistics, task)
    }
}

impl<T: Real> Differentiable<T> for Doubled {
    fn displaced_loss(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T, AlgorithmError> {
        let (theta, labels) = (theta.plus(step, direction), task.query_labels());
        Ok(self
            .query_loss(network, &theta, Statistics::Batch, task, labels)?
            .loss())
    }
}

const HONEST: LearnerEntry = LearnerEntry {
    name: "honest",
    summary: "a direction that is said to be no gradient",
    citation: "this test",
    head: Head::None,
    complete: |settings| Ok(settings.clone()),
    build: |_: &Value| -> Result<Box<dyn AnyLearner>, AlgorithmError> {
        Ok(Box::new(Doubled {
            claims_a_gradient: false,
        }))
    },
};

const BOASTFUL: LearnerEntry = LearnerEntry {
    name: "boastful",
    build: |_: &Value| -> Result<Box<dyn AnyLearner>, AlgorithmError> {
        Ok(Box::new(Doubled {
            claims_a_gradient: true,
        }))
    },
    ..HONEST
};

fn certificate(name: &str) -> Certificate {
    let learner = LearnerConfig::named(name)
        .validate_among(&[&HONEST, &BOASTFUL])
        .unwrap();
    let config = network_config("mlp", Norm::None, Head::None);
    let single = build::<f32>(&config, Backend::default(), DeviceSpec::Cpu).unwrap();
    let double = build::<f64>(&config, Backend::default(), DeviceSpec::Cpu).unwrap();
    let mut rng = Seeds::all(3).rng(Stream::Eval, 0);
    certify(&learner, (&*single, &*double), SHAPE, &mut rng).unwrap()
}

#[test]
fn a_claim_is_checked_if_it_is_made_and_only_then() {
    let honest = certificate("honest");
    let not_claimed = Finding::Silent(Silence::NotClaimed);
    assert_eq!(honest.meta_gradient, not_claimed);
    // |g - 2 g| / |2 g| = 1/2
    let Finding::Error(error) = certificate("boastful").meta_gradient else {
        panic!("the wrong claim was not checked");
    };
    assert!(TOLERANCE < error && (error - 0.5).abs() < 1e-3, "{error}");
    // Both precisions compute the same direction, whatever it is.
    let Finding::Error(error) = honest.single_precision else {
        panic!("{honest:?}");
    };
    assert!(error < SINGLE_TOLERANCE, "{error}");
}

#[test]
fn another_crates_learners_are_named_in_the_error() {
    let unknown = LearnerConfig::named("maml").validate_among(&[&HONEST, &BOASTFUL]);
    let error = unknown.err().unwrap().to_string();
    assert!(error.contains("honest, boastful"), "{error}");
}
