//! `--import MAP.toml`: weights that were trained elsewhere. The map is a study of one learner (`[network]`, `[learners.*]`,
//! `[data]`, `[test]`), and three tables more:
//!
//! ```toml
//! [tensors]                          # ours = theirs; {i} counts the blocks, what follows a name follows the other
//! "blocks.{i}.conv" = "encoder.{i}.0"
//! "blocks.{i}.norm" = "encoder.{i}.1"
//! [input]                            # what the network was fed with
//! mean = [0.92]                      # one number, or one a channel: (x - mean) / std of x in [0, 1]
//! std = [0.26]
//! inverted = false                   # whether x was 1 - ours
//! order = "rgb"                      # or "bgr", for convolutions
//! [import]
//! ignore = ["classifier."]           # tensors that are not needed, by the beginning of their names
//! ```
//!
//! A bias before a normalisation by batch statistics has no effect, and is left out; before one by running statistics it is
//! taken off the running mean, which is the same function.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use metastable_algorithms::{Task, Weights};
use metastable_models::{Architecture, NetworkConfig, Norm, Params};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::files::read_text;
use crate::registry::registry;
use crate::run::RunConfig;
use crate::run::checkpoint::Stored;
use crate::run::config::Compute;
use crate::run::numerics::Numerics;
use crate::shell;
use crate::study::Study;
use crate::study::section::{self, table};
use crate::study::tree::{self, Entry, Item};

/// How files of `torch.save` begin: a zip archive; before PyTorch 1.6 a pickle of protocol 2 whose first value is a number of ten
/// bytes. A safetensors file begins with the length of its header, which may well be 640, `80 02`, but not 67 million.
const TORCH: [[u8; 4]; 2] = [*b"PK\x03\x04", *b"\x80\x02\x8a\x0a"];

/// What makes a file that is read, of a whole `state_dict` or of one in a checkpoint: arguments of Python before the file.
const CONVERT: &str = "import sys, torch, safetensors.torch as s; d = torch.load(sys.argv[1], map_location=\"cpu\", weights_only=True); s.save_file({k: v.contiguous() for k, v in d.get(\"state_dict\", d).items()}, \"weights.safetensors\")";

/// Refuses a file of `torch.save` by name, with the line that makes one that is read.
pub(super) fn refuse_torch(path: &Path) -> Result<()> {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    // What cannot be read is named by who reads it.
    if read.is_err() || !TORCH.contains(&start) {
        return Ok(());
    }
    bail!(
        "{} was written by torch.save, which holds a program; write its tensors alone:\n  python -c {} {}",
        path.display(),
        shell::quote(CONVERT),
        shell::quote_path(path)
    )
}

/// What is done to images before the network sees them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Input {
    /// Taken off; one number, or one a channel in the order of the network. None: 0.
    mean: Vec<f64>,
    /// Divided by. None: 1.
    std: Vec<f64>,
    /// Whether the network was fed with 1 - x.
    inverted: bool,
    /// Order of the channels that the network was trained with.
    order: Order,
}

/// Order of three channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Rgb,
    Bgr,
}

/// `[import]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ignored {
    ignore: Vec<String>,
}

impl Input {
    fn check(&self) -> Result<()> {
        let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
        section::require(
            finite(&self.mean),
            "mean",
            format!("{:?}", self.mean),
            "has to be finite numbers",
        )?;
        section::require(
            finite(&self.std) && !self.std.contains(&0.0),
            "std",
            format!("{:?}", self.std),
            "has to be finite numbers other than 0",
        )
    }

    /// Whether there are as many numbers as channels, or one.
    fn check_channels(&self, channels: usize) -> Result<()> {
        for (name, values) in [("mean", &self.mean), ("std", &self.std)] {
            ensure!(
                [0, 1, channels].contains(&values.len()),
                "[input] {name} has {} numbers, and the network takes {channels} channels: write one, or one a channel",
                values.len()
            );
        }
        ensure!(
            self.order == Order::Rgb || channels == 3,
            "[input] order = \"bgr\": the network takes {channels} channel"
        );
        Ok(())
    }

    /// Weights of a BGR network are turned to RGB, and so are its numbers.
    fn in_rgb(mut self) -> Self {
        if self.order == Order::Bgr {
            self.mean.reverse();
            self.std.reverse();
            self.order = Order::Rgb;
        }
        self
    }

    /// The task as the network was used to see its images; the numbers are in the order of ours ([`Self::in_rgb`]), none, one, or as
    /// many as there are channels ([`Self::check_channels`]).
    pub(super) fn of(&self, task: Task<f32>) -> Task<f32> {
        if *self == Self::default() {
            return task;
        }
        let number = |values: &[f64], place: usize, default: f64| match values.len() {
            0 => default,
            n => values[place % n],
        };
        task.mapped(|place, value| {
            let value = f64::from(value);
            let value = if self.inverted { 1.0 - value } else { value };
            let (mean, std) = (
                number(&self.mean, place, 0.0),
                number(&self.std, place, 1.0),
            );
            ((value - mean) / std) as f32
        })
    }
}

