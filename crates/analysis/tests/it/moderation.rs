//! Moderated variances against the formulas of limma in scipy, and learners' spreads over settings.

use metastable_analysis::moderation::Prior;
use metastable_analysis::over_settings::{LogRatios, SteadinessOverSettings};
use metastable_analysis::steadiness::{Scatter, SpreadVerdict};
use metastable_analysis::{Options, Run, Study, analyze};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::support::{close, normal, rng, run};

/// One list of variances of `tests/golden/make_moderation.py`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    variances: Vec<f64>,
    df: Vec<f64>,
    /// Degrees of freedom and variance.
    prior: [f64; 2],
    moderated: Vec<f64>,
    moderated_df: Vec<f64>,
}

/// Three learners in four settings, five runs each.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    runs: Vec<f64>,
    prior: [f64; 2],
    ratio: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    df: Vec<f64>,
    p: Vec<f64>,
    plain_p: Vec<f64>,
}

#[derive(Deserialize)]
struct Golden {
    prior: Vec<Case>,
    settings: Settings,
}

fn golden() -> Golden {
    toml::from_str(include_str!("../golden/moderation.toml")).unwrap()
}

fn as_limma(prior: Prior, expected: [f64; 2]) {
    match prior.df {
        Some(df) => close(df / expected[0], 1.0, 1e-8, "d_0"),
        None => assert!(expected[0].is_infinite()),
    }
    close(prior.variance / expected[1], 1.0, 1e-9, "s_0^2");
}

#[test]
fn priors_and_moderated_variances_are_those_of_limma() {
    for case in golden().prior {
        let list: Vec<(f64, f64)> = case.variances.iter().copied().zip(case.df).collect();
        let prior = Prior::fit(&list).unwrap();
        as_limma(prior, case.prior);
        let expected = case.moderated.iter().zip(&case.moderated_df);
        for (&(variance, df), (moderated, moderated_df)) in list.iter().zip(expected) {
            let (found, found_df) = prior.moderate(variance, df);
            close(found / moderated, 1.0, 1e-8, "moderated variance");
            assert!(found_df.is_infinite() == moderated_df.is_infinite());
            if found_df.is_finite() {
                close(found_df / moderated_df, 1.0, 1e-8, "moderated df");
            }
        }
    }
    // One variance for all is in the settings below.
    assert!(golden().settings.prior[0].is_infinite());
    assert!(Prior::fit(&[(1.0, 4.0)]).is_none());
    assert!(Prior::fit(&[(1.0, 4.0), (0.0, 4.0)]).is_none());
}

fn without_noise(runs: &[f64]) -> Scatter<'_> {
    Scatter { runs, noise: 0.0 }
}

