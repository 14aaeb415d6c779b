//! Data for tests: small sets made in code, and real ones where the environment names a folder.

use std::path::PathBuf;

use crate::{ClassImages, Dataset};

/// A folder of real data, from the environment variable `METASTABLE_DATA`.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("METASTABLE_DATA").filter(|root| !root.is_empty());
    let Some(root) = root else {
        println!("skipped: METASTABLE_DATA is not set");
        return None;
    };
    Some(PathBuf::from(root).join(name))
}

/// `n_alphabets` of `n_classes` classes of `n_images` images of 3x3, no two images alike (up to 65,536).
pub(crate) fn dataset(n_alphabets: usize, n_classes: usize, n_images: usize) -> Dataset {
    let classes = (0..n_alphabets * n_classes).map(|class_idx| {
        let alphabet = format!("alphabet{:02}", class_idx / n_classes);
        let pixels = (class_idx * n_images..(class_idx + 1) * n_images)
            .flat_map(|image_idx| {
                let [low, high, ..] = image_idx.to_le_bytes();
                [low, high, 3, 4, 5, 6, 7, 8, 9]
            })
            .collect();
        ClassImages {
            name: format!("{alphabet}/character{:02}", class_idx % n_classes + 1),
            alphabet,
            pixels,
        }
    });
    Dataset::from_classes("made", 3, classes).unwrap()
}
