//! Resizing by area: each output pixel is the mean of the input under it.
//!
//! Why this filter: it is antialiased by construction, keeps the share of ink exactly (but for rounding), never
//! overshoots (as Lanczos does around strokes) and is done in integers, so that every machine gives the same bytes.
//! Peers use others (a triangle filter in torchvision, Lanczos in MAML's own code); figures differ little, but a
//! record has to say which was used. Enlarging repeats pixels, with a mean where borders do not meet.
//! Height and width are scaled each on its own: an image of another shape than the target is squeezed.

use crate::ImageSize;

/// Name of the filter for records and cache keys.
pub const FILTER: &str = "area";

/// Mean of the input under each output pixel, rounded half up.
///
/// Along each axis: with `n` pixels of the input cut into cells of `1 / m` of a pixel for `m` of the output, overlaps are whole
/// numbers: input pixel `i` covers `[i * m, (i + 1) * m)` and output pixel `j` covers `[j * n, (j + 1) * n)`.
/// # Shapes
/// `image`: `(height, width)`; `out`: height and width of `to`; both row-major.
pub fn area(image: &[u8], height: usize, width: usize, to: impl Into<ImageSize>, out: &mut [u8]) {
    let to = to.into();
    assert_eq!(image.len(), height * width, "image has its stated size");
    assert_eq!(out.len(), to.n_pixels(), "output has its stated size");
    if (height, width) == (to.height, to.width) {
        out.copy_from_slice(image);
        return;
    }
    let columns = overlaps(width, to.width);
    let rows = overlaps(height, to.height);
    // Sums over each row first: (height, width of the target), at most 255 * width each.
    let mut row_sums = vec![0_u64; height * to.width];
    for (image_row, sums) in image
        .chunks_exact(width)
        .zip(row_sums.chunks_exact_mut(to.width))
    {
        for (sum, (first, weights)) in sums.iter_mut().zip(&columns) {
            *sum = image_row[*first..]
                .iter()
                .zip(weights)
                .map(|(&byte, &weight)| u64::from(byte) * weight)
                .sum();
        }
    }
    let total = (height * width) as u64;
    for (out_row, (first, weights)) in out.chunks_exact_mut(to.width).zip(&rows) {
        for (x, byte) in out_row.iter_mut().enumerate() {
            let sum: u64 = weights
                .iter()
                .enumerate()
                .map(|(dy, &weight)| row_sums[(first + dy) * to.width + x] * weight)
                .sum();
            *byte = ((sum + total / 2) / total) as u8;
        }
    }
}

/// [`area`] channel by channel.
///
/// # Shapes
/// `image`: `(height, width, channels)`; `out`: height and width of `to` and as many channels; both row-major.
pub(crate) fn each_channel(
    image: &[u8],
    height: usize,
    width: usize,
    to: ImageSize,
    out: &mut [u8],
) {
    let channels = out.len() / to.n_pixels();
    if channels == 1 {
        area(image, height, width, to, out);
        return;
    }
    let mut resized = vec![0; to.n_pixels()];
    for channel in 0..channels {
        let values = image.iter().skip(channel).step_by(channels);
        let plane: Vec<u8> = values.copied().collect();
        area(&plane, height, width, to, &mut resized);
        let places = out.iter_mut().skip(channel).step_by(channels);
        for (place, value) in places.zip(&resized) {
            *place = *value;
        }
    }
}

/// For each output pixel: the first input pixel under it and the overlap with it and those after; sum `n` each.
fn overlaps(n: usize, m: usize) -> Vec<(usize, Vec<u64>)> {
    (0..m)
        .map(|j| {
            let (start, end) = (j * n, (j + 1) * n);
            let (first, last) = (start / m, (end - 1) / m);
            let weights = (first..=last)
                .map(|i| (end.min((i + 1) * m) - start.max(i * m)) as u64)
                .collect();
            (first, weights)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        image: &[u8],
        (height, width): (usize, usize),
        to: impl Into<ImageSize>,
        expected: &[u8],
    ) {
        let mut out = vec![0; expected.len()];
        area(image, height, width, to, &mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn hand_computed_cases() {
        check(&[1, 2, 3, 4], (2, 2), 2, &[1, 2, 3, 4]);
        check(&[10, 20, 30, 40], (2, 2), 1, &[25]);
        // 3 -> 2: each output covers 1.5 pixels; top left = (90 + 0/2 + 30/2 + 60/4) / 2.25 = 53.3.
        check(&[90, 0, 0, 30, 60, 0, 0, 0, 9], (3, 3), 2, &[53, 7, 13, 11]);
        check(
            &[0, 255, 255, 0],
            (2, 2),
            4,
            &[
                0, 0, 255, 255, 0, 0, 255, 255, 255, 255, 0, 0, 255, 255, 0, 0,
            ],
        );
        // Twice as wide as high: rows stay, columns are averaged in pairs.
        check(
            &[0, 100, 50, 50, 200, 200, 0, 3],
            (2, 4),
            2,
            &[50, 50, 200, 2],
        );
    }

    #[test]
    fn hand_computed_cases_that_are_not_square() {
        let to = |height, width| ImageSize { height, width };
        let image = [0, 100, 50, 50, 200, 200, 0, 3];
        check(&image, (2, 4), to(2, 4), &image);
        // Both rows in one: (0 + 200) / 2, (100 + 200) / 2, (50 + 0) / 2, (50 + 3) / 2 = 26.5.
        check(&image, (2, 4), to(1, 4), &[100, 150, 25, 27]);
        // Pairs of columns in one.
        check(&image, (2, 4), to(2, 2), &[50, 50, 200, 2]);
        // Four columns to three, each 4/3 wide: (0 + 100 / 3) / (4/3) = 25, (200 / 3 + 100 / 3) / (4/3) = 75, (50 / 3 + 50) / (4/3) = 50.
        check(&[0, 100, 50, 50], (1, 4), to(1, 3), &[25, 75, 50]);
        // A square to three rows of one pixel: rows of two thirds: 10 and 20, then both halves, then 30 and 40.
        check(&[10, 20, 30, 40], (2, 2), to(3, 1), &[15, 25, 35]);
        // Channels apart from each other.
        let mut out = [0; 4];
        each_channel(&[0, 9, 100, 9, 50, 9, 50, 9], 1, 4, to(1, 2), &mut out);
        assert_eq!(out, [50, 9, 50, 9]);
    }

    #[test]
    fn ink_is_kept() {
        // Mean of the output = mean of the input up to the rounding of each byte (at most half a grey level).
        let image: Vec<u8> = (0..105 * 105_u32).map(|i| (i * i % 251) as u8).collect();
        let mean = |bytes: &[u8]| {
            bytes.iter().map(|&byte| f64::from(byte)).sum::<f64>() / bytes.len() as f64
        };
        for side in [1, 20, 28, 84, 105, 130] {
            let mut out = vec![0; side * side];
            area(&image, 105, 105, side, &mut out);
            assert!((mean(&out) - mean(&image)).abs() <= 0.5, "{side}");
        }
    }
}
