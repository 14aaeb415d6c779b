//! The targets themselves: bytes to a parser, and whether it took them.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use metastable::inputs;
use metastable_data::{
    Ink, Reading, archive, arrays, fetch, folder as image_folder, idx as idx_files,
};
use metastable_models::{Architecture, Checkpoint};

/// A checkpoint without a digest, which is as good as one whose digest was computed again: sizes and tensors are a stranger's.
pub(crate) fn checkpoint(bytes: &[u8], _: &Path) -> bool {
    let Ok(checkpoint) = Checkpoint::from_bytes(bytes.to_vec(), "fuzz") else {
        return false;
    };
    let Some(config) = checkpoint.config() else {
        return false;
    };
    let architecture = Architecture::new(config);
    architecture.is_ok_and(|it| checkpoint.load::<f32>(&it).is_ok())
}

pub(crate) fn parquet_images(bytes: &[u8], folder: &Path) -> bool {
    let path = folder.join("part.parquet");
    fs::write(&path, bytes).is_ok() && fetch::read_parquet(&path).is_ok()
}

/// Whatever `analyze` reads.
pub(crate) fn table(bytes: &[u8], folder: &Path) -> bool {
    let path = folder.join("scores.csv");
    fs::write(&path, bytes).is_ok() && inputs::table(&path).is_ok()
}

/// An images file of the MNIST family, packed with its right checksum: damage of gzip itself is found by that.
pub(crate) fn idx(bytes: &[u8], folder: &Path) -> bool {
    let images = folder.join("a-images-idx3-ubyte");
    let labels = folder.join("a-labels-idx1-ubyte");
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = match bytes.split_first() {
        // Every fourth is handed over as it is.
        Some((first, _)) if first % 4 == 3 => Ok(bytes.to_vec()),
        _ => packer.write_all(bytes).and_then(|()| packer.finish()),
    };
    let n_images = bytes
        .get(4..8)
        .map_or([0; 4], |it| [it[0], it[1], it[2], it[3]]);
    let n_labels = u32::from_be_bytes(n_images).min(1000);
    let mut label_bytes = vec![0, 0, 8, 1];
    label_bytes.extend(n_labels.to_be_bytes());
    label_bytes.extend((0..n_labels).map(|label| (label % 3) as u8));
    packed.is_ok_and(|packed| {
        fs::write(&images, packed).is_ok()
            && fs::write(&labels, label_bytes).is_ok()
            && idx_files::load(&images, 14, Ink::Auto).is_ok()
    })
}

/// A folder with one good picture and this one.
pub(crate) fn picture(bytes: &[u8], folder: &Path) -> bool {
    let (good, bad) = (folder.join("good"), folder.join("bad"));
    let write = || -> std::io::Result<()> {
        if !good.exists() {
            fs::create_dir(&good)?;
            fs::create_dir(&bad)?;
            fs::write(good.join("0.png"), &crate::seeds::pictures()[0])?;
        }
        fs::write(bad.join("0.png"), bytes)
    };
    write().is_ok()
        && image_folder::load(
            folder,
            Reading {
                size: 14.into(),
                ..Reading::default()
            },
            None,
        )
        .is_ok()
}

/// Images and labels as Python stores them.
pub(crate) fn pickle(bytes: &[u8], folder: &Path) -> bool {
    array_file(bytes, &folder.join("set.pkl"))
}

/// Images and labels as numpy stores them.
pub(crate) fn npz(bytes: &[u8], folder: &Path) -> bool {
    array_file(bytes, &folder.join("set.npz"))
}

fn array_file(bytes: &[u8], path: &Path) -> bool {
    let reading = Reading {
        size: 4.into(),
        ..Reading::default()
    };
    fs::write(path, bytes).is_ok() && arrays::load(path, reading).is_ok()
}

pub(crate) fn zip(bytes: &[u8], _: &Path) -> bool {
    let limits = archive::Limits {
        max_total_bytes: 64 << 20,
        ..archive::Limits::default()
    };
    let Ok(mut opened) = archive::open(Cursor::new(bytes), &limits) else {
        return false;
    };
    (0..opened.len()).all(|entry| archive::read(&mut opened, entry).is_ok())
}

pub(crate) fn study(bytes: &[u8], _: &Path) -> bool {
    inputs::study(&String::from_utf8_lossy(bytes)).is_ok()
}

pub(crate) fn set(bytes: &[u8], _: &Path) -> bool {
    inputs::set(&String::from_utf8_lossy(bytes)).is_ok()
}

/// A file of answers, sealed again.
pub(crate) fn answers(bytes: &[u8], _: &Path) -> bool {
    inputs::answers(&String::from_utf8_lossy(bytes)).is_ok()
}

/// What a guest sends.
pub(crate) fn frames(bytes: &[u8], _: &Path) -> bool {
    metastable_guests::inputs::frames(bytes).unwrap_or(false)
}

/// A map of names, and after a mark the weights; those of the seeds where the mark is gone.
pub(crate) fn import(bytes: &[u8], _: &Path) -> bool {
    let mark = crate::seeds::WEIGHTS_MARK;
    let at = bytes.windows(mark.len()).position(|it| it == mark);
    let (map, weights) = match at {
        Some(at) => (&bytes[..at], &bytes[at + mark.len()..]),
        None => (bytes, crate::seeds::IMPORTED),
    };
    inputs::import(&String::from_utf8_lossy(map), weights).is_ok()
}
