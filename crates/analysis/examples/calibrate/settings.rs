//! Spreads of learners over several settings, and of sources of chance: false claims and power.

use std::fmt::Write as _;

use metastable_analysis::distribution::{chi_square_quantile, fisher_tail};
use metastable_analysis::factors::sources::alone_p_value;
use metastable_analysis::moderation::Prior;
use metastable_analysis::over_settings::LogRatios;
use metastable_analysis::steadiness::Scatter;
use metastable_analysis::summary::variance;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::noise::{Law, generator, normal};
use crate::share;

/// Noise of the test as a share of the variance of seeds.
const NOISE: f64 = 0.1;
/// Standard deviation of what a setting adds to the logarithm of all learners' standard deviations.
const SETTINGS: f64 = 0.5;

/// Runs of `n_learners` in each of `n_settings` settings; the first learner scatters `ratio` times as much.
fn table(
    [n_learners, n_settings, n_runs]: [usize; 3],
    law: impl Fn(usize) -> Law,
    ratio: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<Vec<Vec<f64>>> {
    let scales: Vec<f64> = (0..n_settings)
        .map(|_| (SETTINGS * normal(rng)).exp())
        .collect();
    (0..n_learners)
        .map(|learner| {
            let own = if learner == 0 { ratio } else { 1.0 };
            scales
                .iter()
                .map(|scale| {
                    (0..n_runs)
                        .map(|_| {
                            scale * (own * law(learner).draw(rng) + NOISE.sqrt() * normal(rng))
                        })
                        .collect()
                })
                .collect()
        })
        .collect()
}

/// Claims, after Holm, on any pair, and how often the first pair is told apart on its own: unmoderated and moderated t over settings; and, in
/// the first setting alone, of the first pair, by the F test of variances that are moderated with a prior of each learner.
fn claims(runs: &[Vec<Vec<f64>>]) -> [bool; 5] {
    let n = runs.len();
    let scatter = |of: usize, at: usize| Scatter {
        runs: &runs[of][at],
        noise: 0.0,
    };
    let mut pairs = Vec::new();
    for (a, settings) in runs.iter().enumerate() {
        for b in a + 1..n {
            let shared: Vec<[Scatter<'_>; 2]> = (0..settings.len())
                .map(|at| [scatter(a, at), scatter(b, at)])
                .collect();
            pairs.extend(LogRatios::new(&shared));
        }
    }
    let variances: Vec<(f64, f64)> = pairs.iter().map(LogRatios::variance).collect();
    let prior = if n > 2 { Prior::fit(&variances) } else { None };
    let p = |prior: Option<Prior>| -> Vec<f64> {
        let of = |pair: &LogRatios<'_>| {
            let most = pair.variance().1 * (n - 1) as f64;
            pair.ratio(prior.map(|it| (it, most)), 0.95).2
        };
        pairs.iter().map(of).collect()
    };
    // Holm claims something exactly if the least p-value is under the level over the number of pairs.
    let any = |p: &[f64]| p.iter().copied().fold(1.0, f64::min) * p.len() as f64 <= 0.05;
    let (plain, moderated) = (p(None), p(prior));
    let of_learner = |of: usize| {
        let own: Vec<(f64, f64)> = runs[of]
            .iter()
            .map(|it| (variance(it), (it.len() - 1) as f64))
            .collect();
        Prior::fit(&own).map(|prior| prior.moderate(own[0].0, own[0].1))
    };
    let limma = of_learner(0).zip(of_learner(1)).is_some_and(|(a, b)| {
        let (df_a, df_b) = (a.1.min(1e4), b.1.min(1e4));
        let (above, below) = (
            fisher_tail(a.0 / b.0, df_a, df_b),
            fisher_tail(b.0 / a.0, df_b, df_a),
        );
        2.0 * above.min(below) <= 0.05
    });
    [
        any(&plain),
        plain[0] <= 0.05,
        any(&moderated),
        moderated[0] <= 0.05,
        limma,
    ]
}

fn counted<const N: usize>(
    repetitions: u64,
    seed: u64,
    one: impl Fn(&mut ChaCha8Rng) -> [bool; N] + Sync,
) -> [u64; N] {
    (0..repetitions)
        .into_par_iter()
        .map(|at| one(&mut generator(seed + 57, at)).map(u64::from))
        .reduce(
            || [0; N],
            |mut a, b| {
                for (sum, it) in a.iter_mut().zip(b) {
                    *sum += it;
                }
                a
            },
        )
}

pub(crate) fn write(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(
        out,
        "| learners x settings x runs | seeds | false claim on any pair (Holm): t, % | moderated t | one learner x 2, a pair of it alone: t, % | moderated t | variances of one setting moderated by learner, F test: false, % | at x 2 |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    let mut rows: Vec<([usize; 3], Option<Law>)> = Vec::new();
    for n_learners in [2, 4] {
        for n_settings in [3, 6] {
            for n_runs in [3, 5, 10] {
                for law in Law::ALL {
                    rows.push(([n_learners, n_settings, n_runs], Some(law)));
                }
                rows.push(([n_learners, n_settings, n_runs], None));
            }
        }
    }
    for (sizes, law) in rows {
        let of = |learner: usize| law.unwrap_or([Law::Normal, Law::HeavyTailed][learner % 2]);
        let null = counted(repetitions, seed, |rng| claims(&table(sizes, of, 1.0, rng)));
        let twice = counted(repetitions, seed, |rng| claims(&table(sizes, of, 2.0, rng)));
        let share = |k: u64| share(k, repetitions);
        let _ = writeln!(
            out,
            "| {} x {} x {} | {} | {} | {} | {} | {} | {} | {} |",
            sizes[0],
            sizes[1],
            sizes[2],
            law.map_or("normal and t3 by turns", Law::name),
            share(null[0]),
            share(null[2]),
            share(twice[1]),
            share(twice[3]),
            share(null[4]),
            share(twice[4]),
        );
    }
}

/// Sources that scatter alike, `n_groups` groups of `n_runs` runs each, and one that scatters more.
pub(crate) fn write_sources(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(
        out,
        "| sources x groups x runs | seeds | false claim, % | the interval rule of before, % | one source x 2, % | x 4, % |\n\
         | --- | --- | --- | --- | --- | --- |"
    );
    for (n_sources, n_groups, n_runs) in [
        (2, 1, 5),
        (2, 1, 10),
        (4, 1, 10),
        (2, 4, 4),
        (4, 4, 4),
        (4, 1, 20),
    ] {
        for law in Law::ALL {
            let one = |ratio: f64, rng: &mut ChaCha8Rng| {
                let sources: Vec<Vec<Vec<f64>>> = (0..n_sources)
                    .map(|source| {
                        let scale = if source == 0 { ratio } else { 1.0 };
                        (0..n_groups)
                            .map(|_| (0..n_runs).map(|_| scale * law.draw(rng)).collect())
                            .collect()
                    })
                    .collect();
                let told = alone_p_value(&sources, seed).is_some_and(|p| p <= 0.025);
                [told, meets_not(&sources)]
            };
            let null = counted(repetitions, seed, |rng| one(1.0, rng));
            let power = [2.0, 4.0].map(|ratio| counted(repetitions, seed, |rng| one(ratio, rng)));
            let share = |k: u64| share(k, repetitions);
            let _ = writeln!(
                out,
                "| {n_sources} x {n_groups} x {n_runs} | {} | {} | {} | {} | {} |",
                law.name(),
                share(null[0]),
                share(null[1]),
                share(power[0][0]),
                share(power[1][0]),
            );
        }
    }
}

/// The rule that was used before: the chi-square intervals of the widest and the narrowest source do not meet.
fn meets_not(sources: &[Vec<Vec<f64>>]) -> bool {
    let mut limits: Vec<[f64; 3]> = sources
        .iter()
        .map(|groups| {
            let df: f64 = groups.iter().map(|it| it.len() as f64 - 1.0).sum();
            let sum: f64 = groups
                .iter()
                .map(|it| (it.len() as f64 - 1.0) * variance(it))
                .sum();
            [
                sum / df,
                sum / chi_square_quantile(0.975, df),
                sum / chi_square_quantile(0.025, df),
            ]
        })
        .collect();
    limits.sort_by(|a, b| a[0].total_cmp(&b[0]));
    limits[limits.len() - 1][1] > limits[0][2]
}
