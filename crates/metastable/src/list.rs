//! `list`: everything that a study can name.

use anyhow::Result;
use metastable_algorithms::LEARNERS;
use metastable_analysis::registry::{LEARNER_METRICS, SETTING_METRICS, STUDY_METRICS};
use metastable_models::NETWORKS;

use crate::Ending;
use crate::dataset;
use crate::study::{STUDIES, Study};

/// Runs the command.
pub(crate) fn list() -> Result<Ending> {
    println!(
        "Studies ({} experiment NAME; files in docs/studies):",
        crate::shell::program()
    );
    for study in STUDIES {
        let about = Study::load(study.name, &[], &[])?.head.about;
        line(study.name, &about);
    }
    println!("\nData sets (data.set):");
    for (form, summary) in dataset::forms() {
        line(form, summary);
    }
    println!("\nNetworks (network.name):");
    for entry in NETWORKS {
        line(entry.name, entry.summary);
    }
    println!("\nLearners ([learners.NAME]):");
    for entry in LEARNERS {
        line(entry.name, entry.summary);
        line("", entry.citation);
        let settings: Vec<String> = entry
            .defaults()
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        line("", &settings.join(", "));
    }
    println!("\nMetrics (report.json):");
    let learner = LEARNER_METRICS
        .iter()
        .map(|metric| (metric.id, "of a learner in a setting"));
    let setting = SETTING_METRICS
        .iter()
        .map(|metric| (metric.id, "across the learners of a setting"));
    let study = STUDY_METRICS
        .iter()
        .map(|metric| (metric.id, "across settings"));
    for (id, scope) in learner.chain(setting).chain(study) {
        line(id, scope);
    }
    Ok(Ending::Done)
}

fn line(name: &str, text: &str) {
    println!("  {name:<16} {text}");
}
