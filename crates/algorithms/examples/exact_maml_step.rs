//! One exact MAML step on a network of your own: softmax regression, its loss, gradient and Hessian product.
//!
//! `cargo run -p metastable-algorithms --example exact_maml_step`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::sync::Arc;

use metastable_algorithms::{Context, LearnerConfig, Task};
use metastable_data::EpisodeShape;
use metastable_models::{
    ImageShape, Layout, ModelError, Network, NetworkConfig, Norm, Objective, Params, Pass, Tape,
};

const N_WAY: usize = 2;
const N_PIXELS: usize = 3;

/// Logits `W x`, mean cross-entropy.
struct SoftmaxRegression {
    config: NetworkConfig,
    layout: Arc<Layout>,
    buffers: Arc<Layout>,
}

/// One batch at one `W`.
struct Recorded {
    layout: Arc<Layout>,
    images: Vec<f64>,
    labels: Vec<usize>,
    log_p: Vec<f64>,
}

fn logits(w: &[f64], images: &[f64]) -> Vec<f64> {
    let dot = |w: &[f64], x: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    let images = images.chunks_exact(N_PIXELS);
    images
        .flat_map(|x| w.chunks_exact(N_PIXELS).map(move |w| dot(w, x)))
        .collect()
}

impl Network<f64> for SoftmaxRegression {
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
        N_WAY
    }

    fn outputs(
        &self,
        params: &Params<f64>,
        images: &[f64],
        _: Pass<'_, f64>,
    ) -> Result<Vec<f64>, ModelError> {
        Ok(logits(params.values(), images))
    }

    fn record(
        &self,
        params: &Params<f64>,
        images: &[f64],
        _: Pass<'_, f64>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<f64> + '_>, ModelError> {
        let mut log_p = logits(params.values(), images);
        for row in log_p.chunks_exact_mut(N_WAY) {
            let log_sum = row.iter().map(|z| z.exp()).sum::<f64>().ln();
            row.iter_mut().for_each(|z| *z -= log_sum);
        }
        Ok(Box::new(Recorded {
            layout: Arc::clone(&self.layout),
            images: images.to_vec(),
            labels: objective.labels.to_vec(),
            log_p,
        }))
    }
}

impl Recorded {
    /// Mean over the batch of `r x^T`.
    fn mean_outer(&self, r: &[f64]) -> Params<f64> {
        let mut sum = Params::zeros(&self.layout);
        for (r, x) in r
            .chunks_exact(N_WAY)
            .zip(self.images.chunks_exact(N_PIXELS))
        {
            for (i, sum) in sum.values_mut().iter_mut().enumerate() {
                *sum += r[i / N_PIXELS] * x[i % N_PIXELS] / self.labels.len() as f64;
            }
        }
        sum
    }
}

impl Tape<f64> for Recorded {
    fn loss(&self) -> f64 {
        let rows = self.log_p.chunks_exact(N_WAY).zip(&self.labels);
        -rows.map(|(row, label)| row[*label]).sum::<f64>() / self.labels.len() as f64
    }

    fn log_probabilities(&self) -> &[f64] {
        &self.log_p
    }

    fn outputs(&self) -> &[f64] {
        &self.log_p
    }

    fn statistics(&self) -> Params<f64> {
        Params::zeros(&Arc::default())
    }

    // r = p - onehot(label)
    fn gradient(&mut self) -> Result<Params<f64>, ModelError> {
        let mut r: Vec<f64> = self.log_p.iter().map(|log_p| log_p.exp()).collect();
        for (row, label) in self.labels.iter().enumerate() {
            r[row * N_WAY + label] -= 1.0;
        }
        Ok(self.mean_outer(&r))
    }

    // dr = p (dz - p . dz), dz = V x
    fn hessian_product(&mut self, v: &Params<f64>) -> Result<Params<f64>, ModelError> {
        let mut dr = logits(v.values(), &self.images);
        for (dz, log_p) in dr
            .chunks_exact_mut(N_WAY)
            .zip(self.log_p.chunks_exact(N_WAY))
        {
            let mean: f64 = dz.iter().zip(log_p).map(|(dz, l)| dz * l.exp()).sum();
            for (dz, l) in dz.iter_mut().zip(log_p) {
                *dz = l.exp() * (*dz - mean);
            }
        }
        Ok(self.mean_outer(&dr))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut layout = Layout::default();
    layout.push("weight", &[N_WAY, N_PIXELS]);
    let network = SoftmaxRegression {
        config: NetworkConfig {
            name: "softmax-regression".to_owned(),
            form: None,
            image: ImageShape {
                height: 1,
                width: N_PIXELS,
                channels: 1,
            },
            n_blocks: 0,
            width: 0,
            norm: Norm::None,
            n_way: Some(N_WAY),
        },
        layout: Arc::new(layout),
        buffers: Arc::default(),
    };
    // Two classes, one support and two queries each: supports first, then queries, label by label.
    let shape = EpisodeShape {
        n_way: N_WAY,
        k_shot: 1,
        n_query: 2,
    };
    let images = [
        [1.0, 0.2, 0.0],
        [0.1, 1.0, 0.3],
        [0.9, 0.0, 0.4],
        [1.2, 0.3, 0.1],
        [0.0, 0.8, 0.0],
        [0.3, 1.1, 0.5],
    ];
    let task = Task::new(shape, images.concat())?;
    let theta = Params::from_values(&network.layout, vec![0.1, -0.2, 0.3, 0.0, 0.2, -0.1]);

    let mut gradients = Vec::new();
    for name in ["maml", "fomaml"] {
        let learner = LearnerConfig::named(name)
            .with("inner_lr", 0.5)
            .with("inner_steps", 5)
            .validate()?;
        let got = learner
            .double()
            .meta_gradient(&Context::training(&network, &task), &theta)?;
        // theta' = theta - beta * d L_query(phi_5) / d theta
        let stepped = theta.plus(-1.0, &got.gradient);
        let after = learner
            .double()
            .meta_gradient(&Context::training(&network, &task), &stepped)?;
        println!(
            "{name:>6}: query loss after adaptation {:.4}; after one outer step {:.4} nats",
            got.query_loss, after.query_loss
        );
        gradients.push(got.gradient);
    }
    let [exact, first_order] = [&gradients[0], &gradients[1]];
    let cosine = exact.dot(first_order) / (exact.norm() * first_order.norm());
    let gap = exact.plus(-1.0, first_order).norm() / exact.norm();
    println!("dropping the Hessians: cosine {cosine:.3}, relative error {gap:.3}");
    Ok(())
}
