//! The command that would read a table whose columns have other names than ours: what each column looks like, as flags.

use std::collections::{BTreeMap, BTreeSet};

use super::cell;
use super::columns::{Columns, KNOWN};
use super::naming;
use super::sheet::Sheet;
use super::wide::Across;
use crate::shell;

/// Levels from which a number is taken for one that was drawn, and the ratio of its ends from which it is measured in decades.
const DECADES: f64 = 50.0;
/// Most columns that are left out by name.
const MOST_NAMED: usize = 8;

/// What a column looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Run,
    Failed,
    Learner,
    Seed,
    Task,
    Step,
    Score,
    Number,
    Decades,
    Names,
    Other,
    /// A flag, or its name, says what it is.
    Settled,
}

/// Names that a column has, in lower case and without what trackers put in front, by what it is. The first that occurs is taken.
const SPOKEN: [(Look, &[&str]); 6] = [
    (
        Look::Run,
        &[
            "run", "run_id", "run_name", "trial_id", "trial", "name", "number", "uid", "job_id",
            "job", "lauf", "id",
        ],
    ),
    (
        Look::Failed,
        &["failed", "state", "status", "fehlgeschlagen"],
    ),
    (
        Look::Learner,
        &[
            "learner",
            "algorithm",
            "algo",
            "agent",
            "method",
            "approach",
            "model",
            "classifier",
            "verfahren",
            "lernverfahren",
        ],
    ),
    (
        Look::Seed,
        &[
            "seed",
            "seed_no",
            "random_seed",
            "random_state",
            "rng_seed",
            "seed_id",
            "seed_bundle",
        ],
    ),
    (
        Look::Task,
        &[
            "task",
            "task_id",
            "env",
            "environment",
            "env_id",
            "game",
            "episode",
            "dataset",
            "problem",
            "fold",
            "aufgabe",
        ],
    ),
    (
        Look::Step,
        &[
            "step",
            "_step",
            "epoch",
            "global_step",
            "training_iteration",
            "iteration",
            "timesteps_total",
            "timestep",
        ],
    ),
];

/// Scores, the likeliest first; the last part of a name or the name as a whole.
const SCORES: [&str; 25] = [
    "score",
    "accuracy",
    "acc",
    "mean_test_score",
    "test_score",
    "test_acc",
    "test_accuracy",
    "eval_accuracy",
    "val_acc",
    "val_accuracy",
    "return",
    "episode_reward_mean",
    "episode_return",
    "mean_return",
    "reward",
    "value",
    "values_0",
    "f1",
    "auc",
    "genauigkeit",
    "objective",
    "loss",
    "test_loss",
    "val_loss",
    "eval_loss",
];

/// Parts of names whose smaller values are better.
const LOWER: [&str; 9] = [
    "loss",
    "error",
    "rmse",
    "mse",
    "mae",
    "perplexity",
    "ppl",
    "regret",
    "seconds",
];

/// Parts of names that are neither scores nor settings.
const NEITHER: [&str; 16] = [
    "time", "date", "duration", "created", "runtime", "rank_", "std_", "_std", "stderr", "uri",
    "uuid", "host", "notes", "artifact", "pid", "path",
];

/// `A command that reads it: ...`, or nothing if no column looks like a score.
pub(super) fn sentence(file: &str, sheet: &Sheet, columns: &Columns) -> String {
    match command(file, sheet, columns) {
        Some(command) => format!("By their names and cells, this may be meant: {command}"),
        None => String::from("No column looks like a score; --column score=NAME says which one is"),
    }
}

