//! How often the statements of a report are wrong, and how often they find what is there, on simulated studies.
//!
//! `cargo run --release -p metastable-analysis --example calibrate -- [REPETITIONS] [SEED]` prints `docs/calibration.md`.

mod factors;
mod noise;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|it| it.parse::<u64>());
    let repetitions = arguments.next().and_then(Result::ok).unwrap_or(300);
    let seed = arguments.next().and_then(Result::ok).unwrap_or(1);
    let mut out = String::new();
    factors::write(&mut out, repetitions, seed);
    print!("{out}");
}
