//! What moves the mean: the tested list, beside which the shares of the forest stand.

use nalgebra::DMatrix;

use super::clustered::{Seeds, over_seeds};
use super::columns::{columns, occurring, pairs, together};
use super::max_t::{Question, largest};
use super::responses::PointResponse;
use super::spread::mixed_with;
use super::table::{FactorTable, Scale};
use super::tested::{Effect, TestedFactor, ordered};
use crate::estimate::{Estimate, Interval};
use crate::options::Options;
use crate::summary::{mean, variance};
use crate::welch::compare_unpaired;

/// The factors of the mean. A number counts by its line and its square, so that a best level inside its range is seen.
pub(super) fn list(
    table: &FactorTable,
    found: &PointResponse,
    seeds: &Seeds,
    options: &Options,
) -> Vec<TestedFactor> {
    let domains = table.domains();
    let factors: Vec<DMatrix<f64>> = domains
        .iter()
        .enumerate()
        .map(|(at, domain)| columns(&found.x, at, *domain, 2))
        .collect();
    let responses = [found.y.clone()];
    let question = Question {
        responses: &responses,
        covariates: None,
        factors: &factors,
        seed: options.seed,
        purpose: "factors/mean",
        n_draws: options.n_profile_resamples,
    };
    let answers = if seeds.shared {
        let mut by_seed = vec![vec![None; found.y.len()]; seeds.n];
        for (point, runs) in found.runs.iter().enumerate() {
            for &run in runs {
                by_seed[seeds.of_run[run]][point] = table.runs[run].response;
            }
        }
        over_seeds(&question, &by_seed, 0)
    } else {
        largest(&question)
    };
    let list = table.factors.iter().enumerate().map(|(at, factor)| {
        let mixed = mixed_with(&factors, at).map(|other| table.factors[other].name.clone());
        let mut one = TestedFactor::new(&factor.name, &answers[at], mixed);
        one.effect = effect(table, found, seeds, at, options.level);
        one
    });
    ordered(list.collect())
}

/// The widest difference between two categories, its interval for all pairs at once (Bonferroni): over points (Welch), or of seeds that
/// points share, each with the difference of its own means (Student; seeds without a run at either level are left out).
fn effect(
    table: &FactorTable,
    found: &PointResponse,
    seeds: &Seeds,
    at: usize,
    level: f64,
) -> Option<Effect> {
    let Scale::Categories(names) = &table.factors[at].scale else {
        return None;
    };
    let levels = occurring(&found.x, at);
    let careful = together(level, pairs(levels.len()).count());
    let between = |low: usize, high: usize| {
        if seeds.shared {
            of_seeds(table, seeds, at, [low, high], careful)
        } else {
            let of = |level: usize| points_at(found, at, level);
            compare_unpaired(&of(high), &of(low), careful).map(|it| it.difference)
        }
    };
    let size = |difference: &Estimate| difference.value.abs();
    let (low, high, difference) = pairs(levels.len())
        .map(|(a, b)| (levels[a], levels[b]))
        .filter_map(|(low, high)| Some((low, high, between(low, high)?)))
        .reduce(|a, b| if size(&b.2) > size(&a.2) { b } else { a })?;
    let (from, to, value) = if difference.value < 0.0 {
        (high, low, difference.negated())
    } else {
        (low, high, difference)
    };
    Some(Effect {
        from: names[from].clone(),
        to: names[to].clone(),
        value,
        per_decade: None,
    })
}

/// The responses of the points at a level.
fn points_at(found: &PointResponse, at: usize, level: usize) -> Vec<f64> {
    let here = found.x.iter().zip(&found.y);
    here.filter(|(x, _)| x[at] as usize == level)
        .map(|(_, y)| *y)
        .collect()
}

/// The mean over seeds of what each has more at the second level than at the first.
fn of_seeds(
    table: &FactorTable,
    seeds: &Seeds,
    at: usize,
    levels: [usize; 2],
    level: f64,
) -> Option<Estimate> {
    let of = |seed: usize, level: usize| -> Option<f64> {
        let here = table.runs.iter().zip(&seeds.of_run);
        let values: Vec<f64> = here
            .filter(|(run, own)| **own == seed && run.levels[at] as usize == level)
            .filter_map(|(run, _)| run.response)
            .collect();
        (!values.is_empty()).then(|| mean(&values))
    };
    let differences: Vec<f64> = (0..seeds.n)
        .filter_map(|seed| Some(of(seed, levels[1])? - of(seed, levels[0])?))
        .collect();
    let n = differences.len() as f64;
    let variance_of_mean = variance(&differences) / n;
    if differences.len() < 2 || variance_of_mean <= 0.0 {
        return None;
    }
    let value = mean(&differences);
    let method = "Student over seeds, paired";
    Some(Estimate::new(
        value,
        Interval::student(value, variance_of_mean, n - 1.0, level, method),
    ))
}
