//! Metrics of family E and the selection gap on logs whose answers are known.

use metastable_analysis::threshold::StepsToThreshold;
use metastable_analysis::training::alignment::Alignment;
use metastable_analysis::training::first_order::FirstOrder;
use metastable_analysis::training::inside::{HiddenUnits, InnerCourse};
use metastable_analysis::training::reliability::Reliability;
use metastable_analysis::training::selection::SelectionGap;
use metastable_analysis::training::signal::GradientSignal;
use metastable_analysis::training::spikes::LossSpikes;
use metastable_analysis::training::{
    Angles, BlockState, FirstOrderBias, InnerAngles, Inside, LogLine, MeanCurve, Selection,
    TrainingLog,
};
use metastable_analysis::{Measure, Options, Study, analyze, report};

use crate::support::{close, run};

/// Two layers of norms 3 and 4, so 5 over the network; `|gbar|^2 = 25` and `sum |g_t|^2 = 4 * 25 + 3 * 8 = 124` over four tasks: the
/// trace is 8, the unbiased square 25 - 8 / 4 = 23, signal to noise 25 / 2, noise scale 8 / 23.
pub(crate) fn log(shift: f64) -> TrainingLog {
    let line = |at: usize| LogLine {
        step: 10 * at,
        losses: (0..10)
            .map(|i| {
                let spike = at == 40 && i == 5;
                1.0 + 0.01 * f64::from(i % 3) + if spike { 5.0 } else { 0.0 }
            })
            .collect(),
        layer_norms: vec![vec![3.0, 4.0]; 10],
        n_clipped: 2,
        update_ratio: 0.5,
        mean_square: 25.0,
        sum_of_squares: 124.0,
        angles: (at == 1 || at == 60).then(|| Angles {
            domains: Vec::new(),
            gradients: vec![0.5, -0.1, 0.2],
            inner: Some(InnerAngles {
                within_task: vec![if at == 1 { 0.1 } else { 0.4 + shift }; 2],
                trajectories: vec![0.3],
                bias: Some(FirstOrderBias {
                    cosine: 0.9,
                    difference: 0.4,
                }),
                layers: vec![
                    None,
                    Some(FirstOrderBias {
                        cosine: 0.8,
                        difference: 0.6,
                    }),
                ],
            }),
        }),
        inside: (at == 30 || at == 60).then(|| Inside {
            n_tasks: 7,
            curve: Some(MeanCurve {
                query_accuracy: vec![0.2, 0.7, 0.8, 0.75],
                support_loss: vec![1.6, 0.4, 0.2, 0.1],
                query_loss: vec![1.6, 0.8, 0.7, 0.9],
                support_rose: 0.1,
            }),
            blocks: vec![
                BlockState {
                    dead: 0.25,
                    drift: Some([0.5, 0.1]),
                },
                BlockState {
                    dead: 0.0,
                    drift: Some([0.7, 0.2]),
                },
            ],
        }),
    };
    TrainingLog {
        n_tasks: 4,
        layers: vec!["blocks.0".to_owned(), "head".to_owned()],
        lines: (1..=60).map(line).collect(),
    }
}

/// Three runs with a log each.
fn logged() -> Study {
    let runs = (0..3).map(|seed| run("maml", "toy 5-way", seed, 0.9));
    let mut study = Study {
        name: "toy".to_owned(),
        runs: runs.collect(),
        ..Study::default()
    };
    for (at, run) in study.runs.iter_mut().enumerate() {
        run.training = Some(log(0.01 * at as f64));
        run.selection = Some(Selection {
            best_step: if at == 0 { 600 } else { 300 },
            last_step: 600,
            best: vec![0.8, 0.9],
            last: if at == 0 {
                vec![0.8, 0.9]
            } else {
                vec![0.7, 0.8]
            },
        });
    }
    study
}

fn measured<M: Measure>(study: &Study) -> M {
    let analysis = analyze(study, &Options::default()).unwrap();
    analysis.settings[0].learners[0].all.get().unwrap()
}

