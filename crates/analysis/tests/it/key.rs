//! The ordered lists of factors, and the sources of chance, on tables whose causes are known.

use std::collections::BTreeMap;

use metastable_analysis::factors::key::{FactorList, KeyFactors, key_factors};
use metastable_analysis::factors::responses::Side;
use metastable_analysis::factors::sources::{Sources, alone_p_value, sources};
use metastable_analysis::factors::table::{Factor, FactorRun, FactorTable, Scale};
use metastable_analysis::{Certainty, Options, Outcome, ScoreScale, Study, analyze, report};

use crate::support::{close, factor_table, normal, rng, run, uniform};

fn options() -> Options {
    Options {
        n_resamples: 500,
        n_profile_resamples: 200,
        n_null_draws: 100,
        n_refits: 30,
        ..Options::default()
    }
}

fn of(found: &KeyFactors, side: Side) -> &FactorList {
    found.lists.iter().find(|list| list.side == side).unwrap()
}

fn settled(list: &FactorList) -> Vec<&str> {
    list.settled().map(|one| one.factor.as_str()).collect()
}

#[test]
fn each_side_has_its_own_factor() {
    let found = key_factors(&factor_table(64, 5, 51), &options()).unwrap();
    assert_eq!((found.n_points, found.n_runs), (64, 320));
    assert!(!found.shared_seeds && found.n_seeds == 320);
    for (side, expected) in [
        (Side::Mean, "inner_lr"),
        (Side::Spread, "norm"),
        (Side::SpreadBeyondMean, "norm"),
        (Side::Failure, "filters"),
    ] {
        let list = of(&found, side);
        assert_eq!(settled(list), [expected], "{side:?} {:#?}", list.tested);
        assert!(list.tested[0].p_value < 0.01, "{:?}", list.tested);
    }
    let ranked = of(&found, Side::Mean).ranked.as_ref().unwrap();
    let leader = &ranked.factors[0];
    assert_eq!(leader.factor, "inner_lr");
    assert!(
        leader.main.value > 0.6 && leader.total.value > 0.6,
        "{leader:?}"
    );
    assert!(
        leader.main.interval.is_none(),
        "a forest shrinks effects: no interval of its shares holds"
    );
    let idle = ranked.factors.iter().find(|f| f.factor == "idle").unwrap();
    assert!(idle.total.value < 0.2, "{idle:?}");
    // Planted: a standard deviation of 0.02 without norm against 0.002 with it.
    for side in [Side::Spread, Side::SpreadBeyondMean] {
        let effect = of(&found, side).tested[0].effect.as_ref().unwrap();
        assert_eq!(
            (effect.from.as_str(), effect.to.as_str()),
            ("batch", "none")
        );
        let limits = effect.value.interval.as_ref().unwrap();
        assert!(limits.contains(10.0) && limits.lower > 6.0, "{effect:?}");
    }
    // Planted: 70 % of the runs fail under 32 filters, 2 % above.
    let effect = of(&found, Side::Failure).tested[0].effect.as_ref().unwrap();
    assert_eq!((effect.from.as_str(), effect.to.as_str()), ("64", "16"));
    assert!(
        effect.value.interval.as_ref().unwrap().lower > 10.0,
        "{effect:?}"
    );
    // 0.95 - 0.2 d^2, d in decades from 0.1: within 0.01 of the best for |d| < 0.22, and steps of a forest are coarse.
    let basin = &leader.basin;
    assert_eq!(basin.unit, "decades");
    assert!((0.2..0.9).contains(&basin.width), "{basin:?}");
    // The marginal of the mean ends far under its best, by 0.2 at both ends of the space.
    let (first, last) = (
        &leader.marginal[0],
        &leader.marginal[leader.marginal.len() - 1],
    );
    for end in [first, last] {
        let interval = end.value.interval.as_ref().unwrap();
        assert!(
            interval.contains(end.value.value) && interval.upper < 0.85,
            "{end:?}"
        );
    }
}

/// On a scale of its own a score has no hundredth that means something: the basin is the same whatever the unit.
#[test]
fn basins_of_other_scores_do_not_depend_on_their_unit() {
    let in_unit = |unit: f64| {
        let mut table = factor_table(64, 5, 51);
        for run in &mut table.runs {
            run.response = run.response.map(|score| score * unit);
        }
        let scale = ScoreScale {
            name: String::from("return"),
            lower_is_better: false,
        };
        key_factors(
            &table,
            &Options {
                scale: Some(scale),
                ..options()
            },
        )
        .unwrap()
    };
    let (small, large) = (in_unit(1.0), in_unit(4096.0));
    close(
        large.basin_margin / small.basin_margin,
        4096.0,
        0.1 * 4096.0,
        "margins",
    );
    let basin = |found: &KeyFactors| {
        let ranked = of(found, Side::Mean).ranked.as_ref().unwrap();
        ranked.factors[0].basin.clone()
    };
    close(basin(&large).width, basin(&small).width, 0.1, "widths");
    assert!(basin(&large).width < 2.0, "{:?}", basin(&large));
}

