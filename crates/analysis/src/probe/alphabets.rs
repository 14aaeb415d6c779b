//! Which alphabets are hard, and on which a learner is unstable; single classes where the data have no alphabets.
//!
//! Accuracy and its spread over seeds come from the tests of the runs, whose tasks know their classes; the spread over support
//! sets from what the runs were asked. A table from elsewhere, which knows no classes, has none of it.

use serde::{Deserialize, Serialize};

use super::pool::over_runs;
use super::task_map::Answers;
use crate::components::components;
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::findings::{percent, points};
use crate::record::Test;
pub use crate::record::answers::task_map::ClassGroup;
use crate::scores::ScoreMatrix;
use crate::spread::spread;

/// How well, and how steadily, one alphabet is told from the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlphabetStability {
    /// Name of the alphabet, or of the one class.
    pub name: String,
    /// Times that one of its classes was in a test task.
    pub n_slots: usize,
    /// Accuracy on its queries, with the interval of crossed runs and slots (over the slots for one run).
    pub accuracy: Estimate,
    /// Whether that accuracy is below the mean of all with the level shared out among the alphabets (Bonferroni).
    pub is_below: bool,
    /// Standard deviation over seeds; absent for one run.
    pub seed_sd: Option<Estimate>,
    /// Standard deviation over support sets of the accuracy on one class in one task; absent if none of them was asked about.
    pub support_sd: Option<Estimate>,
}

/// Of every alphabet with two slots or more, lowest accuracy first; empty if tests or answers do not know their classes.
pub(super) fn stability(
    tests: &[&Test],
    asked: &[&Answers],
    level: f64,
) -> Result<Vec<AlphabetStability>, AnalysisError> {
    let (Some(test), Some(first)) = (tests.first(), asked.first()) else {
        return Ok(Vec::new());
    };
    let Some(classes) = &test.classes else {
        return Ok(Vec::new());
    };
    if tests.iter().any(|other| other.classes != test.classes) {
        return Ok(Vec::new());
    }
    let scores: Vec<Vec<f64>> = tests.iter().map(|test| slot_accuracies(test)).collect();
    let all: f64 = crate::summary::mean(&scores.concat());
    let strict = 1.0 - (1.0 - level) / first.groups.len().max(1) as f64;
    let mut found = Vec::new();
    for group in &first.groups {
        let slots = positions(classes, group);
        if slots.len() < 2 {
            continue;
        }
        let of_group = |run: &Vec<f64>| slots.iter().map(|at| run[*at]).collect::<Vec<f64>>();
        let matrix = ScoreMatrix::from_rows(&scores.iter().map(of_group).collect::<Vec<_>>())?;
        let supports: Vec<Vec<f64>> = asked
            .iter()
            .map(|run| {
                let slots = positions(&run.classes, group);
                slots.iter().map(|at| run.class_support_sd[*at]).collect()
            })
            .collect();
        found.push(AlphabetStability {
            name: group.name.clone(),
            n_slots: slots.len(),
            accuracy: Estimate::new(matrix.mean(), interval(&matrix, level)?),
            is_below: interval(&matrix, strict)?.upper < all,
            seed_sd: spread(&matrix, level)?.seed_sd,
            support_sd: over_runs(&supports, level),
        });
    }
    found.sort_by(|a, b| a.accuracy.value.total_cmp(&b.accuracy.value));
    Ok(found)
}

fn interval(matrix: &ScoreMatrix, level: f64) -> Result<Interval, AnalysisError> {
    if matrix.n_runs() > 1 {
        Ok(components(matrix, None, level)?.interval)
    } else {
        Ok(spread(matrix, level)?.runs[0].student.clone())
    }
}

/// Share of right queries of each class of each task, `(n_tasks, n_way)`.
fn slot_accuracies(test: &Test) -> Vec<f64> {
    let slots = test.predictions.chunks_exact(test.n_query).enumerate();
    slots
        .map(|(slot, predicted)| {
            let label = slot % test.n_way;
            let right = predicted.iter().filter(|it| usize::from(**it) == label);
            right.count() as f64 / test.n_query as f64
        })
        .collect()
}

fn positions(classes: &[u32], group: &ClassGroup) -> Vec<usize> {
    let is_own = |at: &usize| group.classes.contains(&classes[*at]);
    (0..classes.len()).filter(is_own).collect()
}

