//! The whole way from records to figures and sentences.

use metastable_analysis::aggregate::Aggregates;
use metastable_analysis::churn::Churn;
use metastable_analysis::comparison::Comparisons;
use metastable_analysis::components::Components;
use metastable_analysis::failure::FailureReason;
use metastable_analysis::hardness::Hardness;
use metastable_analysis::record::domains::TaskDomains;
use metastable_analysis::registry::{LEARNER_METRICS, SETTING_METRICS, STUDY_METRICS};
use metastable_analysis::spread::Spread;
use metastable_analysis::tail::Tail;
use metastable_analysis::threshold::StepsToThreshold;
use metastable_analysis::training::Selection;
use metastable_analysis::transfer::Transfer;
use metastable_analysis::{
    Adaptation, Certainty, Finding, Options, Outcome, Run, Study, StudyAnalysis, TestPool, analyze,
};

use crate::support::{factor_table, run};

const SETTING: &str = "glyphs 5-way 1-shot";

/// What only `probe` can answer, which the studies here have not asked, what exchanged tasks tell, of which they have none,
/// promises, of which they declare none, the distance to an optimum that nobody computed, and what takes two settings or three.
const ASKED: &[&str] = &[
    "promises",
    "setting_effects",
    "steadiness_over_settings",
    "support_sets",
    "label_order",
    "support_order",
    "noise_floor",
    "step_sizes",
    "coupling",
    "example_influence",
    "left_out",
    "shots",
    "gaps",
    "trajectory",
    "curvature",
    "surface",
    "representation",
    "task_map",
    "mismatch",
    "corruption",
    "label_noise",
    "confidence",
    "lifelong",
    "switches",
    "optimum_gap",
    "kinship",
    "replace_one_task",
    "replace_slopes",
    "certificate",
];

/// Sorted identifiers of the metrics that need no answers.
fn unasked(ids: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut ids: Vec<_> = ids.filter(|id| !ASKED.contains(id)).collect();
    ids.sort_unstable();
    ids
}

fn options() -> Options {
    Options {
        n_resamples: 500,
        n_profile_resamples: 100,
        n_null_draws: 100,
        ..Options::default()
    }
}

fn study(runs: Vec<Run>) -> Study {
    Study {
        name: "test".to_owned(),
        command: "cargo test".to_owned(),
        runs,
        factors: None,
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
    }
}

fn runs(learner: &str, accuracies: &[f64]) -> Vec<Run> {
    accuracies
        .iter()
        .enumerate()
        .map(|(seed, accuracy)| run(learner, SETTING, seed as u64, *accuracy))
        .collect()
}