#[test]
fn sentences_say_what_moves_which_way_and_what_is_refused() {
    let mut table = factor_table(64, 5, 51);
    for run in &mut table.runs {
        run.failed = false;
    }
    let study = Study {
        name: "factors".to_owned(),
        command: "none".to_owned(),
        runs: Vec::new(),
        factors: Some(table),
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
    };
    let result = analyze(&study, &options()).unwrap();
    let texts: Vec<&str> = result.findings.iter().map(|f| f.text.as_str()).collect();
    for (start, parts) in [
        (
            "inner_lr (",
            [
                "moves the mean of accuracy",
                "of the variance over the space",
            ],
        ),
        (
            "norm (SD x ",
            [
                "with norm = none against batch",
                "moves the spread over seeds of accuracy;",
            ],
        ),
        (
            "norm (SD x ",
            [
                "beyond what goes with its mean",
                "permutation over 64 points",
            ],
        ),
        (
            "There is no list of factors for the failure rate",
            ["none of the 320 runs failed", "(a rate of 0 to 1 %"],
        ),
    ] {
        assert!(
            texts
                .iter()
                .any(|t| t.starts_with(start) && parts.iter().all(|part| t.contains(part))),
            "{start} {parts:?} in {texts:#?}"
        );
    }
}

/// Responses of pure noise: the forest is refused, and the sentence names no factor.
#[test]
fn noise_has_no_key_factor() {
    let mut table = factor_table(64, 1, 52);
    let mut draws = rng(53);
    for run in &mut table.runs {
        run.response = Some(normal(&mut draws));
        run.failed = false;
    }
    let study = Study {
        factors: Some(table),
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
        ..Study::default()
    };
    let result = analyze(&study, &options()).unwrap();
    let found = result.all.get::<KeyFactors>().unwrap();
    let why = of(&found, Side::Mean).why_no_shares.as_ref().unwrap();
    assert!(why.contains("at least 0.5 is needed"), "{why}");
    let mean = result
        .findings
        .iter()
        .find(|f| f.text.contains("the mean of accuracy"))
        .unwrap();
    assert_eq!(
        mean.certainty,
        Certainty::NotDistinguishable,
        "{}",
        mean.text
    );
    for factor in &found.factors {
        assert!(!mean.text.contains(factor.as_str()), "{}", mean.text);
    }
}

/// One run a point and no noise: a steep curve. A spread over seeds was never seen, so no factor may be said to move it, and
/// the sentence names what is missing and the setting that brings it.
#[test]
fn no_list_for_the_spread_without_two_seeds_at_a_point() {
    let mut table = factor_table(64, 1, 54);
    for run in &mut table.runs {
        run.response = Some(((run.levels[0].log10() + 2.0) / 2.0).powi(6));
        run.failed = false;
    }
    let study = Study {
        factors: Some(table),
        ..Study::default()
    };
    let result = analyze(&study, &options()).unwrap();
    let found = result.all.get::<KeyFactors>().unwrap();
    assert_eq!(settled(of(&found, Side::Mean)), ["inner_lr"]);
    for side in [Side::Spread, Side::SpreadBeyondMean] {
        let list = of(&found, side);
        assert!(list.tested.is_empty(), "{list:?}");
        let why = list.why_none.as_ref().unwrap();
        for part in ["0 of 64 points", "`seeds = 2`", "a second row"] {
            assert!(why.contains(part), "{why}");
        }
    }
    let moved = |f: &metastable_analysis::Finding| f.text.contains("moves the spread");
    assert!(!result.findings.iter().any(moved), "{:?}", result.findings);
}

fn streams_table(rows: Vec<([usize; 3], f64)>) -> FactorTable {
    FactorTable {
        response: "accuracy".to_owned(),
        factors: Vec::new(),
        streams: ["split", "init", "order"].map(str::to_owned).to_vec(),
        runs: rows
            .into_iter()
            .enumerate()
            .map(|(at, (streams, value))| FactorRun {
                id: format!("r{at}"),
                levels: Vec::new(),
                streams: streams.map(|s| s.to_string()).to_vec(),
                response: Some(value),
                failed: false,
                scores: Vec::new(),
                fingerprint: BTreeMap::new(),
            })
            .collect(),
        queries: None,
        bounds: None,
        may_vary: Vec::new(),
    }
}

