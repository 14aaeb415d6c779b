//! `report`: the report of a study's folder, from the files of its runs.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use metastable_analysis::gate::{Checked, Gate, GateOutcome};
use metastable_analysis::record::domains::TaskDomains;
use metastable_analysis::report::{Beside, Input};
use metastable_analysis::{
    Certainty, Finding, Options, Study as Tables, StudyAnalysis, analyze_with, report,
};
use metastable_models::Backend;
use rayon::prelude::*;
use serde::Serialize;

use crate::Ending;
use crate::campaign::factors::{factor_table, is_one_thing};
use crate::campaign::folder::Index;
use crate::campaign::replacements::replacements;
use crate::campaign::{Finished, StudyFolder};
use crate::figures;
use crate::files::write_whole;
use crate::flags;
use crate::opened::Opened;
use crate::probe;
use crate::receipts;
use crate::registry::registry;
use crate::reproduce::{self, Compared, Row};
use crate::run::{convert, regression, results, returns};
use crate::shell::quote_path;
use crate::study::suggestion;
use crate::titles::titled;

/// Runs the command.
pub(crate) fn command(flags: &flags::Report) -> Result<Ending> {
    let opened = Opened::new(&flags.dir)?;
    let Opened { folder, index, .. } = &opened;
    let reference = flags.reference.as_deref();
    let ending = write(folder, index, &opened.finished, reference, &flags.output)?;
    Ok(opened.left_out.or(ending))
}

/// The learner whose first run says how hard tasks are: one that compares embeddings and does not adapt, by cosine if
/// there is one, as in the definition.
fn usual_reference(runs: &[Finished]) -> Option<&str> {
    let has_no_head = |run: &&Finished| {
        let config = &run.record.config;
        config.network.n_way.is_none() && !config.learner.settings.contains_key("head")
    };
    let is_cosine = |run: &&Finished| {
        let metric = run.record.config.learner.settings.get("metric");
        metric.is_some_and(|metric| metric == "cosine")
    };
    let candidates = || runs.iter().filter(has_no_head);
    let chosen = candidates().find(is_cosine).or_else(|| candidates().next());
    chosen.map(|run| run.entry.learner.as_str())
}

/// Writes the report of these runs, and prints its table; `reference` is the learner that says which tasks are hard.
pub(crate) fn write(
    folder: &StudyFolder,
    index: &Index,
    runs: &[Finished],
    reference: Option<&str>,
    output: &flags::Output,
) -> Result<Ending> {
    let (tables, options, read) = tables(folder, index, runs, reference)?;
    let (inputs, read_inputs) = receipts::read(folder.path())?;
    // A study whose runs cannot be compared with a paper has its report nevertheless.
    let compared = reproduce::compared(index, runs).unwrap_or_else(|why| {
        eprintln!("no chapter on published numbers: {why:#}");
        Compared::default()
    });
    let beside = Besides {
        inputs: &inputs,
        compared,
    };
    let published = publish_with(&tables, &beside, folder.path(), &options, output)?;
    Ok(read.or(read_inputs).or(published))
}

/// The tables of these runs, the options they are analyzed with, and whether all answers could be read.
pub(crate) fn tables(
    folder: &StudyFolder,
    index: &Index,
    runs: &[Finished],
    reference: Option<&str>,
) -> Result<(Tables, Options, Ending)> {
    let out = folder.path();
    let (reference, said) = match reference {
        Some(_) => (reference, "--reference"),
        None => (index.analysis.reference.as_deref(), "analysis.reference"),
    };
    let reference = match reference {
        None => usual_reference(runs),
        Some(name) if runs.iter().any(|run| run.entry.learner == name) => Some(name),
        Some(name) => {
            let mut names: Vec<&str> = runs.iter().map(|run| run.entry.learner.as_str()).collect();
            names.dedup();
            bail!(
                "{said} {name}: no run of that learner; {}",
                suggestion(name, &names)
            );
        }
    };
    let mut options = Options {
        reference: reference.map(str::to_owned),
        // A study has scores of one kind; the plan sees to that.
        scale: match runs.first().map(|run| &run.record.config) {
            Some(config) if config.is_regression() => Some(regression::scale()),
            Some(config) if config.is_policy() => Some(returns::scale()),
            _ => index.analysis.scale.clone(),
        },
        ..index.analysis.clone()
    };
    if options.scale.is_some() {
        // Thresholds in accuracies say nothing on another scale.
        options.lights.retain(|column, _| column == "failed");
    }
    // A training in which a task was exchanged is no further seed of its learner.
    let (runs, others): (Vec<&Finished>, Vec<&Finished>) = if is_one_thing(index) {
        runs.iter().partition(|run| run.is_original())
    } else {
        (runs.iter().collect(), Vec::new())
    };
    let reports: Vec<_> = runs.par_iter().map(|run| convert::table(run)).collect();
    // Then one after the other, so that of several errors it is always the first that is told.
    let reports = reports.into_iter().collect::<Result<Vec<_>>>()?;
    let factors = factor_table(index, &runs, &reports, &options)?;
    let (probes, read) = probe::answers(out, index.probe.as_ref(), &runs)?;
    let tables = Tables {
        name: index.study.clone(),
        command: replication(out, &runs),
        // At other points the same learner is another one: its runs are no seeds of one thing.
        runs: if is_one_thing(index) {
            reports
        } else {
            Vec::new()
        },
        factors,
        probes,
        replacements: replacements(&runs, &others)?,
        domains: domains(&runs)?,
    };
    Ok((tables, options, read))
}

