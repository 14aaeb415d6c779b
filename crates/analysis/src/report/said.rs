//! The gate of a report: a sentence that ranks or compares carries its certainty, its runs and its tasks, or says that no test decides it.
//!
//! Findings, sentences of chapters and answers of the first screen are [`Said`], which only this file makes. A text with a word of [`WORDS`]
//! compares. Made by [`Said::carried`] with a verdict it is printed with the runs and tasks that it rests on; made in any other way it is
//! printed with [`UNDECIDED`]. So a comparison without a test may be written, and is never read as a result.

use super::group::Group;
use super::svg::text::number;
use crate::findings::{Certainty, Finding};
use crate::outcome::StudyAnalysis;
use crate::record::Study;

/// Words by which a sentence ranks or compares.
pub(crate) const WORDS: [&str; 42] = [
    "behind",
    "best",
    "better",
    "easier",
    "easiest",
    "faster",
    "fastest",
    "fell",
    "fall",
    "falls",
    "first",
    "flatter",
    "furthest",
    "harder",
    "hardest",
    "higher",
    "highest",
    "larger",
    "largest",
    "least",
    "less",
    "lower",
    "lowest",
    "mostly",
    "most",
    "move",
    "moves",
    "narrower",
    "rise",
    "rises",
    "rose",
    "sharper",
    "slower",
    "smaller",
    "smallest",
    "steadier",
    "steadiest",
    "tightest",
    "wider",
    "worse",
    "worst",
    "wins",
];

/// Terms that hold such a word and compare nothing that was measured.
const TERMS: [&str; 19] = [
    "worst tenth",
    "worst 10 %",
    "worst 1 %",
    "worst 5 %",
    "first inner step",
    "first step",
    "first-order",
    "best weights",
    "best checkpoint",
    "best so far",
    "largest eigenvalue",
    "smallest ritz value",
    "largest change",
    "the worst and the best support set that a search finds",
    "matters most",
    "at most",
    "at least",
    "first eight",
    // A plan says which runs would decide, and compares nothing yet.
    "which of",
];

/// What stands behind a comparison that no test decided.
pub(crate) const UNDECIDED: &str = "No test decides this.";

/// A sentence, or several, that may be printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    text: String,
}

/// What a comparison rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// What its test or interval gave.
    pub(crate) certainty: Certainty,
    /// Runs.
    pub(crate) n_runs: usize,
    /// Test tasks of each; none where runs have a single score.
    pub(crate) n_tasks: Option<usize>,
}

