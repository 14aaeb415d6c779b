//! `advise`: which further runs would settle what a study leaves open, and how long they take.

use anyhow::{Context, Result, bail};
use metastable_analysis::{analyze, report};

use crate::Ending;
use crate::campaign::StudyFolder;
use crate::campaign::left_out::LeftOut;
use crate::flags;
use crate::report::tables;

/// Runs the command.
pub(crate) fn command(flags: &flags::Advise) -> Result<Ending> {
    let folder = StudyFolder::new(&flags.dir);
    let index = folder.read()?;
    let mut left_out = LeftOut::default();
    let finished = folder.finished(&index, |entry, stored| left_out.note(&entry.label, stored))?;
    if finished.is_empty() {
        bail!(
            "no run of {} has ended; run its study first",
            flags.dir.display()
        );
    }
    let (tables, options, read) = tables(&folder, &index, &finished, None)?;
    let analysis = analyze(&tables, &options).context("while analyzing the runs")?;
    let ending = left_out.ending().or(read);
    let Some(advice) = report::advice(&tables, &analysis) else {
        println!("Nothing is open that up to 200 seeds of each learner would settle.");
        return Ok(ending);
    };
    let trained: f64 = tables.runs.iter().map(|run| run.train_seconds).sum();
    #[allow(clippy::cast_precision_loss, reason = "a number of runs")]
    let seconds = trained / tables.runs.len() as f64 * advice.runs as f64;
    println!(
        "{} seeds of each learner would settle, if the estimates are right:",
        advice.seeds
    );
    for what in &advice.settles {
        println!("  {what}");
    }
    println!(
        "{} new runs, about {} of training if one follows another (as long as the {} runs so far took).",
        advice.runs,
        duration(seconds),
        tables.runs.len()
    );
    if advice.rest > 0 {
        println!("{} open verdicts would need more.", advice.rest);
    }
    if let Some(command) = &advice.command {
        println!();
        println!("{command}");
    }
    Ok(ending)
}

/// `40 s`, `4 min`, `2.5 h`.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
