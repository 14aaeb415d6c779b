//! Is a meta-gradient right? Asked of everything that computes it: learner, network, loss, backend, precision.
//!
//! Are its predictions its own? A learner that has seen the labels of the queries is refuted ([`blindness()`]), and so is one that
//! predicts otherwise than it says it adapts ([`adaptation()`]).
//!
//! [`certify`] draws points at random, initial parameters and a task of random images, and there holds the meta-gradient against
//! central differences of the whole procedure, inner loop included ([`meta_gradient()`]), and single precision against double
//! ([`single_precision`]). Not on the data of a training: on blank images, say, every normalized unit sits on the kink of its
//! rectifier, and a difference across a kink is no derivative. [`metastable_models::check`] does the same for the network below.
//!
//! **What differences cannot tell.** An inner loop with long steps multiplies whatever it is given, the rounding of a difference
//! too. A difference refutes a derivative only if its neighbours say the same as it does; where they contradict each other, nothing
//! is said ([`Silence`]). A wrong formula is wrong by the same amount at every small step.

use std::fmt;

use metastable_data::EpisodeShape;
use metastable_models::check::{STEPS, TOLERANCE};
use metastable_models::{Architecture, Network, NetworkConfig, Params, Real};
use rand::Rng;

use crate::{
    AlgorithmError, CheckedLearner, Context, Learner, MetaGradient, Predict, Result, Task,
};

/// Directions along which differences are taken, besides the gradient's own.
const RANDOM_DIRECTIONS: usize = 2;

/// Points that are drawn until one is right: a unit may happen to switch within the smallest step of one of them.
const POINTS: usize = 3;

/// Neighbouring steps whose differences have to agree before they refute anything.
const NEIGHBOURS: usize = 3;

/// They agree if they are so close to each other, relative to themselves, and relative to how far off the derivative is.
const AGREEMENT: [f64; 2] = [1e-2, 1e-1];

/// What single precision may cost a meta-gradient, relative to its length: a wrong formula costs percents.
pub const SINGLE_TOLERANCE: f64 = 1e-2;

/// Single precision rounds at every operation; its effect is imitated by moving each parameter by up to so many units in the last place.
const ROUNDINGS: f64 = 16.0;

/// A meta-gradient that changes by more than this, relative to its length, when the parameters are so moved is no measure of the formula.
const SENSITIVE: f64 = 3e-3;

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// A relative error, to be held against a limit.
    Error(f64),
    /// Neither proven nor refuted.
    Silent(Silence),
}

/// Why a check says nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Silence {
    /// The learner does not say that its direction is the gradient of a loss.
    NotClaimed,
    /// There is no finite meta-gradient: the inner loop blows up.
    NotFinite,
    /// Differences contradict each other.
    Unsettled,
    /// The learner predicts numbers, and it does so at the parameters that it adapts on the supports alone ([`crate::regress`]).
    Numbers,
    /// Rounding alone changes the meta-gradient by so much, relative to its length.
    Rounding(f64),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotClaimed => f.write_str(
                "the learner does not claim that its direction is the gradient of a loss",
            ),
            Self::NotFinite => f.write_str("the inner loop blows up"),
            Self::Unsettled => f.write_str("differences contradict each other"),
            Self::Numbers => {
                f.write_str("a regression is told by the parameters that the supports alone adapt")
            }
            Self::Rounding(change) => write!(
                f,
                "a few roundings of the parameters change the meta-gradient by {change:.0e}"
            ),
        }
    }
}

/// Whether a learner's meta-gradient on a network is right, and its predictions are what it says they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    /// Against central differences, in double precision; the limit is [`TOLERANCE`].
    pub meta_gradient: Finding,
    /// Single precision against double; the limit is [`SINGLE_TOLERANCE`].
    pub single_precision: Finding,
    /// Predictions against those of the same queries in reverse, so that each stands at the label of another; the limit is
    /// [`TOLERANCE`]. A learner that looks at the labels of queries predicts something else.
    pub blindness: Finding,
    /// Predictions against those of the query loss at the adapted parameters; the limit is [`TOLERANCE`].
    pub adaptation: Finding,
}

