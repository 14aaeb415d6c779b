//! The stability report: a study and its analysis as a page, as Markdown, and as a table for a terminal.
//!
//! Pure functions from data to text: no file is read or written, nothing is printed, and the same data give the same
//! bytes. [`html`] is one self-contained page without scripts that reads on a phone, on a wide screen, in dark mode, on
//! paper and through a screen reader; the numbers behind each plot lie beside it as CSV. All text of the records is
//! escaped: a run may be called `<script>`.
//!
//! Numbers come from [`crate::analyze`]; what is read off the records directly are the marks of the plots (curves,
//! points, steps). Start reading at `document.rs` (what a report says); `page.rs` and `plain.rs` write it down,
//! `chapters/` holds one file per chapter, `svg/` draws.
//!
//! # Example
//! ```
//! use metastable_analysis::{Options, Outcome, Run, Study, Test, analyze, report};
//!
//! let run = |seed: u64, predictions: Vec<u8>| Run {
//!     id: format!("protonet-{seed}"),
//!     learner: "protonet".into(),
//!     setting: "toy 2-way".into(),
//!     seed,
//!     outcome: Outcome::Completed,
//!     history: vec![],
//!     train_seconds: 1.0,
//!     test: Some(Test { n_tasks: 2, n_way: 2, n_query: 1, predictions, task_nll: vec![0.1, 0.7], query_log_odds: None, classes: None }),
//!     scores: None,
//!     adaptation: None,
//!     training: None,
//!     selection: None,
//!     fingerprint: Default::default(),
//! };
//! let study = Study {
//!     name: "toy".into(),
//!     command: "make toy".into(),
//!     runs: vec![run(0, vec![0, 1, 0, 0]), run(1, vec![0, 1, 0, 1])],
//!     factors: None,
//!     probes: Vec::new(),
//!     replacements: Vec::new(),
//!     domains: Vec::new(),
//! };
//! let analysis = analyze(&study, &Options::default())?;
//! let page = report::html(&study, &analysis);
//! assert!(page.starts_with("<!DOCTYPE html>") && page.contains("protonet"));
//! assert!(report::terminal_table(&study, &analysis).contains("87.50"));
//! # Ok::<(), metastable_analysis::AnalysisError>(())
//! ```

mod advice;
mod card;
mod chapters;
mod decision;
mod document;
mod figures;
mod group;
mod input;
mod latex;
mod light;
mod order;
mod page;
mod plain;
mod question;
mod said;
mod subject;
mod svg;
mod varied;

pub use advice::{Advice, Widths, advice};
pub use chapters::published::Published;
pub use figures::FigureFile;
pub use input::{Input, Picture};
pub use latex::TableFile;
pub use question::Question;
pub use subject::Family;

use crate::findings::Certainty;
use crate::outcome::StudyAnalysis;
use crate::record::Study;
use crate::words::Words;
use chapters::{SUBJECTS, factors, published};
use document::{Chapter, Document, count, list};
use group::{Group, distinct, groups};
use said::Said;
use subject::{Material, Subject};
use svg::text::number;

/// The report as one HTML page (also well-formed as XML).
#[must_use]
pub fn html(study: &Study, analysis: &StudyAnalysis) -> String {
    html_with(study, analysis, &Beside::default())
}

/// What a report may have beside the figures of the laboratory.
#[derive(Clone, Copy, Default)]
pub struct Beside<'b> {
    /// What the runs learnt from.
    pub inputs: &'b [Input],
    /// Questions of another crate.
    pub questions: &'b [&'static Question],
    /// Published numbers beside the runs, judged; none, no chapter.
    pub published: &'b [Published],
    /// When which verdict on them is given.
    pub rule: &'b str,
}

/// The same with what lies beside.
#[must_use]
pub fn html_with(study: &Study, analysis: &StudyAnalysis, beside: &Beside<'_>) -> String {
    page::render(&document(study, analysis, beside), beside.inputs)
}

/// The report as Markdown, without the plots.
#[must_use]
pub fn markdown(study: &Study, analysis: &StudyAnalysis) -> String {
    markdown_with(study, analysis, &Beside::default())
}

/// The same with what lies beside.
#[must_use]
pub fn markdown_with(study: &Study, analysis: &StudyAnalysis, beside: &Beside<'_>) -> String {
    plain::markdown(&document(study, analysis, beside)) + &input::markdown(beside.inputs)
}

/// The figures of the report as files: drawings that need nothing from outside, with their numbers.
#[must_use]
pub fn figures(study: &Study, analysis: &StudyAnalysis, beside: &Beside<'_>) -> Vec<FigureFile> {
    figures::files(&document(study, analysis, beside))
}

/// The card and the tables of all chapters as LaTeX.
#[must_use]
pub fn latex(study: &Study, analysis: &StudyAnalysis, beside: &Beside<'_>) -> Vec<TableFile> {
    latex::files(&document(study, analysis, beside))
}