/// The command, if a column looks like a score.
fn command(file: &str, sheet: &Sheet, columns: &Columns) -> Option<String> {
    let is_long = columns.wide.is_empty() && columns.wide_steps.is_empty();
    if is_long && let Some((front, across)) = fan(sheet, columns) {
        return Some(wide(file, sheet, columns, &[front], across));
    }
    let Some(looks) = looks(sheet, columns) else {
        let tasks = by_name(sheet, columns);
        let is_wide = is_long && tasks.len() > 2;
        return is_wide.then(|| wide(file, sheet, columns, &tasks, Across::Tasks));
    };
    if let Some(condition) = several_metrics(sheet, &looks, columns) {
        let chosen = sheet.only(file, std::slice::from_ref(&condition)).ok()?;
        let rest = command(file, &chosen, columns)
            .unwrap_or_else(|| format!("{} analyze {}", shell::program(), shell::quote(file)));
        return Some(format!("{rest} --where {}", shell::quote(&condition)));
    }
    let of = |look: Look| -> Vec<&str> {
        let found = sheet
            .header
            .iter()
            .zip(&looks)
            .filter(|(_, it)| **it == look);
        found.map(|(name, _)| name.as_str()).collect()
    };
    let mut mapped = columns.renamed.clone();
    let mut flags: Vec<(&str, Vec<String>)> = Vec::new();
    let owned =
        |names: Vec<&str>| -> Vec<String> { names.into_iter().map(str::to_owned).collect() };
    let settings = [Look::Number, Look::Names, Look::Decades]
        .iter()
        .any(|look| !of(*look).is_empty());
    let is_factorial = settings || !columns.all_factors().is_empty();
    let mut factors = columns.factors.clone();
    let mut streams = columns.streams.clone();
    let mut others = columns.ignored.clone();
    for (look, own) in [
        (Look::Run, "run"),
        (Look::Score, "score"),
        (Look::Failed, "failed"),
        (Look::Step, "step"),
        (Look::Learner, "learner"),
        (Look::Seed, "seed"),
        (Look::Task, "task"),
    ] {
        let Some(name) = of(look).first().copied() else {
            continue;
        };
        match look {
            // A setting beside others is a factor, and its seeds tell the points apart.
            Look::Learner | Look::Task if is_factorial => factors.push(name.to_owned()),
            Look::Seed if is_factorial => streams.push(name.to_owned()),
            _ if name == own => {}
            _ => mapped.push(format!("{own}={name}")),
        }
    }
    factors.extend(owned(of(Look::Number)));
    factors.extend(owned(of(Look::Names)));
    others.extend(owned(of(Look::Other)));
    others.retain(|name| !name.is_empty());
    flags.push(("--column", mapped));
    flags.push(("--factor", factors));
    let mut decades = columns.logarithmic.clone();
    decades.extend(owned(of(Look::Decades)));
    flags.push(("--log", decades));
    flags.push(("--stream", streams));
    flags.push(("--category", columns.categories.clone()));
    flags.push(("--number", columns.numbers.clone()));
    flags.push(("--fingerprint", columns.fingerprint.clone()));
    let has_comma = others.iter().any(|name| name.contains(','));
    if others.len() <= MOST_NAMED && !has_comma {
        flags.push(("--ignore", others));
    }
    let mut words = vec![
        String::from(shell::program()),
        String::from("analyze"),
        shell::quote(file),
    ];
    for (flag, names) in &flags {
        let plain: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|it| !it.contains(','))
            .collect();
        if !plain.is_empty() {
            words.push((*flag).to_owned());
            words.push(shell::quote(&plain.join(",")));
        }
    }
    if !flags.iter().any(|(flag, _)| *flag == "--ignore") {
        words.push(String::from("--ignore-others"));
    }
    words.extend(scale(sheet, columns, of(Look::Score).first()?));
    Some(words.join(" "))
}

/// Unit and direction of the score, as flags.
fn scale(sheet: &Sheet, columns: &Columns, score: &str) -> Vec<String> {
    let mut words = Vec::new();
    let at = sheet.header.iter().position(|name| name == score);
    let values = || {
        (0..sheet.n_rows())
            .filter_map(|row| cell::number(sheet.cell(row, at?), sheet.decimal_comma))
    };
    let base = base(score);
    let is_lower = columns.lower_is_better || LOWER.iter().any(|part| base.contains(part));
    if let Some(unit) = &columns.unit {
        words.extend([String::from("--unit"), shell::quote(unit)]);
    } else if is_lower || values().any(|value| !(0.0..=1.0 + 1e-6).contains(&value)) {
        const UNITS: [&str; 8] = [
            "return",
            "reward",
            "loss",
            "error",
            "accuracy",
            "perplexity",
            "seconds",
            "score",
        ];
        let unit = UNITS.into_iter().find(|word| base.contains(word));
        let unit = unit.map_or(base.clone(), str::to_owned);
        words.extend([String::from("--unit"), shell::quote(&unit)]);
    }
    if is_lower {
        words.extend(["--direction", "lower"].map(String::from));
    }
    words
}

