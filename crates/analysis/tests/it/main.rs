//! Known answers: other software, closed forms, simulation, invariances.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; a panic is how they fail"
)]

mod dynamics;
mod estimators;
mod examples;
mod factors;
mod first_screen;
mod golden;
mod hardness;
mod incomplete;
mod invariance;
mod key;
mod lists;
mod moderation;
mod published;
mod replacement;
mod reproduction;
mod settings;
mod simulation;
mod steadiness;
mod study;
mod support;
mod training;
mod variance;
