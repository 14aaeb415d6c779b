//! A5: what is taken for what. Class pairs where the record names classes; else only the use of labels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_len};
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::record::Test;

/// Errors by label and by class pair, over all tested runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Share of all predictions that fall on each label, `(n_way)`. Labels are drawn anew for each task, so `1/N` each
    /// is expected; a head that prefers an output shows here. More than this label-only records cannot say: label 3
    /// is another class in each task.
    pub label_use: Vec<f64>,
    /// Class pairs, most confused first; absent if the records do not name classes.
    pub classes: Option<ClassConfusion>,
}

/// Errors between classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassConfusion {
    /// Distinct unordered pairs that met in a task.
    pub n_met: usize,
    /// Those confused at least once.
    pub n_confused: usize,
    /// Least number of pairs that hold half of all errors.
    pub n_for_half_of_errors: usize,
    /// The pairs with the most confusions, as many as the options say.
    pub pairs: Vec<ClassPair>,
}

/// Two classes, `a < b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassPair {
    /// One class.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// Queries of either, in tasks that hold both, over all runs.
    pub n_queries: u64,
    /// Queries of `a` predicted as `b`.
    pub a_as_b: u64,
    /// Queries of `b` predicted as `a`.
    pub b_as_a: u64,
}

impl ClassPair {
    /// Queries confused either way.
    #[must_use]
    pub fn n_confused(&self) -> u64 {
        self.a_as_b + self.b_as_a
    }
}

impl Measure for Confusion {
    const ID: &'static str = "confusion";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Confusion::ID,
    title: "What is taken for what (A5)",
    measure,
};

/// Confusion over tests of one setting; class pairs only if every test names its classes.
///
/// # Errors
/// [`AnalysisError::TooFew`] without tests, [`AnalysisError::Shape`] if they differ in the number of classes per task.
pub fn confusion(tests: &[&Test], n_pairs: usize) -> Result<Confusion, AnalysisError> {
    let Some(first) = tests.first() else {
        return Err(AnalysisError::too_few("tests for confusion", 1, 0));
    };
    let mut used = vec![0_u64; first.n_way];
    for (run, test) in tests.iter().enumerate() {
        check_len(
            &format!("classes per task of run {run}"),
            first.n_way,
            test.n_way,
        )?;
        for label in &test.predictions {
            used[usize::from(*label)] += 1;
        }
    }
    let total: u64 = used.iter().sum();
    let named: Option<Vec<(&Test, &[u32])>> = tests
        .iter()
        .map(|test| Some((*test, test.classes.as_deref()?)))
        .collect();
    Ok(Confusion {
        label_use: used
            .iter()
            .map(|count| *count as f64 / total as f64)
            .collect(),
        classes: named.map(|named| class_confusion(&named, n_pairs)),
    })
}

fn class_confusion(tests: &[(&Test, &[u32])], n_pairs: usize) -> ClassConfusion {
    let mut pairs: BTreeMap<(u32, u32), ClassPair> = BTreeMap::new();
    for (test, classes) in tests {
        let tasks = test.predictions.chunks_exact(test.queries_per_task());
        for (predictions, classes) in tasks.zip(classes.chunks_exact(test.n_way)) {
            for (at, &one) in classes.iter().enumerate() {
                for &other in &classes[..at] {
                    pair(&mut pairs, one, other).n_queries += 2 * test.n_query as u64;
                }
            }
            for (query, predicted) in predictions.iter().enumerate() {
                let (truth, taken_for) =
                    (classes[test.label(query)], classes[usize::from(*predicted)]);
                if truth < taken_for {
                    pair(&mut pairs, truth, taken_for).a_as_b += 1;
                } else if taken_for < truth {
                    pair(&mut pairs, truth, taken_for).b_as_a += 1;
                }
            }
        }
    }
    let n_met = pairs.len();
    let mut confused: Vec<ClassPair> = pairs
        .into_values()
        .filter(|pair| pair.n_confused() > 0)
        .collect();
    // Stable: pairs with as many errors stay in the order of their classes.
    confused.sort_by_key(|pair| std::cmp::Reverse(pair.n_confused()));
    let n_errors: u64 = confused.iter().map(ClassPair::n_confused).sum();
    let mut seen = 0;
    let n_for_half = confused
        .iter()
        .take_while(|pair| {
            let before = seen;
            seen += pair.n_confused();
            2 * before < n_errors
        })
        .count();
    ClassConfusion {
        n_met,
        n_confused: confused.len(),
        n_for_half_of_errors: n_for_half,
        pairs: confused.into_iter().take(n_pairs).collect(),
    }
}

fn pair(pairs: &mut BTreeMap<(u32, u32), ClassPair>, one: u32, other: u32) -> &mut ClassPair {
    let (a, b) = (one.min(other), one.max(other));
    pairs.entry((a, b)).or_insert(ClassPair {
        a,
        b,
        n_queries: 0,
        a_as_b: 0,
        b_as_a: 0,
    })
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    if group.tested.is_empty() {
        return Ok(Measured::absent());
    }
    let tests: Vec<&Test> = group.tested.iter().map(|(_, test)| *test).collect();
    let result = confusion(&tests, options.n_confused_pairs)?;
    let mut findings = Vec::new();
    if let Some(classes) = result
        .classes
        .as_ref()
        .filter(|classes| !classes.pairs.is_empty())
    {
        let worst = classes.pairs[0];
        let text = format!(
            "Half of {}'s errors fall on {} of the {} class pairs that occur together in a task; classes {} and {} are confused most often \
             ({} of their queries).",
            group.learner,
            classes.n_for_half_of_errors,
            classes.n_met,
            worst.a,
            worst.b,
            percent(worst.n_confused() as f64 / worst.n_queries as f64)
        );
        findings.push(Finding::of_learner(
            group,
            Confusion::ID,
            Certainty::Estimated,
            text,
        ));
    }
    Measured::new(&result, findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confusion_by_hand() {
        // Two tasks of two classes with two queries each; labels are 0 0 1 1.
        let test = Test {
            n_tasks: 2,
            n_way: 2,
            n_query: 2,
            predictions: vec![0, 1, 1, 1, 0, 0, 0, 1],
            task_nll: vec![0.1; 2],
            query_log_odds: None,
            classes: Some(vec![7, 3, 3, 9]),
        };
        let result = confusion(&[&test], 10).unwrap();
        assert_eq!(result.label_use, [0.5, 0.5]);
        let classes = result.classes.unwrap();
        let expected = [(3, 7, 4, 0, 1), (3, 9, 4, 0, 1)];
        let got: Vec<_> = classes
            .pairs
            .iter()
            .map(|p| (p.a, p.b, p.n_queries, p.a_as_b, p.b_as_a))
            .collect();
        assert_eq!(got, expected);
        assert_eq!(
            (
                classes.n_met,
                classes.n_confused,
                classes.n_for_half_of_errors
            ),
            (2, 2, 1)
        );
    }
}
