//! F5 and F6 between the runs of a study: the features of the same images, and the path between two seeds.

use crate::error::Result;
use metastable_analysis::landscape::shifted;
use metastable_analysis::probe::kinship::{Answers, Pair};
use metastable_analysis::similarity::{Features, debiased_cka};
use rayon::prelude::*;

use super::features::{Body, many_images};
use super::sensitivity::small;
use super::subject::Subject;
use super::values::{params, wide};

/// Points of the path between two runs, ends included.
const PATH_POINTS: usize = 11;

/// A training with its name.
#[derive(Clone, Copy)]
pub struct Member<'s, 'm> {
    /// Its name in the answers.
    pub label: &'s str,
    /// Name of its learner; a path leads between runs of one learner alone.
    pub learner: &'s str,
    /// What is asked.
    pub subject: &'s Subject<'m>,
}

/// The features of the images that all trainings of a split are compared on.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Name and features of each block, first to last; absent where they are constant or not finite.
    layers: Vec<(String, Option<Features>)>,
}

impl Embedded {
    /// Those of a training.
    ///
    /// # Errors
    ///
    /// If a pass fails.
    pub fn of(subject: &Subject<'_>) -> Result<Self> {
        let (images, n_images) = many_images(subject)?;
        let body = Body::new(subject);
        let layers = (0..body.n_blocks()).map(|block| {
            let rows = body.features(subject, block, subject.theta(), &images, 0)?;
            let name = if subject.is_open {
                format!("block {}", block + 1)
            } else {
                "features".to_owned()
            };
            Ok((name, Features::new(&rows, n_images).ok()))
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
        })
    }

    /// Debiased CKA with another training, block by block; absent where either is.
    ///
    /// # Errors
    ///
    /// If the two come from different images.
    pub fn similarity(&self, other: &Self) -> Result<Vec<(String, Option<f64>)>> {
        let each = self.layers.iter().zip(&other.layers);
        each.map(|((name, a), (_, b))| {
            let cka = match (a, b) {
                (Some(a), Some(b)) => debiased_cka(a, b)?,
                _ => None,
            };
            Ok((name.clone(), cka))
        })
        .collect()
    }
}

/// One training against others, which have to share its test classes and its blocks; heads may differ.
///
/// # Errors
///
/// If the test classes cannot give the episodes, or a pass fails.
pub fn ask(one: Member<'_, '_>, others: &[Member<'_, '_>], n_tasks: usize) -> Result<Answers> {
    let own = Embedded::of(one.subject)?;
    let pairs = others
        .par_iter()
        .map(|other| {
            let line = if one.learner == other.learner && one.subject.is_open {
                path(one.subject, other.subject, n_tasks)?
            } else {
                Vec::new()
            };
            Ok(Pair {
                other: other.label.to_owned(),
                layers: own.similarity(&Embedded::of(other.subject)?)?,
                line,
            })
        })
        .collect::<Result<_>>()?;
    Ok(Answers { pairs })
}

/// Loss after adaptation along the straight line between two runs, mean over tasks.
fn path(from: &Subject<'_>, to: &Subject<'_>, n_tasks: usize) -> Result<Vec<Option<f64>>> {
    let base = wide(from.theta().values());
    let end = wide(to.theta().values());
    if base.len() != end.len() {
        return Ok(Vec::new());
    }
    let along: Vec<f64> = end
        .iter()
        .zip(&base)
        .map(|(end, base)| end - base)
        .collect();
    let sampler = from.sampler(small(from))?;
    let seeds = from.seeds();
    let mut line = Vec::new();
    for at in 0..PATH_POINTS {
        let share = at as f64 / (PATH_POINTS - 1) as f64;
        let point = params(from.theta(), &shifted(&base, &[&along], &[share])?);
        let mut sum = 0.0;
        for index in 0..n_tasks as u64 {
            let task = from.gather(&sampler.episode(&seeds, index))?;
            let prediction = from.learner().predict(&from.context(&task), &point)?;
            sum += f64::from(prediction.query_loss) / n_tasks as f64;
        }
        line.push(Some(sum).filter(|loss| loss.is_finite()));
    }
    Ok(line)
}
