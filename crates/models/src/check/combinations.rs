//! The product of everything that a case can differ in.

use rand::Rng;

use super::subjects::{LOSSES, NORMS, Subject};
use crate::{ImageShape, Loss, ModelError, NETWORKS, NetworkConfig, Norm};

/// Images and numbers of blocks: several channels, and a map that shrinks to one pixel; a single channel, odd edges, and a second
/// map large enough for Winograd's tiles.
const IMAGES: [(ImageShape, usize); 2] = [(image(7, 6, 2), 2), (image(11, 14, 1), 2)];

/// Fewer filters than a register tile has lanes, as many, and a number that no tile divides.
const WIDTHS: [usize; 3] = [5, 16, 19];

/// Images of few and of many channels, which take different kernels, and numbers of filters below, between and above the widths of
/// register tiles. Each is taken with one norm and one loss: what lies between a convolution and a loss does not ask for either.
const SHAPES: [(ImageShape, usize); 10] = [
    (image(11, 10, 3), 5),
    (image(9, 12, 3), 12),
    (image(13, 9, 3), 24),
    (image(9, 10, 4), 33),
    (image(8, 9, 5), 17),
    (image(10, 9, 7), 50),
    (image(9, 9, 17), 20),
    (image(9, 14, 1), 3),
    (image(12, 9, 1), 24),
    (image(10, 11, 1), 50),
];

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
                    let one_value =
                        entry.form.block.is_linear() && loss == Loss::CrossEntropy && n_judged == 1;
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
    subjects.extend(shapes(rng)?);
    Ok(subjects)
}

/// Networks of every shape of image and number of filters, with norms and losses in turn.
fn shapes(rng: &mut dyn Rng) -> Result<Vec<Subject>, ModelError> {
    let convolutional = NETWORKS
        .iter()
        .filter(|entry| !entry.form.block.is_linear());
    let mut subjects = Vec::new();
    for (entry, turn) in convolutional.zip((0..).step_by(3)) {
        for (index, (image, width)) in SHAPES.into_iter().enumerate() {
            let (norm, inner_step, stored) = NORMS[(index + turn) % NORMS.len()];
            let (loss, n_way) = LOSSES[(index + 2 * turn) % LOSSES.len()];
            let config = NetworkConfig {
                name: entry.name.to_owned(),
                form: None,
                image,
                n_blocks: 2,
                width,
                norm,
                n_way,
            };
            subjects.push(Subject::new(config, loss, 11, inner_step, stored, rng)?);
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
