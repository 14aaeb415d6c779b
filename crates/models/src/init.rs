//! The distributions that initial weights are drawn from, as the papers and the frameworks have them.
//!
//! `fan_in` is the number of weights of one output unit (`9 * in` of a convolution, `in` of a linear map), `fan_out` the number of
//! weights that one input value meets (`9 * out`, `out`).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::architecture::signed_unit;
use crate::network::DynRng;
use crate::{Architecture, Params, Real};

/// How initial weights are drawn. Norm scales start at 1 and their shifts at 0 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Blocks: uniform in `+-sqrt(6 / fan_in)`, whose variance is `2 / fan_in` (He et al. 2015, "Delving deep into rectifiers",
    /// eq. 10). Head: uniform in `+-1 / sqrt(fan_in)`. Biases 0.
    #[default]
    HeUniform,
    /// Blocks: normal of variance `2 / fan_in` (He et al. 2015, eq. 10). Head and biases as [`Init::HeUniform`].
    HeNormal,
    /// What PyTorch's `Conv2d` and `Linear` draw by themselves: weights `kaiming_uniform_(a=sqrt(5))`, which is uniform in
    /// `+-1 / sqrt(fan_in)` (of variance `1 / (3 fan_in)`), and biases from the same interval. In most codes of prototypical and
    /// matching networks, and in learn2learn and torchmeta, nobody says otherwise.
    Torch,
    /// Weights uniform in `+-sqrt(6 / (fan_in + fan_out))` (Glorot & Bengio 2010, "Understanding the difficulty of training deep
    /// feedforward neural networks", eq. 16), the head's too; biases 0. TensorFlow's default, and that of the convolutions in the
    /// code of Finn et al. 2017.
    Xavier,
}

impl Architecture {
    /// Fresh weights, drawn as [`Init::HeUniform`] says.
    pub fn initial_params<T: Real>(&self, rng: DynRng<'_>) -> Params<T> {
        self.initial_params_by(Init::default(), rng)
    }

    /// Fresh weights.
    ///
    /// Numbers are drawn in layout order: for a uniform weight one 64-bit number of the generator, for a normal one pairs of them
    /// until one lies in the unit disk (Marsaglia & Bray 1964). Computed in double precision, then rounded, so that `f32` weights
    /// are the rounded `f64` ones. Uniform draws need no function but the square root, which is rounded alike on every
    /// machine; normal ones need the logarithm as well, whose last bit may be the system's own.
    pub fn initial_params_by<T: Real>(&self, init: Init, rng: DynRng<'_>) -> Params<T> {
        let mut params = Params::zeros(self.layout());
        let values = params.values_mut();
        let mut draw = |range: &Range<usize>, spread: Spread| {
            for value in &mut values[range.clone()] {
                *value = T::of(spread.draw(rng));
            }
        };
        for block in self.blocks() {
            let taps = block.weight.len() / (block.hidden.channels * block.input.channels);
            let fans = Fans::of(taps, block.input.channels, block.hidden.channels);
            draw(&block.weight, fans.of_block(init));
            if let (Some(bias), Some(spread)) = (&block.bias, fans.of_bias(init)) {
                draw(bias, spread);
            }
        }
        if let Some(head) = self.head() {
            let fans = Fans::of(1, self.n_features(), self.n_outputs());
            draw(&head.weight, fans.of_head(init));
            if let Some(spread) = fans.of_bias(init) {
                draw(&head.bias, spread);
            }
        }
        if let Some(weight) = self.beside() {
            let n_outputs = weight.len() / self.n_features().max(1);
            draw(
                weight,
                Fans::of(1, self.n_features(), n_outputs).of_head(init),
            );
        }
        for norm in self.blocks().iter().filter_map(|block| block.norm.as_ref()) {
            values[norm.weight.clone()].fill(T::ONE);
        }
        params
    }
}

/// Weights of one output unit, and weights that one input value meets.
#[derive(Clone, Copy)]
struct Fans {
    fan_in: f64,
    fan_out: f64,
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
impl Fans {
    fn of(taps: usize, inputs: usize, outputs: usize) -> Self {
        Self {
            fan_in: (taps * inputs) as f64,
            fan_out: (taps * outputs) as f64,
        }
    }

    fn of_block(self, init: Init) -> Spread {
        match init {
            Init::HeUniform => Spread::Uniform((6.0 / self.fan_in).sqrt()),
            Init::HeNormal => Spread::Normal((2.0 / self.fan_in).sqrt()),
            Init::Torch => Spread::Uniform(1.0 / self.fan_in.sqrt()),
            Init::Xavier => Spread::Uniform((6.0 / (self.fan_in + self.fan_out)).sqrt()),
        }
    }

    fn of_head(self, init: Init) -> Spread {
        match init {
            Init::HeUniform | Init::HeNormal | Init::Torch => {
                Spread::Uniform(1.0 / self.fan_in.sqrt())
            }
            Init::Xavier => self.of_block(init),
        }
    }

