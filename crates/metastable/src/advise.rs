//! `advise`: which further runs would settle what a study leaves open, and how long they take.

use anyhow::{Context, Result};
use metastable_analysis::{analyze, report};

use crate::Ending;
use crate::flags;
use crate::report::{Opened, tables};

/// Runs the command.
pub(crate) fn command(flags: &flags::Advise) -> Result<Ending> {
    let opened = Opened::new(&flags.dir)?;
    let (tables, options, read) = tables(&opened.folder, &opened.index, &opened.finished, None)?;
    let analysis = analyze(&tables, &options).context("while analyzing the runs")?;
    let advice = report::advice(&tables, &analysis);
    for sentence in &advice.sentences {
        println!("{sentence}");
    }
    if advice.new_runs > 0 {
        let trained: f64 = tables.runs.iter().map(|run| run.train_seconds).sum();
        #[allow(clippy::cast_precision_loss, reason = "a number of runs")]
        let seconds = trained / tables.runs.len() as f64 * advice.new_runs as f64;
        println!(
            "About {} of training if one run follows another (as long as the {} runs so far took).",
            duration(seconds),
            tables.runs.len()
        );
    }
    if let Some(command) = &advice.command {
        println!();
        println!("{command}");
    }
    Ok(opened.left_out.or(read))
}

/// `40 s`, `4 min`, `2.5 h`.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
