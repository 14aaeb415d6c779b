//! Runs side by side: `jobs` at a time, each with a pool of `threads` of its own.
//!
//! Nothing here can change a result: a run is a function of its configuration, and its sums do not depend on threads.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};

/// How the cores are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Runs side by side.
    pub(crate) jobs: usize,
    /// Threads of each.
    pub(crate) threads: usize,
}

impl Shares {
    /// What the user asked for; what is left open uses all cores. One thread for each run is the fastest share:
    /// two runs on a core each beat one run on two cores.
    pub(crate) fn new(jobs: Option<usize>, threads: Option<usize>, n_runs: usize) -> Result<Self> {
        for (flag, value) in [("--jobs", jobs), ("--threads", threads)] {
            if value == Some(0) {
                bail!("{flag} 0: has to be at least 1");
            }
        }
        let n_cores = thread::available_parallelism().map_or(1, NonZero::get);
        let most = n_runs.max(1);
        let jobs = match (jobs, threads) {
            (Some(jobs), _) => jobs.min(most),
            (None, Some(threads)) => (n_cores / threads).clamp(1, most),
            (None, None) => n_cores.min(most),
        };
        let threads = threads.unwrap_or_else(|| (n_cores / jobs).max(1));
        Ok(Self { jobs, threads })
    }

    /// Does `work(0), ..., work(n - 1)`, first come first served, and returns the results in order of index.
    ///
    /// After an error no further piece of work is begun; those under way end by themselves.
    pub(crate) fn run<T: Send>(
        self,
        n: usize,
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..n).map(|_| None).collect());
        let worker = || -> Result<()> {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(self.threads)
                .build()
                .with_context(|| format!("while starting {} threads", self.threads))?;
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= n {
                    return Ok(());
                }
                let result = pool.install(|| work(index));
                if result.is_err() {
                    next.store(n, Ordering::Relaxed);
                }
                let mut results = results.lock().unwrap_or_else(|lock| lock.into_inner());
                results[index] = Some(result);
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        let results = results
            .into_inner()
            .unwrap_or_else(|lock| lock.into_inner());
        results.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_at_any_share() {
        for (jobs, threads) in [(1, 1), (1, 3), (2, 1), (7, 2)] {
            let shares = Shares::new(Some(jobs), Some(threads), 20).unwrap();
            let squares = shares.run(20, |i| Ok(i * i)).unwrap();
            assert_eq!(squares, (0..20).map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_is_handed_on_and_ends_the_queue() {
        let shares = Shares::new(Some(1), Some(1), 5).unwrap();
        let begun = AtomicUsize::new(0);
        let error = shares
            .run(5, |i| {
                begun.fetch_add(1, Ordering::Relaxed);
                if i == 2 { bail!("no") } else { Ok(()) }
            })
            .unwrap_err();
        assert_eq!(error.to_string(), "no");
        assert_eq!(begun.into_inner(), 3);
    }

    #[test]
    fn nothing_is_shared_into_zero() {
        assert!(Shares::new(Some(0), None, 3).is_err());
        assert!(Shares::new(None, Some(0), 3).is_err());
        let shares = Shares::new(None, Some(1000), 3).unwrap();
        assert_eq!(shares.jobs, 1);
    }
}
