//! The registry of data sources: what `--dataset` may say. A new source is a file and a line in [`SOURCES`].

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::{
    Channels, DataError, Dataset, GlyphsConfig, ImageSize, Ink, Paper, Reading, arrays, folder,
    glyphs, idx, omniglot,
};

/// Where and how to open a data set.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Folder of downloaded data: Omniglot's archives are looked for here and in its folder `omniglot`.
    pub data_dir: Option<PathBuf>,
    /// Where decoded images are kept; none, nothing is kept.
    pub cache: Option<Cache>,
    /// Height and width to resize to; glyphs are drawn square.
    pub size: ImageSize,
    /// One channel or three; a source without colour repeats its grey for three.
    pub channels: Channels,
    /// Which end of the grey scale is ink, for sources that [take it](Source::takes_ink).
    pub ink: Ink,
    /// What transparent pixels lie on, for sources that [take ink](Source::takes_ink).
    pub paper: Paper,
}

impl OpenOptions {
    /// What pictures of files are made into.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading {
            size: self.size,
            channels: self.channels,
            ink: self.ink,
            paper: self.paper,
        }
    }
}

impl Default for OpenOptions {
    /// No folders, 28x28, ink told by the border.
    fn default() -> Self {
        Self {
            data_dir: None,
            cache: None,
            size: ImageSize::square(28),
            channels: Channels::Auto,
            ink: Ink::Auto,
            paper: Paper::Auto,
        }
    }
}

/// One way to get a data set.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Its name: what stands before the colon of a spec.
    pub name: &'static str,
    /// How a spec is written, e.g. `folder:PATH`.
    pub spec: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// Whether [`OpenOptions::ink`] has a say; otherwise the source knows.
    pub takes_ink: bool,
    /// Opens it; the text is what stands after the colon.
    pub open: fn(Option<&str>, &OpenOptions) -> Result<Dataset, DataError>,
}

/// Every source.
pub const SOURCES: &[Source] = &[
    Source {
        name: "glyphs",
        spec: "glyphs[:KEY=VALUE,...]",
        summary: "procedural alphabets that look like handwriting; nothing to download (seed, spread, n_alphabets, ...)",
        takes_ink: false,
        open: |settings, options| {
            let config = GlyphsConfig {
                side: options.size.require_square("glyphs")?,
                ..GlyphsConfig::default()
            };
            glyphs::generate(&config.with_text(settings.unwrap_or(""))?)
        },
    },
    Source {
        name: "omniglot",
        spec: "omniglot[:PATH]",
        summary: "1,623 characters of 50 alphabets by 20 drawers (Lake et al. 2015), from its two archives",
        takes_ink: false,
        open: open_omniglot,
    },
    Source {
        name: "folder",
        spec: "folder:PATH",
        summary: "your own PNG, JPEG, BMP, TIFF or WebP images: a folder for each class, optionally within alphabets or train/val/test",
        takes_ink: true,
        open: |path, options| {
            let path = required("folder", path)?;
            folder::load(Path::new(path), options.reading(), options.cache.as_ref())
        },
    },
    Source {
        name: "emoji",
        spec: "emoji",
        summary: "1,031 names in six styles as coloured drawings, in categories; made by `fetch emoji --from DIR`",
        takes_ink: true,
        open: open_emoji,
    },
    Source {
        name: "arrays",
        spec: "arrays:PATH",
        summary: "arrays of images with labels: an .npz, .pkl or .parquet file, or a folder of such files, one a part",
        takes_ink: true,
        open: |path, options| {
            let path = required("arrays", path)?;
            arrays::load(Path::new(path), options.reading())
        },
    },
    Source {
        name: "idx",
        spec: "idx:PATH",
        summary: "IDX files of the MNIST family, plain or gzipped: a folder, or the file of images",
        takes_ink: true,
        open: |path, options| {
            let path = required("idx", path)?;
            idx::load(Path::new(path), options.size, options.ink)
        },
    },
];

