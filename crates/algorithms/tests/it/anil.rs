//! ANIL moves the head alone in its inner loop, and its limits are MAML's bits.

use metastable_algorithms::maml::{GradientOrder, MamlConfig};
use metastable_algorithms::{Context, Head, Learner, Moves};
use metastable_models::{Backend, Norm};

use crate::networks::{network, network_on, task};
use crate::second_order::{agrees_on_halves, central_difference, maml};

#[test]
fn the_body_stays_and_the_head_moves() {
    for norm in [Norm::Batch, Norm::PerStep { n_steps: 3 }, Norm::None] {
        let (network, theta) = network("conv4", norm, Head::Linear);
        let checked = maml("anil", 0.2, 3).validate().unwrap();
        let task = task(0);
        let context = Context::training(&*network, &task);
        let phi = checked.double().adapted(&context, &theta).unwrap();
        for entry in theta.layout().entries() {
            let is_head = entry.name.starts_with("head.");
            let has_moved = phi.get(&entry.name) != theta.get(&entry.name);
            assert_eq!(has_moved, is_head, "{}", entry.name);
        }
        // The outer loop moves the body too, and not as MAML would.
        let gradient = |name| {
            let checked = maml(name, 0.2, 3).validate().unwrap();
            checked
                .double()
                .meta_gradient(&context, &theta)
                .unwrap()
                .gradient
        };
        let [anil, maml] = ["anil", "maml"].map(gradient);
        let weight = "blocks.0.conv.weight";
        assert!(anil.get(weight).unwrap().iter().any(|g| g.abs() > 1e-6));
        assert!(anil.plus(-1.0, &maml).norm() > 1e-3 * maml.norm());
    }
}

/// Not on a network without normalisation: its biases start at 0, stay there while the head moves, and put a unit whose
/// inputs are all 0 on the kink of its rectifier.
#[test]
fn the_gradient_agrees_with_differences_on_real_networks() {
    for (backend, name, norm) in [
        (Backend::Fused, "conv4", Norm::Batch),
        (Backend::Graph, "conv4", Norm::Batch),
        (Backend::Fused, "conv4", Norm::PerStep { n_steps: 3 }),
        (Backend::Fused, "conv4-strided", Norm::Batch),
    ] {
        let (network, theta) = network_on(backend, name, norm, Head::Linear);
        let checked = maml("anil", 0.2, 3).validate().unwrap();
        let (learner, task) = (checked.double(), task(0));
        let context = Context::training(&*network, &task);
        let mut direction = learner.meta_gradient(&context, &theta).unwrap().gradient;
        let length = direction.norm();
        direction.scale(1.0 / length);
        let difference = central_difference(&*network, learner, &theta, &task, &direction, 1e-7);
        let error = (difference - length).abs() / length;
        assert!(error < 1e-6, "{backend:?} {name} {norm:?}: {error:e}");
    }
}

#[test]
fn the_gradient_with_a_projection_agrees_with_differences() {
    agrees_on_halves("anil");
}

#[test]
fn a_projection_onto_everything_is_maml_and_onto_nothing_is_descent_without_inner_steps() {
    let config = |inner_lr| MamlConfig {
        inner_lr,
        inner_steps: 3,
        ..MamlConfig::default()
    };
    let (network, theta) = network("conv4", Norm::Batch, Head::Linear);
    let task = task(1);
    let context = Context::training(&*network, &task);
    for order in [GradientOrder::First, GradientOrder::Second] {
        let gradient = |inner_lr, moves: Option<Moves>| {
            let maml = config(inner_lr).validate(order).unwrap();
            let learner = moves.map_or(maml.clone(), |moves| maml.moving(moves));
            let learner: &dyn Learner<f64> = &learner;
            learner.meta_gradient(&context, &theta).unwrap()
        };
        let (all, plain) = (gradient(0.2, Some(Moves::Named(""))), gradient(0.2, None));
        assert_eq!(all.gradient, plain.gradient);
        assert_eq!(all.query_loss.to_bits(), plain.query_loss.to_bits());
        let (frozen, still) = (
            gradient(0.2, Some(Moves::Named("no such"))),
            gradient(0.0, None),
        );
        assert_eq!(frozen.gradient, still.gradient);
        assert_eq!(frozen.query_loss.to_bits(), still.query_loss.to_bits());
        assert_ne!(plain.gradient, still.gradient);
    }
}
