//! A study from rows of scores: one for each run and task, from memory or from a reader of separated text.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::error::AnalysisError;
use crate::incomplete::adjusted_means;
use crate::record::{Outcome, Run, Study, TaskScores};

/// The score of one run on one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<T> {
    /// Name of the learner.
    pub learner: T,
    /// Seed of the run: learner and seed name a run, and runs of two learners with one seed are compared as a pair.
    pub seed: u64,
    /// Name of the task; the same in every run. A run with one score has one task; one that lacks some is compared by its adjusted mean.
    pub task: T,
    /// An accuracy, 0 to 1; a score of any scale where [`Options::scale`](crate::Options::scale) names one.
    pub score: f64,
}

impl Study {
    /// The study of these rows, in any order. Everything about how the runs were made is left open. Where runs lack tasks of each other,
    /// each has the mean that it would have on all of them ([`adjusted_means`]).
    ///
    /// # Errors
    /// [`AnalysisError::TooFew`] without rows, and where runs with holes share too few tasks; [`AnalysisError::NotFinite`] for a score that is
    /// none; [`AnalysisError::Shape`] for a task that a run has twice. Each with the run and the task.
    /// # Example
    /// ```
    /// use metastable_analysis::comparison::Comparisons;
    /// use metastable_analysis::rows::Row;
    /// use metastable_analysis::{Options, Study, analyze};
    ///
    /// let mut rows = Vec::new();
    /// for (seed, scores) in [[0.70, 0.61], [0.72, 0.64], [0.69, 0.62]].into_iter().enumerate() {
    ///     for (learner, score) in ["ours", "theirs"].into_iter().zip(scores) {
    ///         rows.push(Row { learner, seed: seed as u64, task: "test set", score });
    ///     }
    /// }
    /// let study = Study::from_rows("two learners", rows)?;
    /// let found = analyze(&study, &Options::default())?;
    /// let pairs: Comparisons = found.settings[0].all.get().expect("two learners are compared");
    /// let difference = pairs.pairs[0].difference().expect("they share seeds");
    /// assert_eq!(format!("{:.2}", difference.value), "0.08");
    /// # Ok::<(), metastable_analysis::AnalysisError>(())
    /// ```
    pub fn from_rows<T: AsRef<str>>(
        name: &str,
        rows: impl IntoIterator<Item = Row<T>>,
    ) -> Result<Self, AnalysisError> {
        let mut table = Table::default();
        for (at, row) in rows.into_iter().enumerate() {
            table.add(
                row.learner.as_ref(),
                row.seed,
                row.task.as_ref(),
                row.score,
                &format!("row {at}"),
            )?;
        }
        table.study(name)
    }

    /// The same from text with a header: columns `learner`, `seed`, `task` and `score` in any order, separated by comma, semicolon or
    /// tab; others are not read, and `task` may be absent. Cells are not quoted.
    ///
    /// # Errors
    /// Those of [`Self::from_rows`], [`AnalysisError::OutOfRange`] with the line for a cell that is no number or a line with other cells
    /// than the header, [`AnalysisError::Unread`] if the reader fails.
    pub fn read_rows(name: &str, reader: impl BufRead) -> Result<Self, AnalysisError> {
        let mut header: Option<Header> = None;
        let mut table = Table::default();
        for (at, line) in reader.lines().enumerate() {
            let place = format!("line {}", at + 1);
            let line = line.map_err(|error| AnalysisError::Unread {
                position: place.clone(),
                reason: error.to_string(),
            })?;
            let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r');
            if line.trim().is_empty() {
                continue;
            }
            let Some(header) = &header else {
                header = Some(Header::parse(line, &place)?);
                continue;
            };
            header.row(line, &place, &mut table)?;
        }
        table.study(name)
    }
}

/// Where the columns stand.
struct Header {
    separator: char,
    n: usize,
    learner: usize,
    seed: usize,
    task: Option<usize>,
    score: usize,
}

