//! From polylines to bytes: distance to the strokes, turned into coverage with a soft edge.

use super::geometry::{Point, Polyline, count};

/// Draws strokes given in frame units (`[0, 1]` squared) into `side * side` bytes; 255 is full ink.
///
/// With `d` the distance in pixels from a pixel's center to the nearest stroke and `w` the pen width in pixels,
/// `ink = clamp((w + 1) / 2 - d, 0, min(w, 1))`: exactly the share of the pixel that a straight stroke along the
/// grid covers, and near to it for others. A pen thinner than a pixel is therefore grey, as it is in an image
/// that was scaled down.
pub(crate) fn render(strokes: &[Polyline], pen_width: f64, side: usize, pixels: &mut [u8]) {
    let scale = count(side);
    let width = pen_width * scale;
    let reach = f64::midpoint(width, 1.0);
    let full = width.min(1.0);
    // Squared distance to the nearest stroke, infinite where no stroke is within reach.
    let mut nearest = vec![f64::INFINITY; side * side];
    for stroke in strokes {
        for segment in stroke.0.windows(2) {
            let (a, b) = (segment[0] * scale, segment[1] * scale);
            let columns = pixel_range(a.x.min(b.x) - reach, a.x.max(b.x) + reach, side);
            for row in pixel_range(a.y.min(b.y) - reach, a.y.max(b.y) + reach, side) {
                for column in columns.clone() {
                    let center = Point {
                        x: count(column) + 0.5,
                        y: count(row) + 0.5,
                    };
                    let cell = &mut nearest[row * side + column];
                    *cell = cell.min(squared_distance(center, a, b));
                }
            }
        }
    }
    for (pixel, squared) in pixels.iter_mut().zip(nearest) {
        *pixel = if squared < reach * reach {
            to_byte((reach - squared.sqrt()).clamp(0.0, full))
        } else {
            0
        };
    }
}

/// Rows or columns whose centers may lie between `low` and `high`.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the frame first"
)]
fn pixel_range(low: f64, high: f64, side: usize) -> std::ops::Range<usize> {
    let first = low.max(0.0) as usize;
    let end = (high.max(-1.0) + 1.0).min(count(side)) as usize;
    first.min(end)..end
}

/// Squared distance from `p` to the segment `a b`.
fn squared_distance(p: Point, a: Point, b: Point) -> f64 {
    let (ab, ap) = (b - a, p - a);
    let length_squared = ab.x * ab.x + ab.y * ab.y;
    let t = if length_squared > 0.0 {
        ((ap.x * ab.x + ap.y * ab.y) / length_squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let gap = ap - ab * t;
    gap.x * gap.x + gap.y * gap.y
}

/// Ink in `[0, 1]` as a byte, rounded.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ink is within [0, 1]"
)]
fn to_byte(ink: f64) -> u8 {
    (ink * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::super::geometry::pt;
    use super::*;

    /// A stroke along a pixel row covers exactly the area of the pen: closed form.
    #[test]
    fn a_stroke_along_the_grid_has_the_ink_of_its_area() {
        let side = 16;
        for (pen, rows) in [(0.5 / 16.0, [0, 128, 0]), (2.0 / 16.0, [128, 255, 128])] {
            let mut pixels = vec![0; side * side];
            let y = 7.5 / 16.0;
            render(
                &[Polyline(vec![pt(-1.0, y), pt(2.0, y)])],
                pen,
                side,
                &mut pixels,
            );
            for (row, ink) in (6..9).zip(rows) {
                assert!(
                    pixels[row * side..][..side].iter().all(|&p| p == ink),
                    "row {row}, pen {pen}: {:?}",
                    &pixels[row * side..][..side]
                );
            }
        }
    }

    #[test]
    fn a_stroke_outside_the_frame_leaves_no_ink() {
        let mut pixels = vec![9; 64];
        render(
            &[Polyline(vec![pt(-0.9, -0.5), pt(-0.5, 3.0), pt(3.0, 2.0)])],
            0.05,
            8,
            &mut pixels,
        );
        assert!(pixels.iter().all(|&p| p == 0));
    }
}
