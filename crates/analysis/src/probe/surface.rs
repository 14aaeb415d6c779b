//! F4: the loss around the learnt parameters, before and after adaptation.

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

pub use crate::record::answers::surface::Answers;

/// The surfaces of the first run of a learner, and how wide its meta-minimum is in all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surface {
    /// Runs asked.
    pub n_runs: usize,
    /// Of the first run.
    pub first: Answers,
    /// Share of the grid whose loss after adaptation is within [`RISE`] of that at theta; mean over runs.
    pub wide_after: f64,
    /// The same without adaptation; absent for a learner without an inner loop.
    pub wide_before: Option<f64>,
}

/// Rise of the loss, in nats, up to which a point counts as part of the minimum.
pub const RISE: f64 = 0.1;

impl Measure for Surface {
    const ID: &'static str = "surface";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Surface::ID,
    title: "Loss surface and meta-landscape (F4)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, _: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.surface.as_ref());
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let n = asked.len() as f64;
    let wide_after = asked.iter().map(|run| wide(&run.after)).sum::<f64>() / n;
    let before: Vec<f64> = asked
        .iter()
        .filter_map(|run| Some(wide(run.before.as_ref()?)))
        .collect();
    let result = Surface {
        n_runs: asked.len(),
        first: (*first).clone(),
        wide_after,
        wide_before: (!before.is_empty()).then(|| before.iter().sum::<f64>() / before.len() as f64),
    };
    let text = format!(
        "At {:.0} % of the points of the plane around its parameters, the loss of {} after adaptation is within {RISE} nats of that at the parameters.",
        100.0 * wide_after,
        group.learner
    );
    let finding = Finding::of_learner(group, Surface::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}

/// Share of a grid that rises by at most [`RISE`] over its middle.
fn wide(table: &[Option<f64>]) -> f64 {
    let Some(middle) = table.get(table.len() / 2).copied().flatten() else {
        return 0.0;
    };
    let low = table
        .iter()
        .flatten()
        .filter(|loss| **loss <= middle + RISE);
    low.count() as f64 / table.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_by_hand() {
        let grid = [0.5, 0.25, 0.9, 0.24, 0.2, 0.1, 0.31, 0.29, 0.3].map(Some);
        assert!((wide(&grid) - 6.0 / 9.0).abs() < 1e-12);
        assert!(wide(&[None]).abs() < 1e-12);
    }
}
