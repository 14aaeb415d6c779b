//! Published results: the files of `datasets/published/`, compiled in, and read without guessing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use metastable_analysis::reproduction::{PlusMinus, Published};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::percent::Percent;
use super::protocol::Protocol;

/// A file by its name.
pub(super) struct BuiltIn {
    pub(super) key: &'static str,
    text: &'static str,
}

macro_rules! built_in {
    ($($key:literal),+ $(,)?) => {
        /// All files, oldest paper first.
        pub(super) const PAPERS: &[BuiltIn] = &[
            $(BuiltIn { key: $key, text: include_str!(concat!("../../published/", $key, ".toml")) },)+
        ];
    };
}

built_in!(
    "vinyals2016",
    "finn2017",
    "li2017",
    "snell2017",
    "nichol2018",
    "antoniou2019",
    "rajeswaran2019",
    "raghu2020",
    "triantafillou2020",
);

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    paper: Paper,
    method: Vec<Method>,
}

/// The paper of a file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paper {
    pub(super) authors: String,
    pub(super) year: u16,
    pub(super) title: String,
    pub(super) venue: String,
    pub(super) arxiv: String,
}

/// How a value was checked; what was only remembered is in no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Checked {
    /// Seen in the paper itself.
    Paper,
    /// Seen in another publication or copy.
    Quoted,
    /// Seen in the repository of who made it.
    Repository,
    /// Marked as seen in this project's notes; not opened again.
    Notes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Method {
    name: String,
    network: String,
    data: String,
    #[serde(rename = "where")]
    place: String,
    checked: Checked,
    checked_in: String,
    #[serde(default)]
    settings: BTreeMap<String, Value>,
    #[serde(default)]
    protocol: Protocol,
    result: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    way: Option<usize>,
    shot: Option<usize>,
    value: Percent,
    plus_minus: Option<Percent>,
    plus_minus_is: Option<PlusMinus>,
    #[serde(default)]
    settings: BTreeMap<String, Value>,
    #[serde(default)]
    protocol: Protocol,
    #[serde(default)]
    reimplementation: Vec<Reimplementation>,
}

/// What somebody else got for the same cell.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reimplementation {
    pub(super) by: String,
    pub(super) value: Percent,
    pub(super) checked: Checked,
    /// Fields of the protocol that are known to be others; `settings` for the learner's.
    #[serde(default)]
    pub(super) differs: Vec<String>,
}

/// One published number with everything that belongs to it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cell {
    /// Name of the file.
    pub(super) key: &'static str,
    #[serde(flatten)]
    pub(super) paper: Paper,
    pub(super) method: String,
    pub(super) network: String,
    pub(super) data: String,
    #[serde(rename = "where")]
    pub(super) place: String,
    pub(super) way: Option<usize>,
    pub(super) shot: Option<usize>,
    pub(super) value: Percent,
    pub(super) plus_minus: Option<Percent>,
    pub(super) plus_minus_is: Option<PlusMinus>,
    pub(super) checked: Checked,
    pub(super) checked_in: String,
    pub(super) settings: BTreeMap<String, Value>,
    pub(super) protocol: Protocol,
    pub(super) reimplementations: Vec<Reimplementation>,
}

impl Cell {
    /// `5-way 1-shot`.
    pub(super) fn shape(&self) -> String {
        match (self.way, self.shot) {
            (Some(way), Some(shot)) => format!("{way}-way {shot}-shot"),
            _ => String::from("any way, any shot"),
        }
    }

    /// `98.7 ± 0.4`.
    pub(super) fn printed(&self) -> String {
        match &self.plus_minus {
            Some(width) => format!("{} ± {width}", self.value),
            None => self.value.to_string(),
        }
    }

    /// What the statistics take: fractions, with one run and 600 tasks where the paper does not say.
    pub(super) fn published(&self) -> Published {
        let width = self.plus_minus.as_ref().zip(self.plus_minus_is);
        Published {
            value: self.value.fraction(),
            plus_minus: width.map(|(width, kind)| (width.fraction(), kind)),
            runs: self.protocol.runs.unwrap_or(1),
            tasks: self.protocol.tasks.unwrap_or(600),
            digit: self.value.digit(),
        }
    }
}