#[test]
fn every_metric_of_a_sound_study() {
    let mut all = runs("maml", &[0.91, 0.93, 0.9]);
    all.extend(runs("protonet", &[0.97, 0.975, 0.97]));
    for run in &mut all[..3] {
        run.adaptation = Some(Adaptation {
            n_tasks: 2,
            trained_steps: 1,
            query_accuracy: vec![0.2, 0.9, 0.2, 0.8],
            support_loss: vec![1.6, 0.1, 1.6, 0.2],
            query_loss: vec![1.6, 0.3, 1.6, 0.4],
        });
        run.training = Some(crate::dynamics::log(0.0));
        run.selection = Some(Selection {
            best_step: 1,
            last_step: 2,
            best: vec![0.9],
            last: vec![0.8],
        });
    }
    let log_odds = (0..40 * 75).map(|query| f64::from(query % 40)).collect();
    all[3].test.as_mut().unwrap().query_log_odds = Some(log_odds);
    let mut options = options();
    options.reference = Some("protonet".to_owned());
    let pool = TestPool {
        n_classes: 423,
        n_examples: 20,
        k_shot: 1,
    };
    options.pools.insert(SETTING.to_owned(), pool);
    let with_factors = Study {
        factors: Some(factor_table(30, 2, 1)),
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: vec![TaskDomains {
            setting: SETTING.to_owned(),
            names: vec!["even".to_owned(), "odd".to_owned()],
            of_task: (0..40).map(|task| task % 2).collect(),
        }],
        ..study(all)
    };
    let result = analyze(&with_factors, &options).unwrap();
    let setting = &result.settings[0];
    let maml = &setting.learners[0];
    assert_eq!(
        maml.all.ids().collect::<Vec<_>>(),
        unasked(LEARNER_METRICS.iter().map(|metric| metric.id))
    );
    assert_eq!(
        setting.all.ids().collect::<Vec<_>>(),
        unasked(SETTING_METRICS.iter().map(|metric| metric.id))
    );
    assert_eq!(
        result.all.ids().collect::<Vec<_>>(),
        unasked(STUDY_METRICS.iter().map(|metric| metric.id))
    );
    assert!(maml.without_failed.is_none() && maml.failures.failed.is_empty());

    let spread = maml.all.get::<Spread>().unwrap();
    assert!(
        (spread.mean.value - 0.913).abs() < 0.02,
        "{}",
        spread.mean.value
    );
    assert_eq!(
        maml.all
            .get::<Components>()
            .unwrap()
            .open
            .unwrap()
            .n_disjoint,
        84
    );
    assert_eq!(
        maml.all.get::<Tail>().unwrap().levels.len(),
        1,
        "1 % of 40 tasks is no tail"
    );
    assert!(maml.all.get::<Churn>().unwrap().churn > 0.0);
    assert_eq!(maml.all.get::<StepsToThreshold>().unwrap().runs.len(), 3);
    assert_eq!(setting.all.get::<Transfer>().unwrap().pairs.len(), 1);
    assert_eq!(setting.all.get::<Hardness>().unwrap().slopes.len(), 2);
    let pair = &setting.all.get::<Comparisons>().unwrap().pairs[0];
    let difference = &pair.paired.as_ref().unwrap().difference;
    assert!(
        difference.interval.as_ref().unwrap().upper < 0.0,
        "protonet is better"
    );
    let aggregates = result.all.get::<Aggregates>().unwrap();
    assert!(
        (aggregates.improvements[0].probability.value).abs() < 1e-15,
        "no run of maml beats one of protonet"
    );
    assert!(
        result
            .findings
            .iter()
            .any(|finding| finding.text.contains("protonet is better than maml"))
    );
    // JSON there and back is the identity on bytes.
    let text = serde_json::to_string(&result).unwrap();
    let back: StudyAnalysis = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

#[test]
fn failed_runs_are_counted_named_and_left_out_on_the_side() {
    let mut all = runs("matching", &[0.95, 0.94, 0.96, 0.2, 0.95, 0.5]);
    all[4].outcome = Outcome::Diverged {
        step: 7,
        cause: "loss is NaN".to_owned(),
    };
    all[4].test = None;
    let result = analyze(&study(all), &options()).unwrap();
    let learner = &result.settings[0].learners[0];
    let failed: Vec<u64> = learner.failures.failed.iter().map(|run| run.seed).collect();
    assert_eq!(failed, [3, 4, 5]);
    assert!(matches!(
        learner.failures.failed[0].reasons[0],
        FailureReason::AtChance { .. }
    ));
    assert!(matches!(
        learner.failures.failed[1].reasons[0],
        FailureReason::Diverged { step: 7, .. }
    ));
    assert!(matches!(
        learner.failures.failed[2].reasons[0],
        FailureReason::Outlier { .. }
    ));
    assert_eq!(
        (learner.failures.n_untested, learner.tested_seeds.as_slice()),
        (1, &[0, 1, 2, 3, 5][..])
    );
    let with = learner.all.get::<Spread>().unwrap();
    let without = learner
        .without_failed
        .as_ref()
        .unwrap()
        .get::<Spread>()
        .unwrap();
    assert_eq!((with.n_runs, without.n_runs), (5, 3));
    assert!(without.mean.value > 0.93 && with.mean.value < 0.8);
    assert!(result.without_failed.is_some() && result.settings[0].without_failed.is_some());
}

#[test]
fn a_study_in_which_every_run_fails_is_a_result() {
    let mut all = runs("maml", &[0.9, 0.9]);
    for run in &mut all {
        run.test = None;
        run.history.clear();
    }
    let result = analyze(&study(all), &options()).unwrap();
    assert_eq!(result.settings[0].learners[0].failures.failed.len(), 2);
    assert!(result.settings[0].learners[0].all.get::<Spread>().is_none());
}

#[test]
fn one_run_has_no_seed_spread() {
    let result = analyze(&study(runs("maml", &[0.9])), &options()).unwrap();
    let spread = result.settings[0].learners[0].all.get::<Spread>().unwrap();
    assert!(spread.seed_sd.is_none() && spread.mean.interval.is_none());
}

/// Two learners on other data are not compared, and the report says why; what makes them learners may differ.
#[test]
fn learners_that_differ_in_more_than_the_learner_are_not_compared() {
    let with = |field: &str, value: &str| {
        let mut all = runs("maml", &[0.9, 0.8]);
        all.extend(runs("protonet", &[0.7, 0.8]).into_iter().map(|mut run| {
            run.fingerprint.insert(field.to_owned(), value.to_owned());
            run
        }));
        for run in &mut all {
            let kept = run.fingerprint.get("data_digest").cloned();
            let digest = kept.unwrap_or_else(|| "aa".to_owned());
            run.fingerprint.insert("data_digest".to_owned(), digest);
        }
        let found = analyze(&study(all), &options()).unwrap();
        let compared: Comparisons = found.settings[0].all.get().unwrap();
        let said = |f: &&Finding| f.certainty == Certainty::NotComparable;
        let sentence = found.findings.iter().find(said).map(|f| f.text.clone());
        (compared.pairs[0].clone(), sentence)
    };
    let (pair, sentence) = with("learner.metric", "cosine");
    assert!(pair.paired.is_some() && pair.refused.is_none() && sentence.is_none());
    let (pair, sentence) = with("data_digest", "bb");
    assert!(pair.paired.is_none());
    assert_eq!(pair.refused.unwrap().field, "data_digest");
    assert_eq!(
        sentence.unwrap(),
        "maml and protonet are not compared: they differ in data_digest (aa against bb), which is not a subject of this study."
    );
}

#[test]
fn refusals_name_the_field() {
    let message = |change: fn(&mut Vec<Run>)| {
        let mut all = runs("maml", &[0.9, 0.9]);
        change(&mut all);
        analyze(&study(all), &options()).unwrap_err().to_string()
    };
    let differing = message(|runs| {
        runs[1]
            .fingerprint
            .insert("inner_lr".to_owned(), "0.1".to_owned());
    });
    assert!(
        differing.contains("differ in `inner_lr` (0.4 against 0.1)"),
        "{differing}"
    );
    let absent = message(|runs| {
        runs[1].fingerprint.remove("inner_lr");
    });
    assert!(
        absent.contains("`inner_lr` (0.4 against absent)"),
        "{absent}"
    );
    let twice = message(|runs| runs[1].seed = 0);
    assert!(twice.contains("`seed`"), "{twice}");
    let label = message(|runs| {
        if let Some(test) = &mut runs[1].test {
            test.predictions[80] = 5;
        }
    });
    assert!(
        label.ends_with("predicted label is 5 at task 1, query 5; expected a label under 5"),
        "{label}"
    );
    let short = message(|runs| {
        if let Some(test) = &mut runs[0].test {
            test.task_nll.pop();
        }
    });
    assert!(
        short.contains("task_nll: expected 40 values, got 39"),
        "{short}"
    );
    assert_eq!(
        message(Vec::clear),
        "runs in the study: 0 given, at least 1 needed"
    );
}

/// The guide to `report.json` names every result.
#[test]
fn the_guide_lists_every_metric() {
    let guide = include_str!("../../../../docs/report.md");
    let ids = (LEARNER_METRICS.iter().map(|m| m.id))
        .chain(SETTING_METRICS.iter().map(|m| m.id))
        .chain(STUDY_METRICS.iter().map(|m| m.id));
    for id in ids {
        assert!(
            guide.contains(&format!("`{id}`")),
            "docs/report.md does not name {id}"
        );
    }
    assert!(guide.contains(metastable_analysis::outcome::SCHEMA));
}