#[test]
fn one_source_at_a_time_by_hand() {
    // A base run, three splits more, two initializations more, and one run in which all differ.
    let rows = vec![
        ([0, 0, 0], 0.90),
        ([1, 0, 0], 0.80),
        ([2, 0, 0], 0.85),
        ([3, 0, 0], 0.95),
        ([0, 1, 0], 0.91),
        ([0, 2, 0], 0.92),
        ([4, 3, 1], 0.70),
    ];
    let found = sources(&streams_table(rows), &options()).unwrap();
    let names: Vec<&str> = found.alone.iter().map(|s| s.source.as_str()).collect();
    assert_eq!(names, ["split", "init"], "the order was never varied alone");
    // Sample SD of 0.90 0.80 0.85 0.95 is sqrt(0.0125 / 3).
    close(
        found.alone[0].sd.value,
        (0.0125_f64 / 3.0).sqrt(),
        1e-12,
        "split",
    );
    close(found.alone[1].sd.value, 0.01, 1e-9, "init");
    assert_eq!((found.alone[0].n_runs, found.alone[1].n_runs), (4, 3));
    close(
        found.joint.unwrap().sd.value,
        0.2 / 2.0_f64.sqrt(),
        1e-12,
        "joint",
    );
}

/// Two sources, each varied alone in ten runs, with these standard deviations; heavy tails.
fn two_sources(sds: [f64; 2], key: u64) -> FactorTable {
    let draws = &mut rng(key);
    let mut rows = Vec::new();
    for at in 0..10 {
        for (source, sd) in sds.iter().enumerate() {
            let heavy = normal(draws) / uniform(draws).max(0.05).sqrt();
            let streams = [[at + 1, 0, 0], [0, at + 1, 0]][source];
            rows.push((streams, 0.8 + sd * heavy));
        }
    }
    streams_table(rows)
}

#[test]
fn sources_are_ranked_by_a_test_and_not_by_their_intervals() {
    let p = |sds: [f64; 2], key: u64| {
        let found = sources(&two_sources(sds, key), &options()).unwrap();
        found.alone_p_value.unwrap()
    };
    let claims = (0..200).filter(|key| p([0.01; 2], *key) <= 0.05).count();
    // 5 % of 200, and two standard errors.
    assert!(claims <= 16, "{claims} of 200 claims where nothing differs");
    assert!(p([0.1, 0.01], 1) <= 0.01);
    let told = |sds: [f64; 2], key: u64| {
        let study = Study {
            factors: Some(two_sources(sds, key)),
            ..Study::default()
        };
        let result = analyze(&study, &options()).unwrap();
        let mut findings = result.findings.into_iter();
        let it = findings.find(|it| it.text.starts_with("Of the sources varied alone"));
        it.map(|it| (it.certainty, it.text)).unwrap()
    };
    let (certainty, text) = told([0.1, 0.01], 1);
    assert_eq!(certainty, Certainty::Distinguishable);
    assert!(
        text.contains("split gives accuracy the largest spread and init the smallest (p")
            && text.contains("10 runs"),
        "{text}"
    );
    let key = (0..9).find(|key| p([0.01; 2], *key) > 0.5).unwrap();
    let (certainty, text) = told([0.01; 2], key);
    assert_eq!(certainty, Certainty::NotDistinguishable);
    assert!(
        text.contains("none is shown to give accuracy a larger spread"),
        "{text}"
    );
}

/// Of five runs each of two sources four distances count, and of C(8, 4) = 70 ways to exchange them the two most extreme ones have a probability of
/// 2.9 %, over the level at which sources are ranked. Of six runs each there are C(12, 6) = 924.
#[test]
fn two_sources_are_compared_from_six_runs_on() {
    let source = |n: usize, sd: f64| vec![(0..n).map(|at| sd * (at as f64 - 2.2)).collect()];
    assert_eq!(alone_p_value(&[source(5, 100.0), source(5, 1.0)], 0), None);
    let p = alone_p_value(&[source(6, 100.0), source(6, 1.0)], 0).unwrap();
    assert!(p <= 0.025, "{p}");
    // Three sources have ways enough.
    assert!(alone_p_value(&[source(5, 1.0), source(5, 1.0), source(5, 1.0)], 0).is_some());
}

