//! From a study to the list of its runs, all of it checked before anything starts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use metastable_data::{Dataset, MetaSplit, Rotations, Seeds, SplitRule};
use serde_json::Value;

use crate::bearable;
use crate::budget::Budget;
use crate::dataset::{self, check_ink};
use crate::registry::registry;
use crate::run::config::Compute;
use crate::run::log::MOST_LINES;
use crate::run::miniature::Codes;
use crate::run::numerics::Numerics;
use crate::run::{Material, Run, RunConfig, guest};
use crate::study::{DataSettings, Exchange, Study, StudyLearner};
use crate::words::told;

/// One run of a study.
pub(crate) struct Planned {
    /// What the study calls it; the name of its folder there.
    pub(crate) label: String,
    /// Name of the learner's table.
    pub(crate) learner: String,
    /// Seed of the bundle, or its number where streams have seeds of their own.
    pub(crate) seed: u64,
    /// Value of each factor.
    pub(crate) levels: Vec<Value>,
    /// For each stream that varies, which of its seeds.
    pub(crate) streams: Vec<u64>,
    /// SHA-256 over the configuration.
    pub(crate) identity: String,
    /// The same with the study's seeds where the point has its own: what two points that do not differ have in common.
    without_offset: Option<String>,
    pub(crate) config: RunConfig,
    pub(crate) material: Arc<Material>,
}

/// How much a study may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most runs.
    pub(crate) max_runs: usize,
    /// Whether more work and memory is allowed than [`crate::budget`] does.
    pub(crate) over_budget: bool,
}

/// The runs in the order of setting, point, learner, then seed; refused beyond the limits.
pub(crate) fn plan(
    study: &Study,
    data_dir: &Path,
    compute: &Compute,
    Limits {
        max_runs,
        over_budget,
    }: Limits,
) -> Result<Vec<Planned>> {
    let n_variants = study.n_variants()?;
    let n_bundles = study.bundles(0).len();
    let n_runs = n_variants
        .saturating_mul(study.learners.len() as u128)
        .saturating_mul(n_bundles as u128);
    if n_runs > max_runs as u128 {
        bail!(
            "{}the study has {n_runs} runs ({} settings and points x {} learners x {} seeds), and --max-runs is {max_runs}: make it smaller, or allow it with --max-runs {n_runs}",
            study.place(&["factors", "design", "streams", "settings", "seeds"]),
            n_variants,
            study.learners.len(),
            n_bundles
        );
    }
    let mut budget = Budget::new(over_budget);
    let variants = study.variants()?;
    let mut shelf = Shelf::new(data_dir);
    let numerics = Numerics::here();
    let mut codes = Codes::default();
    let mut runs = Vec::new();
    for variant in &variants {
        let study = &variant.study;
        check_ink(&study.data)
            .map_err(|error| place(study, &["data.ink", "data.paper"], &error))?;
        let point = variant
            .point
            .map(|index| point_label(index, variants.len()))
            .or(variant.exchange.map(Exchange::label));
        let family = study.family();
        if let Some(family) = family {
            study.check_without_classes(family.name)?;
        }
        let environment = study.environment();
        if let Some(environment) = &environment {
            study.check_environment(environment)?;
        }
        let pool = study
            .episode
            .pool()
            .map_err(|error| place(study, &["episode.replaced", "episode.pool"], &error))?;
        for StudyLearner {
            name,
            learner,
            training,
        } in &study.learners
        {
            let checked = registry().checked(learner)?;
            study.check_policy(name, &learner.name, training)?;
            let head = checked.head();
            let mut episode = study.train_shape(training);
            let mut test = study.test.clone();
            if family.is_some() {
                study.check_regressor(name, &checked)?;
                if let Some(way) = training.way {
                    bail!(
                        "{}learners.{name}.way = {way}: a regression has no classes; leave it out",
                        study.place(&[&format!("learners.{name}.way"), "learner.way"])
                    );
                }
                // One output, and no classes.
                (episode.n_way, test.way) = (1, 1);
            }
            let mut train = training.train(&study.validation);
            if environment.is_some() {
                // The rollouts that judge adapt.
                (episode.n_way, test.way) = (1, 1);
                (episode.k_shot, test.shot) = (episode.n_query, test.query);
                (train.observe_every, train.inspected_tasks) = (0, 0);
            }
            let offset = study.seed_offset(variant, name);
            for (bundle, shared) in study.bundles(offset).into_iter().zip(study.bundles(0)) {
                let (material, split_digest) = shelf.material(study, &bundle.seeds)?;
                let network = study
                    .network(head.outputs(episode.n_way), material.dataset.channels)
                    .with_beside(head.beside(material.n_training_classes(study.data.rotations)))?;
                let network = match family {
                    Some(_) => Study::for_numbers(network),
                    None => network,
                };
                let network = match &environment {
                    Some(environment) => Study::for_policy(network, environment),
                    None => network,
                };
                let (learner, network) = guest::planned(learner, network).map_err(|error| {
                    let keys = [".files", ".command", ""];
                    let paths = keys.map(|key| format!("learners.{name}{key}"));
                    place(study, &paths.each_ref().map(String::as_str), &error)
                })?;
                let mut config = RunConfig {
                    data: settled(&study.data, &material)
                        .map_err(|error| place(study, &["environment.files"], &error))?,
                    glyphs: study.data.has_glyphs().then(|| study.glyphs.clone()),
                    data_digest: material.dataset.digest.clone(),
                    split_digest,
                    episode,
                    episode_sizes: study.episode.sizes,
                    pool,
                    test: test.clone(),
                    init: guest::planned_init(&network, study.network.init.into()),
                    network,
                    learner,
                    training: train.clone(),
                    seeds: bundle.seeds,
                    repetition: variant.exchange.map_or(0, Exchange::repetition),
                    log_every: study
                        .run
                        .log_every
                        .max(training.outer_steps.div_ceil(MOST_LINES)),
                    compute: compute.clone(),
                    numerics: numerics.clone(),
                };
                budget.add(name, &config)?;
                check(study, name, &config, &material)?;
                config.numerics.code = codes.of(&config)?;
                let tail: Vec<&str> = point.iter().map(String::as_str).collect();
                let tail = [tail, vec![bundle.label.as_str()]].concat().join("-");
                runs.push(Planned {
                    label: config.label(name, &tail),
                    learner: name.clone(),
                    seed: bundle.index,
                    levels: variant.levels.clone(),
                    streams: bundle.offsets,
                    identity: config.identity()?,
                    without_offset: (offset != 0)
                        .then(|| {
                            RunConfig {
                                seeds: shared.seeds,
                                ..config.clone()
                            }
                            .identity()
                        })
                        .transpose()?,
                    config,
                    material,
                });
            }
        }
    }
    check_different(study, &runs)?;
    check_scores(study, &runs)?;
    Ok(runs)
}

