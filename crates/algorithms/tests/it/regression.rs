//! Learners on numbers: the certificate of every learner that serves them, the refusal of every other, and a training that learns.

use metastable_algorithms::check::{Finding, certify};
use metastable_algorithms::{
    AlgorithmError, Context, Head, LEARNERS, LearnerConfig, Outcome, Targets, Task, TrainConfig,
    TrainState, Trainer, Weights, curves_over, evaluate, evaluate_together, regress,
};
use metastable_data::{EpisodeShape, FUNCTIONS, Functions, MetaSplit, Seeds, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{
    Architecture, Backend, DeviceSpec, ImageShape, Network, NetworkConfig, Norm, Pass, Real, build,
};

fn config() -> NetworkConfig {
    NetworkConfig {
        name: "mlp".to_owned(),
        form: None,
        image: ImageShape {
            height: 1,
            width: 1,
            channels: 1,
        },
        n_blocks: 2,
        width: 12,
        norm: Norm::None,
        n_way: Some(1),
    }
}

fn network<T: Real>() -> Box<dyn Network<T>> {
    build(&config(), Backend::Fused, DeviceSpec::Cpu).unwrap()
}

fn functions(part: MetaSplit) -> Functions {
    Functions {
        family: &FUNCTIONS[0],
        part,
        n_support: 5,
        n_query: 5,
        seeds: Seeds::all(2),
        pool: None,
    }
}

fn source<T: Real>(part: MetaSplit) -> impl Fn(u64) -> Result<Task<T>, AlgorithmError> + Sync {
    move |index| Task::of_function(&functions(part).task(index))
}

fn weights<T: Real>(network: &dyn Network<T>) -> Weights<T> {
    let architecture = Architecture::new(&config()).unwrap();
    let theta = architecture.initial_params(&mut Seeds::all(1).rng(Stream::Init, 0));
    Weights::new(network, theta)
}

/// Every learner with a linear head; the others compare with classes.
#[test]
fn meta_gradients_on_numbers_are_certified_and_what_needs_classes_is_refused() {
    let (single, double) = (network::<f32>(), network::<f64>());
    let weights = weights(&*double);
    let task = source::<f64>(MetaSplit::Train)(0).unwrap();
    let mut n_certified = 0;
    for entry in LEARNERS {
        let checked = LearnerConfig::named(entry.name).validate().unwrap();
        let context = Context::training(&*double, &task);
        if entry.head == Head::Linear {
            let shape = EpisodeShape {
                n_way: 1,
                k_shot: 4,
                n_query: 3,
            };
            let mut rng = Seeds::all(3).rng(Stream::Eval, 0);
            let found = certify(&checked, (&*single, &*double), shape, &mut rng).unwrap();
            match found.meta_gradient {
                Finding::Error(error) => {
                    assert!(error < TOLERANCE, "{}: {error:e}", entry.name);
                    n_certified += 1;
                }
                // Not claimed: Reptile.
                Finding::Silent(_) => {}
            }
            let made = checked.double().meta_gradient(&context, &weights.theta);
            let made = made.unwrap();
            assert!(made.gradient.norm() > 0.0, "{}", entry.name);
            // Nothing is right or wrong.
            assert_eq!((made.n_correct, made.n_queries), (0, 0));
        } else {
            let refused = checked.double().predict(&context, &weights.theta);
            let message = refused.unwrap_err().to_string();
            assert!(
                message.contains("needs classes"),
                "{}: {message}",
                entry.name
            );
        }
    }
    assert!(n_certified >= 4, "{n_certified}");
    for head in ["prototypes", "tied"] {
        let learner = LearnerConfig::named("maml").with("head", head);
        let learner = learner.validate().unwrap();
        let context = Context::training(&*double, &task);
        let refused = learner.double().predict(&context, &weights.theta);
        assert!(refused.unwrap_err().to_string().contains("needs classes"));
    }
}

/// Before any step a prediction is the network's output, and the error its mean square; both by hand.
#[test]
fn errors_are_those_of_the_outputs() {
    let network = network::<f64>();
    let weights = weights(&*network);
    let tasks = source::<f64>(MetaSplit::Test);
    let learner = LearnerConfig::named("maml").with("test_inner_steps", 0);
    let learner = learner.validate().unwrap();
    let found = regress(&*network, learner.double(), &weights, &tasks, 3).unwrap();
    for index in 0..3 {
        let task = tasks(index).unwrap();
        let Targets::Values(values) = task.targets() else {
            panic!("a sinusoid has no classes");
        };
        let pass = Pass::batch(0);
        let outputs = network
            .outputs(&weights.theta, task.query_images(), pass)
            .unwrap();
        let squares = outputs
            .iter()
            .zip(&values[5..])
            .map(|(y, t)| (y - t) * (y - t));
        let error = squares.sum::<f64>() / 5.0;
        let at = index as usize;
        assert!((found.task_errors[at] - error).abs() < 1e-12 * error);
        assert_eq!(
            found.predictions[5 * at].to_bits(),
            (outputs[0] as f32).to_bits()
        );
    }
    // The evaluation that trainings validate with tells the same errors, and no share of right answers.
    let evaluated = evaluate(&*network, learner.double(), &weights, &tasks, 3).unwrap();
    assert_eq!(evaluated.task_nll, found.task_errors);
    assert!(evaluated.accuracy().is_nan());
    assert!((evaluated.score() + found.mean_error()).abs() < 1e-12);
    // There are no probabilities that several weights could take the mean of.
    let twice = [&weights, &weights];
    let refused = evaluate_together(&*network, learner.double(), &twice, &tasks, 3);
    assert!(refused.unwrap_err().to_string().contains("needs classes"));
}

/// A few hundred outer steps: the error after adaptation falls to under a third of that of the initial weights, the best weights are those of
/// the lowest validation error, and curves go as far as they are asked to.
#[test]
fn maml_learns_sinusoids() {
    let network = network::<f32>();
    let learner = LearnerConfig::named("maml").with("inner_lr", 0.02);
    let learner = learner.validate().unwrap();
    let config = TrainConfig {
        outer_steps: 400,
        meta_batch: 10,
        outer_lr: 5e-3,
        validate_every: 100,
        validation_tasks: 50,
        inspected_tasks: 5,
        ..TrainConfig::default()
    };
    let weights = weights(&*network);
    let state = TrainState::new(&*network, &config.optimizer, weights.theta.clone());
    let (train, validation) = (source(MetaSplit::Train), source(MetaSplit::Validation));
    let plan = config.validate().unwrap();
    let mut trainer = Trainer::new(
        &*network,
        learner.single(),
        &train,
        &validation,
        plan,
        state,
    )
    .unwrap();
    let mut losses = Vec::new();
    while let Some(report) = trainer.step().unwrap() {
        assert!(report.accuracy.is_nan());
        losses.extend(report.validation.map(|it| it.loss));
        if let Some(inspection) = report.inspection {
            let curve = inspection.curve.unwrap();
            assert!(curve.query_accuracy.is_empty() && curve.query_loss.len() > 1);
        }
    }
    assert_eq!(trainer.outcome(), Some(Outcome::Completed));
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = trainer.state().best.as_ref().unwrap();
    assert_eq!(best.score.to_bits(), (-lowest).to_bits());
    let tests = source(MetaSplit::Test);
    let error = |weights: &Weights<f32>| {
        let found = regress(&*network, learner.single(), weights, &tests, 100);
        found.unwrap().mean_error()
    };
    let (before, after) = (error(&weights), error(&best.weights));
    assert!(after < before / 3.0, "{before} {after}");
    let single = learner.single();
    let curves = curves_over(&*network, single, &best.weights, &tests, 2, 7)
        .unwrap()
        .unwrap();
    assert_eq!(curves.tasks[0].query_loss.len(), 8);
}
