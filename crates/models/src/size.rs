//! How large a network may be: one checked arithmetic, before anything is allocated.
//!
//! A configuration may come from a stranger's checkpoint, so no product of its numbers is trusted. All counts here
//! saturate in 128 bits and are compared with bounds; whoever passes [`NetworkConfig::n_stored`] can multiply plainly.

use crate::registry::{Beside, BlockKind, Form, HeadForm, Readout, form_of};
use crate::{ModelError, NetworkConfig, Norm};

/// Most blocks of a network.
pub const MAX_BLOCKS: usize = 1024;
/// Most values that a network stores, parameters and running statistics together: 16 GiB in single precision.
pub const MAX_STORED: usize = 1 << 32;
/// Most values of one image at any place of the network.
pub const MAX_MAP: usize = 1 << 30;

impl NetworkConfig {
    /// Number of values that the network stores, parameters and running statistics, without building it.
    ///
    /// # Errors
    /// [`ModelError::Config`] for a name that is unknown, and for sizes above [`MAX_BLOCKS`], [`MAX_STORED`] or
    /// [`MAX_MAP`].
    pub fn n_stored(&self) -> Result<usize, ModelError> {
        let form = form_of(self)?;
        at_most("network.n_blocks", self.n_blocks as u128, MAX_BLOCKS)?;
        at_most("network.width", self.width as u128, MAX_STORED)?;
        at_most("network.n_way", self.n_way.unwrap_or(1) as u128, MAX_STORED)?;
        if let Norm::PerStep { n_steps } = self.norm {
            at_most("network.norm.n_steps", n_steps as u128, MAX_STORED)?;
        }
        let image = self.image;
        let pixels = product(&[image.height, image.width, image.channels]);
        at_most("values of network.image", pixels, MAX_MAP)?;
        let stored = self.count(form)?;
        at_most("values stored by the network", stored, MAX_STORED)?;
        usize::try_from(stored)
            .map_err(|_| too_large("values stored by the network", stored, MAX_STORED))
    }

    /// The count itself, block by block.
    fn count(&self, form: Form) -> Result<u128, ModelError> {
        let mut sides = (self.image.height, self.image.width);
        let mut inputs = self.image.channels;
        let per_position = match form.block {
            BlockKind::Linear | BlockKind::LinearTanh => {
                inputs = inputs * sides.0 * sides.1;
                sides = (1, 1);
                1
            }
            BlockKind::ConvPool | BlockKind::ConvStrided => 9,
        };
        let beside = match self.norm {
            Norm::None => product(&[self.width]),
            Norm::Batch => product(&[2, self.width]),
            Norm::Running => product(&[4, self.width]),
            Norm::PerStep { n_steps } => product(&[2, n_steps, self.width]),
        };
        let mut stored = 0_u128;
        for _ in 0..self.n_blocks {
            if form.block == BlockKind::ConvStrided {
                sides = (sides.0.div_ceil(2), sides.1.div_ceil(2));
            }
            let map = product(&[sides.0, sides.1, self.width]);
            at_most("values of an image inside the network", map, MAX_MAP)?;
            if form.block == BlockKind::ConvPool {
                sides = (sides.0 / 2, sides.1 / 2);
            }
            let weight = product(&[self.width, inputs, per_position]);
            stored = stored.saturating_add(weight).saturating_add(beside);
            inputs = self.width;
        }
        let features = match form.readout {
            Readout::Flatten => product(&[sides.0, sides.1, inputs]),
            Readout::SpatialMean => inputs as u128,
        };
        if let Some(n_way) = self.n_way {
            let rows = n_way as u128;
            stored = stored.saturating_add(rows.saturating_mul(features.saturating_add(1)));
            if form.head == HeadForm::Unit {
                stored = stored.saturating_add(features);
            }
        }
        Ok(match form.beside {
            Beside::Nothing => stored,
            // Running statistics have no copy: a little too much.
            Beside::Copy => stored.saturating_mul(2),
            // A block has a weight, and a bias or scale and shift; a head has two or three tensors.
            Beside::PerTensor(n) => {
                let tensors = (self.n_blocks as u128).saturating_mul(3).saturating_add(3);
                stored.saturating_add((n as u128).saturating_mul(tensors))
            }
            Beside::Numbers(n) => stored.saturating_add(n as u128),
            Beside::Linear(n) => {
                let row = features.saturating_add(1);
                stored.saturating_add((n as u128).saturating_mul(row))
            }
        })
    }
}

/// A product that cannot wrap.
fn product(factors: &[usize]) -> u128 {
    let wide = factors.iter().map(|factor| *factor as u128);
    wide.fold(1, u128::saturating_mul)
}

fn at_most(what: &'static str, got: u128, most: usize) -> Result<(), ModelError> {
    if got <= most as u128 {
        return Ok(());
    }
    Err(too_large(what, got, most))
}

fn too_large(what: &'static str, got: u128, most: usize) -> ModelError {
    ModelError::Config {
        what,
        got: got.to_string(),
        advice: format!("must be at most {most}; take a smaller network or smaller images"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, ImageShape};

    fn config(name: &str, norm: Norm, n_way: Option<usize>) -> NetworkConfig {
        NetworkConfig {
            name: name.to_owned(),
            form: None,
            image: ImageShape {
                height: 13,
                width: 9,
                channels: 3,
            },
            n_blocks: 3,
            width: 7,
            norm,
            n_way,
        }
    }

    #[test]
    fn the_count_is_that_of_the_network_built() {
        let norms = [
            Norm::None,
            Norm::Batch,
            Norm::Running,
            Norm::PerStep { n_steps: 4 },
        ];
        for name in ["conv4", "conv4-strided", "mlp"] {
            for norm in norms {
                for n_way in [None, Some(5)] {
                    let config = config(name, norm, n_way);
                    let built = Architecture::new(&config).unwrap();
                    let values = built.layout().n_values() + built.buffers().n_values();
                    assert_eq!(config.n_stored().unwrap(), values, "{config:?}");
                }
            }
        }
    }

    #[test]
    fn no_number_of_a_configuration_is_too_large_to_be_refused() {
        let huge = [
            1_000_000_000_000_000_000,
            10_000_000_000_000_000_000,
            usize::MAX,
        ];
        for name in ["conv4", "conv4-strided", "mlp"] {
            for value in huge {
                let sound = config(name, Norm::Batch, Some(5));
                let mut crafted = vec![sound.clone(); 6];
                crafted[0].image.height = value;
                crafted[1].image.width = value;
                crafted[2].image.channels = value;
                crafted[3].n_blocks = value;
                crafted[4].width = value;
                crafted[5].n_way = Some(value);
                crafted.push(config(name, Norm::PerStep { n_steps: value }, Some(5)));
                let mut all = sound;
                all.image = ImageShape {
                    height: value,
                    width: value,
                    channels: value,
                };
                (all.n_blocks, all.width, all.n_way) = (value, value, Some(value));
                crafted.push(all);
                for config in crafted {
                    let error = Architecture::new(&config).unwrap_err().to_string();
                    assert!(
                        error.contains("at most") || error.contains("halved"),
                        "{error}"
                    );
                }
            }
        }
    }
}
