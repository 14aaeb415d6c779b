//! What a run costs, measured on a few of its steps and tasks.

use std::time::Instant;

use anyhow::Result;
use metastable_algorithms::{Trainer, curves};
use metastable_data::MetaSplit;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::returns::{self, Lab};
use super::steps::Steps;
use super::{Material, Run, RunConfig, validated};

/// Measuring one thing goes on for so long.
const SECONDS: f64 = 0.3;
/// And for so many repetitions at the most.
const MOST: usize = 50;

/// Seconds of the parts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// One outer step.
    pub(crate) step: f64,
    /// One task of validation or test.
    pub(crate) task: f64,
    /// One task with its inner-loop curve.
    pub(crate) curve: f64,
}

impl Cost {
    /// Whether these are times.
    pub(crate) fn is_finite(&self) -> bool {
        [self.step, self.task, self.curve]
            .iter()
            .all(|seconds| seconds.is_finite() && *seconds >= 0.0)
    }

    /// Seconds of the whole run.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn of_run(&self, config: &RunConfig) -> f64 {
        config.training.outer_steps as f64 * self.step + self.of_measurement(config)
    }

    /// Seconds of validation and test alone.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn of_measurement(&self, config: &RunConfig) -> f64 {
        let training = &config.training;
        // Each member of an ensemble answers.
        let members = match config.test.averages_weights() {
            true => 1,
            false => config.test.checkpoints,
        };
        let of_test = members * config.test.episodes;
        let validations = training.outer_steps.div_ceil(training.validate_every);
        // The last weights are tested too.
        let tasks = validations * training.validation_tasks + 2 * of_test;
        let n_curves = config.test.curves.min(config.test.episodes);
        tasks as f64 * self.task + n_curves as f64 * self.curve
    }
}

/// What runs have in common that cost the same: their configuration without seeds, step counts of the training, and numbers
/// with a point (step sizes, temperatures).
pub(crate) fn kind(config: &RunConfig) -> Result<String> {
    let mut config = config.clone();
    config.training.outer_steps = 0;
    config.training.validate_every = 0;
    let mut tree = serde_json::to_value(&config)?;
    if let Value::Object(map) = &mut tree {
        for key in [
            "seeds",
            "data_digest",
            "split_digest",
            "glyphs",
            "pool",
            "repetition",
        ] {
            map.remove(key);
        }
    }
    drop_floats(&mut tree);
    Ok(tree.to_string())
}

fn drop_floats(tree: &mut Value) {
    match tree {
        Value::Object(map) => map.values_mut().for_each(drop_floats),
        Value::Array(items) => items.iter_mut().for_each(drop_floats),
        Value::Number(number) if number.is_f64() => *tree = Value::Null,
        _ => {}
    }
}

impl Run<'_> {
    /// Measures the parts of the run, on the threads of the current pool.
    pub(crate) fn cost(&self, material: &Material) -> Result<Cost> {
        let mut config = self.config().clone();
        // Nothing but steps: neither validations nor observations nor an end.
        config.training.outer_steps = usize::MAX / 2;
        config.training.validate_every = usize::MAX / 2;
        config.training.observe_every = 0;
        if let Some(lab) = Lab::of(&config)? {
            return self.cost_of_returns(&config, lab);
        }
        let training = material.training(&config)?;
        let validation = material.list(&config, MetaSplit::Validation)?;
        let state = self.initial_state()?;
        let weights = state.weights.clone();
        let train_tasks = |index| training.task(index);
        let test_tasks = |index| validation.task(index);
        let mut trainer = Trainer::new(
            self.network(),
            self.learner(),
            &train_tasks,
            &test_tasks,
            config.training.validate()?,
            state,
        )?;
        let step = seconds(|| Ok(trainer.step().map(drop)?))?;
        let task = seconds(|| self.evaluate(&weights, &test_tasks, 4).map(drop))? / 4.0;
        let curve = if config.test.curves == 0 {
            0.0
        } else {
            seconds(|| {
                let one = curves(self.network(), self.learner(), &weights, &test_tasks, 4);
                Ok(one.map(drop)?)
            })? / 4.0
        };
        Ok(Cost { step, task, curve })
    }

    /// The same of a policy: its curves are its test.
    fn cost_of_returns(&self, config: &RunConfig, lab: Lab) -> Result<Cost> {
        let state = self.initial_state()?;
        let theta = state.weights.theta.clone();
        let tests = Lab::of(config)?;
        let mut training = returns::Training::new(lab, &config.training, state);
        let step = seconds(|| training.step().map(drop))?;
        let task = seconds(|| match &tests {
            Some(lab) => lab.tested(&theta, 2).map(drop),
            None => Ok(()),
        })? / 2.0;
        Ok(Cost {
            step,
            task,
            curve: 0.0,
        })
    }
}

/// Mean seconds of one call; the first, which fills caches, does not count.
#[allow(clippy::cast_precision_loss, reason = "at most a few dozen")]
fn seconds(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let begun = Instant::now();
    let mut n = 0;
    while n < MOST && (n < 2 || begun.elapsed().as_secs_f64() < SECONDS) {
        work()?;
        n += 1;
    }
    Ok(begun.elapsed().as_secs_f64() / n as f64)
}

/// Bytes of an image's number and name in the file of the test.
const BYTES_OF_NAME: usize = 36;

/// Bytes that a finished run leaves, within a few per cent; `n_images` is the number of images of the test classes.
pub(crate) fn disk_bytes(config: &RunConfig, n_parameters: usize, n_images: usize) -> usize {
    let test = &config.test;
    let usual = test.sizes.usual(test.shape());
    // Weights twice and at each validation; lists of classes, record and manifest; see `results` for the meta-test and `log`
    // for a line.
    let training = &config.training;
    let n_files = 2 + usize::from(config.test.averages_weights());
    let weights = n_files * 4 * n_parameters + validated::n_bytes(training, n_parameters);
    let (n_supports, n_queries) = (usual.n_support(), usual.n_queries());
    let of_query = 1 + 4 + 4 + 4 * usual.n_way;
    let per_task = 2 * 8 + 5 * usual.n_way + 4 * n_supports + n_queries * of_query;
    let n_named = n_images.min(test.episodes * (n_supports + n_queries));
    let lines = training.outer_steps / config.log_every
        + training.outer_steps.div_ceil(training.validate_every);
    // A loss a step, a row of norms for at most 4,000 of them.
    let steps = training.outer_steps * 8 + training.outer_steps.min(4000) * 35;
    weights + test.episodes * per_task + n_named * BYTES_OF_NAME + lines * 350 + steps + 12_000
}
