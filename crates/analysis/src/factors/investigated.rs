//! The estimator of the nearest prior work, beside ours: what one source moves, averaged over many draws of the others.

use serde::{Deserialize, Serialize};

use crate::summary::{mean, standard_deviation};

/// How far one source moves the response against all others together, in the units of the response.
///
/// # Source
/// Pecher, Srba and Bielikova 2024, "On Sensitivity of Learning with Limited Labelled Data to the Effects of Randomness: Impact of
/// Interactions and Systematic Choices" (arXiv 2402.12817), section 3; the same authors' survey, ACM Computing Surveys 57 (arXiv
/// 2312.01082), for the problem.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Investigated {
    /// Draws of the other sources, held while this one varies.
    pub n_settings: usize,
    /// *Contributed*: standard deviation while this source varies and the others are held, averaged over draws of the others.
    pub contributed: f64,
    /// *Mitigated*: standard deviation, over draws of the others, of the means over this source.
    pub mitigated: f64,
    /// *Golden model*: standard deviation of all these runs, in which every source varies. (The paper takes it from runs of their own.)
    pub overall: f64,
    /// `(contributed - mitigated) / overall`: over 0, the source moves more than the others together.
    pub importance: f64,
}

/// The figures of one source. `groups[point][setting]` are the responses of runs that agree in all but this source; groups of one run say nothing. Points of a
/// study of factors count one by one, and their figures are averaged: what a factor does is no chance. `None` where no point has two
/// settings.
pub(super) fn investigated(points: &[Vec<Vec<f64>>]) -> Option<Investigated> {
    let of_point = |groups: &Vec<Vec<f64>>| {
        let groups: Vec<&Vec<f64>> = groups.iter().filter(|group| group.len() > 1).collect();
        let means: Vec<f64> = groups.iter().map(|group| mean(group)).collect();
        let deviations: Vec<f64> = groups
            .iter()
            .map(|group| standard_deviation(group))
            .collect();
        let all: Vec<f64> = groups
            .iter()
            .flat_map(|group| group.iter().copied())
            .collect();
        (groups.len() > 1).then(|| {
            (
                groups.len(),
                [
                    mean(&deviations),
                    standard_deviation(&means),
                    standard_deviation(&all),
                ],
            )
        })
    };
    let found: Vec<(usize, [f64; 3])> = points.iter().filter_map(of_point).collect();
    if found.is_empty() {
        return None;
    }
    let average = |at: usize| mean(&found.iter().map(|it| it.1[at]).collect::<Vec<_>>());
    let [contributed, mitigated, overall] = [0, 1, 2].map(average);
    (overall > 0.0).then(|| Investigated {
        n_settings: found.iter().map(|it| it.0).sum(),
        contributed,
        mitigated,
        overall,
        importance: (contributed - mitigated) / overall,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two settings of the others: 1, 3 and 5, 9. Deviations 1.414 and 2.828, means 2 and 7.
    #[test]
    fn by_hand() {
        let found = investigated(&[vec![vec![1.0, 3.0], vec![5.0, 9.0], vec![4.0]]]).unwrap();
        assert_eq!(found.n_settings, 2);
        assert!((found.contributed - 1.5 * 2f64.sqrt()).abs() < 1e-12);
        assert!((found.mitigated - 5.0 / 2f64.sqrt()).abs() < 1e-12);
        // Of 1, 3, 5, 9: mean 4.5, squares 12.25 + 2.25 + 0.25 + 20.25 = 35, over 3.
        assert!((found.overall - (35.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!(found.importance < 0.0);
        assert_eq!(investigated(&[vec![vec![1.0, 2.0]]]), None);
        assert_eq!(investigated(&[vec![vec![1.0, 1.0], vec![1.0, 1.0]]]), None);
    }
}
