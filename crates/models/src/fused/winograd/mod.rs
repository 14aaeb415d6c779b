//! Winograd's minimal filtering F(2x2, 3x3): a 3x3 convolution with 16 multiplications for 4 outputs instead of 36
//! (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", CVPR, arXiv 1509.09308, section 4.1).
//!
//! ```text
//! y = A^T [ (G w G^T) .* (B^T d B) ] A        for each 2x2 tile y of the output and 4x4 tile d of the padded input
//! dw = G^T [ sum over tiles (A g A^T) .* (B^T d B) ] G
//! ```
//!
//! The products are sums over input channels (`y`) or over tiles (`dw`): 16 matrix products, one for each place of the
//! 4x4 tile. Everything is linear in `w` and in `d`, so tangents go through the same functions, and the gradient at the
//! input is a convolution with the turned weights. F(2x2, 3x3) uses sums, differences and halves only: it loses less
//! than a digit to the direct sum.

mod filter;
mod product;
mod transform;

pub(super) use self::filter::{Filter, add_in_torch_order};
pub(super) use self::product::{Scratch, convolve, weight_gradient};
use super::geometry::Geometry;

/// Places of a transformed tile.
const PLACES: usize = 16;
/// Channels that the transforms handle at a time; layers whose channels it does not divide are convolved directly.
const LANES: usize = 16;
/// Tiles of one pass: both transformed maps, and the weights, stay in the second-level cache. A multiple of the
/// register tile's rows.
const PASS: usize = 48;

/// Whether the convolution is faster this way: channels that the transforms can take, and at least a third of the
/// multiplications saved, which tiles that stick out over an odd edge cost.
pub(super) fn pays(g: &Geometry) -> bool {
    let has_the_form = g.kernel == 3
        && g.stride == 1
        && g.c_in.is_multiple_of(LANES)
        && g.c_out.is_multiple_of(LANES);
    let (own, direct) = (PLACES * Tiles::of(g).len(), 9 * g.out_pixels());
    has_the_form && 3 * own <= 2 * direct
}

/// Values of the sum of a weight gradient, `(16, c_in, c_out)`.
pub(super) fn n_sums(g: &Geometry) -> usize {
    PLACES * g.c_in * g.c_out
}

/// The 2x2 tiles of an output map; at an odd edge they stick out, and what sticks out is zero.
#[derive(Clone, Copy, Debug)]
struct Tiles {
    rows: usize,
    columns: usize,
}

impl Tiles {
    fn of(g: &Geometry) -> Self {
        Self {
            rows: g.out_height().div_ceil(2),
            columns: g.out_width().div_ceil(2),
        }
    }

    /// Tiles of an image.
    fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Image, and row and column of the first output pixel, of tile `tile` of a group of images.
    #[inline(always)]
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let within = tile % self.len();
        (
            tile / self.len(),
            within / self.columns * 2,
            within % self.columns * 2,
        )
    }
}

#[cfg(test)]
mod tests;