/// Opens the data set that `spec` describes, e.g. `omniglot` or `folder:/my/images`.
///
/// # Errors
/// [`DataError::UnknownName`] with the nearest valid name, and those of the source.
pub fn open(spec: &str, options: &OpenOptions) -> Result<Dataset, DataError> {
    open_among(SOURCES, spec, options)
}

/// The same with the sources of `among`: [`SOURCES`], or those of another crate too.
///
/// # Errors
/// As for [`open`].
pub fn open_among(
    among: &[Source],
    spec: &str,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let (name, argument) = spec
        .split_once(':')
        .map_or((spec, None), |(name, argument)| (name, Some(argument)));
    let source = among
        .iter()
        .find(|source| source.name == name)
        .ok_or_else(|| {
            let known: Vec<&str> = among.iter().map(|source| source.name).collect();
            DataError::unknown_name("data set", name, &known)
        })?;
    let dataset = (source.open)(argument, options)?;
    Ok(match options.channels.number() {
        Some(channels) => dataset.with_channels(channels),
        None => dataset,
    })
}

/// What `fetch emoji` makes of its packages, below the folder of data.
pub const EMOJI: &str = "emoji-84";

fn open_emoji(path: Option<&str>, options: &OpenOptions) -> Result<Dataset, DataError> {
    if let Some(path) = path {
        return Err(DataError::Invalid {
            setting: "set",
            value: format!("emoji:{path}"),
            problem: "the drawings lie in the folder of data".into(),
            next_step: format!("write emoji, or folder:{path} for a folder of your own"),
        });
    }
    let root = options.data_dir.clone().unwrap_or_default();
    let folder = root.join(EMOJI);
    if !folder.is_dir() {
        return Err(DataError::Invalid {
            setting: "set",
            value: "emoji".into(),
            problem: format!("{} is not there", folder.display()),
            next_step: "make it of the six packages: `cargo xtask fetch emoji --from DIR` (docs/images.md says how to get them)".into(),
        });
    }
    folder::load(&folder, options.reading(), options.cache.as_ref())
}

fn open_omniglot(path: Option<&str>, options: &OpenOptions) -> Result<Dataset, DataError> {
    let candidates: Vec<PathBuf> = match (path, &options.data_dir) {
        (Some(path), _) => vec![path.into()],
        (None, Some(data_dir)) => vec![data_dir.join("omniglot"), data_dir.clone()],
        (None, None) => {
            return Err(DataError::Invalid {
                setting: "data_dir",
                value: "none".into(),
                problem: "Omniglot's archives have to be somewhere".into(),
                next_step: "name their folder (`--data-dir DIR` or `omniglot:PATH`)".into(),
            });
        }
    };
    let holds_archives = |folder: &&PathBuf| folder.join(omniglot::ARCHIVES[0]).is_file();
    // Where none holds them, the first gives the message.
    let folder = candidates
        .iter()
        .find(holds_archives)
        .unwrap_or(&candidates[0]);
    omniglot::load(folder, options.size, options.cache.as_ref())
}

fn required<'a>(name: &str, argument: Option<&'a str>) -> Result<&'a str, DataError> {
    argument
        .filter(|path| !path.is_empty())
        .ok_or_else(|| DataError::Invalid {
            setting: "dataset",
            value: name.into(),
            problem: "a path is missing".into(),
            next_step: format!("write `{name}:PATH`"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(spec: &str, expected: &str) {
        let message = open(spec, &OpenOptions::default()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn typos_and_missing_paths_are_answered() {
        check_refused("omniglott", "did you mean `omniglot`");
        check_refused("foldr:x", "did you mean `folder`");
        check_refused("folder", "write `folder:PATH`");
        check_refused("idx:", "write `idx:PATH`");
        check_refused("idx:/no/such/place", "/no/such/place");
        check_refused("omniglot", "--data-dir");
        check_refused("omniglot:/no/such/place", "images_background.zip");
    }

    #[test]
    fn names_are_unique_and_begin_their_spec() {
        for (source_idx, source) in SOURCES.iter().enumerate() {
            assert!(source.spec.starts_with(source.name) && !source.summary.is_empty());
            assert!(
                SOURCES[..source_idx]
                    .iter()
                    .all(|other| other.name != source.name)
            );
        }
    }
}
