//! What probes of several runs say together.

use crate::distribution::student_quantile;
use crate::estimate::{Estimate, Interval};
use crate::summary::{mean, standard_deviation};

/// Mean over runs of the mean over tasks, with Student's interval over the runs; with one run, over its tasks (another
/// training may then lie elsewhere, as the method says). `None` without values.
pub(crate) fn over_runs(runs: &[Vec<f64>], level: f64) -> Option<Estimate> {
    over_runs_of(runs, level, "tasks")
}

/// The same where the values of a run are not those of tasks.
pub(super) fn over_runs_of(runs: &[Vec<f64>], level: f64, values_are: &str) -> Option<Estimate> {
    let runs: Vec<&Vec<f64>> = runs.iter().filter(|run| !run.is_empty()).collect();
    let means: Vec<f64> = runs.iter().map(|run| mean(run)).collect();
    let (values, method) = match runs.as_slice() {
        [] => return None,
        [only] => ((*only).clone(), format!("{values_are} of one run")),
        _ => (means.clone(), "runs".to_owned()),
    };
    let center = mean(&means);
    let n = values.len();
    if n < 2 {
        return Some(Estimate::bare(center));
    }
    let error = standard_deviation(&values) / (n as f64).sqrt();
    let half = student_quantile((1.0 + level) / 2.0, (n - 1) as f64) * error;
    let method = format!("Student t over {n} {method}");
    Some(Estimate::new(
        center,
        Interval::around(center, half, level, method),
    ))
}

/// Interval in words, in percentage points: `1.20 pp [0.80, 1.60]`.
pub(crate) fn in_points(estimate: &Estimate) -> String {
    let points = |value: f64| format!("{:.2}", 100.0 * value);
    match &estimate.interval {
        Some(interval) => format!(
            "{} pp [{}, {}]",
            points(estimate.value),
            points(interval.lower),
            points(interval.upper)
        ),
        None => format!("{} pp", points(estimate.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_speaks_for_its_tasks_and_several_for_trainings() {
        let one = over_runs(&[vec![1.0, 2.0, 3.0]], 0.95).unwrap();
        let several = over_runs(&[vec![1.0, 3.0], vec![], vec![4.0, 4.0]], 0.95).unwrap();
        assert!((one.value - 2.0).abs() < 1e-12 && (several.value - 3.0).abs() < 1e-12);
        // t(0.975, 2) = 4.303 times 1/sqrt(3); t(0.975, 1) = 12.706 times sqrt(2)/sqrt(2).
        let half = |estimate: &Estimate| estimate.interval.as_ref().unwrap().half_width();
        assert!((half(&one) - 4.302_65 / 3.0_f64.sqrt()).abs() < 1e-4);
        assert!((half(&several) - 12.7062).abs() < 1e-3);
        assert!(over_runs(&[], 0.95).is_none());
    }
}
