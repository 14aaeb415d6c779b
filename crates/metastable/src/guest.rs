//! `guest`: prints the files that a learner in another language starts from.

use anyhow::{Result, bail};

use crate::Ending;
use crate::flags;
use crate::study::suggestion;

/// The other side of the protocol.
const PYTHON: &str = include_str!("../../guests/python/metastable_guest.py");

/// Learners to start from, by name.
const TEMPLATES: [(&str, &str); 6] = [
    (
        "nearest_mean",
        include_str!("../../guests/python/nearest_mean.py"),
    ),
    (
        "torch_protonet",
        include_str!("../../guests/python/torch_protonet.py"),
    ),
    (
        "torch_maml",
        include_str!("../../guests/python/torch_maml.py"),
    ),
    (
        "torch_encoder",
        include_str!("../../guests/python/torch_encoder.py"),
    ),
    (
        "jax_protonet",
        include_str!("../../guests/python/jax_protonet.py"),
    ),
    (
        "attention",
        include_str!("../../guests/python/attention.py"),
    ),
];

/// Runs the command.
pub(crate) fn guest(flags: &flags::Guest) -> Result<Ending> {
    let text = match &flags.template {
        None => PYTHON,
        Some(name) => {
            let name = name.trim_end_matches(".py");
            let names: Vec<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
            match TEMPLATES.iter().find(|(known, _)| *known == name) {
                Some((_, text)) => text,
                None => bail!(
                    "there is no template {name:?}; {}",
                    suggestion(name, &names)
                ),
            }
        }
    };
    print!("{text}");
    Ok(Ending::Done)
}
