//! The receipt: what a table was taken for, before anything is computed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use metastable_analysis::{Outcome, TaskScores};

use super::crossing::{Crossing, crossings, doubt};
use super::factors::conditions;
use super::group::{Group, Read};
use super::scores::Runs;
use super::suggest;
use super::table::Table;
use super::taken::{columns, counted_names, scores};

/// What was read, in lines.
pub(super) fn receipt(table: &Table, runs: &Runs<'_>) -> String {
    let mut text = format!(
        "{}: {}, {} rows\n",
        table.file(),
        table.sheet.format,
        table.sheet.n_rows()
    );
    let reads = &runs.reads;
    let names = |of: fn(&metastable_analysis::Run) -> &str| -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for read in reads {
            *counts.entry(of(&read.run)).or_insert(0) += 1;
        }
        counts
    };
    let learners = names(|run| &run.learner);
    let settings = names(|run| &run.setting);
    let failed = reads
        .iter()
        .filter(|read| read.run.outcome != Outcome::Completed)
        .count();
    let counted: Vec<String> = (learners.iter().take(8))
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    let _ = writeln!(
        text,
        "runs: {} ({failed} failed); learners: {} ({}{}); settings: {}",
        reads.len(),
        learners.len(),
        counted.join(", "),
        if learners.len() > 8 { ", ..." } else { "" },
        settings.len()
    );
    let _ = writeln!(text, "seeds: {}", seeds(table, runs));
    if let [first, second, ..] = runs.seed_names.as_slice() {
        let _ = writeln!(
            text,
            "seeds are names here, and are numbered in the order of the file: `{first}` is 0, `{second}` is 1"
        );
    }
    let tasks: BTreeSet<&str> = reads
        .iter()
        .flat_map(|read| read.tasks.iter().copied())
        .collect();
    let _ = if table.has("task") {
        writeln!(text, "tasks: {}{}", tasks.len(), unequal(&runs.reads))
    } else {
        writeln!(text, "tasks: none, one score a run")
    };
    text += &scores(table, runs);
    let _ = writeln!(text, "columns: {}", columns(table, &runs.groups));
    let crossings = if table.has("task") {
        crossings(table, &runs.groups, &runs.reads)
    } else {
        BTreeMap::new()
    };
    text += &states(table, runs);
    for (name, when) in conditions(table, &runs.groups) {
        let _ = writeln!(
            text,
            "`{name}` applies where {}: it counts for those runs, and the others get the middle of its levels",
            when.words()
        );
    }
    for line in tests(table, runs, &crossings) {
        let _ = writeln!(text, "{line}");
    }
    for equal in copies(runs) {
        let _ = writeln!(
            text,
            "warning: runs {} have equal scores on every task; equal runs are not seeds, and their spread says nothing",
            list(&equal)
        );
    }
    if let Some(steps) = unequal_lengths(table, runs) {
        let _ = writeln!(text, "warning: {steps}");
    }
    for hint in counted_names(table, &runs.groups) {
        let _ = writeln!(text, "hint: {hint}");
    }
    if !table.has("learner") && table.has("run") && table.columns.all_factors().is_empty() {
        let names = runs.groups.iter().map(|group| group.id.as_str());
        if let Some(hint) = suggest::hint(names) {
            let _ = writeln!(text, "hint: {hint}");
        }
    }
    for line in left_out(table, runs, &crossings) {
        let _ = writeln!(text, "left out: {line}");
    }
    text
}

