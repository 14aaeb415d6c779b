//! The runner: so many inputs of a target, by a seed that makes them again; what it finds is kept.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use metastable_data::contained;

use crate::Target;
use crate::mutate::mutated;

/// No input of 64 kB takes so long.
const SLOW: Duration = Duration::from_secs(5);

/// What a run found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inputs tried, the seeds among them.
    pub tried: usize,
    /// Inputs that the parser took.
    pub accepted: usize,
    /// Inputs at which the parser panicked, and where the first few are kept.
    pub panics: usize,
    /// Inputs at which a parser that is not ours panicked, and the program went on.
    pub contained: usize,
    /// Inputs that took longer than five seconds.
    pub slow: usize,
    /// Files of the finds.
    pub finds: Vec<PathBuf>,
}

/// Runs `n` inputs. Where a crash takes the whole process with it, the last input lies in `/dev/shm/metastable-fuzz-TARGET`.
///
/// # Errors
/// Those of the file system.
pub fn run(target: &Target, n: usize, seed: u64, finds: Option<&Path>) -> Result<Counts> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let folder = folder.context("while making a folder for inputs")?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let seeds = (target.seeds)();
    let mut counts = Counts::default();
    // Beside the folders of inputs, where writing is cheap.
    let current = finds.and(folder.path().parent());
    let current = current.map(|place| place.join(format!("metastable-fuzz-{}", target.name)));
    for index in 0..n {
        let input = match seeds.get(index) {
            Some(seed) => seed.clone(),
            None => mutated(&seeds, target.is_text, &mut rng),
        };
        // Where a stack overflows or memory ends, no line below is reached.
        if let Some(current) = &current {
            fs::write(current, &input)?;
        }
        let begun = Instant::now();
        let contained_before = contained::count();
        let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(&input, folder.path())));
        counts.tried += 1;
        counts.accepted += usize::from(matches!(ended, Ok(true)));
        let is_slow = begun.elapsed() > SLOW;
        counts.slow += usize::from(is_slow);
        counts.panics += usize::from(ended.is_err());
        let is_contained = contained::count() > contained_before;
        counts.contained += usize::from(is_contained);
        let is_find = is_slow || ended.is_err() || is_contained;
        if let (true, Some(finds)) = (is_find, finds)
            && counts.finds.len() < 20
        {
            let path = finds.join(format!("{}-{seed}-{index}", target.name));
            fs::write(&path, &input)?;
            counts.finds.push(path);
        }
    }
    if let Some(current) = current {
        fs::remove_file(current)?;
    }
    Ok(counts)
}
