//! The images whose turn it is.

use metastable_models::Real;

use crate::Batch;

/// Images and labels of inner step `k`, `size` of all, fewer than there are.
///
/// They are taken in turn from a list that goes through the classes, then through the images of each: every minibatch
/// holds the classes as evenly as can be. Nothing is drawn, since an episode has the images of a class in random order.
pub(crate) fn minibatch<T: Real>(all: Batch<'_, T>, size: usize, k: usize) -> (Vec<T>, Vec<usize>) {
    let n_images = all.labels.len();
    let n_pixels = all.images.len() / n_images;
    let mut seen = Vec::new();
    let mut turns: Vec<(usize, usize)> = Vec::with_capacity(n_images);
    for (row, label) in all.labels.iter().enumerate() {
        if seen.len() <= *label {
            seen.resize(label + 1, 0);
        }
        turns.push((seen[*label], row));
        seen[*label] += 1;
    }
    // Stable: among the n-th images of their classes, rows stay in order.
    turns.sort_by_key(|(nth, _)| *nth);
    let (mut images, mut labels) = (
        Vec::with_capacity(size * n_pixels),
        Vec::with_capacity(size),
    );
    for turn in 0..size {
        let (_, row) = turns[(k * size + turn) % n_images];
        images.extend_from_slice(&all.images[row * n_pixels..][..n_pixels]);
        labels.push(all.labels[row]);
    }
    (images, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_take_turns_and_the_list_begins_again() {
        let all = Batch {
            images: &[0.0, 1.0, 2.0, 3.0, 4.0],
            labels: &[0, 0, 0, 1, 1],
        };
        // The list: 0 3 1 4 2.
        let steps = [0, 1, 2].map(|k| minibatch(all, 2, k));
        assert_eq!(steps[0], (vec![0.0, 3.0], vec![0, 1]));
        assert_eq!(steps[1], (vec![1.0, 4.0], vec![0, 1]));
        assert_eq!(steps[2], (vec![2.0, 0.0], vec![0, 0]));
    }
}