#[test]
fn gradients_of_a_known_log() {
    let found: GradientSignal = measured(&logged());
    close(found.snr.unwrap().value, 12.5, 1e-9, "signal to noise");
    close(
        found.noise_scale.unwrap().value,
        8.0 / 23.0,
        1e-9,
        "noise scale",
    );
    // |G|^2 over the mean square of a task's gradient, 124 / 4.
    close(
        found.agreement.unwrap().value,
        23.0 / 31.0,
        1e-9,
        "agreement",
    );
    close(found.clip_rate.value, 0.2, 1e-12, "clip rate");
    close(found.update_ratio.value, 0.5, 1e-12, "update");
    let layers: Vec<&str> = found.norms.iter().map(|norm| norm.layer.as_str()).collect();
    assert_eq!(layers, ["all", "blocks.0", "head"]);
    for (norm, expected) in found.norms.iter().zip([5.0, 3.0, 4.0]) {
        close(norm.median, expected, 1e-12, &norm.layer);
        close(norm.tail_ratio, 1.0, 1e-12, &norm.layer);
    }
    assert!(
        found
            .course
            .iter()
            .all(|point| (point.norm - 5.0).abs() < 1e-12)
    );
    assert_eq!(found.course.last().unwrap().step, 600);
}

#[test]
fn angles_of_a_known_log() {
    let study = logged();
    let n_runs = study.runs.len();
    let found: Alignment = measured(&study);
    close(found.cosine.unwrap().value, 0.2, 1e-12, "cosine");
    close(found.conflict.unwrap().value, 1.0 / 3.0, 1e-12, "conflict");
    close(found.coherence.unwrap().value, 0.3, 1e-12, "coherence");
    let shift = 0.01 * (n_runs - 1) as f64 / 2.0;
    close(
        found.within_change.unwrap().value,
        0.3 + shift,
        1e-9,
        "change",
    );
    let bias: FirstOrder = measured(&study);
    close(bias.cosine.value, 0.9, 1e-12, "bias");
    assert_eq!(
        bias.layers.len(),
        1,
        "a layer without an exact gradient has no bias"
    );
    assert_eq!(bias.layers[0].0, "head");
}

#[test]
fn the_network_of_a_known_log() {
    let study = logged();
    let inner: InnerCourse = measured(&study);
    close(inner.first_gain.value, 0.5, 1e-12, "gain");
    close(inner.overshoot.value, 0.05, 1e-12, "overshoot");
    let units: HiddenUnits = measured(&study);
    assert_eq!((inner.n_tasks, units.n_tasks), (7, 7));
    close(units.dead.value, 0.125, 1e-12, "dead");
    close(units.blocks[1].drift.unwrap()[0], 0.7, 1e-12, "drift");
    let steps: Vec<usize> = units.course.iter().map(|point| point.0).collect();
    assert_eq!(steps, [300, 600]);
}

#[test]
fn spikes_and_choices_of_a_known_log() {
    let study = logged();
    let n_runs = study.runs.len();
    let spikes: LossSpikes = measured(&study);
    assert_eq!((spikes.n_spikes, spikes.n_steps), (n_runs, 600 * n_runs));
    close(spikes.rate.value, 1000.0 / 600.0, 1e-9, "rate");
    assert!(spikes.runs.iter().all(|run| run.spikes[0].at == 395));
    let gap: SelectionGap = measured(&study);
    assert_eq!((gap.n_same, gap.n_runs), (1, n_runs));
    close(
        gap.gap.value,
        0.1 * (n_runs - 1) as f64 / n_runs as f64,
        1e-9,
        "gap",
    );
}

#[test]
fn the_learning_curves_of_the_study_are_reliable_figures() {
    let study = logged();
    let found: Reliability = measured(&study);
    assert_eq!(found.runs.len(), study.runs.len());
    assert_eq!(found.n_across, study.runs.len());
    let history = &study.runs[0].history;
    let n_checks = history
        .iter()
        .filter(|line| line.validation_accuracy.is_some())
        .count();
    assert_eq!(found.across.len(), n_checks);
    let steps: StepsToThreshold = measured(&study);
    let [lower, upper] = steps.quartiles;
    assert!(lower <= steps.median && (upper.is_none() || steps.median <= upper));
    close(
        steps.tasks.unwrap(),
        4.0 * steps.median.unwrap(),
        1e-9,
        "tasks",
    );
}

/// Two points have no course: cosines that were seen at the first and the last step are drawn once a third step between them was looked at.
#[test]
fn a_course_is_drawn_from_three_steps_on() {
    let mut study = logged();
    let drawn = |study: &Study| {
        let page = report::html(study, &analyze(study, &Options::default()).unwrap());
        let has = |quantity: &str| page.contains(&format!("{quantity} over outer steps"));
        assert!(has("norm of the meta-gradient"));
        has("cosine of two tasks")
    };
    assert!(!drawn(&study));
    for run in &mut study.runs {
        let lines = &mut run.training.as_mut().unwrap().lines;
        lines[30].angles = lines[0].angles.clone();
    }
    assert!(drawn(&study));
}