/// Whether all runs have scores of one kind: no report puts errors or returns beside shares of right answers.
fn check_scores(study: &Study, runs: &[Planned]) -> Result<()> {
    let kind = |run: &Planned| match (run.config.family(), run.config.is_policy()) {
        (Some(_), _) => "errors",
        (None, true) => "returns",
        (None, false) => "shares of right answers",
    };
    let Some((first, others)) = runs.split_first() else {
        return Ok(());
    };
    match others.iter().find(|run| kind(run) != kind(first)) {
        Some(other) => bail!(
            "{}{} has {} and {} has {}: one report cannot hold both kinds of scores; take two studies",
            study.place(&["settings", "factors", "data.set"]),
            first.label,
            kind(first),
            other.label,
            kind(other)
        ),
        None => Ok(()),
    }
}

/// The settings with what a split by `auto` turned out to be, and what the files of a process are.
fn settled(data: &DataSettings, material: &Material) -> Result<DataSettings> {
    let mut settled = data.clone();
    if let Some(outside) = &mut settled.environment {
        outside.digests = guest::digests(&outside.files)?;
    }
    if data.split == SplitRule::Auto.to_string() {
        settled.split = material.split.rule.to_string();
    }
    Ok(settled)
}

/// `p007`: as many digits as the study needs.
fn point_label(index: usize, n_variants: usize) -> String {
    let width = n_variants.to_string().len().max(2);
    format!("p{index:0width$}")
}

/// Data sets and their splits, each loaded once however many runs need it.
struct Shelf<'d> {
    data_dir: &'d Path,
    datasets: BTreeMap<String, Arc<Dataset>>,
    materials: BTreeMap<String, (Arc<Material>, String)>,
}

impl<'d> Shelf<'d> {
    fn new(data_dir: &'d Path) -> Self {
        Self {
            data_dir,
            datasets: BTreeMap::new(),
            materials: BTreeMap::new(),
        }
    }

    /// The material of a run, and the digest of its split.
    fn material(&mut self, study: &Study, seeds: &Seeds) -> Result<(Arc<Material>, String)> {
        let (data, glyphs) = (&study.data, &study.glyphs);
        // What decides the images; how they are split and drawn does not.
        let of_set = DataSettings {
            split: String::new(),
            held_out: String::new(),
            held_out_file: String::new(),
            split_seed: 0,
            rotations: Rotations::Off,
            test_rotations: Rotations::Off,
            within_alphabet: false,
            allow_duplicates: false,
            ..data.clone()
        };
        let set = serde_json::to_string(&(of_set, glyphs))?;
        let key = format!(
            "{set} {} {} {} {} {}",
            data.split, data.held_out, data.held_out_file, seeds.split, data.allow_duplicates
        );
        if let Some((material, digest)) = self.materials.get(&key) {
            return Ok((Arc::clone(material), digest.clone()));
        }
        // A broken image is no matter of the split.
        let at_set = |error: anyhow::Error| place(study, &["data.set", "data.mix"], &error);
        let at_split = |error: anyhow::Error| {
            place(
                study,
                &["data.split", "data.held_out", "data.set", "data.mix"],
                &error,
            )
        };
        let dataset = match self.datasets.get(&set) {
            Some(dataset) => Arc::clone(dataset),
            None => {
                let dataset = dataset::load(data, glyphs, self.data_dir).map_err(at_set)?;
                // Before the split, which may be refused for what stands here.
                if let Some(receipt) = &dataset.receipt {
                    eprint!("{receipt}");
                }
                let dataset = Arc::new(dataset);
                self.datasets.insert(set, Arc::clone(&dataset));
                dataset
            }
        };
        let material = Arc::new(Material::of(dataset, data, seeds).map_err(at_split)?);
        let digest = material.split_digest()?;
        self.materials
            .insert(key, (Arc::clone(&material), digest.clone()));
        Ok((material, digest))
    }
}

