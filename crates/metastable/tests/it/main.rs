//! The program as a user meets it: the built binary, in a folder of its own, offline.

#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod advise;
mod analyze;
mod averaging;
mod bits;
mod bounds;
mod cases;
mod certificate;
mod clean;
mod data;
mod designs;
mod domains;
mod endings;
mod errors;
mod export;
mod exported;
mod floors;
mod gate;
mod guests;
mod images;
mod lake_runs;
mod lines;
mod listing;
mod oblong;
mod probe;
mod processes;
mod recipes;
mod recompute;
mod regression;
mod repeat;
mod replace;
mod reproduce;
mod returns;
mod reuse;
mod silent;
mod slurm;
mod stranger;
mod support;
mod tables;
mod tensorboard;
mod tools;
mod versions;
mod weights;
mod whole;
