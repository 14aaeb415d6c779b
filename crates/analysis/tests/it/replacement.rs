//! Replace-one-task stability where it is known in closed form: estimation of a mean.
//!
//! A learner that returns the mean of its `n` tasks moves by `(x'_i - x_i) / n` when task `i` is exchanged. Under the loss
//! `l(theta, z) = 5 + z theta` the loss of a test task moves by `z (x'_i - x_i) / n`: the coefficient is
//! `mean_z |z| mean_i |x'_i - x_i| / n`, and its slope on `log n` is -1.

use metastable_analysis::replacement::coefficient::ReplaceOneTask;
use metastable_analysis::replacement::slope::ReplaceSlopes;
use metastable_analysis::{Certainty, Options, Replacement, Run, Study, StudyAnalysis, analyze};

use crate::support::{normal, rng, run};

const POOLS: [usize; 3] = [100, 300, 1000];
const MEMBERS: usize = 10;

/// The tasks of one seed: as many as the largest pool, then what members are exchanged for.
fn tasks(seed: u64) -> Vec<f64> {
    let mut rng = rng(100 + seed);
    (0..1000 + MEMBERS).map(|_| normal(&mut rng)).collect()
}

/// Weight of each test task in its loss.
fn test_weights() -> Vec<f64> {
    let mut rng = rng(7);
    (0..40).map(|_| normal(&mut rng)).collect()
}

/// What the learner returns for a pool of `n`, by the tasks of one seed, with one member exchanged; and its test losses.
fn trained(tasks: &[f64], n: usize, member: Option<usize>) -> (f64, Vec<f64>) {
    let task = |at: usize| {
        if Some(at) == member {
            tasks[1000 + at]
        } else {
            tasks[at]
        }
    };
    let theta = (0..n).map(task).sum::<f64>() / n as f64;
    let losses = test_weights().iter().map(|z| 5.0 + z * theta).collect();
    (theta, losses)
}

fn setting(n: usize) -> String {
    format!("means, pool of {n}")
}

/// A whole study; `noise` is added to the losses of every further training, also of those with nothing exchanged.
fn study(n_seeds: u64, noise: &mut dyn FnMut() -> f64) -> Study {
    let mut study = Study {
        name: "means".to_owned(),
        ..Study::default()
    };
    for n in POOLS {
        for seed in 0..n_seeds {
            let tasks = tasks(seed);
            let (theta, losses) = trained(&tasks, n, None);
            let mut whole: Run = run("mean", &setting(n), seed, 0.8);
            whole.id = format!("mean-n{n}-s{seed}");
            let test = whole.test.as_mut().unwrap();
            test.task_nll = losses;
            for member in [None].into_iter().chain((0..MEMBERS).map(Some)) {
                let (other, losses) = trained(&tasks, n, member);
                study.replacements.push(Replacement {
                    run: whole.id.clone(),
                    setting: "means".to_owned(),
                    pool: n,
                    member,
                    task_nll: Some(losses.into_iter().map(|loss| loss + noise()).collect()),
                    distance: Some((other - theta).abs() / theta.abs()),
                });
            }
            study.runs.push(whole);
        }
    }
    study
}

fn options() -> Options {
    Options {
        n_resamples: 2000,
        n_profile_resamples: 100,
        n_null_draws: 100,
        ..Options::default()
    }
}

fn coefficients(analysis: &StudyAnalysis) -> Vec<ReplaceOneTask> {
    let of = |setting: &metastable_analysis::SettingAnalysis| setting.learners[0].all.get();
    analysis.settings.iter().map(|it| of(it).unwrap()).collect()
}

