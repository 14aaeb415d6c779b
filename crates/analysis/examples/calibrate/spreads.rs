//! Ratios of spreads between learners: coverage, false claims, power.

use std::fmt::Write as _;

use metastable_analysis::planner::power_of_ratio;
use metastable_analysis::steadiness::{Scatter, spread_ratio};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::noise::{Law, generator};
use crate::share;

/// Noise of the test as a share of the variance of seeds of the first learner.
const NOISE: f64 = 0.1;

fn runs(n: usize, sd: f64, law: Law, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..n)
        .map(|_| sd * law.draw(rng) + NOISE.sqrt() * Law::Normal.draw(rng))
        .collect()
}

/// The ratio of the standard deviations of run means, the noise of the test included.
fn with_noise(ratio: f64) -> f64 {
    ((ratio * ratio + NOISE) / (1.0 + NOISE)).sqrt()
}

pub(crate) fn write(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(
        out,
        "| runs of each | seeds | ratio covered, % (nominal 95) | false claim at ratio 1, % | claim at 1.5, % | at 2, % | at 4, % | planned, % |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for n in [3, 5, 10, 20] {
        for law in Law::ALL {
            let count = |ratio: f64| {
                let each = |at: u64| {
                    let mut rng = generator(seed, at);
                    let (a, b) = (runs(n, 1.0, law, &mut rng), runs(n, ratio, law, &mut rng));
                    let of = |runs| Scatter { runs, noise: NOISE };
                    match spread_ratio(of(&a), of(&b), 0.95, at) {
                        None => [0, 1],
                        Some((found, p)) => {
                            let truth = 1.0 / ratio;
                            let holds = found.interval.as_ref().is_some_and(|i| i.contains(truth));
                            [u64::from(p.is_some_and(|p| p <= 0.05)), u64::from(holds)]
                        }
                    }
                };
                (0..repetitions)
                    .into_par_iter()
                    .map(each)
                    .reduce(|| [0, 0], |x, y| [x[0] + y[0], x[1] + y[1]])
            };
            let found = [1.0, 1.5, 2.0, 4.0].map(count);
            // What the planner expects of normal seeds.
            let planned = [1.5, 2.0, 4.0].map(|ratio| {
                let power = power_of_ratio(with_noise(ratio), n, 3.0, 0.95);
                format!("{:.0}", 100.0 * power)
            });
            let claims = found.map(|it| share(it[0], repetitions));
            let _ = writeln!(
                out,
                "| {n} | {} | {} | {} | {} | {} | {} | {} |",
                law.name(),
                share(found[2][1], repetitions),
                claims[0],
                claims[1],
                claims[2],
                claims[3],
                if law == Law::Normal {
                    planned.join(", ")
                } else {
                    String::new()
                }
            );
        }
    }
}
