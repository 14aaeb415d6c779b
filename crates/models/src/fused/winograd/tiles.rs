//! Tiles of a map, and how many of them make a pass.

use crate::fused::conv::ROWS;
use crate::fused::geometry::{Geometry, LANES};

/// Rows and columns of a tile of the output.
pub(super) const TILE: usize = 4;
/// Rows and columns of a tile of the input, and of a transformed tile.
pub(super) const SIDE: usize = TILE + 2;
/// Places of a transformed tile.
pub(super) const PLACES: usize = SIDE * SIDE;
/// Tiles of one pass of a convolution. With 64 channels the transformed map and the weights stay in the second-level cache; with more
/// the weights do not, and are read once a pass: for twice the tiles, half as often. A multiple of the register tile's rows.
pub(super) fn pass(g: &Geometry) -> usize {
    (3 * g.c_in.max(g.c_out) / 8).next_multiple_of(ROWS).max(24)
}

/// Tiles of one pass of a weight gradient: enough that the sums, as many as the transformed weights, are rarely read and
/// written again.
pub(super) fn weight_pass(g: &Geometry) -> usize {
    2 * pass(g)
}

/// From one place's plane of `rows` tiles or channels to the next's. Without the extra lanes the planes are powers of two apart, and a
/// tile's 36 places compete for the same few lines of the first-level cache.
pub(super) fn plane_stride(rows: usize, channels: usize) -> usize {
    rows * channels + LANES
}

/// The 4x4 tiles of an output map; at an edge they stick out, and what sticks out is zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    rows: usize,
    columns: usize,
}

impl Tiles {
    pub(super) fn of(g: &Geometry) -> Self {
        Self {
            rows: g.out_height().div_ceil(TILE),
            columns: g.out_width().div_ceil(TILE),
        }
    }

    /// Tiles of an image.
    pub(super) fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Image, and row and column of the first output pixel, of tile `tile` of a group of images.
    #[inline(always)]
    pub(super) fn place(&self, tile: usize) -> (usize, usize, usize) {
        let within = tile % self.len();
        (
            tile / self.len(),
            within / self.columns * TILE,
            within % self.columns * TILE,
        )
    }
}
