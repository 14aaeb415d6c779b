//! The outer gradient and the Fisher product against differences of what they are derivatives of, in double precision.

use metastable_data::{Seeds, Stream};
use metastable_environments::bandit::{Arms, Bandits};
use metastable_environments::cart_pole::CartPoles;
use metastable_environments::draw::normal;
use metastable_environments::maml_rl::Adapted;
use metastable_environments::navigation::Navigation;
use metastable_environments::{
    Actions, Activation, Family, Fisher, MamlRl, MamlRlConfig, Policy, PolicyConfig, SamplingTerm,
};
use metastable_models::{Backend, Params};

/// Central differences of a function with kinks: the step at which no unit switches is not known beforehand.
const STEPS: [f64; 4] = [1e-4, 1e-5, 1e-6, 1e-7];

/// What is tested: observations, actions, and a distribution of tasks.
fn cases() -> Vec<(usize, Actions, Box<dyn Family>)> {
    let bandits = Bandits {
        arms: Arms::Bernoulli,
        n_arms: 4,
        n_pulls: 10,
    };
    vec![
        (
            2,
            Actions::Continuous(2),
            Box::new(Navigation { horizon: 15 }),
        ),
        (1, Actions::Discrete(4), Box::new(bandits)),
        (4, Actions::Discrete(2), Box::new(CartPoles { horizon: 20 })),
    ]
}

fn config(sampling: SamplingTerm) -> MamlRlConfig {
    MamlRlConfig {
        inner_lr: 0.3,
        meta_batch: 3,
        n_rollouts: 4,
        sampling,
        ..MamlRlConfig::default()
    }
}

fn direction(policy: &Policy<f64>, like: &Params<f64>, key: u64) -> Params<f64> {
    let mut rng = Seeds::all(9).rng(Stream::Init, key);
    let mut u = Params::zeros(like.layout());
    for value in u.values_mut() {
        *value = normal(&mut rng);
    }
    policy.project(&mut u);
    u.scale(1.0 / u.norm());
    u
}

