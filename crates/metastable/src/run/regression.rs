//! The meta-test of a regression, and its file: `test.safetensors` with the error of every task, what was predicted at every query,
//! and the functions themselves.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use metastable_algorithms::{CURVE_FACTOR, Curve, Regressed, curves_over, regress};
use metastable_analysis::{Adaptation, ScoreScale};
use metastable_data::{FunctionTask, Functions, MetaSplit};

use super::Run;
use super::combined::Combined;
use super::folder::RunFolder;
use super::record::TestResult;
use super::tensors::TensorFile;
use super::workshop::Workshop;

/// Name of the tensor of scores.
const SCORE: &str = "task_mean_squared_error";

/// What a score of these runs is. The analysis takes scores of which more is better, so that errors are handed in with their sign
/// turned.
pub(crate) fn scale() -> ScoreScale {
    ScoreScale {
        // With "mean" before it, in sentences and tables, it reads as what it is.
        name: String::from("squared error"),
        lower_is_better: true,
    }
}

impl Run<'_> {
    /// Tests the checkpoints that `test.weights` names and then, if they are others, the last or the best ones.
    pub(super) fn test_regression(
        &self,
        shop: &Workshop<'_>,
        folder: &RunFolder,
        [chosen, other]: &[Combined; 2],
        functions: &Functions,
    ) -> Result<(Option<TestResult>, Option<TestResult>)> {
        let settings = &self.config().test;
        let tests = shop.material.list(self.config(), MetaSplit::Test)?;
        let tasks = |index| tests.task(index);
        let test = |combined: &Combined| -> Result<(TestResult, Regressed)> {
            let begun = Instant::now();
            let (network, learner) = (self.network(), self.learner());
            // There is one: `Run::check_combined` refuses more.
            let weights = &combined.members[0];
            let regressed = regress(network, learner, weights, &tasks, settings.episodes)?;
            Ok((
                TestResult::of_errors(combined.step(), &regressed, begun),
                regressed,
            ))
        };
        let (result, regressed) = test(chosen)?;
        // Of one step there is one set of weights.
        let differs = !other.is(chosen);
        let other = differs.then(|| test(other)).transpose()?;
        let (network, learner) = (self.network(), self.learner());
        let inner = learner.inner_loop();
        let curves = match (inner, settings.curves.min(settings.episodes)) {
            (None, _) | (_, 0) => None,
            (Some(inner), n) => {
                // As far as the curves of classes go, and at least to the steps of the test.
                let n_steps = (CURVE_FACTOR * inner.train_steps()).max(inner.test_steps());
                curves_over(network, learner, &chosen.members[0], &tasks, n, n_steps)?
            }
        };
        let list: Vec<FunctionTask> = (0..settings.episodes as u64)
            .map(|index| functions.task(index))
            .collect();
        let n_tasks = list.len();
        let mut file = TensorFile::default();
        let mut note = |key: &str, value: &str| {
            file.metadata.insert(key.to_owned(), value.to_owned());
        };
        note("identity", self.identity());
        note("data_digest", &shop.material.dataset.digest);
        note("score", "mean squared error of the queries");
        note("unit", "squared unit of the targets");
        note("direction", "lower is better");
        if let Some(curves) = &curves {
            note("trained_steps", &curves.trained_steps.to_string());
        }
        file.push(SCORE, &[n_tasks], &regressed.task_errors);
        if let Some((_, other)) = &other {
            file.push(&format!("other.{SCORE}"), &[n_tasks], &other.task_errors);
        }
        if let Some(curves) = &curves {
            let shape = [curves.tasks.len(), curves.n_steps + 1];
            let mut push = |name: &str, of: fn(&Curve) -> &Vec<f64>| {
                let values: Vec<f64> = curves.tasks.iter().flat_map(of).copied().collect();
                file.push(name, &shape, &values);
            };
            push("curves.support_loss", |curve| &curve.support_loss);
            push("curves.query_loss", |curve| &curve.query_loss);
        }
        for (at, (name, _)) in functions.family.parameters.iter().enumerate() {
            let values: Vec<f64> = list.iter().map(|task| task.parameters[at]).collect();
            file.push(&format!("parameters.{name}"), &[n_tasks], &values);
        }
        let (k, q) = (functions.n_support, functions.n_query);
        for (name, of) in [
            (
                "inputs",
                (|task| &task.inputs) as fn(&FunctionTask) -> &Vec<f64>,
            ),
            ("targets", |task| &task.targets),
        ] {
            let part = |from: usize, to: usize| -> Vec<f64> {
                list.iter()
                    .flat_map(|task| of(task)[from..to].to_vec())
                    .collect()
            };
            file.push(&format!("support_{name}"), &[n_tasks, k], &part(0, k));
            file.push(&format!("query_{name}"), &[n_tasks, q], &part(k, k + q));
        }
        file.push("predictions", &[n_tasks, q], &regressed.predictions);
        file.write(&folder.test())?;
        Ok((Some(result), other.map(|(result, _)| result)))
    }
}

/// What a test of a regression left.
pub(crate) struct Stored {
    /// Mean squared error of each task, `(n_tasks)`.
    pub(crate) errors: Vec<f64>,
    /// The same of the weights that were not chosen, if they are others.
    pub(crate) other: Option<Vec<f64>>,
    /// What was predicted at each query.
    pub(crate) predictions: Vec<f32>,
    /// Inner-loop curves, whose score is the error with its sign turned.
    pub(crate) adaptation: Option<Adaptation>,
}

/// Reads it.
pub(crate) fn read(path: &Path, identity: &str) -> Result<Stored> {
    let parse = || -> Result<Stored> {
        let file = TensorFile::read(path)?;
        ensure!(
            file.text("identity")? == identity,
            "it belongs to another run"
        );
        let adaptation = match file.get::<f64>("curves.query_loss")? {
            None => None,
            Some((shape, query_loss)) => Some(Adaptation {
                n_tasks: shape[0],
                trained_steps: file.text("trained_steps")?.parse()?,
                query_accuracy: turned(&query_loss),
                support_loss: file.need::<f64>("curves.support_loss")?.1,
                query_loss,
            }),
        };
        Ok(Stored {
            errors: file.need::<f64>(SCORE)?.1,
            other: file.get::<f64>(&format!("other.{SCORE}"))?.map(|it| it.1),
            predictions: file.need::<f32>("predictions")?.1,
            adaptation,
        })
    };
    parse().with_context(|| format!("{} does not fit its run", path.display()))
}

/// Errors as scores of which more is better.
pub(crate) fn turned(errors: &[f64]) -> Vec<f64> {
    errors.iter().map(|error| -error).collect()
}
