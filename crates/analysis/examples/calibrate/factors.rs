//! Lists of factors: false claims where nothing moves the spread, and power for a ratio of two.

use std::fmt::Write as _;

use metastable_analysis::Options;
use metastable_analysis::factors::key::tested_lists;
use metastable_analysis::factors::responses::Side;
use metastable_analysis::factors::sobol::quasi_random;
use metastable_analysis::factors::table::{Factor, FactorRun, FactorTable, Scale};
use rayon::prelude::*;

use crate::noise::{Law, generator, normal};
use crate::share;

/// What is planted in a table.
#[derive(Clone, Copy)]
struct Plan {
    points: usize,
    seeds: usize,
    /// Whether factor 1 moves the mean.
    moves_mean: bool,
    /// The factor that moves the spread by two from end to end.
    planted: Option<usize>,
    law: Law,
    /// Share of the seeds' variance that is smooth in factor 2, the seeds being the same at all points; none: fresh seeds.
    shared: Option<f64>,
}

/// Spread of the seeds on the logit scale.
const SD: f64 = 0.25;
/// Test tasks, and the standard deviation of the rest of the crossed table.
const TASKS: usize = 20;

fn table(plan: Plan, repetition: u64) -> FactorTable {
    let names = ["lr", "width", "steps", "decay", "shape", "norm"];
    let factors: Vec<Factor> = names
        .iter()
        .enumerate()
        .map(|(at, name)| Factor {
            name: (*name).to_owned(),
            scale: match at {
                4 => Scale::Categories(["a", "b", "c", "d"].map(str::to_owned).to_vec()),
                5 => Scale::Categories(["off", "on"].map(str::to_owned).to_vec()),
                _ => Scale::Linear {
                    low: 0.0,
                    high: 1.0,
                },
            },
        })
        .collect();
    let mut rng = generator(17, repetition);
    let difficulty: Vec<f64> = (0..TASKS).map(|_| 0.05 * normal(&mut rng)).collect();
    // What the shared seeds do: a level and a slope along factor 2 each.
    let seeds: Vec<[f64; 2]> = (0..plan.seeds)
        .map(|_| [plan.law.draw(&mut rng), plan.law.draw(&mut rng)])
        .collect();
    let units = quasi_random(plan.points, factors.len(), repetition).unwrap_or_default();
    let mut runs = Vec::new();
    for (point, unit) in units.iter().enumerate() {
        let levels: Vec<f64> = factors
            .iter()
            .zip(unit)
            .map(|(f, u)| f.scale.from_unit(*u))
            .collect();
        let mean = 2.0
            + if plan.moves_mean {
                2.4 * (unit[1] - 0.5)
            } else {
                0.0
            };
        let log_sd = SD.ln()
            + match plan.planted {
                Some(5) => 2.0_f64.ln() * (levels[5] - 0.5),
                Some(at) => 2.0_f64.ln() * (unit[at] - 0.5),
                None => 0.0,
            };
        for (seed, [base, slope]) in seeds.iter().enumerate() {
            let z = match plan.shared {
                None => plan.law.draw(&mut rng),
                Some(smooth) => {
                    // Level and slope share the smooth part's variance over the range of the factor.
                    let line = (base + slope * 12.0_f64.sqrt() * (unit[2] - 0.5)) / 2.0_f64.sqrt();
                    smooth.sqrt() * line + (1.0 - smooth).sqrt() * plan.law.draw(&mut rng)
                }
            };
            let accuracy = 1.0 / (1.0 + (-(mean + log_sd.exp() * z)).exp());
            // A run's mean over tasks has a noise of sqrt(0.06 / 300), as the note of the laboratory has it.
            let task_sd = (0.06 / 300.0 * TASKS as f64).sqrt();
            let scores: Vec<f64> = difficulty
                .iter()
                .map(|task| accuracy + task + task_sd * normal(&mut rng))
                .collect();
            let stream = match plan.shared {
                Some(_) => seed.to_string(),
                None => format!("{point}.{seed}"),
            };
            runs.push(FactorRun {
                id: format!("p{point}s{seed}"),
                levels: levels.clone(),
                streams: vec![stream],
                response: Some(scores.iter().sum::<f64>() / TASKS as f64),
                failed: false,
                scores,
                fingerprint: Default::default(),
            });
        }
    }
    FactorTable {
        response: "accuracy".to_owned(),
        factors,
        streams: vec!["seed".to_owned()],
        runs,
        queries: None,
        bounds: Some([0.0, 1.0]),
        may_vary: Vec::new(),
    }
}

