//! From the name of a data set to its images.

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use metastable_data::{
    Cache, Dataset, FUNCTIONS, FunctionFamily, GlyphsConfig, ImageSize, Ink, OpenOptions, Paper,
    Source, glyphs, omniglot,
};
use metastable_environments::FAMILIES;

use crate::bring::bring;
use crate::places::cache_dir;
use crate::registry::registry;
use crate::run::config::set_name;
use crate::run::world::{OUTSIDE, World};
use crate::study::DataSettings;

/// The set that is made, not opened: its settings are a table of the study.
pub(crate) const GLYPHS: (&str, &str) = (
    "glyphs",
    "procedural alphabets, drawn from a seed ([glyphs] has the settings); nothing to download",
);

/// How every data set is written, with a line on what it is.
pub(crate) fn forms() -> impl Iterator<Item = (&'static str, &'static str)> {
    std::iter::once(GLYPHS)
        .chain(
            registry()
                .sources()
                .iter()
                .filter(|source| source.name != GLYPHS.0)
                .map(|source| (source.spec, source.summary)),
        )
        .chain(FUNCTIONS.iter().map(|family| (family.name, family.summary)))
        .chain(FAMILIES.iter().map(|family| (family.name, family.summary)))
        .chain([OUTSIDE])
}

/// Loads the data set that the settings name; Omniglot is fetched if it is not there.
pub(crate) fn load(data: &DataSettings, config: &GlyphsConfig, data_dir: &Path) -> Result<Dataset> {
    if data.mix.is_empty() {
        if !data.held_out.is_empty() {
            bail!(
                "data.held_out = {:?}: there is one data set; name several with data.mix, e.g. mix = [\"glyphs\", \"omniglot\"]",
                data.held_out
            );
        }
        return load_one(data, config, data_dir);
    }
    if data.set != DataSettings::default().set {
        bail!(
            "data.set = {:?} beside data.mix: write one or the other",
            data.set
        );
    }
    let mut domains = Vec::new();
    for set in &data.mix {
        let is_environment = FAMILIES.iter().any(|family| family.name == set) || set == OUTSIDE.0;
        if FunctionFamily::find(set).is_some() || is_environment {
            bail!("data.mix: {set} has no images to mix with others; take it alone, as data.set");
        }
        let mut own = data.of(set);
        // What is said of inks holds for the domains that have to be told.
        if check_ink(&own).is_err() {
            own.ink = Ink::Auto;
            own.paper = Paper::Auto;
        }
        domains.push((set_name(set), load_one(&own, config, data_dir)?));
    }
    Ok(metastable_data::mix(domains)?)
}

/// Loads one data set.
fn load_one(data: &DataSettings, config: &GlyphsConfig, data_dir: &Path) -> Result<Dataset> {
    if data.set == GLYPHS.0 {
        data.side_of_glyphs()?;
        let glyphs = glyphs::generate(config)?;
        return Ok(glyphs.with_channels(data.channels.number().unwrap_or(1)));
    }
    check_set(&data.set).map_err(|problem| anyhow!("data.set = {:?}: {problem}", data.set))?;
    if let Some(family) = FunctionFamily::find(&data.set) {
        return Ok(family.outline());
    }
    if let Some(world) = World::of(&data.set, data.environment.as_ref()) {
        // In the place of images: nothing, and the digest of the definition.
        return Ok(Dataset {
            digest: world.digest()?,
            ..Dataset::empty(world.name(), ImageSize::square(1), 1)
        });
    }
    if data.set == "omniglot" && !has_omniglot(data_dir) {
        note!(
            "Omniglot is not in {}; fetching it (16 MB, once)",
            data_dir.display()
        );
        bring("omniglot", &metastable_data::fetch::Options::new(data_dir))?;
    }
    let options = OpenOptions {
        data_dir: Some(data_dir.to_owned()),
        cache: cache_dir().map(|dir| Cache {
            dir,
            on_failure: |error| eprintln!("note: {error}"),
        }),
        size: data.size,
        channels: data.channels,
        ink: data.ink,
        paper: data.paper,
    };
    let dataset = metastable_data::open_among(registry().sources(), &data.set, &options)?;
    if dataset.size != data.size {
        bail!(
            "data.size = {}: {:?} gives images of {}; set data.size to that",
            data.size,
            data.set,
            dataset.size
        );
    }
    let dataset = data.parts.rename(dataset)?;
    Ok(dataset.without_small(data.min_images)?)
}

/// Whether there is a source of that name.
pub(crate) fn check_set(set: &str) -> Result<()> {
    let known: Vec<&str> = forms()
        .filter_map(|(form, _)| form.split([':', '[']).next())
        .collect();
    let kind = kind(set);
    if known.contains(&kind) {
        return Ok(());
    }
    bail!("{}", crate::study::suggestion(kind, &known))
}

/// Whether `data.ink` and `data.paper` are left alone where the data set knows them by itself.
pub(crate) fn check_ink(data: &DataSettings) -> Result<()> {
    if !data.mix.is_empty() {
        return Ok(());
    }
    let kind = kind(&data.set);
    let is_told = |source: &Source| source.name == kind && source.takes_ink;
    if registry().sources().iter().any(is_told) {
        return Ok(());
    }
    if data.paper != Paper::Auto {
        bail!(
            "data.paper = \"{}\": {kind} has no transparent pixels; leave it at \"auto\"",
            data.paper
        );
    }
    if data.ink == Ink::Auto {
        return Ok(());
    }
    bail!(
        "data.ink = \"{}\": {kind} knows which end of the grey scale is ink; leave it at \"auto\"",
        data.ink
    )
}

/// Whether a set is images of the user's own, whose layout may tell how they are split.
pub(crate) fn is_of_the_user(set: &str) -> bool {
    ["folder", "arrays"].contains(&kind(set))
}

/// What stands before the colon.
fn kind(set: &str) -> &str {
    set.split(':').next().unwrap_or_default()
}

/// Whether Omniglot's archives are there.
pub(crate) fn has_omniglot(data_dir: &Path) -> bool {
    [data_dir.join("omniglot"), data_dir.to_owned()]
        .iter()
        .any(|folder| {
            omniglot::ARCHIVES
                .iter()
                .all(|name| folder.join(name).is_file())
        })
}