/// Every published number, in the order of the files.
///
/// # Errors
/// A file that is not as `datasets/published/README.md` says, with file, place and value; a test excludes it.
pub(super) fn cells() -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for paper in PAPERS {
        cells.extend(read(paper.key, paper.text)?);
    }
    Ok(cells)
}

/// The numbers of one file.
fn read(key: &'static str, text: &str) -> Result<Vec<Cell>> {
    let name = format!("datasets/published/{key}.toml");
    let file: File = toml::from_str(text).with_context(|| name.clone())?;
    let arxiv = &file.paper.arxiv;
    let is_number = arxiv.split_once('.').is_some_and(|(month, number)| {
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        month.len() == 4 && number.len() >= 4 && digits(month) && digits(number)
    });
    ensure!(
        is_number,
        "{name}: arxiv = {arxiv:?} is not a number of arXiv, e.g. 1703.03400"
    );
    let mut cells: Vec<Cell> = Vec::new();
    for method in file.method {
        for line in method.result {
            let cell = Cell {
                key,
                paper: file.paper.clone(),
                method: method.name.clone(),
                network: method.network.clone(),
                data: method.data.clone(),
                place: method.place.clone(),
                way: line.way,
                shot: line.shot,
                value: line.value,
                plus_minus: line.plus_minus,
                plus_minus_is: line.plus_minus_is,
                checked: method.checked,
                checked_in: method.checked_in.clone(),
                settings: method
                    .settings
                    .clone()
                    .into_iter()
                    .chain(line.settings)
                    .collect(),
                protocol: line.protocol.over(method.protocol.clone()),
                reimplementations: line.reimplementation,
            };
            check(&cell).with_context(|| {
                format!(
                    "{name}: {} of {}, {}",
                    cell.value,
                    cell.method,
                    cell.shape()
                )
            })?;
            let is_twin = |other: &Cell| {
                (&other.method, &other.network, &other.place)
                    == (&cell.method, &cell.network, &cell.place)
                    && other.data == cell.data
                    && other.shape() == cell.shape()
            };
            if cells.iter().any(is_twin) {
                bail!("{name}: {}, {} stands twice", cell.method, cell.shape());
            }
            cells.push(cell);
        }
    }
    Ok(cells)
}

