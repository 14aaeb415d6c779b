//! From a study to the list of its runs, all of it checked before anything starts.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use metastable_algorithms::{Head, LEARNERS};
use metastable_data::MetaSplit;

use crate::dataset::check_ink;
use crate::run::config::Compute;
use crate::run::numerics::Numerics;
use crate::run::{Material, Run, RunConfig};
use crate::study::{Study, StudyLearner};

/// One run of a study.
pub(crate) struct Planned {
    /// What the study calls it; the name of its folder there.
    pub(crate) label: String,
    /// Name of the learner's table.
    pub(crate) learner: String,
    /// Seed of the bundle.
    pub(crate) seed: u64,
    /// SHA-256 over the configuration.
    pub(crate) identity: String,
    pub(crate) config: RunConfig,
    pub(crate) material: Arc<Material>,
}

/// The runs in the order of learner, then seed.
pub(crate) fn plan(study: &Study, data_dir: &Path, compute: &Compute) -> Result<Vec<Planned>> {
    check_ink(&study.data).map_err(|error| place(study, &["data.ink"], &error))?;
    let material = Material::load(&study.data, &study.glyphs, data_dir, &study.seeds(0))
        .map_err(|error| place(study, &["data.split", "data.set"], &error))?;
    let material = Arc::new(material);
    let (split_digest, numerics) = (material.split_digest()?, Numerics::here());
    let mut runs = Vec::new();
    for learner in &study.learners {
        let StudyLearner {
            name,
            learner,
            training,
        } = learner;
        let has_head = LEARNERS
            .iter()
            .any(|entry| entry.name == learner.name && entry.head == Head::Linear);
        let episode = study.train_shape(training);
        for seed in study.head.all_seeds() {
            let config = RunConfig {
                data: study.data.clone(),
                glyphs: (study.data.set == "glyphs").then(|| study.glyphs.clone()),
                data_digest: material.dataset.digest.clone(),
                split_digest: split_digest.clone(),
                episode,
                test: study.test.clone(),
                network: study.network(has_head.then_some(episode.n_way)),
                learner: learner.clone(),
                training: training.train(&study.validation)?,
                seeds: study.seeds(seed),
                log_every: study.run.log_every,
                compute: compute.clone(),
                numerics: numerics.clone(),
            };
            check(study, name, &config, &material)?;
            runs.push(Planned {
                label: config.label(name, &format!("s{seed}")),
                learner: name.clone(),
                seed,
                identity: config.identity()?,
                config,
                material: Arc::clone(&material),
            });
        }
    }
    Ok(runs)
}

/// Whether the data hold the episodes that a run asks for, its head fits them, and its network can be built.
fn check(study: &Study, learner: &str, config: &RunConfig, material: &Material) -> Result<()> {
    let own = |key: &str| format!("learners.{learner}.{key}");
    let (way, shot, query) = (own("way"), own("shot"), own("query"));
    let train = ["episode.way", "episode.shot", "episode.query"];
    let paths: Vec<&str> = [way.as_str(), &shot, &query]
        .into_iter()
        .chain(train)
        .collect();
    material
        .training(config)
        .map_err(|error| place(study, &paths, &error))?;
    let test = ["test.way", "test.shot", "test.query"];
    for part in [MetaSplit::Validation, MetaSplit::Test] {
        material
            .list(config, part)
            .map_err(|error| place(study, &test, &error))?;
    }
    if let Some(n_way) = config.network.n_way
        && n_way != config.test.way
    {
        bail!(
            "{}{learner} trains a head for {n_way} classes but test.way = {}: make them equal, or take a learner without a head",
            study.place(&[&test[..1], &paths[..], &test[1..]].concat()),
            config.test.way
        );
    }
    Run::new(learner, config).map(drop)
}

fn place(study: &Study, paths: &[&str], error: &anyhow::Error) -> anyhow::Error {
    anyhow!("{}{error:#}", study.place(paths))
}
