//! The hub of models and data sets, through `hf-hub`: where it is, what a repository holds, the address of a file.
//!
//! The bytes themselves go through [`super::transfer`]: hf-hub 0.5 sets no timeouts, appends a whole file to a part
//! when a server ignores the range, and renames what it got without looking at its length.

use std::path::PathBuf;

use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;

use super::answer::{self, Failure};
use super::{FetchError, Options, Progress};
use crate::archive;

/// Largest list of files that is read.
const MAX_LISTING: u64 = 64 << 20;

/// A connection to the hub.
pub(crate) struct Hub {
    api: Api,
    endpoint_name: String,
    pub(crate) token: Option<String>,
}

/// What a repository holds at one commit.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) repo: Repo,
    pub(crate) commit: String,
    pub(crate) files: Vec<HubFile>,
}

/// A file of a repository.
#[derive(Clone, Debug)]
pub(crate) struct HubFile {
    pub(crate) path: String,
    pub(crate) bytes: Option<u64>,
    /// The hub knows it for large files only.
    pub(crate) sha256: Option<String>,
}

#[derive(Deserialize)]
struct RawListing {
    sha: String,
    siblings: Vec<RawFile>,
}

#[derive(Deserialize)]
struct RawFile {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<RawLfs>,
}

#[derive(Deserialize)]
struct RawLfs {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Hub {
    pub(crate) fn open(options: &Options) -> Result<Self, FetchError> {
        // `ApiBuilder::from_env` would panic where there is no home directory.
        let home = variable("HF_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache").join("huggingface")));
        let cache = Cache::new(home.unwrap_or_else(|| options.data_dir.clone()).join("hub"));
        let token = match &options.hub.token {
            Some(token) => Some(token.clone()),
            None => variable("HF_TOKEN").or_else(|| cache.token()),
        };
        let token = token.filter(|token| !token.is_empty());
        let endpoint = options
            .hub
            .endpoint
            .clone()
            .or_else(|| variable("HF_ENDPOINT"));
        let mut builder = ApiBuilder::from_cache(cache)
            .with_progress(false)
            .with_token(token.clone());
        if let Some(endpoint) = &endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let endpoint_name = endpoint.unwrap_or_else(|| "the hub".to_owned());
        let api = builder
            .build()
            .map_err(|error| answer::protocol(&endpoint_name, error.to_string()))?;
        Ok(Self {
            api,
            endpoint_name,
            token,
        })
    }

    /// Asks the hub what a repository holds; the answer names the commit, to which all addresses are then pinned.
    pub(crate) fn list(
        &self,
        repo_id: &str,
        repo_type: RepoType,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Listing, FetchError> {
        check_repo_id(repo_id)?;
        let name = format!("{} {repo_id}", self.endpoint_name);
        let repo = Repo::new(repo_id.to_owned(), repo_type);
        let repo_api = self.api.repo(repo);
        let raw = answer::with_retries(
            repo_id,
            &name,
            options,
            progress,
            || 0,
            || {
                // hf-hub's own `info` has no timeout and drops the sizes and hashes.
                let timing = &options.timing;
                let mut response = repo_api
                    .info_request()
                    .query("blobs", "true")
                    .config()
                    .http_status_as_error(false)
                    .timeout_connect(Some(timing.connect))
                    .timeout_recv_response(Some(timing.response))
                    .timeout_per_read(Some(timing.stall))
                    .timeout_recv_body(Some(timing.response))
                    .build()
                    .call()
                    .map_err(|error| answer::failure(&name, error))?;
                answer::check_status(&name, &response)?;
                let bytes = response
                    .body_mut()
                    .with_config()
                    .limit(MAX_LISTING)
                    .read_to_vec()
                    .map_err(|error| answer::failure(&name, error))?;
                serde_json::from_slice::<RawListing>(&bytes).map_err(|error| {
                    Failure::Final(answer::protocol(
                        &name,
                        format!("the list of files cannot be read: {error}"),
                    ))
                })
            },
        )?;
        let is_commit =
            !raw.sha.is_empty() && raw.sha.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_commit {
            return Err(answer::protocol(
                &name,
                format!("{:?} is no commit", raw.sha),
            ));
        }
        let mut files = Vec::new();
        for file in raw.siblings {
            archive::check_name(&file.rfilename).map_err(|source| FetchError::Archive {
                file: name.clone(),
                source,
            })?;
            let lfs_size = file.lfs.as_ref().and_then(|lfs| lfs.size);
            files.push(HubFile {
                path: file.rfilename,
                bytes: file.size.or(lfs_size),
                sha256: file.lfs.and_then(|lfs| lfs.sha256),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let repo = Repo::with_revision(repo_id.to_owned(), repo_type, raw.sha.clone());
        Ok(Listing {
            repo,
            commit: raw.sha,
            files,
        })
    }

    /// The address of a file at the listed commit.
    pub(crate) fn url(&self, listing: &Listing, path: &str) -> String {
        self.api
            .repo(listing.repo.clone())
            .url(&percent_encoded(path))
    }
}

/// `owner/name` of letters, digits, `-`, `_` and `.`.
fn check_repo_id(repo_id: &str) -> Result<(), FetchError> {
    let is_word = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let parts: Vec<&str> = repo_id.split('/').collect();
    if parts.len() == 2 && parts.iter().all(|part| is_word(part)) {
        return Ok(());
    }
    let known = "any `owner/repository`".to_owned();
    Err(FetchError::UnknownName {
        kind: "repository",
        name: repo_id.to_owned(),
        known,
    })
}

/// hf-hub puts the path into the address as it is; a space or `#` would break it.
fn percent_encoded(path: &str) -> String {
    use std::fmt::Write;
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            text.push(byte as char);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{check_repo_id, percent_encoded};

    #[test]
    fn names_that_would_bend_the_address_are_refused() {
        check_repo_id("dpdl-benchmark/omniglot").unwrap();
        for bad in [
            "omniglot", "a/b/c", "../b", "a/..", "a/b?x", "a b/c", "/b", "",
        ] {
            assert!(check_repo_id(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            percent_encoded("data/a b#1.parquet"),
            "data/a%20b%231.parquet"
        );
    }
}
