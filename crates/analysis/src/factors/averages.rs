//! What moves the mean: the tested list, beside which the shares of the forest stand.

use nalgebra::DMatrix;

use super::clustered::{Seeds, over_seeds};
use super::columns::{columns, occurring};
use super::max_t::{Question, largest};
use super::responses::PointResponse;
use super::spread::mixed_with;
use super::table::{Factor, FactorTable, Scale};
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
        one.effect = if seeds.shared {
            paired(table, found, seeds, at, options.level)
        } else {
            effect(found, factor, at, options.level)
        };
        one
    });
    ordered(list.collect())
}

/// The widest difference between two categories where points share seeds: of each seed the difference of its means at the two levels,
/// Student's interval over seeds, for all pairs at once (Bonferroni). Seeds without a run at either level are left out.
fn paired(
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
    let pairs = levels.len() * levels.len().saturating_sub(1) / 2;
    let careful = 1.0 - (1.0 - level) / pairs.max(1) as f64;
    let of = |seed: usize, level: usize| -> Option<f64> {
        let here = table.runs.iter().zip(&seeds.of_run);
        let values: Vec<f64> = here
            .filter(|(run, own)| **own == seed && run.levels[at] as usize == level)
            .filter_map(|(run, _)| run.response)
            .collect();
        (!values.is_empty()).then(|| mean(&values))
    };
    let mut widest: Option<Effect> = None;
    for (i, &a) in levels.iter().enumerate() {
        for &b in &levels[i + 1..] {
            let differences: Vec<f64> = (0..seeds.n)
                .filter_map(|seed| Some(of(seed, b)? - of(seed, a)?))
                .collect();
            let n = differences.len() as f64;
            let variance = variance(&differences) / n;
            if differences.len() < 2 || variance <= 0.0 {
                continue;
            }
            let up = mean(&differences) >= 0.0;
            let sign = if up { 1.0 } else { -1.0 };
            let value = sign * mean(&differences);
            if widest.as_ref().is_none_or(|it| value > it.value.value) {
                let method = "Student over seeds, paired";
                let interval = Interval::student(value, variance, n - 1.0, careful, method);
                let (from, to) = if up { (a, b) } else { (b, a) };
                widest = Some(Effect {
                    from: names[from].clone(),
                    to: names[to].clone(),
                    value: Estimate::new(value, interval),
                    per_decade: None,
                });
            }
        }
    }
    widest
}

/// The widest difference between two categories, over points (Welch), for all pairs at once (Bonferroni).
fn effect(found: &PointResponse, factor: &Factor, at: usize, level: f64) -> Option<Effect> {
    let Scale::Categories(names) = &factor.scale else {
        return None;
    };
    let levels = occurring(&found.x, at);
    let pairs = levels.len() * levels.len().saturating_sub(1) / 2;
    let careful = 1.0 - (1.0 - level) / pairs.max(1) as f64;
    let of = |level: usize| -> Vec<f64> {
        let here = (0..found.y.len()).filter(|&row| found.x[row][at] as usize == level);
        here.map(|row| found.y[row]).collect()
    };
    let mut widest: Option<Effect> = None;
    for (i, &a) in levels.iter().enumerate() {
        for &b in &levels[i + 1..] {
            let (low, high) = (of(a), of(b));
            let up = mean(&high) >= mean(&low);
            let (less, more, from, to) = if up {
                (&low, &high, a, b)
            } else {
                (&high, &low, b, a)
            };
            let Some(compared) = compare_unpaired(more, less, careful) else {
                continue;
            };
            let most = widest
                .as_ref()
                .map_or(f64::NEG_INFINITY, |it| it.value.value);
            if compared.difference.value > most {
                widest = Some(Effect {
                    from: names[from].clone(),
                    to: names[to].clone(),
                    value: compared.difference,
                    per_decade: None,
                });
            }
        }
    }
    widest
}
