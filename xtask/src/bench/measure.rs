//! Times one workload in this process.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use metastable_models::Backend;

use super::workload::Workload;
use metastable::Ending;

use crate::flags;

/// Steps before the clock starts: caches, branch predictors and buffers are warm afterwards.
const WARM_UP: usize = 2;
const LEAST_STEPS: usize = 5;
const MATRIX_SIDE: usize = 1024;

/// One JSON line; a peer's line has at least the fields without a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measurement {
    pub(super) peer: String,
    pub(super) workload: String,
    pub(super) threads: usize,
    pub(super) steps: usize,
    pub(super) median_s: f64,
    pub(super) min_s: f64,
    pub(super) max_s: f64,
    /// Largest resident memory of the process; none where the system does not tell.
    pub(super) peak_rss_mib: Option<f64>,
    #[serde(default)]
    pub(super) images_per_s: Option<f64>,
    /// Of the textbook algorithm, multiply-add as two.
    #[serde(default)]
    pub(super) gflops: Option<f64>,
    /// `f32` matrix multiplication of 1024 x 1024 by candle's `gemm`, just before.
    #[serde(default)]
    pub(super) sgemm_gflops: Option<f64>,
    #[serde(default)]
    pub(super) instruction_set: Option<String>,
}

/// Runs the workload for about as long as asked.
pub(super) fn measure(workload: &Workload, flags: &flags::Bench) -> Result<Measurement> {
    let threads = match flags.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism()?.get(),
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .context("while starting the threads")?;
    let backend = match flags.backend {
        None | Some(flags::Backend::Fused) => Backend::Fused,
        Some(flags::Backend::Graph) => Backend::Graph,
    };
    metastable::reexec_for(backend)?;
    let limit = Duration::from_secs_f64(flags.seconds);

    let mut times = Vec::new();
    let mut warm_up = WARM_UP;
    let mut begin = Instant::now();
    let mut last = None;
    pool.install(|| {
        workload.run(backend, || {
            let now = Instant::now();
            if warm_up > 0 {
                warm_up -= 1;
                begin = now;
                return true;
            }
            if let Some(last) = last.replace(now) {
                times.push((now - last).as_secs_f64());
            }
            times.len() < LEAST_STEPS || begin.elapsed() < limit
        })
    })?;
    let peak_rss_mib = peak_rss_mib();
    // Afterwards, so that its matrices are not counted.
    let sgemm_gflops = pool.install(sgemm_gflops)?;
    times.sort_by(f64::total_cmp);
    let median_s = times[times.len() / 2];
    Ok(Measurement {
        peer: "metastable".to_owned(),
        workload: workload.name.to_owned(),
        threads,
        steps: times.len(),
        median_s,
        min_s: times[0],
        max_s: times[times.len() - 1],
        peak_rss_mib,
        images_per_s: Some(workload.n_images() as f64 / median_s),
        gflops: Some(workload.flop()? as f64 / median_s / 1e9),
        sgemm_gflops: Some(sgemm_gflops),
        instruction_set: Some(metastable_models::fused::instruction_set().to_owned()),
    })
}

/// Takes steps on one thread, and nothing else.
pub(super) fn take_steps(workload: &Workload, steps: usize) -> Result<Ending> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut taken = 0;
    let go_on = || {
        taken += 1;
        taken <= steps
    };
    black_box(pool.install(|| workload.run(Backend::Fused, go_on))?);
    Ok(Ending::Done)
}

/// Median over half a second.
fn sgemm_gflops() -> Result<f64> {
    let side = MATRIX_SIDE;
    let matrix = |shift: f32| {
        let values: Vec<f32> = (0..side * side).map(|i| (i as f32 * shift).sin()).collect();
        Tensor::from_vec(values, (side, side), &Device::Cpu)
    };
    let (a, b) = (matrix(0.1)?, matrix(0.2)?);
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < 0.5 || times.len() < 5 {
        let start = Instant::now();
        black_box(a.matmul(&b)?);
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(2.0 * (side as f64).powi(3) / times[times.len() / 2] / 1e9)
}

/// `VmHWM` of Linux.
fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
