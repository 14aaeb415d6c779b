//! `state.safetensors` of a guest: where an unfinished run goes on.

use std::path::Path;

use anyhow::Result;

use super::saved::Saved;
use crate::run::growing::Mark;
use crate::run::log::Pending;
use crate::run::state::read_as;
use crate::run::tensors::TensorFile;

/// Everything that the next step depends on and that is not in the guest's own hands.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) guest: Saved,
    pub(super) best: Option<Saved>,
    pub(super) log: Mark,
    pub(super) pending: Pending,
    pub(super) seconds: f64,
}

impl State {
    pub(super) fn write(&self, path: &Path, identity: &str) -> Result<()> {
        let mut file = TensorFile::default();
        let mut note = |key: &str, value: String| file.metadata.insert(key.to_owned(), value);
        note("identity", identity.to_owned());
        note("step", self.guest.step.to_string());
        note("log", serde_json::to_string(&self.log)?);
        note("pending", serde_json::to_string(&self.pending)?);
        note("train_seconds", self.seconds.to_string());
        if let Some(best) = &self.best {
            note("best", serde_json::to_string(&(best.step, best.accuracy))?);
        }
        file.push("guest.state", &[self.guest.bytes.len()], &self.guest.bytes);
        if let Some(best) = &self.best {
            file.push("guest.best", &[best.bytes.len()], &best.bytes);
        }
        file.write(path)
    }

    /// Reads the state of a run; absent if there is none.
    pub(super) fn read(path: &Path, identity: &str) -> Result<Option<Self>> {
        read_as(path, identity, |file| {
            let best = match file.get::<u8>("guest.best")? {
                None => None,
                Some((_, bytes)) => {
                    let (step, accuracy) = serde_json::from_str(file.text("best")?)?;
                    Some(Saved {
                        step,
                        accuracy,
                        bytes,
                    })
                }
            };
            Ok(Self {
                guest: Saved {
                    step: file.text("step")?.parse()?,
                    accuracy: 0.0,
                    bytes: file.need::<u8>("guest.state")?.1,
                },
                best,
                log: serde_json::from_str(file.text("log")?)?,
                pending: serde_json::from_str(file.text("pending")?)?,
                seconds: file.text("train_seconds")?.parse()?,
            })
        })
    }
}
