//! What a training leaves behind besides its curve, as estimates: gradients step by step, angles between the gradients of
//! tasks, and the network from within. Family E; the input is in [`crate::record`].

pub mod alignment;
pub mod domain_conflict;
pub mod first_order;
pub mod inside;
pub mod reliability;
pub mod selection;
pub mod signal;
pub mod spikes;

use std::collections::BTreeMap;

use crate::group::LearnerRuns;

pub use crate::record::training::{
    Angles, BlockState, FirstOrderBias, InnerAngles, Inside, LogLine, MeanCurve, Selection,
    TrainingLog,
};

/// Logs of the runs that have one with steps, in order of seed.
pub(crate) fn logs<'a>(group: &LearnerRuns<'a>) -> Vec<&'a TrainingLog> {
    let logs = group.runs.iter().filter_map(|run| run.training.as_ref());
    logs.filter(|log| log.lines.iter().any(|line| !line.losses.is_empty()))
        .collect()
}

/// Values of each step that occurs, in order of steps.
fn by_step<T>(values: impl Iterator<Item = (usize, T)>) -> Vec<(usize, Vec<T>)> {
    let mut steps = BTreeMap::<usize, Vec<T>>::new();
    for (step, value) in values {
        steps.entry(step).or_default().push(value);
    }
    steps.into_iter().collect()
}
