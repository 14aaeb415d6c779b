//! `experiment --plan`: how many runs, how long, how much disk; measured, and nothing is run or written but what was measured.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;
use std::thread;

use anyhow::{Result, anyhow};
use metastable_data::MetaSplit;

use crate::measured::Measured;
use crate::places::cache_dir;
use crate::plan::Planned;
use crate::progress::clock;
use crate::run::cost::{Cost, disk_bytes, kind};
use crate::run::{Run, RunConfig};
use crate::schedule::Shares;
use crate::store::{self, Stored};
use crate::study::ProbeSettings;

/// Runs that cost the same.
struct Kind<'r> {
    first: &'r Planned,
    runs: Vec<&'r Planned>,
}

/// Whether a run starts a process that the study names.
fn starts_process(config: &RunConfig) -> bool {
    config.is_guest() || config.data.environment.is_some()
}

/// Prints what the study would take.
pub(crate) fn preview(
    runs: &[Planned],
    probe: Option<&ProbeSettings>,
    store: &Path,
    shares: Shares,
) -> Result<()> {
    let is_finished = |run: &&Planned| {
        let folder = store::folder(store, &run.identity);
        matches!(store::stored(&folder, &run.identity), Stored::Whole)
    };
    let (finished, left): (Vec<&Planned>, Vec<&Planned>) = runs.iter().partition(is_finished);
    let is_trained = |config: &RunConfig| -> Result<bool> {
        let training = config.training_identity()?;
        Ok(!config.is_guest() && store::trained_by(store, &training).next().is_some())
    };
    let mut n_trained = 0;
    let mut kinds: BTreeMap<String, Kind<'_>> = BTreeMap::new();
    for run in &left {
        kinds
            .entry(kind(&run.config)?)
            .or_insert_with(|| Kind {
                first: run,
                runs: Vec::new(),
            })
            .runs
            .push(run);
    }
    let mut ordered: Vec<(&String, &Kind<'_>)> = kinds.iter().collect();
    ordered.sort_by_key(|(_, kind)| left.iter().position(|run| run.label == kind.first.label));
    if !ordered.is_empty() {
        println!("  runs    ms/step    one run  kind, by its first run");
    }
    let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();
    let mut bytes = 0;
    let mut measured = Measured::read(cache_dir());
    for (name, kind) in ordered {
        if starts_process(&kind.first.config) {
            for run in &kind.runs {
                seconds.insert(&run.label, 0.0);
            }
            println!(
                "{:>6} {:>10} {:>10}  {} (your own process: --plan does not start it, so its time and disk space are not in the sums)",
                kind.runs.len(),
                "?",
                "?",
                kind.first.label
            );
            continue;
        }
        let (cost, n_parameters) = measured.get(name, shares, || measure(kind.first, shares))?;
        for run in &kind.runs {
            let time = if is_trained(&run.config)? {
                n_trained += 1;
                cost.of_measurement(&run.config)
            } else {
                cost.of_run(&run.config)
            };
            seconds.insert(&run.label, time);
            let classes = run.material.split.classes(MetaSplit::Test).iter();
            let n_images = classes.map(|at| run.material.dataset.classes[*at as usize].n_images);
            bytes += disk_bytes(&run.config, n_parameters, n_images.sum());
        }
        println!(
            "{:>6} {:>10.2} {:>10}  {}",
            kind.runs.len(),
            1e3 * cost.step,
            clock(cost.of_run(&kind.first.config)),
            kind.first.label
        );
    }
    let inorder: Vec<f64> = left.iter().map(|run| seconds[run.label.as_str()]).collect();
    println!(
        "{} runs: {} in the store, {} to do{}",
        runs.len(),
        finished.len(),
        left.len(),
        match n_trained {
            0 => String::new(),
            n => format!(" ({n} of them trained already, to be tested)"),
        }
    );
    println!(
        "time: about {} ({} at a time with {} each; {} of computing)",
        clock(makespan(&inorder, shares.jobs)),
        shares.jobs,
        crate::progress::threads(shares.threads),
        clock(inorder.iter().sum())
    );
    if let Some(run) = left.iter().find(|run| !starts_process(&run.config)) {
        compare_shares(run, &mut measured)?;
    }
    match measured.keep() {
        Ok(Some(said)) => println!("steps: {said}"),
        Ok(None) => {}
        // The answer does not depend on it.
        Err(error) => note!("what was measured is not kept: {error:#}"),
    }
    println!("disk: about {} in {}", size(bytes), store.display());
    if let Some(probe) = probe.filter(|probe| !probe.families.is_empty()) {
        let families: Vec<String> = probe.families.iter().map(|it| it.code()).collect();
        println!(
            "then each of the {} trained learners is asked about {} on {} tasks; the times above do not include this",
            runs.len(),
            families.join(", "),
            probe.tasks
        );
    }
    Ok(())
}

/// Measures one run as it will run: beside others like it.
#[allow(clippy::cast_precision_loss, reason = "a handful of jobs")]
fn measure(planned: &Planned, shares: Shares) -> Result<(Cost, usize)> {
    let one = || -> Result<(Cost, usize)> {
        let run = Run::new(&planned.label, &planned.config)?;
        let cost = shares.pool()?.install(|| run.cost(&planned.material))?;
        Ok((cost, run.network().layout().n_values()))
    };
    let measured: Vec<Result<(Cost, usize)>> = thread::scope(|scope| {
        let jobs: Vec<_> = (0..shares.jobs).map(|_| scope.spawn(one)).collect();
        jobs.into_iter()
            .map(|job| {
                job.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let measured: Vec<(Cost, usize)> = measured.into_iter().collect::<Result<_>>()?;
    let mean = |of: fn(&Cost) -> f64| {
        measured.iter().map(|(cost, _)| of(cost)).sum::<f64>() / measured.len() as f64
    };
    let (_, n_parameters) = measured.first().ok_or_else(|| anyhow!("no job"))?;
    let cost = Cost {
        step: mean(|cost| cost.step),
        task: mean(|cost| cost.task),
        curve: mean(|cost| cost.curve),
    };
    Ok((cost, *n_parameters))
}

/// Says which share of the cores makes the most steps: runs side by side, or threads of one.
#[allow(clippy::cast_precision_loss, reason = "a handful of jobs")]
fn compare_shares(run: &Planned, measured: &mut Measured) -> Result<()> {
    let name = kind(&run.config)?;
    let n_cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut rates = Vec::new();
    for jobs in (1..=n_cores).filter(|jobs| n_cores.is_multiple_of(*jobs)) {
        let shares = Shares::new(Some(jobs), Some(n_cores / jobs), jobs)?;
        let (cost, _) = measured.get(&name, shares, || measure(run, shares))?;
        let rate = jobs as f64 / cost.step;
        rates.push(format!("{jobs} x {}: {rate:.1} steps/s", shares.threads));
    }
    if rates.len() > 1 {
        println!("runs x threads: {} ({})", rates.join(", "), run.label);
    }
    Ok(())
}

/// When the last run ends, if each goes to the job that is free first.
fn makespan(seconds: &[f64], jobs: usize) -> f64 {
    let mut busy = vec![0.0_f64; jobs.max(1)];
    for seconds in seconds {
        busy.sort_by(f64::total_cmp);
        busy[0] += seconds;
    }
    busy.into_iter().fold(0.0, f64::max)
}

/// `12.3 MB`.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn size(bytes: usize) -> String {
    let bytes = bytes as f64;
    match bytes {
        0.0..1e6 => format!("{:.0} kB", bytes / 1e3),
        1e6..1e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp, reason = "sums of small whole numbers are exact")]
    fn the_last_run_ends_when_its_job_does() {
        assert_eq!(makespan(&[4.0, 1.0, 1.0, 1.0], 2), 4.0);
        assert_eq!(makespan(&[1.0, 1.0, 1.0], 2), 2.0);
        assert_eq!(makespan(&[1.0, 2.0], 1), 3.0);
        assert_eq!(makespan(&[], 2), 0.0);
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(1_500), "2 kB");
        assert_eq!(size(12_340_000), "12.3 MB");
        assert_eq!(size(2_000_000_000), "2.0 GB");
    }
}
