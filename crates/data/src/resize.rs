//! Resizing by area: each output pixel is the mean of the input under it.
//!
//! Why this filter: it is antialiased by construction, keeps the share of ink exactly (but for rounding), never
//! overshoots (as Lanczos does around strokes) and is done in integers, so that every machine gives the same bytes.
//! Peers use others (a triangle filter in torchvision, Lanczos in MAML's own code); figures differ little, but a
//! record has to say which was used. Enlarging repeats pixels, with a mean where borders do not meet.
//! Height and width are scaled each on its own: an image that is not square is squeezed.

/// Name of the filter for records and cache keys.
pub const FILTER: &str = "area";

/// Mean of the input under each output pixel, rounded half up.
///
/// With the input cut into cells of `1 / side` of a pixel, overlaps are whole numbers: input pixel `i` covers
/// `[i * side, (i + 1) * side)` and output pixel `j` covers `[j * n, (j + 1) * n)`.
/// # Shapes
/// `image`: `(height, width)`; `out`: `(side, side)`, both row-major.
pub fn area(image: &[u8], height: usize, width: usize, side: usize, out: &mut [u8]) {
    assert_eq!(image.len(), height * width, "image has its stated size");
    assert_eq!(out.len(), side * side, "output has its stated size");
    if (height, width) == (side, side) {
        out.copy_from_slice(image);
        return;
    }
    let columns = overlaps(width, side);
    let rows = overlaps(height, side);
    // Sums over each row first: (height, side), at most 255 * width each.
    let mut row_sums = vec![0_u64; height * side];
    for (image_row, sums) in image
        .chunks_exact(width)
        .zip(row_sums.chunks_exact_mut(side))
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
    for (out_row, (first, weights)) in out.chunks_exact_mut(side).zip(&rows) {
        for (x, byte) in out_row.iter_mut().enumerate() {
            let sum: u64 = weights
                .iter()
                .enumerate()
                .map(|(dy, &weight)| row_sums[(first + dy) * side + x] * weight)
                .sum();
            *byte = ((sum + total / 2) / total) as u8;
        }
    }
}

/// [`area`] channel by channel.
///
/// # Shapes
/// `image`: `(height, width, channels)`; `out`: `(side, side, channels)`, both row-major.
pub(crate) fn each_channel(image: &[u8], height: usize, width: usize, side: usize, out: &mut [u8]) {
    let channels = out.len() / (side * side);
    if channels == 1 {
        area(image, height, width, side, out);
        return;
    }
    let mut resized = vec![0; side * side];
    for channel in 0..channels {
        let values = image.iter().skip(channel).step_by(channels);
        let plane: Vec<u8> = values.copied().collect();
        area(&plane, height, width, side, &mut resized);
        let places = out.iter_mut().skip(channel).step_by(channels);
        for (place, value) in places.zip(&resized) {
            *place = *value;
        }
    }
}

/// For each output pixel: the first input pixel under it and the overlap with it and those after; sum `n` each.
fn overlaps(n: usize, side: usize) -> Vec<(usize, Vec<u64>)> {
    (0..side)
        .map(|j| {
            let (start, end) = (j * n, (j + 1) * n);
            let (first, last) = (start / side, (end - 1) / side);
            let weights = (first..=last)
                .map(|i| (end.min((i + 1) * side) - start.max(i * side)) as u64)
                .collect();
            (first, weights)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: &[u8], (height, width): (usize, usize), side: usize, expected: &[u8]) {
        let mut out = vec![0; side * side];
        area(image, height, width, side, &mut out);
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