/// The lowest and the least steady, in a sentence; none without alphabets.
pub(super) fn sentence(learner: &str, found: &[AlphabetStability]) -> Option<String> {
    let lowest = found.first()?;
    let widest = |of: fn(&AlphabetStability) -> Option<&Estimate>| {
        let with = found.iter().filter_map(|it| Some((it, of(it)?)));
        with.max_by(|a, b| a.1.value.total_cmp(&b.1.value))
    };
    let below: Vec<&str> = found
        .iter()
        .filter(|it| it.is_below)
        .map(|it| it.name.as_str())
        .collect();
    let verdict = if below.is_empty() {
        String::from("none is distinguishably below the mean of all")
    } else {
        format!(
            "{} of {} are distinguishably below the mean of all",
            below.len(),
            found.len()
        )
    };
    let ends = |estimate: &Estimate, show: fn(f64) -> String| {
        estimate.interval.as_ref().map_or_else(String::new, |i| {
            format!(" [{}, {}]", show(i.lower), show(i.upper))
        })
    };
    let mut text = format!(
        "{learner} is worst on {}: {}{}; {verdict}",
        lowest.name,
        percent(lowest.accuracy.value),
        ends(&lowest.accuracy, percent)
    );
    if let Some((it, sd)) = widest(|it| it.seed_sd.as_ref()) {
        let range = ends(sd, points);
        text += &format!(
            "; its seeds differ most on {} (SD {}{range})",
            it.name,
            points(sd.value)
        );
    }
    if let Some((it, sd)) = widest(|it| it.support_sd.as_ref()) {
        let range = ends(sd, points);
        text += &format!(
            "; support sets move it most on {} (SD {}{range} for a class of a task)",
            it.name,
            points(sd.value)
        );
    }
    Some(text + ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two alphabets of two classes; tasks are of one class of each. Run 1 misses `hard` more often than run 0.
    fn tests() -> [Test; 2] {
        let test = |wrong: [u8; 4]| Test {
            n_tasks: 4,
            n_way: 2,
            n_query: 2,
            predictions: wrong
                .iter()
                .flat_map(|wrong| [0, 0, 1 - (*wrong & 1), 1 - (*wrong >> 1)])
                .collect(),
            task_nll: vec![0.1; 4],
            query_log_odds: None,
            classes: Some(vec![10, 20, 11, 21, 10, 21, 11, 20]),
        };
        // Bits: first, second query of label 1 is wrong.
        [test([1, 0, 1, 0]), test([3, 1, 1, 0])]
    }

    fn answers() -> Answers {
        Answers {
            n_tasks: 1,
            distances: vec![0.0],
            plane: vec![(0.0, 0.0)],
            information: vec![1.0],
            accuracy: vec![0.8],
            support_sd: vec![0.1],
            groups: ["easy", "hard", "absent"]
                .into_iter()
                .zip([vec![10, 11], vec![20, 21], vec![30]])
                .map(|(name, classes)| ClassGroup {
                    name: name.to_owned(),
                    classes,
                })
                .collect(),
            classes: vec![11, 20],
            class_support_sd: vec![0.0, 0.25],
        }
    }

    #[test]
    fn the_hard_alphabet_comes_first_with_its_own_spreads() {
        let (tests, answers) = (tests(), answers());
        let found = stability(&[&tests[0], &tests[1]], &[&answers], 0.95).unwrap();
        let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["hard", "easy"]);
        // Of eight queries on `hard` run 0 has six right, run 1 four.
        let hard = &found[0];
        assert!((hard.accuracy.value - 0.625).abs() < 1e-12 && hard.n_slots == 4);
        let sd = hard.seed_sd.as_ref().unwrap();
        assert!((sd.value - 0.25 / 2.0_f64.sqrt()).abs() < 1e-12);
        assert!((hard.support_sd.as_ref().unwrap().value - 0.25).abs() < 1e-12);
        assert!((found[1].accuracy.value - 1.0).abs() < 1e-12);
        // Two runs of four slots settle nothing.
        assert!(!hard.is_below);
        let text = sentence("maml", &found).unwrap();
        assert!(text.contains("worst on hard: 62.50 %"), "{text}");
        assert!(text.contains("none is distinguishably below"), "{text}");
    }

    #[test]
    fn without_classes_there_are_no_alphabets() {
        let (mut tests, mut answers) = (tests(), answers());
        tests[0].classes = None;
        assert!(
            stability(&[&tests[0]], &[&answers], 0.95)
                .unwrap()
                .is_empty()
        );
        answers.groups.clear();
        assert!(
            stability(&[&tests[1]], &[&answers], 0.95)
                .unwrap()
                .is_empty()
        );
        assert!(sentence("maml", &[]).is_none());
    }
}