/// Whether no two runs are the same, or called the same.
fn check_different(study: &Study, runs: &[Planned]) -> Result<()> {
    let mut known: BTreeMap<&str, &Planned> = BTreeMap::new();
    for run in runs {
        let as_if_shared = run.without_offset.as_ref().unwrap_or(&run.identity);
        let Some(other) = known.insert(as_if_shared, run) else {
            continue;
        };
        let place = study
            .place_of_factors()
            .map_or_else(String::new, |origin| format!("{origin}: "));
        bail!(
            "{place}{} and {} are the same run: no factor, setting or stream that differs between them changes anything for {}; vary settings that every learner of the study has, or give this learner a study of its own",
            other.label,
            run.label,
            run.learner
        );
    }
    let mut labels: BTreeMap<&str, &Planned> = BTreeMap::new();
    for run in runs {
        if labels.insert(&run.label, run).is_some() {
            bail!(
                "{}two runs would be called {}: settings of one study differ in data set, channels, what is held out, way or shot; take one study for each other difference",
                study.place(&["settings"]),
                run.label
            );
        }
    }
    Ok(())
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
    let too_large = |paths: &[&str], error: anyhow::Error| {
        let parts = MetaSplit::ALL.map(|part| {
            let classes = material.split.classes(part).iter();
            let sizes = classes.map(|at| material.dataset.classes[*at as usize].n_images);
            sizes.collect::<Vec<usize>>()
        });
        let data = &config.data;
        let turns = [data.rotations, data.test_rotations].map(Rotations::n_variants);
        let turns = turns[0].min(turns[1]) as usize;
        let by_chance = data.split.starts_with("random") && !data.split.contains("alphabets");
        let shot = config.episode.k_shot.max(config.test.shot);
        let advice = bearable::flags(shot, turns, &parts, by_chance);
        let advice = advice.map_or_else(String::new, |flags| format!("\nthese data allow {flags}"));
        anyhow!("{}{advice}", place(study, paths, &error))
    };
    material
        .training(config)
        .map_err(|error| too_large(&paths, error))?;
    let test = ["test.way", "test.shot", "test.query"];
    for part in [MetaSplit::Validation, MetaSplit::Test] {
        material
            .list(config, part)
            .map_err(|error| too_large(&test, error))?;
    }
    check_pool(study, learner, config)?;
    check_sizes(study, learner, config)?;
    if let Some(n_way) = config.network.fixed_way()
        && !config.is_policy()
        && n_way != config.test.way
    {
        bail!(
            "{}{learner} trains a head for {n_way} classes but test.way = {}: make them equal, take a learner without a head, or set head = \"prototypes\" or \"tied\" where the learner has that setting",
            study.place(&[&test[..1], &paths[..], &test[1..]].concat()),
            config.test.way
        );
    }
    Run::new(learner, config).map(drop)
}

/// Whether the learner serves episodes whose number of classes is drawn.
fn check_sizes(study: &Study, learner: &str, config: &RunConfig) -> Result<()> {
    let drawn = [
        ("episode.sizes", config.episode_sizes),
        ("test.sizes", config.test.sizes),
    ];
    let Some((key, sizes)) = drawn.into_iter().find(|(_, sizes)| sizes.draws_way()) else {
        return Ok(());
    };
    if config.is_guest() {
        bail!(
            "{}{learner} is a guest, which is told a single way; leave {key} at \"even\" for it",
            study.place(&[key])
        );
    }
    match config.network.fixed_way() {
        None => Ok(()),
        Some(n_way) => bail!(
            "{}{learner} trains a head for {n_way} classes, and {key} = \"{sizes}\" draws the number of classes: set learners.{learner}.head to \"prototypes\" or \"tied\", or take a learner without a head (protonet, matching)",
            study.place(&[key])
        ),
    }
}

/// Whether every member of a pool is seen, where members are exchanged: what is not seen changes nothing.
fn check_pool(study: &Study, learner: &str, config: &RunConfig) -> Result<()> {
    let training = &config.training;
    let n_read = training.outer_steps * training.meta_batch;
    match (study.design.replace.place(), config.pool) {
        (Some(origin), Some(pool)) if n_read < pool.size() => bail!(
            "{origin}: {learner} reads {n_read} tasks ({} outer steps of {}), and a pool has {}: exchanging one that is never read changes nothing; take smaller pools, or more outer_steps",
            training.outer_steps,
            training.meta_batch,
            pool.size()
        ),
        _ => Ok(()),
    }
}

fn place(study: &Study, paths: &[&str], error: &anyhow::Error) -> anyhow::Error {
    anyhow!("{}{}", study.place(paths), told(error))
}