impl Basis {
    /// The tested runs of these groups, and their tasks.
    pub(crate) fn of(groups: &[&Group<'_>], certainty: Certainty) -> Self {
        let tested = groups.iter().filter_map(|it| it.analysis);
        let runs = groups.iter().flat_map(|it| &it.runs);
        let tasks = runs.filter_map(|run| match (&run.test, &run.scores) {
            (Some(test), _) => Some(test.n_tasks),
            (None, Some(scores)) => Some(scores.accuracies.len()),
            (None, None) => None,
        });
        Self {
            certainty,
            n_runs: tested.map(|it| it.tested_seeds.len()).sum(),
            n_tasks: tasks.max().filter(|n| *n > 1),
        }
    }

    /// The runs of a study of factors, or all tested runs.
    pub(crate) fn of_study(study: &Study, groups: &[Group<'_>], certainty: Certainty) -> Self {
        match &study.factors {
            Some(table) => Self {
                certainty,
                n_runs: table.runs.len(),
                n_tasks: table
                    .runs
                    .iter()
                    .map(|run| run.scores.len())
                    .max()
                    .filter(|n| *n > 1),
            },
            None => Self::of(&groups.iter().collect::<Vec<_>>(), certainty),
        }
    }

    /// The verdict of the sentences of a metric: what the most certain of them says.
    pub(crate) fn verdict(analysis: &StudyAnalysis, metrics: &[&str]) -> Certainty {
        let told = |certainty: Certainty| {
            let mut of = analysis.findings.iter();
            of.any(|it| it.certainty == certainty && metrics.contains(&it.metric.as_str()))
        };
        [Certainty::Distinguishable, Certainty::NotDistinguishable]
            .into_iter()
            .find(|it| told(*it))
            .unwrap_or(Certainty::TooFewRuns)
    }
}

impl Said {
    /// A sentence that describes.
    pub(crate) fn described(text: impl Into<String>) -> Self {
        let text = text.into();
        match compares(&text) {
            true => Self {
                text: format!("{text} {UNDECIDED}"),
            },
            false => Self { text },
        }
    }

    /// A sentence that may compare, with what it rests on.
    pub(crate) fn carried(text: impl Into<String>, basis: Basis) -> Self {
        let text = text.into();
        if !compares(&text) {
            return Self { text };
        }
        match basis.certainty {
            Certainty::Estimated | Certainty::TooFewRuns => Self::described(text),
            Certainty::Distinguishable
            | Certainty::NotDistinguishable
            | Certainty::NotComparable
            | Certainty::Refuted => {
                let runs = count(basis.n_runs, "run");
                let tasks = basis
                    .n_tasks
                    .map_or_else(String::new, |n| format!(", {}", count(n, "task")));
                Self {
                    text: format!("{text} ({runs}{tasks}.)"),
                }
            }
        }
    }

    /// A sentence of the analysis, `text` being its words as the report has them.
    pub(crate) fn of_finding(
        text: String,
        finding: &Finding,
        study: &Study,
        groups: &[Group<'_>],
    ) -> Self {
        let own: Vec<&Group<'_>> = groups
            .iter()
            .filter(|it| finding.setting.as_deref().is_none_or(|s| s == it.setting))
            .filter(|it| finding.learner.as_deref().is_none_or(|l| l == it.learner))
            .collect();
        let basis = match (&finding.setting, &finding.learner) {
            (None, None) => Basis::of_study(study, groups, finding.certainty),
            _ => Basis::of(&own, finding.certainty),
        };
        Self::carried(text, basis)
    }

    /// One after the other.
    pub(crate) fn and(self, other: Self) -> Self {
        let text = format!("{} {}", self.text.trim_end(), other.text.trim_start());
        Self {
            text: text.trim().to_owned(),
        }
    }

    /// As it is printed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// `1 run`, `3 runs`. The document counts alike, and stands on this file.
fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(n as f64, 0))
}

/// Whether a text ranks or compares.
pub(crate) fn compares(text: &str) -> bool {
    let mut text = text.to_lowercase();
    for term in TERMS {
        text = text.replace(term, " ");
    }
    text.split(|c: char| !c.is_alphabetic())
        .any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{generator, uniform};
    use crate::report::Beside;
    use crate::{Options, Outcome, Progress, Run, Test, analyze};

    #[test]
    fn a_comparison_is_printed_with_its_test_or_with_the_lack_of_one() {
        let basis = |certainty| Basis {
            certainty,
            n_runs: 6,
            n_tasks: Some(600),
        };
        let text = "It moves maml most.";
        let shown = |certainty| Said::carried(text, basis(certainty)).text().to_owned();
        for certainty in [Certainty::Distinguishable, Certainty::NotDistinguishable] {
            assert_eq!(shown(certainty), "It moves maml most. (6 runs, 600 tasks.)");
        }
        let open = "It moves maml most. No test decides this.";
        assert_eq!(shown(Certainty::Estimated), open);
        assert_eq!(shown(Certainty::TooFewRuns), open);
        assert_eq!(Said::described(text).text(), open);
        let plain = "The worst tenth of tasks averages 3 %.";
        assert_eq!(Said::described(plain).text(), plain);
        let single = Basis {
            n_tasks: None,
            ..basis(Certainty::Distinguishable)
        };
        assert_eq!(
            Said::carried("a is better.", single).text(),
            "a is better. (6 runs.)"
        );
    }

    /// Learners that differ in nothing: predictions that are right with one probability.
    fn null_study(key: u64, n_settings: usize) -> Study {
        let (n_tasks, n_way, n_query) = (30, 5, 3);
        let mut runs = Vec::new();
        for setting in 0..n_settings {
            for (learner, name) in ["a", "b", "c"].iter().enumerate() {
                for seed in 0..5 {
                    let place = (100 * setting + 10 * learner) as u64 + seed;
                    let rng = &mut generator(key, "said/null", place);
                    let predictions: Vec<u8> = (0..n_tasks * n_way * n_query)
                        .map(|at| {
                            let label = (at / n_query) % n_way;
                            let wrong = usize::from(uniform(rng) < 0.2);
                            ((label + wrong) % n_way) as u8
                        })
                        .collect();
                    let progress = |step: usize| Progress {
                        step: 10 * step,
                        train_loss: 1.0 + uniform(&mut generator(key, "loss", step as u64)),
                        train_accuracy: 0.8,
                        validation_accuracy: Some(0.75 + 0.01 * (step % 3) as f64),
                    };
                    runs.push(Run {
                        id: format!("{name}-{setting}-{seed}"),
                        learner: (*name).to_owned(),
                        setting: format!("set {setting}"),
                        seed,
                        outcome: Outcome::Completed,
                        history: (0..6).map(progress).collect(),
                        train_seconds: 1.0,
                        test: Some(Test {
                            n_tasks,
                            n_way,
                            n_query,
                            task_nll: (0..n_tasks).map(|_| 0.5 + uniform(rng)).collect(),
                            predictions,
                            query_log_odds: None,
                            classes: None,
                        }),
                        scores: None,
                        adaptation: None,
                        training: None,
                        selection: None,
                        fingerprint: Default::default(),
                    });
                }
            }
        }
        Study {
            name: "null".to_owned(),
            runs,
            ..Study::default()
        }
    }

    /// Everything that a report says in sentences.
    fn said(study: &Study) -> Vec<String> {
        let options = Options {
            n_resamples: 100,
            n_profile_resamples: 100,
            n_null_draws: 100,
            ..Options::default()
        };
        let analysis = analyze(study, &options).unwrap();
        let document = crate::report::document(study, &analysis, &Beside::default());
        let answers = document.decision.iter().flat_map(|it| &it.sentences);
        let chapters = document
            .chapters
            .iter()
            .flat_map(|(_, it)| std::iter::once(&it.finding).chain(&it.sentences));
        let all = answers.chain(&document.findings).chain(chapters);
        all.map(|it| it.text().to_owned()).collect()
    }

    #[test]
    fn every_comparison_of_a_report_carries_its_runs_or_says_that_nothing_decides_it() {
        let (mut comparing, mut behind) = (0, 0);
        for key in 0..12 {
            let sentences = said(&null_study(key, if key < 4 { 3 } else { 1 }));
            assert!(sentences.len() > 20, "{sentences:?}");
            behind += usize::from(sentences.iter().any(|it| it.contains(" Behind: ")));
            for text in &sentences {
                let carried = text.contains(" runs, 30 tasks.)") || text.contains(" runs.)");
                assert!(
                    !compares(text) || carried || text.contains(UNDECIDED),
                    "{text}"
                );
                comparing += usize::from(carried);
            }
        }
        assert!(comparing > 24, "{comparing} sentences compare");
        // At 5 % of reports three of twelve have a probability of 2 %.
        assert!(
            behind < 3,
            "{behind} of 12 reports in which nothing differs make a claim"
        );
    }

    #[test]
    fn what_no_test_decided_is_printed_as_that() {
        let study = null_study(1, 1);
        let analysis = analyze(&study, &Options::default()).unwrap();
        let mut document = crate::report::document(&study, &analysis, &Beside::default());
        let (_, chapter) = document.chapters.first_mut().unwrap();
        chapter.finding = Said::described("It moves a most.");
        let text = crate::report::plain::markdown(&document);
        assert!(text.contains("It moves a most. No test decides this."));
    }
}