    /// None where biases start at zero.
    fn of_bias(self, init: Init) -> Option<Spread> {
        match init {
            Init::Torch => Some(Spread::Uniform(1.0 / self.fan_in.sqrt())),
            Init::HeUniform | Init::HeNormal | Init::Xavier => None,
        }
    }
}

/// A distribution around zero.
#[derive(Clone, Copy)]
enum Spread {
    /// Uniform in plus or minus that.
    Uniform(f64),
    /// Normal, of that standard deviation.
    Normal(f64),
}

impl Spread {
    fn draw(self, rng: DynRng<'_>) -> f64 {
        match self {
            Self::Uniform(bound) => bound * signed_unit(rng),
            Self::Normal(deviation) => deviation * normal(rng),
        }
    }
}

/// A standard normal number, by the polar method; the second one of the pair is not used, so that draws do not depend on each other's
/// number.
fn normal(rng: DynRng<'_>) -> f64 {
    loop {
        let (x, y) = (signed_unit(rng), signed_unit(rng));
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImageShape, NetworkConfig, Norm};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn architecture(norm: Norm) -> Architecture {
        let config = NetworkConfig {
            name: "conv4".to_owned(),
            form: None,
            image: ImageShape {
                height: 16,
                width: 16,
                channels: 3,
            },
            n_blocks: 2,
            width: 64,
            norm,
            n_way: Some(10),
        };
        Architecture::new(&config).unwrap()
    }

    /// Largest magnitude, variance and fourth moment over the squared variance (1.8 of a uniform, 3 of a normal distribution).
    fn shape(values: &[f64]) -> (f64, f64, f64) {
        let mean = |power: i32| {
            values.iter().map(|value| value.powi(power)).sum::<f64>() / values.len() as f64
        };
        let largest = values
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()));
        (largest, mean(2), mean(4) / mean(2).powi(2))
    }

    #[test]
    fn weights_have_the_published_variances() {
        let architecture = architecture(Norm::Batch);
        // 64 * 64 * 9 weights: the variance is known to 0.7 % (uniform: 0.5 %), a bound is nearly reached.
        let fan = 64.0 * 9.0;
        for (init, variance, bound) in [
            (Init::HeUniform, 2.0 / fan, Some((6.0_f64 / fan).sqrt())),
            (Init::HeNormal, 2.0 / fan, None),
            (Init::Torch, 1.0 / (3.0 * fan), Some(1.0 / fan.sqrt())),
            (Init::Xavier, 1.0 / fan, Some((3.0_f64 / fan).sqrt())),
        ] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let params: Params<f64> = architecture.initial_params_by(init, &mut rng);
            let (largest, got, kurtosis) = shape(params.get("blocks.1.conv.weight").unwrap());
            assert!((got / variance - 1.0).abs() < 0.03, "{init:?}: {got}");
            let expected = if bound.is_some() { 1.8 } else { 3.0 };
            assert!((kurtosis - expected).abs() < 0.15, "{init:?}: {kurtosis}");
            if let Some(bound) = bound {
                let share = largest / bound;
                assert!(share > 0.999 && share <= 1.0, "{init:?}: {share}");
            }
            assert!(
                params
                    .get("blocks.1.norm.weight")
                    .unwrap()
                    .iter()
                    .all(|scale| scale.to_bits() == 1.0_f64.to_bits())
            );
        }
    }

    #[test]
    fn biases_are_drawn_where_pytorch_draws_them() {
        let architecture = architecture(Norm::None);
        for (init, drawn) in [
            (Init::HeUniform, false),
            (Init::HeNormal, false),
            (Init::Torch, true),
            (Init::Xavier, false),
        ] {
            let mut rng = ChaCha8Rng::seed_from_u64(2);
            let params: Params<f64> = architecture.initial_params_by(init, &mut rng);
            for (name, fan_in) in [("blocks.0.conv.bias", 27.0), ("head.bias", 1024.0_f64)] {
                let (largest, _, _) = shape(params.get(name).unwrap());
                assert_eq!(largest > 0.0, drawn, "{init:?} {name}");
                assert!(largest <= 1.0 / fan_in.sqrt(), "{init:?} {name}: {largest}");
            }
        }
    }

    #[test]
    fn single_precision_has_the_rounded_weights() {
        let architecture = architecture(Norm::Batch);
        for init in [Init::HeUniform, Init::HeNormal, Init::Torch, Init::Xavier] {
            let draw = || ChaCha8Rng::seed_from_u64(3);
            let wide: Params<f64> = architecture.initial_params_by(init, &mut draw());
            let single: Params<f32> = architecture.initial_params_by(init, &mut draw());
            assert_eq!(wide.cast::<f32>(), single);
        }
    }
}
