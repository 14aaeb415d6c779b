//! Every network, norm and loss of the registry against central differences, on every backend.

use metastable_models::check::{self, Subject};
use metastable_models::{Backend, DeviceSpec, Network, Norm, Params, build};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

fn network(subject: &Subject, backend: Backend) -> Box<dyn Network<f64>> {
    build(&subject.config, backend, DeviceSpec::Cpu).unwrap()
}

fn every_derivative_is_right(backend: Backend) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let subjects = check::subjects(&mut rng).unwrap();
    assert!(
        subjects.len() > 100,
        "the battery has shrunk: {}",
        subjects.len()
    );
    for subject in &subjects {
        let network = network(subject, backend);
        let errors = check::derivatives(&*network, subject.case(), &mut rng).unwrap();
        assert!(errors.acceptable(), "{}: {errors:?}", subject.title());
    }
}

#[test]
fn graph_derivatives_agree_with_central_differences() {
    every_derivative_is_right(Backend::Graph);
}

#[test]
fn fused_derivatives_agree_with_central_differences() {
    every_derivative_is_right(Backend::Fused);
}

/// Two ways to compute the same sums in double precision: some thousand roundings, and a norm over few values multiplies
/// them by 1 / std.
const ROUNDING: f64 = 1e-10;

#[test]
fn fused_and_graph_agree_to_rounding() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for subject in &check::subjects(&mut rng).unwrap() {
        let [fused, graph] = [Backend::Fused, Backend::Graph].map(|b| network(subject, b));
        let gap = check::disagreement(&*fused, &*graph, subject.case(), &mut rng).unwrap();
        assert!(gap < ROUNDING, "{}: {gap:e}", subject.title());
    }
}

/// A shift far below zero switches a unit off, and off units are what both backends count.
#[test]
fn a_unit_far_below_zero_is_never_active() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut n_tested = 0;
    for subject in &check::subjects(&mut rng).unwrap() {
        let Some(shifts) = subject.params.layout().find("blocks.0.norm.bias").cloned() else {
            continue;
        };
        // Units of a hyperbolic tangent are never off, and are not told.
        if subject.config.name == "mlp-tanh" {
            continue;
        }
        let mut params = subject.params.clone();
        let width = subject.config.width;
        for row in params.values_mut()[shifts.offset..][..shifts.len()].chunks_exact_mut(width) {
            row[1] = -1e4;
        }
        let case = check::Case {
            params: &params,
            ..subject.case()
        };
        for backend in [Backend::Fused, Backend::Graph] {
            let network = network(subject, backend);
            let tape = network
                .record(case.params, case.images, case.pass, case.objective)
                .unwrap();
            let units = tape.units().unwrap();
            assert_eq!(units.len(), subject.config.n_blocks, "{}", subject.title());
            let off = units[0].active.iter().filter(|active| !**active).count();
            assert!(!units[0].active[1] && off < width, "{}", subject.title());
            // Of a batch that does not normalise itself there are no statistics.
            let expected = if subject.stored.is_some() { 0 } else { width };
            assert_eq!(units[0].variance.len(), expected, "{}", subject.title());
        }
        n_tested += 1;
    }
    assert!(n_tested > 20, "{n_tested}");
}

#[test]
fn differences_converge_at_second_order() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for name in ["conv4", "conv4-strided", "mlp", "mlp-tanh"] {
        // The first subject without a kink between the points is taken; the order of the others says nothing.
        let subjects = check::subjects(&mut rng).unwrap();
        let orders = subjects
            .iter()
            .filter(|s| s.config.name == name)
            .map(|subject| {
                let network = network(subject, Backend::Graph);
                let mut v = Params::zeros(network.layout());
                for value in v.values_mut() {
                    *value = rng.next_u32() as f64 / f64::from(u32::MAX) - 0.5;
                }
                v.scale(1.0 / v.norm());
                check::convergence_order(&*network, subject.case(), &v, 1e-3).unwrap()
            });
        let orders: Vec<_> = orders.collect();
        let of_order_two = orders
            .iter()
            .filter(|order| (*order - 2.0).abs() < 0.2)
            .count();
        assert!(
            of_order_two * 2 > orders.len(),
            "{name}: {of_order_two} of {} have order 2 +- 0.2: {orders:?}",
            orders.len()
        );
    }
}

#[test]
fn hessian_products_are_symmetric() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for subject in check::subjects(&mut rng).unwrap().iter().step_by(7) {
        let network = network(subject, Backend::Graph);
        let case = subject.case();
        let mut tape = network
            .record(case.params, case.images, case.pass, case.objective)
            .unwrap();
        let mut draw = || {
            let mut v = Params::zeros(network.layout());
            for value in v.values_mut() {
                *value = rng.next_u32() as f64 / f64::from(u32::MAX) - 0.5;
            }
            v
        };
        let (a, b) = (draw(), draw());
        let (ha, hb) = (
            tape.hessian_product(&a).unwrap(),
            tape.hessian_product(&b).unwrap(),
        );
        let gap = (ha.dot(&b) - hb.dot(&a)).abs() / (ha.norm() * b.norm());
        assert!(gap < 1e-12, "{}: {gap:e}", subject.title());
    }
}

/// Squared errors and policies: what is said of them is tighter than of the rest, since their networks are small and unnormalized or
/// nearly so.
#[test]
fn losses_of_values_are_right_and_one_in_both_backends() {
    const CLOSE: f64 = 1e-12;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut n_tested = 0;
    for subject in &check::subjects(&mut rng).unwrap() {
        if !subject.loss.is_of_values() || subject.config.norm != Norm::None {
            continue;
        }
        let [fused, graph] = [Backend::Fused, Backend::Graph].map(|b| network(subject, b));
        for network in [&fused, &graph] {
            let errors = check::derivatives(&**network, subject.case(), &mut rng).unwrap();
            assert!(errors.acceptable(), "{}: {errors:?}", subject.title());
        }
        let gap = check::disagreement(&*fused, &*graph, subject.case(), &mut rng).unwrap();
        assert!(gap < CLOSE, "{}: {gap:e}", subject.title());
        n_tested += 1;
    }
    assert!(n_tested >= 12, "{n_tested}");
}