#[test]
fn ratios_over_settings_are_those_of_scipy() {
    let settings = golden().settings;
    let of = |learner: usize, setting: usize| {
        let from = (4 * learner + setting) * 5;
        without_noise(&settings.runs[from..from + 5])
    };
    let pairs = [(0, 1), (0, 2), (1, 2)].map(|(a, b)| {
        let shared: Vec<[Scatter<'_>; 2]> = (0..4).map(|at| [of(a, at), of(b, at)]).collect();
        LogRatios::new(&shared).unwrap()
    });
    let variances: Vec<(f64, f64)> = pairs.iter().map(LogRatios::variance).collect();
    let prior = Prior::fit(&variances).unwrap();
    as_limma(prior, settings.prior);
    for (at, pair) in pairs.iter().enumerate() {
        let (ratio, df, p) = pair.ratio(Some((prior, 6.0)), 0.95);
        close(df / settings.df[at], 1.0, 1e-8, "df");
        close(p / settings.p[at], 1.0, 1e-6, "p");
        close(ratio.value / settings.ratio[at], 1.0, 1e-6, "ratio");
        let interval = ratio.interval.unwrap();
        // Limits are found by halving a range of logarithms of 7 at most.
        close(interval.lower / settings.lower[at], 1.0, 1e-5, "lower");
        close(interval.upper / settings.upper[at], 1.0, 1e-5, "upper");
        let (_, df, p) = pair.ratio(None, 0.95);
        close(df, 3.0, 1e-12, "settings less one");
        close(p / settings.plain_p[at], 1.0, 1e-6, "unmoderated p");
    }
}

/// Runs of a learner whose seeds have the standard deviation `sd` in each of `n_settings` settings.
fn drawn(learner: &str, sd: f64, n_settings: usize, draws: &mut ChaCha8Rng) -> Vec<Run> {
    let mut runs = Vec::new();
    for setting in 0..n_settings {
        for seed in 0..5 {
            let accuracy = 0.8 + sd * normal(draws);
            runs.push(run(learner, &format!("set {setting}"), seed, accuracy));
        }
    }
    runs
}

fn over_settings(runs: Vec<Run>) -> Option<(SteadinessOverSettings, Vec<String>)> {
    let study = Study {
        runs,
        ..Study::default()
    };
    let options = Options {
        n_resamples: 100,
        n_profile_resamples: 100,
        n_null_draws: 100,
        ..Options::default()
    };
    let analysis = analyze(&study, &options).unwrap();
    let told = analysis
        .findings
        .iter()
        .filter(|it| it.metric == "steadiness_over_settings")
        .map(|it| it.text.clone())
        .collect();
    Some((analysis.all.get()?, told))
}

#[test]
fn what_no_setting_settles_alone_the_settings_settle_together() {
    let draws = &mut rng(31);
    let mut runs = drawn("steady", 0.01, 6, draws);
    runs.extend(drawn("moving", 0.05, 6, draws));
    runs.extend(drawn("other", 0.05, 6, draws));
    let (found, told) = over_settings(runs).unwrap();
    assert!(found.prior.is_some() && found.pairs.len() == 3);
    let first = &found.pairs[0];
    assert_eq!(first.verdict, SpreadVerdict::ASteadier);
    assert_eq!((first.n_settings, first.n_runs), (6, [30, 30]));
    assert!(first.ratio.interval.as_ref().unwrap().contains(0.2));
    assert!(
        found.pairs[2]
            .ratio
            .interval
            .as_ref()
            .unwrap()
            .contains(1.0)
    );
    // Its level does not hold under every law, so that no sentence stands on it.
    assert!(told.is_empty(), "{told:?}");

    // Two settings are too few, and of two learners nothing is moderated.
    let mut two = drawn("a", 0.01, 2, draws);
    two.extend(drawn("b", 0.05, 2, draws));
    assert!(over_settings(two).is_none());
    let mut pair = drawn("a", 0.01, 6, draws);
    pair.extend(drawn("b", 0.05, 6, draws));
    let (found, _) = over_settings(pair).unwrap();
    assert!(found.prior.is_none());
    close(found.pairs[0].df, 5.0, 1e-12, "settings less one");
}

#[test]
fn the_noise_of_the_test_is_taken_out_of_the_ratio() {
    // Own variances of 1 and 4 in every setting, beside known noises of 3 and 0: what is seen has equal variances.
    let draws = &mut rng(9);
    let shape: Vec<Vec<f64>> = (0..400)
        .map(|_| (0..8).map(|_| normal(draws)).collect())
        .collect();
    let other: Vec<Vec<f64>> = (0..400)
        .map(|_| (0..8).map(|_| normal(draws)).collect())
        .collect();
    let scaled = |of: &[Vec<f64>]| -> Vec<Vec<f64>> {
        of.iter()
            .map(|runs| runs.iter().map(|it| 2.0 * it).collect())
            .collect()
    };
    let (a, b) = (scaled(&shape), scaled(&other));
    let settings: Vec<[Scatter<'_>; 2]> = a
        .iter()
        .zip(&b)
        .map(|(a, b)| {
            [
                Scatter {
                    runs: a,
                    noise: 3.0,
                },
                without_noise(b),
            ]
        })
        .collect();
    let (ratio, _, p) = LogRatios::new(&settings).unwrap().ratio(None, 0.95);
    // A half is true. The spread of B that the noise is set against is itself estimated, from 8 runs, which makes the ratio too extreme.
    assert!((0.25..0.6).contains(&ratio.value), "{}", ratio.value);
    assert!(p < 0.05, "{p}");
    let without: Vec<[Scatter<'_>; 2]> = a
        .iter()
        .zip(&b)
        .map(|(a, b)| [without_noise(a), without_noise(b)])
        .collect();
    let (ratio, _, p) = LogRatios::new(&without).unwrap().ratio(None, 0.95);
    assert!(
        (0.8..1.25).contains(&ratio.value) && p > 0.05,
        "{} {p}",
        ratio.value
    );
}
