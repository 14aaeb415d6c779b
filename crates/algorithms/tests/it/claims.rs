//! A certificate checks what a learner claims, and nothing that it does not claim; the learners here are another crate's.

use crate::networks::{SHAPE, network_config};
use metastable_algorithms::check::{Certificate, Finding, SINGLE_TOLERANCE, Silence, certify};
use metastable_algorithms::{
    AlgorithmError, Batch, Context, Differentiable, Head, Learner, LearnerConfig, LearnerEntry,
    MetaGradient, Predict, Prediction, Train,
};
use metastable_data::{Seeds, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{Backend, DeviceSpec, Loss, Metric, Norm, Params, Real, Tape, build};

/// ProtoNet with another direction, twice the gradient of its loss, and what is wrong with it.
struct Doubled(Wrong);

#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    /// It claims that its direction is the gradient.
    Claim,
    /// It predicts with the labels of the queries.
    Peeks,
    /// It predicts at other parameters than those to which it says it adapts.
    Elsewhere,
}

impl<T: Real> Predict<T> for Doubled {
    fn predict(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<Prediction<T>, AlgorithmError> {
        let (labels, n_way) = (context.task.query_labels(), context.task.shape().n_way);
        let theta = match self.0 {
            Wrong::Elsewhere => theta.plus(T::of(0.1), theta),
            Wrong::Nothing | Wrong::Claim | Wrong::Peeks => theta.clone(),
        };
        let queries = self.query_loss(context, &theta, labels)?;
        let mut prediction = Prediction::of(&*queries, n_way);
        if self.0 == Wrong::Peeks {
            let rows = prediction.log_probabilities.chunks_exact_mut(n_way);
            for (row, label) in rows.zip(labels) {
                row[*label] *= T::of(0.99);
            }
        }
        Ok(prediction)
    }
}

impl<T: Real> Train<T> for Doubled {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>, AlgorithmError> {
        let mut queries = self.query_loss(context, theta, context.task.query_labels())?;
        let mut gradient = queries.gradient()?;
        gradient.scale(T::of(2.0));
        Ok(MetaGradient::of(&*queries, context.task, gradient, None))
    }

    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        let loss = Loss::Prototype {
            metric: Metric::Euclidean,
            temperature: 1.0,
        };
        let images = context.task.images();
        context.record(loss, phi, Batch { images, labels }, 0)
    }
}

impl<T: Real> Learner<T> for Doubled {
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        match self.0 {
            Wrong::Claim => Some(self),
            Wrong::Nothing | Wrong::Peeks | Wrong::Elsewhere => None,
        }
    }
}

impl<T: Real> Differentiable<T> for Doubled {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T, AlgorithmError> {
        let theta = theta.plus(step, direction);
        let queries = self.query_loss(context, &theta, context.task.query_labels())?;
        Ok(queries.loss())
    }
}

const HONEST: LearnerEntry = LearnerEntry {
    name: "honest",
    summary: "a direction that is said to be no gradient",
    citation: "this test",
    head: Head::None,
    complete: |settings| Ok(settings.clone()),
    build: |_| Ok(Box::new(Doubled(Wrong::Nothing))),
};

const BOASTFUL: LearnerEntry = LearnerEntry {
    name: "boastful",
    build: |_| Ok(Box::new(Doubled(Wrong::Claim))),
    ..HONEST
};

const PEEPING: LearnerEntry = LearnerEntry {
    name: "peeping",
    build: |_| Ok(Box::new(Doubled(Wrong::Peeks))),
    ..HONEST
};

const ELSEWHERE: LearnerEntry = LearnerEntry {
    name: "elsewhere",
    build: |_| Ok(Box::new(Doubled(Wrong::Elsewhere))),
    ..HONEST
};

fn certificate(name: &str) -> Certificate {
    let learner = LearnerConfig::named(name)
        .validate_among(&[&HONEST, &BOASTFUL, &PEEPING, &ELSEWHERE])
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
fn predictions_that_are_not_their_own_are_refuted() {
    let error = |finding| match finding {
        Finding::Error(error) => error,
        Finding::Silent(silence) => panic!("{silence}"),
    };
    for (name, peeks, elsewhere) in [
        ("honest", false, false),
        ("peeping", true, true),
        ("elsewhere", false, true),
    ] {
        let found = certificate(name);
        assert_eq!(
            error(found.blindness) > TOLERANCE,
            peeks,
            "{name}: {found:?}"
        );
        assert_eq!(
            error(found.adaptation) > TOLERANCE,
            elsewhere,
            "{name}: {found:?}"
        );
    }
}

#[test]
fn another_crates_learners_are_named_in_the_error() {
    let unknown = LearnerConfig::named("maml").validate_among(&[&HONEST, &BOASTFUL]);
    let error = unknown.err().unwrap().to_string();
    assert!(error.contains("honest, boastful"), "{error}");
}