#[test]
fn a_crossed_plan_has_components() {
    let mut draws = rng(54);
    let split: Vec<f64> = (0..3).map(|_| 0.05 * normal(&mut draws)).collect();
    let mut rows = Vec::new();
    for (s, effect) in split.iter().enumerate() {
        for i in 0..3 {
            for o in 0..3 {
                rows.push(([s, i, o], 0.8 + effect + 0.005 * normal(&mut draws)));
            }
        }
    }
    let study = Study {
        factors: Some(streams_table(rows)),
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
        ..Study::default()
    };
    let result = analyze(&study, &options()).unwrap();
    let found = result.all.get::<Sources>().unwrap();
    let components = found.components.unwrap();
    assert_eq!(components.sources[0].source, "split");
    assert!(components.sources[0].share.value > 0.8, "{components:?}");
    let sentence = result
        .findings
        .iter()
        .find(|f| f.text.starts_with("With all sources drawn anew"))
        .unwrap();
    assert!(sentence.text.contains("split 9"), "{}", sentence.text);
    assert!(
        result.all.get::<KeyFactors>().is_none(),
        "no factors, no lists"
    );
}

/// A step of `inner_lr` moves the mean, no run fails; init is varied alone and with split.
fn small_factor_study() -> FactorTable {
    let row = |at: usize| {
        let (split, init) = (at / 40 % 2, at % 2);
        let inner_lr = [0.01, 0.03, 0.1, 0.3][at / 2 % 4];
        FactorRun {
            id: format!("r{at}"),
            levels: vec![inner_lr, (at / 8 % 5) as f64],
            streams: vec![split.to_string(), init.to_string()],
            response: Some(
                0.6 + if inner_lr > 0.05 { 0.3 } else { 0.0 } + 0.002 * ((at * 7 % 11) as f64),
            ),
            failed: false,
            scores: Vec::new(),
            fingerprint: BTreeMap::new(),
        }
    };
    FactorTable {
        response: "accuracy".into(),
        factors: vec![
            Factor {
                name: "inner_lr".into(),
                scale: Scale::Logarithmic {
                    low: 0.01,
                    high: 0.3,
                },
            },
            Factor {
                name: "norm <b>".into(),
                scale: Scale::Categories(["a", "b", "c", "d", "e"].map(str::to_owned).to_vec()),
            },
        ],
        streams: vec!["split".into(), "init".into()],
        runs: (0..80).map(row).collect(),
        queries: None,
        bounds: None,
        may_vary: Vec::new(),
    }
}

/// No element lost, no mark outside the numbers.
fn well_formed(page: &str) {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    roxmltree::Document::parse_with_options(page, options).unwrap();
    assert!(!page.contains("NaN"));
}

#[test]
fn key_factors_have_a_chapter() {
    let alone = Study {
        factors: Some(small_factor_study()),
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
        ..Study::default()
    };
    let analysis = analyze(&alone, &options()).unwrap();
    let page = report::html(&alone, &analysis);
    well_formed(&page);
    for words in [
        "A study of factors: 80 runs, varying inner_lr, norm &lt;b&gt;, split and init.",
        "inner_lr moves the mean",
        "none of the 80 runs failed",
        "id=\"factor-lists\"",
        "id=\"marginals\"",
        "id=\"sources-alone\"",
        "Basins: range of each setting",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(
        !page.contains("id=\"outcome\""),
        "no runs, no chapters on runs"
    );
    let both = Study {
        factors: Some(small_factor_study()),
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
        ..Study {
            name: "both".to_owned(),
            runs: vec![run("maml", "toy", 0, 0.9), run("maml", "toy", 1, 0.92)],
            ..Study::default()
        }
    };
    let page = report::html(&both, &analyze(&both, &options()).unwrap());
    well_formed(&page);
    assert!(page.contains("id=\"factors\"") && page.contains("id=\"outcome\""));
}

/// A run that never left guessing has an accuracy, and has failed all the same: else no study of factors sees what makes
/// learning fail short of NaN.
#[test]
fn a_run_that_stays_at_chance_is_a_failure_of_its_factors() {
    let row = |accuracy: f64, seed: u64| {
        let run = run("maml", "setting", seed, accuracy);
        FactorRun::of(&run, Vec::new(), Vec::new(), &options())
    };
    for (accuracy, failed) in [(0.2, true), (0.22, true), (0.35, false), (0.9, false)] {
        let row = row(accuracy, 3);
        assert_eq!(row.failed, failed, "{accuracy}");
        assert!(row.response.is_some());
    }
    let mut diverged = run("maml", "setting", 1, 0.9);
    diverged.outcome = Outcome::Diverged {
        step: 7,
        cause: "loss is NaN".to_owned(),
    };
    diverged.test = None;
    let row = FactorRun::of(&diverged, Vec::new(), Vec::new(), &options());
    assert!(row.failed && row.response.is_none());
}