/// Reads the map and the weights.
pub(super) fn read(map: &Path, weights: &Path) -> Result<(Stored, Input)> {
    let bytes =
        fs::read(weights).with_context(|| format!("while reading {}", weights.display()))?;
    let text = read_text(map)?;
    of(&text, &map.display().to_string(), &bytes)
        .with_context(|| format!("while importing {}", weights.display()))
}

/// The same of a text and of bytes.
pub(super) fn of(text: &str, name: &str, bytes: &[u8]) -> Result<(Stored, Input)> {
    let tree = tree::parse(text, name)?;
    let (own, of_study): (Vec<Entry>, Vec<Entry>) = tree
        .into_iter()
        .partition(|entry| ["tensors", "input", "import"].contains(&entry.key.as_str()));
    let entries = |key: &str| -> Result<Vec<Entry>> {
        match own.iter().find(|entry| entry.key == key) {
            None => Ok(Vec::new()),
            Some(entry) => Ok(table(entry, key)?.to_vec()),
        }
    };
    let input: Input = section::read(&entries("input")?, "input", &Input::default(), Input::check)?;
    let ignored = section::read(&entries("import")?, "import", &Ignored::default(), |_| {
        Ok(())
    })?;
    let names = names(&entries("tensors")?)?;
    let study = Study::read(&of_study)?;
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| anyhow!("not a whole safetensors file: {error}"))?;
    let source = Source {
        tensors: &tensors,
        names: &names,
        ignored: &ignored.ignore,
    };
    let config = config(&study, name, &source)?;
    // First the names: whoever has none of them right learns nothing from a number of channels.
    let weights = source.weights(&config.network, input.order)?;
    input.check_channels(config.network.image.channels)?;
    let stored = Stored {
        config,
        step: study.learners[0].training.outer_steps,
        weights,
        is_sealed: true,
        guest: None,
    };
    Ok((stored, input.in_rgb()))
}

/// `[tensors]`: our name to theirs.
fn names(entries: &[Entry]) -> Result<Vec<(String, String)>> {
    let mut names = Vec::new();
    for entry in entries {
        let Item::Text(theirs) = &entry.item else {
            bail!(
                "{}: tensors.{:?} = {}: has to be the name of a tensor of the file",
                entry.origin,
                entry.key,
                entry.item
            );
        };
        names.push((entry.key.clone(), theirs.clone()));
    }
    Ok(names)
}

fn config(study: &Study, name: &str, source: &Source<'_>) -> Result<RunConfig> {
    let [learner] = study.learners.as_slice() else {
        bail!(
            "{name}: it has {} learners; write the one that these weights are for",
            study.learners.len()
        );
    };
    let head = registry().checked(&learner.learner)?.head();
    let episode = study.train_shape(&learner.training);
    let channels = match source.find("blocks.0.conv.weight") {
        Some((_, shape)) if shape.len() == 4 => shape[1],
        _ => study.data.channels.number().unwrap_or(1),
    };
    let bundle = study.bundles(0).into_iter().next();
    let seeds = bundle
        .ok_or_else(|| anyhow!("{name}: it has no seed"))?
        .seeds;
    Ok(RunConfig {
        data: study.data.clone(),
        glyphs: study.data.has_glyphs().then(|| study.glyphs.clone()),
        data_digest: String::new(),
        split_digest: String::new(),
        episode,
        episode_sizes: study.episode.sizes,
        pool: None,
        test: study.test.clone(),
        network: study.network(head.outputs(episode.n_way), channels),
        init: study.network.init.into(),
        learner: learner.learner.clone(),
        training: learner.training.train(&study.validation),
        seeds,
        repetition: 0,
        log_every: study.run.log_every,
        compute: Compute::new(None, None)?,
        numerics: Numerics::here(),
    })
}

/// The tensors of a file under our names.
struct Source<'f> {
    tensors: &'f SafeTensors<'f>,
    names: &'f [(String, String)],
    ignored: &'f [String],
}

