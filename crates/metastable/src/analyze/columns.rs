//! What the flags say about the columns of a table.

use anyhow::{Result, bail};
use metastable_analysis::ScoreScale;

use super::exported::Role;
use super::own::{KNOWN, is_no_setting};
use super::reference::Reference;
use super::sheet::Sheet;
use crate::shell;
use crate::study::suggestion;

/// What columns are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// Settings that were varied on purpose.
    pub(crate) factors: Vec<String>,
    /// The same, measured in decades.
    pub(crate) logarithmic: Vec<String>,
    /// Sources of chance.
    pub(crate) streams: Vec<String>,
    /// What has to agree for runs to be comparable.
    pub(crate) fingerprint: Vec<String>,
    /// Not to be read.
    pub(crate) ignored: Vec<String>,
    /// `MEANING=COLUMN`, or `failed=COLUMN:STATE|STATE`.
    pub(crate) renamed: Vec<String>,
    /// Factors whose levels are names, though they may look like numbers.
    pub(crate) categories: Vec<String>,
    /// Factors whose levels are numbers.
    pub(crate) numbers: Vec<String>,
    /// A beginning of names: each such column is a task, and a row is a run.
    pub(crate) wide: Vec<String>,
    /// A beginning of names: each such column is a step of the training, and a row is a run.
    pub(crate) wide_steps: Vec<String>,
    /// `COLUMN=VALUE`: which rows are read.
    pub(crate) only: Vec<String>,
    /// The column of steps of a chart: each other column is a run.
    pub(crate) curves: Option<String>,
    /// How names of runs are made of learner and seed: `{learner}-s{seed}`.
    pub(crate) run_name: Option<String>,
    /// Whether columns that no flag names are left out.
    pub(crate) ignores_others: bool,
    /// Whether runs are compared on the tasks that all of them have.
    pub(crate) common_tasks: bool,
    /// What a score is called, and how it is measured.
    pub(crate) unit: Option<String>,
    /// Whether smaller scores are better.
    pub(crate) lower_is_better: bool,
    /// Scores that stand for 0 and 1.
    pub(crate) reference: Option<Reference>,
    /// Whether each run has test tasks of its own.
    pub(crate) own_tasks: bool,
}

/// The names that the analysis uses for the columns of a file, in its order, and the states that count as failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    /// Name by column; empty: not read.
    pub(super) names: Vec<String>,
    /// What `failed` says if the run failed; empty: yes, true, 1, or a state such as `crashed`.
    pub(super) failed_states: Vec<String>,
}

