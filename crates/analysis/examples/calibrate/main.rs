//! How often the statements of a report are wrong, and how often they find what is there, on simulated studies.
//!
//! `cargo run --release -p metastable-analysis --example calibrate -- [REPETITIONS] [SEED]` prints `docs/calibration.md`.

#![allow(clippy::print_stdout, reason = "an example speaks")]

mod factors;
mod noise;
mod reports;
mod spreads;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|it| it.parse::<u64>());
    let repetitions = arguments.next().and_then(Result::ok).unwrap_or(300);
    let seed = arguments.next().and_then(Result::ok).unwrap_or(1);
    let mut out = String::from(include_str!("head.md"));
    // Cheap to simulate, so more of them.
    out += "\n## Which of two learners is steadier\n\n";
    spreads::write(&mut out, 10 * repetitions, seed);
    out += "\n## Reports in which nothing differs\n\n";
    reports::write(&mut out, repetitions, seed);
    out += "\n## Which factors move the spread\n\n";
    factors::write(&mut out, repetitions, seed);
    print!("{out}");
}

/// A share in percent with its Monte Carlo error.
fn share(k: u64, n: u64) -> String {
    let p = k as f64 / n as f64;
    format!(
        "{:.1} ± {:.1}",
        100.0 * p,
        100.0 * (p * (1.0 - p) / n as f64).sqrt()
    )
}
