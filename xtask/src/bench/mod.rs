//! `bench`: seconds, GFLOP/s and memory of the workloads that the peers' scripts run too.
//!
//! Every workload runs in a process of its own, so that its peak memory is its own. Matrix multiplication of candle's
//! `gemm` is measured before each, as the limit of the machine at that moment.

mod measure;
mod table;
mod workload;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use self::measure::Measurement;
use self::workload::{WORKLOADS, Workload};
use metastable::Ending;

use crate::flags;

/// Runs the command.
pub(crate) fn bench(flags: &flags::Bench) -> Result<Ending> {
    if let Some(name) = &flags.alone {
        if let Some(steps) = flags.steps {
            return measure::take_steps(Workload::named(name)?, steps);
        }
        let measured = measure::measure(Workload::named(name)?, flags)?;
        println!("{}", serde_json::to_string(&measured)?);
        return Ok(Ending::Done);
    }
    let others = match &flags.against {
        Some(path) => best_of_others(path)?,
        None => BTreeMap::new(),
    };
    let chosen: Vec<&Workload> = if flags.workloads.is_empty() {
        WORKLOADS.iter().collect()
    } else {
        let named = flags.workloads.iter().map(|name| Workload::named(name));
        named.collect::<Result<_>>()?
    };
    if !flags.json {
        println!("{}", table::header(!others.is_empty()));
    }
    for workload in chosen {
        let measured = in_own_process(workload, flags)?;
        if flags.json {
            println!("{}", serde_json::to_string(&measured)?);
        } else {
            let other = others.get(&(measured.workload.clone(), measured.threads));
            println!("{}", table::line(&measured, other));
        }
    }
    Ok(Ending::Done)
}

fn in_own_process(workload: &Workload, flags: &flags::Bench) -> Result<Measurement> {
    let program = std::env::current_exe().context("while looking for this program")?;
    let mut command = Command::new(program);
    command
        .args(["bench", "--alone", workload.name])
        .args(["--seconds", &flags.seconds.to_string()]);
    if let Some(threads) = flags.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    if let Some(backend) = flags.backend {
        let name = match backend {
            flags::Backend::Fused => "fused",
            flags::Backend::Graph => "graph",
        };
        command.args(["--backend", name]);
    }
    let output = command
        .output()
        .with_context(|| format!("while starting the workload {}", workload.name))?;
    if !output.status.success() {
        bail!(
            "the workload {} failed: {}",
            workload.name,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The fastest measurement of each workload and number of threads in a file of JSON lines; lines about other things are
/// passed over.
fn best_of_others(path: &Path) -> Result<BTreeMap<(String, usize), Measurement>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--against {}: cannot be read", path.display()))?;
    let mut best: BTreeMap<(String, usize), Measurement> = BTreeMap::new();
    let measurements = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Measurement>(line).ok());
    for other in measurements {
        let key = (other.workload.clone(), other.threads);
        if best
            .get(&key)
            .is_none_or(|best| other.median_s < best.median_s)
        {
            best.insert(key, other);
        }
    }
    if best.is_empty() {
        bail!(
            "--against {}: no line is a measurement; it takes what `bench --json` or a peer's run.py prints",
            path.display()
        );
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_peer_of_each_workload_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peers.jsonl");
        let peer = |name: &str, seconds: f64, threads: usize| {
            format!(
                r#"{{"peer":"{name}","workload":"maml-5w1s","threads":{threads},"median_s":{seconds},"min_s":0.1,"max_s":2.0,"peak_rss_mib":900,"steps":10,"variant":"x"}}"#
            )
        };
        let lines = [
            peer("slow", 1.0, 2),
            peer("fast", 0.5, 2),
            peer("alone", 0.9, 1),
            r#"{"what":"sgemm"}"#.to_owned(),
        ];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let best = best_of_others(&path).unwrap();
        assert_eq!(best[&("maml-5w1s".to_owned(), 2)].peer, "fast");
        assert_eq!(best[&("maml-5w1s".to_owned(), 1)].peer, "alone");

        std::fs::write(&path, "nothing\n").unwrap();
        let complaint = best_of_others(&path).unwrap_err().to_string();
        assert!(
            complaint.contains("no line is a measurement"),
            "{complaint}"
        );
    }

    #[test]
    fn every_workload_makes_a_step() {
        // The smallest of each kind: the others differ in size only.
        for name in ["protonet-5w1s", "forward-80"] {
            let workload = Workload::named(name).unwrap();
            assert!(workload.flop().unwrap() > 0);
            let mut steps = 0;
            let count = || {
                steps += 1;
                steps <= 1
            };
            workload
                .run(metastable_models::Backend::Fused, count)
                .unwrap();
            assert_eq!(steps, 2);
        }
        let complaint = Workload::named("maml-5w").unwrap_err().to_string();
        assert!(complaint.contains("maml-5w1s"), "{complaint}");
    }
}
