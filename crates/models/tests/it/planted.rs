//! Tests of the battery itself: a network with a known mistake must be rejected, its correct twin accepted.

use std::sync::Arc;

use candle_core::{D, Device, Tensor, Var};
use metastable_models::check::{self, Case};
use metastable_models::{
    ImageShape, Layout, Loss, ModelError, Network, NetworkConfig, Norm, Objective, Params, Pass,
    Tape,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    /// None: the control.
    None,
    /// candle's own max-pooling, whose first gradient is a quarter of the truth.
    MaxPool2d,
    /// Gradient right, but a path cut before the second derivative.
    Detached,
}

/// One 3x3 convolution, ReLU, 2x2 pooling, spatial mean as logits; 6x6 images, two classes.
#[derive(Debug)]
struct Planted {
    config: NetworkConfig,
    layout: Arc<Layout>,
    buffers: Arc<Layout>,
    mistake: Mistake,
}

impl Planted {
    fn new(mistake: Mistake) -> Self {
        let mut layout = Layout::default();
        layout.push("conv.weight", &[2, 1, 3, 3]);
        layout.push("conv.bias", &[2]);
        let image = ImageShape {
            height: 6,
            width: 6,
            channels: 1,
        };
        Self {
            config: NetworkConfig {
                name: "planted".to_owned(),
                form: None,
                image,
                n_blocks: 1,
                width: 2,
                norm: Norm::None,
                n_way: None,
            },
            layout: Arc::new(layout),
            buffers: Arc::default(),
            mistake,
        }
    }

    fn logits(&self, theta: &Tensor, images: &[f64]) -> candle_core::Result<Tensor> {
        let x = Tensor::from_slice(images, (images.len() / 36, 1, 6, 6), &Device::Cpu)?;
        let weight = theta.narrow(0, 0, 18)?.reshape((2, 1, 3, 3))?;
        let bias = theta.narrow(0, 18, 2)?.reshape((1, 2, 1, 1))?;
        let y = x
            .conv2d(&weight, 1, 1, 1, 1)?
            .broadcast_add(&bias)?
            .relu()?;
        #[allow(clippy::disallowed_methods, reason = "the mistake to be found")]
        let pooled = if self.mistake == Mistake::MaxPool2d {
            y.max_pool2d(2)?
        } else {
            let y = y.reshape((y.dim(0)?, 2, 3, 2, 3, 2))?;
            let y = y.narrow(3, 0, 1)?.maximum(&y.narrow(3, 1, 1)?)?;
            y.narrow(5, 0, 1)?
                .maximum(&y.narrow(5, 1, 1)?)?
                .reshape((y.dim(0)?, 2, 3, 3))?
        };
        pooled.mean((2, 3))
    }

    fn pass(
        &self,
        params: &Params<f64>,
        images: &[f64],
        labels: &[usize],
    ) -> candle_core::Result<PlantedTape> {
        let theta = Var::from_slice(params.values(), params.values().len(), &Device::Cpu)?;
        let logits = self.logits(theta.as_tensor(), images)?;
        let one_hot: Vec<_> = labels.iter().flat_map(|l| [(*l == 0), (*l == 1)]).collect();
        let one_hot: Vec<_> = one_hot.into_iter().map(f64::from).collect();
        let one_hot = Tensor::from_vec(one_hot, logits.dims(), &Device::Cpu)?;
        let log_sum = logits.exp()?.sum_keepdim(D::Minus1)?.log()?;
        let scale = -1.0 / labels.len() as f64;
        let loss = (logits.broadcast_sub(&log_sum)? * &one_hot)?
            .sum_all()?
            .affine(scale, 0.0)?;
        let value = loss.to_scalar()?;
        let surrogate = if self.mistake == Mistake::Detached {
            // dL/dlogits as a constant: the right gradient, and a Hessian without its Gauss-Newton part.
            let residual = (logits.broadcast_sub(&log_sum)?.exp()? - one_hot)?.detach();
            (residual * &logits)?.sum_all()?.affine(-scale, 0.0)?
        } else {
            loss
        };
        let gradient = surrogate.backward()?.get(&theta).cloned();
        Ok(PlantedTape {
            layout: Arc::clone(&self.layout),
            buffers: Arc::clone(&self.buffers),
            gradient: gradient.map_or_else(|| theta.zeros_like(), Ok)?,
            theta,
            value,
        })
    }
}

