//! The run of a guest: its process is trained, saved, tested, and asked again, and the record says what was seen of it.
//!
//! `host` starts it, `given` and `own` train it, `test` tests it and measures its noise floor, `state` is what an unfinished run
//! goes on from.

mod given;
mod host;
mod own;
pub(crate) mod saved;
mod state;
mod test;

use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail, ensure};
use metastable_algorithms::LearnerConfig;
use metastable_analysis::Outcome;
use metastable_data::MetaSplit;
use metastable_guests::{ENTRY, GuestError, OUTSIDE, ProcessConfig, Session, Training, outside};
use metastable_models::{Init, NetworkConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::host::{Host, check_files, digests};
use self::saved::{Saved, write};
use super::execute::{Ended, RunFolder, Workshop};
use super::record::RunResult;
use super::{Run, RunConfig};
use crate::store::attempt::Attempt;

/// Whether a run is one of a guest.
pub(crate) fn is_of(config: &RunConfig) -> bool {
    config.network.name == OUTSIDE
}

/// What the initial weights of a planned run are drawn from; a guest draws its own, so that the setting makes no other run of it.
pub(crate) fn planned_init(network: &NetworkConfig, init: Init) -> Init {
    if network.name == OUTSIDE {
        Init::default()
    } else {
        init
    }
}

/// What a guest learns from; none for the learners of this program.
pub(crate) fn training(config: &RunConfig) -> Option<Training> {
    if !is_of(config) {
        return None;
    }
    let process = ProcessConfig::read(&config.learner.settings);
    Some(process.map_or(Training::None, |process| process.training))
}

/// Learner and network as the configuration of a run has them: those of a guest get the digests of its files, and a network that is
/// elsewhere; others stay.
pub(crate) fn planned(
    learner: &LearnerConfig,
    network: NetworkConfig,
) -> Result<(LearnerConfig, NetworkConfig)> {
    if learner.name != ENTRY.name {
        return Ok((learner.clone(), network));
    }
    let mut process = ProcessConfig::read(&learner.settings)?;
    ensure!(
        !process.command.is_empty(),
        "the guest has no command; say how it is started, e.g. command = [\"python3\", \"my_learner.py\"]"
    );
    process.digests = host::digests(&process.files)?;
    let Value::Object(settings) = serde_json::to_value(process)? else {
        bail!("the settings of a guest are no table, which is a bug");
    };
    let learner = LearnerConfig {
        settings,
        ..learner.clone()
    };
    Ok((learner, outside(network.image)))
}

/// What was seen of a guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// What it calls itself, and its own version.
    pub(crate) name: String,
    pub(crate) version: String,
    /// The requests that it answers.
    pub(crate) offers: Vec<String>,
    /// What it says of itself: that labels, and the order of its supports, matter to it.
    pub(crate) label_bound: bool,
    pub(crate) order_bound: bool,
    /// Modules that it imported from the working folder and that are not among its `files`: they can change without the run's
    /// identity.
    pub(crate) undeclared: Vec<String>,
    /// Differences between the answers to equal questions; absent if it was not tested.
    pub(crate) noise_floor: Option<metastable_analysis::probe::noise_floor::NoiseFloor>,
}

impl Visit {
    fn of(session: &Session, config: &ProcessConfig) -> Self {
        let ready = session.ready();
        let files: Vec<PathBuf> = config.files.iter().map(|name| place(name)).collect();
        let modules = ready.modules.keys();
        let undeclared = modules.filter(|module| !files.contains(&place(module)));
        Self {
            name: ready.name.clone(),
            version: ready.version.clone(),
            offers: ready.offers.clone(),
            label_bound: ready.label_bound,
            order_bound: ready.order_bound,
            undeclared: undeclared.cloned().collect(),
            noise_floor: None,
        }
    }
}