/// How tasks differ in size, and what follows; empty where they do not.
fn unequal(reads: &[Read<'_>]) -> String {
    let range = |of: fn(&TaskScores) -> Option<&Vec<usize>>, what: &str| -> Option<String> {
        let scores = reads.iter().filter_map(|read| read.run.scores.as_ref());
        let all: Vec<usize> = scores.filter_map(of).flatten().copied().collect();
        let (least, most) = (all.iter().min()?, all.iter().max()?);
        Some(format!("{least} to {most} {what}"))
    };
    let ranges: Vec<String> = [
        range(|it| it.task_ways.as_ref(), "classes"),
        range(|it| it.task_queries.as_ref(), "queries"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if ranges.is_empty() {
        return String::new();
    }
    format!(
        ", of {}: each task counts equally in a mean; chance and the noise of the test are computed for each task",
        ranges.join(" and ")
    )
}

/// Which words of the column `failed` were taken for failures, where it has words.
fn states(table: &Table, runs: &Runs<'_>) -> String {
    if !table.has("failed") {
        return String::new();
    }
    let mut counts: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    for (group, read) in runs.groups.iter().zip(&runs.reads) {
        let word = group.rows[0].text("failed");
        let did_fail = read.run.outcome != Outcome::Completed;
        counts.entry(word).or_insert((0, did_fail)).0 += 1;
    }
    let is_word = |word: &&str| {
        word.len() > 1 && !["yes", "no", "true", "false"].contains(&word.to_lowercase().as_str())
    };
    if !counts.keys().any(is_word) {
        return String::new();
    }
    let told: Vec<String> = counts
        .iter()
        .map(|(word, (n, did_fail))| {
            let what = if *did_fail { "failed" } else { "not failed" };
            format!("`{word}` {n} ({what})")
        })
        .collect();
    format!("states: {}\n", told.join(", "))
}

/// How tasks are shared, setting by setting, where there is something to say.
fn tests(table: &Table, runs: &Runs<'_>, crossings: &BTreeMap<&str, Crossing>) -> Vec<String> {
    if !table.has("task") {
        return Vec::new();
    }
    let many = crossings.len() > 1;
    let mut lines = Vec::new();
    for (setting, crossing) in crossings {
        let place = if many {
            format!(" of setting `{setting}`")
        } else {
            String::new()
        };
        match crossing {
            Crossing::Own(why) => lines.push(format!(
                "test tasks{place}: each run, or group of runs, has its own ({why}); runs are compared by their means, and the scatter of \
                 tasks is part of the scatter of runs"
            )),
            Crossing::Partial {
                lacking,
                having,
                task,
                common,
                all,
            } => {
                let lacks = format!(
                    "run `{}` ({}) lacks task `{task}`, which run `{}` has",
                    runs.groups[*lacking].id,
                    table.sheet.spot(runs.groups[*lacking].rows[0].line()),
                    runs.groups[*having].id
                );
                let way = if table.columns.common_tasks {
                    String::from("runs are compared on those")
                } else if table.columns.all_factors().is_empty() {
                    String::from(
                        "runs are compared by means adjusted for the tasks that each lacks (variances by REML); this assumes that whether a \
                         score is missing does not depend on its value; --common-tasks compares the runs on the tasks that all have; mark a \
                         run that broke off in a column `failed`",
                    )
                } else {
                    String::from("runs count with the mean of the tasks that they have")
                };
                lines.push(format!(
                    "warning: test tasks{place}: incomplete, {common} of {all} are in every run that did not fail; {lacks}; {way}"
                ));
            }
            Crossing::Shared => {}
        }
    }
    let is_shared = crossings.values().all(|it| *it == Crossing::Shared);
    if is_shared && let Some(doubt) = doubt(&runs.reads, &runs.groups) {
        lines.push(format!("warning: {doubt}"));
    }
    lines
}

/// Says so where curves end at different steps: their last scores are then of unequal trainings.
fn unequal_lengths(table: &Table, runs: &Runs<'_>) -> Option<String> {
    if !table.has("step") {
        return None;
    }
    let lasts = runs
        .groups
        .iter()
        .zip(&runs.reads)
        .filter_map(|(group, read)| {
            if read.run.outcome != Outcome::Completed {
                return None;
            }
            let steps = group.rows.iter().filter(|row| !row.is_missing("score"));
            let last = steps
                .filter_map(|row| row.maybe_number("step"))
                .max_by(f64::total_cmp)?;
            Some((last, group.id.as_str()))
        });
    let mut lasts: Vec<(f64, &str)> = lasts.collect();
    lasts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((low, first), (high, last)) = (lasts.first()?, lasts.last()?);
    (low < high).then(|| {
        format!(
            "the score of a run is that of its last step, and runs end at different steps: `{first}` at {low}, `{last}` at {high}"
        )
    })
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [head @ .., last] if !head.is_empty() => format!("{} and {last}", head.join(", ")),
        other => other.concat(),
    }
}

fn seeds(table: &Table, runs: &Runs<'_>) -> String {
    let flags = &table.columns;
    if !flags.all_factors().is_empty() {
        return match flags.streams.as_slice() {
            [] => String::from(
                "none; runs with the same levels count as seeds of their point (--stream COLUMN says which points share a seed)",
            ),
            streams => {
                let text = |group: &Group<'_>| -> Vec<String> {
                    let row = &group.rows[0];
                    streams.iter().map(|it| row.text(it).to_owned()).collect()
                };
                let labels: BTreeSet<Vec<String>> = runs.groups.iter().map(text).collect();
                format!(
                    "{} different in {} (runs with the same one are counted together)",
                    labels.len(),
                    list(&streams.iter().map(String::as_str).collect::<Vec<_>>())
                )
            }
        };
    }
    if !table.has("seed") {
        return String::from(
            "no column `seed`: learners are compared by the means of their runs (Welch), nothing is paired",
        );
    }
    let mut by_learner: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for read in &runs.reads {
        by_learner
            .entry(&read.run.learner)
            .or_default()
            .insert(read.run.seed);
    }
    let all: BTreeSet<u64> = by_learner.values().flatten().copied().collect();
    let holders = |seed: &&u64| {
        by_learner
            .values()
            .filter(|own| own.contains(*seed))
            .count()
    };
    let by_all = all.iter().filter(|seed| holders(seed) == by_learner.len());
    let by_some = all.iter().filter(|seed| holders(seed) > 1).count();
    match (by_learner.len(), by_all.count(), by_some) {
        (1, ..) => format!("{}", all.len()),
        (_, _, 0) => format!(
            "{}, none shared by all learners: they are compared by the means of their runs (Welch)",
            all.len()
        ),
        (_, n, _) if n == all.len() => format!("{}, {n} shared by all learners", all.len()),
        (_, n, some) => format!(
            "{}, {n} shared by all learners, {some} by two or more: pairs of learners are compared on the seeds that they share, and also by \
             the means of all their runs",
            all.len()
        ),
    }
}

/// Learner, setting, and the bits of the score of each task.
type Key<'r> = (&'r str, &'r str, Vec<(&'r str, u64)>);

