//! The report from outside: a parser reads the page, random studies must not break it, and its text is compared with
//! files that were read by a person.
//!
//! After a wanted change: `METASTABLE_BLESS=1 cargo test -p metastable-analysis --test report`, then read the difference.

#![allow(
    clippy::unwrap_used,
    reason = "a panic is how a helper of a test fails"
)]

mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use metastable_analysis::options::Light;
use metastable_analysis::spread::Spread;
use metastable_analysis::{
    Adaptation, Measures, Options, Outcome, Progress, Run, Study, StudyAnalysis, TaskScores, Test,
    analyze, report,
};
use roxmltree::{Document, Node, ParsingOptions};
use sha2::{Digest, Sha256};

fn options() -> Options {
    Options {
        n_resamples: 200,
        n_profile_resamples: 100,
        n_null_draws: 100,
        ..Options::default()
    }
}

/// An analysis without figures, for studies that `analyze` refuses.
fn empty_analysis(study: &Study) -> StudyAnalysis {
    StudyAnalysis {
        schema: "none".into(),
        study: study.name.clone(),
        command: study.command.clone(),
        options: options(),
        all: Measures::default(),
        without_failed: None,
        settings: vec![],
        findings: vec![],
    }
}

/// Predictions with `wrong` wrong answers in task `t` at the start of each class.
fn test_with(wrong: impl Fn(usize) -> usize, n_tasks: usize) -> Test {
    let (n_way, n_query) = (5, 3);
    let mut predictions = Vec::new();
    for task in 0..n_tasks {
        for query in 0..n_way * n_query {
            let label = query / n_query;
            predictions.push(if query < wrong(task) {
                (label + 1) % n_way
            } else {
                label
            } as u8);
        }
    }
    let task_nll = (0..n_tasks)
        .map(|task| 0.05 + 0.25 * wrong(task) as f64 + 0.01 * (task % 7) as f64)
        .collect();
    table([n_tasks, n_way, n_query], predictions, task_nll)
}

/// A test of which only the predictions and losses are known.
fn table(sizes: [usize; 3], predictions: Vec<u8>, task_nll: Vec<f64>) -> Test {
    let [n_tasks, n_way, n_query] = sizes;
    Test {
        n_tasks,
        n_way,
        n_query,
        predictions,
        task_nll,
        query_log_odds: None,
        classes: None,
    }
}

fn run(learner: &str, seed: u64, wrong: impl Fn(usize) -> usize) -> Run {
    let curve = |step: usize| 0.9 - 0.7 / (1.0 + step as f64) - 0.01 * seed as f64;
    Run {
        id: format!("{learner}-{seed}"),
        learner: learner.into(),
        setting: "toy 5-way 1-shot".into(),
        seed,
        outcome: Outcome::Completed,
        history: (0..6)
            .map(|step| Progress {
                step: 10 * step,
                train_loss: 1.0,
                train_accuracy: curve(step),
                validation_accuracy: Some(curve(step)),
            })
            .collect(),
        train_seconds: 2.0,
        test: Some(test_with(wrong, 20)),
        scores: None,
        adaptation: None,
        training: None,
        selection: None,
        fingerprint: BTreeMap::from([
            ("data".to_owned(), "toy".to_owned()),
            ("learner".to_owned(), learner.to_owned()),
        ]),
    }
}

fn curves() -> Adaptation {
    Adaptation {
        n_tasks: 2,
        trained_steps: 1,
        query_accuracy: vec![0.2, 0.6, 0.8, 0.2, 0.8, 0.6],
        support_loss: vec![1.6, 0.4, 0.1, 1.6, 0.3, 0.1],
        query_loss: vec![1.6, 0.7, 0.6, 1.6, 0.5, 0.9],
    }
}

