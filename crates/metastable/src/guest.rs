//! `guest`: prints the files that a learner in another language starts from.

use anyhow::{Result, bail};
use metastable_guests::python::{ENVIRONMENT, MODULE, TEMPLATES};

use crate::Ending;
use crate::flags;
use crate::study::suggestion;

/// Runs the command.
pub(crate) fn guest(flags: &flags::Guest) -> Result<Ending> {
    let text = match &flags.template {
        None if flags.environment => ENVIRONMENT,
        None => MODULE,
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
