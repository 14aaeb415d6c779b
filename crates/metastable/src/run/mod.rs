//! One run: configuration, files, training, test. Start reading at [`execute`].

pub(crate) mod answers;
pub(crate) mod checkpoint;
pub(crate) mod combined;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod cost;
pub(crate) mod execute;
mod goals;
pub(crate) mod growing;
pub(crate) mod guest;
pub(crate) mod log;
pub(crate) mod material;
pub(crate) mod miniature;
pub(crate) mod numerics;
pub(crate) mod record;
pub(crate) mod regression;
pub(crate) mod replay;
pub(crate) mod results;
pub(crate) mod returns;
mod reuse;
pub(crate) mod state;
mod steps;
pub(crate) mod tasks;
pub(crate) mod tensors;
mod test;
pub(crate) mod validated;
pub(crate) mod world;

pub(crate) use config::RunConfig;
pub(crate) use execute::{Ended, Run, RunFolder, Workshop};
pub(crate) use material::Material;
pub(crate) use record::Record;
