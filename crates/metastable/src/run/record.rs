//! `run.json`: what was run, on what, and how it ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use metastable_algorithms::{Evaluation, Regressed};
use metastable_analysis::Outcome;
use metastable_analysis::fingerprint::{FIELD_CLASSES, FIELD_EPISODES, FIELD_EXAMPLES, FIELD_SHOT};
use metastable_analysis::probe::noise_floor::NoiseFloor;
use metastable_data::Receipt;
use serde::{Deserialize, Serialize};

use super::RunConfig;
use super::guest::Visit;
use super::numerics::BUILD;
use super::returns::Returned;
use crate::files::{read_text, write_whole};

/// Raised when the meaning of the file changes.
const FORMAT: u32 = 2;

/// What tells whether the rest of a file can be read.
#[derive(Deserialize)]
struct Stamp {
    format: u32,
}

/// The record of one run. It does not say which study asked for it, since several may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    /// SHA-256 over `config`.
    pub(crate) identity: String,
    pub(crate) config: RunConfig,
    /// Names of the classes of the split.
    pub(crate) classes: ClassLists,
    /// What was understood of the files of the data set; only of images of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Receipt>,
    /// SHA-256 of the list of test episodes.
    pub(crate) test_list_digest: String,
    pub(crate) n_parameters: usize,
    /// Names of the network's layers, in the order of the log's norms.
    #[serde(default)]
    pub(crate) layers: Vec<String>,
    pub(crate) environment: Environment,
    /// Absent while the run has not ended.
    pub(crate) result: Option<RunResult>,
}

/// Which classes are for what; disjoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassLists {
    pub(crate) train: Vec<String>,
    pub(crate) validation: Vec<String>,
    pub(crate) test: Vec<String>,
    /// Images of the smallest test class.
    pub(crate) fewest_test_images: usize,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) outcome: Outcome,
    /// Wall-clock seconds of training, validation included, over all sessions.
    pub(crate) train_seconds: f64,
    /// The best validation: outer steps made, and its accuracy, 0 to 1, or its mean squared error with the sign turned.
    pub(crate) best_validation: Option<(usize, f64)>,
    /// Absent if the training diverged.
    pub(crate) test: Option<TestResult>,
    /// The same test of the weights that `test.weights` did not choose, `last` or `best`; absent if they are the same.
    #[serde(default)]
    pub(crate) other_test: Option<TestResult>,
    /// Identity of the run whose training this is, where it was found in the store and only measured anew. `train_seconds`
    /// are those of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trained_by: Option<String>,
    /// What was seen of a guest; absent for the learners of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) guest: Option<Visit>,
}

/// The meta-test in short; all predictions are in `test.safetensors`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TestResult {
    /// Outer steps of the weights that were tested.
    pub(crate) step: usize,
    /// Mean over tasks, 0 to 1; NaN, and not in the file, for a regression and for a policy.
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    pub(crate) accuracy: f64,
    /// Of a regression, mean over tasks, in the squared unit of the targets; absent if the adaptation to some task blew up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mean_squared_error: Option<f64>,
    /// Of a policy, the mean return over tasks and rollouts after 0, 1, ... inner steps, the last of which is its score; empty otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) returns_after: Vec<f64>,
    /// Of a policy, the largest mean return that any rule can expect on the same tasks, where it is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best_return: Option<f64>,
    /// Mean over tasks, in nats; absent if the adaptation to some task blew up.
    pub(crate) nll: Option<f64>,
    pub(crate) seconds: f64,
}

impl TestResult {
    /// Of the weights after so many outer steps; the clock has run since `begun`.
    pub(super) fn new(step: usize, evaluation: &Evaluation, begun: Instant) -> Self {
        Self {
            step,
            accuracy: evaluation.accuracy(),
            mean_squared_error: None,
            returns_after: Vec::new(),
            best_return: None,
            nll: Some(evaluation.nll()).filter(|nll| nll.is_finite()),
            seconds: begun.elapsed().as_secs_f64(),
        }
    }

