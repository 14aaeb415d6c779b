//! What `export` writes, read again: its tables with scores, with learner, setting, seed and end of each run
//! from the table `runs` beside it, and with what a study varied from the table `settings`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::file;
use super::own::KNOWN;
use super::sheet::Sheet;

/// A table of ours, known by its columns.
struct Exported {
    name: &'static str,
    /// Columns that no other table has together.
    marks: &'static [&'static str],
    /// Our names for its columns; the others are not read.
    columns: &'static [(&'static str, &'static str)],
}

const TABLES: [Exported; 5] = [
    Exported {
        name: "tasks",
        marks: &[
            "run", "task", "n_way", "k_shot", "n_query", "accuracy", "nll",
        ],
        columns: &[("task", "task"), ("score", "accuracy"), ("way", "n_way")],
    },
    Exported {
        name: "hits",
        marks: &[
            "run",
            "task",
            "query",
            "label",
            "predicted",
            "hit",
            "log_odds",
        ],
        columns: &[("task", "task"), ("query", "query"), ("hit", "hit")],
    },
    Exported {
        name: "steps",
        marks: &[
            "run",
            "step",
            "train_loss",
            "gradient_norm",
            "n_clipped",
            "validation_accuracy",
        ],
        columns: &[("step", "step"), ("score", "validation_accuracy")],
    },
    Exported {
        name: "curves",
        marks: &[
            "run",
            "task",
            "inner_step",
            "trained_steps",
            "query_accuracy",
        ],
        columns: &[
            ("task", "task"),
            ("step", "inner_step"),
            ("score", "query_accuracy"),
        ],
    },
    Exported {
        name: "runs",
        marks: &[
            "run",
            "study",
            "learner",
            "algorithm",
            "outcome",
            "test_accuracy",
            "test_list",
        ],
        columns: &[("score", "test_accuracy")],
    },
];

/// What the table of runs says of each.
const OF_RUN: [&str; 4] = ["learner", "setting", "seed", "failed"];

/// What a column was to the study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Factor,
    Stream,
    /// Declared as a factor, and equal in all runs of the export.
    Constant,
}

/// A table of ours with our names, and the columns that the study varied.
pub(super) struct Joined {
    pub(super) sheet: Sheet,
    pub(super) roles: Vec<(String, Role)>,
}

/// The table with our names, if it is one of ours.
///
/// # Errors
/// If the table of runs is not beside it, or lacks a run.
pub(super) fn joined(path: &Path, sheet: &Sheet) -> Result<Option<Joined>> {
    let has = |name: &&str| sheet.header.iter().any(|it| it == name);
    let Some(kind) = TABLES.iter().find(|it| it.marks.iter().all(has)) else {
        return Ok(None);
    };
    let file = path.display();
    let beside = |name: &str| beside(path, kind.name, name);
    let runs = match (kind.name, beside("runs")) {
        ("runs", _) => None,
        (_, Some(found)) if found.exists() => Some(file::read(&found)?),
        (_, found) => bail!(
            "{file}: this is the table `{}` of an export, and {} with learner and seed of each run is not beside it; put it there (`export` \
             writes both), or add the columns `learner` and `seed` and rename `accuracy` to `score`",
            kind.name,
            found.map_or_else(
                || String::from("the table `runs`"),
                |it| it.display().to_string()
            )
        ),
    };
    let about = about(runs.as_ref().unwrap_or(sheet));
    let varied = match beside("settings") {
        Some(found) if found.exists() => varied(&file::read(&found)?),
        _ => Varied::default(),
    };
    let mut header = vec![String::from("run")];
    header.extend(OF_RUN.map(String::from));
    header.extend(kind.columns.iter().map(|(own, _)| (*own).to_owned()));
    let has_queries = kind.name == "tasks";
    if has_queries {
        header.push(String::from("queries"));
    }
    header.extend(varied.columns.iter().map(Varied::column));
    let mut out = sheet.like(
        format!("{}, table `{}` of an export", sheet.format, kind.name),
        header,
    );
    let at = |name: &str| sheet.header.iter().position(|it| it == name).unwrap_or(0);
    let columns: Vec<usize> = kind.columns.iter().map(|(_, name)| at(name)).collect();
    let [run, way, query] = ["run", "n_way", "n_query"].map(at);
    // Of each run once what all its rows say.
    let of_runs: BTreeMap<&str, (&[String; 4], Vec<&str>)> = about
        .iter()
        .map(|(name, of_run)| (name.as_str(), (of_run, varied.of(name).collect())))
        .collect();
    let mut seen = BTreeSet::new();
    for row in 0..sheet.n_rows() {
        let name = sheet.cell(row, run);
        let Some((of_run, of_study)) = of_runs.get(name) else {
            bail!(
                "{}: run `{name}` is not in the table `runs` beside it; both have to come from one export",
                sheet.place(&file.to_string(), sheet.line(row))
            );
        };
        seen.insert(name);
        let product = |a: &str, b: &str| Some(a.parse::<u64>().ok()? * b.parse::<u64>().ok()?);
        let queries = has_queries.then(|| {
            let queries = product(sheet.cell(row, way), sheet.cell(row, query));
            queries.map_or_else(String::new, |n| n.to_string())
        });
        let mut cells = vec![name];
        cells.extend(of_run.iter().map(String::as_str));
        cells.extend(columns.iter().map(|at| sheet.cell(row, *at)));
        cells.extend(queries.as_deref());
        cells.extend(of_study.iter().copied());
        out.push(sheet.line(row) as usize, cells);
    }
    // A run that diverged has no test, and is a run all the same; it stands in no line of this file.
    let untested = of_runs
        .iter()
        .filter(|(name, (of_run, _))| !seen.contains(*name) && of_run[3] == "yes");
    for (name, (of_run, of_study)) in untested {
        let mut cells = vec![*name];
        cells.extend(of_run.iter().map(String::as_str));
        cells.extend(columns.iter().map(|_| ""));
        if has_queries {
            cells.push("");
        }
        cells.extend(of_study.iter().copied());
        out.push(0, cells);
    }
    Ok(Some(Joined {
        roles: varied.roles(&about),
        sheet: out,
    }))
}

