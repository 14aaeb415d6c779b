//! Runs side by side: `jobs` at a time, each with a pool of `threads` of its own.
//!
//! Nothing here can change a result: a run is a function of its configuration, and its sums do not depend on threads.

use std::num::NonZero;
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
        let n_cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::of(n_cores, jobs, threads, n_runs)
    }

    /// The same on another machine, which has so many cores for the process.
    pub(crate) fn of(
        n_cores: usize,
        jobs: Option<usize>,
        threads: Option<usize>,
        n_runs: usize,
    ) -> Result<Self> {
        for (flag, value) in [("--jobs", jobs), ("--threads", threads)] {
            if value == Some(0) {
                bail!("{flag} 0: has to be at least 1");
            }
        }
        let most = n_runs.max(1);
        let jobs = match (jobs, threads) {
            (Some(jobs), _) => jobs.min(most),
            (None, Some(threads)) => (n_cores / threads).clamp(1, most),
            (None, None) => n_cores.min(most),
        };
        let threads = threads.unwrap_or_else(|| (n_cores / jobs).max(1));
        Ok(Self { jobs, threads })
    }

    /// Calls `work` in every job, inside the job's own pool; it returns when it finds nothing more to do.
    ///
    /// The first error is handed on when all have returned.
    pub(crate) fn work(self, work: impl Fn() -> Result<()> + Sync) -> Result<()> {
        let worker = || self.pool()?.install(&work);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs).map(|_| scope.spawn(worker)).collect();
            let results: Vec<Result<()>> = workers
                .into_iter()
                .map(|worker| {
                    worker
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect();
            results.into_iter().collect()
        })
    }

    /// The threads of one job.
    pub(crate) fn pool(self) -> Result<rayon::ThreadPool> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .build()
            .with_context(|| format!("while starting {} threads", self.threads))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_job_works_in_a_pool_of_its_own() {
        for (jobs, threads) in [(1, 1), (1, 3), (2, 1), (7, 2)] {
            let shares = Shares::new(Some(jobs), Some(threads), 20).unwrap();
            let seen = Mutex::new(Vec::new());
            shares
                .work(|| {
                    seen.lock().unwrap().push(rayon::current_num_threads());
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen.into_inner().unwrap(), vec![threads; jobs]);
        }
    }

    #[test]
    fn an_error_is_handed_on() {
        let shares = Shares::new(Some(2), Some(1), 5).unwrap();
        let error = shares.work(|| bail!("no")).unwrap_err();
        assert_eq!(error.to_string(), "no");
    }

    #[test]
    fn nothing_is_shared_into_zero() {
        assert!(Shares::new(Some(0), None, 3).is_err());
        assert!(Shares::new(None, Some(0), 3).is_err());
        let shares = Shares::new(None, Some(1000), 3).unwrap();
        assert_eq!(shares.jobs, 1);
    }
}