/// Checks a learner on a network, given in both precisions, at up to three random points with episodes of this shape; one class
/// stands for a regression, as in [`Task::of_values`].
///
/// The best point counts, as the best step does in [`metastable_models::check`]: a right derivative agrees unless a unit switches
/// in between, a wrong one agrees nowhere. It is refuted only where every point contradicts it.
///
/// # Errors
/// Those of learner and network; a shape without images.
pub fn certify(
    learner: &CheckedLearner,
    (single, double): (&dyn Network<f32>, &dyn Network<f64>),
    shape: EpisodeShape,
    rng: &mut dyn Rng,
) -> Result<Certificate> {
    let points = (0..POINTS)
        .map(|_| Point::draw(single.config(), shape, rng))
        .collect::<Result<Vec<_>, _>>()?;
    let wide = |Point { theta, task }: &Point| (theta.cast(), task.cast());
    Ok(Certificate {
        meta_gradient: best(&points, TOLERANCE, |point| {
            let (theta, task) = wide(point);
            meta_gradient(learner.double(), double, &theta, &task, rng)
        })?,
        single_precision: best(&points, SINGLE_TOLERANCE, |Point { theta, task }| {
            single_precision(learner, (single, double), theta, task, rng)
        })?,
        blindness: best(&points, TOLERANCE, |point| {
            if point.task.head_loss().is_of_values() {
                return Ok(Finding::Silent(Silence::Numbers));
            }
            let (theta, task) = wide(point);
            blindness(learner.double(), double, &theta, &task)
        })?,
        adaptation: best(&points, TOLERANCE, |point| {
            if point.task.head_loss().is_of_values() {
                return Ok(Finding::Silent(Silence::Numbers));
            }
            let (theta, task) = wide(point);
            adaptation(learner.double(), double, &theta, &task)
        })?,
    })
}

/// Where derivatives are asked for.
struct Point {
    theta: Params<f32>,
    task: Task<f32>,
}

impl Point {
    /// Initial parameters, and images of independent pixels, uniform in `[0, 1)`; of a regression with targets uniform in `[-1, 1)`.
    fn draw(config: &NetworkConfig, shape: EpisodeShape, rng: &mut dyn Rng) -> Result<Self> {
        let theta = Architecture::new(config)?.initial_params(rng);
        let image = config.image;
        let n_pixels = image.height * image.width * image.channels;
        let n_images = shape.n_support() + shape.n_queries();
        let images = (0..n_images * n_pixels).map(|_| unit(rng) as f32).collect();
        let task = if shape.n_way == 1 {
            let values = (0..n_images).map(|_| 2.0 * unit(rng) - 1.0).collect();
            Task::of_values(images, values, shape.k_shot)?
        } else {
            Task::new(shape, images)?
        };
        Ok(Self { theta, task })
    }
}

/// The first error below the limit. Else silence if a point is silent, since what contradicts at another may be chance; else the smallest
/// error.
fn best(
    points: &[Point],
    limit: f64,
    mut check: impl FnMut(&Point) -> Result<Finding>,
) -> Result<Finding> {
    let mut smallest = f64::INFINITY;
    let mut silence = None;
    for point in points {
        match check(point)? {
            Finding::Error(error) if error < limit => return Ok(Finding::Error(error)),
            Finding::Error(error) => smallest = smallest.min(error),
            Finding::Silent(why) => silence = Some(why),
        }
    }
    Ok(silence.map_or(Finding::Error(smallest), Finding::Silent))
}

/// Largest relative error of a meta-gradient against central differences of
/// [`crate::Differentiable::displaced_loss`], in f64:
/// `|(L(h u) - L(-h u)) / 2h - g.u| / |g|` along the gradient itself and along random directions, of length 1 with an equal
/// share in every tensor. The steps `h` are [`STEPS`], of which the best counts.
///
/// 0 if the gradient and all differences are exactly zero.
///
/// # Errors
/// Those of the learner.
pub fn meta_gradient(
    learner: &dyn Learner<f64>,
    network: &dyn Network<f64>,
    theta: &Params<f64>,
    task: &Task<f64>,
    rng: &mut dyn Rng,
) -> Result<Finding> {
    let Some(claim) = learner.differentiable() else {
        return Ok(Finding::Silent(Silence::NotClaimed));
    };
    let context = Context::training(network, task);
    let Some(gradient) = finite(learner.meta_gradient(&context, theta)?) else {
        return Ok(Finding::Silent(Silence::NotFinite));
    };
    let length = gradient.norm();
    let mut directions: Vec<Params<f64>> = (0..RANDOM_DIRECTIONS)
        .map(|_| random_direction(&gradient, rng))
        .collect();
    if length > 0.0 {
        let mut own = gradient.clone();
        own.scale(1.0 / length);
        directions.push(own);
    }
    let mut worst = 0.0;
    let mut is_settled = true;
    for direction in &directions {
        let loss = |step| claim.displaced_loss(&context, theta, step, direction);
        let (error, agreed) = off(gradient.dot(direction), TOLERANCE * length, loss)?;
        is_settled &= agreed;
        if agreed && error > 0.0 {
            worst = f64::max(worst, error / length);
        }
    }
    // What contradicts the derivative along one direction is not undone by silence along another.
    Ok(if is_settled || worst >= TOLERANCE {
        Finding::Error(worst)
    } else {
        Finding::Silent(Silence::Unsettled)
    })
}

