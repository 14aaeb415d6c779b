//! What a study can name: the built-in learners, networks and data sets, and those that another crate adds; and the questions that it
//! asks beside ours.

use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use metastable_algorithms::{CheckedLearner, LEARNERS, LearnerConfig, LearnerEntry};
use metastable_analysis::registry::{LEARNER_METRICS, SETTING_METRICS, STUDY_METRICS};
use metastable_analysis::report::Question;
use metastable_data::{SOURCES, Source};
use metastable_guests as guests;
use metastable_models::{Form, NETWORKS, NetworkEntry};

use crate::files::sha256;
use crate::policy;

/// Learners, networks and data sources by name, and questions to the runs of a study.
///
/// Another crate adds its own and becomes the same program, with every command (`list`, `experiment`, `certify`, ...):
///
/// ```no_run
/// # use metastable_algorithms::LearnerEntry;
/// # fn main_of(entry: &'static LearnerEntry) -> std::process::ExitCode {
/// metastable::main_with(metastable::Registry::new().learner(entry))
/// # }
/// ```
#[derive(Clone)]
pub struct Registry {
    learners: Vec<&'static LearnerEntry>,
    networks: Vec<NetworkEntry>,
    sources: Vec<Source>,
    questions: Vec<&'static Question>,
    program: Option<String>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// What is built in.
    #[must_use]
    pub fn new() -> Self {
        Self {
            learners: built_in().collect(),
            networks: NETWORKS.to_vec(),
            sources: SOURCES.to_vec(),
            questions: Vec::new(),
            program: None,
        }
    }

    /// The same with one learner more.
    #[must_use]
    pub fn learner(mut self, entry: &'static LearnerEntry) -> Self {
        self.learners.push(entry);
        self
    }

    /// The same with one network more: a name for blocks and a way of reading features off the last.
    #[must_use]
    pub fn network(mut self, entry: NetworkEntry) -> Self {
        self.networks.push(entry);
        self
    }

    /// The same with one source of data more.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// The same with one question more to the runs of each learner.
    #[must_use]
    pub fn question(mut self, question: &'static Question) -> Self {
        self.questions.push(question);
        self
    }

    /// Every learner, the built-in ones first.
    pub(crate) fn learners(&self) -> &[&'static LearnerEntry] {
        &self.learners
    }

    /// Every network, the built-in ones first.
    pub(crate) fn networks(&self) -> &[NetworkEntry] {
        &self.networks
    }

    /// What a configuration has to say of a network besides its name: the form of a guest.
    pub(crate) fn form(&self, name: &str) -> Option<Form> {
        let guests = &self.networks[NETWORKS.len()..];
        let named = guests.iter().find(|entry| entry.name == name);
        named.map(|entry| entry.form)
    }

    /// Every source, the built-in ones first.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The questions of another crate.
    pub(crate) fn questions(&self) -> &[&'static Question] {
        &self.questions
    }

    /// Identifier and title of every metric, the built-in ones first.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let of_learner = LEARNER_METRICS.iter().map(|it| (it.id, it.title));
        let of_setting = SETTING_METRICS.iter().map(|it| (it.id, it.title));
        let of_study = STUDY_METRICS.iter().map(|it| (it.id, it.title));
        let guests = self
            .questions
            .iter()
            .map(|it| (it.metric.id, it.metric.title));
        of_learner.chain(of_setting).chain(of_study).chain(guests)
    }

    /// The learner with checked settings.
    pub(crate) fn checked(&self, learner: &LearnerConfig) -> Result<CheckedLearner> {
        Ok(learner.validate_among(&self.learners)?)
    }

    /// SHA-256 of this program's file, if it has more than what is built in.
    ///
    /// What computes in it is not among the sources whose digest identifies a run, and its packages may be others: its
    /// runs are taken over by the same file alone.
    pub(crate) fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }

    /// Whether something is in it that is not built in.
    fn has_guests(&self) -> bool {
        self.learners.len() > built_in().count()
            || self.networks.len() > NETWORKS.len()
            || self.sources.len() > SOURCES.len()
    }

    /// Refuses a name that two entries have: a study could not say which it means.
    fn check(&self) -> Result<()> {
        let learners: Vec<&str> = self.learners.iter().map(|entry| entry.name).collect();
        let networks: Vec<&str> = self.networks.iter().map(|entry| entry.name).collect();
        let sources: Vec<&str> = self.sources.iter().map(|source| source.name).collect();
        let metrics: Vec<&str> = self.metrics().map(|(id, _)| id).collect();
        for names in [learners, networks, sources, metrics] {
            for (at, name) in names.iter().enumerate() {
                if names[..at].contains(name) {
                    bail!("{name} is registered twice; give the new one a name of its own");
                }
            }
        }
        Ok(())
    }
}

/// The learners of this program, the one whose answers come from a process of the user's, and the one that adapts policies.
fn built_in() -> impl Iterator<Item = &'static LearnerEntry> {
    LEARNERS
        .iter()
        .copied()
        .chain([&guests::ENTRY, &policy::ENTRY])
}

/// Set once, before the command line is read, and never changed. Runs are built by name out of files in many places
/// of this crate, which is a program; the libraries below take their entries as arguments.
static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// What this program can name.
pub(crate) fn registry() -> &'static Registry {
    REGISTRY.get_or_init(Registry::new)
}

/// Makes it what this program can name, before anything has asked.
pub(crate) fn install(mut registry: Registry) -> Result<()> {
    registry.check()?;
    if registry.has_guests() {
        let program = std::env::current_exe().context("while looking for this program")?;
        let bytes = std::fs::read(&program)
            .with_context(|| format!("while reading {}", program.display()))?;
        registry.program = Some(sha256(&bytes));
    }
    if REGISTRY.set(registry).is_err() {
        bail!("the registry is set once, before anything else of this crate is called");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_refused() {
        assert!(Registry::new().check().is_ok() && !Registry::new().has_guests());
        let twice = Registry::new().learner(LEARNERS[0]);
        let error = twice.check().unwrap_err().to_string();
        assert!(error.contains("maml is registered twice"), "{error}");
        assert!(Registry::new().source(SOURCES[0]).check().is_err());
        assert!(Registry::new().network(NETWORKS[0]).check().is_err());
        assert!(twice.has_guests());
    }
}