impl Header {
    fn parse(line: &str, place: &str) -> Result<Self, AnalysisError> {
        let count = |separator: char| line.matches(separator).count();
        let mut separator = ',';
        for other in [';', '\t'] {
            if count(other) > count(separator) {
                separator = other;
            }
        }
        let names: Vec<&str> = line.split(separator).map(str::trim).collect();
        let at = |wanted: &str| names.iter().position(|name| *name == wanted);
        let need = |wanted: &str| {
            at(wanted).ok_or_else(|| AnalysisError::OutOfRange {
                what: "the header".to_owned(),
                value: names.join(" "),
                position: place.to_owned(),
                expected: format!("a column `{wanted}`"),
            })
        };
        Ok(Self {
            separator,
            n: names.len(),
            learner: need("learner")?,
            seed: need("seed")?,
            task: at("task"),
            score: need("score")?,
        })
    }

    fn row(&self, line: &str, place: &str, table: &mut Table) -> Result<(), AnalysisError> {
        let cells: Vec<&str> = line.split(self.separator).map(str::trim).collect();
        let wrong = |what: &str, value: &str, expected: String| AnalysisError::OutOfRange {
            what: what.to_owned(),
            value: value.to_owned(),
            position: place.to_owned(),
            expected,
        };
        if cells.len() != self.n {
            return Err(wrong(
                "the number of cells",
                &cells.len().to_string(),
                format!("{}, as in the header", self.n),
            ));
        }
        let seed = cells[self.seed]
            .parse()
            .map_err(|_| wrong("seed", cells[self.seed], "a whole number".to_owned()))?;
        let score = cells[self.score]
            .parse()
            .map_err(|_| wrong("score", cells[self.score], "a number".to_owned()))?;
        let task = self.task.map_or("all", |at| cells[at]);
        table.add(cells[self.learner], seed, task, score, place)
    }
}

/// Scores by run, and the tasks in their order.
#[derive(Default)]
struct Table {
    tasks: BTreeMap<String, usize>,
    runs: Vec<(String, u64, Vec<Option<f64>>)>,
    index: BTreeMap<(String, u64), usize>,
}

impl Table {
    fn add(
        &mut self,
        learner: &str,
        seed: u64,
        task: &str,
        score: f64,
        place: &str,
    ) -> Result<(), AnalysisError> {
        if !score.is_finite() {
            return Err(AnalysisError::NotFinite {
                what: format!("score of {learner}, seed {seed}, on task `{task}`"),
                value: score.to_string(),
                position: place.to_owned(),
            });
        }
        let n = self.tasks.len();
        let task_at = match self.tasks.get(task) {
            Some(at) => *at,
            None => *self.tasks.entry(task.to_owned()).or_insert(n),
        };
        let key = (learner.to_owned(), seed);
        let run = *self.index.entry(key).or_insert_with(|| {
            self.runs.push((learner.to_owned(), seed, Vec::new()));
            self.runs.len() - 1
        });
        let scores = &mut self.runs[run].2;
        if scores.len() <= task_at {
            scores.resize(task_at + 1, None);
        }
        if scores[task_at].replace(score).is_some() {
            return Err(AnalysisError::Shape {
                what: format!("scores of {learner}, seed {seed}, on task `{task}` ({place})"),
                expected: 1,
                got: 2,
            });
        }
        Ok(())
    }

    fn study(self, name: &str) -> Result<Study, AnalysisError> {
        if self.runs.is_empty() {
            return Err(AnalysisError::too_few("rows of scores", 1, 0));
        }
        let n_tasks = self.tasks.len();
        let mut study = Study {
            name: name.to_owned(),
            ..Study::default()
        };
        let (runs, cells): (Vec<_>, Vec<_>) = self
            .runs
            .into_iter()
            .map(|(learner, seed, mut cells)| {
                cells.resize(n_tasks, None);
                ((learner, seed), cells)
            })
            .unzip();
        for ((learner, seed), scores) in runs.into_iter().zip(task_scores(cells)?) {
            study.runs.push(Run {
                id: format!("{learner}-s{seed}"),
                learner,
                setting: "table".to_owned(),
                seed,
                outcome: Outcome::Completed,
                history: Vec::new(),
                train_seconds: 0.0,
                test: None,
                scores: Some(scores),
                adaptation: None,
                training: None,
                selection: None,
                fingerprint: crate::fingerprint::Fingerprint::default(),
            });
        }
        Ok(study)
    }
}

