//! How many runs failed, and why.

use crate::failure::FailureReason;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, count, decimal, list, percent};
use crate::report::group::{Group, by_setting, distinct};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Rows, Series};
use crate::words::Words;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "failures",
    family: Family::Outcome,
    title: "Failures",
    question: "How often does a training end without a usable learner?",
    metrics: &["failures"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material { groups, .. } = *material;
    let n_runs: usize = groups.iter().map(|group| group.runs.len()).sum();
    let failing: Vec<(&Group<'_>, usize)> = groups
        .iter()
        .map(|group| (group, n_failed(group)))
        .filter(|(_, n)| *n > 0)
        .collect();
    let n_failed: usize = failing.iter().map(|(_, n)| n).sum();
    let finding = if n_runs == 0 {
        "The study holds no run.".to_owned()
    } else if failing.is_empty() {
        let most = groups
            .iter()
            .filter_map(|g| g.analysis?.failures.rate.interval.as_ref().map(|i| i.upper))
            .fold(0.0, f64::max);
        format!(
            "None of {} failed. That does not make the rate zero: with so few runs a learner may still fail in up to {} % of trainings.",
            count(n_runs, "run"),
            percent(most)
        )
    } else {
        let each: Vec<String> = failing
            .iter()
            .map(|(group, n)| format!("{n} of {} of {}", group.runs.len(), group.name))
            .collect();
        format!(
            "{n_failed} of {} failed: {}.",
            count(n_runs, "run"),
            list(&each)
        )
    };
    Some(Chapter {
        number: (n_runs > 0).then(|| (format!("{n_failed} of {n_runs}"), "runs failed".to_owned())),
        finding: Said::described(finding),
        caveat: "A rule defines failure: not finite, at chance, or far below the median run. The settings of the rule are part of the \
                 analysis. Wilson's interval assumes independent runs.".to_owned(),
        figures: figure(groups).into_iter().collect(),
        tables: reasons(groups, Words::of(&material.analysis.options)).into_iter().collect(),
        ..Chapter::default()
    })
}

fn n_failed(group: &Group<'_>) -> usize {
    group.analysis.map_or(0, |a| a.failures.failed.len())
}

fn figure(groups: &[Group<'_>]) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data = Csv::new("setting,learner,runs,failed,rate,lower,upper");
    let one = distinct(groups.iter().map(|g| g.setting)).len() == 1;
    for (setting, members) in by_setting(groups) {
        let rates: Vec<_> = members
            .iter()
            .filter_map(|group| {
                let failures = &group.analysis?.failures;
                let interval = failures.rate.interval.as_ref()?;
                Some((
                    group,
                    failures,
                    [interval.lower, failures.rate.value, interval.upper].map(|v| 100.0 * v),
                ))
            })
            .collect();
        if rates.is_empty() {
            continue;
        }
        let axis = Axis::new("runs that fail, %", Extent::of([0.0, 100.0])?);
        let names: Vec<String> = rates
            .iter()
            .map(|(group, _, _)| group.learner.to_owned())
            .collect();
        let mut rows = Rows::new(if one { "" } else { setting }, &axis, &names, 30.0);
        for (row, (group, failures, [lo, rate, hi])) in rates.iter().enumerate() {
            rows.interval(row, 0.0, group.series, "dot", *lo, *rate, *hi);
            rows.text(
                row,
                *lo,
                *hi,
                &format!("{} of {}", failures.failed.len(), failures.n_runs),
            );
            data.row(&[
                Cell::Text(setting),
                Cell::Text(group.learner),
                Cell::Count(failures.n_runs),
                Cell::Count(failures.failed.len()),
                Cell::Number(rate / 100.0),
                Cell::Number(lo / 100.0),
                Cell::Number(hi / 100.0),
            ]);
        }
        let words: Vec<String> = rates
            .iter()
            .map(|(group, f, _)| format!("{}: {} of {}", group.learner, f.failed.len(), f.n_runs))
            .collect();
        panels.push(rows.finish(
            &format!("failure-rates-{}", panels.len()),
            &format!("Failure rate of each learner, {setting}"),
            &format!("{}.", words.join("; ")),
        ));
    }
    (!panels.is_empty()).then(|| Figure {
        id: "failure-rates".to_owned(),
        panels,
        legend: vec![(
            swatch(&format!("<path class=\"c5 whisker\" d=\"M1 6H29M1 2V10M29 2V10\"/><path class=\"c5 dot\" d=\"{}\"/>", Series(0).marker(15.0, 6.0, 3.6))),
            "share of failed runs, Wilson's interval".to_owned(),
        )],
        caption: "Share of runs that failed. Every run of the study counts, also those that never reached a test.".to_owned(),
        data,
    })
}

fn reasons(groups: &[Group<'_>], words: Words<'_>) -> Option<Table> {
    let mut rows = Vec::new();
    for group in groups {
        for failed in group.analysis.iter().flat_map(|a| &a.failures.failed) {
            let reasons: Vec<String> = failed.reasons.iter().map(|it| reason(it, words)).collect();
            rows.push(vec![
                failed.id.clone(),
                group.name.clone(),
                failed.seed.to_string(),
                reasons.join("; "),
            ]);
        }
    }
    (!rows.is_empty()).then(|| Table {
        caption: "Failed runs and every rule that each of them broke.".to_owned(),
        head: ["run", "learner", "seed", "reason"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    })
}

fn reason(reason: &FailureReason, words: Words<'_>) -> String {
    let unit = words.unit();
    let side = words.under();
    match reason {
        // A table from elsewhere does not say at which step.
        FailureReason::Diverged { step: 0, cause } => cause.clone(),
        FailureReason::Diverged { step, cause } => format!("diverged at step {step}: {cause}"),
        FailureReason::NotFinite => {
            "a test loss or the last validation accuracy is not finite".to_owned()
        }
        FailureReason::Untested => "ended without a test".to_owned(),
        FailureReason::AtChance { accuracy, limit } => {
            format!(
                "accuracy {} %, at or under the limit of {} % (chance and margin)",
                percent(*accuracy),
                percent(*limit)
            )
        }
        FailureReason::Outlier {
            accuracy,
            median,
            robust_sd,
        } => format!(
            "{} {}{unit}, {} robust standard deviations {side} the median run ({}{unit})",
            words.noun(),
            words.bare(*accuracy),
            decimal((median - accuracy) / robust_sd, 1),
            words.bare(*median)
        ),
    }
}
