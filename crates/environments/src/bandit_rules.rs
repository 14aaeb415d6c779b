//! Reference rules for bandits, and the optimum of Bernoulli bandits, computed.
//!
//! A rule sees what each arm has paid so far. *Random* pulls any arm; *Thompson* pulls the best of draws from the posterior (Thompson 1933,
//! Biometrika 25); *Bayes-greedy* pulls the arm of the highest posterior mean; *Gittins* pulls the arm of the highest index, that of
//! the pulls that are left (Gittins 1979, JRSS B 41, with a finite horizon: the best ratio of expected payment to expected pulls over all
//! times to stop). The optimum is that of the Bayesian problem with uniform priors, by dynamic programming over what the arms have paid.

use std::collections::BTreeMap;

use rand::Rng;

use crate::bandit::{Arms, Bandit};
use crate::draw::{below, beta, normal};

/// What an arm has paid.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arm {
    /// Pulls.
    pub n: usize,
    /// Sum of rewards.
    pub sum: f64,
}

/// How to choose an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any arm.
    Random,
    /// The best of draws from the posterior.
    Thompson,
    /// The highest posterior mean; the first of equals.
    BayesGreedy,
    /// The highest index; the first of equals. Of Bernoulli arms alone.
    Gittins,
}

/// The sum of rewards of one play of a bandit.
///
/// # Panics
/// [`Rule::Gittins`] on Gaussian arms, whose index is not computed here.
pub fn play(bandit: &Bandit, rule: Rule, indices: &mut Indices, rng: &mut dyn Rng) -> f64 {
    let mut arms = vec![Arm::default(); bandit.means.len()];
    for pull in 0..bandit.n_pulls {
        let left = bandit.n_pulls - pull;
        let chosen = choose(bandit.arms, &arms, left, rule, indices, rng);
        let reward = bandit.pull(chosen, rng);
        arms[chosen].n += 1;
        arms[chosen].sum += reward;
    }
    arms.iter().map(|arm| arm.sum).sum()
}

fn choose(
    kind: Arms,
    arms: &[Arm],
    left: usize,
    rule: Rule,
    indices: &mut Indices,
    rng: &mut dyn Rng,
) -> usize {
    let counts = |arm: &Arm| {
        let wins = arm.sum.round() as usize;
        (wins, arm.n - wins)
    };
    let values: Vec<f64> = match (rule, kind) {
        (Rule::Random, _) => return below(rng, arms.len()),
        // Uniform prior: Beta(1 + wins, 1 + losses).
        (Rule::Thompson, Arms::Bernoulli) => arms
            .iter()
            .map(|arm| {
                let (wins, losses) = counts(arm);
                beta(rng, 1 + wins, 1 + losses)
            })
            .collect(),
        // Standard normal prior, noise of variance 1: mean sum / (n + 1), variance 1 / (n + 1).
        (Rule::Thompson, Arms::Gaussian) => arms
            .iter()
            .map(|arm| {
                let weight = (arm.n + 1) as f64;
                arm.sum / weight + normal(rng) / weight.sqrt()
            })
            .collect(),
        (Rule::BayesGreedy, Arms::Bernoulli) => arms
            .iter()
            .map(|arm| (arm.sum + 1.0) / (arm.n + 2) as f64)
            .collect(),
        (Rule::BayesGreedy, Arms::Gaussian) => arms
            .iter()
            .map(|arm| arm.sum / (arm.n + 1) as f64)
            .collect(),
        (Rule::Gittins, Arms::Bernoulli) => arms
            .iter()
            .map(|arm| {
                let (wins, losses) = counts(arm);
                indices.of(wins, losses, left)
            })
            .collect(),
        (Rule::Gittins, Arms::Gaussian) => {
            panic!("the Gittins index of Gaussian arms is not computed here")
        }
    };
    let mut best = 0;
    for (arm, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = arm;
        }
    }
    best
}

/// Gittins indices of Bernoulli arms, each found once.
#[derive(Clone, Debug, Default)]
pub struct Indices(BTreeMap<(usize, usize, usize), f64>);

impl Indices {
    /// The index of an arm that has won and lost so often, for at most `left` pulls: the pay of a safe arm beside which it does not
    /// matter whether this one is tried, by bisection to 1e-9.
    pub fn of(&mut self, wins: usize, losses: usize, left: usize) -> f64 {
        let key = (wins, losses, left);
        if let Some(index) = self.0.get(&key) {
            return *index;
        }
        let (mut low, mut high) = (0.0, 1.0);
        while high - low > 1e-9 {
            let pay = 0.5 * (low + high);
            if gain(wins, losses, left, pay) > 0.0 {
                low = pay;
            } else {
                high = pay;
            }
        }
        self.0.insert(key, 0.5 * (low + high));
        0.5 * (low + high)
    }
}

/// What trying the arm gains over the safe pay, if it is pulled once and then as long as that is best.
fn gain(wins: usize, losses: usize, left: usize, pay: f64) -> f64 {
    // `after[w]` is the gain of going on, or stopping, after `pulled` pulls of which `w` won.
    let mut after = vec![0.0; left + 1];
    for pulled in (0..left).rev() {
        for won in 0..=pulled {
            let n = (wins + losses + pulled + 2) as f64;
            let p = (wins + won + 1) as f64 / n;
            let on = p - pay + p * after[won + 1] + (1.0 - p) * after[won];
            // The first pull is made, whatever it is worth.
            after[won] = if pulled == 0 { on } else { on.max(0.0) };
        }
    }
    after[0]
}

