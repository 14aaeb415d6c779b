//! How often the statements of a report are wrong, and how often they find what is there, on simulated studies.
//!
//! `cargo run --release -p metastable-analysis --example calibrate -- [REPETITIONS] [SEED]` prints `docs/calibration.md`; a third word (intervals,
//! spreads, settings, sources, reports, verdicts, factors, reproductions) prints that section alone.

#![allow(clippy::print_stdout, reason = "an example speaks")]

mod factors;
mod intervals;
mod noise;
mod reports;
mod reproductions;
mod settings;
mod spreads;

/// Writes one section: its heading, how many repetitions of those asked it makes, and what writes it.
type Section = (&'static str, &'static str, u64, fn(&mut String, u64, u64));

/// Sections by the word that asks for one alone. What is cheap to simulate is repeated more often.
const SECTIONS: [Section; 8] = [
    (
        "intervals",
        "Intervals: how often they hold",
        5,
        intervals::write,
    ),
    (
        "spreads",
        "Which of two learners is steadier",
        10,
        spreads::write,
    ),
    (
        "settings",
        "Which of several learners is steadier, over settings",
        10,
        settings::write,
    ),
    (
        "sources",
        "Which of several sources of chance, varied alone, moves the result most",
        10,
        settings::write_sources,
    ),
    (
        "reports",
        "Reports in which nothing differs",
        1,
        reports::write,
    ),
    (
        "verdicts",
        "Is it stable enough: verdicts",
        1,
        reports::write_verdicts,
    ),
    (
        "factors",
        "Which factors move the spread",
        1,
        factors::write,
    ),
    (
        "reproductions",
        "Is a published mean reproduced",
        1,
        reproductions::write,
    ),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| {
        let given = arguments.next().and_then(|it| it.parse::<u64>().ok());
        given.unwrap_or(default)
    };
    let (repetitions, seed) = (number(300), number(1));
    let only = arguments.next();
    let mut out = match only {
        None => String::from(include_str!("head.md")),
        Some(_) => String::new(),
    };
    for (name, heading, times, write) in SECTIONS {
        if only.as_deref().is_none_or(|it| it == name) {
            out += &format!("\n## {heading}\n\n");
            write(&mut out, times * repetitions, seed);
        }
    }
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
