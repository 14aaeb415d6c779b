//! The cache: a loaded data set in one file, so that the next start need not decode anything.
//!
//! The file is named after what it was made of (content, size, settings, format version), so nothing in it can go
//! stale: other content is another file. It is written beside its final name, synced and renamed; a reader meets the
//! whole file or none. A CRC-32 over all bytes shows a cut or a flipped bit, and then the cache is built anew.
//! Files of other versions are left alone; the folder can be deleted at any time. A folder that cannot be written costs
//! the time of the next start, not this one's result.
//!
//! ```text
//! magic "MSTCACHE" | header length, u64 LE | header, JSON | pixels | CRC-32 of all before it, u32 LE
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::receipt::Decoding;
use crate::{Class, DataError, Dataset, ImageSize, digest};

/// Raised whenever the layout of the file, or what loaders put into it, changes.
const FORMAT: u32 = 2;

const MAGIC: &[u8; 8] = b"MSTCACHE";

/// Where decoded images are kept.
#[derive(Clone, Debug)]
pub struct Cache {
    /// The folder, made on demand.
    pub dir: PathBuf,
    /// Hears why something could not be stored; the load goes on without.
    pub on_failure: fn(&DataError),
}

impl Cache {
    /// A cache in `dir` that nobody hears of when it cannot be written.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            on_failure: |_| (),
        }
    }
}

/// What a cached data set was made of.
#[derive(Clone, Debug)]
pub struct CacheKey<'a> {
    /// Name of the source.
    pub name: &'a str,
    /// Digest of the content it was read from.
    pub content: String,
    /// Height and width of its images.
    pub size: ImageSize,
    /// Whatever else decides the bytes: filter, ink.
    pub settings: String,
}

impl CacheKey<'_> {
    /// The file of this key.
    #[must_use]
    pub fn path(&self, cache_dir: &Path) -> PathBuf {
        let digest = digest::sha256(self.text().as_bytes());
        cache_dir.join(format!(
            "{}-{}-{}.cache",
            self.name,
            self.size,
            &digest[..16]
        ))
    }

    fn text(&self) -> String {
        format!(
            "format {FORMAT}\nname {}\ncontent {}\nside {}\nsettings {}",
            self.name, self.content, self.size, self.settings
        )
    }
}

/// The file's header: a [`Dataset`] without its pixels, and the key once more in full.
#[derive(Serialize, Deserialize)]
struct Header {
    key: String,
    name: String,
    #[serde(rename = "side")]
    size: ImageSize,
    channels: usize,
    n_images: usize,
    classes: Vec<Class>,
    alphabets: Vec<String>,
    digest: String,
    #[serde(default)]
    decoding: Option<Decoding>,
}

/// The data set from the cache if it is there and whole; otherwise `build` makes it and it is stored.
///
/// Without a cache this is `build`. What cannot be stored is returned all the same, and [`Cache::on_failure`] is told.
///
/// # Errors
/// Those of `build`.
pub fn load_or_build(
    cache: Option<&Cache>,
    key: &CacheKey<'_>,
    build: impl FnOnce() -> Result<Dataset, DataError>,
) -> Result<Dataset, DataError> {
    let Some(cache) = cache else {
        return build();
    };
    let path = key.path(&cache.dir);
    if let Some(dataset) = read(&path, key) {
        return Ok(dataset);
    }
    let dataset = build()?;
    if let Err(source) = write(&cache.dir, &path, key, &dataset) {
        let next_step = "free or change that folder, or every start decodes the images anew";
        let error = DataError::io("write the cache", &path, next_step)(source);
        (cache.on_failure)(&error);
    }
    Ok(dataset)
}

/// The cached data set; `None` if there is none or it is damaged in any way.
fn read(path: &Path, key: &CacheKey<'_>) -> Option<Dataset> {
    let mut file = File::open(path).ok()?;
    let file_len = file.metadata().ok()?.len();
    let mut hasher = crc32fast::Hasher::new();
    let mut next = |n_bytes: u64| -> Option<Vec<u8>> {
        // No allocation on the word of a damaged length.
        if n_bytes > file_len {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(n_bytes).ok()?];
        file.read_exact(&mut bytes).ok()?;
        hasher.update(&bytes);
        Some(bytes)
    };
    if next(8)? != MAGIC {
        return None;
    }
    let header_len = u64::from_le_bytes(next(8)?.try_into().ok()?);
    let header: Header = serde_json::from_slice(&next(header_len)?).ok()?;
    let n_bytes = header
        .size
        .height
        .checked_mul(header.size.width)?
        .checked_mul(header.channels)?
        .checked_mul(header.n_images)?;
    let pixels = next(n_bytes as u64)?;
    let mut checksum = [0; 4];
    file.read_exact(&mut checksum).ok()?;
    let at_end = file.read(&mut [0]).ok()? == 0;
    let is_whole = at_end && u32::from_le_bytes(checksum) == hasher.finalize();
    (is_whole && header.key == key.text()).then_some(Dataset {
        pixels,
        classes: header.classes,
        alphabets: header.alphabets,
        digest: header.digest,
        decoding: header.decoding,
        ..Dataset::empty(header.name, header.size, header.channels)
    })
}

fn write(cache_dir: &Path, path: &Path, key: &CacheKey<'_>, dataset: &Dataset) -> io::Result<()> {
    fs::create_dir_all(cache_dir)?;
    let header = serde_json::to_vec(&Header {
        key: key.text(),
        name: dataset.name.clone(),
        size: dataset.size,
        channels: dataset.channels,
        n_images: dataset.n_images(),
        classes: dataset.classes.clone(),
        alphabets: dataset.alphabets.clone(),
        digest: dataset.digest.clone(),
        decoding: dataset.decoding,
    })?;
    let mut hasher = crc32fast::Hasher::new();
    // Removed by itself when anything below fails.
    let mut file = tempfile::NamedTempFile::new_in(cache_dir)?;
    for bytes in [
        MAGIC.as_slice(),
        &(header.len() as u64).to_le_bytes(),
        &header,
        &dataset.pixels,
    ] {
        hasher.update(bytes);
        file.write_all(bytes)?;
    }
    file.write_all(&hasher.finalize().to_le_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
