//! The fused CPU path: each layer has a hand-derived value, gradient, and tangents of both; no graph is built.
//!
//! Start reading at [`network`](self) (the composition), then `block.rs` (one layer, its four methods), `norm.rs` (the
//! algebra), `kernel.rs` (the convolutions, where the time goes: `winograd/`, `conv.rs` and `conv_weight.rs`). A pass whose
//! derivatives nobody wants takes a shorter way (`outputs` of each layer, `peak.rs`). Activations are channels-last, each padded by
//! what the next layer needs, so that a row of a 3x3 window is one contiguous run. Sums over images go group by group, in order:
//! no bit depends on the number of threads.

mod affine;
mod arena;
mod block;
mod conv;
mod conv_weight;
mod cross_entropy;
mod direction;
mod geometry;
mod judged;
mod kernel;
mod layer;
mod loss;
mod metric_loss;
mod network;
mod norm;
mod peak;
mod point;
mod simd;
mod softmax;
mod spatial;
mod stem;
mod tanh;
mod unit_rows;
mod value_loss;
mod window;
mod winograd;

pub use network::FusedNetwork;
pub(crate) use simd::dispatch;
pub use simd::instruction_set;