/// The path of another table of the same export.
fn beside(path: &Path, own: &str, other: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let rest = name.strip_prefix(own)?;
    rest.starts_with('.')
        .then(|| path.with_file_name(format!("{other}{rest}")))
}

/// Learner, setting, seed and whether it failed, by run.
fn about(runs: &Sheet) -> BTreeMap<String, [String; 4]> {
    let at = |name: &str| runs.header.iter().position(|it| it == name);
    let cell = |row: usize, name: &str| at(name).map_or("", |at| runs.cell(row, at)).to_owned();
    (0..runs.n_rows())
        .map(|row| {
            let failed = match cell(row, "outcome").as_str() {
                "diverged" => "yes",
                _ => "no",
            };
            let of_run = [
                cell(row, "learner"),
                cell(row, "setting"),
                cell(row, "seed"),
                failed.to_owned(),
            ];
            (cell(row, "run"), of_run)
        })
        .collect()
}

/// What a study varied: factors and streams, by run.
#[derive(Default)]
struct Varied {
    /// Names, as the study has them.
    columns: Vec<(String, Role)>,
    values: BTreeMap<(String, String), String>,
}

impl Varied {
    fn of<'v>(&'v self, run: &'v str) -> impl Iterator<Item = &'v str> {
        self.columns.iter().map(move |(name, _)| {
            let key = (run.to_owned(), name.clone());
            self.values.get(&key).map_or("", String::as_str)
        })
    }

    /// Name of its column in a table: a stream `task` is no list of test tasks, and is called `task (stream)`.
    fn column((name, role): &(String, Role)) -> String {
        if !KNOWN.contains(&name.as_str()) || OF_RUN.contains(&name.as_str()) {
            return name.clone();
        }
        match role {
            Role::Factor | Role::Constant => format!("{name} (factor)"),
            Role::Stream => format!("{name} (stream)"),
        }
    }

    /// What each column is. As in the study's own report, learner and setting are factors beside others where there are several, and
    /// the seed is the stream where the study has no other.
    fn roles(&self, about: &BTreeMap<String, [String; 4]>) -> Vec<(String, Role)> {
        let mut roles: Vec<(String, Role)> = (self.columns.iter())
            .map(|it| (Self::column(it), self.seen(it)))
            .collect();
        let is = |wanted: Role| self.columns.iter().any(|(_, role)| *role == wanted);
        if !is(Role::Factor) {
            return roles;
        }
        let n_levels = |at: usize| {
            let levels: BTreeSet<&str> = about.values().map(|it| it[at].as_str()).collect();
            levels.len()
        };
        let says_setting =
            |(name, _): &(String, Role)| name.starts_with("data.") || name.starts_with("test.");
        if n_levels(0) > 1 {
            roles.push((String::from("learner"), Role::Factor));
        }
        if n_levels(1) > 1 && !self.columns.iter().any(says_setting) {
            roles.push((String::from("setting"), Role::Factor));
        }
        if !is(Role::Stream) {
            roles.push((String::from("seed"), Role::Stream));
        }
        roles
    }

    /// The role, or that all runs are alike.
    fn seen(&self, (name, role): &(String, Role)) -> Role {
        let values = self.values.iter().filter(|(key, _)| key.1 == *name);
        let levels: BTreeSet<&String> = values.map(|(_, value)| value).collect();
        match role {
            Role::Factor if levels.len() < 2 => Role::Constant,
            Role::Factor | Role::Stream | Role::Constant => *role,
        }
    }
}

fn varied(settings: &Sheet) -> Varied {
    let at = |name: &str| settings.header.iter().position(|it| it == name);
    let (Some(run), Some(role), Some(name), Some(value)) =
        (at("run"), at("role"), at("name"), at("value"))
    else {
        return Varied::default();
    };
    let mut found = Varied::default();
    for row in 0..settings.n_rows() {
        let role = match settings.cell(row, role) {
            "factor" => Role::Factor,
            "stream" => Role::Stream,
            // The whole configuration.
            _ => continue,
        };
        let own = settings.cell(row, name).to_owned();
        // A factor `learner` is the learner that is read already.
        if OF_RUN.contains(&own.as_str()) {
            continue;
        }
        if !found.columns.iter().any(|(known, _)| *known == own) {
            found.columns.push((own.clone(), role));
        }
        let key = (settings.cell(row, run).to_owned(), own);
        found
            .values
            .insert(key, settings.cell(row, value).to_owned());
    }
    found
}
