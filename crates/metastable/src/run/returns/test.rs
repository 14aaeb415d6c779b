//! The meta-test of a policy, and its file: `test.safetensors` with every return, after each number of inner steps, the tasks, and the
//! best that each allows.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use metastable_algorithms::Weights;

use super::lab::Lab;
use super::returned::Returned;
use crate::run::combined::Combined;
use crate::run::record::TestResult;
use crate::run::tensors::TensorFile;
use crate::run::{Run, RunConfig, RunFolder, Workshop};

impl Run<'_> {
    /// What a policy gets on the first tasks of the test.
    pub(crate) fn returns(&self, weights: &Weights<f32>, n_tasks: usize) -> Result<Returned> {
        let lab = Lab::of(self.config())?.context("it is no run of a policy, which is a bug")?;
        lab.tested(&weights.theta, n_tasks)
    }

    /// Tests the checkpoints that `test.weights` names and then, if they are others, the last or the best ones.
    pub(in crate::run) fn test_returns(
        &self,
        shop: &Workshop<'_>,
        folder: &RunFolder,
        [chosen, other]: &[Combined; 2],
    ) -> Result<(Option<TestResult>, Option<TestResult>)> {
        let config = self.config();
        let lab = Lab::of(config)?.context("it is no run of a policy, which is a bug")?;
        let n_tasks = config.test.episodes;
        let test = |combined: &Combined| -> Result<(TestResult, Returned)> {
            let begun = Instant::now();
            // There is one: `Run::check_combined` refuses more.
            let returned = lab.tested(&combined.members[0].theta, n_tasks)?;
            Ok((
                TestResult::of_returns(combined.step(), &returned, begun),
                returned,
            ))
        };
        let (result, returned) = test(chosen)?;
        let other = (!other.is(chosen)).then(|| test(other)).transpose()?;
        let mut file = TensorFile::default();
        let mut note = |key: &str, value: &str| {
            file.metadata.insert(key.to_owned(), value.to_owned());
        };
        note("identity", self.identity());
        note("data_digest", &shop.material.dataset.digest);
        note(
            "score",
            "mean return of the rollouts after the last inner step",
        );
        note("unit", "sum of rewards, without discount");
        note("direction", "higher is better");
        let shape = [n_tasks, returned.n_points(), returned.n_rollouts];
        file.push("returns", &shape, &returned.returns);
        if let Some((_, other)) = &other {
            file.push("other.returns", &shape, &other.returns);
        }
        file.push("task_return", &[n_tasks], &returned.scores());
        if let Some(best) = &returned.best {
            file.push("best_return", &[n_tasks], best);
        }
        let n_numbers = returned.numbers.len() / n_tasks;
        file.push("tasks", &[n_tasks, n_numbers], &returned.numbers);
        file.write(&folder.test())?;
        Ok((Some(result), other.map(|(result, _)| result)))
    }
}

/// Reads what a test left: of the weights that were chosen, and of the others if they are others.
pub(crate) fn read(
    path: &Path,
    identity: &str,
    config: &RunConfig,
) -> Result<(Returned, Option<Returned>)> {
    let parse = || -> Result<(Returned, Option<Returned>)> {
        let file = TensorFile::read(path)?;
        ensure!(
            file.text("identity")? == identity,
            "it belongs to another run"
        );
        let (shape, returns) = file.need::<f64>("returns")?;
        ensure!(
            shape.len() == 3 && shape[0] == config.test.episodes && !shape.contains(&0),
            "its returns have shape {shape:?}"
        );
        let chosen = Returned {
            n_tasks: shape[0],
            n_rollouts: shape[2],
            returns,
            best: file.get::<f64>("best_return")?.map(|(_, best)| best),
            numbers: file.need::<f64>("tasks")?.1,
        };
        let other = match file.get::<f64>("other.returns")? {
            None => None,
            Some((other, returns)) => {
                ensure!(other == shape, "its other returns have shape {other:?}");
                Some(Returned {
                    returns,
                    ..chosen.clone()
                })
            }
        };
        Ok((chosen, other))
    };
    parse().with_context(|| format!("{} does not fit its run", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tasks, one inner step, two rollouts: means by hand.
    #[test]
    fn scores_and_curves_are_means_by_hand() {
        let returned = Returned {
            n_tasks: 2,
            n_rollouts: 2,
            returns: vec![-4.0, -2.0, -1.0, 0.0, -10.0, -20.0, -3.0, -6.0],
            best: None,
            numbers: vec![0.0; 4],
        };
        assert_eq!(returned.means(), [-3.0, -0.5, -15.0, -4.5]);
        assert_eq!(returned.scores(), [-0.5, -4.5]);
        assert_eq!(returned.curve(), [-9.0, -2.5]);
        let curves = returned.adaptation(1).unwrap();
        assert_eq!(curves.query_accuracy, [-3.0, -0.5]);
        assert_eq!(curves.query_loss, [3.0, 0.5]);
        assert!(returned.adaptation(0).is_none());
    }
}
