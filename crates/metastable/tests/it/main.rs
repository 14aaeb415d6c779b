//! The program as a user meets it: the built binary, in a folder of its own, offline.

#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod advise;
mod analyze;
mod bits;
mod bounds;
mod certificate;
mod clean;
mod data;
mod designs;
mod endings;
mod errors;
mod export;
mod exported;
mod guests;
mod images;
mod lake_runs;
mod listing;
mod probe;
mod processes;
mod recipes;
mod replace;
mod reproduce;
mod silent;
mod slurm;
mod stranger;
mod support;
mod tables;
mod tensorboard;
mod whole;
