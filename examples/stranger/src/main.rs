//! A learner, a network, a data set and a question of another crate, in studies, reports and certificates of the laboratory:
//! `cargo run -- list`, `cargo run -- experiment study.toml`, `cargo run -- certify runs/stripes`.
//!
//! The learner is ProtoNet with weight decay inside its loss, `L(theta) + decay |theta|^2 / 2`.

mod question;

use metastable_algorithms::{
    Batch, Context, Differentiable, Head, Learner, LearnerEntry, MetaGradient, Predict, Prediction,
    Result, Train,
};
use metastable_data::{ClassImages, Dataset, ImageSize, Source};
use metastable_models::{BlockKind, Form, Loss, Metric, NetworkEntry, Params, Readout, Real, Tape};
use serde::{Deserialize, Serialize};

const LOSS: Loss = Loss::Prototype { metric: Metric::Euclidean, temperature: 1.0 };

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Decayed {
    decay: f64,
}

impl<T: Real> Predict<T> for Decayed {
    fn predict(&self, at: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let queries = self.query_loss(at, theta, at.task.query_labels())?;
        Ok(Prediction::of(&*queries, at.task.shape().n_way))
    }
}

impl<T: Real> Train<T> for Decayed {
    fn meta_gradient(&self, at: &Context<'_, T>, theta: &Params<T>) -> Result<MetaGradient<T>> {
        let mut queries = self.query_loss(at, theta, at.task.query_labels())?;
        let gradient = queries.gradient()?.plus(T::of(self.decay), theta);
        Ok(MetaGradient::of(&*queries, at.task, gradient, None))
    }

    #[rustfmt::skip]
    fn query_loss<'a>(
        &self, at: &Context<'a, T>, phi: &Params<T>, labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        at.record(LOSS, phi, Batch { images: at.task.images(), labels }, 0)
    }
}

impl<T: Real> Learner<T> for Decayed {
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }
}

impl<T: Real> Differentiable<T> for Decayed {
    #[rustfmt::skip]
    fn displaced_loss(
        &self, at: &Context<'_, T>, theta: &Params<T>, step: T, direction: &Params<T>,
    ) -> Result<T> {
        let theta = theta.plus(step, direction);
        let loss = self.query_loss(at, &theta, at.task.query_labels())?.loss();
        Ok(loss + T::of(self.decay * theta.dot(&theta) / 2.0))
    }
}

static DECAYED: LearnerEntry = LearnerEntry::of::<Decayed>(
    "decayed",
    "ProtoNet with weight decay inside its loss",
    "an example of this repository",
    Head::None,
);

const STRIPES: Source = Source {
    name: "stripes",
    spec: "stripes",
    summary: "sixty classes of stripes, told apart by width, slant and brightness",
    takes_ink: false,
    open: |_, options| {
        let classes = (0..60).map(|class| stripes(class, options.size));
        Dataset::from_classes("stripes", options.size, classes)
    },
};

/// Twenty images, each shifted by a pixel.
fn stripes(class: usize, size: ImageSize) -> ClassImages {
    let (width, n) = (size.width, size.n_pixels());
    let ink = move |at| (at % width + class % 10 * (at / width) + at / n) / (1 + class / 10);
    let pixels = (0..20 * n).map(|at| (ink(at) % 2 * (100 + class)) as u8).collect();
    ClassImages { name: format!("{class}"), alphabet: "stripes".to_owned(), pixels }
}

fn main() -> std::process::ExitCode {
    let form = Form::of(BlockKind::ConvPool, Readout::SpatialMean);
    let pooled = NetworkEntry { name: "pooled", summary: "conv4, then a mean over places", form };
    let registry = metastable::Registry::new().learner(&DECAYED).network(pooled).source(STRIPES);
    let registry = registry.question(&question::WORST);
    metastable::set_program("stranger");
    metastable::main_with(registry)
}
