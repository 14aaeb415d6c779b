//! Uniform draws from a keyed generator, written out here so that no release of another crate can change a figure.

use rand_chacha::rand_core::Rng;

/// A uniform draw from `0..n`, without bias.
///
/// Multiply-and-reject on 32 bits. `n` is at least 1.
/// # Source
/// Lemire 2019, "Fast random integer generation in an interval", algorithm 5.
pub(crate) fn below(rng: &mut impl Rng, n: u32) -> u32 {
    let mut product = u64::from(rng.next_u32()) * u64::from(n);
    if (product as u32) < n {
        let threshold = n.wrapping_neg() % n;
        while (product as u32) < threshold {
            product = u64::from(rng.next_u32()) * u64::from(n);
        }
    }
    (product >> 32) as u32
}

/// A random order of `0..n`, made one element at a time (Fisher and Yates), so that taking more never changes
/// what was taken before.
#[derive(Default)]
pub(crate) struct Permutation {
    items: Vec<u32>,
    n_taken: usize,
}

impl Permutation {
    /// Starts over with `0..n`, keeping the memory.
    pub(crate) fn restart(&mut self, n: u32) {
        self.items.clear();
        self.items.extend(0..n);
        self.n_taken = 0;
    }

    /// The next element, `None` when all are taken.
    pub(crate) fn next(&mut self, rng: &mut impl Rng) -> Option<u32> {
        let n_left = u32::try_from(self.items.len() - self.n_taken).ok()?;
        if n_left == 0 {
            return None;
        }
        let chosen = self.n_taken + below(rng, n_left) as usize;
        self.items.swap(self.n_taken, chosen);
        self.n_taken += 1;
        Some(self.items[self.n_taken - 1])
    }

    /// All elements in their random order.
    pub(crate) fn finish(&mut self, rng: &mut impl Rng) -> &[u32] {
        while self.next(rng).is_some() {}
        &self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seeds, Stream};

    #[test]
    fn every_value_is_as_likely_as_the_next() {
        // 70,000 draws of 7: a cell has mean 10,000 and SD 92.6; 5 SD gives a false alarm in 4e-6 of the keys.
        let mut rng = Seeds::all(1).rng(Stream::Task, 0);
        let mut counts = [0_i32; 7];
        for _ in 0..70_000 {
            counts[below(&mut rng, 7) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (count - 10_000).abs() < 463),
            "{counts:?}"
        );
    }

    #[test]
    fn a_permutation_holds_each_element_once() {
        let mut rng = Seeds::all(2).rng(Stream::Task, 0);
        let mut permutation = Permutation::default();
        for n in [1, 2, 5, 100] {
            permutation.restart(n);
            let mut items = permutation.finish(&mut rng).to_vec();
            items.sort_unstable();
            assert_eq!(items, (0..n).collect::<Vec<_>>());
            assert_eq!(permutation.next(&mut rng), None);
        }
    }
}