/// Fewest runs with one score each that cannot be equal by accident of rounding.
const FEWEST_EQUAL: usize = 3;

/// Runs of one learner and setting with equal scores on every task, group by group; scores that are all 0 or all 1 are no copies
/// but a bound, and two single scores may be equal by rounding.
fn copies<'r>(runs: &'r Runs<'_>) -> Vec<Vec<&'r str>> {
    let mut groups: BTreeMap<Key<'_>, Vec<&str>> = BTreeMap::new();
    for (read, group) in runs.reads.iter().zip(&runs.groups) {
        let Some(scores) = &read.run.scores else {
            continue;
        };
        let at_bound = |bound: f64| scores.accuracies.iter().all(|a| (a - bound).abs() < 1e-12);
        if at_bound(0.0) || at_bound(1.0) {
            continue;
        }
        let bits = scores.accuracies.iter().map(|score| score.to_bits());
        let mut scored: Vec<(&str, u64)> = read.tasks.iter().copied().zip(bits).collect();
        scored.sort_unstable();
        let key = (group.learner, group.setting, scored);
        groups.entry(key).or_default().push(&read.run.id);
    }
    let is_copy = |(key, equal): &(Key<'_>, Vec<&str>)| {
        equal.len() > 1 && (key.2.len() > 1 || equal.len() >= FEWEST_EQUAL)
    };
    groups
        .into_iter()
        .filter(is_copy)
        .map(|(_, equal)| equal)
        .collect()
}