    /// The same of a regression.
    pub(super) fn of_errors(step: usize, regressed: &Regressed, begun: Instant) -> Self {
        Self {
            step,
            accuracy: unknown(),
            mean_squared_error: Some(regressed.mean_error()).filter(|error| error.is_finite()),
            returns_after: Vec::new(),
            best_return: None,
            nll: None,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }

    /// The same of a policy.
    #[allow(clippy::cast_precision_loss, reason = "a number of tasks")]
    pub(super) fn of_returns(step: usize, returned: &Returned, begun: Instant) -> Self {
        let best = returned.best.as_ref();
        Self {
            step,
            accuracy: unknown(),
            mean_squared_error: None,
            returns_after: returned.curve(),
            best_return: best.map(|best| best.iter().sum::<f64>() / best.len() as f64),
            nll: None,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}

/// What a regression has not; JSON has no number for it.
fn unknown() -> f64 {
    f64::NAN
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_unknown(number: &f64) -> bool {
    number.is_nan()
}

/// What the numbers came out of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Environment {
    pub(crate) metastable: String,
    pub(crate) candle: String,
    pub(crate) git_revision: Option<String>,
    /// Digest of the build.
    #[serde(default)]
    pub(crate) build: Option<String>,
    pub(crate) os: String,
    pub(crate) architecture: String,
}

impl Environment {
    /// Of this process.
    pub(crate) fn here() -> Self {
        // Asked once: a study has hundreds of runs.
        static REVISION: OnceLock<Option<String>> = OnceLock::new();
        Self {
            metastable: env!("CARGO_PKG_VERSION").to_owned(),
            candle: String::from("0.11.1"),
            build: Some(BUILD.to_owned()),
            git_revision: REVISION.get_or_init(git_revision).clone(),
            os: std::env::consts::OS.to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
        }
    }
}

/// The commit of the working folder, with `-dirty` if files differ from it; absent without git.
fn git_revision() -> Option<String> {
    let output = Command::new("git")
        .args([
            "describe",
            "--always",
            "--dirty",
            "--abbrev=40",
            "--exclude=*",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

impl Record {
    /// The record of a run that has not ended.
    pub(crate) fn new(config: &RunConfig, parts: RecordParts) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            identity: config.identity()?,
            config: config.clone(),
            classes: parts.classes,
            receipt: parts.receipt,
            test_list_digest: parts.test_list_digest,
            n_parameters: parts.n_parameters,
            layers: parts.layers,
            environment: Environment::here(),
            result: None,
        })
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_whole(path, text.as_bytes())
    }

    /// Reads a record.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let damaged = || format!("while reading {}; it is damaged", path.display());
        let stamp: Stamp = serde_json::from_str(&text).with_context(damaged)?;
        if stamp.format > FORMAT {
            bail!(
                "{} has format {}, and this program reads up to format {FORMAT}: take the newer version that wrote it, or another folder with --out",
                path.display(),
                stamp.format
            );
        }
        serde_json::from_str(&text).with_context(damaged)
    }

    /// Whether the training blew up.
    pub(crate) fn has_diverged(&self) -> bool {
        let outcome = self.result.as_ref().map(|result| &result.outcome);
        matches!(outcome, Some(Outcome::Diverged { .. }))
    }

    /// The requests that a guest answers; empty for the learners of this program.
    pub(crate) fn offers(&self) -> &[String] {
        let visit = self.result.as_ref().and_then(|it| it.guest.as_ref());
        visit.map_or(&[], |visit| &visit.offers)
    }

    /// What the answers of a guest to equal questions differ by; absent if it was not tested, and for the learners of this program.
    pub(crate) fn noise_floor(&self) -> Option<NoiseFloor> {
        self.result.as_ref()?.guest.as_ref()?.noise_floor
    }

    /// Every setting and digest that has to agree for two results to be comparable, under the names that the analysis
    /// knows: `seed.*` may differ between runs of one learner, `test.n_*` say what test episodes are drawn from.
    pub(crate) fn fingerprint(&self) -> Result<BTreeMap<String, String>> {
        let mut fingerprint: BTreeMap<String, String> = self
            .config
            .flat()?
            .into_iter()
            // The code belongs to a kind of run, so it differs between the points of a factor although one program made them all. A run of
            // another build is in this study only if a replay gave its bits.
            .filter(|(key, _)| key != "numerics.code")
            .map(|(key, value)| match key.strip_prefix("seeds.") {
                Some(stream) => (format!("seed.{stream}"), value),
                None => (key, value),
            })
            .collect();
        for (key, value) in [
            (FIELD_EPISODES, self.test_list_digest.clone()),
            (FIELD_SHOT, self.config.test.shot.to_string()),
            (FIELD_CLASSES, self.classes.test.len().to_string()),
            (FIELD_EXAMPLES, self.classes.fewest_test_images.to_string()),
            ("n_parameters", self.n_parameters.to_string()),
            ("version", self.environment.metastable.clone()),
        ] {
            // A setting of that name would vanish, and two different runs would pass for alike.
            let setting = fingerprint.insert(key.to_owned(), value);
            ensure!(
                setting.is_none(),
                "{key} is a setting already, which is a bug"
            );
        }
        Ok(fingerprint)
    }
}

/// What a record holds besides the configuration.
pub(crate) struct RecordParts {
    pub(crate) classes: ClassLists,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) test_list_digest: String,
    pub(crate) n_parameters: usize,
    pub(crate) layers: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_newer_version_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        // What a newer version may have added or taken away does not get in the way of saying so.
        std::fs::write(&path, r#"{"format": 1000}"#).unwrap();
        let message = format!("{:#}", Record::read(&path).unwrap_err());
        assert!(message.contains("run.json has format 1000"), "{message}");
        assert!(message.contains("reads up to format"), "{message}");
        std::fs::write(&path, "{").unwrap();
        let message = format!("{:#}", Record::read(&path).unwrap_err());
        assert!(message.contains("it is damaged"), "{message}");
    }
}