/// The scores of each run: as they are where no run lacks a task, else its adjusted mean with the cells behind it.
fn task_scores(cells: Vec<Vec<Option<f64>>>) -> Result<Vec<TaskScores>, AnalysisError> {
    if cells.iter().flatten().all(Option::is_some) {
        let whole = |row: Vec<Option<f64>>| TaskScores {
            accuracies: row.into_iter().flatten().collect(),
            ..TaskScores::default()
        };
        return Ok(cells.into_iter().map(whole).collect());
    }
    let are_shares = cells
        .iter()
        .flatten()
        .flatten()
        .all(|score| (0.0..=1.0).contains(score));
    let means = adjusted_means(&cells)?.means.into_iter();
    let adjusted = means.zip(cells).map(|(mean, cells)| TaskScores {
        // An adjusted mean of shares may fall a little outside of where a share can lie.
        accuracies: vec![if are_shares {
            mean.clamp(0.0, 1.0)
        } else {
            mean
        }],
        cells: Some(cells),
        ..TaskScores::default()
    });
    Ok(adjusted.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "seed;learner;task;score;note\r\n0;a;x;0.5;-\r\n\r\n0;a;y;0.75;-\r\n0;b;y;1;-\r\n0;b;x;0.25;-\r\n";

    #[test]
    fn rows_in_any_order_are_runs_by_tasks() {
        let study = Study::read_rows("read", TEXT.as_bytes()).unwrap();
        let of = |run: &Run| run.scores.as_ref().unwrap().accuracies.clone();
        let scores: Vec<Vec<f64>> = study.runs.iter().map(of).collect();
        assert_eq!(scores, [[0.5, 0.75], [0.25, 1.0]]);
        let rows = [
            ("a", "x", 0.5),
            ("a", "y", 0.75),
            ("b", "x", 0.25),
            ("b", "y", 1.0),
        ];
        let rows = rows.map(|(learner, task, score)| Row {
            learner,
            seed: 0,
            task,
            score,
        });
        let same = Study::from_rows("read", rows).unwrap();
        assert_eq!(study, same);
    }

    /// The plain mean of the run that lacks the hard task is above the other's; on the tasks of both it is under it.
    #[test]
    fn a_run_that_lacks_a_task_has_its_adjusted_mean() {
        let text =
            "learner,seed,task,score\na,0,x,0.9\na,0,y,0.7\na,0,z,0.81\na,1,x,0.88\na,1,z,0.8\n";
        let study = Study::read_rows("holes", text.as_bytes()).unwrap();
        let cells = [
            vec![Some(0.9), Some(0.7), Some(0.81)],
            vec![Some(0.88), None, Some(0.8)],
        ];
        let means = adjusted_means(&cells).unwrap().means;
        for ((run, mean), cells) in study.runs.iter().zip(means).zip(cells) {
            let scores = run.scores.as_ref().unwrap();
            assert_eq!(scores.accuracies, [mean]);
            assert_eq!(scores.cells, Some(cells));
        }
        let first = study.runs[0].scores.as_ref().unwrap().accuracies[0];
        assert!(study.runs[1].scores.as_ref().unwrap().accuracies[0] < first);
        // A run that shares no task with another cannot be compared by it.
        let apart = "learner,seed,task,score\na,0,x,0.9\na,1,y,0.88\n";
        assert!(Study::read_rows("apart", apart.as_bytes()).is_err());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let said = |text: &str| {
            Study::read_rows("", text.as_bytes())
                .unwrap_err()
                .to_string()
        };
        let bad = TEXT.replace("0.75", "x");
        assert_eq!(said(&bad), "score is x at line 4; expected a number");
        assert!(
            said(&TEXT.replace("0.75", "nan")).contains("seed 0, on task `y` is NaN at line 4")
        );
        assert!(said(&TEXT.replace("b;y", "b;x")).contains("on task `x` (line 6)"));
        assert!(said("learner,score\n").contains("a column `seed`"));
        assert!(said("").contains("rows of scores"));
        assert!(said(&TEXT.replace("1;-", "1")).contains("line 5"));
    }
}
