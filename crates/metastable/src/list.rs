//! `list`: everything that a study can name.

use anyhow::Result;
use metastable_data::fetch::WeightsManifest;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::registry::registry;
use crate::study::{STUDIES, Study};
use crate::{Ending, dataset, flags, shell};

/// What `list --json` prints.
#[derive(Debug, Serialize)]
struct Catalog {
    studies: Vec<Line>,
    data_sets: Vec<Line>,
    networks: Vec<Line>,
    learners: Vec<Learner>,
    metrics: Vec<Line>,
    /// Trained weights that `fetch weights` knows.
    weights: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    summary: String,
}

#[derive(Debug, Serialize)]
struct Learner {
    #[serde(flatten)]
    line: Line,
    citation: &'static str,
    /// Settings and their defaults.
    settings: Map<String, Value>,
}

/// Runs the command.
pub(crate) fn list(flags: &flags::List) -> Result<Ending> {
    let catalog = catalog()?;
    if flags.json {
        println!("{}", serde_json::to_string_pretty(&catalog)?);
        return Ok(Ending::Done);
    }
    println!(
        "Studies ({} experiment NAME; files in docs/studies):",
        shell::program()
    );
    catalog.studies.iter().for_each(Line::print);
    println!("\nData sets (data.set):");
    catalog.data_sets.iter().for_each(Line::print);
    println!("\nNetworks (network.name):");
    catalog.networks.iter().for_each(Line::print);
    println!("\nLearners ([learners.NAME]):");
    for learner in &catalog.learners {
        learner.line.print();
        print_line("", learner.citation);
        let settings: Vec<String> = learner
            .settings
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        print_line("", &settings.join(", "));
    }
    println!("\nMetrics (report.json; letters and numbers as in docs/questions.md):");
    catalog.metrics.iter().for_each(Line::print);
    println!(
        "\nTrained weights ({} fetch weights NAME):",
        shell::program()
    );
    catalog.weights.iter().for_each(Line::print);
    Ok(Ending::Done)
}

fn catalog() -> Result<Catalog> {
    let studies = STUDIES
        .iter()
        .map(|study| {
            Ok(Line::new(
                study.name,
                &Study::load(study.name, &[], &[])?.head.about,
            ))
        })
        .collect::<Result<_>>()?;
    Ok(Catalog {
        studies,
        data_sets: dataset::forms()
            .map(|(form, summary)| Line::new(form, summary))
            .collect(),
        networks: registry()
            .networks()
            .iter()
            .map(|entry| Line::new(entry.name, entry.summary))
            .collect(),
        learners: registry()
            .learners()
            .iter()
            .map(|entry| Learner {
                line: Line::new(entry.name, entry.summary),
                citation: entry.citation,
                settings: entry.defaults(),
            })
            .collect(),
        metrics: registry()
            .metrics()
            .map(|(id, title)| Line::new(id, title))
            .collect(),
        weights: WeightsManifest::built_in()?
            .weights
            .iter()
            .map(|entry| Line::new(&entry.name, &entry.title))
            .collect(),
    })
}

impl Line {
    fn new(name: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            summary: summary.to_owned(),
        }
    }

    fn print(&self) {
        print_line(&self.name, &self.summary);
    }
}

fn print_line(name: &str, text: &str) {
    println!("  {name:<16} {text}");
}