struct PlantedTape {
    layout: Arc<Layout>,
    buffers: Arc<Layout>,
    theta: Var,
    gradient: Tensor,
    value: f64,
}

fn fail(source: candle_core::Error) -> ModelError {
    ModelError::Candle {
        during: "a planted network",
        source,
    }
}

impl Network<f64> for Planted {
    fn config(&self) -> &NetworkConfig {
        &self.config
    }

    fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    fn buffers(&self) -> &Arc<Layout> {
        &self.buffers
    }

    fn n_outputs(&self) -> usize {
        2
    }

    fn outputs(
        &self,
        params: &Params<f64>,
        images: &[f64],
        _pass: Pass<'_, f64>,
    ) -> Result<Vec<f64>, ModelError> {
        let run = || {
            let theta = Tensor::from_slice(params.values(), params.values().len(), &Device::Cpu)?;
            self.logits(&theta, images)?.flatten_all()?.to_vec1()
        };
        run().map_err(fail)
    }

    fn record(
        &self,
        params: &Params<f64>,
        images: &[f64],
        _pass: Pass<'_, f64>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<f64> + '_>, ModelError> {
        let tape = self.pass(params, images, objective.labels).map_err(fail)?;
        Ok(Box::new(tape))
    }
}

impl Tape<f64> for PlantedTape {
    fn loss(&self) -> f64 {
        self.value
    }

    fn log_probabilities(&self) -> &[f64] {
        &[]
    }

    fn outputs(&self) -> &[f64] {
        &[]
    }

    fn statistics(&self) -> Params<f64> {
        Params::zeros(&self.buffers)
    }

    fn gradient(&mut self) -> Result<Params<f64>, ModelError> {
        let values = self.gradient.to_vec1().map_err(fail)?;
        Ok(Params::from_values(&self.layout, values))
    }

    fn hessian_product(&mut self, v: &Params<f64>) -> Result<Params<f64>, ModelError> {
        let run = || {
            let v = Tensor::from_slice(v.values(), v.values().len(), &Device::Cpu)?;
            let slope = (&self.gradient * v)?.sum_all()?;
            match slope.backward()?.get(&self.theta) {
                Some(product) => product.to_vec1(),
                None => Ok(vec![0.0; self.layout.n_values()]),
            }
        };
        Ok(Params::from_values(&self.layout, run().map_err(fail)?))
    }
}

fn errors_with(mistake: Mistake) -> check::Errors {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let network = Planted::new(mistake);
    let mut draw = |n: usize| -> Vec<f64> {
        (0..n)
            .map(|_| f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.4)
            .collect()
    };
    let params = Params::from_values(network.layout(), draw(20));
    let images = draw(4 * 36);
    let case = Case {
        params: &params,
        images: &images,
        pass: Pass::batch(0),
        objective: Objective {
            loss: Loss::CrossEntropy,
            n_way: 2,
            supports: &[],
            labels: &[0, 1, 1, 0],
            values: &[],
        },
    };
    check::derivatives(&network, case, &mut rng).unwrap()
}

#[test]
fn the_battery_accepts_a_right_network() {
    let errors = errors_with(Mistake::None);
    assert!(errors.acceptable(), "{errors:?}");
}

#[test]
fn the_battery_rejects_a_wrong_pooling_gradient() {
    let errors = errors_with(Mistake::MaxPool2d);
    assert!(errors.gradient > 0.1, "{errors:?}");
}

#[test]
fn the_battery_rejects_a_cut_second_derivative() {
    let errors = errors_with(Mistake::Detached);
    assert!(errors.gradient < check::TOLERANCE, "{errors:?}");
    assert!(errors.hessian_product > 0.1, "{errors:?}");
}
