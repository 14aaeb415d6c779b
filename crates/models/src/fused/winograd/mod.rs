//! Winograd's minimal filtering F(4x4, 3x3): a 3x3 convolution with 36 multiplications for 16 outputs instead of 144
//! (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", CVPR, arXiv 1509.09308, section 4.2).
//!
//! ```text
//! y = A^T [ (G w G^T) .* (B^T d B) ] A        for each 4x4 tile y of the output and 6x6 tile d of the padded input
//! dw = G^T [ sum over tiles (A g A^T) .* (B^T d B) ] G
//! ```
//!
//! The products are sums over input channels (`y`) or over tiles (`dw`): 36 matrix products, one for each place of the
//! 6x6 tile. Everything is linear in `w` and in `d`, so tangents go through the same functions, and the gradient at the
//! input is a convolution with the turned weights. The factors lie
//! between 1/24 and 8: it loses about a digit to the direct sum.

mod filter;
mod lines;
mod product;
mod transform;

pub(super) use self::filter::Filter;
pub(super) use self::product::{Scratch, convolve, weight_gradient};
use super::conv::ROWS;
use super::geometry::{Geometry, LANES};

/// Rows and columns of a tile of the output.
const TILE: usize = 4;
/// Rows and columns of a tile of the input, and of a transformed tile.
const SIDE: usize = TILE + 2;
/// Places of a transformed tile.
const PLACES: usize = SIDE * SIDE;
/// Tiles of one pass of a convolution. With 64 channels the transformed map and the weights stay in the second-level cache; with more
/// the weights do not, and are read once a pass: for twice the tiles, half as often. A multiple of the register tile's rows.
fn pass(g: &Geometry) -> usize {
    (3 * g.c_in.max(g.c_out) / 8).next_multiple_of(ROWS).max(24)
}

/// Tiles of one pass of a weight gradient: enough that the sums, as many as the transformed weights, are rarely read and
/// written again.
fn weight_pass(g: &Geometry) -> usize {
    2 * pass(g)
}

/// Whether the convolution is faster this way: channels that the transforms can take, at least a third of the
/// multiplications saved, which tiles that stick out over an edge cost, and tiles enough to pay for four times as many
/// transformed weights as weights.
pub(super) fn pays(g: &Geometry) -> bool {
    let has_the_form = g.kernel == 3
        && g.stride == 1
        && g.c_in.is_multiple_of(LANES)
        && g.c_out.is_multiple_of(LANES);
    let tiles = Tiles::of(g).len();
    has_the_form && tiles >= 4 && 3 * PLACES * tiles <= 2 * 9 * g.out_pixels()
}

/// From one place's plane of `rows` tiles or channels to the next's. Without the extra lanes the planes are powers of two apart, and a
/// tile's 36 places compete for the same few lines of the first-level cache.
fn plane_stride(rows: usize, channels: usize) -> usize {
    rows * channels + LANES
}

/// The 4x4 tiles of an output map; at an edge they stick out, and what sticks out is zero.
#[derive(Clone, Copy, Debug)]
struct Tiles {
    rows: usize,
    columns: usize,
}

impl Tiles {
    fn of(g: &Geometry) -> Self {
        Self {
            rows: g.out_height().div_ceil(TILE),
            columns: g.out_width().div_ceil(TILE),
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
            within / self.columns * TILE,
            within % self.columns * TILE,
        )
    }
}

#[cfg(test)]
mod tests;
