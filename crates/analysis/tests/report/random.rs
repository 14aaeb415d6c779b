//! Random studies, whole and damaged: whatever the records hold, the page has to stand.

use std::collections::BTreeMap;

use metastable_analysis::training::{
    Angles, BlockState, FirstOrderBias, InnerAngles, Inside, LogLine, MeanCurve, Selection,
    TrainingLog,
};
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
        let mut lines = lines;
        lines.sort_by_key(|line| line.0);
        lines.dedup_by_key(|line| line.0);
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

fn any_angles() -> impl Strategy<Value = Angles> {
    let cosines = || prop::collection::vec(-1.0..1.0f64, 0..4);
    let bias = || prop::option::of((-1.0..1.0f64, 0.0..9.0f64));
    let inner = (cosines(), cosines(), bias(), bias()).prop_map(
        |(within_task, trajectories, bias, layer)| {
            let [bias, layer] = [bias, layer]
                .map(|it| it.map(|(cosine, difference)| FirstOrderBias { cosine, difference }));
            InnerAngles {
                within_task,
                trajectories,
                bias,
                layers: vec![layer],
            }
        },
    );
    let domains = prop::collection::vec(0_u32..3, 0..5);
    (cosines(), domains, prop::option::of(inner)).prop_map(|(gradients, domains, inner)| Angles {
        gradients,
        domains,
        inner,
    })
}

fn any_inside() -> impl Strategy<Value = Inside> {
    let column = || prop::collection::vec(0.0..1.0f64, 3);
    let curve =
        (column(), column(), column()).prop_map(|(query_accuracy, support_loss, query_loss)| {
            MeanCurve {
                query_accuracy,
                support_loss,
                query_loss,
                support_rose: 0.25,
            }
        });
    let block =
        (0.0..1.0f64, prop::option::of((0.0..2.0f64, 0.0..2.0f64))).prop_map(|(dead, drift)| {
            BlockState {
                dead,
                drift: drift.map(|(mean, scale)| [mean, scale]),
            }
        });
    let blocks = prop::collection::vec(block, 0..3);
    (1..30usize, prop::option::of(curve), blocks).prop_map(|(n_tasks, curve, blocks)| Inside {
        n_tasks,
        curve,
        blocks,
    })
}

fn any_training() -> impl Strategy<Value = TrainingLog> {
    let line = (
        prop::collection::vec(any_value(), 0..30),
        0.0..5.0f64,
        0.0..2.0f64,
        prop::option::of(any_angles()),
        prop::option::of(any_inside()),
    );
    (1usize..4, prop::collection::vec(line, 0..6)).prop_map(|(n_tasks, lines)| {
        let mut step = 0;
        let lines = lines
            .into_iter()
            .map(|(losses, norm, extra, angles, inside)| {
                step += losses.len().max(1);
                LogLine {
                    step,
                    layer_norms: vec![vec![norm]; losses.len()],
                    losses,
                    n_clipped: 0,
                    update_ratio: extra,
                    mean_square: norm * norm,
                    sum_of_squares: n_tasks as f64 * norm * norm + extra,
                    angles,
                    inside,
                }
            });
        TrainingLog {
            n_tasks,
            layers: vec!["blocks.0".into()],
            lines: lines.collect(),
        }
    })
}

fn any_selection() -> impl Strategy<Value = Selection> {
    (
        prop::collection::vec((0.0..1.0f64, 0.0..1.0f64), 0..4),
        0usize..9,
    )
        .prop_map(|(tasks, best_step)| {
            let (best, last) = tasks.into_iter().unzip();
            Selection {
                best_step,
                last_step: 8,
                best,
                last,
            }
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
        prop::option::of(any_training()),
        prop::option::of(any_selection()),
    )
        .prop_map(
            |(
                (learner, setting, seed),
                outcome,
                history,
                test,
                adaptation,
                train_seconds,
                training,
                selection,
            )| Run {
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
                training,
                selection,
                fingerprint: BTreeMap::new(),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_study_renders(runs in prop::collection::vec(any_run(), 0..8), name in ".{0,12}") {
        let study = Study { name, command: "x".into(), runs, factors: None, probes: Vec::new(), replacements: Vec::new(), domains: Vec::new() };
        let analysis = analyze(&study, &options()).unwrap_or_else(|_| empty_analysis(&study));
        check(&report::html(&study, &analysis));
        prop_assert!(!report::markdown(&study, &analysis).contains("NaN %"));
        prop_assert!(!report::terminal_table(&study, &analysis).contains("NaN"));
    }
}