/// The card as a plain table: for each learner and setting mean and seed SD with their intervals, tail, failures, steps
/// to threshold. A study of factors has a table of its own, after it: the first factor of each side of the result.
#[must_use]
pub fn terminal_table(study: &Study, analysis: &StudyAnalysis) -> String {
    let of_factors = factors::card(analysis).map(|table| plain::columns(&table));
    match of_factors {
        Some(table) if study.runs.is_empty() => table,
        Some(table) => {
            plain::columns(&card::table(&groups(study, analysis), analysis)) + "\n" + &table
        }
        None => plain::columns(&card::table(&groups(study, analysis), analysis)),
    }
}

fn document(study: &Study, analysis: &StudyAnalysis, beside: &Beside<'_>) -> Document {
    let groups = groups(study, analysis);
    let material = Material {
        study,
        analysis,
        groups: &groups,
    };
    let mut chapters = chapters(&material);
    let guests = beside.questions.iter().filter_map(|question| {
        let chapter = question.chapter(&material)?;
        Some((&question.subject, chapter))
    });
    chapters.extend(guests);
    let published = published::chapter(beside.published, beside.rule);
    chapters.extend(published.map(|chapter| (&published::SUBJECT, chapter)));
    chapters.sort_by_key(|(subject, _)| subject.family);
    let findings = order::findings(&chapters, &groups, analysis);
    tell(&mut chapters, &material);
    Document {
        title: if study.name.trim().is_empty() {
            "Study without a name".to_owned()
        } else {
            study.name.clone()
        },
        lead: lead(study, analysis, &groups),
        decision: decision::decide(study, analysis, &groups),
        warnings: warnings(study, analysis, &groups),
        card: if study.runs.is_empty() {
            factors::card(analysis).into_iter().collect()
        } else {
            card::tables(&groups, analysis)
        },
        findings,
        chapters,
    }
}

/// Chapters on right answers, or on shares of them: scores of another scale are neither.
const OF_PREDICTIONS: [&str; 3] = ["tail", "difficulty", "churn"];

/// The chapter on inner loops, which scores of another scale have only where a run has curves.
const ADAPTATION: &str = "adaptation";

/// All chapters that the records can fill, family by family.
fn chapters(material: &Material<'_>) -> Vec<(&'static Subject, Chapter)> {
    let mut subjects: Vec<&Subject> = SUBJECTS.to_vec();
    subjects.sort_by_key(|subject| subject.family);
    // A study of factors may have no runs of learners, on which the other families rest.
    let without_runs = material.study.runs.is_empty() && material.study.factors.is_some();
    let of_factors =
        |subject: &&Subject| matches!(subject.family, Family::Sources | Family::Replication);
    let words = Words::of(&material.analysis.options);
    let is_adapted = material
        .study
        .runs
        .iter()
        .any(|run| run.adaptation.is_some());
    subjects
        .into_iter()
        .filter(|subject| !without_runs || of_factors(subject))
        .filter(|subject| words.are_shares() || !OF_PREDICTIONS.contains(&subject.id))
        .filter(|subject| words.are_shares() || subject.id != ADAPTATION || is_adapted)
        .filter_map(|subject| {
            let mut chapter = (subject.write)(material)?;
            if !words.are_shares() {
                chapter.question = Some(words.text(subject.question));
            }
            Some((subject, chapter))
        })
        .collect()
}

