//! Draws and comparisons that the tests share.

use std::collections::BTreeMap;

use metastable_analysis::distribution::normal_quantile;
use metastable_analysis::factors::sobol::quasi_random;
use metastable_analysis::factors::table::{Factor, FactorRun, FactorTable, Scale};
use metastable_analysis::{Outcome, Progress, Run, Test};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A generator of its own for each test.
pub(crate) fn rng(key: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(key)
}

/// Uniform on (0, 1), both ends excluded.
pub(crate) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    ((rng.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// Standard normal, by inversion.
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    normal_quantile(uniform(rng))
}

/// Asserts equality up to `tolerance`, relative above 1.
#[track_caller]
pub(crate) fn close(got: f64, expected: f64, tolerance: f64, what: &str) {
    let scale = expected.abs().max(1.0);
    assert!(
        (got - expected).abs() <= tolerance * scale,
        "{what}: got {got}, expected {expected}"
    );
}

/// A run whose queries are right with probability `accuracy`, on 40 tasks, 5-way, 15 queries.
pub(crate) fn run(learner: &str, setting: &str, seed: u64, accuracy: f64) -> Run {
    let (n_tasks, n_way, n_query) = (40, 5, 15);
    let mut draws = rng(seed + 1000 * learner.len() as u64);
    let predictions = (0..n_tasks * n_way * n_query)
        .map(|at| {
            let label = (at % (n_way * n_query)) / n_query;
            let right = uniform(&mut draws) < accuracy;
            (if right { label } else { (label + 1) % n_way }) as u8
        })
        .collect();
    let validation = |step: usize| 0.2 + (accuracy - 0.2) * (step as f64 / 100.0).min(1.0);
    let history = (1..=20).map(|check| Progress {
        step: 10 * check,
        train_loss: 1.0,
        train_accuracy: accuracy,
        validation_accuracy: Some(validation(10 * check)),
    });
    Run {
        id: format!("{setting}-{learner}-{seed}").replace(' ', "_"),
        learner: learner.to_owned(),
        setting: setting.to_owned(),
        seed,
        outcome: Outcome::Completed,
        history: history.collect(),
        train_seconds: 1.0,
        test: Some(Test {
            n_tasks,
            n_way,
            n_query,
            predictions,
            task_nll: (0..n_tasks)
                .map(|task| 0.3 + 0.01 * task as f64 + 0.02 * uniform(&mut draws))
                .collect(),
            query_log_odds: None,
            classes: None,
        }),
        scores: None,
        adaptation: None,
        training: None,
        selection: None,
        fingerprint: [
            ("seed", seed.to_string()),
            ("seed.task", seed.to_string()),
            ("inner_lr", "0.4".to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect(),
    }
}

/// A factor study with a different cause for each side: the inner step size moves the mean (best at 0.1), the norm the
/// spread over seeds, the number of filters the failures; `idle` moves nothing.
pub(crate) fn factor_table(n_points: usize, n_seeds: usize, key: u64) -> FactorTable {
    let factor = |name: &str, scale| Factor {
        name: name.to_owned(),
        scale,
    };
    let factors = vec![
        factor(
            "inner_lr",
            Scale::Logarithmic {
                low: 0.01,
                high: 1.0,
            },
        ),
        factor(
            "norm",
            Scale::Categories(["batch", "none"].map(str::to_owned).to_vec()),
        ),
        factor(
            "filters",
            Scale::Linear {
                low: 16.0,
                high: 64.0,
            },
        ),
        factor(
            "idle",
            Scale::Linear {
                low: 0.0,
                high: 1.0,
            },
        ),
    ];
    let mut draws = rng(key);
    let mut runs = Vec::new();
    for (point, unit) in quasi_random(n_points, factors.len(), key)
        .unwrap()
        .iter()
        .enumerate()
    {
        let levels: Vec<f64> = factors
            .iter()
            .zip(unit)
            .map(|(f, u)| f.scale.from_unit(*u))
            .collect();
        let sd = if levels[1] > 0.5 { 0.02 } else { 0.002 };
        let center = 0.95 - 0.2 * (levels[0].log10() + 1.0).powi(2);
        for seed in 0..n_seeds {
            let noise = sd * normal(&mut draws);
            let failed = uniform(&mut draws) < if levels[2] < 32.0 { 0.7 } else { 0.02 };
            runs.push(FactorRun {
                id: format!("p{point}-s{seed}"),
                levels: levels.clone(),
                // Fresh seeds at each point.
                streams: vec![format!("{point}.{seed}")],
                response: Some(center + noise),
                failed,
                scores: Vec::new(),
                fingerprint: BTreeMap::new(),
            });
        }
    }
    FactorTable {
        response: "accuracy".to_owned(),
        factors,
        streams: vec!["seed".to_owned()],
        runs,
        queries: None,
        bounds: None,
        may_vary: Vec::new(),
    }
}
