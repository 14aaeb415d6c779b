//! Ratios of spreads between learners: verdicts, sentences, and the error rate where nothing differs.

use metastable_analysis::promises::Promises;
use metastable_analysis::report::markdown;
use metastable_analysis::spread::Spread;
use metastable_analysis::steadiness::{Scatter, SpreadVerdict, Steadiness, spread_ratio};
use metastable_analysis::{Options, Study, analyze};
use rand_chacha::ChaCha8Rng;

use crate::support::{normal, rng, run};

fn scatter(runs: &[f64]) -> Scatter<'_> {
    Scatter { runs, noise: 0.0 }
}

fn draw(n: usize, sd: f64, heavy: bool, draws: &mut ChaCha8Rng) -> Vec<f64> {
    let one = |draws: &mut ChaCha8Rng| {
        if !heavy {
            return normal(draws);
        }
        // Student's t with three degrees of freedom.
        let chi: f64 = (0..3).map(|_| normal(draws).powi(2)).sum();
        normal(draws) / (chi / 3.0).sqrt()
    };
    (0..n).map(|_| sd * one(draws)).collect()
}

/// The ratio itself, both ways round, and a learner without a seed effect.
#[test]
fn ratio_by_hand() {
    let (a, b) = ([0.0, 2.0, 4.0], [0.0, 1.0, 2.0]);
    let (found, p) = spread_ratio(scatter(&a), scatter(&b), 0.95, 0).unwrap();
    assert!((found.value - 2.0).abs() < 1e-12 && p.is_none());
    let (turned, _) = spread_ratio(scatter(&b), scatter(&a), 0.95, 0).unwrap();
    let (limits, other) = (found.interval.unwrap(), turned.interval.unwrap());
    assert!((limits.lower * other.upper - 1.0).abs() < 1e-9);
    assert!(limits.lower < 1.0 && limits.upper > 4.0, "{limits:?}");
    // Variance 1 with noise 1: nothing of its own.
    let all_noise = Scatter {
        runs: &b,
        noise: 1.0,
    };
    let (found, _) = spread_ratio(all_noise, scatter(&a), 0.95, 0).unwrap();
    assert!(found.value.abs() < 1e-12 && found.interval.unwrap().lower < 1e-12);
    assert!(spread_ratio(all_noise, all_noise, 0.95, 0).is_none());
}

/// Equal spreads, normal and heavy-tailed: more than 14 of 140 claims at 5 % have a probability of 1 %.
#[test]
fn equal_spreads_are_rarely_told_apart() {
    for (heavy, n) in [(false, 8), (true, 8), (true, 15)] {
        let mut draws = rng(77);
        let mut claims = 0;
        for table in 0..140 {
            let (a, b) = (
                draw(n, 1.0, heavy, &mut draws),
                draw(n, 1.0, heavy, &mut draws),
            );
            let (_, p) = spread_ratio(scatter(&a), scatter(&b), 0.95, table).unwrap();
            claims += usize::from(p.unwrap() <= 0.05);
        }
        assert!(
            claims <= 14,
            "{claims} of 140, heavy tails: {heavy}, {n} runs"
        );
    }
}

/// A study of two learners with these accuracies of runs.
fn study(steady: &[f64], moving: &[f64]) -> Study {
    let of = |learner: &'static str, runs: &[f64]| {
        let each = runs.iter().enumerate();
        each.map(|(seed, accuracy)| run(learner, "setting", seed as u64, *accuracy))
            .collect::<Vec<_>>()
    };
    Study {
        name: "spreads".to_owned(),
        runs: [of("steady", steady), of("moving", moving)].concat(),
        ..Study::default()
    }
}

fn verdict(study: &Study) -> (SpreadVerdict, String) {
    let options = Options {
        n_resamples: 500,
        n_profile_resamples: 200,
        n_null_draws: 100,
        ..Options::default()
    };
    let found = analyze(study, &options).unwrap();
    let pairs = found.settings[0].all.get::<Steadiness>().unwrap().pairs;
    let said = found
        .findings
        .iter()
        .find(|f| f.metric == "steadiness")
        .unwrap();
    (pairs[0].verdict, said.text.clone())
}

