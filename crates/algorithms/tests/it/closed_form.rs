//! Two networks whose loss, gradient and Hessian product fit on a page: nothing here is shared with the crates under
//! test.

use std::sync::Arc;

use metastable_data::EpisodeShape;
use metastable_models::{
    ImageShape, Layout, ModelError, Network, NetworkConfig, Norm, Objective, Params, Pass, Real,
    Tape,
};

use metastable_algorithms::Task;

/// `L(theta) = sum_i a_i theta_i^2 / 2`, the curvatures `a` being the pixels of the batch's only image.
pub(crate) struct Quadratic {
    config: NetworkConfig,
    layout: Arc<Layout>,
    buffers: Arc<Layout>,
}

/// `L(W) =` mean cross-entropy of `softmax(W x)`: smooth and truly curved.
pub(crate) struct LinearSoftmax {
    config: NetworkConfig,
    layout: Arc<Layout>,
    buffers: Arc<Layout>,
    n_pixels: usize,
    n_way: usize,
}

fn config(name: &str, n_pixels: usize, n_way: usize) -> NetworkConfig {
    NetworkConfig {
        name: name.to_owned(),
        form: None,
        image: ImageShape {
            height: 1,
            width: n_pixels,
            channels: 1,
        },
        n_blocks: 0,
        width: 0,
        norm: Norm::None,
        n_way: Some(n_way),
    }
}

impl Quadratic {
    pub(crate) fn new(n_values: usize) -> Self {
        let mut layout = Layout::default();
        layout.push("theta", &[n_values]);
        Self {
            config: config("quadratic", n_values, 1),
            layout: Arc::new(layout),
            buffers: Arc::default(),
        }
    }

    pub(crate) fn theta<T: Real>(&self, values: &[T]) -> Params<T> {
        Params::from_values(&self.layout, values.to_vec())
    }

    /// Supports with curvatures `a`, queries with curvatures `b`.
    pub(crate) fn task<T: Real>(a: &[T], b: &[T]) -> Task<T> {
        let shape = EpisodeShape {
            n_way: 1,
            k_shot: 1,
            n_query: 1,
        };
        Task::new(shape, [a, b].concat()).unwrap()
    }
}

struct QuadraticTape<T> {
    curvatures: Vec<T>,
    theta: Params<T>,
    /// The only class has probability 1.
    outputs: [T; 1],
}

impl<T: Real> Network<T> for Quadratic {
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
        1
    }

    fn outputs(&self, _: &Params<T>, _: &[T], _: Pass<'_, T>) -> Result<Vec<T>, ModelError> {
        Ok(vec![T::ZERO])
    }

    fn record(
        &self,
        params: &Params<T>,
        images: &[T],
        _: Pass<'_, T>,
        _: Objective<'_>,
    ) -> Result<Box<dyn Tape<T> + '_>, ModelError> {
        Ok(Box::new(QuadraticTape {
            curvatures: images.to_vec(),
            theta: params.clone(),
            outputs: [T::ZERO],
        }))
    }
}

impl<T: Real> QuadraticTape<T> {
    fn times(&self, v: &Params<T>) -> Params<T> {
        let values = self.curvatures.iter().zip(v.values());
        Params::from_values(v.layout(), values.map(|(a, v)| *a * *v).collect())
    }
}

impl<T: Real> Tape<T> for QuadraticTape<T> {
    fn loss(&self) -> T {
        let terms = self.curvatures.iter().zip(self.theta.values());
        terms
            .map(|(a, theta)| T::of(0.5) * *a * *theta * *theta)
            .sum()
    }

    fn log_probabilities(&self) -> &[T] {
        &self.outputs
    }

    fn outputs(&self) -> &[T] {
        &self.outputs
    }

    fn statistics(&self) -> Params<T> {
        Params::zeros(&Arc::default())
    }

    fn gradient(&mut self) -> Result<Params<T>, ModelError> {
        Ok(self.times(&self.theta))
    }

    fn hessian_product(&mut self, v: &Params<T>) -> Result<Params<T>, ModelError> {
        Ok(self.times(v))
    }
}

impl LinearSoftmax {
    pub(crate) fn new(n_pixels: usize, n_way: usize) -> Self {
        let mut layout = Layout::default();
        layout.push("weight", &[n_way, n_pixels]);
        Self::with(layout, n_pixels, n_way)
    }

    /// The same function; the weights of all classes but the last two are called a body.
    pub(crate) fn halved(n_pixels: usize, n_way: usize) -> Self {
        let mut layout = Layout::default();
        layout.push("body.weight", &[n_way - 2, n_pixels]);
        layout.push("head.weight", &[2, n_pixels]);
        Self::with(layout, n_pixels, n_way)
    }