/// What types alone do not say.
fn check(cell: &Cell) -> Result<()> {
    ensure!(
        cell.way.is_some() == cell.shot.is_some(),
        "give way and shot together, or leave out both if they vary"
    );
    ensure!(
        cell.plus_minus.is_some() == cell.plus_minus_is.is_some(),
        "give plus_minus and plus_minus_is together; plus_minus_is = \"unknown\" if the paper does not say what it is"
    );
    ensure!(
        !cell.checked_in.is_empty(),
        "checked_in is empty: name where the value was seen"
    );
    for other in &cell.reimplementations {
        for field in &other.differs {
            let known = Protocol::FIELDS.contains(&field.as_str());
            ensure!(
                known || field == "settings",
                "differs = [{field:?}] of {}: {}",
                other.by,
                crate::study::suggestion(field, &Protocol::FIELDS)
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::registry;

    #[test]
    fn every_file_of_the_folder_is_compiled_in_and_reads() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/published");
        let names = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut there: Vec<String> = names
            .filter(|path| path.extension().is_some_and(|end| end == "toml"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        there.sort();
        let mut known: Vec<&str> = PAPERS.iter().map(|paper| paper.key).collect();
        known.sort_unstable();
        assert_eq!(there, known);
        let cells = cells().unwrap();
        assert!(cells.len() >= 40, "{}", cells.len());
        for cell in cells {
            let year = cell.paper.year.to_string();
            assert!(cell.key.ends_with(&year), "{}: {year}", cell.key);
            // Settings are those of the learner, where the program has it.
            let entry = registry()
                .learners()
                .iter()
                .find(|it| it.name == cell.method);
            for name in cell.settings.keys() {
                let known = entry.is_none_or(|entry| entry.defaults().contains_key(name));
                assert!(known, "{}: {} has no setting {name}", cell.key, cell.method);
            }
        }
    }

    /// As printed in the papers' tables, through the sources that `checked_in` names.
    #[test]
    fn the_table_of_omniglot_is_the_published_one() {
        let cells = cells().unwrap();
        let row = |key: &str, method: &str, place: &str| -> Vec<String> {
            let own = cells.iter().filter(|cell| {
                (cell.key, cell.method.as_str()) == (key, method) && cell.place.contains(place)
            });
            own.filter(|cell| cell.network != "mlp")
                .map(Cell::printed)
                .collect()
        };
        for (key, method, place, expected) in [
            (
                "snell2017",
                "protonet",
                "",
                ["98.8", "99.7", "96.0", "98.9"],
            ),
            (
                "vinyals2016",
                "matching",
                "",
                ["98.1", "98.9", "93.8", "98.5"],
            ),
            (
                "finn2017",
                "maml",
                "",
                ["98.7 ± 0.4", "99.9 ± 0.1", "95.8 ± 0.3", "98.9 ± 0.2"],
            ),
            (
                "nichol2018",
                "fomaml",
                "",
                ["98.3 ± 0.5", "99.2 ± 0.2", "89.4 ± 0.5", "97.9 ± 0.1"],
            ),
            (
                "nichol2018",
                "reptile",
                "+ trans",
                [
                    "97.68 ± 0.04",
                    "99.48 ± 0.06",
                    "89.43 ± 0.14",
                    "97.12 ± 0.32",
                ],
            ),
        ] {
            assert_eq!(row(key, method, place), expected, "{key}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_file_place_and_value() {
        let text = PAPERS
            .iter()
            .find(|paper| paper.key == "finn2017")
            .unwrap()
            .text;
        for (was, is, expected) in [
            (
                "value = \"98.7\"",
                "value = 98.7",
                vec!["finn2017.toml", "98.7", "string"],
            ),
            (
                "value = \"98.7\"",
                "value = \"987\"",
                vec!["finn2017.toml", "987", "percent"],
            ),
            (
                "plus_minus_is = \"tasks-95\"",
                "plus_minus_is = \"ci\"",
                vec!["finn2017.toml", "ci", "seeds-sd"],
            ),
            (
                "plus_minus = \"0.4\"\n",
                "",
                vec![
                    "finn2017.toml",
                    "98.7 of maml, 5-way 1-shot",
                    "plus_minus_is together",
                ],
            ),
            (
                "checked = \"quoted\"",
                "checked = \"recalled\"",
                vec!["finn2017.toml", "recalled", "repository"],
            ),
            (
                "split = \"random\"",
                "split = \"randon\"",
                vec!["finn2017.toml", "randon", "vinyals"],
            ),
            (
                "queries = 1",
                "querys = 1",
                vec!["finn2017.toml", "querys", "queries"],
            ),
            (
                "differs = [\"split\"]",
                "differs = [\"spilt\"]",
                vec!["finn2017.toml", "oscarknagg", "did you mean \"split\""],
            ),
            (
                "arxiv = \"1703.03400\"",
                "arxiv = \"cs/1\"",
                vec!["finn2017.toml", "cs/1", "1703.03400"],
            ),
        ] {
            assert!(text.contains(was), "{was}");
            let error = read("finn2017", &text.replacen(was, is, 1)).unwrap_err();
            let said = format!("{error:#}");
            for part in expected {
                assert!(said.contains(part), "{part:?} is not in: {said}");
            }
        }
        let twice = text.replacen("way = 5\nshot = 5", "way = 5\nshot = 1", 1);
        let said = format!("{:#}", read("finn2017", &twice).unwrap_err());
        assert!(said.contains("stands twice"), "{said}");
    }
}