#[test]
fn four_verdicts() {
    let spaced = |n: usize, half: f64| -> Vec<f64> {
        (0..n)
            .map(|at| 0.7 + half * (2.0 * at as f64 / (n - 1) as f64 - 1.0))
            .collect()
    };
    let (found, said) = verdict(&study(&spaced(10, 0.01), &spaced(10, 0.2)));
    assert_eq!(found, SpreadVerdict::ASteadier);
    assert!(
        said.starts_with("steady is steadier over seeds than moving (SD ratio"),
        "{said}"
    );
    let (found, said) = verdict(&study(&spaced(3, 0.01), &spaced(3, 0.2)));
    assert!(
        matches!(found, SpreadVerdict::Open { seeds: Some(n) } if n >= 5),
        "{found:?}"
    );
    assert!(said.contains("would settle it"), "{said}");
    let (found, said) = verdict(&study(&spaced(40, 0.2), &spaced(40, 0.21)));
    assert_eq!(found, SpreadVerdict::AsSteady, "{said}");
    let mut failing = spaced(10, 0.2);
    failing[0] = 0.2;
    let (found, said) = verdict(&study(&spaced(10, 0.01), &failing));
    assert_eq!(found, SpreadVerdict::FailuresDecide);
    assert!(said.contains("1 of 10 runs failed"), "{said}");
}

/// What is declared is judged with Holm over what is declared, and has a chapter; pairs of learners that are not there are passed over.
#[test]
fn promises_are_judged_among_themselves() {
    let spaced = |half: f64| -> Vec<f64> {
        (0..10)
            .map(|at| 0.7 + half * (2.0 * f64::from(at) / 9.0 - 1.0))
            .collect()
    };
    let study = study(&spaced(0.01), &spaced(0.2));
    let declared = |bases: &[[&str; 2]]| {
        let options = Options {
            n_resamples: 500,
            n_profile_resamples: 200,
            n_null_draws: 100,
            bases: bases.iter().map(|pair| pair.map(str::to_owned)).collect(),
            ..Options::default()
        };
        analyze(&study, &options).unwrap()
    };
    let pairs = |found: &metastable_analysis::StudyAnalysis| {
        let promises = found.settings[0].all.get::<Promises>();
        promises.map_or_else(Vec::new, |it| it.pairs)
    };
    let none = declared(&[]);
    assert!(pairs(&none).is_empty());
    assert!(!markdown(&study, &none).contains("Promises of stability"));

    let one = declared(&[["steady", "moving"], ["absent", "moving"]]);
    let kept = &pairs(&one)[0];
    assert_eq!(pairs(&one).len(), 1);
    assert_eq!(kept.verdict, SpreadVerdict::ASteadier);
    assert!(kept.ratio.as_ref().unwrap().value < 0.2);
    let steadiness = one.settings[0].all.get::<Steadiness>().unwrap();
    assert_eq!(steadiness.pairs, std::slice::from_ref(kept));
    let text = markdown(&study, &one);
    assert!(text.contains("1 is kept: steady over moving."), "{text}");

    let two = declared(&[["steady", "moving"], ["moving", "steady"]]);
    let [first, second] = &pairs(&two)[..] else {
        panic!("two promises");
    };
    assert_eq!(second.verdict, SpreadVerdict::BSteadier);
    // Holm over two: the smaller p-value doubles.
    assert!((first.p_value.unwrap() - 2.0 * kept.p_value.unwrap()).abs() < 1e-12);
    assert!(markdown(&study, &two).contains("Not kept: moving over steady."));
}

/// Five copies of one run tell nothing about another training: no interval, no verdict, and a sentence that says why. Beside them a learner
/// with other, equal runs is not called better.
#[test]
fn copies_of_one_run_are_no_seeds() {
    let copies = |learner: &str, accuracy: f64| {
        let first = run(learner, "setting", 0, accuracy);
        (0..5)
            .map(|seed| metastable_analysis::Run {
                id: format!("{learner}-{seed}"),
                seed,
                ..first.clone()
            })
            .collect::<Vec<_>>()
    };
    let study = Study {
        name: "copies".to_owned(),
        runs: [copies("probe", 0.68), copies("other", 0.6)].concat(),
        ..Study::default()
    };
    let options = Options {
        n_resamples: 500,
        n_profile_resamples: 200,
        n_null_draws: 100,
        ..Options::default()
    };
    let found = analyze(&study, &options).unwrap();
    let of = |at: usize| found.settings[0].learners[at].all.get::<Spread>().unwrap();
    assert!(of(0).mean.interval.is_none() && of(0).prediction.is_none());
    assert!(of(0).seed_sd.unwrap().interval.is_none());
    let said = |start: &str| found.findings.iter().any(|f| f.text.starts_with(start));
    assert!(said("All 5 runs of probe have the same mean"));
    let steady = found.settings[0].all.get::<Steadiness>().unwrap();
    assert_eq!(steady.pairs[0].verdict, SpreadVerdict::NoSeedEffect);
}