/// Two learners, three seeds; the last run of the second diverged.
fn small_study() -> Study {
    let mut runs: Vec<Run> = (0..3)
        .map(|seed| run("maml", seed, move |t| (t + seed as usize) % 3))
        .collect();
    for run in &mut runs {
        run.adaptation = Some(curves());
    }
    runs.extend((0..3).map(|seed| {
        run("proto|net <b>", seed, move |t| {
            (t * (2 + seed as usize)) % 2
        })
    }));
    let last = runs.last_mut().unwrap();
    last.outcome = Outcome::Diverged {
        step: 31,
        cause: "loss is \"NaN\" & <worse>".into(),
    };
    last.test = None;
    Study {
        name: "small & <simple>".into(),
        command: "make 'small' --set a<b".into(),
        runs,
        factors: None,
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
    }
}

/// Everything that holds for any page.
fn check(page: &str) {
    let with_doctype = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document =
        Document::parse_with_options(page, with_doctype).expect("the page is well-formed");
    let elements: Vec<Node<'_, '_>> = document.descendants().filter(Node::is_element).collect();
    let mut ids = BTreeSet::new();
    for id in elements.iter().filter_map(|e| e.attribute("id")) {
        assert!(ids.insert(id), "id {id} twice");
    }
    for element in &elements {
        let name = element.tag_name().name();
        assert!(
            name != "link" && name != "img",
            "<{name}> on a page that needs none"
        );
        if name == "script" {
            assert!(element.attributes().len() == 0, "a script from elsewhere");
            let digest = Sha256::digest(element.text().unwrap_or_default());
            let allowed = format!("'sha256-{}'", BASE64_STANDARD.encode(digest));
            assert!(
                page.contains(&allowed),
                "the policy of the page does not allow its own script: {allowed}"
            );
        }
        for attribute in element.attributes() {
            assert!(
                !attribute.name().starts_with("on"),
                "event handler {}",
                attribute.name()
            );
            let data = "data:text/csv;charset=utf-8,";
            if attribute.name() == "href" && attribute.value().starts_with(data) {
                assert!(
                    element.has_attribute("download"),
                    "browsers open no data: link"
                );
            } else if attribute.name() == "href" {
                let target = attribute
                    .value()
                    .strip_prefix('#')
                    .expect("only internal links");
                assert!(ids.contains(target), "link to #{target} leads nowhere");
            }
            if ["d", "x", "y", "width", "height", "viewBox"].contains(&attribute.name()) {
                let broken = ["NaN", "inf", "null"]
                    .iter()
                    .any(|word| attribute.value().contains(word));
                assert!(!broken, "{}={}", attribute.name(), attribute.value());
            }
        }
        if name == "svg" && element.attribute("aria-hidden").is_none() {
            assert_eq!(element.attribute("role"), Some("img"));
            for label in element.attribute("aria-labelledby").unwrap().split(' ') {
                let labels = element
                    .children()
                    .find(|child| child.attribute("id") == Some(label))
                    .unwrap();
                assert!(
                    !labels.text().unwrap_or_default().trim().is_empty(),
                    "empty {label}"
                );
            }
        }
        if name == "figure" {
            let has = |tag: &str| element.descendants().any(|e| e.tag_name().name() == tag);
            assert!(
                has("svg") && has("figcaption") && has("a"),
                "figure without drawing, caption or data"
            );
        }
        if name == "section" {
            let words: usize = element
                .descendants()
                .filter_map(|n| n.text())
                .map(str::len)
                .sum();
            assert!(words > 0, "empty section");
        }
    }
    for chapter in [
        "card",
        "findings",
        "outcome",
        "tail",
        "difficulty",
        "churn",
        "comparison",
        "adaptation",
        "failures",
        "fingerprint",
    ] {
        assert!(ids.contains(chapter), "no chapter {chapter}");
    }
    for text in document
        .descendants()
        .filter(Node::is_text)
        .filter(|n| n.parent().is_none_or(|it| !it.has_tag_name("script")))
        .filter_map(|n| n.text())
    {
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            // The records of these tests never say NaN outside quotes of the cause.
            assert!(
                !["NaN", "inf"].contains(&word) || text.contains("loss is"),
                "{word} in {text:?}"
            );
        }
    }
    assert!(
        !page.contains("url(") && !page.contains("@import"),
        "the page asks for something outside"
    );
}

