//! C2: the worst and the best support set of a task, by greedy search, and by trying all where that is possible.

use crate::error::AnalysisError;

/// Which support set is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The one with the lowest score.
    Worst,
    /// The one with the highest.
    Best,
}

impl Goal {
    fn is_better<S: PartialOrd>(self, a: S, b: S) -> bool {
        match self {
            Self::Worst => a < b,
            Self::Best => a > b,
        }
    }
}

/// A support set that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<S> {
    /// Candidate in each slot, slots of one class together: `choice[class * k_shot + k]`.
    pub choice: Vec<usize>,
    /// Its score.
    pub score: S,
    /// Scores that were asked for.
    pub n_asked: usize,
}

/// Greedy search: from `start`, slot by slot, each candidate of the class that is not in another slot is tried and the
/// best kept; `rounds` times over all slots, or until a round changes nothing.
///
/// The result is never beaten by a change of one slot if it ended by itself. Ties keep what is there, then the first
/// candidate. A score that is not a number never wins. A score may be a tuple: `(accuracy, -loss)` settles equal
/// accuracies by the loss.
///
/// # Shapes
/// `start`: `(n_classes * k_shot)`, candidates `0 .. n_candidates` of each class, different within a class.
/// # Errors
/// Those of the score; [`AnalysisError::TooFew`] for fewer candidates than shots; [`AnalysisError::Shape`].
/// # Source
/// Agarwal, Yurochkin & Sun 2021, NeurIPS, section 3.
pub fn greedy<S: PartialOrd + Copy, E: From<AnalysisError>>(
    start: &[usize],
    k_shot: usize,
    n_candidates: usize,
    rounds: usize,
    goal: Goal,
    mut score: impl FnMut(&[usize]) -> Result<S, E>,
) -> Result<Found<S>, E> {
    check(start.len(), k_shot, n_candidates)?;
    let mut choice = start.to_vec();
    let mut best = score(&choice)?;
    let mut n_asked = 1;
    for _ in 0..rounds {
        let before = choice.clone();
        for slot in 0..choice.len() {
            let class = slot / k_shot * k_shot;
            let mut kept = choice[slot];
            for candidate in 0..n_candidates {
                if choice[class..class + k_shot].contains(&candidate) {
                    continue;
                }
                let mut tried = choice.clone();
                tried[slot] = candidate;
                let its = score(&tried)?;
                n_asked += 1;
                if goal.is_better(its, best) || (is_nan(best) && !is_nan(its)) {
                    best = its;
                    kept = candidate;
                }
            }
            choice[slot] = kept;
        }
        if choice == before {
            break;
        }
    }
    Ok(Found {
        choice,
        score: best,
        n_asked,
    })
}

/// Every support set with one candidate a class, `n_candidates ^ n_classes` of them: the exact answer to test
/// [`greedy`] by.
///
/// # Errors
/// Those of the score; [`AnalysisError::TooFew`] without a class or a candidate.
pub fn exhaustive<S: PartialOrd + Copy, E: From<AnalysisError>>(
    n_classes: usize,
    n_candidates: usize,
    goal: Goal,
    mut score: impl FnMut(&[usize]) -> Result<S, E>,
) -> Result<Found<S>, E> {
    check(n_classes, 1, n_candidates)?;
    let mut choice = vec![0; n_classes];
    let mut found = Found {
        choice: choice.clone(),
        score: score(&choice)?,
        n_asked: 1,
    };
    // The last class turns fastest, as digits do.
    while let Some(slot) = choice.iter().rposition(|&c| c + 1 < n_candidates) {
        choice[slot] += 1;
        choice[slot + 1..].fill(0);
        let its = score(&choice)?;
        found.n_asked += 1;
        if goal.is_better(its, found.score) {
            found.score = its;
            found.choice.clone_from(&choice);
        }
    }
    Ok(found)
}

/// Not comparable even with itself.
fn is_nan<S: PartialOrd>(score: S) -> bool {
    score.partial_cmp(&score).is_none()
}

fn check(n_slots: usize, k_shot: usize, n_candidates: usize) -> Result<(), AnalysisError> {
    if n_slots == 0 || k_shot == 0 || n_candidates < k_shot {
        return Err(AnalysisError::too_few(
            "candidates of each class",
            k_shot.max(1),
            n_candidates,
        ));
    }
    crate::error::check_len("support set", n_slots / k_shot * k_shot, n_slots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{generator, uniform};

    /// A table of scores: one for each class and candidate, and `coupling` times one for each pair of neighbors.
    fn score(seed: u64, coupling: f64) -> impl Fn(&[usize]) -> Result<f64, AnalysisError> {
        move |choice| {
            let of =
                |a: usize, b: usize| uniform(&mut generator(seed, "scores", (100 * a + b) as u64));
            let own: f64 = choice.iter().enumerate().map(|(c, &i)| of(c, i)).sum();
            let pairs = choice.windows(2).enumerate();
            let pairs: f64 = pairs.map(|(c, p)| of(10 + c, 10 * p[0] + p[1])).sum();
            Ok(own + coupling * pairs)
        }
    }

    #[test]
    fn where_classes_do_not_interact_greedy_is_exact() {
        for seed in 0..20 {
            for goal in [Goal::Worst, Goal::Best] {
                let exact = exhaustive(3, 5, goal, score(seed, 0.0)).unwrap();
                let found = greedy(&[4, 2, 0], 1, 5, 3, goal, score(seed, 0.0)).unwrap();
                assert_eq!((found.choice, exact.n_asked), (exact.choice, 125));
                assert!(found.n_asked <= 1 + 3 * 3 * 4);
            }
        }
    }

    #[test]
    fn where_they_do_it_is_never_beyond_exact_and_mostly_there() {
        let n_exact = (0..40).filter(|&seed| {
            let exact = exhaustive(3, 5, Goal::Best, score(seed, 0.5)).unwrap();
            let found = greedy(&[0, 0, 0], 1, 5, 5, Goal::Best, score(seed, 0.5)).unwrap();
            assert!(found.score <= exact.score);
            found.choice == exact.choice
        });
        let n_exact = n_exact.count();
        assert!(n_exact >= 20, "{n_exact} of 40");
    }

    #[test]
    fn no_candidate_is_taken_twice_and_nan_never_wins() {
        let sum = |choice: &[usize]| -> Result<f64, AnalysisError> {
            Ok(if choice[0] == 3 {
                f64::NAN
            } else {
                choice.iter().sum::<usize>() as f64
            })
        };
        let found = greedy(&[0, 1], 2, 4, 5, Goal::Best, sum).unwrap();
        assert_eq!(found.choice, [2, 3]);
        assert!(greedy(&[0, 1], 2, 1, 5, Goal::Best, sum).is_err());
    }
}
