//! What a study with several settings says of them: figures against scipy, a planted effect, silence where nothing differs.

use metastable_analysis::between_settings::{SettingEffect, SettingEffects};
use metastable_analysis::report::markdown;
use metastable_analysis::steadiness::SpreadVerdict;
use metastable_analysis::{Certainty, Options, Run, Study, StudyAnalysis, TaskScores, analyze};

use crate::support::{close, normal, rng, run};

/// A run with one score.
fn scored(learner: &str, setting: &str, seed: usize, score: f64) -> Run {
    Run {
        test: None,
        history: Vec::new(),
        scores: Some(TaskScores {
            accuracies: vec![score],
            ..TaskScores::default()
        }),
        ..run(learner, setting, seed as u64, 0.5)
    }
}

fn study(places: &[(&str, &str, &[f64])]) -> Study {
    let of = |(learner, setting, scores): &(&str, &str, &[f64])| {
        let each = scores.iter().enumerate();
        each.map(|(seed, score)| scored(learner, setting, seed, *score))
            .collect::<Vec<_>>()
    };
    Study {
        name: "settings".to_owned(),
        runs: places.iter().flat_map(of).collect(),
        ..Study::default()
    }
}

fn analysed(study: &Study) -> StudyAnalysis {
    let options = Options {
        n_resamples: 100,
        n_profile_resamples: 100,
        n_null_draws: 100,
        ..Options::default()
    };
    analyze(study, &options).unwrap()
}

fn pairs(analysis: &StudyAnalysis) -> Vec<SettingEffect> {
    analysis.all.get::<SettingEffects>().unwrap().pairs
}

fn causes(study: &Study, analysis: &StudyAnalysis) -> String {
    let text = markdown(study, analysis).replace('\\', "");
    let (_, causes) = text.split_once("## What makes it unstable?").unwrap();
    causes.split("\n## ").next().unwrap().to_owned()
}

const FIVE: [f64; 5] = [0.80, 0.82, 0.84, 0.86, 0.88];
const TWENTY: [f64; 5] = [0.60, 0.70, 0.75, 0.80, 0.90];

/// `scipy.stats.ttest_ind(a, b, equal_var=False)`: p and `confidence_interval()`; the ratio is that of `numpy.std(ddof=1)`.
#[test]
fn one_learner_in_two_settings_as_scipy_has_it() {
    let study = study(&[("maml", "five", &FIVE), ("maml", "twenty", &TWENTY)]);
    let found = pairs(&analysed(&study));
    let [pair] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (pair.spread.a.as_str(), pair.spread.b.as_str()),
        ("five", "twenty")
    );
    close(pair.difference.value, 0.09, 1e-12, "difference");
    close(pair.p_value.unwrap(), 0.148_398_164_736_699, 1e-6, "p");
    let interval = pair.difference.interval.as_ref().unwrap();
    close(interval.lower, -0.046_788_920_661, 1e-6, "lower");
    close(interval.upper, 0.226_788_920_661, 1e-6, "upper");
    // Sums of squares 0.004 and 0.05.
    let ratio = pair.spread.ratio.as_ref().unwrap().value;
    close(ratio, (0.004_f64 / 0.05).sqrt(), 1e-12, "ratio");
}

/// With Holm over two learners the smaller of two p-values counts twice.
#[test]
fn the_list_is_one_over_learners_and_pairs() {
    let alone = study(&[("maml", "five", &FIVE), ("maml", "twenty", &TWENTY)]);
    let both = study(&[
        ("maml", "five", &FIVE),
        ("proto", "five", &FIVE),
        ("maml", "twenty", &TWENTY),
        ("proto", "twenty", &[0.81, 0.82, 0.83, 0.86, 0.87]),
    ]);
    let (alone, both) = (pairs(&analysed(&alone)), pairs(&analysed(&both)));
    assert_eq!(both.len(), 2);
    close(
        both[0].p_value.unwrap(),
        2.0 * alone[0].p_value.unwrap(),
        1e-12,
        "of the mean",
    );
    close(
        both[0].spread.p_value.unwrap(),
        (2.0 * alone[0].spread.p_value.unwrap()).min(1.0),
        1e-12,
        "of the spread",
    );
}

/// Ten scores around `center`, evenly spaced over `2 half`.
fn spaced(center: f64, half: f64) -> Vec<f64> {
    (0..10)
        .map(|at| center + half * (2.0 * f64::from(at) / 9.0 - 1.0))
        .collect()
}