/// Compares with the file, or writes it when asked to.
fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if std::env::var_os("METASTABLE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (i, (line, wanted)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(
            line,
            wanted,
            "{name}, line {}; see the head of this file",
            i + 1
        );
    }
    assert_eq!(
        text.lines().count(),
        expected.lines().count(),
        "{name}: lines"
    );
}

#[test]
fn the_small_study_reads_as_it_was_read() {
    let study = small_study();
    let mut analysis = analyze(&study, &options()).unwrap();
    check(&report::html(&study, &analysis));
    // The sentences of the metrics are tested where they are made.
    analysis.findings.clear();
    snapshot("small.txt", &report::terminal_table(&study, &analysis));
    snapshot("small.md", &report::markdown(&study, &analysis));
}

#[test]
fn same_data_same_bytes() {
    let study = small_study();
    let page = || report::html(&study, &analyze(&study, &options()).unwrap());
    assert_eq!(page(), page());
}

#[test]
fn text_of_records_stays_text() {
    let study = small_study();
    let page = report::html(&study, &analyze(&study, &options()).unwrap());
    assert!(page.contains("small &amp; &lt;simple&gt;") && page.contains("proto|net &lt;b&gt;"));
    assert!(page.contains("loss is &quot;NaN&quot; &amp; &lt;worse&gt;"));
    assert!(page.contains("make &#39;small&#39; --set a&lt;b"));
    let markdown = report::markdown(&study, &analyze(&study, &options()).unwrap());
    assert!(markdown.contains("proto\\|net \\<b\\>"));
}

#[test]
fn bands_need_five_runs() {
    let study = |n: u64| Study {
        runs: (0..n).map(|seed| run("maml", seed, |t| t % 3)).collect(),
        ..small_study()
    };
    let page = |n| {
        let study = study(n);
        report::html(&study, &analyze(&study, &options()).unwrap())
    };
    let (few, enough) = (page(4), page(5));
    check(&few);
    check(&enough);
    assert!(few.contains("lowest to highest run") && !few.contains("50 % of runs"));
    assert!(enough.contains("50 % of runs") && !enough.contains("lowest to highest run"));
}

#[test]
fn several_settings_have_panels_of_their_own() {
    let mut study = small_study();
    let mut other = study.runs.clone();
    for run in &mut other {
        run.id += "-b";
        run.setting = "other, \"5-way\" 1-shot".into();
    }
    study.runs.extend(other);
    let analysis = analyze(&study, &options()).unwrap();
    let page = report::html(&study, &analysis);
    check(&page);
    assert!(
        page.contains("IQM [CI]"),
        "aggregates over settings are shown"
    );
    assert!(
        page.contains("&quot;other, &quot;&quot;5-way&quot;&quot; 1-shot&quot;"),
        "CSV quotes its text"
    );
    // What is left open is told with its setting: here a spread of 2.29 points, between 2.0 and 2.25.
    let mut options = options();
    let narrow = Light {
        good: 0.02,
        bad: 0.0225,
    };
    options.lights.insert("seed_sd".to_owned(), narrow);
    let analysis = analyze(&study, &options).unwrap();
    let text = report::markdown(&study, &analysis);
    let (_, next) = text.split_once("## What to run next?").unwrap();
    let (next, _) = next.split_once("\n## ").unwrap();
    let open = next.matches("the seed spread of").count() + next.matches("is steadier").count();
    let named = next.matches("1-shot)").count();
    assert!(open > 0 && named >= open, "{next}");
}

