//! How many tasks are to be submitted, and when: arithmetic, without a clock and without Slurm.

use std::time::Duration;

/// Most tasks of one array: Slurm's own bound on a number in an array (`MaxArraySize`) is 1001 unless a site says other.
const MOST_TASKS: usize = 1000;

/// So many arrays in a row that bring nothing end the following: something is wrong that more of them do not mend.
const MOST_FRUITLESS: usize = 3;

/// Between two submissions; twice as long after each, until a run ends.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// How far a study is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Runs that have ended, well or not.
    pub(super) ended: usize,
    /// Outer steps of the others.
    pub(super) steps: usize,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Enough tasks live, or the last submission was a moment ago.
    Wait,
    /// Submit so many.
    Submit(usize),
    /// Tasks come and go, and nothing moves.
    GiveUp,
}

/// The submissions of one follower.
#[derive(Debug, Default)]
pub(super) struct Need {
    /// When the last was, and how far the study was then.
    last: Option<(Duration, Mark)>,
    pause: Duration,
    fruitless: usize,
}

impl Need {
    /// Tasks that `open` runs need, `jobs` side by side in each, beyond those that live.
    ///
    /// Every open run counts, also one that a task has in hand: each task that lives stands for `jobs` of them. So a task
    /// that is lost is missed at once, although the others would come to its runs in the end.
    fn missing(open: usize, jobs: usize, alive: usize) -> usize {
        open.div_ceil(jobs.max(1))
            .min(MOST_TASKS)
            .saturating_sub(alive)
    }

    /// `now` is the time since some moment in the past.
    pub(super) fn next(
        &self,
        open: usize,
        jobs: usize,
        alive: usize,
        progress: Mark,
        now: Duration,
    ) -> Next {
        let missing = Self::missing(open, jobs, alive);
        if missing == 0 {
            return Next::Wait;
        }
        match self.last {
            Some((when, _)) if now < when + self.pause => Next::Wait,
            Some((_, then))
                if alive == 0 && then == progress && self.fruitless + 1 >= MOST_FRUITLESS =>
            {
                Next::GiveUp
            }
            _ => Next::Submit(missing),
        }
    }

    /// Whether this follower has submitted anything.
    pub(super) fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// Notes a submission.
    pub(super) fn submitted(&mut self, progress: Mark, now: Duration) {
        let before = self
            .last
            .replace((now, progress))
            .map(|(_, progress)| progress);
        self.fruitless = match before {
            Some(before) if before == progress => self.fruitless + 1,
            _ => 0,
        };
        self.pause = match before {
            Some(before) if before.ended == progress.ended => (2 * self.pause).min(LONGEST_PAUSE),
            _ => FIRST_PAUSE,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ended: usize, steps: usize) -> Mark {
        Mark { ended, steps }
    }

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn every_task_that_lives_stands_for_its_share_of_open_runs() {
        for (open, jobs, alive, missing) in [
            (8, 1, 0, 8),
            (8, 1, 7, 1),
            (8, 1, 9, 0),
            (0, 1, 0, 0),
            (9, 4, 0, 3),
            (9, 4, 2, 1),
            (5000, 2, 0, 1000),
        ] {
            assert_eq!(
                Need::missing(open, jobs, alive),
                missing,
                "{open} {jobs} {alive}"
            );
        }
    }

    #[test]
    fn a_lost_task_is_replaced_and_pauses_grow_until_a_run_ends() {
        let mut need = Need::default();
        assert_eq!(need.next(8, 1, 0, at(0, 0), seconds(0)), Next::Submit(8));
        need.submitted(at(0, 0), seconds(0));
        assert_eq!(need.next(8, 1, 8, at(0, 3), seconds(1)), Next::Wait);
        assert_eq!(need.next(8, 1, 7, at(0, 9), seconds(4)), Next::Wait);
        assert_eq!(need.next(8, 1, 7, at(0, 9), seconds(5)), Next::Submit(1));
        need.submitted(at(0, 9), seconds(5));
        // No run has ended since: twice the pause.
        assert_eq!(need.next(8, 1, 7, at(0, 20), seconds(14)), Next::Wait);
        assert_eq!(need.next(8, 1, 7, at(0, 20), seconds(15)), Next::Submit(1));
        need.submitted(at(1, 20), seconds(15));
        assert_eq!(need.next(7, 1, 6, at(1, 30), seconds(20)), Next::Submit(1));
        for i in 0..20 {
            need.submitted(at(1, 30 + i), seconds(20));
        }
        assert_eq!(need.pause, LONGEST_PAUSE);
    }

    #[test]
    fn arrays_that_bring_nothing_are_few() {
        let mut need = Need::default();
        let mut now = seconds(0);
        let mut n_submissions = 0;
        loop {
            match need.next(8, 1, 0, at(2, 40), now) {
                Next::Wait => now += seconds(1),
                Next::Submit(8) => {
                    need.submitted(at(2, 40), now);
                    n_submissions += 1;
                }
                Next::Submit(other) => panic!("{other} tasks"),
                Next::GiveUp => break,
            }
        }
        assert_eq!(n_submissions, MOST_FRUITLESS);
        // A single step is enough to go on.
        assert_eq!(need.next(8, 1, 0, at(2, 41), now), Next::Submit(8));
    }
}
