//! The run of a guest: its process is trained, saved, tested, and asked again, and the record says what was seen of it.
//!
//! `host` starts it, `given` and `own` train it, `test` tests it and measures its noise floor, `state` is what an unfinished run
//! goes on from.

mod given;
mod host;
mod own;
mod product;
pub(crate) mod saved;
mod state;
mod test;
mod visit;

use anyhow::{Result, bail, ensure};
use metastable_algorithms::LearnerConfig;
use metastable_analysis::Outcome;
use metastable_data::MetaSplit;
use metastable_guests::{ENTRY, GuestError, OUTSIDE, ProcessConfig, Training, outside};
use metastable_models::{Init, NetworkConfig};
use serde_json::Value;

pub(crate) use self::host::{Host, check_files, digests};
use self::product::{Product, Trained};
use self::saved::{Saved, write};
pub(crate) use self::visit::Visit;
use super::record::RunResult;
use super::{Ended, Run, RunConfig, RunFolder, Workshop};
use crate::store::attempt::Attempt;

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
    if !config.is_guest() {
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
