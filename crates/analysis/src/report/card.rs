//! The card: one row per learner and setting, and one more where failed runs weigh on the first.

use crate::estimate::Estimate;
use crate::metric::Measures;
use crate::report::chapters::tail::TAIL;
use crate::report::document::{Table, decimal, percent, percent_range};
use crate::report::group::Group;
use crate::spread::Spread;
use crate::tail::Tail;
use crate::threshold::StepsToThreshold;

/// Column heads, all of them quantities with units.
const HEAD: [&str; 7] = [
    "learner",
    "accuracy, % [seed CI]",
    "seed SD, pp [CI]",
    "CVaR10, % (null)",
    "failed runs",
    "steps to threshold",
    "runs × tasks",
];

/// The table.
pub(crate) fn table(groups: &[Group<'_>]) -> Table {
    let mut rows = Vec::new();
    for group in groups {
        let Some(analysis) = group.analysis else {
            continue;
        };
        let n_failed = analysis.failures.failed.len();
        let failures = format!("{n_failed} of {}", analysis.failures.n_runs);
        rows.push(row(group.name.clone(), &analysis.all, &failures));
        if let Some(sound) = analysis
            .without_failed
            .as_ref()
            .filter(|sound| sound.get::<Spread>().is_some())
        {
            // Untested runs never entered; only a tested failure makes the second row differ.
            if analysis.tested_seeds.len() > sound.get::<Spread>().map_or(0, |s| s.n_runs) {
                rows.push(row(
                    format!("{}, failed runs left out", group.name),
                    sound,
                    "(left out)",
                ));
            }
        }
    }
    Table {
        caption: "Every tested run counts in a row unless it says otherwise. CI: interval for another set of seeds, at the level of \
                  the analysis; null: what query sampling alone would give. Intervals rest on normal theory and are not cut \
                  at 0 or 100 %; a limit beyond them says that the runs are too few."
            .to_owned(),
        head: HEAD.map(str::to_owned).to_vec(),
        rows,
    }
}

fn row(name: String, measures: &Measures, failures: &str) -> Vec<String> {
    let spread: Option<Spread> = measures.get();
    let none = || "no tested run".to_owned();
    let mean = spread
        .as_ref()
        .map_or_else(none, |s| with_interval(&s.mean));
    let deviation = match &spread {
        None => none(),
        Some(s) => s
            .seed_sd
            .as_ref()
            .map_or_else(|| "needs two runs".to_owned(), with_interval),
    };
    let tail = measures
        .get::<Tail>()
        .and_then(|tail| {
            tail.levels
                .into_iter()
                .find(|level| (level.share - TAIL).abs() < 1e-9)
        })
        .map_or_else(none, |level| {
            format!("{} ({})", percent(level.cvar), percent(level.null_exact))
        });
    let steps = measures.get::<StepsToThreshold>().map_or_else(
        || "no validation".to_owned(),
        |steps| {
            let reached = format!("({} of {} runs)", steps.n_reached, steps.runs.len());
            steps.median.map_or_else(
                || format!("not reached {reached}"),
                |median| format!("{} {reached}", decimal(median, 0)),
            )
        },
    );
    let size = spread
        .as_ref()
        .map_or_else(none, |s| format!("{} × {}", s.n_runs, s.n_tasks));
    vec![
        name,
        mean,
        deviation,
        tail,
        failures.to_owned(),
        steps,
        size,
    ]
}

fn with_interval(estimate: &Estimate) -> String {
    match &estimate.interval {
        Some(interval) => format!(
            "{} {}",
            percent(estimate.value),
            percent_range(interval.lower, interval.upper)
        ),
        None => percent(estimate.value),
    }
}
