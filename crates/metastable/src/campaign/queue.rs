//! The runs of a study that are still to do, as one process sees them. Its workers take turns at the list; what other
//! processes have claimed is looked at again until it is finished, or free.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nobody is known to work on it.
    Open,
    /// A worker of this process has it in hand.
    InHand,
    /// Another process has claimed it; when to look again.
    Elsewhere(Instant),
    /// It is in the store.
    Finished,
    /// It could not be finished; why.
    Failed(String),
}

/// The list, shared by the workers.
#[derive(Debug)]
pub(crate) struct Queue {
    places: Mutex<Vec<Place>>,
    /// The run that is tried first of those that are open.
    first: AtomicUsize,
    changed: Condvar,
    /// Pause between two looks at a run that another process has.
    pause: Duration,
}

/// What a worker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try this run.
    Try(usize),
    /// Look again; the workers of this process, or others, have what is left.
    Wait,
    /// Nothing is left for this worker.
    Nothing,
}

impl Queue {
    /// `n` runs, all open.
    pub(crate) fn new(n: usize, pause: Duration) -> Self {
        Self {
            places: Mutex::new(vec![Place::Open; n]),
            first: AtomicUsize::new(0),
            changed: Condvar::new(),
            pause,
        }
    }

    /// Begins at the `n`-th of the runs that are open now, counted around.
    pub(crate) fn begin_at(&self, n: usize) {
        let places = self.lock();
        let open: Vec<usize> = (0..places.len())
            .filter(|index| places[*index] == Place::Open)
            .collect();
        if !open.is_empty() {
            self.first.store(open[n % open.len()], Ordering::Relaxed);
        }
    }

    /// The next run to try, which is in hand from now on.
    pub(crate) fn next(&self) -> Next {
        let now = Instant::now();
        let mut places = self.lock();
        let is_due = |place: &Place| match place {
            Place::Open => true,
            Place::Elsewhere(when) => *when <= now,
            _ => false,
        };
        let first = self.first.load(Ordering::Relaxed);
        let mut around = (first..places.len()).chain(0..first);
        let open = around.find(|index| places[*index] == Place::Open);
        if let Some(index) = open.or_else(|| places.iter().position(is_due)) {
            places[index] = Place::InHand;
            return Next::Try(index);
        }
        if places.iter().any(|it| matches!(it, Place::Elsewhere(_))) {
            Next::Wait
        } else {
            Next::Nothing
        }
    }

    /// Waits until something may have changed.
    pub(crate) fn wait(&self) {
        let places = self.lock();
        let pause = self.pause.min(Duration::from_millis(200));
        let waited = self.changed.wait_timeout(places, pause);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes what became of a run.
    pub(crate) fn put(&self, index: usize, place: Place) {
        self.lock()[index] = place;
        self.changed.notify_all();
    }

    /// Another process has the run.
    pub(crate) fn put_elsewhere(&self, index: usize) {
        self.put(index, Place::Elsewhere(Instant::now() + self.pause));
    }

    /// What is known of every run.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.lock().clone()
    }

    /// How many runs are in each state.
    pub(crate) fn count(&self, which: impl Fn(&Place) -> bool) -> usize {
        self.lock().iter().filter(|place| which(place)).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_runs_come_first_and_claimed_ones_come_again() {
        let queue = Queue::new(3, Duration::from_millis(30));
        assert_eq!(queue.next(), Next::Try(0));
        queue.put_elsewhere(0);
        assert_eq!(queue.next(), Next::Try(1));
        queue.put(1, Place::Finished);
        assert_eq!(queue.next(), Next::Try(2));
        assert_eq!(queue.next(), Next::Wait);
        queue.put(2, Place::Failed("no".into()));
        assert_eq!(queue.next(), Next::Wait);
        std::thread::sleep(Duration::from_millis(40));
        assert_eq!(queue.next(), Next::Try(0));
        assert_eq!(queue.next(), Next::Nothing);
        queue.put(0, Place::Finished);
        assert_eq!(queue.count(|place| *place == Place::Finished), 2);
    }

    #[test]
    fn tasks_begin_at_different_runs_and_come_around() {
        let queue = Queue::new(5, Duration::ZERO);
        queue.put(1, Place::Finished);
        // Open are 0, 2, 3, 4: the seventh, counted around, is 3.
        queue.begin_at(6);
        let order: Vec<Next> = (0..5).map(|_| queue.next()).collect();
        let tried = [3, 4, 0, 2].map(Next::Try);
        assert_eq!(order[..4], tried);
        assert_eq!(order[4], Next::Nothing);
        // Nothing is open: nowhere to begin.
        queue.begin_at(1);
    }
}
