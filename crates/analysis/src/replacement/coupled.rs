//! Changes over seeds, members and pools, resampled together.
//!
//! Member `i` and what it is exchanged for are the same tasks in every pool, and so is the seed: the pools are paired, and a
//! resample takes the same seeds and members from each of them.

use rand_chacha::ChaCha8Rng;

use super::Change;
use crate::bootstrap::{percentile_interval, replicates};
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::options::Options;
use crate::random::index;
use crate::summary::mean;

/// Values by seed, member and pool; only members that every pool has.
pub(super) struct Coupled {
    values: Vec<Vec<Vec<f64>>>,
}

impl Coupled {
    /// One quantity of the changes of each pool; repetitions are left out.
    pub(super) fn new(pools: &[&[Change]], of: fn(&Change) -> f64) -> Self {
        let mut seeds: Vec<u64> = pools
            .iter()
            .flat_map(|p| p.iter().map(|c| c.seed))
            .collect();
        seeds.sort_unstable();
        seeds.dedup();
        let of_seed = |seed: u64| -> Vec<Vec<f64>> {
            let first = pools.first().copied().unwrap_or_default();
            let mut members: Vec<usize> = first
                .iter()
                .filter(|change| change.seed == seed)
                .filter_map(|change| change.member)
                .collect();
            members.sort_unstable();
            let in_pool = |pool: &&[Change], member: usize| {
                let is_it = |c: &&Change| c.seed == seed && c.member == Some(member);
                pool.iter().find(is_it).map(of)
            };
            members
                .into_iter()
                .filter_map(|member| pools.iter().map(|pool| in_pool(pool, member)).collect())
                .collect()
        };
        let values = seeds
            .into_iter()
            .map(of_seed)
            .filter(|seed| !seed.is_empty());
        Self {
            values: values.collect(),
        }
    }

    pub(super) fn n_seeds(&self) -> usize {
        self.values.len()
    }

    /// Exchanges in each pool.
    pub(super) fn n_exchanges(&self) -> usize {
        self.values.iter().map(Vec::len).sum()
    }

    /// Whether every value lies above zero, in every pool.
    pub(super) fn is_positive(&self) -> bool {
        self.values
            .iter()
            .flatten()
            .flatten()
            .all(|value| *value > 0.0)
    }

    /// Mean over seeds of the mean over members, pool by pool.
    fn means(&self, draw: &[(usize, Vec<usize>)]) -> Vec<f64> {
        let n_pools = self.values[0][0].len();
        let of_pool = |pool: usize| {
            let seeds = draw.iter().map(|(seed, members)| {
                let values = members
                    .iter()
                    .map(|member| self.values[*seed][*member][pool]);
                values.sum::<f64>() / members.len() as f64
            });
            mean(&seeds.collect::<Vec<_>>())
        };
        (0..n_pools).map(of_pool).collect()
    }

    /// All of them, each once.
    fn all(&self) -> Vec<(usize, Vec<usize>)> {
        let members = self.values.iter().map(|seed| (0..seed.len()).collect());
        members.enumerate().collect()
    }

    /// Seeds with replacement, then members of each.
    fn drawn(&self, rng: &mut ChaCha8Rng) -> Vec<(usize, Vec<usize>)> {
        let n_seeds = self.values.len();
        (0..n_seeds)
            .map(|_| {
                let seed = index(rng, n_seeds);
                let n = self.values[seed].len();
                (seed, (0..n).map(|_| index(rng, n)).collect())
            })
            .collect()
    }

    /// `statistic` of the means of the pools, with a percentile interval; `None` without values.
    ///
    /// # Errors
    /// [`AnalysisError::NotFinite`] where the statistic of a resample is not finite.
    pub(super) fn estimate(
        &self,
        purpose: &str,
        options: &Options,
        statistic: impl Fn(&[f64]) -> f64 + Sync,
    ) -> Result<Option<Estimate>, AnalysisError> {
        if self.values.is_empty() {
            return Ok(None);
        }
        let value = statistic(&self.means(&self.all()));
        if self.n_exchanges() < 2 {
            return Ok(Some(Estimate::bare(value)));
        }
        let resamples = replicates(options.seed, purpose, options.n_resamples, |rng| {
            statistic(&self.means(&self.drawn(rng)))
        });
        let method = match self.n_seeds() {
            1 => format!(
                "bootstrap over {} exchanges of one seed",
                self.n_exchanges()
            ),
            n => format!(
                "bootstrap over {n} seeds and their {} exchanges",
                self.n_exchanges()
            ),
        };
        let interval: Interval = percentile_interval(&resamples, options.level, method)?;
        Ok(Some(Estimate::new(value, interval)))
    }
}
