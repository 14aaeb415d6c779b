//! Which factors move a response? By permutation over points, the largest statistic of all factors against its own law.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::columns::{beside, left, ones, orthonormal, without};
use crate::distribution::fisher_tail;
use crate::random::{generator, shuffle};

/// Share of a factor's variation that has to be left beside the covariates; with less it cannot be told from them.
pub(super) const APART: f64 = 0.15;
/// The level of a list of factors as a whole.
pub(super) const LEVEL: f64 = 0.05;

/// What is asked.
pub(super) struct Question<'a> {
    /// Responses at each point; where there are several, a factor counts by the one that shows it best.
    pub(super) responses: &'a [Vec<f64>],
    /// What a factor has to add to, beside the intercept.
    pub(super) covariates: Option<&'a DMatrix<f64>>,
    /// The columns of each factor.
    pub(super) factors: &'a [DMatrix<f64>],
    /// Key of the draws.
    pub(super) seed: u64,
    /// What the draws are for.
    pub(super) purpose: &'a str,
    /// Permutations.
    pub(super) n_draws: usize,
}

/// One factor's answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// The chance that any factor of the list reaches what this one does, if no factor moves the response.
    pub(super) p: f64,
    /// Its share of the variance of the first response that the covariates leave.
    pub(super) share: f64,
    /// Whether enough of its variation is left beside the covariates.
    pub(super) apart: bool,
}

/// The permutation test, one factor after another: the factor with the least p-value joins the covariates if the list is
/// surprised at 5 %, and the others are asked again beside it. No p-value is under that of a factor taken before. The
/// statistic of a factor is the least of its p-values by Fisher's F over the responses; residuals of the covariates are permuted.
///
/// # Source
/// Westfall and Young 1993 (the largest statistic); Freedman and Lane 1983 (residuals).
pub(super) fn largest(question: &Question<'_>) -> Vec<Answer> {
    stepwise(question, |basis, open| permuted(question, basis, open))
}

/// Takes factors in one after another, see [`largest`]; `ask` gives the open factors' p-values beside a basis.
pub(super) fn stepwise(
    question: &Question<'_>,
    ask: impl Fn(&DMatrix<f64>, &[usize]) -> Vec<f64>,
) -> Vec<Answer> {
    let n = question.responses[0].len();
    let first = match question.covariates {
        Some(covariates) => beside(&ones(n), covariates),
        None => ones(n),
    };
    let mut basis = orthonormal(&first);
    let apart: Vec<bool> = question
        .factors
        .iter()
        .map(|columns| left(columns, &basis) >= APART)
        .collect();
    let own = residual(&DVector::from_column_slice(&question.responses[0]), &basis);
    let mut answers: Vec<Answer> = question
        .factors
        .iter()
        .zip(&apart)
        .map(|(columns, &apart)| {
            let directions = orthonormal(&without(columns, &basis));
            let all = own.norm_squared();
            let explained = (directions.transpose() * &own).norm_squared();
            let share = if all > 0.0 { explained / all } else { 0.0 };
            Answer {
                p: 1.0,
                share,
                apart,
            }
        })
        .collect();
    let mut open: Vec<usize> = (0..answers.len()).filter(|&at| apart[at]).collect();
    let mut reached: f64 = 0.0;
    while !open.is_empty() {
        let found = ask(&basis, &open);
        for (&factor, p) in open.iter().zip(&found) {
            answers[factor].p = p.max(reached);
        }
        let best = (0..found.len()).fold(0, |best, at| {
            let by_share = || answers[open[at]].share > answers[open[best]].share;
            let less = found[at] < found[best];
            if less || (found[at] <= found[best] && by_share()) {
                at
            } else {
                best
            }
        });
        if answers[open[best]].p > LEVEL {
            break;
        }
        reached = answers[open[best]].p;
        let taken = open.remove(best);
        basis = orthonormal(&beside(&basis, &question.factors[taken]));
    }
    answers
}

/// Adjusted p-values of the open factors beside a basis.
fn permuted(question: &Question<'_>, basis: &DMatrix<f64>, open: &[usize]) -> Vec<f64> {
    let directions: Vec<DMatrix<f64>> = open
        .iter()
        .map(|&factor| orthonormal(&without(&question.factors[factor], basis)))
        .collect();
    let residuals: Vec<DVector<f64>> = question
        .responses
        .iter()
        .map(|response| residual(&DVector::from_column_slice(response), basis))
        .collect();
    let own = least(&residuals, basis, &directions);
    let n = residuals[0].len();
    let draws: Vec<f64> = (0..question.n_draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut rng = generator(question.seed, question.purpose, draw);
            let mut order: Vec<usize> = (0..n).collect();
            shuffle(&mut rng, &mut order);
            let shuffled: Vec<DVector<f64>> = residuals
                .iter()
                .map(|values| DVector::from_fn(n, |row, _| values[order[row]]))
                .collect();
            let found = least(&shuffled, basis, &directions);
            found.into_iter().fold(1.0, f64::min)
        })
        .collect();
    own.iter()
        .map(|p| {
            let reached = draws
                .iter()
                .filter(|draw| **draw <= p * (1.0 + 1e-9))
                .count();
            (1 + reached) as f64 / (1 + draws.len()) as f64
        })
        .collect()
}

pub(super) fn residual(response: &DVector<f64>, basis: &DMatrix<f64>) -> DVector<f64> {
    response - basis * (basis.transpose() * response)
}

/// For each factor the least p-value of F over the responses.
fn least(
    residuals: &[DVector<f64>],
    basis: &DMatrix<f64>,
    directions: &[DMatrix<f64>],
) -> Vec<f64> {
    let totals: Vec<f64> = residuals
        .iter()
        .map(|r| r.norm_squared() - (basis.transpose() * r).norm_squared())
        .collect();
    directions
        .iter()
        .map(|directions| {
            let k = directions.ncols();
            let rest = residuals[0].len() as f64 - (basis.ncols() + k) as f64;
            if k == 0 || rest < 1.0 {
                return 1.0;
            }
            residuals
                .iter()
                .zip(&totals)
                .map(|(r, total)| {
                    let explained = (directions.transpose() * r).norm_squared();
                    let unexplained = (total - explained).max(0.0);
                    if explained <= 0.0 {
                        return 1.0;
                    }
                    fisher_tail(explained / k as f64 / (unexplained / rest), k as f64, rest)
                })
                .fold(1.0, f64::min)
        })
        .collect()
}
