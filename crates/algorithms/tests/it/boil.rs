//! BOIL moves the body alone in its inner loop: what ANIL leaves it moves, and what ANIL moves it leaves.

use metastable_algorithms::{Context, Head};
use metastable_models::{Network, Norm, Params};

use crate::closed_form::LinearSoftmax;
use crate::networks::{network, task};
use crate::second_order::{SHAPE, central_difference, draws, maml, noise_task};

#[test]
fn the_head_stays_and_the_body_moves() {
    for norm in [Norm::Batch, Norm::None] {
        let (network, theta) = network("conv4", norm, Head::Linear);
        let task = task(0);
        let context = Context::training(&*network, &task);
        let adapted = |name| {
            let checked = maml(name, 0.2, 1).validate().unwrap();
            checked.double().adapted(&context, &theta).unwrap()
        };
        let (boil, anil, both) = (adapted("boil"), adapted("anil"), adapted("maml"));
        for entry in theta.layout().entries() {
            let is_head = entry.name.starts_with("head.");
            let (stays, moves) = if is_head {
                (&boil, &anil)
            } else {
                (&anil, &boil)
            };
            assert_eq!(
                stays.get(&entry.name),
                theta.get(&entry.name),
                "{}",
                entry.name
            );
            // After one step, what moves is where MAML has it.
            assert_eq!(
                moves.get(&entry.name),
                both.get(&entry.name),
                "{}",
                entry.name
            );
        }
        assert!(boil.plus(-1.0, &theta).norm() > 1e-4);
    }
}

/// Coordinate by coordinate on the two halves of a smooth network, one of which the inner loop leaves alone.
#[test]
fn the_gradient_agrees_with_differences() {
    let network = LinearSoftmax::halved(4, SHAPE.n_way);
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(100, layout.n_values()));
    let task = noise_task(0, SHAPE, 4);
    for trajectory in ["stored", "recompute"] {
        let config = maml("boil", 0.5, 7).with("trajectory", trajectory);
        let checked = config.validate().unwrap();
        let (learner, context) = (checked.double(), Context::training(&network, &task));
        let exact = learner.meta_gradient(&context, &theta).unwrap().gradient;
        for i in 0..layout.n_values() {
            let mut unit = Params::zeros(layout);
            unit.values_mut()[i] = 1.0;
            let difference = central_difference(&network, learner, &theta, &task, &unit, 1e-5);
            let error = (exact.values()[i] - difference).abs();
            assert!(error < 1e-7 * exact.norm(), "{trajectory}, {i}: {error:e}");
        }
    }
}
