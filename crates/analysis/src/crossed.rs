//! A2 of the runs of a learner: components of a complete table, or of one with holes, and the interval for other trainings and tasks.

use crate::components::{Components, components, disjoint_tasks, floor_of, open_interval};
use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::incomplete::incomplete_components;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::words::Words;

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Components::ID,
    title: "Variance components and the honest interval (A2)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let Some(scores) = &group.scores else {
        return Ok(Measured::absent());
    };
    let mut result = if let Some(cells) = &group.cells {
        // A table without two runs, two tasks, or more scores than runs has no components.
        match incomplete_components(cells, options.level) {
            Ok(found) => found,
            Err(AnalysisError::TooFew { .. }) => return Ok(Measured::absent()),
            Err(error) => return Err(error),
        }
    } else if scores.n_runs() < 2 || scores.n_tasks() < 2 || scores.are_copies(scores.rounding()) {
        return Ok(Measured::absent());
    } else {
        components(scores, group.queries_per_task, options.level)?
    };
    if let (Some(queries), None) = (&group.queries_by_task, &group.cells) {
        let floor = floor_of(&scores.task_means(), queries);
        result.query_floor = Some(floor);
        result.interaction = Some((result.residual.variance - floor).max(0.0));
    }
    if result.variance_of_mean <= 0.0 {
        return Ok(Measured::absent());
    }
    // The scores of a learner are shares.
    let words = Words::of(options);
    if words.are_shares() {
        result.interval.keep_within_shares(result.mean);
    }
    result.open = group
        .pool
        .zip(group.episode_shape())
        .and_then(|(pool, (n_way, n_query))| {
            open_interval(&result, disjoint_tasks(pool, n_way, n_query))
        });
    if let Some(open) = &mut result.open {
        open.interval.keep_within_shares(result.mean);
    }
    let (largest, share) = [
        ("the choice of seed", result.run.share),
        ("the choice of tasks", result.task.share),
        ("the rest (interaction and queries)", result.residual.share),
    ]
    .into_iter()
    .fold(
        ("nothing", 0.0),
        |best, part| if part.1 > best.1 { part } else { best },
    );
    let open = result.open.as_ref().map_or_else(String::new, |open| {
        format!(
            " The test data hold {} disjoint tasks; for new test data the interval is {} to {}.",
            open.n_disjoint,
            words.value(open.interval.lower),
            words.value(open.interval.upper)
        )
    });
    let [low, high] = words.ends(&result.interval);
    let text = format!(
        "For other trainings and other tasks of this kind, the mean of {} lies between {} and {} (half-width {}; a single new training \
         scatters more); {:.0} % of that uncertainty comes from {}.{}",
        group.learner,
        low,
        high,
        words.points(result.interval.half_width()),
        100.0 * share,
        largest,
        open
    );
    let certainty = if result.n_runs < 3 {
        Certainty::TooFewRuns
    } else {
        Certainty::Estimated
    };
    Measured::new(
        &result,
        vec![Finding::of_learner(group, Components::ID, certainty, text)],
    )
}
