//! The product of everything that a case can differ in.

use rand::Rng;

use super::subjects::{LOSSES, NORMS, Subject};
use crate::registry::BlockKind;
use crate::{ImageShape, Loss, ModelError, NETWORKS, NetworkConfig, Norm};

/// Images and numbers of blocks: several channels, and a map that shrinks to one pixel; a single channel, which the first
/// layer's kernels take, odd edges, and a second map large enough for Winograd's tiles.
const IMAGES: [(ImageShape, usize); 2] = [(image(7, 6, 2), 2), (image(11, 14, 1), 2)];

/// Fewer filters than a register tile has lanes, as many, and a number that no tile divides.
const WIDTHS: [usize; 3] = [5, 16, 19];

/// Judged rows: a single one, and more than a group of a parallel sum.
const JUDGED: [usize; 2] = [1, 11];

/// Every network of the registry with every norm, every loss, and every shape of image, number of filters and size of
/// batch out of a few that differ in which kernels run.
///
/// A fully connected network that takes the statistics of a single image is left out: each unit has one value then, and
/// normalisation leaves nothing of it.
///
/// # Errors
/// None, unless a network of the registry refuses small images.
pub fn combinations(rng: &mut dyn Rng) -> Result<Vec<Subject>, ModelError> {
    let mut subjects = Vec::new();
    for entry in NETWORKS {
        for (norm, inner_step, stored) in NORMS {
            for (loss, n_way) in LOSSES {
                for (image, n_blocks, width, n_judged) in sizes() {
                    let one_value = entry.form.block == BlockKind::Linear
                        && loss == Loss::CrossEntropy
                        && n_judged == 1;
                    if one_value && !stored && norm != Norm::None {
                        continue;
                    }
                    let config = NetworkConfig {
                        name: entry.name.to_owned(),
                        form: None,
                        image,
                        n_blocks,
                        width,
                        norm,
                        n_way,
                    };
                    let subject = Subject::new(config, loss, n_judged, inner_step, stored, rng)?;
                    subjects.push(subject);
                }
            }
        }
    }
    Ok(subjects)
}

/// Image, blocks, filters and judged rows.
fn sizes() -> impl Iterator<Item = (ImageShape, usize, usize, usize)> {
    IMAGES.into_iter().flat_map(|(image, n_blocks)| {
        WIDTHS
            .into_iter()
            .flat_map(move |width| JUDGED.map(|n_judged| (image, n_blocks, width, n_judged)))
    })
}

const fn image(height: usize, width: usize, channels: usize) -> ImageShape {
    ImageShape {
        height,
        width,
        channels,
    }
}