/// Of the tables, how many have a list with any claim, with the planted factor, with another one; whether the interval of the
/// planted (or of factor 0's) ratio holds the truth.
#[derive(Clone, Copy, Default)]
struct Count {
    any: usize,
    right: usize,
    wrong: usize,
    covered: usize,
    mean_wrong: usize,
}

fn count(plan: Plan, repetitions: u64, seed: u64, side: Side) -> Count {
    let options = Options {
        n_profile_resamples: 399,
        ..Options::default()
    };
    let each = |repetition: u64| {
        let table = table(plan, seed * 1_000_000 + repetition);
        let Ok(lists) = tested_lists(&table, &options) else {
            return Count::default();
        };
        let mut found = Count::default();
        for list in &lists {
            let settled: Vec<&str> = list.settled().map(|one| one.factor.as_str()).collect();
            if list.side == Side::Mean {
                found.mean_wrong =
                    usize::from(settled.iter().any(|it| *it != "width" || !plan.moves_mean));
            }
            if list.side != side {
                continue;
            }
            let name = plan.planted.map(|at| table.factors[at].name.as_str());
            found.any = usize::from(!settled.is_empty());
            found.right = usize::from(settled.iter().any(|it| Some(*it) == name));
            found.wrong = usize::from(settled.iter().any(|it| Some(*it) != name));
            let truth = if plan.planted.is_some() { 2.0 } else { 1.0 };
            let asked = name.unwrap_or("lr");
            let effect = list
                .tested
                .iter()
                .find(|one| one.factor == asked)
                .and_then(|one| one.effect.as_ref());
            found.covered = usize::from(effect.is_some_and(|effect| {
                effect.value.interval.as_ref().is_some_and(|i| {
                    // Which level has more is the estimate's: with the ends turned round the truth is its inverse.
                    let up = effect.to == "1" || effect.to == "on";
                    i.contains(if up { truth } else { 1.0 / truth })
                })
            }));
        }
        found
    };
    (0..repetitions)
        .into_par_iter()
        .map(each)
        .reduce(Count::default, |a, b| Count {
            any: a.any + b.any,
            right: a.right + b.right,
            wrong: a.wrong + b.wrong,
            covered: a.covered + b.covered,
            mean_wrong: a.mean_wrong + b.mean_wrong,
        })
}

pub(crate) fn write(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(
        out,
        "| points x seeds | truth | seeds | list | any claim | of the planted factor | of another | ratio's interval covers | mean list: false |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    let base = Plan {
        points: 64,
        seeds: 3,
        moves_mean: true,
        planted: None,
        law: Law::Normal,
        shared: None,
    };
    let mut plans = Vec::new();
    for (points, seeds) in [(64, 3), (64, 5), (128, 3)] {
        for law in [Law::Normal, Law::HeavyTailed] {
            for (moves_mean, planted) in [
                (true, None),
                (false, None),
                (false, Some(0)),
                (true, Some(0)),
                (true, Some(5)),
            ] {
                plans.push(Plan {
                    points,
                    seeds,
                    moves_mean,
                    planted,
                    law,
                    ..base
                });
            }
        }
    }
    for smooth in [0.25, 0.5, 0.9] {
        for planted in [None, Some(0)] {
            plans.push(Plan {
                seeds: 5,
                planted,
                shared: Some(smooth),
                ..base
            });
        }
    }
    for plan in plans {
        let sides: &[Side] = if plan.moves_mean {
            &[Side::SpreadBeyondMean]
        } else {
            &[Side::Spread, Side::SpreadBeyondMean]
        };
        for &side in sides {
            let found = count(plan, repetitions, seed, side);
            let share = |k: usize| share(k as u64, repetitions);
            let truth = match (plan.planted, plan.moves_mean) {
                (None, true) => "mean moves, spread does not",
                (None, false) => "nothing moves",
                (Some(5), _) => "SD x 2, two levels, mean moves too",
                (Some(_), true) => "SD x 2, linear, mean moves too",
                (Some(_), false) => "SD x 2, linear",
            };
            let shared = plan.shared.map_or_else(String::new, |smooth| {
                format!(", shared, {:.0} % smooth", 100.0 * smooth)
            });
            let _ = writeln!(
                out,
                "| {}x{} | {truth} | {}{shared} | {} | {} | {} | {} | {} | {} |",
                plan.points,
                plan.seeds,
                plan.law.name(),
                side.name(),
                share(found.any),
                share(found.right),
                share(found.wrong),
                share(found.covered),
                share(found.mean_wrong)
            );
        }
    }
}
