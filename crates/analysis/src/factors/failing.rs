//! What moves the failure rate: a response of its own, out of the mean's and the spread's.

use nalgebra::DMatrix;

use super::clustered::{Seeds, over_seeds};
use super::columns::{beside, columns, occurring, ones, orthonormal, pairs, together};
use super::firth::{Counts, coefficient};
use super::max_t::{Question, largest};
use super::spread::{mixed_with, ratio};
use super::table::{Factor, FactorTable, Scale};
use super::tested::{Effect, TestedFactor, ordered};
use crate::distribution::wilson;
use crate::options::Options;

/// The factors of failure, or the sentence why there are none.
///
/// The response is the share of a point's runs that failed, permuted over points; effects are ratios of odds by Firth's
/// logistic regression, finite where a level never failed.
pub(super) fn list(
    table: &FactorTable,
    seeds: &Seeds,
    options: &Options,
) -> Result<Vec<TestedFactor>, String> {
    let n_failed = table.runs.iter().filter(|run| run.failed).count();
    let n = table.runs.len();
    if n_failed == 0 || n_failed == n {
        let interval = wilson(n_failed as f64, n, 0.95);
        let limits = interval.map_or((0.0, 1.0), |i| (100.0 * i.lower, 100.0 * i.upper));
        let which = if n_failed == 0 { "none" } else { "all" };
        return Err(format!(
            "{which} of the {n} runs failed (a rate of {:.0} to {:.0} % is compatible with that), so nothing can be ranked",
            limits.0, limits.1
        ));
    }
    let points = table.points();
    let x: Vec<Vec<f64>> = points
        .iter()
        .map(|point| table.coordinates(point[0]))
        .collect();
    let count =
        |point: &Vec<usize>| point.iter().filter(|&&run| table.runs[run].failed).count() as f64;
    let failed: Vec<f64> = points.iter().map(count).collect();
    let runs: Vec<f64> = points.iter().map(|point| point.len() as f64).collect();
    let shares: Vec<f64> = failed.iter().zip(&runs).map(|(k, n)| k / n).collect();
    let domains = table.domains();
    let factors: Vec<DMatrix<f64>> = domains
        .iter()
        .enumerate()
        .map(|(at, domain)| columns(&x, at, *domain, 1))
        .collect();
    let responses = [shares];
    let question = Question {
        responses: &responses,
        covariates: None,
        factors: &factors,
        seed: options.seed,
        purpose: "factors/failures",
        n_draws: options.n_profile_resamples,
    };
    let answers = if seeds.shared {
        let mut by_seed = vec![vec![None; points.len()]; seeds.n];
        for (at, point) in points.iter().enumerate() {
            for &run in point {
                by_seed[seeds.of_run[run]][at] = Some(f64::from(u8::from(table.runs[run].failed)));
            }
        }
        over_seeds(&question, &by_seed, 0)
    } else {
        largest(&question)
    };
    let found = table.factors.iter().enumerate().map(|(at, factor)| {
        let mixed = mixed_with(&factors, at).map(|other| table.factors[other].name.clone());
        let mut one = TestedFactor::new(&factor.name, &answers[at], mixed);
        one.effect = effect((&failed, &runs), &x, factor, at, options.level);
        one
    });
    Ok(ordered(found.collect()))
}

/// The ratio of odds between two levels: the ends of a number's scale, or the two levels of a category that fail least and most.
fn effect(
    (failed, runs): (&[f64], &[f64]),
    x: &[Vec<f64>],
    factor: &Factor,
    at: usize,
    level: f64,
) -> Option<Effect> {
    let of = |design: &DMatrix<f64>, careful: f64| {
        if orthonormal(design).ncols() < design.ncols() {
            return None;
        }
        coefficient(
            &Counts {
                failed,
                runs,
                design,
            },
            1,
            careful,
        )
    };
    let named = |levels: [String; 2], value: f64, limits: [f64; 2]| {
        let mut found = ratio(levels, value, limits, level);
        if let Some(interval) = &mut found.value.interval {
            interval.method = "Firth's logistic regression, profile".to_owned();
        }
        found
    };
    match &factor.scale {
        Scale::Linear { low, high } | Scale::Logarithmic { low, high } => {
            let line = DMatrix::from_fn(x.len(), 1, |row, _| x[row][at] - 0.5);
            let (value, limits) = of(&beside(&ones(x.len()), &line), level)?;
            let levels = [*low, *high].map(|level| factor.scale.label(level));
            let mut found = named(levels, value, limits);
            if let Scale::Logarithmic { low, high } = factor.scale {
                found.per_decade = Some((value.abs() / (high / low).log10()).exp());
            }
            Some(found)
        }
        Scale::Categories(_) => {
            let levels = occurring(x, at);
            if levels.len() < 2 {
                return None;
            }
            let rate = |level: usize| {
                let here = (0..x.len()).filter(|&row| x[row][at] as usize == level);
                let (k, n) = here.fold((0.0, 0.0), |(k, n), row| (k + failed[row], n + runs[row]));
                (k + 0.5) / (n + 1.0)
            };
            let least = *levels
                .iter()
                .min_by(|a, b| rate(**a).total_cmp(&rate(**b)))?;
            let most = *levels
                .iter()
                .rev()
                .max_by(|a, b| rate(**a).total_cmp(&rate(**b)))?;
            // The level with most comes first; the one with least is the base.
            let others: Vec<usize> = std::iter::once(most)
                .chain(
                    levels
                        .iter()
                        .copied()
                        .filter(|it| *it != most && *it != least),
                )
                .collect();
            let dummies = DMatrix::from_fn(x.len(), others.len(), |row, column| {
                f64::from(u8::from(x[row][at] as usize == others[column]))
            });
            let careful = together(level, pairs(levels.len()).count());
            let (value, limits) = of(&beside(&ones(x.len()), &dummies), careful)?;
            let levels = [least, most].map(|level| factor.scale.label(level as f64));
            Some(named(levels, value, limits))
        }
    }
}
