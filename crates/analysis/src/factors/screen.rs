//! A list that any table can carry: each factor by itself, by ranks, against chance.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::responses::PointResponse;
use super::tree::Domain;
use crate::random::{generator, index};
use crate::summary::{mean, ranks};

/// Groups into which a number is cut.
const GROUPS: usize = 4;

/// One factor's grip on a response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Screened {
    /// Its name.
    pub factor: String,
    /// Share of the variance of the response's ranks that lies between the factor's groups, 0 to 1.
    pub eta_squared: f64,
    /// Share of random assignments of responses to points that give as much or more; not corrected for the number of
    /// factors.
    pub p_value: f64,
}

/// Each factor by itself: the share of the variance of ranks between its groups (the categories, or four groups of equal
/// size along a number, equal levels staying together), and how often chance gives as much. Factors in descending order.
///
/// This sees no interaction and claims no share of a whole; it is what remains where a forest explains too little.
///
/// # Source
/// Kruskal and Wallis 1952, whose statistic is `(n - 1)` times the share; permutation in place of its limit law.
#[must_use]
pub fn screen(
    response: &PointResponse,
    names: &[String],
    domains: &[Domain],
    seed: u64,
    n_draws: usize,
) -> Vec<Screened> {
    let ranks = ranks(&response.y);
    let groups: Vec<Vec<usize>> = domains
        .iter()
        .enumerate()
        .map(|(factor, domain)| {
            let levels: Vec<f64> = response.x.iter().map(|x| x[factor]).collect();
            match domain {
                Domain::Categories(_) => levels.iter().map(|level| *level as usize).collect(),
                Domain::Unit => quarters(&levels),
            }
        })
        .collect();
    let own: Vec<f64> = groups
        .iter()
        .map(|groups| between(&ranks, groups))
        .collect();
    let hits: Vec<Vec<bool>> = (0..n_draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut rng = generator(seed, "factors/screen", draw);
            let mut shuffled = ranks.clone();
            for at in (1..shuffled.len()).rev() {
                shuffled.swap(at, index(&mut rng, at + 1));
            }
            // The observed value counts as reached up to rounding.
            groups
                .iter()
                .zip(&own)
                .map(|(groups, own)| between(&shuffled, groups) >= own - 1e-12)
                .collect()
        })
        .collect();
    let mut found: Vec<Screened> = names
        .iter()
        .enumerate()
        .map(|(factor, name)| Screened {
            factor: name.clone(),
            eta_squared: own[factor],
            p_value: (1 + hits.iter().filter(|row| row[factor]).count()) as f64
                / (1 + n_draws) as f64,
        })
        .collect();
    found.sort_by(|a, b| b.eta_squared.total_cmp(&a.eta_squared));
    found
}

/// Groups of about equal size along a number; equal levels share a group.
fn quarters(levels: &[f64]) -> Vec<usize> {
    let of_rank = |rank: f64| ((rank - 0.5) / levels.len() as f64 * GROUPS as f64) as usize;
    ranks(levels)
        .into_iter()
        .map(|rank| of_rank(rank).min(GROUPS - 1))
        .collect()
}

/// Share of the variance between groups.
fn between(values: &[f64], groups: &[usize]) -> f64 {
    let center = mean(values);
    let n_groups = groups.iter().max().map_or(0, |most| most + 1);
    let mut sums = vec![(0.0, 0.0); n_groups];
    let mut total = 0.0;
    for (value, &group) in values.iter().zip(groups) {
        sums[group].0 += value - center;
        sums[group].1 += 1.0;
        total += (value - center) * (value - center);
    }
    let between: f64 = sums
        .iter()
        .filter(|(_, n)| *n > 0.0)
        .map(|(sum, n)| sum * sum / n)
        .sum();
    if total > 0.0 { between / total } else { 0.0 }
}
