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
mod tiles;
mod transform;

pub(super) use self::filter::Filter;
pub(super) use self::product::{Scratch, convolve, weight_gradient};
use self::tiles::{PLACES, Tiles};
use super::geometry::{Geometry, LANES};

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

#[cfg(test)]
mod tests;