/// What each column looks like; none if none looks like a score.
fn looks(sheet: &Sheet, columns: &Columns) -> Option<Vec<Look>> {
    let bases: Vec<String> = sheet.header.iter().map(|name| base(name)).collect();
    let facts: Vec<Facts> = (0..sheet.header.len())
        .map(|at| Facts::of(sheet, at))
        .collect();
    let mapped = |own: &str| {
        columns.named(own) != own
            || columns
                .renamed
                .iter()
                .any(|pair| pair == &format!("{own}={own}"))
    };
    let is_settled = |name: &String| name.is_empty() || columns.is_named(name);
    let mut looks: Vec<Option<Look>> = sheet
        .header
        .iter()
        .map(|name| is_settled(name).then_some(Look::Settled))
        .collect();
    // Names of ours mean what they say, unless a setting turns them into factors.
    for (at, name) in sheet.header.iter().enumerate() {
        let own = ["setting", "query", "hit", "queries", "way"];
        if looks[at].is_none() && own.contains(&name.as_str()) {
            looks[at] = Some(Look::Settled);
        }
    }
    for (look, names) in SPOKEN {
        let fits = |at: &usize| match look {
            Look::Failed => facts[*at].are_states,
            Look::Seed => facts[*at].are_whole,
            Look::Step => facts[*at].are_numbers && facts[*at].n_levels > 1,
            Look::Task | Look::Learner => facts[*at].n_levels > 1,
            _ => facts[*at].n_levels > 0,
        };
        let own = format!("{look:?}").to_lowercase();
        let found = names.iter().find_map(|name| {
            (0..bases.len()).find(|at| looks[*at].is_none() && bases[*at] == *name && fits(at))
        });
        if let (Some(at), false) = (found, mapped(&own)) {
            looks[at] = Some(look);
        }
    }
    // Runs are told apart by a name of their own in each row, or by rows of several tasks or steps.
    let has_parts = looks
        .iter()
        .flatten()
        .any(|look| matches!(look, Look::Task | Look::Step));
    for at in 0..looks.len() {
        if looks[at] == Some(Look::Run) && !has_parts && facts[at].n_levels < sheet.n_rows() {
            looks[at] = None;
        }
    }
    if !mapped("score") {
        let open =
            |at: &usize| looks[*at].is_none() && facts[*at].are_numbers && facts[*at].n_levels > 0;
        let score = SCORES
            .iter()
            .find_map(|name| (0..bases.len()).find(|at| open(at) && bases[*at] == *name));
        let score = score.or_else(|| {
            (0..bases.len()).find(|at| {
                let is_metric = ["metrics", "test", "eval", "val"]
                    .iter()
                    .any(|front| sheet.header[*at].starts_with(front));
                let ends = SCORES
                    .iter()
                    .any(|name| bases[*at].ends_with(&format!("_{name}")));
                open(at) && (is_metric || ends) && !is_neither(&bases[*at])
            })
        })?;
        looks[score] = Some(Look::Score);
    }
    // Rows of one run, by task or step, have settings of the run: columns that vary within it are other measurements, or a time.
    if !looks.contains(&Some(Look::Step)) && !mapped("step") {
        let step = (0..looks.len()).find(|at| {
            looks[*at].is_none() && facts[*at].are_whole && tells_apart(sheet, &looks, *at)
        });
        if let Some(step) = step {
            looks[step] = Some(Look::Step);
        }
    }
    let settled = |at: usize| match looks[at] {
        Some(look) => look,
        None => facts[at].setting(&bases[at], &sheet.header[at], has_parts),
    };
    Some((0..looks.len()).map(settled).collect())
}

