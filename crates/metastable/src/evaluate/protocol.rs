//! What the command line changes about the test of a run, and what of it differs from the run's own.

use anyhow::{Result, bail};
use metastable_data::{Ink, Paper, Stream};

use crate::dataset::check_ink;
use crate::flags;
use crate::run::RunConfig;
use crate::run::config::{Compute, differences};
use crate::study::section::{read, table};
use crate::study::tree::{self, Entry};
use crate::study::{DataSettings, TestSettings, bounds};

/// Settings of `[data]` and `[test]` that a test of given weights cannot change, with the reason.
const BOUND: [(&str, &str, &str); 8] = [
    ("data", "size", "the network takes images of one size"),
    (
        "data",
        "channels",
        "the network takes images of one number of channels",
    ),
    (
        "data",
        "rotations",
        "those of training; the test has data.test_rotations",
    ),
    (
        "test",
        "weights",
        "the file says which weights: give best.safetensors or last.safetensors",
    ),
    (
        "test",
        "checkpoints",
        "a file has one set of weights; several are tested by a study",
    ),
    (
        "test",
        "combine",
        "a file has one set of weights; several are tested by a study",
    ),
    ("test", "curves", "curves are recorded by runs alone"),
    ("test", "seed", "write --seed N"),
];

/// The configuration with what the command line says instead.
pub(super) fn change(config: &mut RunConfig, flags: &flags::Evaluate) -> Result<()> {
    let machine = &flags.machine;
    if machine.device.is_some() || machine.backend.is_some() {
        let backend = machine.backend.map(Into::into);
        config.compute = Compute::new(machine.device.as_deref(), backend)?;
    }
    let data = &mut config.data;
    // The images get the channels that the network has, whatever another set would have by itself.
    data.channels = config.network.image.channels.to_string().parse()?;
    if let Some(set) = &flags.data.dataset {
        *data = data.of(set);
        // What the run said of its own images holds for others that have to be told, too.
        if check_ink(data).is_err() {
            data.ink = Ink::Auto;
            data.paper = Paper::Auto;
        }
    }
    if let Some(rule) = &flags.data.split {
        data.split.clone_from(rule);
    }
    let test = &mut config.test;
    for (value, flag) in [
        (&mut test.way, flags.way),
        (&mut test.shot, flags.shot),
        (&mut test.query, flags.query),
        (&mut test.episodes, flags.episodes),
    ] {
        *value = flag.unwrap_or(*value);
    }
    if let Some(seed) = flags.seed {
        bounds::SEED.check("--seed", seed)?;
        test.seed = seed;
        config.seeds = config.seeds.with(Stream::Eval, seed);
    }
    set(config, &flags.set)?;
    config.test.check()
}

/// Applies `--set data.KEY=VALUE` and `--set test.KEY=VALUE`.
fn set(config: &mut RunConfig, assignments: &[String]) -> Result<()> {
    let mut changes: Vec<Entry> = Vec::new();
    for assignment in assignments {
        tree::set(&mut changes, assignment)?;
    }
    for change in &changes {
        let name = change.key.as_str();
        if name != "data" && name != "test" {
            bail!(
                "{}: {name} belongs to the training of these weights; evaluate changes settings of [data] and [test], e.g. --set data.test_rotations=as-classes",
                change.origin
            );
        }
        let entries = table(change, name)?;
        for entry in entries {
            let bound = BOUND
                .iter()
                .find(|it| (it.0, it.1) == (name, entry.key.as_str()));
            if let Some((_, key, why)) = bound {
                bail!("{}: {name}.{key} stays as it is: {why}", entry.origin);
            }
        }
        if name == "data" {
            config.data = read(entries, name, &config.data, DataSettings::check)?;
            if entries.iter().any(|entry| entry.key == "split_seed") {
                let seed = config.data.split_seed;
                config.seeds = config.seeds.with(Stream::Split, seed);
            }
            check_ink(&config.data)?;
        } else {
            config.test = read(entries, name, &config.test, TestSettings::check)?;
        }
    }
    Ok(())
}

/// What differs from the run's own test, a line each: `data.test_rotations was off, is now as-classes`.
pub(super) fn changed(own: &RunConfig, now: &RunConfig) -> Result<Vec<String>> {
    let protocol = |config: &RunConfig| -> Result<_> {
        let mut flat = config.flat()?;
        flat.retain(|key, _| {
            (key.starts_with("data.") || key.starts_with("test.")) && key != "data.channels"
        });
        Ok(flat)
    };
    Ok(differences(&protocol(own)?, &protocol(now)?))
}