#[test]
fn figures_stand_alone() {
    let study = small_study();
    let analysis = analyze(&study, &options()).unwrap();
    let page = report::html(&study, &analysis);
    let figures = report::figures(&study, &analysis, &report::Beside::default());
    assert_eq!(figures.len(), page.matches("<figure ").count());
    for figure in &figures {
        let drawing = Document::parse(&figure.svg).expect("the drawing is well-formed");
        let root = drawing.root_element();
        assert!(root.has_attribute("width") && root.has_attribute("viewBox"));
        assert!(!figure.svg.contains("var("), "{}", figure.name);
        assert!(page.contains(&format!("download=\"{}.csv\"", figure.name)));
        assert!(figure.csv.lines().count() > 1, "{}", figure.name);
        let height: f64 = root.attribute("height").unwrap().parse().unwrap();
        for part in drawing.descendants().filter(|n| n.has_tag_name("svg")) {
            let number = |name: &str| part.attribute(name).map_or(0.0, |v| v.parse().unwrap());
            assert!(
                number("y") + number("height") <= height + 0.1,
                "{}",
                figure.name
            );
        }
    }
}

/// Accuracies alone, as from another laboratory: what needs no predictions is there, what does is left out in words.
#[test]
fn scores_alone_have_a_report() {
    let mut study = small_study();
    for run in &mut study.runs {
        run.outcome = Outcome::Completed;
        run.adaptation = None;
        run.scores = Some(TaskScores {
            accuracies: run
                .test
                .take()
                .map_or(vec![0.8; 20], |test| test.task_accuracies()),
            queries_per_task: Some(15),
            n_way: Some(5),
            ..TaskScores::default()
        });
    }
    let analysis = analyze(&study, &options()).unwrap();
    let learner = &analysis.settings[0].learners[0];
    let there: Vec<&str> = learner.all.ids().collect();
    let expected = ["components", "reliability", "spread", "tail", "threshold"];
    assert_eq!(there, expected);
    assert!(learner.failures.failed.is_empty());
    let page = report::html(&study, &analysis);
    check(&page);
    assert!(page.contains("Each has an accuracy on 20 tasks"));
    let known = small_study();
    let spread = |study: &Study| {
        analyze(study, &options()).unwrap().settings[0].learners[0]
            .all
            .get::<Spread>()
    };
    assert_eq!(
        spread(&study),
        spread(&known),
        "the same accuracies, the same figures"
    );
    study.runs[1].scores.as_mut().unwrap().accuracies[3] = 1.2;
    let error = analyze(&study, &options()).unwrap_err().to_string();
    assert!(
        error.contains("is 1.2 at task 3; expected a fraction between 0 and 1"),
        "{error}"
    );
}

#[test]
fn what_is_missing_is_said_in_words() {
    let nothing = Study {
        name: String::new(),
        command: String::new(),
        runs: vec![],
        factors: None,
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
    };
    let page = report::html(&nothing, &empty_analysis(&nothing));
    check(&page);
    assert!(page.contains("This study holds no run.") && !page.contains("<figure"));

    let mut failed = small_study();
    for run in &mut failed.runs {
        run.outcome = Outcome::Diverged {
            step: 1,
            cause: "parameter is not finite".into(),
        };
        run.test = None;
        run.adaptation = None;
        run.history.clear();
    }
    let analysis = analyze(&failed, &options()).unwrap();
    let page = report::html(&failed, &analysis);
    check(&page);
    for words in [
        "No run reached its test",
        "6 of 6",
        "recorded an inner loop",
        "no tested run",
    ] {
        assert!(page.contains(words), "{words}");
    }

    let one = Study {
        runs: vec![run("maml", 0, |t| t % 3)],
        ..small_study()
    };
    let page = report::html(&one, &analyze(&one, &options()).unwrap());
    check(&page);
    for words in [
        "One tested run only: maml",
        "needs two runs",
        "nothing to compare",
    ] {
        assert!(page.contains(words), "{words}");
    }
}
