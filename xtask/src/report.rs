//! `report`: the report of a study's folder, from the files of its runs.

use std::path::Path;

use anyhow::{Context, Result, bail};
use metastable_analysis::{Options, Study as Tables, analyze, report};
use metastable_models::Backend;

use crate::Ending;
use crate::files::{read_text, write_whole};
use crate::flags;
use crate::run::{Record, RunFolder, convert};
use crate::shell::quote_path;
use crate::study::suggestion;

/// Runs the command.
pub(crate) fn command(flags: &flags::Report) -> Result<Ending> {
    of_folder(&flags.dir, flags.reference.as_deref())?;
    Ok(Ending::Done)
}

/// Writes the report of all finished runs of a study's folder, and prints its table; `reference` is the learner that
/// says which tasks are hard.
pub(crate) fn of_folder(out: &Path, reference: Option<&str>) -> Result<()> {
    let runs = out.join("runs");
    let folders = std::fs::read_dir(&runs).with_context(|| {
        format!(
            "while looking for runs in {}; give the folder of a study, e.g. runs/quick",
            runs.display()
        )
    })?;
    let mut ids = folders
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<Vec<String>>>()?;
    ids.sort();
    let mut records = Vec::new();
    for id in ids {
        match Record::read(&RunFolder::new(out, &id).record())? {
            Some(record) if record.result.is_some() => records.push(record),
            _ => eprintln!("{id} has not ended and is left out"),
        }
    }
    let Some(first) = records.first() else {
        bail!("no run of {} has ended; run its study first", out.display());
    };
    let (study, order) = (first.study.clone(), learner_order(out)?);
    let rank = |record: &Record| order.iter().position(|name| *name == record.config.name);
    records.sort_by_key(|record| {
        (
            rank(record),
            record.config.name.clone(),
            record.config.seed(),
        )
    });
    let reference = match reference {
        None => usual_reference(&records),
        Some(name) if records.iter().any(|record| record.config.name == name) => Some(name),
        Some(name) => {
            let names: Vec<&str> = order.iter().map(String::as_str).collect();
            bail!(
                "--reference {name}: no run of that learner; {}",
                suggestion(name, &names)
            );
        }
    };
    let options = Options {
        reference: reference.map(str::to_owned),
        ..Options::default()
    };
    write(&study, out, &records, &options)
}

/// The learner whose first run says how hard tasks are: one that compares embeddings and does not adapt, by cosine if
/// there is one, as in the definition.
fn usual_reference(records: &[Record]) -> Option<&str> {
    let has_no_head = |record: &&Record| record.config.network.n_way.is_none();
    let is_cosine = |record: &&Record| {
        let metric = record.config.learner.settings.get("metric");
        metric.is_some_and(|metric| metric == "cosine")
    };
    let candidates = || records.iter().filter(has_no_head);
    let chosen = candidates().find(is_cosine).or_else(|| candidates().next());
    chosen.map(|record| record.config.name.as_str())
}

/// The learners in the order of the study's file.
fn learner_order(out: &Path) -> Result<Vec<String>> {
    let text = read_text(&out.join("study.toml"))?;
    let named = |line: &str| {
        Some(
            line.strip_prefix("[learners.")?
                .strip_suffix(']')?
                .to_owned(),
        )
    };
    Ok(text.lines().filter_map(named).collect())
}

fn write(study: &str, out: &Path, records: &[Record], options: &Options) -> Result<()> {
    let tables = Tables {
        name: study.to_owned(),
        command: replication(out, records),
        runs: records
            .iter()
            .map(|record| convert::table(out, record))
            .collect::<Result<_>>()?,
        factors: None,
    };
    publish(&tables, out, options)
}

/// Analyzes tables, prints the card, and writes the report.
pub(crate) fn publish(tables: &Tables, out: &Path, options: &Options) -> Result<()> {
    let analysis = analyze(tables, options).context("while analyzing the runs")?;
    let mut json = serde_json::to_string_pretty(&analysis)?;
    json.push('\n');
    println!("{}", report::terminal_table(tables, &analysis).trim_end());
    println!();
    for (name, text) in [
        ("report.html", report::html(tables, &analysis)),
        ("report.md", report::markdown(tables, &analysis)),
        ("report.json", json),
    ] {
        let path = out.join(name);
        write_whole(&path, text.as_bytes())?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The command that makes these runs again, bit for bit.
fn replication(out: &Path, records: &[Record]) -> String {
    // By components, or a slash at the end would stay in the middle.
    let mut again = out.components().as_path().as_os_str().to_owned();
    again.push("-again");
    let mut command = format!(
        "cargo xtask experiment {} --out {}",
        quote_path(&out.join("study.toml")),
        quote_path(Path::new(&again))
    );
    if let Some(record) = records.first() {
        let compute = &record.config.compute;
        if compute.device != "cpu" {
            command += &format!(" --device {}", compute.device);
        }
        if compute.backend == Backend::Graph {
            command += " --backend graph";
        }
    }
    command
}