#[test]
fn a_planted_effect_is_on_the_first_screen() {
    let (near, far) = (spaced(0.9, 0.01), spaced(0.7, 0.2));
    let steady = spaced(0.8, 0.03);
    let study = study(&[
        ("maml", "one-shot", &far),
        ("proto", "one-shot", &steady),
        ("maml", "five-shot", &near),
        ("proto", "five-shot", &steady),
    ]);
    let analysis = analysed(&study);
    let said = causes(&study, &analysis);
    // Both lists have the same shape: the ratio of their halves.
    for part in [
        "The setting was varied: one-shot and five-shot.",
        "It moves the spread over seeds of maml: SD x 20 [",
        " with one-shot against five-shot (",
        "It moves the mean of maml from 90.00 % in five-shot to 70.00 % in one-shot, by 20.00 pp [",
        "(20 runs.)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        !said.contains("No setting was varied") && !said.contains("of proto"),
        "{said}"
    );
    let text = markdown(&study, &analysis).replace('\\', "");
    assert!(
        text.contains("| maml | one-shot over five-shot | 20 ["),
        "{text}"
    );
    assert!(
        text.contains("Whether the setting moves the spread over seeds of proto is open: a ratio of SDs of up to "),
        "{text}"
    );
}

#[test]
fn what_is_open_is_said_with_its_reason() {
    let few = study(&[
        ("maml", "a", &[0.9, 0.91, 0.92]),
        ("maml", "b", &[0.90, 0.91, 0.93]),
    ]);
    let said = causes(&few, &analysed(&few));
    assert!(
        said.contains("No learner's spread over seeds is shown to move with the setting: a test needs 5 runs in each setting."),
        "{said}"
    );
    assert!(
        said.contains("No learner's mean is shown to move with the setting."),
        "{said}"
    );
    // Learners that have a setting each tell nothing about settings.
    let apart = study(&[("maml", "a", &FIVE), ("proto", "b", &TWENTY)]);
    let analysis = analysed(&apart);
    assert!(analysis.all.get::<SettingEffects>().is_none());
    let said = causes(&apart, &analysis);
    assert!(
        said.contains("No learner has two tested runs in each of two settings"),
        "{said}"
    );
    // A spread without its failed runs is none.
    let mut failing = study(&[
        ("maml", "a", &spaced(0.9, 0.01)),
        ("maml", "b", &spaced(0.7, 0.2)),
    ]);
    failing.runs[3].outcome = metastable_analysis::Outcome::Diverged {
        step: 1,
        cause: String::from("loss"),
    };
    let analysis = analysed(&failing);
    assert_eq!(
        pairs(&analysis)[0].spread.verdict,
        SpreadVerdict::FailuresDecide
    );
    let said = causes(&failing, &analysis);
    assert!(
        said.contains("runs failed, and the spread of the other runs"),
        "{said}"
    );
}

/// Settings that share their seeds: what the runs of a seed have in common makes claims rarer than the level. Without it, and with a
/// correlation of 0.9, more than 14 of 140 claims at 5 % have a probability of 1 %.
#[test]
fn equal_settings_are_rarely_told_apart() {
    for shared in [0.0_f64, 0.9] {
        let mut draws = rng(2029);
        let mut claims = [0, 0];
        for _ in 0..140 {
            let mut scores = [Vec::new(), Vec::new()];
            for _ in 0..8 {
                let common = shared.sqrt() * normal(&mut draws);
                for of_setting in &mut scores {
                    let own = (1.0 - shared).sqrt() * normal(&mut draws);
                    of_setting.push(0.8 + 0.01 * (common + own));
                }
            }
            let study = study(&[("maml", "a", &scores[0]), ("maml", "b", &scores[1])]);
            let analysis = analysed(&study);
            let told = |start: &str| {
                let mut all = analysis.findings.iter();
                all.any(|it| {
                    it.metric == "setting_effects"
                        && it.certainty == Certainty::Distinguishable
                        && it.text.starts_with(start)
                })
            };
            claims[0] += usize::from(told("The setting moves the spread"));
            claims[1] += usize::from(told("The setting moves the mean"));
        }
        assert!(
            claims.iter().all(|n| *n <= 14),
            "{claims:?} of 140, correlation {shared}"
        );
    }
}