/// Chapters that the table cannot carry, and what would bring each.
fn left_out(table: &Table, runs: &Runs<'_>, crossings: &BTreeMap<&str, Crossing>) -> Vec<String> {
    let mut lines = Vec::new();
    if !table.columns.all_factors().is_empty() {
        lines.push(String::from(
            "outcome, tail and comparison: runs with different settings are not seeds of one learner; leave --factor, --log, --category and --number out",
        ));
        lines.extend(spread_left_out(table, &runs.groups));
        return lines;
    }
    let scores = || {
        runs.reads
            .iter()
            .filter_map(|read| read.run.scores.as_ref())
    };
    if !table.has("task") {
        lines.push(String::from(
            "tasks, their difficulty and the tail: need a row for each task, with the column `task`",
        ));
    } else if crossings.values().any(|it| matches!(it, Crossing::Own(_))) {
        lines.push(String::from(
            "difficulty and the tail: need the same test tasks, under the same names, in every run of a setting",
        ));
    } else if crossings
        .values()
        .any(|it| matches!(it, Crossing::Partial { .. }))
        && !table.columns.common_tasks
    {
        lines.push(String::from(
            "difficulty and the tail: need every task in every run; --common-tasks leaves out the others",
        ));
    } else if scores()
        .any(|scores| scores.queries_per_task.is_none() && scores.task_queries.is_none())
    {
        lines.push(String::from(
            "query noise and the null model of the tail: need the column `queries` on every row, or a row for each query with `query` and `hit`",
        ));
    }
    let seeds_of = |learner: &str| {
        let own = runs.reads.iter().filter(|read| read.run.learner == learner);
        own.filter(|read| read.run.scores.is_some()).count()
    };
    let learners: BTreeSet<&str> = runs
        .reads
        .iter()
        .map(|read| read.run.learner.as_str())
        .collect();
    let single: Vec<&str> = learners
        .iter()
        .copied()
        .filter(|it| seeds_of(it) < 2)
        .collect();
    if !single.is_empty() {
        lines.push(format!(
            "spread over seeds of {}: needs a second run with another seed",
            list(&single)
        ));
    }
    if learners.len() < 2 {
        lines.push(String::from(
            "comparison: needs a second learner, in the column `learner` (--column learner=NAME)",
        ));
    }
    if !table.has("step") {
        lines.push(String::from(
            "steps to threshold and training curves: need a row for each step, with the column `step`, and `way` for chance",
        ));
    }
    if scores().any(|scores| scores.n_way.is_none() && scores.task_ways.is_none()) {
        lines.push(String::from(
            "comparison with guessing: needs the column `way`, on every row",
        ));
    }
    if !table.has("failed") {
        lines.push(String::from(
            "failures that the scores do not show: needs the column `failed`",
        ));
    }
    if table.columns.streams.is_empty() {
        lines.push(String::from(
            "sources of chance: needs --stream with the columns that say which seeds varied",
        ));
    }
    lines.push(String::from(
        "churn, confusion and what a learner finds hard: need the predictions themselves, which a study of this program has",
    ));
    lines.push(String::from(
        "key factors: needs --factor or --log with the settings that varied",
    ));
    lines
}

/// Why the spread over seeds has no list: too few points with two runs.
fn spread_left_out(table: &Table, groups: &[Group<'_>]) -> Option<String> {
    let names = table.columns.all_factors();
    let mut points: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    for group in groups {
        let levels = names.iter().map(|(name, _)| group.rows[0].text(name));
        *points.entry(levels.collect()).or_insert(0) += 1;
    }
    let repeated = points.values().filter(|n| **n > 1).count();
    (2 * repeated < points.len()).then(|| {
        format!(
            "factors of the spread over seeds: needs two runs or more with the same levels at half of the points; {repeated} of {} have them",
            points.len()
        )
    })
}
