//! Family G: what is left under other shapes, other data, damaged images and wrong labels, and whether confidences are
//! honest.

use crate::error::{ProbeError, Result};
use metastable_algorithms::Task;
use metastable_analysis::calibration::{Calibration, CalibrationOptions, calibration};
use metastable_analysis::probe::{confidence, corruption, label_noise, mismatch};
use metastable_analysis::{AnalysisError, Probe};
use metastable_data::corruption::SEVERITIES;
use metastable_data::{Corruption, Dataset, EpisodeShape, Sampler, Seeds, Stream};

use super::sensitivity::{each, small};
use super::subject::{Protocol, Subject, small_shape};

/// A data set to be tested on, under the name that the user gave.
pub struct Other {
    /// The name.
    pub set: String,
    /// The images, at the size of the subject's.
    pub dataset: Dataset,
}

/// Ways of the mismatch matrix, for learners that can change theirs.
const WAYS: [usize; 3] = [5, 10, 20];
/// Shots of the mismatch matrix.
const SHOTS: [usize; 4] = [1, 2, 5, 10];
/// Shares of wrong support labels.
const NOISE_SHARES: [f64; 7] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
/// Bins of a reliability diagram, of which none may be empty.
const MOST_BINS: usize = 15;
/// Supports of a class for label noise: with one, a wrong label leaves nothing to be right.
const NOISE_SHOTS: usize = 5;

/// Every question of the family, on `n_tasks` test tasks and on those of other data sets.
///
/// # Errors
///
/// If classes cannot give the episodes, or a pass fails.
pub fn ask(subject: &Subject<'_>, others: &[Other], n_tasks: usize) -> Result<Probe> {
    Ok(Probe {
        mismatch: Some(mismatch(subject, others, n_tasks)?),
        corruption: Some(corruption(subject, n_tasks)?),
        label_noise: label_noise(subject, n_tasks)?,
        confidence: confidence(subject, n_tasks)?,
        ..Probe::default()
    })
}

/// Accuracies on the first tasks of a sampler.
fn accuracies(
    subject: &Subject<'_>,
    dataset: &Dataset,
    sampler: &Sampler,
    n_tasks: usize,
) -> Result<Vec<f64>> {
    let seeds = subject.seeds();
    each(n_tasks, |index| {
        let task = Task::gather(dataset, &sampler.episode(&seeds, index))?;
        Ok(subject.judge(&task)?.0)
    })
}

fn mismatch(subject: &Subject<'_>, others: &[Other], n_tasks: usize) -> Result<mismatch::Answers> {
    let test = subject.test_shape();
    let own_data = subject.dataset;
    let own = accuracies(
        subject,
        own_data,
        &subject.sampler(small(subject))?,
        n_tasks,
    )?;
    // A head is bound to its number of classes.
    let ways = match subject.network.config().fixed_way() {
        Some(n_way) => vec![n_way],
        None => WAYS.to_vec(),
    };
    let mut shapes = Vec::new();
    for way in ways {
        for shot in SHOTS {
            let n_query = small(subject)
                .n_query
                .min(subject.fewest_images().saturating_sub(shot));
            let shape = EpisodeShape {
                n_way: way,
                k_shot: shot,
                n_query,
            };
            // What the test classes do not hold is left out: too few of them, or too few images.
            let Ok(sampler) = subject.sampler(shape) else {
                continue;
            };
            shapes.push(mismatch::Shape {
                way,
                shot,
                accuracy: accuracies(subject, own_data, &sampler, n_tasks)?,
            });
        }
    }
    let mut domains = Vec::new();
    for other in others {
        let dataset = &other.dataset;
        if dataset.digest == own_data.digest {
            continue;
        }
        let sampler = sampler_of(other, &subject.protocol)?;
        domains.push(mismatch::Domain {
            set: other.set.clone(),
            digest: dataset.digest.clone(),
            n_classes: dataset.classes.len(),
            accuracy: accuracies(subject, dataset, &sampler, n_tasks)?,
        });
    }
    let episode = subject.protocol.episode;
    Ok(mismatch::Answers {
        trained: (episode.n_way, episode.k_shot),
        tested: (test.n_way, test.k_shot),
        shapes,
        domains,
        own,
    })
}

/// Test episodes of other data, as small as those of the other questions. Nothing was trained on these data: every class is a
/// test class.
///
/// # Errors
///
/// If the data cannot give the episodes.
pub fn sampler_of(other: &Other, protocol: &Protocol) -> Result<Sampler> {
    let classes: Vec<u32> = (0..other.dataset.classes.len() as u32).collect();
    let (shape, rotations) = (small_shape(protocol), protocol.test_rotations);
    Sampler::new(&other.dataset, &classes, shape, rotations, false).map_err(|source| {
        let set = other.set.clone();
        ProbeError::Other { set, source }
    })
}

fn corruption(subject: &Subject<'_>, n_tasks: usize) -> Result<corruption::Answers> {
    let sampler = subject.sampler(small(subject))?;
    let seeds = subject.seeds();
    let judged = each(n_tasks, |index| {
        let task = subject.gather(&sampler.episode(&seeds, index))?;
        let clean = subject.judge(&task)?.0;
        let mut damaged = Vec::new();
        for (at, (_, kind)) in Corruption::ALL.iter().enumerate() {
            for severity in 1..=SEVERITIES {
                for place in corruption::Place::ALL {
                    // One key for each image: the same damage to the queries whether supports are damaged or not.
                    let key = index * 1000 + at as u64 * 10 + u64::from(severity);
                    let task = damage(subject, &task, *kind, severity, place, &seeds, key)?;
                    damaged.push(subject.judge(&task)?.0);
                }
            }
        }
        Ok((clean, damaged))
    })?;
    let mut cells = Vec::new();
    for (name, _) in Corruption::ALL {
        for severity in 1..=SEVERITIES {
            for place in corruption::Place::ALL {
                cells.push(corruption::Damaged {
                    kind: name.to_owned(),
                    severity,
                    place,
                    accuracy: judged.iter().map(|task| task.1[cells.len()]).collect(),
                });
            }
        }
    }
    Ok(corruption::Answers {
        n_tasks,
        clean: judged.iter().map(|task| task.0).collect(),
        damaged: cells,
    })
}

