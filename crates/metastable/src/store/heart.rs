//! The beat of all claims that a process holds: one thread, which sleeps.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use super::claim::Lease;

/// Beats until it is dropped.
#[derive(Debug)]
pub(crate) struct Heart {
    leases: Arc<Mutex<Vec<Weak<Lease>>>>,
    /// Dropped with the heart, which ends the thread.
    _stop: Sender<()>,
}

impl Heart {
    /// Starts to beat, at this pace.
    pub(crate) fn start(pace: Duration) -> Self {
        let leases: Arc<Mutex<Vec<Weak<Lease>>>> = Arc::default();
        let (stop, stopped) = channel::<()>();
        let mine = Arc::clone(&leases);
        thread::spawn(move || {
            while stopped.recv_timeout(pace) == Err(RecvTimeoutError::Timeout) {
                let mut leases = mine.lock().unwrap_or_else(PoisonError::into_inner);
                leases.retain(|lease| match lease.upgrade() {
                    None => false,
                    Some(lease) => {
                        // A beat that fails is a silence; after the time of the lease others take over.
                        let _ = lease.beat();
                        true
                    }
                });
            }
        });
        Self {
            leases,
            _stop: stop,
        }
    }

    /// Beats for this one too, as long as somebody holds it.
    pub(crate) fn add(&self, lease: &Arc<Lease>) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.push(Arc::downgrade(lease));
    }
}
