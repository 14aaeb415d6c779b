//! The commands of the laboratory, as one opaque value: what another program takes into its own command line.

use clap::error::Error;
use clap::{ArgMatches, FromArgMatches, Subcommand};

use crate::flags;

/// A command with its flags, for [`crate::run`].
///
/// It is a [`Subcommand`], so a program with commands of its own flattens it into them, as `cargo xtask` does.
#[derive(Debug)]
pub struct Command(pub(crate) flags::Command);

impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        flags::Command::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Subcommand for Command {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        flags::Command::augment_subcommands(command)
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        flags::Command::augment_subcommands_for_update(command)
    }

    fn has_subcommand(name: &str) -> bool {
        flags::Command::has_subcommand(name)
    }
}