#[test]
fn the_coefficient_of_a_mean_is_its_closed_form_and_falls_like_one_over_n() {
    let study = study(3, &mut || 0.0);
    let analysis = analyze(&study, &options()).unwrap();
    let weight = test_weights().iter().map(|z| z.abs()).sum::<f64>() / 40.0;
    let moved: Vec<f64> = (0..3)
        .flat_map(|seed| {
            let tasks = tasks(seed);
            (0..MEMBERS).map(move |i| (tasks[1000 + i] - tasks[i]).abs())
        })
        .collect();
    let mean_moved = moved.iter().sum::<f64>() / moved.len() as f64;
    let most_moved = moved.iter().copied().fold(0.0, f64::max);
    let most_weight = test_weights().iter().map(|z| z.abs()).fold(0.0, f64::max);
    for (found, n) in coefficients(&analysis).iter().zip(POOLS) {
        assert_eq!((found.pool, found.n_seeds, found.n_exchanges), (n, 3, 30));
        let expected = weight * mean_moved / n as f64;
        // Losses are 5 and more: sixteen digits leave twelve of the difference.
        assert!((found.beta.value / expected - 1.0).abs() < 1e-9, "{n}");
        assert!((found.largest * n as f64 / (most_moved * most_weight) - 1.0).abs() < 1e-9);
        assert!(found.beta.interval.as_ref().unwrap().contains(expected));
        let floor = found.floor.unwrap();
        assert!(floor.is_exactly_zero() && floor.n_repeats == 3);
    }
    let slopes: ReplaceSlopes = analysis.all.get().unwrap();
    let slope = slopes.lines[0].slope.as_ref().unwrap();
    assert!((slope.value + 1.0).abs() < 1e-9, "{}", slope.value);
    // The same exchanges in every pool: they scatter together, and the slope does not.
    assert!(slope.interval.as_ref().unwrap().half_width() < 1e-9);
}

/// Noise that does not depend on the pool flattens the slope, and shows in the floor.
#[test]
fn noise_shows_in_the_floor_and_flattens_the_slope() {
    let mut rng = rng(11);
    let study = study(2, &mut || 0.1 * normal(&mut rng));
    let analysis = analyze(&study, &options()).unwrap();
    let found = coefficients(&analysis);
    // Mean of |N(0, 0.1)| is 0.1 sqrt(2 / pi) = 0.0798; what the exchange itself does at n = 1000 is 0.001.
    let last = &found[2];
    assert!(
        (last.beta.value - 0.0798).abs() < 0.01,
        "{}",
        last.beta.value
    );
    let floor = last.floor.unwrap();
    assert!(!floor.is_exactly_zero() && floor.loss > 0.1 && floor.distance <= 0.0);
    let slopes: ReplaceSlopes = analysis.all.get().unwrap();
    let slope = slopes.lines[0].slope.as_ref().unwrap();
    assert!(slope.interval.as_ref().unwrap().lower > -0.2, "{slope:?}");
    let said = analysis
        .findings
        .iter()
        .find(|it| it.metric == "replace_slopes")
        .unwrap();
    assert_eq!(said.certainty, Certainty::Distinguishable);
    assert!(said.text.contains("slower than the 1/n"), "{}", said.text);
}

/// Whoever blew up is counted, and not compared.
#[test]
fn trainings_without_a_test_are_counted_and_left_out() {
    let mut study = study(1, &mut || 0.0);
    let lost = study
        .replacements
        .iter_mut()
        .find(|it| it.member == Some(4))
        .unwrap();
    (lost.task_nll, lost.distance) = (None, None);
    let analysis = analyze(&study, &options()).unwrap();
    let found = &coefficients(&analysis)[0];
    assert_eq!((found.n_lost, found.n_exchanges), (1, MEMBERS - 1));
    let slopes: ReplaceSlopes = analysis.all.get().unwrap();
    assert_eq!(slopes.lines[0].n_exchanges, MEMBERS - 1, "pools are paired");
    study.replacements[0].task_nll = Some(vec![0.0; 3]);
    let message = analyze(&study, &options()).unwrap_err().to_string();
    assert!(message.contains("mean-n100-s0"), "{message}");
}
