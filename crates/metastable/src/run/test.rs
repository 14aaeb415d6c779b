//! The meta-test of a trained run: of the weights that the study chooses, and of the others, so that the choice itself
//! can be judged.

use std::time::Instant;

use anyhow::Result;
use metastable_algorithms::{Evaluation, TaskSource, TrainState, Weights, curves, evaluate};
use metastable_data::MetaSplit;

use super::checkpoint::n_non_finite;
use super::folder::RunFolder;
use super::record::TestResult;
use super::tasks::Tasks;
use super::workshop::Workshop;
use super::{Run, results};

impl Run<'_> {
    /// Tests the weights that `test.weights` names and then, if they are others, the last or the best ones; written to
    /// the file of the test.
    pub(super) fn test(
        &self,
        shop: &Workshop<'_>,
        folder: &RunFolder,
        train: &TrainState<f32>,
    ) -> Result<(Option<TestResult>, Option<TestResult>)> {
        let settings = &self.config().test;
        let [chosen, other] = self.combined(folder, train)?;
        for combined in [&chosen, &other] {
            let n_non_finite: usize = combined.members.iter().map(n_non_finite).sum();
            if n_non_finite > 0 {
                shop.progress.say(&format!(
                    "{}: {n_non_finite} of the weights after step {} are not finite numbers; their score says nothing",
                    self.label(),
                    combined.step()
                ));
            }
        }
        let begun = Instant::now();
        let episodes = match shop.material.list(self.config(), MetaSplit::Test)? {
            Tasks::Episodes(episodes) => episodes,
            Tasks::Functions(functions) => {
                return self.test_regression(shop, folder, &[chosen, other], &functions);
            }
            Tasks::Goals(_) => return self.test_returns(shop, folder, &[chosen, other]),
        };
        let tasks = |index| episodes.task(index);
        let evaluation = self.evaluate_combined(&chosen, &tasks, settings.episodes)?;
        // An ensemble adapts each of its members: the curves are those of the first.
        let curves = match settings.curves.min(settings.episodes) {
            0 => None,
            n => curves(
                self.network(),
                self.learner(),
                &chosen.members[0],
                &tasks,
                n,
            )?,
        };
        let result = TestResult::new(chosen.step(), &evaluation, begun);

        let begun = Instant::now();
        // Of one step there is one set of weights.
        let other = match Some(other).filter(|other| !other.is(&chosen)) {
            Some(other) => {
                let evaluation = self.evaluate_combined(&other, &tasks, settings.episodes)?;
                Some((
                    TestResult::new(other.step(), &evaluation, begun),
                    evaluation,
                ))
            }
            None => None,
        };
        let (other_result, other) = other.unzip();
        let list = episodes.first(settings.episodes);
        let tested = results::Tested {
            evaluation: &evaluation,
            other: other.as_ref(),
            episodes: &list,
            dataset: &shop.material.dataset,
            curves: curves.as_ref(),
        };
        results::write(&folder.test(), self.identity(), &tested)?;
        Ok((Some(result), other_result))
    }

    /// Predictions of given weights on the first `n_tasks` tasks of a list.
    pub(crate) fn evaluate(
        &self,
        weights: &Weights<f32>,
        tasks: &TaskSource<'_, f32>,
        n_tasks: usize,
    ) -> Result<Evaluation> {
        Ok(evaluate(
            self.network(),
            self.learner(),
            weights,
            tasks,
            n_tasks,
        )?)
    }
}