/// Puts the sentences of the analysis into the chapters that they belong to.
fn tell(chapters: &mut [(&'static Subject, Chapter)], material: &Material<'_>) {
    let Material {
        study,
        analysis,
        groups,
    } = *material;
    let many = distinct(groups.iter().map(|g| g.setting)).len() > 1;
    for finding in &analysis.findings {
        // Where no failed run was tested, leaving them out changes nothing: do not say it twice.
        let said = |other: &&crate::Finding| {
            !other.without_failed && other.text == finding.text && other.setting == finding.setting
        };
        if finding.without_failed && analysis.findings.iter().find(said).is_some() {
            continue;
        }
        let mut text = finding.text.clone();
        if finding.without_failed {
            text += " (Failed runs left out.)";
        }
        if let Some(setting) = finding.setting.as_ref().filter(|_| many) {
            text += &format!(" ({setting})");
        }
        let chapter = chapters
            .iter_mut()
            .find(|(subject, _)| subject.claims(&finding.metric));
        if let Some((_, chapter)) = chapter {
            let said = Said::of_finding(text, finding, study, groups);
            chapter.sentences.push(said);
        }
    }
}

/// What was run, and how the numbers were made.
fn lead(study: &Study, analysis: &StudyAnalysis, groups: &[Group<'_>]) -> Vec<String> {
    if let (true, Some(table)) = (study.runs.is_empty(), &study.factors) {
        return vec![format!(
            "A study of factors: {}, varying {}.",
            count(table.runs.len(), "run"),
            list(
                &table
                    .factors
                    .iter()
                    .map(|factor| &factor.name)
                    .chain(&table.streams)
                    .collect::<Vec<_>>()
            )
        )];
    }
    if study.runs.is_empty() {
        return vec!["This study holds no run.".to_owned()];
    }
    let learners = distinct(groups.iter().map(|g| g.learner));
    let settings = distinct(groups.iter().map(|g| g.setting));
    let per_group: Vec<usize> = groups.iter().map(|g| g.runs.len()).collect();
    let runs = span(&per_group, "run");
    let tests: Vec<_> = groups
        .iter()
        .flat_map(Group::tested)
        .map(|(_, test)| test)
        .collect();
    let scored: Vec<usize> = groups
        .iter()
        .flat_map(Group::scored)
        .map(|(_, accuracies)| accuracies.len())
        .collect();
    let words = Words::of(&analysis.options);
    let tested = if groups.iter().any(Group::is_incomplete) {
        format!(
            "Not every run was tested on every task. Each run counts with its mean {}, adjusted to all tasks of its setting (tasks random, \
             REML). This assumes that whether a score is missing does not depend on its value.",
            words.noun()
        )
    } else if tests.is_empty() && scored.iter().all(|n| *n == 1) && !scored.is_empty() {
        format!("Each has one score, {}.", with_article(words.noun()))
    } else if tests.is_empty() && !scored.is_empty() {
        format!(
            "Each has {} on {}; the runs of a setting share one list of tasks.",
            with_article(words.noun()),
            span(&scored, "task")
        )
    } else if tests.is_empty() {
        "No run reached its test.".to_owned()
    } else {
        let tasks: Vec<usize> = tests.iter().map(|t| t.n_tasks).collect();
        let ways: Vec<usize> = tests.iter().map(|t| t.n_way).collect();
        let queries: Vec<usize> = tests.iter().map(|t| t.n_query).collect();
        format!(
            "Each was tested on {} of {} with {} of each class; the runs of a setting share one list of tasks.",
            span(&tasks, "task"),
            span(&ways, "class").replace("classs", "classes"),
            span(&queries, "query").replace("querys", "queries")
        )
    };
    let options = &analysis.options;
    vec![
        format!(
            "{}: {}. {}: {}. {runs} of each learner in each setting, one seed bundle a run. {tested}",
            if learners.len() == 1 {
                "Learner"
            } else {
                "Learners"
            },
            list(&learners),
            if settings.len() == 1 {
                "Setting"
            } else {
                "Settings"
            },
            list(&settings)
        ),
        format!(
            "Intervals are at {} % coverage: Student's t over seeds for means, chi-square for standard deviations, Wilson for rates, \
             crossed random effects for the honest interval, percentile bootstrap with {} resamples for the rest.",
            number(100.0 * options.level, 0),
            number(options.n_resamples as f64, 0)
        ),
    ]
}

/// `an accuracy`, `a return`.
fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}

/// `3 runs`, or `3 to 5 runs`.
fn span(counts: &[usize], noun: &str) -> String {
    let (lo, hi) = (
        counts.iter().min().copied().unwrap_or(0),
        counts.iter().max().copied().unwrap_or(0),
    );
    if lo == hi {
        count(lo, noun)
    } else {
        format!("{lo} to {}", count(hi, noun))
    }
}

fn warnings(study: &Study, analysis: &StudyAnalysis, groups: &[Group<'_>]) -> Vec<String> {
    let words = Words::of(&analysis.options);
    let refuted = analysis
        .findings
        .iter()
        .filter(|it| it.certainty == Certainty::Refuted);
    let mut warnings: Vec<String> = refuted.map(|finding| finding.text.clone()).collect();
    if groups.iter().any(|group| group.analysis.is_none()) || analysis.study != study.name {
        warnings.push("The analysis does not cover every learner of the study; figures that rest on it are missing.".to_owned());
    }
    let single: Vec<&str> = groups
        .iter()
        .filter(|g| g.scored().len() == 1)
        .map(|g| g.name.as_str())
        .collect();
    if !single.is_empty() {
        warnings.push(format!(
            "One tested run only: {}. One run says nothing about another training.",
            list(&single)
        ));
    }
    let untested: Vec<String> = groups
        .iter()
        .map(|g| (g, g.runs.len() - g.scored().len()))
        .filter(|(_, n)| *n > 0)
        .map(|(g, n)| format!("{n} of {} of {}", g.runs.len(), g.name))
        .collect();
    if !untested.is_empty() {
        warnings.push(format!(
            "Runs without a usable test: {}. They count as failures and are left out of every figure on {}.",
            list(&untested),
            words.noun()
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::chapters::SUBJECTS;
    use crate::registry::{LEARNER_METRICS, SETTING_METRICS, STUDY_METRICS};

    #[test]
    fn every_metric_has_one_chapter_for_its_sentences() {
        let ids = (LEARNER_METRICS.iter().map(|m| m.id))
            .chain(SETTING_METRICS.iter().map(|m| m.id))
            .chain(STUDY_METRICS.iter().map(|m| m.id))
            .chain(["failures"]);
        for id in ids {
            let chapters = SUBJECTS.iter().filter(|s| s.metrics.contains(&id));
            assert_eq!(chapters.count(), 1, "chapters with the sentences of {id}");
        }
    }
}