impl Columns {
    /// The flags that give a column a meaning, with their columns.
    fn flags(&self) -> [(&'static str, &Vec<String>); 7] {
        [
            ("--factor", &self.factors),
            ("--log", &self.logarithmic),
            ("--stream", &self.streams),
            ("--fingerprint", &self.fingerprint),
            ("--ignore", &self.ignored),
            ("--category", &self.categories),
            ("--number", &self.numbers),
        ]
    }

    /// Every flag that was given, with its value; without one for a flag that takes none.
    pub(super) fn given(&self) -> Vec<(&'static str, Option<String>)> {
        let mut lists = self.flags().to_vec();
        lists.extend([
            ("--column", &self.renamed),
            ("--where", &self.only),
            ("--wide", &self.wide),
            ("--wide-steps", &self.wide_steps),
        ]);
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let mut given: Vec<(&'static str, Option<String>)> = lists
            .map(|(flag, list)| (flag, Some(list.join(","))))
            .collect();
        let direction = self.lower_is_better.then(|| String::from("lower"));
        let reference = self.reference.as_ref().map(Reference::text);
        for (flag, value) in [
            ("--curves", self.curves.clone()),
            ("--run-name", self.run_name.clone()),
            ("--unit", self.unit.clone()),
            ("--direction", direction),
            ("--reference", reference),
        ] {
            if value.is_some() {
                given.push((flag, value));
            }
        }
        for (flag, is_given) in [
            ("--ignore-others", self.ignores_others),
            ("--common-tasks", self.common_tasks),
            ("--own-tasks", self.own_tasks),
        ] {
            if is_given {
                given.push((flag, None));
            }
        }
        given
    }

    /// Columns that are factors or streams, each once.
    pub(super) fn of_runs(&self) -> Vec<&String> {
        let mut all = Vec::new();
        let factors = self.factors.iter().chain(&self.logarithmic);
        let typed = self.categories.iter().chain(&self.numbers);
        for name in factors.chain(&self.streams).chain(typed) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    /// Factors in order of their flags, and whether each is measured in decades.
    pub(super) fn all_factors(&self) -> Vec<(&String, bool)> {
        let linear = self.of_runs().into_iter().filter(|name| {
            !self.logarithmic.contains(name)
                && (!self.streams.contains(name) || self.factors.contains(name))
        });
        let linear = linear.map(|name| (name, false));
        let logarithmic = self.logarithmic.iter().map(|name| (name, true));
        linear.chain(logarithmic).collect()
    }

    /// Whether scores are percentages of right answers.
    pub(super) fn is_percent(&self) -> bool {
        let is_share = !self.lower_is_better && self.reference.is_none();
        is_share && matches!(self.unit.as_deref(), Some("percent" | "%"))
    }

    /// What a score is, if it is no share of right answers.
    pub(crate) fn scale(&self) -> Option<ScoreScale> {
        if self.reference.is_some() {
            return Some(ScoreScale {
                name: String::from("normalised score"),
                lower_is_better: false,
            });
        }
        if self.is_percent() || (self.unit.is_none() && !self.lower_is_better) {
            return None;
        }
        Some(ScoreScale {
            name: self.unit.clone().unwrap_or_else(|| String::from("score")),
            lower_is_better: self.lower_is_better,
        })
    }

    /// Whether a flag says what a column is.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let is_mapped = |pair: &String| {
            let column = pair.split_once('=').map_or("", |it| it.1);
            column == name || column.rsplit_once(':').is_some_and(|it| it.0 == name)
        };
        let flagged = self
            .flags()
            .iter()
            .any(|(_, list)| list.iter().any(|it| it == name));
        flagged || self.renamed.iter().any(is_mapped)
    }

    /// The column of the file that has a meaning of ours, as far as flags say.
    pub(super) fn named<'c>(&'c self, meaning: &'c str) -> &'c str {
        let pairs = self.renamed.iter().filter_map(|pair| pair.split_once('='));
        let mut columns = pairs.filter(|(own, _)| *own == meaning);
        columns.next().map_or(meaning, |(_, column)| column)
    }

    /// Puts names that hold commas together again, which the command line took for several: of `--ignore a,b` one name where the file has a
    /// column `a,b` and none called `a`.
    pub(super) fn rejoin(&mut self, header: &[String]) {
        let names = |text: &str| {
            let column = text.split_once('=').map_or(text, |it| it.1);
            [text, column]
                .into_iter()
                .any(|it| header.iter().any(|name| name == it))
        };
        for list in [
            &mut self.factors,
            &mut self.logarithmic,
            &mut self.streams,
            &mut self.fingerprint,
            &mut self.ignored,
            &mut self.categories,
            &mut self.numbers,
            &mut self.renamed,
            &mut self.wide,
        ] {
            let mut at = 0;
            while at < list.len() {
                let joined = |end: &usize| names(&list[at..*end].join(","));
                if let Some(end) = (at + 1..=list.len()).find(joined) {
                    let whole = list[at..end].join(",");
                    drop(list.splice(at..end, [whole]));
                }
                at += 1;
            }
        }
    }

    /// What an export says of its columns, unless a flag says something of them.
    pub(super) fn take_roles(&mut self, sheet: &Sheet, roles: Vec<(String, Role)>) {
        for (name, role) in roles {
            let is_mapped = self.named(&name) != name;
            let is_there = sheet.header.contains(&name);
            if self.ignores_others || is_mapped || !is_there || self.is_named(&name) {
                continue;
            }
            match role {
                Role::Factor => self.factors.push(name),
                Role::Stream => self.streams.push(name),
                Role::Constant => self.ignored.push(name),
            }
        }
    }

    /// Gives the columns of a sheet their names, or says which column has none, and what `suggested` says then.
    pub(super) fn meaning(
        &self,
        file: &str,
        sheet: &Sheet,
        suggested: impl FnOnce() -> String,
    ) -> Result<Meaning> {
        let header = &sheet.header;
        let names: Vec<&str> = header.iter().map(String::as_str).collect();
        for (at, name) in header.iter().enumerate() {
            let is_twice = header[..at].contains(name) && !name.is_empty();
            if is_twice && !self.ignored.contains(name) {
                bail!(
                    "{file}:1: column {}: the name `{name}` occurs twice; rename one of them, or leave both out with --ignore {}",
                    at + 1,
                    shell::quote(name)
                );
            }
        }
        for (flag, wanted) in self.flags() {
            if let Some(missing) = wanted.iter().find(|name| !header.contains(name)) {
                bail!(
                    "{flag} {missing}: {file} has no such column; {}",
                    suggestion(missing, &names)
                );
            }
        }
        let mut meaning = Meaning {
            names: header.clone(),
            failed_states: Vec::new(),
        };
        for pair in &self.renamed {
            let Some((own, column)) = pair.split_once('=') else {
                bail!("--column {pair}: expected MEANING=COLUMN, such as score=test/acc");
            };
            if !KNOWN.contains(&own) {
                bail!("--column {pair}: {own}: {}", suggestion(own, &KNOWN));
            }
            let whole = header.iter().position(|name| name == column);
            let (at, states) = match (whole, column.rsplit_once(':')) {
                (Some(at), _) => (Some(at), ""),
                (None, Some((column, states))) if own == "failed" => {
                    (header.iter().position(|name| name == column), states)
                }
                _ => (None, ""),
            };
            let Some(at) = at else {
                bail!(
                    "--column {pair}: {file} has no column `{column}`; {}",
                    suggestion(column, &names)
                );
            };
            // A column that has the name already gives way.
            for name in &mut meaning.names {
                if name == own {
                    name.clear();
                }
            }
            own.clone_into(&mut meaning.names[at]);
            if !states.is_empty() {
                meaning.failed_states = states.split('|').map(str::to_owned).collect();
            }
        }
        self.read_case(header, &mut meaning);
        let mut unknown = Vec::new();
        for (at, name) in header.iter().enumerate() {
            if sheet.index.as_ref() == Some(name) && !self.is_named(name) {
                meaning.names[at].clear();
                continue;
            }
            if !self.check_one(file, at, name, &mut meaning)? {
                unknown.push((at, name.as_str()));
            }
        }
        if let [(at, first), others @ ..] = unknown.as_slice() {
            let others: Vec<String> = others.iter().map(|(_, it)| format!("`{it}`")).collect();
            let more = match others.as_slice() {
                [] => String::new(),
                [one] => format!(", nor is {one}"),
                many => format!(", nor are {}", many.join(", ")),
            };
            bail!(
                "{file}:1: column {} (`{first}`) is not known{more}; say what it is with --factor, --log, --stream, --fingerprint or --ignore \
                 {}, or with --column {} (meanings: {}); --ignore-others leaves out what no flag names. {}",
                at + 1,
                shell::quote(first),
                shell::quote(&format!("MEANING={first}")),
                KNOWN.join(", "),
                suggested()
            );
        }
        Ok(meaning)
    }

    /// A column `Score` is the score, where no column is called `score` and no flag says otherwise.
    fn read_case(&self, header: &[String], meaning: &mut Meaning) {
        for (at, name) in header.iter().enumerate() {
            let lower = name.to_lowercase();
            let is_ours = KNOWN.contains(&lower.as_str()) && !KNOWN.contains(&name.as_str());
            let is_open = meaning.names[at] == *name && !self.is_named(name);
            if is_ours && is_open && !meaning.names.contains(&lower) {
                meaning.names[at] = lower;
            }
        }
    }

    /// Settles what a column is; no: nothing says it.
    fn check_one(
        &self,
        file: &str,
        at: usize,
        name: &String,
        meaning: &mut Meaning,
    ) -> Result<bool> {
        let own = meaning.names[at].clone();
        let uses: Vec<&str> = self.flags()[..5]
            .iter()
            .filter(|(_, wanted)| wanted.contains(name))
            .map(|(flag, _)| *flag)
            .collect();
        let is_known = KNOWN.contains(&own.as_str());
        if uses.contains(&"--ignore") && uses.len() == 1 {
            meaning.names[at].clear();
            return Ok(true);
        }
        if uses.len() > 1 {
            bail!(
                "{file}:1: column {} (`{name}`) is named by {}; name it once",
                at + 1,
                uses.join(" and ")
            );
        }
        if is_known && uses.len() == 1 && ["score", "hit"].contains(&own.as_str()) {
            bail!(
                "{file}:1: column {} (`{name}`) is the {own}, and cannot be named by {} too; if another column is the score, say so with --column \
                 score=OTHER",
                at + 1,
                uses[0]
            );
        }
        let is_typed = self.categories.contains(name) || self.numbers.contains(name);
        let is_used = !uses.is_empty() || is_typed;
        // pandas' index has no name.
        if name.is_empty() && !is_known {
            meaning.names[at].clear();
        } else if is_used && is_no_setting(&own) {
            // A factor called `task` is no list of test tasks.
            meaning.names[at] = format!("({own})");
        } else if !is_used && !is_known && !own.is_empty() {
            if !self.ignores_others {
                return Ok(false);
            }
            meaning.names[at].clear();
        } else if !is_known && !own.is_empty() {
            name.clone_into(&mut meaning.names[at]);
        }
        Ok(true)
    }
}