/// Calls `check` with each case, each sampling term, and each backend.
fn each(check: impl Fn(&str, &MamlRl<'_, f64>, &Params<f64>, &[Adapted<f64>])) {
    for (n_observed, actions, family) in cases() {
        for backend in [Backend::Fused, Backend::Graph] {
            for (sampling, activation) in [
                (SamplingTerm::Plain, Activation::Relu),
                (SamplingTerm::EMaml, Activation::Relu),
                (SamplingTerm::Plain, Activation::Tanh),
                (SamplingTerm::EMaml, Activation::Tanh),
            ] {
                let small = PolicyConfig {
                    width: 7,
                    activation,
                    deviation: 0.7,
                    ..PolicyConfig::default()
                };
                let policy = Policy::<f64>::new(small, n_observed, actions, backend).unwrap();
                let seeds = Seeds::all(3);
                // Shaken: biases are 0 at first, and navigation starts at 0, on the kink of every unit.
                let theta = policy.initial(&mut seeds.rng(Stream::Init, 0)).unwrap();
                let theta = theta.plus(1.0, &direction(&policy, &theta, 8));
                let training = MamlRl {
                    policy: &policy,
                    family: &*family,
                    config: config(sampling),
                    seeds,
                };
                let tasks: Vec<Adapted<f64>> = (0..3)
                    .map(|index| training.adapt(&theta, index).unwrap())
                    .collect();
                let name = format!("{} {backend:?} {sampling:?} {activation:?}", family.name());
                check(&name, &training, &theta, &tasks);
            }
        }
    }
}

#[test]
fn the_outer_gradient_is_that_of_the_surrogate() {
    each(|name, training, theta, tasks| {
        let mut curved = training.curved(theta, tasks).unwrap();
        let gradient = training.gradient(theta, tasks, &mut curved).unwrap();
        for key in 0..3 {
            let u = direction(training.policy, theta, key);
            let slope = gradient.dot(&u);
            let off = |h: f64| {
                let at = |h| training.surrogate(&theta.plus(h, &u), tasks).unwrap()[0];
                ((at(h) - at(-h)) / (2.0 * h) - slope).abs() / gradient.norm()
            };
            let best = STEPS.map(off).into_iter().fold(f64::INFINITY, f64::min);
            assert!(best < 1e-6, "{name}: {best:e}");
        }
        // Without its Hessian it is another direction: the inner step bends.
        let first_order: Vec<Params<f64>> = tasks
            .iter()
            .map(|task| {
                let mut tape = training.policy.record(&task.phi, &task.post).unwrap();
                let mut gradient = tape.gradient().unwrap();
                training.policy.project(&mut gradient);
                gradient
            })
            .collect();
        let mut mean = Params::zeros(theta.layout());
        for part in &first_order {
            mean.add(1.0 / first_order.len() as f64, part);
        }
        let gap = mean.plus(-1.0, &gradient).norm() / gradient.norm();
        if training.config.sampling == SamplingTerm::Plain {
            assert!(gap > 1e-4, "{name}: a test that cannot fail, {gap:e}");
        }
    });
}

#[test]
fn the_fisher_product_is_the_curvature_of_the_divergence() {
    each(|name, training, theta, tasks| {
        let mut curved = training.curved(theta, tasks).unwrap();
        let (a, b) = (
            direction(training.policy, theta, 5),
            direction(training.policy, theta, 6),
        );
        let (fa, fb) = (
            training.fisher_product(&mut curved, &a).unwrap(),
            training.fisher_product(&mut curved, &b).unwrap(),
        );
        let symmetry = (fa.dot(&b) - fb.dot(&a)).abs() / fa.norm();
        assert!(symmetry < 1e-12, "{name}: {symmetry:e}");
        // KL(h) = h^2 / 2 a.F a + O(h^3); the mean of both sides is O(h^4) off.
        let at = |h: f64| training.surrogate(&theta.plus(h, &a), tasks).unwrap()[1];
        let exact = fa.dot(&a);
        let off = |h: f64| ((at(h) + at(-h)) / (h * h) - exact).abs() / exact;
        let best = [1e-2, 1e-3, 1e-4]
            .map(off)
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        assert!(best < 1e-4, "{name}: {best:e}, {exact}");
    });
}

/// Without an inner step there is nothing to go through, and both Fisher products are one.
#[test]
fn without_an_inner_step_the_first_order_fisher_product_is_exact() {
    let family = Navigation { horizon: 10 };
    let small = PolicyConfig {
        width: 5,
        ..PolicyConfig::default()
    };
    let policy = Policy::<f64>::new(small, 2, Actions::Continuous(2), Backend::Fused).unwrap();
    let seeds = Seeds::all(1);
    let theta = policy.initial(&mut seeds.rng(Stream::Init, 0)).unwrap();
    let theta = theta.plus(1.0, &direction(&policy, &theta, 8));
    let product = |inner_lr: f64, fisher: Fisher| {
        let training = MamlRl {
            policy: &policy,
            family: &family,
            config: MamlRlConfig {
                inner_lr,
                fisher,
                ..config(SamplingTerm::Plain)
            },
            seeds,
        };
        let tasks = [training.adapt(&theta, 0).unwrap()];
        let mut curved = training.curved(&theta, &tasks).unwrap();
        let v = direction(&policy, &theta, 5);
        training.fisher_product(&mut curved, &v).unwrap()
    };
    let gap = |inner_lr| {
        let exact = product(inner_lr, Fisher::Exact);
        exact
            .plus(-1.0, &product(inner_lr, Fisher::FirstOrder))
            .norm()
            / exact.norm()
    };
    assert!(gap(0.0) < 1e-14, "{:e}", gap(0.0));
    assert!(gap(0.3) > 1e-4, "{:e}", gap(0.3));
}

/// The deviation of a Gaussian policy does not depend on the state, before and after an inner step.
#[test]
fn a_deviation_is_one_number_for_all_states() {
    let family = Navigation { horizon: 10 };
    let small = PolicyConfig {
        width: 5,
        ..PolicyConfig::default()
    };
    for learns_deviation in [true, false] {
        let small = PolicyConfig {
            learns_deviation,
            ..small
        };
        let policy = Policy::<f64>::new(small, 2, Actions::Continuous(2), Backend::Fused).unwrap();
        let seeds = Seeds::all(1);
        let theta = policy.initial(&mut seeds.rng(Stream::Init, 0)).unwrap();
        let training = MamlRl {
            policy: &policy,
            family: &family,
            config: config(SamplingTerm::Plain),
            seeds,
        };
        let phi = training.adapt(&theta, 0).unwrap().phi;
        let rows = policy.outputs(&phi, &[0.1, 0.2, -0.4, 0.3]).unwrap();
        for at in 2..4 {
            assert_eq!(rows[at].to_bits(), rows[4 + at].to_bits());
            let moved = rows[at].abs() > 1e-9;
            assert_eq!(moved, learns_deviation, "{}", rows[at]);
        }
    }
}
