//! The layers, in operations whose first and second derivatives are right in candle 0.11.1.
//!
//! Conventions, the fused backend's too: the gradient of ReLU at exactly 0 is 0 (PyTorch); of equal maxima in a pooling
//! window the first in row-major order takes the whole gradient (PyTorch). candle's own `relu` has 1 at 0, its `maximum`
//! halves ties, and its `max_pool2d` has a wrong gradient.

use std::ops::Range;

use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Linear, Module};

use super::losses::COSINE_EPS;
use crate::architecture::NORM_EPS;

/// One tensor of the flat vector of parameters, still flat.
pub(super) fn slice(theta: &Tensor, range: &Range<usize>) -> Result<Tensor> {
    theta.narrow(0, range.start, range.len())
}

/// `x weight^T + bias`; `x` is `(n, in)`, `weight` `(out, in)`.
pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    Linear::new(weight.clone(), bias.cloned()).forward(x)
}

/// Rows less a centre, divided by their length: `(x - c) / sqrt(|x - c|^2 + 1e-8)`.
pub(super) fn directions(x: &Tensor, centre: &Tensor) -> Result<Tensor> {
    let moved = x.broadcast_sub(centre)?;
    let length = moved
        .sqr()?
        .sum_keepdim(1)?
        .affine(1.0, COSINE_EPS)?
        .sqrt()?;
    moved.broadcast_div(&length)
}

/// 3x3 convolution with padding 1; `x` is `(n, in, height, width)`, `weight` `(out, in, 3, 3)`.
pub(super) fn conv(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    // With stride 2, candle works out the missing last row of the gradient from the height alone. A row or column of
    // zeros, where the padding has them anyway, makes both sides even and the question void.
    let x = match stride {
        1 => x.clone(),
        _ => x
            .pad_with_zeros(2, 0, height % 2)?
            .pad_with_zeros(3, 0, width % 2)?,
    };
    let config = Conv2dConfig {
        padding: 1,
        stride,
        ..Conv2dConfig::default()
    };
    Conv2d::new(weight.clone(), bias.cloned(), config).forward(&x)
}

/// Mean and biased variance of each channel (second dimension).
pub(super) fn moments(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let mean = channel_mean(x)?;
    let centered = x.broadcast_sub(&mean)?;
    let variance = channel_mean(&centered.sqr()?)?;
    Ok((mean.flatten_all()?, variance.flatten_all()?))
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias`, all four by channel.
pub(super) fn norm(
    x: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
) -> Result<Tensor> {
    let rank = x.rank();
    let std = variance.affine(1.0, NORM_EPS)?.sqrt()?;
    x.broadcast_sub(&per_channel(mean, rank)?)?
        .broadcast_div(&per_channel(&std, rank)?)?
        .broadcast_mul(&per_channel(weight, rank)?)?
        .broadcast_add(&per_channel(bias, rank)?)
}

/// `max(x, 0)`. A NaN stays one.
pub(super) fn relu(x: &Tensor) -> Result<Tensor> {
    let positive = x.detach().gt(0.0)?.to_dtype(x.dtype())?;
    x * positive
}

/// 2x2 max-pooling with stride 2 of `(n, channels, height, width)`; the last row or column of an odd size is dropped.
///
/// Each of the four corners is multiplied by whether it is the window's first maximum, a constant of the derivatives.
pub(super) fn max_pool(x: &Tensor) -> Result<Tensor> {
    let (n, channels, height, width) = x.dims4()?;
    let (rows, columns) = (height / 2, width / 2);
    let windows = x
        .narrow(2, 0, rows * 2)?
        .narrow(3, 0, columns * 2)?
        .contiguous()?
        .reshape((n * channels, rows, 2, columns, 2))?;
    let corner = |i: usize| {
        windows
            .narrow(2, i / 2, 1)?
            .narrow(4, i % 2, 1)?
            .contiguous()
    };
    let corners = [corner(0)?, corner(1)?, corner(2)?, corner(3)?];
    let mut pooled: Option<Tensor> = None;
    for (i, mine) in corners.iter().enumerate() {
        let mut wins: Option<Tensor> = None;
        for (j, other) in corners.iter().enumerate().filter(|(j, _)| *j != i) {
            // An earlier corner has to be beaten, a later one only matched.
            let (mine, other) = (mine.detach(), other.detach());
            let beats = if j < i {
                mine.gt(&other)?
            } else {
                mine.ge(&other)?
            };
            wins = Some(match wins {
                None => beats,
                Some(wins) => (wins * beats)?,
            });
        }
        let mask = wins.map_or_else(|| mine.ones_like(), |wins| wins.to_dtype(mine.dtype()))?;
        let part = (mine * mask)?;
        pooled = Some(match pooled {
            None => part,
            Some(pooled) => (pooled + part)?,
        });
    }
    pooled
        .unwrap_or(windows)
        .reshape((n, channels, rows, columns))
}

/// A vector over channels, ready to broadcast: `(1, c)` or `(1, c, 1, 1)`.
fn per_channel(vector: &Tensor, rank: usize) -> Result<Tensor> {
    match rank {
        2 => vector.reshape((1, ())),
        _ => vector.reshape((1, (), 1, 1)),
    }
}

/// Mean of each channel, dimensions kept.
fn channel_mean(x: &Tensor) -> Result<Tensor> {
    match x.rank() {
        2 => x.mean_keepdim(0),
        _ => x.mean_keepdim((0, 2, 3)),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn to_f64(x: &Tensor) -> Vec<f64> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn variable(values: &[f64], shape: &[usize]) -> Var {
        Var::from_tensor(&Tensor::from_slice(values, shape, &Device::Cpu).unwrap()).unwrap()
    }

    /// `d(sum weights * y)/dx`.
    fn pulled_back(y: &Tensor, weights: &[f64], x: &Var) -> Vec<f64> {
        let weights = Tensor::from_slice(weights, y.dims(), &Device::Cpu).unwrap();
        let gradient = (y * weights)
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        to_f64(gradient.get(x).unwrap())
    }

    #[test]
    fn the_first_of_equal_maxima_takes_the_gradient() {
        // Two windows side by side and a dropped column: all equal; the maximum twice, in the second row.
        let x = variable(&[5., 5., 1., 2., 9., 5., 5., 7., 7., 9.], &[1, 1, 2, 5]);
        let y = max_pool(x.as_tensor()).unwrap();
        assert_eq!(to_f64(&y), [5., 7.]);
        let gradient = pulled_back(&y, &[10., 100.], &x);
        assert_eq!(gradient, [10., 0., 0., 0., 0., 0., 0., 100., 0., 0.]);
    }

    #[test]
    fn relu_has_no_gradient_at_zero() {
        let x = variable(&[-1., 0., 2., f64::NAN], &[1, 4]);
        let y = relu(x.as_tensor()).unwrap();
        assert_eq!(to_f64(&y)[..3], [0., 0., 2.]);
        assert!(to_f64(&y)[3].is_nan(), "a NaN must not be hidden");
        assert_eq!(pulled_back(&y, &[1., 1., 1., 0.], &x)[..3], [0., 0., 1.]);
    }
}
