//! MAML judged on its supports: the meta-gradient is MAML's of a task whose queries are its supports, and no query has a part in it.

use metastable_algorithms::{Context, Head, Task};
use metastable_models::Norm;

use crate::networks::{SHAPE, network, task};
use crate::second_order::maml;

#[test]
fn the_outer_loss_is_that_of_the_supports() {
    let (network, theta) = network("conv4", Norm::Batch, Head::Linear);
    let textbook = maml("support-maml", 0.1, 2).validate().unwrap();
    let right = maml("maml", 0.1, 2).validate().unwrap();
    let own = task(3);
    let n_pixels = own.support_images().len() / own.support_labels().len();
    let doubled = [own.support_images(), own.support_images()].concat();
    let labels = own.support_labels().to_vec();
    let doubled = Task::labeled(doubled, labels.clone(), labels).unwrap();
    let gradient = |checked: &metastable_algorithms::CheckedLearner, task: &Task<f64>| {
        let context = Context::training(&*network, task);
        checked.double().meta_gradient(&context, &theta).unwrap()
    };
    let found = gradient(&textbook, &own);
    assert_eq!(found.gradient, gradient(&right, &doubled).gradient);
    assert_ne!(found.gradient, gradient(&right, &own).gradient);
    // Other queries change nothing in training, and something at test.
    let others = task(9);
    let mixed = [own.support_images(), others.query_images()].concat();
    assert_eq!(
        mixed.len(),
        n_pixels * (SHAPE.n_support() + SHAPE.n_queries())
    );
    let mixed = Task::new(SHAPE, mixed).unwrap();
    assert_eq!(gradient(&textbook, &mixed).gradient, found.gradient);
    let predict = |checked: &metastable_algorithms::CheckedLearner, task: &Task<f64>| {
        let context = Context::training(&*network, task);
        checked.double().predict(&context, &theta).unwrap()
    };
    assert_ne!(predict(&textbook, &mixed), predict(&textbook, &own));
    assert_eq!(predict(&textbook, &own), predict(&right, &own));
}