/// A column that says what each row measured, and its first value: `metric=accuracy`.
fn several_metrics(sheet: &Sheet, looks: &[Look], columns: &Columns) -> Option<String> {
    let is_kind = |name: &str| {
        [
            "metric",
            "metric_name",
            "measure",
            "filter",
            "split",
            "phase",
        ]
        .contains(&base(name).as_str())
    };
    let at = sheet
        .header
        .iter()
        .position(|name| is_kind(name) && !columns.is_named(name))?;
    let facts = Facts::of(sheet, at);
    let is_open = looks[at] != Look::Settled && facts.n_levels > 1 && !facts.are_numbers;
    let value = sheet.cell(0, at);
    (is_open && !value.contains(',')).then(|| format!("{}={value}", sheet.header[at]))
}

/// Whether rows of one run and task are told apart by a column.
fn tells_apart(sheet: &Sheet, looks: &[Option<Look>], column: usize) -> bool {
    let keys: Vec<usize> = (0..looks.len())
        .filter(|at| {
            matches!(
                looks[*at],
                Some(Look::Run | Look::Learner | Look::Seed | Look::Task)
            )
        })
        .collect();
    if !looks.contains(&Some(Look::Task)) {
        return false;
    }
    let of = |with: Option<usize>| -> BTreeSet<Vec<&str>> {
        let cells = |row| {
            keys.iter()
                .copied()
                .chain(with)
                .map(|at| sheet.cell(row, at))
                .collect()
        };
        (0..sheet.n_rows()).map(cells).collect()
    };
    of(None).len() < sheet.n_rows() && of(Some(column)).len() == sheet.n_rows()
}

/// The beginning of names that three or more unknown columns of numbers share, and that ends before a number.
fn fan(sheet: &Sheet, columns: &Columns) -> Option<(String, Across)> {
    let mut fronts: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, name) in sheet.header.iter().enumerate() {
        let front = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_open = !columns.is_named(name) && !KNOWN.contains(&name.as_str());
        if front.len() < name.len() && is_open && Facts::of(sheet, at).are_numbers {
            *fronts.entry(front).or_insert(0) += 1;
        }
    }
    let (front, n) = fronts.into_iter().max_by_key(|(_, n)| *n)?;
    let has_score = sheet.header.iter().any(|name| name == "score");
    let is_step = ["step", "epoch", "iter"]
        .iter()
        .any(|word| front.to_lowercase().contains(word));
    let across = if is_step {
        Across::Steps
    } else {
        Across::Tasks
    };
    (n > 2 && !front.is_empty() && !has_score).then(|| (front.to_owned(), across))
}

/// Columns of numbers that nothing explains: tasks by name, if there are several.
fn by_name(sheet: &Sheet, columns: &Columns) -> Vec<String> {
    let is_task = |(at, name): &(usize, &String)| {
        let facts = Facts::of(sheet, *at);
        let base = base(name);
        let is_open =
            !name.is_empty() && !columns.is_named(name) && !KNOWN.contains(&name.as_str());
        let is_spoken = SPOKEN
            .iter()
            .any(|(_, names)| names.contains(&base.as_str()));
        is_open && !is_spoken && !name.contains(',') && facts.are_numbers && facts.n_levels > 1
    };
    let found = sheet.header.iter().enumerate().filter(is_task);
    found.map(|(_, name)| name.clone()).collect()
}