/// How far the best central difference is from `slope`, and whether that says anything: it is within `limit`, or its neighbours
/// agree with each other.
fn off(slope: f64, limit: f64, loss: impl Fn(f64) -> Result<f64>) -> Result<(f64, bool)> {
    let mut found = Vec::with_capacity(STEPS.len());
    let mut best = f64::INFINITY;
    // The smallest step first: the fewest units switch.
    for h in STEPS.into_iter().rev() {
        let difference = (loss(h)? - loss(-h)?) / (2.0 * h);
        found.push(difference);
        best = best.min((difference - slope).abs());
        if best <= 0.1 * limit {
            break;
        }
    }
    let agree = |near: &[f64]| {
        let size = near.iter().fold(0.0, |size: f64, it| size.max(it.abs()));
        let limit = (AGREEMENT[0] * size).min(AGREEMENT[1] * best);
        // A NaN agrees with nothing.
        near.iter()
            .all(|a| near.iter().all(|b| (a - b).abs() <= limit))
    };
    let is_right = best < limit || best == 0.0;
    Ok((best, is_right || found.windows(NEIGHBOURS).any(agree)))
}

/// Relative difference `|g_32 - g_64| / |g_64|` between the meta-gradients of one task in single and in double precision, at
/// the same parameters; 0 if both are zero. Silent where rounding of the parameters alone matters.
///
/// # Errors
/// Those of the learner.
pub fn single_precision(
    learner: &CheckedLearner,
    (single, double): (&dyn Network<f32>, &dyn Network<f64>),
    theta: &Params<f32>,
    task: &Task<f32>,
    rng: &mut dyn Rng,
) -> Result<Finding> {
    let narrow = finite(
        learner
            .single()
            .meta_gradient(&Context::training(single, task), theta)?,
    );
    let task = task.cast();
    let at = |theta: &Params<f64>| {
        let context = Context::training(double, &task);
        let made = learner.double().meta_gradient(&context, theta)?;
        Ok::<_, AlgorithmError>(finite(made))
    };
    let theta = theta.cast::<f64>();
    let mut rounded = theta.clone();
    let reach = ROUNDINGS * f64::from(f32::EPSILON);
    for value in rounded.values_mut() {
        *value *= 1.0 + reach * (2.0 * unit(rng) - 1.0);
    }
    let (Some(narrow), Some(wide), Some(rounded)) = (narrow, at(&theta)?, at(&rounded)?) else {
        return Ok(Finding::Silent(Silence::NotFinite));
    };
    let change = relative_difference(&rounded, &wide);
    Ok(if change < SENSITIVE {
        Finding::Error(relative_difference(&narrow.cast(), &wide))
    } else {
        Finding::Silent(Silence::Rounding(change))
    })
}

/// Largest difference between the log-probabilities of queries and those of the same queries in reverse order under the
/// same labels, relative to the largest log-probability, in f64. Only rounding is left if no label of a query is looked at.
///
/// # Errors
/// Those of the learner.
pub fn blindness(
    learner: &dyn Predict<f64>,
    network: &dyn Network<f64>,
    theta: &Params<f64>,
    task: &Task<f64>,
) -> Result<Finding> {
    let turned = task.with_queries_reversed();
    let [plain, turned] =
        [task, &turned].map(|task| learner.predict(&Context::training(network, task), theta));
    let (plain, turned) = (plain?, turned?);
    let rows = turned.log_probabilities.chunks_exact(turned.n_way).rev();
    let back: Vec<f64> = rows.flatten().copied().collect();
    Ok(apart(&plain.log_probabilities, &back))
}

