//! Starts the process of a guest with all that it is told of its run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};

use anyhow::{Result, bail};
use metastable_guests::message::{Budget, Data, Hello, PROTOCOL, Shape};
use metastable_guests::{Cancel, ProcessConfig, Session, Training};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::files::hex;
use crate::run::RunConfig;
use crate::signal::Stop;

/// What it takes to start a guest of a run, as often as it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    process: ProcessConfig,
    hello: Hello,
    cancel: Cancel,
}

impl Host {
    /// For the guest of a run, whose files have to be those of its identity.
    pub(crate) fn new(config: &RunConfig, label: &str, train_classes: usize) -> Result<Self> {
        let process = ProcessConfig::read(&config.learner.settings)?;
        check_files(&process)?;
        let seeds = match serde_json::to_value(config.seeds)? {
            Value::Object(seeds) => seeds,
            other => bail!("seeds are no table but {other}, which is a bug"),
        };
        let seeds: BTreeMap<String, u64> = seeds
            .into_iter()
            .filter_map(|(stream, seed)| Some((stream, seed.as_u64()?)))
            .collect();
        let image = config.network.image;
        let (episode, test) = (config.episode, &config.test);
        Ok(Self {
            hello: Hello {
                protocol: PROTOCOL,
                run: label.to_owned(),
                training: process.training,
                settings: process.settings.clone(),
                seeds,
                data: Data {
                    name: config.data.sets().join("+"),
                    digest: config.data_digest.clone(),
                    height: image.height,
                    width: image.width,
                    channels: image.channels,
                    train_classes,
                },
                episode: Shape {
                    way: episode.n_way,
                    shot: episode.k_shot,
                    query: episode.n_query,
                },
                test: Shape {
                    way: test.way,
                    shot: test.shot,
                    query: test.query,
                },
                budget: Budget {
                    outer_steps: config.training.outer_steps,
                    meta_batch: config.training.meta_batch,
                    outer_lr: config.training.outer_lr,
                },
                threads: rayon::current_num_threads(),
            },
            process,
            cancel: Cancel::never(),
        })
    }

    /// The same, but that a user who asks to stop is not kept waiting.
    pub(crate) fn until(self, stop: &Stop) -> Self {
        let stop = stop.clone();
        let cancel = Cancel::when(move || stop.asked());
        Self { cancel, ..self }
    }

    /// The same for questions: nothing is trained, and what is asked is what was saved.
    pub(crate) fn for_questions(&self) -> Self {
        let mut host = self.clone();
        host.hello.training = Training::None;
        host
    }

    pub(crate) fn process(&self) -> &ProcessConfig {
        &self.process
    }

    pub(crate) fn start(&self) -> Result<Session> {
        Ok(Session::start(
            &self.process,
            &self.hello,
            self.cancel.clone(),
        )?)
    }
}

/// SHA-256 of each file of a guest.
pub(crate) fn digests(files: &[String]) -> Result<BTreeMap<String, String>> {
    files
        .iter()
        .map(|name| match digest(name) {
            Ok(Some(digest)) => Ok((name.clone(), digest)),
            Ok(None) => bail!(
                "files: {name} is not a file; name each file of the guest by itself, not a folder or a device"
            ),
            Err(error) => bail!(
                "files: {name} cannot be read ({error}); its path starts at the folder that this program is started in"
            ),
        })
        .collect()
}

/// SHA-256 of a file, which may be larger than the memory; none for what is no regular file, and may have no end.
fn digest(name: &str) -> io::Result<Option<String>> {
    // Before it is opened: to open a pipe is to wait for its other side.
    if !fs::metadata(name)?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(name)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Some(hex(&hash.finalize()))),
            Ok(n) => hash.update(&piece[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Refuses to talk to another guest than that of the run.
pub(crate) fn check_files(process: &ProcessConfig) -> Result<()> {
    for (name, now) in digests(&process.files)? {
        let then = process.digests.get(&name);
        if then != Some(&now) {
            bail!(
                "{name} is not the file that this run was planned or trained with (SHA-256 {} there, {now} here); put that one back, or run the study again",
                then.map_or("absent", String::as_str)
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::sha256;

    #[test]
    fn a_file_is_hashed_in_pieces_and_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        // Two pieces and a bit.
        let bytes: Vec<u8> = (0..131_077_u32).map(|at| (at % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let name = path.to_string_lossy().into_owned();
        let found = digests(std::slice::from_ref(&name)).unwrap();
        assert_eq!(found[&name], sha256(&bytes));
        let here = folder.path().to_string_lossy().into_owned();
        let error = digests(&[here]).unwrap_err().to_string();
        assert!(error.contains("is not a file"), "{error}");
        let error = digests(&["no-such-file-here".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
}