/// The command for a wide table: flags that are there, the beginning of its columns, and what of the rest has other names.
fn wide(file: &str, sheet: &Sheet, columns: &Columns, fronts: &[String], across: Across) -> String {
    let flag = match across {
        Across::Tasks => "--wide",
        Across::Steps => "--wide-steps",
    };
    let mut mapped = columns.renamed.clone();
    let mut ignored = columns.ignored.clone();
    for name in &sheet.header {
        if fronts.iter().any(|it| name.starts_with(it.as_str()))
            || name.is_empty()
            || columns.is_named(name)
        {
            continue;
        }
        let base = base(name);
        let meaning = SPOKEN
            .iter()
            .find(|(_, names)| names.contains(&base.as_str()));
        match meaning {
            _ if KNOWN.contains(&name.as_str()) => {}
            Some((look, _)) if !matches!(look, Look::Task | Look::Step) => {
                mapped.push(format!("{}={name}", format!("{look:?}").to_lowercase()));
            }
            Some(_) | None => ignored.push(name.clone()),
        }
    }
    let mut words = vec![
        String::from(shell::program()),
        String::from("analyze"),
        shell::quote(file),
        flag.to_owned(),
        shell::quote(&fronts.join(",")),
    ];
    for (flag, names) in [("--column", mapped), ("--ignore", ignored)] {
        if !names.is_empty() {
            words.extend([flag.to_owned(), shell::quote(&names.join(","))]);
        }
    }
    let is_share = |at: usize| {
        let name = &sheet.header[at];
        let is_task = fronts.iter().any(|it| name.starts_with(it.as_str()));
        let facts = Facts::of(sheet, at);
        !is_task || !facts.are_numbers || (facts.low >= 0.0 && facts.high <= 1.0 + 1e-6)
    };
    if columns.unit.is_none() && !(0..sheet.header.len()).all(is_share) {
        words.extend(["--unit", "score"].map(String::from));
    }
    words.join(" ")
}

fn is_neither(base: &str) -> bool {
    NEITHER.iter().any(|part| base.contains(part))
}

/// The last part of a name in lower case, without what trackers put in front of settings and metrics.
fn base(name: &str) -> String {
    let lower = name.to_lowercase();
    let last = lower.rsplit(['/', '.', ':']).next().unwrap_or(&lower);
    let last = ["params_", "param_", "user_attrs_", "hp_"]
        .iter()
        .find_map(|front| last.strip_prefix(front))
        .unwrap_or(last);
    last.replace([' ', '-'], "_")
}

/// What the cells of a column say.
struct Facts {
    n_levels: usize,
    n_rows: usize,
    are_numbers: bool,
    are_whole: bool,
    are_states: bool,
    low: f64,
    high: f64,
}

impl Facts {
    fn of(sheet: &Sheet, column: usize) -> Self {
        let mut levels = BTreeSet::new();
        let mut facts = Self {
            n_levels: 0,
            n_rows: sheet.n_rows(),
            are_numbers: true,
            are_whole: true,
            are_states: true,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        };
        for row in 0..sheet.n_rows() {
            let text = sheet.cell(row, column);
            if cell::is_missing(text) {
                continue;
            }
            levels.insert(text);
            match cell::number(text, sheet.decimal_comma) {
                Some(value) => {
                    facts.low = facts.low.min(value);
                    facts.high = facts.high.max(value);
                    facts.are_whole &= value >= 0.0 && value.fract().abs() < f64::EPSILON;
                }
                None => (facts.are_numbers, facts.are_whole) = (false, false),
            }
            facts.are_states &= cell::truth(text).is_some();
        }
        facts.n_levels = levels.len();
        facts.are_numbers &= facts.n_levels > 0;
        facts
    }

    /// A setting that varied, or something else.
    fn setting(&self, base: &str, name: &str, has_parts: bool) -> Look {
        let is_metric = [
            "metrics.", "test/", "val/", "eval/", "train/", "system/", "split",
        ]
        .iter()
        .any(|front| name.starts_with(front))
            || SCORES.contains(&base)
            || LOWER.iter().any(|part| base.contains(part));
        let is_name = ["id", "name", "number", "index", "tags", "user", "sweep"].contains(&base)
            || base.ends_with("_id")
            || base.starts_with('_');
        if self.n_levels < 2 || is_metric || is_neither(base) || is_name || has_parts {
            Look::Other
        } else if self.are_numbers && self.low > 0.0 && self.high / self.low >= DECADES {
            Look::Decades
        } else if self.are_numbers {
            Look::Number
        } else if self.n_levels <= 64 && 2 * self.n_levels <= self.n_rows {
            Look::Names
        } else {
            Look::Other
        }
    }
}

/// A hint for tables whose runs are named after learner and seed, and which have no column for them.
pub(super) fn hint<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Option<String> {
    let pattern = naming::guess(names.clone())?;
    let first = names.clone().next()?;
    Some(format!(
        "names of runs such as `{first}` look like learner and seed: --run-name {} reads them",
        shell::quote(&pattern)
    ))
}
