//! Asks a network of your own: softmax regression on drawn glyphs, trained by MAML for a few steps.
//!
//! `cargo run -p metastable-probes --example own_network`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::sync::Arc;

use metastable_algorithms::{LearnerConfig, Task, TrainConfig, TrainState, Trainer};
use metastable_data::glyphs::{GlyphsConfig, generate};
use metastable_data::{EpisodeShape, MetaSplit, Rotations, Sampler, Seeds, Split};
use metastable_models::{
    ImageShape, Layout, ModelError, Network, NetworkConfig, Norm, Objective, Params, Pass, Tape,
};
use metastable_probes::{Protocol, Subject, geometry, sensitivity};

const N_WAY: usize = 2;
const SIDE: usize = 8;
const N_PIXELS: usize = SIDE * SIDE;

/// Logits `W x`, mean cross-entropy.
struct SoftmaxRegression {
    config: NetworkConfig,
    layout: Arc<Layout>,
    buffers: Arc<Layout>,
}

/// One batch at one `W`.
struct Recorded {
    layout: Arc<Layout>,
    images: Vec<f32>,
    labels: Vec<usize>,
    log_p: Vec<f32>,
}

fn logits(w: &[f32], images: &[f32]) -> Vec<f32> {
    let dot = |w: &[f32], x: &[f32]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
    let images = images.chunks_exact(N_PIXELS);
    images
        .flat_map(|x| w.chunks_exact(N_PIXELS).map(move |w| dot(w, x)))
        .collect()
}

impl Network<f32> for SoftmaxRegression {
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
        params: &Params<f32>,
        images: &[f32],
        _: Pass<'_, f32>,
    ) -> Result<Vec<f32>, ModelError> {
        Ok(logits(params.values(), images))
    }

    fn record(
        &self,
        params: &Params<f32>,
        images: &[f32],
        _: Pass<'_, f32>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<f32> + '_>, ModelError> {
        let mut log_p = logits(params.values(), images);
        for row in log_p.chunks_exact_mut(N_WAY) {
            let log_sum = row.iter().map(|z| z.exp()).sum::<f32>().ln();
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
    fn mean_outer(&self, r: &[f32]) -> Params<f32> {
        let mut sum = Params::zeros(&self.layout);
        for (r, x) in r
            .chunks_exact(N_WAY)
            .zip(self.images.chunks_exact(N_PIXELS))
        {
            for (i, sum) in sum.values_mut().iter_mut().enumerate() {
                *sum += r[i / N_PIXELS] * x[i % N_PIXELS] / self.labels.len() as f32;
            }
        }
        sum
    }
}

impl Tape<f32> for Recorded {
    fn loss(&self) -> f32 {
        let rows = self.log_p.chunks_exact(N_WAY).zip(&self.labels);
        -rows.map(|(row, label)| row[*label]).sum::<f32>() / self.labels.len() as f32
    }

    fn log_probabilities(&self) -> &[f32] {
        &self.log_p
    }

    fn outputs(&self) -> &[f32] {
        &self.log_p
    }

    fn statistics(&self) -> Params<f32> {
        Params::zeros(&Arc::default())
    }

    // r = p - onehot(label)
    fn gradient(&mut self) -> Result<Params<f32>, ModelError> {
        let mut r: Vec<f32> = self.log_p.iter().map(|log_p| log_p.exp()).collect();
        for (row, label) in self.labels.iter().enumerate() {
            r[row * N_WAY + label] -= 1.0;
        }
        Ok(self.mean_outer(&r))
    }

    // dr = p (dz - p . dz), dz = V x
    fn hessian_product(&mut self, v: &Params<f32>) -> Result<Params<f32>, ModelError> {
        let mut dr = logits(v.values(), &self.images);
        for (dz, log_p) in dr
            .chunks_exact_mut(N_WAY)
            .zip(self.log_p.chunks_exact(N_WAY))
        {
            let mean: f32 = dz.iter().zip(log_p).map(|(dz, l)| dz * l.exp()).sum();
            for (dz, l) in dz.iter_mut().zip(log_p) {
                *dz = l.exp() * (*dz - mean);
            }
        }
        Ok(self.mean_outer(&dr))
    }
}

fn network() -> SoftmaxRegression {
    let mut layout = Layout::default();
    layout.push("weight", &[N_WAY, N_PIXELS]);
    SoftmaxRegression {
        config: NetworkConfig {
            name: "softmax-regression".to_owned(),
            form: None,
            image: ImageShape {
                height: SIDE,
                width: SIDE,
                channels: 1,
            },
            n_blocks: 0,
            width: 0,
            norm: Norm::None,
            n_way: Some(N_WAY),
        },
        layout: Arc::new(layout),
        buffers: Arc::default(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let dataset = generate(&GlyphsConfig {
        side: SIDE,
        ..GlyphsConfig::default()
    })?;
    let seeds = Seeds::all(0);
    let split = Split::new(&dataset, &"random".parse()?, &seeds)?;
    let shape = EpisodeShape {
        n_way: N_WAY,
        k_shot: 2,
        n_query: 5,
    };
    let protocol = Protocol {
        learner: LearnerConfig::named("maml")
            .with("inner_lr", 0.1)
            .validate()?,
        episode: shape,
        test: shape,
        rotations: Rotations::Off,
        test_rotations: Rotations::Off,
        within_alphabet: false,
        pool: None,
        training: TrainConfig {
            outer_steps: 20,
            validate_every: 0,
            observe_every: 0,
            ..TrainConfig::default()
        },
        seeds,
    };

    let network = network();
    let theta = Params::zeros(&network.layout);
    let initial = TrainState::new(&network, &protocol.training.optimizer, theta);
    let classes = split.classes(MetaSplit::Train);
    let sampler = Sampler::new(&dataset, classes, shape, protocol.rotations, false)?;
    let tasks = |index| Task::gather(&dataset, &sampler.episode(&seeds, index));
    let plan = protocol.training.validate()?;
    let mut trainer = Trainer::new(
        &network,
        protocol.learner.single(),
        &tasks,
        &tasks,
        plan,
        initial,
    )?;
    while trainer.step()?.is_some() {}
    let weights = trainer.state().weights.clone();

    let n_steps = protocol.training.outer_steps;
    let from = (&dataset, &split);
    let subject = Subject::new(protocol, Box::new(network), weights, n_steps, from);
    let asked = sensitivity::ask(&subject, 4)?;
    let coupling = asked.coupling.ok_or("every learner answers this one")?;
    println!(
        "accuracy with all queries in one batch: {:?}",
        coupling.together
    );
    println!(
        "accuracy with each query alone:         {:?}",
        coupling.alone
    );
    // Softmax regression does not see the other queries of its batch.
    assert_eq!(coupling.together, coupling.alone);

    let curvature = geometry::ask(&subject, 4)?.curvature;
    let query = curvature.ok_or("every learner answers this one")?.query;
    println!(
        "largest eigenvalue of the query loss:   {:?}",
        query.largest
    );
    // Cross-entropy of a linear map is convex.
    assert!(query.smallest.iter().all(|value| *value > -1e-3));
    Ok(())
}