/// Which domain the test tasks of each setting are from; of settings that learn from a mix.
fn domains(runs: &[&Finished]) -> Result<Vec<TaskDomains>> {
    let mut found: Vec<TaskDomains> = Vec::new();
    for run in runs {
        let config = &run.record.config;
        let setting = config.setting();
        let is_tested = run
            .record
            .result
            .as_ref()
            .is_some_and(|it| it.test.is_some());
        let is_known = found.iter().any(|it| it.setting == setting);
        if config.data.mix.is_empty() || !is_tested || is_known {
            continue;
        }
        let answers = results::read(&run.folder.test(), &run.record.identity)?.answers;
        found.push(TaskDomains {
            setting,
            names: answers.domains,
            of_task: answers.task_domain,
        });
    }
    Ok(found)
}

/// Analyzes tables, writes the report, the figures as files too if asked for, and then prints the card. Where a certificate is
/// refuted, it says so and has failed.
pub(crate) fn publish(
    tables: &Tables,
    out: &Path,
    options: &Options,
    output: &flags::Output,
) -> Result<Ending> {
    publish_with(tables, &Besides::default(), out, options, output)
}

/// What lies beside the tables.
#[derive(Default)]
struct Besides<'b> {
    /// What the runs learnt from.
    inputs: &'b [Input],
    /// Published numbers beside them.
    compared: Compared,
}

/// An analysis as `report.json` has it.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    analysis: &'a StudyAnalysis,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    published: &'a [Row],
}

/// The same with what lies beside.
fn publish_with(
    tables: &Tables,
    besides: &Besides<'_>,
    out: &Path,
    options: &Options,
    output: &flags::Output,
) -> Result<Ending> {
    let shown = match &output.title[..] {
        [] => None,
        titles => Some(titled(tables, options, titles)?),
    };
    let (tables, options) = shown
        .as_ref()
        .map_or((tables, options), |(tables, options)| (tables, options));
    let questions = registry().questions();
    let metrics: Vec<_> = questions.iter().map(|it| it.metric).collect();
    let analysis = analyze_with(tables, options, &metrics).context("while analyzing the runs")?;
    let Besides { inputs, compared } = besides;
    let beside = Beside {
        inputs,
        questions,
        published: &compared.shown,
        rule: &compared.rule,
    };
    let mut json = serde_json::to_string_pretty(&Whole {
        analysis: &analysis,
        published: &compared.rows,
    })?;
    json.push('\n');
    // Files are complete before the first word: a reader who closes the pipe has them.
    let mut written = Vec::new();
    for (name, text) in [
        ("report.html", report::html_with(tables, &analysis, &beside)),
        (
            "report.md",
            report::markdown_with(tables, &analysis, &beside),
        ),
        ("report.json", json),
    ] {
        let path = out.join(name);
        write_whole(&path, text.as_bytes())?;
        written.push(path);
    }
    if let Some(format) = output.figures {
        let figures = report::figures(tables, &analysis, &beside);
        written.push(figures::write(out, &figures, format)?);
    }
    if let Some(format) = output.tables {
        let tables = report::latex(tables, &analysis, &beside);
        written.push(figures::write_tables(out, &tables, format)?);
    }
    println!("{}", report::terminal_table(tables, &analysis).trim_end());
    println!();
    for path in written {
        println!("{}", path.display());
    }
    let refuted = |finding: &&Finding| finding.certainty == Certainty::Refuted;
    let mut ending = Ending::Done;
    for finding in analysis.findings.iter().filter(refuted) {
        eprintln!("{}", finding.text);
        ending = Ending::Failed;
    }
    match &output.gate {
        Some(gate) => Ok(ending.or(judge(gate, &analysis)?)),
        None => Ok(ending),
    }
}

/// Prints each condition with what came out, and ends as the worst of them.
fn judge(gate: &Gate, analysis: &StudyAnalysis) -> Result<Ending> {
    let checked = gate
        .check(analysis)
        .map_err(|why| anyhow!("--gate: {why}"))?;
    println!();
    let mut worst = GateOutcome::Pass;
    for Checked {
        condition,
        learner,
        estimate,
        outcome,
    } in &checked
    {
        let word = match outcome {
            GateOutcome::Pass => "pass",
            GateOutcome::Open => "open",
            GateOutcome::Fail => "fail",
        };
        let value = estimate.as_ref().map_or_else(String::new, |it| {
            let limits = it.interval.as_ref().map_or_else(String::new, |i| {
                format!(" [{:.2}, {:.2}]", i.lower, i.upper)
            });
            format!(" is {:.2}{limits}", it.value)
        });
        println!("{word}: {condition} for {learner}{value}");
        worst = worst.max(*outcome);
    }
    Ok(match worst {
        GateOutcome::Pass => Ending::Done,
        GateOutcome::Fail => Ending::Failed,
        GateOutcome::Open => Ending::Open,
    })
}

/// The command that makes these runs again, bit for bit.
fn replication(out: &Path, runs: &[&Finished]) -> String {
    // With a store of its own: from the shared one, nothing would be run again.
    // By components, or a slash at the end would stay in the middle.
    let mut again = out.components().as_path().as_os_str().to_owned();
    again.push("-again");
    let again = Path::new(&again);
    let mut command = format!(
        "{} experiment {} --out {} --store {}",
        crate::shell::program(),
        quote_path(&out.join("study.toml")),
        quote_path(again),
        quote_path(&again.join("store"))
    );
    if let Some(run) = runs.first() {
        let compute = &run.record.config.compute;
        if compute.device != "cpu" {
            command += &format!(" --device {}", compute.device);
        }
        if compute.backend == Backend::Graph {
            command += " --backend graph";
        }
    }
    command
}
