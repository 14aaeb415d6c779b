//! Where tasks come from several domains: do two tasks of different domains pull against each other more often than two of one?

use serde::{Deserialize, Serialize};

use super::{Angles, TrainingLog};
use crate::estimate::Estimate;
use crate::probe::pool::{in_points, over_runs};

/// Conflicts within and between the domains of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainConflict {
    /// Pairs of tasks of one domain, over all runs and looks.
    pub n_within: usize,
    /// Pairs of tasks of two domains.
    pub n_between: usize,
    /// Share of the pairs of one domain whose meta-gradients have a negative cosine, mean over runs.
    pub within: Estimate,
    /// The same of the pairs of two domains.
    pub between: Estimate,
    /// `between - within`, paired by run, with Student's interval over runs.
    pub excess: Estimate,
}

/// Pairs of one run: of one domain, and of two.
#[derive(Clone, Copy, Debug, Default)]
struct Pairs {
    n: [usize; 2],
    n_negative: [usize; 2],
}

impl Pairs {
    fn of(log: &TrainingLog) -> Self {
        let mut pairs = Self::default();
        for angles in log.lines.iter().filter_map(|line| line.angles.as_ref()) {
            pairs.add(angles);
        }
        pairs
    }

    /// Counts a look; one that left out a pair does not tell which, and is left out.
    fn add(&mut self, angles: &Angles) {
        let domains = &angles.domains;
        let pairs = (0..domains.len()).flat_map(|s| (s + 1..domains.len()).map(move |t| (s, t)));
        if pairs.clone().count() != angles.gradients.len() {
            return;
        }
        for ((s, t), cosine) in pairs.zip(&angles.gradients) {
            let kind = usize::from(domains[s] != domains[t]);
            self.n[kind] += 1;
            self.n_negative[kind] += usize::from(*cosine < 0.0);
        }
    }

    /// Share of each kind in conflict; none where a kind has no pair.
    fn shares(&self) -> Option<[f64; 2]> {
        let share = |kind: usize| self.n_negative[kind] as f64 / self.n[kind] as f64;
        (self.n[0] > 0 && self.n[1] > 0).then(|| [share(0), share(1)])
    }
}

/// Conflicts by kind of pair; none unless some run saw pairs of both kinds.
///
/// # Source
/// Yu et al. 2020, "Gradient surgery for multi-task learning" (conflict: a negative cosine).
pub(super) fn domain_conflict(logs: &[&TrainingLog], level: f64) -> Option<DomainConflict> {
    let runs: Vec<Pairs> = logs.iter().map(|log| Pairs::of(log)).collect();
    let shares: Vec<[f64; 2]> = runs.iter().filter_map(Pairs::shares).collect();
    let over = |of: &dyn Fn(&[f64; 2]) -> f64| {
        let each: Vec<Vec<f64>> = shares.iter().map(|run| vec![of(run)]).collect();
        over_runs(&each, level)
    };
    let n = |kind: usize| runs.iter().map(|run| run.n[kind]).sum();
    Some(DomainConflict {
        n_within: n(0),
        n_between: n(1),
        within: over(&|run| run[0])?.within_shares(),
        between: over(&|run| run[1])?.within_shares(),
        excess: over(&|run| run[1] - run[0])?,
    })
}

impl DomainConflict {
    /// A sentence that says no more than the interval of the excess carries.
    pub(super) fn said(&self) -> String {
        let verdict = match &self.excess.interval {
            None => "one run does not say whether that is more than chance".to_owned(),
            Some(interval) if interval.contains(0.0) => {
                "over these runs not distinguishable from no difference".to_owned()
            }
            Some(_) => format!(
                "a difference of {} beyond what seeds explain",
                in_points(&self.excess)
            ),
        };
        format!(
            " {:.2} % of the task pairs of two domains pull against each other, and {:.2} % of the pairs of one domain: {verdict}.",
            100.0 * self.between.value,
            100.0 * self.within.value
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::training::LogLine;

    fn look(domains: &[u32], gradients: &[f64]) -> LogLine {
        LogLine {
            angles: Some(Angles {
                gradients: gradients.to_vec(),
                domains: domains.to_vec(),
                inner: None,
            }),
            ..LogLine::default()
        }
    }

    /// By hand: pairs (0,1), (0,2), (1,2) of domains a, a, b, so one within and two between. Run one: within 1 of 2 in conflict, between
    /// 3 of 4; run two: 0 of 1 and 1 of 2. A look that left out a pair counts for nothing.
    #[test]
    fn shares_of_both_kinds_by_hand() {
        let log = |lines: Vec<LogLine>| TrainingLog {
            lines,
            ..TrainingLog::default()
        };
        let first = log(vec![
            look(&[0, 0, 1], &[0.5, -0.1, -0.2]),
            look(&[0, 0, 1], &[-0.5, 0.1, -0.2]),
            look(&[0, 0, 1], &[-0.5, -0.1]),
        ]);
        let second = log(vec![look(&[4, 4, 2], &[0.3, -0.1, 0.2])]);
        let found = domain_conflict(&[&first, &second], 0.95).unwrap();
        assert_eq!((found.n_within, found.n_between), (3, 6));
        assert_eq!((found.within.value, found.between.value), (0.25, 0.625));
        // Excesses 0.25 and 0.5: mean 0.375, error 0.125, t(0.975; 1) = 12.7062.
        let interval = found.excess.interval.as_ref().unwrap();
        assert!((interval.half_width() - 12.7062 * 0.125).abs() < 1e-4);
        assert!(found.said().contains("not distinguishable"));
        assert!(domain_conflict(&[&log(vec![look(&[], &[0.5])])], 0.95).is_none());
        assert!(domain_conflict(&[&log(vec![look(&[1, 1], &[0.5])])], 0.95).is_none());
    }
}
