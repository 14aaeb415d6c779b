//! The flags of `card`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

/// What `card` is told.
#[derive(Args, Debug)]
pub(crate) struct Card {
    /// The folder of a study whose runs have ended
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A learner, as the study calls it
    #[arg(long, value_name = "LEARNER")]
    pub(crate) learner: String,
    /// The seed whose weights are taken [default: the first, so that no score chooses it]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Name of the two files [default: SET-LEARNER-WAYwSHOTs]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// Folder of the two files
    #[arg(long, value_name = "DIR", default_value = "weights")]
    pub(crate) to: PathBuf,
}
