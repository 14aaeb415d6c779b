//! A guest that is trained on given episodes: the very ones that a learner of this program would get, with its validations, its
//! log and its states on the disk.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use metastable_algorithms::outer::{Signal, StepReport, Validation};
use metastable_algorithms::{Episodes, Task};
use metastable_analysis::Outcome;
use metastable_data::MetaSplit;
use metastable_guests::{Session, Trained as Said};
use rayon::prelude::*;

use super::product::{Product, Trained};
use super::saved::Saved;
use super::state::State;
use super::test;
use crate::run::furthest::furthest;
use crate::run::growing::Growing;
use crate::run::log::note;
use crate::run::{Ended, Run, RunFolder, Workshop};
use crate::store::attempt::Attempt;

pub(super) fn train(
    run: &Run<'_>,
    shop: &Workshop<'_>,
    folder: &RunFolder,
    attempt: &Attempt<'_>,
    session: &mut Session,
) -> Result<Trained> {
    let config = run.config();
    let outer_steps = config.training.outer_steps;
    let mut state = furthest(
        run.label(),
        shop,
        attempt,
        |folder| State::read(&folder.state(), run.identity()),
        |state: &State| (state.guest.step, &state.log),
    )?
    .unwrap_or_default();
    if state.guest.step > 0 {
        session.load(&state.guest.bytes)?;
    }
    let mut log = Growing::open(&folder.log(), &state.log)?;
    let training = shop.material.training(config)?.episodes()?;
    let validation = shop
        .material
        .list(config, MetaSplit::Validation)?
        .episodes()?;
    let line = shop
        .progress
        .run(run.label(), state.guest.step, outer_steps);
    let (begun, seconds_before) = (Instant::now(), state.seconds);
    let pause = Duration::from_secs_f64(shop.settings.save_seconds);
    let mut saved_at = Instant::now();
    let mut accuracy = None;
    let mut diverged = None;
    while state.guest.step < outer_steps {
        // What is cut between two steps goes on from the last state; a step is waited for.
        let step_under_way = shop.stop.step();
        let step = state.guest.step + 1;
        let tasks = meta_batch(&training, state.guest.step, config.training.meta_batch)?;
        let said = session.train(step, &tasks)?;
        shop.seat.warm();
        check_accuracy(&said)?;
        let mut report = match report(step, &said) {
            Ok(report) => report,
            Err(number) => {
                let cause = format!("the {number} that the guest reports of step {step}");
                line.say(&format!("diverged: {cause} is not finite"));
                diverged = Some(Outcome::Diverged { step, cause });
                break;
            }
        };
        state.guest.step = step;
        if step.is_multiple_of(config.training.validate_every) || step == outer_steps {
            let judged = test::ask(session, &validation, config.training.validation_tasks)?;
            let (value, loss) = (judged.accuracy(), judged.nll());
            let is_best = state.best.as_ref().is_none_or(|best| best.accuracy < value);
            if is_best {
                state.best = Some(Saved {
                    step,
                    accuracy: value,
                    bytes: session.save()?,
                });
            }
            report.validation = Some(Validation {
                accuracy: value,
                loss,
                is_best,
            });
            accuracy = Some(value);
        }
        state.pending.add(&report, outer_steps);
        if run.logs_after(&report) {
            note(&mut log, state.pending.line(Some(&report)))?;
        }
        line.step(step, accuracy);
        let stopping = shop.stop.asked();
        if stopping || step == outer_steps || saved_at.elapsed() >= pause {
            if !attempt.is_held() {
                line.say("taken over by another process");
                return Ok(Trained::Cut(Ended::TakenOver));
            }
            state.guest.bytes = session.save()?;
            state.log = log.mark()?;
            state.seconds = seconds_before + begun.elapsed().as_secs_f64();
            state.write(&folder.state(), run.identity())?;
            saved_at = Instant::now();
        }
        drop(step_under_way);
        if stopping && step < outer_steps {
            line.say(&format!("stopped after step {step}"));
            return Ok(Trained::Cut(Ended::Interrupted));
        }
    }
    note(&mut log, state.pending.line(None))?;
    line.ended();
    if diverged.is_none() {
        line.note("trained; testing");
    } else {
        // Where it stands: what it was before is in `best`.
        state.guest.bytes = session.save()?;
    }
    Ok(Trained::Ended(Box::new(Product {
        outcome: diverged.unwrap_or(Outcome::Completed),
        last: state.guest,
        best: state.best,
        seconds: seconds_before + begun.elapsed().as_secs_f64(),
    })))
}

/// The tasks of the outer step after so many.
fn meta_batch(training: &Episodes<'_>, n_steps: usize, size: usize) -> Result<Vec<Task<f32>>> {
    let first = (n_steps * size) as u64;
    let tasks: Result<Vec<_>, _> = (first..first + size as u64)
        .into_par_iter()
        .map(|index| training.task(index))
        .collect();
    Ok(tasks?)
}

/// What the log keeps of a step, or the name of the number that is not finite. What a guest does not report is NaN there.
fn report(step: usize, said: &Said) -> Result<StepReport, &'static str> {
    let finite = |number: Option<f64>, name: &'static str| {
        number.filter(|number| number.is_finite()).ok_or(name)
    };
    let (loss, accuracy) = (
        finite(said.loss, "loss")?,
        finite(said.accuracy, "accuracy")?,
    );
    Ok(StepReport {
        step,
        loss,
        accuracy,
        gradient_norm: said.gradient_norm.unwrap_or(f64::NAN),
        clipped: false,
        outer_lr: f64::NAN,
        signal: Signal {
            layer_norms: Vec::new(),
            mean_square: f64::NAN,
            sum_of_squares: f64::NAN,
            update_ratio: f64::NAN,
        },
        observation: None,
        validation: None,
        inspection: None,
    })
}

/// Refuses an accuracy outside 0 to 1.
pub(super) fn check_accuracy(said: &Said) -> Result<()> {
    let accuracy = said.accuracy.unwrap_or(0.0);
    ensure!(
        (0.0..=1.0).contains(&accuracy),
        "the guest reports an accuracy of {accuracy}, a fraction outside 0 to 1; divide percentages by 100"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(loss: Option<f64>, accuracy: Option<f64>) -> Said {
        Said {
            loss,
            accuracy,
            gradient_norm: None,
        }
    }

    #[test]
    fn the_number_that_is_not_finite_is_named() {
        assert!(report(1, &said(Some(0.5), Some(0.25))).is_ok());
        assert_eq!(report(1, &said(None, Some(0.5))).unwrap_err(), "loss");
        assert_eq!(report(1, &said(Some(0.5), None)).unwrap_err(), "accuracy");
    }

    #[test]
    fn an_accuracy_in_percent_is_refused() {
        assert!(check_accuracy(&said(None, None)).is_ok());
        assert!(check_accuracy(&said(None, Some(1.0))).is_ok());
        let error = check_accuracy(&said(None, Some(37.5))).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("37.5, a fraction outside 0 to 1")
        );
    }
}
