//! What a data set bears: the largest usual episodes, as flags that can be pasted, for who asked for more than there is.

use metastable_data::MetaSplit;

use crate::run::{Material, RunConfig};

/// Usual sizes, which small sets fall short of.
const WAY: usize = 5;
const QUERY: usize = 15;

/// `--set episode.way=3 ...`: settings under which every part of the split gives episodes of the shot that was asked for; none if no
/// settings do.
pub(crate) fn flags(config: &RunConfig, material: &Material) -> Option<String> {
    let shot = config.episode.k_shot.max(config.test.shot);
    // An episode needs a query of each class, too.
    let least = shot + 1;
    let sizes = |part| {
        let classes = material.split.classes(part).iter();
        let sizes = classes.map(|at| material.dataset.classes[*at as usize].n_images);
        sizes.collect::<Vec<usize>>()
    };
    let parts = MetaSplit::ALL.map(sizes);
    let has_small = parts.iter().flatten().any(|size| *size < least);
    let large = |part: &Vec<usize>| part.iter().filter(|size| **size >= least).count();
    let turns = config
        .data
        .rotations
        .n_variants()
        .min(config.data.test_rotations.n_variants());
    let way = parts.iter().map(large).min().unwrap_or(0) * turns as usize;
    if way < 2 {
        return None;
    }
    let smallest = parts
        .iter()
        .flatten()
        .filter(|size| **size >= least)
        .min()?;
    let (way, query) = (way.min(WAY), (smallest - shot).min(QUERY));
    let mut flags = format!(
        "--set episode.way={way} --set episode.query={query} --set test.way={way} --set test.query={query}"
    );
    if has_small {
        // A random split is drawn anew without them, and may come out otherwise; the same advice then holds for what is left.
        flags += &format!(" --set data.min_images={least}");
    }
    Some(flags)
}
