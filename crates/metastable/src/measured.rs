//! What runs of each kind cost when they were measured before, on this machine and by this program: `--plan` need not measure again.
//!
//! A cache: whoever deletes the file loses nothing but the seconds of a new measurement.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use anyhow::{Context, Result};
use metastable_models::fused::instruction_set;
use serde::{Deserialize, Serialize};

use crate::files::{sha256, write_whole};
use crate::run::cost::Cost;
use crate::schedule::Shares;

/// Costs are measured again after this.
const FRESH: Duration = Duration::from_secs(7 * 24 * 3600);

/// Costs by a digest of what they depend on.
pub(crate) struct Measured {
    file: Option<PathBuf>,
    program: String,
    now: Duration,
    /// From before.
    known: BTreeMap<String, Entry>,
    /// Measured by this command.
    new: BTreeMap<String, Entry>,
    /// Age of the oldest that was asked for.
    oldest: Option<Duration>,
}

/// One measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    cost: Cost,
    n_parameters: usize,
    /// When, in seconds since 1970.
    at: u64,
}

impl Measured {
    /// Reads what `folder` has; a file that cannot be read counts as none.
    pub(crate) fn read(folder: Option<PathBuf>) -> Self {
        let file = folder.map(|folder| folder.join("costs.json"));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut known: BTreeMap<String, Entry> = file
            .as_ref()
            .and_then(|file| fs::read(file).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        known.retain(|_, entry| {
            let at = Duration::from_secs(entry.at);
            entry.cost.is_finite() && at <= now && now - at < FRESH
        });
        Self {
            program: program(),
            file,
            now,
            known,
            new: BTreeMap::new(),
            oldest: None,
        }
    }

    /// Cost of a run of this kind with these shares of the cores, and its number of parameters: as measured before, or by `measure`.
    pub(crate) fn get(
        &mut self,
        kind: &str,
        shares: Shares,
        measure: impl FnOnce() -> Result<(Cost, usize)>,
    ) -> Result<(Cost, usize)> {
        let key = format!("{} {shares:?} {kind}", self.program);
        let key = sha256(key.as_bytes());
        if let Some(entry) = self.new.get(&key) {
            return Ok((entry.cost, entry.n_parameters));
        }
        if let Some(entry) = self.known.get(&key) {
            let age = self.now - Duration::from_secs(entry.at);
            self.oldest = self.oldest.max(Some(age));
            return Ok((entry.cost, entry.n_parameters));
        }
        let (cost, n_parameters) = measure()?;
        let entry = Entry {
            cost,
            n_parameters,
            at: self.now.as_secs(),
        };
        self.new.insert(key, entry);
        Ok((cost, n_parameters))
    }

    /// Writes what is new, and says what of it is not; nothing if all of it was measured just now.
    pub(crate) fn keep(&self) -> Result<Option<String>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        if !self.new.is_empty() {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)
                    .with_context(|| format!("while making {}", folder.display()))?;
            }
            let all: BTreeMap<_, _> = self.known.iter().chain(&self.new).collect();
            write_whole(file, &serde_json::to_vec(&all)?)?;
        }
        Ok(self.oldest.map(|age| {
            format!(
                "measured before, up to {} ago; to measure again, delete {}",
                words(age),
                file.display()
            )
        }))
    }
}

/// What makes the same run cost something else: the program's file, the processor's name, cores and instruction set.
fn program() -> String {
    let file = env::current_exe().and_then(fs::metadata);
    let built = file
        .as_ref()
        .ok()
        .and_then(|file| file.modified().ok())
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find(|line| line.starts_with("model name"))
        .unwrap_or_default();
    format!(
        "{} {built:?} {:?} {processor} {} {}",
        env!("CARGO_PKG_VERSION"),
        file.map(|file| file.len()).ok(),
        thread::available_parallelism().map_or(1, NonZero::get),
        instruction_set()
    )
}

/// `3 minutes`.
fn words(age: Duration) -> String {
    let seconds = age.as_secs();
    let (count, unit) = match seconds {
        0..120 => return "2 minutes".to_owned(),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares {
        jobs: 2,
        threads: 1,
    };

    fn cost(step: f64) -> (Cost, usize) {
        let cost = Cost {
            step,
            ..Cost::default()
        };
        (cost, 7)
    }

    #[test]
    fn what_was_measured_is_not_measured_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        let mut measured = Measured::read(Some(path.clone()));
        let first = measured.get("maml", SHARES, || Ok(cost(0.1))).unwrap();
        assert_eq!(measured.keep().unwrap(), None);
        let mut measured = Measured::read(Some(path));
        let none = || -> Result<(Cost, usize)> { panic!("measured again") };
        assert_eq!(measured.get("maml", SHARES, none).unwrap(), first);
        let said = measured.keep().unwrap().unwrap();
        assert!(said.contains("costs.json"), "{said}");
        // Another kind, and other shares of the cores, are other measurements.
        let other = measured.get("anil", SHARES, || Ok(cost(0.2))).unwrap();
        assert_eq!(other, cost(0.2));
        let shares = Shares { jobs: 1, ..SHARES };
        let other = measured.get("maml", shares, || Ok(cost(0.3))).unwrap();
        assert_eq!(other, cost(0.3));
    }

    #[test]
    fn old_and_damaged_measurements_count_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("costs.json");
        let mut measured = Measured::read(Some(folder.path().to_owned()));
        measured.get("maml", SHARES, || Ok(cost(0.1))).unwrap();
        measured.keep().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let at = format!("\"at\":{}", measured.now.as_secs());
        assert!(text.contains(&at));
        let eight_days = measured.now.as_secs() - 8 * 24 * 3600;
        let tomorrow = measured.now.as_secs() + 24 * 3600;
        for damaged in [
            text.replace(&at, &format!("\"at\":{eight_days}")),
            text.replace(&at, &format!("\"at\":{tomorrow}")),
            text.replace("0.1", "1e999"),
            text[..text.len() / 2].to_owned(),
        ] {
            fs::write(&file, damaged).unwrap();
            let mut measured = Measured::read(Some(folder.path().to_owned()));
            let again = measured.get("maml", SHARES, || Ok(cost(0.5))).unwrap();
            assert_eq!(again, cost(0.5));
        }
    }

    #[test]
    fn an_age_is_told_in_one_unit() {
        for (seconds, expected) in [
            (3, "2 minutes"),
            (150, "2 minutes"),
            (7_300, "2 hours"),
            (180_000, "2 days"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
    }
}