/// Largest difference between the log-probabilities of a prediction and those of [`crate::Train::query_loss`] at the adapted
/// parameters, relative to the largest, in f64: questions to a learner are asked there.
///
/// # Errors
/// Those of the learner.
pub fn adaptation(
    learner: &dyn Learner<f64>,
    network: &dyn Network<f64>,
    theta: &Params<f64>,
    task: &Task<f64>,
) -> Result<Finding> {
    let context = Context::training(network, task);
    let predicted = learner.predict(&context, theta)?;
    let phi = learner.adapted(&context, theta)?;
    let queries = learner.query_loss(&context, &phi, task.query_labels())?;
    Ok(apart(
        &predicted.log_probabilities,
        queries.log_probabilities(),
    ))
}

/// Largest difference of two lists, relative to the largest value; infinite if one is longer.
fn apart(a: &[f64], b: &[f64]) -> Finding {
    let largest = |values: &mut dyn Iterator<Item = f64>| {
        values.fold(0.0, |most: f64, value| most.max(value.abs()))
    };
    if a.len() != b.len() {
        return Finding::Error(f64::INFINITY);
    }
    if a.iter().chain(b).any(|value| !value.is_finite()) {
        return Finding::Silent(Silence::NotFinite);
    }
    let difference = largest(&mut a.iter().zip(b).map(|(a, b)| a - b));
    let size = largest(&mut a.iter().copied());
    Finding::Error(if difference == 0.0 {
        0.0
    } else {
        difference / size
    })
}

/// The gradient, if everything on the way to it was finite.
fn finite<T: Real>(made: MetaGradient<T>) -> Option<Params<T>> {
    let is_finite = made.non_finite.is_none() && made.gradient.norm().is_finite();
    is_finite.then_some(made.gradient)
}

fn relative_difference(a: &Params<f64>, b: &Params<f64>) -> f64 {
    let difference = a.plus(-1.0, b).norm();
    if difference == 0.0 {
        0.0
    } else {
        difference / b.norm()
    }
}

/// Length 1, every tensor of it equally long.
fn random_direction(like: &Params<f64>, rng: &mut dyn Rng) -> Params<f64> {
    let mut v = Params::zeros(like.layout());
    let entries = like.layout().entries();
    for entry in entries {
        let own = &mut v.values_mut()[entry.offset..][..entry.len()];
        own.fill_with(|| 2.0 * unit(rng) - 1.0);
        let length = own.iter().map(|value| value * value).sum::<f64>().sqrt();
        let share = 1.0 / (length * (entries.len() as f64).sqrt());
        own.iter_mut().for_each(|value| *value *= share);
    }
    v
}

/// Uniform in `[0, 1)`.
fn unit(rng: &mut dyn Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the differences of a loss refute the slope 1 of a gradient of length 1.
    fn refutes(loss: impl Fn(f64) -> f64) -> bool {
        let (error, says) = off(1.0, TOLERANCE, |h| Ok(loss(h))).unwrap();
        says && error >= TOLERANCE
    }

    #[test]
    fn differences_refute_what_they_agree_in_contradicting() {
        assert!(!refutes(|h| 2.0 + h + 0.3 * h * h + h.powi(3)));
        // Off by a hundred thousandth, by its sign, by all of it.
        assert!(refutes(|h| 2.0 + 1.00001 * h + h.powi(3)));
        assert!(refutes(|h| 2.0 - h));
        assert!(refutes(|_| 2.0));
        // A kink away from the point spoils the larger steps alone.
        assert!(!refutes(|h| h + (h - 3e-6).max(0.0)));
    }

    #[test]
    fn differences_that_contradict_each_other_refute_nothing() {
        // A loop that multiplies what it is given by 1e12: bounded losses in no order.
        assert!(!refutes(|h| (1e12 * h).sin()));
        assert!(!refutes(|h| if h < 0.0 { 1.0 } else { 2.0 }));
        assert!(!refutes(|h| h.signum() / 0.0));
        assert!(!refutes(|_| f64::NAN));
    }
}
