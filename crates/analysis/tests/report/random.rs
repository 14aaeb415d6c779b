//! Random studies, whole and damaged: whatever the records hold, the page has to stand.

use std::collections::BTreeMap;

use metastable_analysis::{Adaptation, Outcome, Progress, Run, Study, Test, analyze, report};
use proptest::prelude::*;

use crate::{check, empty_analysis, options, table};

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![6 => 0.0..1.0, 1 => Just(0.0), 1 => Just(1.0), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => 0.0..1e30f64]
}

fn any_history() -> impl Strategy<Value = Vec<Progress>> {
    prop::collection::vec(
        (0usize..5000, any_value(), prop::option::of(any_value())),
        0..6,
    )
    .prop_map(|lines| {
        lines
            .into_iter()
            .map(|(step, train_loss, validation_accuracy)| Progress {
                step,
                train_loss,
                train_accuracy: 0.5,
                validation_accuracy,
            })
            .collect()
    })
}

fn any_test() -> impl Strategy<Value = Test> {
    // Now and then a table is cut short: the report has to survive what the analysis refuses.
    (1usize..5, 1usize..4, 1usize..4, 0usize..20).prop_flat_map(|(n_tasks, n_way, n_query, cut)| {
        let n = n_tasks * n_way * n_query;
        let n = if cut == 0 { n - 1 } else { n };
        (
            prop::collection::vec(0u8..5, n),
            prop::collection::vec(any_value(), n_tasks),
        )
            .prop_map(move |(predictions, task_nll)| {
                table([n_tasks, n_way, n_query], predictions, task_nll)
            })
    })
}

fn any_adaptation() -> impl Strategy<Value = Adaptation> {
    (0usize..3, 0usize..4, 0usize..3).prop_flat_map(|(n_tasks, steps, trained_steps)| {
        let n = n_tasks * (steps + 1);
        let table = || prop::collection::vec(any_value(), n);
        (table(), table(), table()).prop_map(move |(query_accuracy, support_loss, query_loss)| {
            Adaptation {
                n_tasks,
                trained_steps,
                query_accuracy,
                support_loss,
                query_loss,
            }
        })
    })
}

fn any_run() -> impl Strategy<Value = Run> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Completed),
        1 => (0usize..100).prop_map(|step| Outcome::Diverged { step, cause: "loss is NaN \u{1}]]>".into() }),
    ];
    let names = ("[a-c&<]{1,2}", "[xy|]{1,2}", 0u64..6);
    (
        names,
        outcome,
        any_history(),
        prop::option::of(any_test()),
        prop::option::of(any_adaptation()),
        any_value(),
    )
        .prop_map(
            |((learner, setting, seed), outcome, history, test, adaptation, train_seconds)| Run {
                id: format!("{learner}{setting}{seed}"),
                learner,
                setting,
                seed,
                outcome,
                history,
                train_seconds,
                test,
                scores: None,
                adaptation,
                training: None,
                selection: None,
                fingerprint: BTreeMap::new(),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_study_renders(runs in prop::collection::vec(any_run(), 0..8), name in ".{0,12}") {
        let study = Study { name, command: "x".into(), runs, factors: None, probes: Vec::new(), replacements: Vec::new() };
        let analysis = analyze(&study, &options()).unwrap_or_else(|_| empty_analysis(&study));
        check(&report::html(&study, &analysis));
        prop_assert!(!report::markdown(&study, &analysis).contains("NaN %"));
        prop_assert!(!report::terminal_table(&study, &analysis).contains("NaN"));
    }
}