    fn with(layout: Layout, n_pixels: usize, n_way: usize) -> Self {
        Self {
            config: config("linear-softmax", n_pixels, n_way),
            layout: Arc::new(layout),
            buffers: Arc::default(),
            n_pixels,
            n_way,
        }
    }

    /// `x W^T`, row by row.
    fn logits<T: Real>(&self, weight: &[T], images: &[T]) -> Vec<T> {
        let rows = images.chunks_exact(self.n_pixels);
        rows.flat_map(|x| {
            weight
                .chunks_exact(self.n_pixels)
                .map(move |w| w.iter().zip(x).map(|(w, x)| *w * *x).sum::<T>())
        })
        .collect()
    }
}

struct SoftmaxTape<'a, T> {
    network: &'a LinearSoftmax,
    images: Vec<T>,
    labels: Vec<usize>,
    log_probabilities: Vec<T>,
}

impl<T: Real> Network<T> for LinearSoftmax {
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
        self.n_way
    }

    fn outputs(
        &self,
        params: &Params<T>,
        images: &[T],
        _: Pass<'_, T>,
    ) -> Result<Vec<T>, ModelError> {
        Ok(self.logits(params.values(), images))
    }

    fn record(
        &self,
        params: &Params<T>,
        images: &[T],
        _: Pass<'_, T>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<T> + '_>, ModelError> {
        let mut log_probabilities = self.logits(params.values(), images);
        for row in log_probabilities.chunks_exact_mut(self.n_way) {
            let log_sum = row.iter().map(|z| z.exp()).sum::<T>().ln();
            for z in row {
                *z -= log_sum;
            }
        }
        Ok(Box::new(SoftmaxTape {
            network: self,
            images: images.to_vec(),
            labels: objective.labels.to_vec(),
            log_probabilities,
        }))
    }
}

impl<T: Real> SoftmaxTape<'_, T> {
    /// `sum_n r_n x_n^T / n_rows` for residuals `r`, `(n_rows, n_way)`.
    fn outer(&self, residuals: &[T]) -> Params<T> {
        let mut sum = Params::zeros(&self.network.layout);
        let n_pixels = self.network.n_pixels;
        let scale = T::ONE / T::of(self.labels.len() as f64);
        let rows = residuals.chunks_exact(self.network.n_way);
        for (r, x) in rows.zip(self.images.chunks_exact(n_pixels)) {
            for (r, sum) in r.iter().zip(sum.values_mut().chunks_exact_mut(n_pixels)) {
                for (sum, x) in sum.iter_mut().zip(x) {
                    *sum += *r * *x * scale;
                }
            }
        }
        sum
    }
}

impl<T: Real> Tape<T> for SoftmaxTape<'_, T> {
    fn loss(&self) -> T {
        let rows = self.log_probabilities.chunks_exact(self.network.n_way);
        let sum: T = rows.zip(&self.labels).map(|(row, y)| -row[*y]).sum();
        sum / T::of(self.labels.len() as f64)
    }

    fn log_probabilities(&self) -> &[T] {
        &self.log_probabilities
    }

    fn outputs(&self) -> &[T] {
        &self.log_probabilities
    }

    fn statistics(&self) -> Params<T> {
        Params::zeros(&self.network.buffers)
    }

    /// `r = p - onehot(y)`.
    fn gradient(&mut self) -> Result<Params<T>, ModelError> {
        let mut residuals: Vec<T> = self.log_probabilities.iter().map(|z| z.exp()).collect();
        let rows = residuals.chunks_exact_mut(self.network.n_way);
        for (row, y) in rows.zip(&self.labels) {
            row[*y] -= T::ONE;
        }
        Ok(self.outer(&residuals))
    }

    /// `dr = p (dz - p . dz)` with `dz = V x`.
    fn hessian_product(&mut self, v: &Params<T>) -> Result<Params<T>, ModelError> {
        let n_way = self.network.n_way;
        let mut dz = self.network.logits(v.values(), &self.images);
        let rows = dz.chunks_exact_mut(n_way);
        for (dz, log_p) in rows.zip(self.log_probabilities.chunks_exact(n_way)) {
            let mean: T = dz.iter().zip(log_p).map(|(dz, l)| *dz * l.exp()).sum();
            for (dz, l) in dz.iter_mut().zip(log_p) {
                *dz = l.exp() * (*dz - mean);
            }
        }
        Ok(self.outer(&dz))
    }
}