/// The expected sum of rewards of the best rule for Bernoulli arms with uniform priors, exactly, by dynamic programming. The states are
/// the counts of the arms in order of size, since arms are alike.
#[must_use]
pub fn optimum(n_arms: usize, n_pulls: usize) -> f64 {
    value(&mut vec![(0, 0); n_arms], n_pulls, &mut BTreeMap::new())
}

type Counts = Vec<(usize, usize)>;

fn value(arms: &mut Counts, left: usize, known: &mut BTreeMap<Counts, f64>) -> f64 {
    if left == 0 {
        return 0.0;
    }
    arms.sort_unstable();
    if let Some(value) = known.get(arms) {
        return *value;
    }
    let mut best = f64::NEG_INFINITY;
    for arm in 0..arms.len() {
        // Of arms that are alike one is enough.
        if arm > 0 && arms[arm] == arms[arm - 1] {
            continue;
        }
        let (wins, losses) = arms[arm];
        let p = (wins + 1) as f64 / (wins + losses + 2) as f64;
        let mut after = |counts| {
            let mut next = arms.clone();
            next[arm] = counts;
            value(&mut next, left - 1, known)
        };
        let won = after((wins + 1, losses));
        let lost = after((wins, losses + 1));
        best = best.max(p * (1.0 + won) + (1.0 - p) * lost);
    }
    known.insert(arms.clone(), best);
    best
}

#[cfg(test)]
mod tests {
    use metastable_data::{Seeds, Stream};

    use super::*;
    use crate::bandit::Bandits;

    const N_PLAYS: u64 = 20_000;

    /// Mean of many plays on bandits of their own, and its standard error.
    fn played(family: Bandits, rule: Rule) -> (f64, f64) {
        let seeds = Seeds::all(5);
        let mut indices = Indices::default();
        let sums: Vec<f64> = (0..N_PLAYS)
            .map(|index| {
                let bandit = family.bandit(&seeds, index);
                play(
                    &bandit,
                    rule,
                    &mut indices,
                    &mut seeds.rng(Stream::Query, index),
                )
            })
            .collect();
        let n = sums.len() as f64;
        let mean = sums.iter().sum::<f64>() / n;
        let variance = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / n;
        (mean, (variance / n).sqrt())
    }

    fn bernoulli() -> Bandits {
        Bandits {
            arms: Arms::Bernoulli,
            n_arms: 5,
            n_pulls: 10,
        }
    }

    /// Ten pulls of five arms: 4.98 (5 exactly), 5.83 and 6.62 by an independent simulation in another language (`capabilities.md`, section
    /// 2.2). Its error is not known; 0.015 for its rounding and its error, and four standard errors of this one.
    #[test]
    fn references_have_their_known_values() {
        for (rule, known) in [
            (Rule::Random, 5.0),
            (Rule::Thompson, 5.83),
            (Rule::BayesGreedy, 6.62),
        ] {
            let (mean, error) = played(bernoulli(), rule);
            assert!(
                (mean - known).abs() < 4.0 * error + 0.015,
                "{rule:?}: {mean} +- {error}"
            );
        }
    }

    /// No rule exceeds the optimum by more than four standard errors; Gittins comes within 0.05 and four standard errors of it (Duan et al. 2016, table 1: 6.6).
    #[test]
    fn no_rule_exceeds_the_optimum_and_gittins_comes_near_it() {
        let best = optimum(5, 10);
        assert!((6.5..6.8).contains(&best), "{best}");
        for rule in [Rule::Thompson, Rule::BayesGreedy, Rule::Gittins] {
            let (mean, error) = played(bernoulli(), rule);
            assert!(mean < best + 4.0 * error, "{rule:?}: {mean} over {best}");
        }
        let (mean, error) = played(bernoulli(), Rule::Gittins);
        assert!(mean > best - 4.0 * error - 0.05, "{mean} under {best}");
    }

    /// One arm: every pull pays a half. Two arms and two pulls: a win (1/2) is pulled again (2/3), a loss is left for the other (1/2),
    /// so that 1/2 + 1/2 * 2/3 + 1/2 * 1/2 = 13/12.
    #[test]
    fn the_optimum_of_small_bandits_by_hand() {
        assert!((optimum(1, 7) - 3.5).abs() < 1e-12);
        assert!((optimum(2, 2) - 13.0 / 12.0).abs() < 1e-12);
    }

    /// With one pull left the index is the posterior mean; with more it is higher. Two pulls of a fresh arm: pulled once, and again
    /// after a win, (1/2 + 1/2 * 2/3) / (1 + 1/2) = 5/9.
    #[test]
    fn indices_by_hand() {
        let mut indices = Indices::default();
        assert!((indices.of(2, 1, 1) - 0.6).abs() < 1e-8);
        assert!((indices.of(0, 0, 2) - 5.0 / 9.0).abs() < 1e-8);
        assert!(indices.of(0, 0, 10) > indices.of(0, 0, 2));
    }

    /// Ten pulls of five Gaussian arms: random pays 0 on average, Thompson and greedy more, and none more than the best arm, whose
    /// mean is 1.16296 a pull (the expected largest of five standard normal draws).
    #[test]
    fn gaussian_references_lie_between_chance_and_the_best_arm() {
        let family = Bandits {
            arms: Arms::Gaussian,
            ..bernoulli()
        };
        let (random, error) = played(family, Rule::Random);
        assert!(random.abs() < 4.0 * error, "{random}");
        for rule in [Rule::Thompson, Rule::BayesGreedy] {
            let (mean, error) = played(family, rule);
            assert!(mean > 4.0 * error && mean < 11.6296, "{rule:?}: {mean}");
        }
    }
}
