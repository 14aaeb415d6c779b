//! Is a meta-gradient right? Measured where it is used: at the parameters, on the task and through the network of a run.
//!
//! [`meta_gradient()`] holds it against central differences of the whole procedure, inner loop included;
//! [`precision_gap`] holds single precision against double; [`first_order_gap`] says what first-order MAML leaves out.
//! [`metastable_models::check`] does the same for the network below.

use metastable_models::check::best;
use metastable_models::{Network, Params, Real};
use rand::Rng;

use crate::maml::{GradientOrder, MamlConfig};
use crate::{AlgorithmError, CheckedLearner, Learner, Task};

/// Random directions along which differences are taken, besides the gradient's own.
const RANDOM_DIRECTIONS: usize = 3;

/// Largest relative error of a meta-gradient against central differences of [`Learner::displaced_loss`], in f64:
/// `|(L(h u) - L(-h u)) / 2h - g.u| / |g|` along the gradient itself and along random directions, of length 1 with an equal
/// share in every tensor. The steps are those of [`metastable_models::check::STEPS`], of which the best counts (see
/// [`metastable_models::check`] on kinks).
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
) -> Result<f64, AlgorithmError> {
    let gradient = learner.meta_gradient(network, theta, task)?.gradient;
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
    for direction in &directions {
        let expected = gradient.dot(direction);
        let error = best(|h| {
            let at = |h| learner.displaced_loss(network, theta, task, h, direction);
            let slope = (at(h)? - at(-h)?) / (2.0 * h);
            let error = (slope - expected).abs();
            Ok::<f64, AlgorithmError>(if error > 0.0 { error / length } else { 0.0 })
        })?;
        // Not `f64::max`, which drops a NaN.
        worst = if error <= worst { worst } else { error };
    }
    Ok(worst)
}

/// Relative difference `|g_32 - g_64| / |g_64|` between the meta-gradients of one task in single and in double precision, at
/// the same parameters; 0 if both are zero.
///
/// # Errors
/// Those of the learner.
pub fn precision_gap(
    learner: &CheckedLearner,
    (single, double): (&dyn Network<f32>, &dyn Network<f64>),
    theta: &Params<f32>,
    task: &Task<f32>,
) -> Result<f64, AlgorithmError> {
    let narrow = learner.single().meta_gradient(single, theta, task)?;
    let wide = learner
        .double()
        .meta_gradient(double, &theta.cast(), &task.cast())?;
    Ok(relative_difference(&narrow.gradient.cast(), &wide.gradient))
}

/// What first-order MAML leaves out of the meta-gradient of a batch of tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstOrderGap {
    /// `|g_1 - g_2| / |g_2|`: first-order against exact, each the mean over the tasks.
    pub relative: f64,
    /// Cosine between the two.
    pub cosine: f64,
}

/// Measures [`FirstOrderGap`] with the inner loop of `config`.
///
/// Both are means over tasks, as an outer step takes them; NaN where a gradient is zero or not finite.
///
/// # Errors
/// Those of MAML.
pub fn first_order_gap<T: Real>(
    config: &MamlConfig,
    network: &dyn Network<T>,
    theta: &Params<T>,
    tasks: &[Task<T>],
) -> Result<FirstOrderGap, AlgorithmError> {
    let mean = |order| -> Result<Params<f64>, AlgorithmError> {
        let learner = config.validate(order)?;
        let mut sum = Params::zeros(theta.layout());
        for task in tasks {
            let one = Learner::<T>::meta_gradient(&learner, network, theta, task)?;
            sum.add(1.0 / tasks.len() as f64, &one.gradient.cast());
        }
        Ok(sum)
    };
    let (first, exact) = (mean(GradientOrder::First)?, mean(GradientOrder::Second)?);
    Ok(FirstOrderGap {
        relative: first.plus(-1.0, &exact).norm() / exact.norm(),
        cosine: first.dot(&exact) / (first.norm() * exact.norm()),
    })
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
        for value in own.iter_mut() {
            *value = (rng.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
        }
        let length = own.iter().map(|value| value * value).sum::<f64>().sqrt();
        let share = 1.0 / (length * (entries.len() as f64).sqrt());
        own.iter_mut().for_each(|value| *value *= share);
    }
    v
}
