//! `--episodes-from`: the test episodes of a finished run, image by image, out of its `test.safetensors`.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use metastable_data::{Dataset, Episode, Sizes};

use crate::run::results;
use crate::study::TestSettings;

/// Reads the list; the settings of the test become those of the list, with no more episodes than were asked for.
///
/// # Errors
/// For a file without a list, for one over other images, and for turns of images that are not square.
pub(super) fn read(
    path: &Path,
    dataset: &Dataset,
    test: &mut TestSettings,
) -> Result<Vec<Episode>> {
    let list = results::episodes(path)?;
    if list.data_digest != dataset.digest {
        bail!(
            "{} lists images of other data (digest {} there, {} here); name them with --dataset",
            path.display(),
            list.data_digest,
            dataset.digest
        );
    }
    let Some(first) = list.episodes.first() else {
        bail!("{} lists no episode", path.display());
    };
    let shape = first.shape;
    // The digest is that of the files: the run of the list may have made squares of the same images.
    let mut classes = list.episodes.iter().flat_map(|episode| &episode.classes);
    if dataset.size.side().is_none() && classes.any(|class| class.quarter_turns % 4 != 0) {
        bail!(
            "{} lists turned images, and those of data.size = \"{}\" are not square; give the list of a run with data.test_rotations = \"off\"",
            path.display(),
            dataset.size
        );
    }
    for episode in &list.episodes {
        check(episode, dataset).with_context(|| format!("{} is damaged", path.display()))?;
    }
    (test.way, test.shot, test.query) = (shape.n_way, shape.k_shot, shape.n_query);
    // What it is called where tasks differ in the number of classes: those of one list are drawn by one rule.
    test.sizes = if list.episodes.iter().all(|it| it.shape.n_way == shape.n_way) {
        Sizes::Even
    } else {
        Sizes::MetaDataset
    };
    test.episodes = test.episodes.min(list.episodes.len());
    Ok(list.episodes)
}

/// Whether every image is one of the class that it stands for.
fn check(episode: &Episode, dataset: &Dataset) -> Result<()> {
    let supports = episode.supports_by_label().zip(&episode.classes);
    for (images, class) in supports.chain(episode.queries_by_label().zip(&episode.classes)) {
        let known = dataset.classes.get(class.class_idx as usize);
        let known = known.with_context(|| format!("there is no class {}", class.class_idx))?;
        let of_class = known.images();
        for image in images {
            ensure!(
                of_class.contains(&(*image as usize)),
                "image {image} is not of class {}",
                known.name
            );
        }
    }
    Ok(())
}
