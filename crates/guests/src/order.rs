//! The order in which images are sent: a function of the pixels and a key, so that it cannot say more than the images do.
//!
//! Inside this program supports and queries stand label by label; sent so, the place of a query would be its answer. A shuffle
//! by chance would do, but would add noise to every question: the same task asked twice would come in two orders. An order by
//! the pixels is the same whenever the images are, also under other labels, so that a learner that minds the order shows it where it is
//! asked about (C8), and nowhere else.

/// The places `0..n` of rows in the order in which they are sent; equal images stay as they stand.
#[must_use]
pub fn order<'r>(rows: impl Iterator<Item = &'r [u8]>, key: u64) -> Vec<usize> {
    let mut keyed: Vec<(u64, usize)> = rows
        .enumerate()
        .map(|(at, row)| (mixed(u64::from(crc32fast::hash(row)) ^ mixed(key)), at))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, at)| at).collect()
}

/// A bijection without visible structure: the output function of `SplitMix64` (Steele, Lea & Flood 2014, OOPSLA).
fn mixed(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SplitMix64` seeded with 0: the first values that its authors' Java gives.
    #[test]
    fn the_mixture_is_the_published_one() {
        assert_eq!(mixed(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mixed(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn the_order_is_one_of_the_images_and_of_the_key() {
        let images: Vec<[u8; 4]> = (0..20_u8).map(|i| [i, i.wrapping_mul(37), 7, i]).collect();
        let of = |rows: &[[u8; 4]], key| -> Vec<[u8; 4]> {
            let order = order(rows.iter().map(<[u8; 4]>::as_slice), key);
            order.into_iter().map(|at| rows[at]).collect()
        };
        let mut reversed = images.clone();
        reversed.reverse();
        assert_eq!(of(&images, 1), of(&reversed, 1));
        assert_ne!(of(&images, 1), of(&images, 2));
        let mut sorted = of(&images, 1);
        sorted.sort_unstable();
        assert_eq!(sorted, images);
        assert_ne!(of(&images, 1), images);
    }
}