pub(crate) fn damage(
    subject: &Subject<'_>,
    task: &Task<f32>,
    kind: Corruption,
    severity: u8,
    place: corruption::Place,
    seeds: &Seeds,
    key: u64,
) -> Result<Task<f32>> {
    let size = subject.dataset.size;
    let damaged = |images: &[f32], stream: Stream, is_hit: bool| -> Vec<f32> {
        let mut rng = seeds.rng(stream, key);
        let each = images.chunks_exact(subject.dataset.n_values());
        each.flat_map(|image| kind.apply(image, size, if is_hit { severity } else { 0 }, &mut rng))
            .collect()
    };
    let support = damaged(
        task.support_images(),
        Stream::Support,
        place != corruption::Place::Query,
    );
    let query = damaged(
        task.query_images(),
        Stream::Query,
        place != corruption::Place::Support,
    );
    Ok(Task::new(task.shape(), [support, query].concat())?)
}

/// None where classes hold too few images.
fn label_noise(subject: &Subject<'_>, n_tasks: usize) -> Result<Option<label_noise::Answers>> {
    let shape = small(subject);
    // Twice the supports of each class: those of its own, and those that go to other classes with a wrong label.
    let spare = subject.fewest_images().saturating_sub(shape.n_query) / 2;
    let k_shot = spare.min(NOISE_SHOTS);
    if k_shot < 2 {
        return Ok(None);
    }
    let sampler = subject.sampler(EpisodeShape {
        k_shot: 2 * k_shot,
        ..shape
    })?;
    let seeds = subject.seeds();
    let judged = each(n_tasks, |index| {
        let wide = subject.gather(&sampler.episode(&seeds, index))?;
        let n_slots = shape.n_way * k_shot;
        let n_pixels = wide.support_images().len() / (2 * n_slots);
        let (order, sources) = label_noise::wrong_labels(shape.n_way, k_shot, index);
        NOISE_SHARES
            .iter()
            .map(|share| {
                let n_wrong = (share * n_slots as f64).round() as usize;
                let mut images = Vec::new();
                for (slot, stranger) in sources.iter().enumerate() {
                    let is_wrong = order[..n_wrong].contains(&slot);
                    let (class, at) = if is_wrong {
                        *stranger
                    } else {
                        (slot / k_shot, slot % k_shot)
                    };
                    let start = (class * 2 * k_shot + at) * n_pixels;
                    images.extend_from_slice(&wide.support_images()[start..start + n_pixels]);
                }
                images.extend_from_slice(wide.query_images());
                let task = Task::new(EpisodeShape { k_shot, ..shape }, images)?;
                Ok(subject.judge(&task)?.0)
            })
            .collect::<Result<Vec<f64>>>()
    })?;
    let column = |at: usize| judged.iter().map(move |task| task[at]);
    Ok(Some(label_noise::Answers {
        n_tasks,
        n_way: shape.n_way,
        k_shot,
        shares: NOISE_SHARES.to_vec(),
        accuracy: (0..NOISE_SHARES.len()).flat_map(column).collect(),
    }))
}

/// None if its probabilities are not finite.
fn confidence(subject: &Subject<'_>, n_tasks: usize) -> Result<Option<confidence::Answers>> {
    let calibration_of = |n_steps: Option<usize>| -> Result<Option<Calibration>> {
        let learner = subject.with_inner_steps(n_steps)?;
        let sampler = subject.sampler(subject.test_shape())?;
        let seeds = subject.seeds();
        let rows = each(n_tasks, |index| {
            let task = subject.gather(&sampler.episode(&seeds, index))?;
            let context = subject.context(&task);
            let prediction = learner.single().predict(&context, subject.theta())?;
            let probabilities = prediction
                .log_probabilities
                .iter()
                .map(|p| f64::from(*p).exp());
            Ok((
                probabilities.collect::<Vec<f64>>(),
                task.query_labels().to_vec(),
            ))
        })?;
        let (probabilities, labels): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let labels = labels.concat();
        let options = CalibrationOptions {
            n_bins: MOST_BINS.min(labels.len()),
            seed: 0,
            n_draws: 200,
        };
        let n_way = subject.test_shape().n_way;
        match calibration(&probabilities.concat(), n_way, &labels, options) {
            Err(AnalysisError::NotFinite { .. }) => Ok(None),
            found => Ok(Some(found?)),
        }
    };
    let mut steps = Vec::new();
    if let Some(inner) = subject.learner().inner_loop() {
        let trained = inner.test_steps();
        let mut asked = vec![0, 1, trained, 2 * trained, 4 * trained];
        asked.sort_unstable();
        asked.dedup();
        for n_steps in asked {
            if let Some(found) = calibration_of(Some(n_steps))? {
                steps.push(confidence::AfterSteps {
                    n_steps,
                    ece: found.ece,
                    accuracy: found.accuracy,
                    confidence: found.confidence,
                });
            }
        }
    }
    let found = calibration_of(None)?;
    Ok(found.map(|calibration| confidence::Answers { calibration, steps }))
}