impl Source<'_> {
    /// What the file calls our tensor.
    fn theirs(&self, ours: &str) -> String {
        for (pattern, theirs) in self.names {
            let number = block_of(ours);
            let fill = |text: &str| text.replace("{i}", &number);
            let rest = ours.strip_prefix(fill(pattern).as_str());
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('.')) {
                return fill(theirs) + rest;
            }
        }
        ours.to_owned()
    }

    /// Name in the file, and shape.
    fn find(&self, ours: &str) -> Option<(String, Vec<usize>)> {
        let theirs = self.theirs(ours);
        let shape = self.tensors.tensor(&theirs).ok()?.shape().to_vec();
        Some((theirs, shape))
    }

    fn values(&self, ours: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let theirs = self.theirs(ours);
        let tensor = self.tensors.tensor(&theirs).map_err(|_| {
            let mut there: Vec<&str> = self.tensors.names();
            there.sort_unstable();
            anyhow!(
                "our {ours} would be their {theirs}, which is not in the file ({}); say in [tensors] what they call it",
                there.join(", ")
            )
        })?;
        ensure!(
            tensor.shape() == shape,
            "their {theirs} has shape {:?} where our {ours} has {shape:?}; correct [network] or [data] size",
            tensor.shape()
        );
        let data = tensor.data();
        match tensor.dtype() {
            Dtype::F32 => {
                let (chunks, _) = data.as_chunks();
                Ok(chunks
                    .iter()
                    .map(|it| f64::from(f32::from_le_bytes(*it)))
                    .collect())
            }
            Dtype::F64 => {
                let (chunks, _) = data.as_chunks();
                Ok(chunks.iter().map(|it| f64::from_le_bytes(*it)).collect())
            }
            other => bail!("their {theirs} is of type {other:?}; convert it to F32"),
        }
    }

    /// Every tensor of the network; what is left over is refused by name.
    fn weights(&self, network: &NetworkConfig, order: Order) -> Result<Weights<f32>> {
        let architecture = Architecture::new(network)?;
        let first = &architecture.blocks()[0];
        // Only a convolution has a weight for each channel that can change its place.
        ensure!(
            order == Order::Rgb || !first.kind.is_linear(),
            "[input] order = \"bgr\" is for convolutions; turn the first layer's input to RGB in Python, and leave the order out"
        );
        let mut used = BTreeMap::new();
        let mut theta = self.part(architecture.layout(), &mut used)?;
        let mut buffers = self.part(architecture.buffers(), &mut used)?;
        if order == Order::Bgr && first.input.channels == 3 {
            swap_channels(
                &mut theta.values_mut()[first.weight.clone()],
                first.input.channels,
            );
        }
        for (at, block) in architecture.blocks().iter().enumerate() {
            let Some(norm) = &block.norm else { continue };
            for op in ["conv", "linear"] {
                let ours = format!("blocks.{at}.{op}.bias");
                let Some((theirs, shape)) = self.find(&ours) else {
                    continue;
                };
                let bias = self.values(&ours, &shape)?;
                used.insert(theirs, ours);
                // Batch statistics take the bias off again; running ones have it in their mean.
                if let Some((mean, _)) = &norm.running {
                    let means = &mut buffers.values_mut()[mean.clone()];
                    ensure!(means.len() == bias.len(), "a bias of {} values", bias.len());
                    for (mean, bias) in means.iter_mut().zip(bias) {
                        *mean = (f64::from(*mean) - bias) as f32;
                    }
                }
            }
        }
        self.refuse_left_over(&used, network)?;
        Ok(Weights { theta, buffers })
    }

    fn part(
        &self,
        layout: &std::sync::Arc<metastable_models::Layout>,
        used: &mut BTreeMap<String, String>,
    ) -> Result<Params<f32>> {
        let mut params = Params::zeros(layout);
        for entry in layout.entries() {
            let values = self.values(&entry.name, &entry.shape)?;
            let place = &mut params.values_mut()[entry.offset..][..entry.len()];
            for (place, value) in place.iter_mut().zip(values) {
                *place = value as f32;
            }
            let theirs = self.theirs(&entry.name);
            if let Some(other) = used.insert(theirs.clone(), entry.name.clone()) {
                bail!("their {theirs} would be both {other} and {}", entry.name);
            }
        }
        Ok(params)
    }

    fn refuse_left_over(
        &self,
        used: &BTreeMap<String, String>,
        network: &NetworkConfig,
    ) -> Result<()> {
        let mut left: Vec<&str> = self.tensors.names();
        left.sort_unstable();
        left.retain(|name| {
            !used.contains_key(*name)
                && !name.ends_with(".num_batches_tracked")
                && !self.ignored.iter().any(|start| name.starts_with(start))
        });
        // Statistics that were recorded, and that a network of batch statistics does not look at.
        let is_running =
            |name: &&str| name.ends_with("running_mean") || name.ends_with("running_var");
        if network.norm != Norm::Running && left.iter().any(is_running) {
            left.retain(|name| !is_running(name));
            eprintln!(
                "note: the running statistics of the file are not used, since network.norm takes those of the batch (model.train() in PyTorch); network.norm = \"running\" uses them (model.eval())"
            );
        }
        match left.first() {
            None => Ok(()),
            Some(name) => bail!(
                "their {name} and {} more are not part of the network; name them in [tensors], or leave them out with ignore = [{name:?}] in [import]",
                left.len() - 1
            ),
        }
    }
}

/// The number of the block in one of our names; empty where it is of none.
fn block_of(ours: &str) -> String {
    let rest = ours.strip_prefix("blocks.").unwrap_or_default();
    rest.split('.').next().unwrap_or_default().to_owned()
}

/// First and last of three input channels in each other's place; `weight` is `(out, 3, 3, 3)`.
fn swap_channels(weight: &mut [f32], channels: usize) {
    let n_taps = 9;
    for filter in weight.chunks_exact_mut(channels * n_taps) {
        for tap in 0..n_taps {
            filter.swap(tap, (channels - 1) * n_taps + tap);
        }
    }
}

#[cfg(test)]
mod tests;
