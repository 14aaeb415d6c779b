//! A guest that samples its own training: it gets the images of the classes for training and for validation, and a budget.

use std::time::Instant;

use anyhow::Result;
use metastable_analysis::Outcome;
use metastable_data::{Intensity, MetaSplit};
use metastable_guests::Session;

use super::given::check_accuracy;
use super::product::{Product, Trained};
use super::saved::Saved;
use super::test;
use crate::run::growing::{Growing, Mark};
use crate::run::log::LogLine;
use crate::run::log::note;
use crate::run::{Material, Run, RunFolder, Workshop};
use crate::store::attempt::Attempt;

pub(super) fn train(
    run: &Run<'_>,
    shop: &Workshop<'_>,
    folder: &RunFolder,
    attempt: &Attempt<'_>,
    session: &mut Session,
) -> Result<Trained> {
    let config = run.config();
    // What a guest does by itself has no states of ours to go on from.
    attempt.adopt(None, &[])?;
    let mut log = Growing::open(&folder.log(), &Mark::default())?;
    let line = shop
        .progress
        .run(run.label(), 0, config.training.outer_steps);
    let begun = Instant::now();
    let (train_images, train_labels) = images(shop.material, MetaSplit::Train);
    let (validation_images, validation_labels) = images(shop.material, MetaSplit::Validation);
    let mut written = Ok(());
    let mut last_step = 0;
    let fitted = session.fit(
        (&train_images, &train_labels),
        (&validation_images, &validation_labels),
        |said| {
            line.step(
                said.step.min(config.training.outer_steps),
                said.trained.accuracy,
            );
            if written.is_ok() {
                written = check_accuracy(&said.trained);
            }
            if written.is_ok()
                && said.step > last_step
                && let Some(loss) = said.trained.loss
            {
                last_step = said.step;
                let line = log_line(said.step, loss, said.trained.accuracy);
                written = note(&mut log, Some(line));
            }
        },
    )?;
    written?;
    check_accuracy(&fitted.trained)?;
    shop.seat.warm();
    line.ended();
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = session.save()?;
    let is_finite = fitted.trained.loss.is_some_and(f64::is_finite);
    let (outcome, accuracy) = if is_finite {
        let validation = shop
            .material
            .list(config, MetaSplit::Validation)?
            .episodes()?;
        let judged = test::ask(session, &validation, config.training.validation_tasks)?;
        (Outcome::Completed, judged.accuracy())
    } else {
        let cause = "the loss that the guest reports of its training".to_owned();
        let step = fitted.step;
        (Outcome::Diverged { step, cause }, 0.0)
    };
    let last = Saved {
        step: fitted.step,
        accuracy,
        bytes,
    };
    if let (true, Some(loss)) = (fitted.step > last_step, fitted.trained.loss) {
        let mut of_the_end = log_line(fitted.step, loss, fitted.trained.accuracy);
        of_the_end.validation_accuracy = Some(accuracy);
        note(&mut log, Some(of_the_end))?;
    }
    Ok(Trained::Ended(Box::new(Product {
        outcome,
        best: None,
        last,
        seconds,
    })))
}

/// All images of the classes of a part, with the number of their class.
fn images(material: &Material, part: MetaSplit) -> (Vec<f32>, Vec<usize>) {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let dataset = &material.dataset;
    for (number, class) in material.split.classes(part).iter().enumerate() {
        let class = &dataset.classes[*class as usize];
        for image in class.first_image..class.first_image + class.n_images {
            images.extend(
                dataset
                    .image(image)
                    .iter()
                    .map(|byte| <f32 as Intensity>::of(*byte)),
            );
            labels.push(number);
        }
    }
    (images, labels)
}

/// A line of what is reported; an accuracy that is not is NaN, as is what no guest of this kind reports.
fn log_line(step: usize, loss: f64, accuracy: Option<f64>) -> LogLine {
    LogLine {
        step,
        train_loss: loss,
        train_accuracy: accuracy.unwrap_or(f64::NAN),
        gradient_norm: f64::NAN,
        n_clipped: 0,
        outer_lr: f64::NAN,
        validation_accuracy: None,
        validation_loss: None,
        update_ratio: f64::NAN,
        gradient_squares: [f64::NAN; 2],
        losses: vec![loss],
        layer_norms: Vec::new(),
        observation: None,
        domains: Vec::new(),
        inspection: None,
    }
}