/// Where a file lies, however its path is written: `./mine.py` is `mine.py`.
fn place(name: &str) -> PathBuf {
    let path = Path::new(name);
    path.canonicalize().unwrap_or_else(|_| {
        let parts = path.components();
        parts.filter(|part| *part != Component::CurDir).collect()
    })
}

/// How a training ended.
enum Trained {
    /// By itself.
    Ended(Box<Product>),
    /// By something outside.
    Cut(Ended),
}

/// What a training leaves.
struct Product {
    outcome: Outcome,
    last: Saved,
    best: Option<Saved>,
    seconds: f64,
}

/// Does what is left of the run.
pub(super) fn execute(
    run: &Run<'_>,
    shop: &Workshop<'_>,
    folder: &RunFolder,
    attempt: &Attempt<'_>,
) -> Result<Ended> {
    let ended = visit(run, shop, folder, attempt);
    match ended {
        Err(error) if is_cancelled(&error) => Ok(Ended::Interrupted),
        ended => ended,
    }
}

fn is_cancelled(error: &anyhow::Error) -> bool {
    let found = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<GuestError>());
    matches!(found, Some(GuestError::Cancelled { .. }))
}

fn visit(
    run: &Run<'_>,
    shop: &Workshop<'_>,
    folder: &RunFolder,
    attempt: &Attempt<'_>,
) -> Result<Ended> {
    let train_classes = shop.material.split.classes(MetaSplit::Train).len();
    let host = Host::new(run.config(), run.label(), train_classes)?.until(shop.stop);
    let mut record = run.blank_record(shop)?;
    record.n_parameters = 0;
    record.layers = Vec::new();
    let mut session = host.start()?;
    let mut visited = Visit::of(&session, host.process());
    if !visited.undeclared.is_empty() {
        shop.progress.say(&format!(
            "{}: it imports {}, which is not among its files, so a change there would not be noticed; add it to files of the learner",
            run.label(),
            visited.undeclared.join(", ")
        ));
    }
    let trained = match host.process().training {
        Training::Given => given::train(run, shop, folder, attempt, &mut session)?,
        Training::Own => own::train(run, shop, folder, attempt, &mut session)?,
        Training::None => {
            attempt.adopt(None, &[])?;
            std::fs::write(folder.log(), "")?;
            Trained::Ended(Box::new(Product {
                outcome: Outcome::Completed,
                last: Saved::default(),
                best: None,
                seconds: 0.0,
            }))
        }
    };
    let mut product = match trained {
        Trained::Ended(product) => product,
        Trained::Cut(ended) => return Ok(ended),
    };
    shop.seat.warm();
    write(&folder.last(), &record, &product.last)?;
    if let Some(best) = &product.best {
        write(&folder.best(), &record, best)?;
    }
    let best_validation = product.best.as_ref();
    let best_validation = best_validation.map(|best| (best.step, best.accuracy));
    let (mut test, mut other_test) = (None, None);
    if product.outcome == Outcome::Completed {
        if shop.stop.asked() {
            return Ok(Ended::Interrupted);
        }
        let tested = test::test(run, shop, folder, &host, session, &product)?;
        visited.noise_floor = Some(tested.noise_floor);
        match tested.blown_up {
            // A number that is none is a result of the learner, and its test says nothing.
            Some(cause) => {
                let step = product.last.step;
                product.outcome = Outcome::Diverged { step, cause };
            }
            None => (test, other_test) = (Some(tested.chosen), tested.other),
        }
    }
    record.result = Some(RunResult {
        outcome: product.outcome,
        train_seconds: product.seconds,
        best_validation,
        test,
        other_test,
        trained_by: None,
        guest: Some(visited),
    });
    record.write(&folder.record())?;
    Ok(Ended::Finished(Box::new(record)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_however_its_path_is_written() {
        for name in ["./no-such-file.py", "././no-such-file.py"] {
            assert_eq!(place(name), place("no-such-file.py"));
        }
        assert_eq!(place("./Cargo.toml"), place("src/../Cargo.toml"));
        assert_ne!(place("a/mine.py"), place("mine.py"));
    }
}
