//! Fuzz targets: every parser of what a stranger may hand over, and a mutational runner that needs no tool but cargo.
//!
//! A target is a function of bytes that must return, whatever they are: with a value, or with an error. `cargo run -p
//! metastable-fuzz -- all 100000` runs each; a short run is a test. A fuzzer that follows coverage can call [`TARGETS`] as well.

pub mod mutate;
pub mod runner;
mod seeds;
mod targets;

use std::path::Path;

/// One parser.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Inputs that it accepts, to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Hands bytes to the parser; the folder is the target's own, on a disk in memory where there is one. Returns whether
    /// they were accepted.
    pub run: fn(&[u8], &Path) -> bool,
    /// Whether the input is text: then numbers and words are changed as well as bytes.
    pub is_text: bool,
}

/// All of them.
pub const TARGETS: [Target; 14] = [
    Target {
        name: "checkpoint",
        seeds: seeds::checkpoints,
        run: targets::checkpoint,
        is_text: true,
    },
    Target {
        name: "parquet-images",
        seeds: seeds::parquet_images,
        run: targets::parquet_images,
        is_text: false,
    },
    Target {
        name: "parquet-table",
        seeds: seeds::parquet_tables,
        run: targets::table,
        is_text: false,
    },
    Target {
        name: "idx",
        seeds: seeds::idx,
        run: targets::idx,
        is_text: false,
    },
    Target {
        name: "picture",
        seeds: seeds::pictures,
        run: targets::picture,
        is_text: false,
    },
    Target {
        name: "pickle",
        seeds: seeds::pickles,
        run: targets::pickle,
        is_text: false,
    },
    Target {
        name: "npz",
        seeds: seeds::npzs,
        run: targets::npz,
        is_text: false,
    },
    Target {
        name: "zip",
        seeds: seeds::zips,
        run: targets::zip,
        is_text: false,
    },
    Target {
        name: "study",
        seeds: seeds::studies,
        run: targets::study,
        is_text: true,
    },
    Target {
        name: "set",
        seeds: seeds::sets,
        run: targets::set,
        is_text: true,
    },
    Target {
        name: "scores",
        seeds: seeds::scores,
        run: targets::table,
        is_text: true,
    },
    Target {
        name: "answers",
        seeds: seeds::answers,
        run: targets::answers,
        is_text: true,
    },
    Target {
        name: "frames",
        seeds: seeds::frames,
        run: targets::frames,
        is_text: true,
    },
    Target {
        name: "import",
        seeds: seeds::imports,
        run: targets::import,
        is_text: true,
    },
];
