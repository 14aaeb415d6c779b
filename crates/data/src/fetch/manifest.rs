//! Manifests: what a data set consists of, who made it, and how each file is recognised.
//!
//! They lie in `datasets/` of the repository and are built in. A caller may read one of its own with
//! [`Manifest::from_toml`].

use serde::Deserialize;

use super::FetchError;
use super::shipped::SHIPPED;

/// A data set: origin, licence, citation and files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Short name, also its folder.
    pub name: String,
    /// One line on what it is.
    pub title: String,
    /// Home page.
    pub origin: String,
    /// SPDX identifier of its licence.
    pub license: String,
    /// How to cite it.
    pub citation: String,
    /// SHA-256 over the packed pixels of all its images, where defined (recipe: [`super::content`]).
    pub pixels_sha256: Option<String>,
    /// Its files.
    #[serde(rename = "file")]
    pub files: Vec<FileEntry>,
    /// Repositories of the hub, `owner/repo`, that hold the same images as parquet.
    #[serde(default)]
    pub hub: Vec<String>,
    /// Which image is which, for `restore.rs`; set for built-in manifests, read from no manifest file.
    #[serde(skip)]
    pub image_table: Option<String>,
}

/// A file of a data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path below the folder of the data set, with `/`.
    pub name: String,
    /// Where the author publishes it.
    pub url: String,
    /// Other places with the same bytes.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Its size.
    pub bytes: u64,
    /// MD5, as authors of older data sets publish it: it guards against damage, not against an attacker.
    pub md5: Option<String>,
    /// SHA-256.
    pub sha256: Option<String>,
    /// SHA-256 over the packed pixels of its images: proves an archive that was packed anew.
    pub pixels_sha256: Option<String>,
    /// Whether the data set is of use without it.
    #[serde(default)]
    pub optional: bool,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`FetchError::Manifest`]: not TOML, an unknown key, a name that leaves the folder, a file without any hash,
    /// or two files of one name.
    pub fn from_toml(text: &str) -> Result<Self, FetchError> {
        let manifest: Self = toml::from_str(text).map_err(|error| FetchError::Manifest {
            name: "(unread)".to_owned(),
            problem: error.to_string(),
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), FetchError> {
        let refuse = |problem: String| {
            Err(FetchError::Manifest {
                name: self.name.clone(),
                problem,
            })
        };
        let mut seen: Vec<&str> = Vec::new();
        if self.name.contains('/') {
            return refuse("the name has a slash".to_owned());
        }
        for name in [&self.name]
            .into_iter()
            .chain(self.files.iter().map(|file| &file.name))
        {
            if let Err(error) = crate::archive::check_name(name) {
                return refuse(error.to_string());
            }
        }
        for file in &self.files {
            if seen.contains(&file.name.as_str()) {
                return refuse(format!("{} is listed twice", file.name));
            }
            seen.push(&file.name);
            let hashes = [
                (&file.md5, 32),
                (&file.sha256, 64),
                (&file.pixels_sha256, 64),
            ];
            if file.md5.is_none() && file.sha256.is_none() {
                return refuse(format!("{} has neither md5 nor sha256", file.name));
            }
            for (hash, n_digits) in hashes {
                if hash.as_ref().is_some_and(|hash| !is_hex(hash, n_digits)) {
                    return refuse(format!(
                        "{}: {hash:?} is not {n_digits} lower-case hex digits",
                        file.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Weights that are known by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsEntry {
    /// Short name.
    pub name: String,
    /// One line on what they are.
    pub title: String,
    /// Where on the hub: `owner/repo/path/to/file.safetensors`; absent for weights that come with the program ([`SHIPPED`]).
    pub hub: Option<String>,
    /// Licence.
    pub license: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// All weights that are known by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsManifest {
    /// The entries.
    #[serde(default)]
    pub weights: Vec<WeightsEntry>,
}

impl WeightsManifest {
    /// Reads and checks a list of weights.
    ///
    /// # Errors
    /// [`FetchError::Manifest`].
    pub fn from_toml(text: &str) -> Result<Self, FetchError> {
        let refuse = |problem: String| FetchError::Manifest {
            name: "weights".to_owned(),
            problem,
        };
        let list: Self = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        for entry in &list.weights {
            if !is_hex(&entry.sha256, 64) {
                return Err(refuse(format!(
                    "{}: sha256 is not 64 lower-case hex digits",
                    entry.name
                )));
            }
            if entry.hub.is_none() && !SHIPPED.iter().any(|it| it.name == entry.name) {
                return Err(refuse(format!(
                    "{}: it names no file on the hub, and does not come with the program",
                    entry.name
                )));
            }
        }
        Ok(list)
    }

    /// The built-in list: weights that come with the program, by their cards, then those of the hub.
    ///
    /// # Errors
    /// [`FetchError::Manifest`], which a test excludes.
    pub fn built_in() -> Result<Self, FetchError> {
        let of_hub = Self::from_toml(include_str!("../../datasets/weights.toml"))?;
        let mut weights = Vec::with_capacity(SHIPPED.len() + of_hub.weights.len());
        for shipped in SHIPPED {
            let card: CardHead =
                toml::from_str(shipped.card).map_err(|error| FetchError::Manifest {
                    name: format!("weights/{}.toml", shipped.name),
                    problem: error.to_string(),
                })?;
            weights.push(WeightsEntry {
                name: shipped.name.to_owned(),
                title: card.title,
                hub: None,
                license: card.license,
                sha256: card.sha256,
            });
        }
        weights.extend(of_hub.weights);
        Ok(Self { weights })
    }
}

/// What the list takes from a card.
#[derive(Deserialize)]
struct CardHead {
    title: String,
    license: String,
    sha256: String,
}

/// Text of a built-in manifest, and its image table where it has one.
struct BuiltIn {
    name: &'static str,
    toml: &'static str,
    image_table: Option<&'static str>,
}

/// The registry: one line for each data set that can be fetched.
const BUILT_IN: &[BuiltIn] = &[BuiltIn {
    name: "omniglot",
    toml: include_str!("../../datasets/omniglot.toml"),
    image_table: Some(include_str!("../../datasets/omniglot.images.tsv")),
}];

/// Names of all data sets that can be fetched.
#[must_use]
pub fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|entry| entry.name).collect()
}

/// The built-in manifest of a data set.
///
/// # Errors
/// [`FetchError::UnknownName`] with the known names.
pub fn manifest(name: &str) -> Result<Manifest, FetchError> {
    let Some(entry) = BUILT_IN.iter().find(|entry| entry.name == name) else {
        return Err(FetchError::UnknownName {
            kind: "data set to fetch",
            name: name.to_owned(),
            known: names().join(", "),
        });
    };
    let mut manifest = Manifest::from_toml(entry.toml)?;
    manifest.image_table = entry.image_table.map(ToOwned::to_owned);
    Ok(manifest)
}

fn is_hex(text: &str, n_digits: usize) -> bool {
    text.len() == n_digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
