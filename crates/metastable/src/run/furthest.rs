//! Where an earlier attempt at a run got to.

use std::path::PathBuf;

use anyhow::Result;

use super::folder::{LOG, RunFolder, STATE, VALIDATED};
use super::growing::Mark;
use super::workshop::Workshop;
use crate::store::attempt::Attempt;

/// The state of the one that got furthest, of those whose files are whole. Its files are this
/// attempt's from now on.
///
/// `read` gives the state in a folder, `place` its step and the part of the log that it counts on.
pub(super) fn furthest<S>(
    label: &str,
    shop: &Workshop<'_>,
    attempt: &Attempt<'_>,
    read: impl Fn(&RunFolder) -> Result<Option<S>>,
    place: impl Fn(&S) -> (usize, &Mark),
) -> Result<Option<S>> {
    let mut best: Option<(S, PathBuf)> = None;
    for path in attempt.earlier()? {
        let folder = RunFolder::new(&path);
        let usable = read(&folder).and_then(|state| {
            if let Some(state) = &state {
                place(state).1.read(&folder.log())?;
            }
            Ok(state)
        });
        match usable {
            Ok(Some(state)) => {
                let further = |(other, _): &(S, PathBuf)| place(other).0 < place(&state).0;
                if best.as_ref().is_none_or(further) {
                    best = Some((state, path));
                }
            }
            Ok(None) => {}
            Err(error) => shop.progress.say(&format!(
                "{label}: {error:#}; it is not used, and the steps it stood for are made again"
            )),
        }
    }
    let (state, path) = best.unzip();
    let kept = |folder: &PathBuf| {
        let names = [STATE, LOG, VALIDATED].into_iter();
        names.filter(|name| folder.join(name).exists()).collect()
    };
    let names: Vec<&str> = path.as_ref().map(kept).unwrap_or_default();
    attempt.adopt(path.as_deref(), &names)?;
    Ok(state)
}
