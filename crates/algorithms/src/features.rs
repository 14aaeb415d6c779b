//! The derivative of features with respect to the parameters, which the seam does not have: it gives gradients of losses, and products
//! with their Hessians. A product does.

use metastable_models::{Loss, Params, Real};

use crate::{Batch, Context, Result};

/// Images of one product: each is a class of its own, and two more are needed ([`metastable_models::Network::with_head`] has its limit).
const MOST_IMAGES: usize = 255;

/// `sum_i (df(x_i) / d theta)^T u_i` over the supports of a task: `cotangents` has a row `u_i` for each, `body` the parameters of the
/// network before any head. The result is in their order.
///
/// Under a cross-entropy whose head is zero every class has probability `1 / C`, whatever the features, so that the mixed part of
/// the Hessian along a head `V` whose rows add up to zero is `-1/n sum_i (df(x_i) / d theta)^T V_{y_i}`. With a label for each image
/// and `V_i = -n u_i` that is the sum; one row more, which no image has for a label, makes them add up to zero, and another, which is
/// zero, is that of the images whose turn it is not.
pub(crate) fn pull_back<T: Real>(
    context: &Context<'_, T>,
    body: &[T],
    cotangents: &[T],
) -> Result<Vec<T>> {
    let images = context.task.support_images();
    let n = context.task.support_labels().len();
    let width = cotangents.len() / n;
    let mut sum = vec![T::ZERO; body.len()];
    for first in (0..n).step_by(MOST_IMAGES) {
        let turn = first..n.min(first + MOST_IMAGES);
        let (idle, balance) = (turn.len(), turn.len() + 1);
        let n_classes = turn.len() + 2;
        let network = context.network.with_head(n_classes)?;
        let mut along = Params::zeros(network.layout());
        let head = &mut along.values_mut()[body.len()..][..n_classes * width];
        let factor = T::of(-(n as f64));
        let (rows, last) = head.split_at_mut(balance * width);
        for (row, u) in rows
            .chunks_exact_mut(width)
            .zip(cotangents.chunks_exact(width).skip(turn.start))
            .take(turn.len())
        {
            T::add_scaled(row, factor, u);
            T::add_scaled(last, -T::ONE, row);
        }
        let mut point = Params::zeros(network.layout());
        point.values_mut()[..body.len()].copy_from_slice(body);
        let of_image = |image: usize| {
            if turn.contains(&image) {
                image - turn.start
            } else {
                idle
            }
        };
        let labels: Vec<usize> = (0..n).map(of_image).collect();
        let headed = Context {
            network,
            ..*context
        };
        let batch = Batch {
            images,
            labels: &labels,
        };
        let mut tape = headed.record_as(Loss::CrossEntropy, &point, batch, 0, n_classes)?;
        let product = tape.hessian_product(&along)?;
        T::add_scaled(&mut sum, T::ONE, &product.values()[..body.len()]);
    }
    Ok(sum)
}
