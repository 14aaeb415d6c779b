//! Arithmetic of a pass, counted from the architecture: what a measured time is compared with.

use crate::Architecture;
use crate::registry::BlockKind;

/// Floating-point operations of one image in the convolutions and linear maps, a multiply-add counted as two.
///
/// Counted is the textbook algorithm; one that needs fewer multiplications (Winograd) shows as a higher rate.
/// Normalisation, ReLU and pooling are left out: they are a few operations a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Of [`crate::Network::outputs`].
    pub forward: u64,
    /// Of [`crate::Tape::gradient`], without the forward pass: the gradient of the weights, and that of the input in all
    /// layers but the first.
    pub backward: u64,
    /// Of [`crate::Tape::hessian_product`], without the forward and backward passes.
    pub hessian_product: u64,
}

impl Cost {
    /// Cost of a network of this architecture.
    #[must_use]
    pub fn of(architecture: &Architecture) -> Self {
        let blocks = architecture.blocks().iter().map(|block| {
            let window = match block.kind {
                BlockKind::ConvPool | BlockKind::ConvStrided => 9,
                BlockKind::Linear | BlockKind::LinearTanh => 1,
            };
            let pixels = block.hidden.height * block.hidden.width;
            2 * (pixels * window * block.input.channels * block.hidden.channels) as u64
        });
        let head = architecture
            .head()
            .map(|_| 2 * (architecture.n_features() * architecture.n_outputs()) as u64);
        let layers: Vec<u64> = blocks.chain(head).collect();
        let all: u64 = layers.iter().sum();
        let first = layers[0];
        Self {
            forward: all,
            backward: 2 * all - first,
            // Forward: x * dw and dx * w. Backward: two terms in each of weight and input gradient. The first layer has
            // neither dx nor an input gradient.
            hessian_product: (2 * all - first) + (4 * all - 3 * first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImageShape, NetworkConfig, Norm};

    #[test]
    fn conv4_of_the_papers() {
        let config = NetworkConfig {
            name: "conv4".to_owned(),
            form: None,
            image: ImageShape {
                height: 28,
                width: 28,
                channels: 1,
            },
            n_blocks: 4,
            width: 64,
            norm: Norm::Batch,
            n_way: None,
        };
        let cost = Cost::of(&Architecture::new(&config).unwrap());
        // 28-14-7-3 pixels a side, 9 taps, 1 then 64 input channels, 64 output channels.
        let layers = [784, 196 * 64, 49 * 64, 9 * 64].map(|n| 2 * n * 9 * 64_u64);
        assert_eq!(cost.forward, layers.iter().sum::<u64>());
        assert_eq!(cost.backward, 2 * cost.forward - layers[0]);
        assert_eq!(cost.hessian_product, 6 * cost.forward - 4 * layers[0]);
    }
}
