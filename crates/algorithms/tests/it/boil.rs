//! BOIL moves the body alone in its inner loop: what ANIL leaves it moves, and what ANIL moves it leaves.

use metastable_algorithms::{Context, Head};
use metastable_models::Norm;

use crate::networks::{network, task};
use crate::second_order::{agrees_on_halves, maml};

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

#[test]
fn the_gradient_agrees_with_differences() {
    agrees_on_halves("boil");
}
