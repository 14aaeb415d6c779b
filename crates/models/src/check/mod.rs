//! Are a network's derivatives right? The battery that every network, norm, loss and backend goes through.
//!
//! [`subjects`] walks the registry and makes small double-precision cases. [`derivatives`] holds gradient and Hessian
//! products against central differences of quantities one order lower: the gradient against the loss, the product
//! against the gradient, so a backend is its own witness for nothing. [`disagreement`] compares two backends to
//! rounding. All of it takes any [`Network`], so a network of your own can be put through it too.
//!
//! **Kinks.** ReLU and max-pooling are smooth but for switches, and a switch between the two points of a difference
//! spoils it. Each direction is therefore differenced with the steps of [`STEPS`], largest first, until one agrees, and
//! the best agreement counts. A right derivative agrees at some step, as soon as no unit switches; a wrong one agrees at
//! none.

mod case;
mod combinations;
mod subjects;

use rand::Rng;

use crate::architecture::signed_unit;
use crate::{ModelError, Network, Params, Units};

pub use case::Case;
pub use combinations::combinations;
pub use subjects::{Subject, subjects};

/// Steps of the central differences along a direction of length 1.
pub const STEPS: [f64; 4] = [1e-4, 1e-5, 1e-6, 1e-7];

/// Largest relative error of a derivative that counts as right.
///
/// A central difference is off by about `h^2 f'''` (1e-8 at the largest step) and by `eps |f| / h` (2e-9 at the smallest,
/// relative to quantities of size 1). Wrong formulas are off by percents.
pub const TOLERANCE: f64 = 1e-6;

/// A tensor's derivative is judged relative to its own size, but at least to this share of the largest tensor's:
/// rounding does not shrink with a derivative that happens to be near zero.
const FLOOR: f64 = 1e-3;

/// A derivative this small is zero: losses and parameters of the subjects are of size 1. (A cosine of embeddings with one
/// live unit is 1 whatever the weights; what is left of its derivative is rounding.)
const ZERO: f64 = 1e-3;

/// Largest relative errors of a network's derivatives against central differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Of the gradient, along one direction within each tensor.
    pub gradient: f64,
    /// Of the Hessian's product with one direction within each tensor, compared tensor by tensor.
    pub hessian_product: f64,
}

impl Errors {
    /// Whether both are below [`TOLERANCE`].
    #[must_use]
    pub fn acceptable(&self) -> bool {
        self.gradient < TOLERANCE && self.hessian_product < TOLERANCE
    }
}

/// Holds gradient and Hessian products against central differences, along one random direction within each tensor.
///
/// # Errors
/// What the network returns.
pub fn derivatives(
    network: &dyn Network<f64>,
    case: Case<'_>,
    rng: &mut dyn Rng,
) -> Result<Errors, ModelError> {
    let gradient = gradient_at(network, case, case.params)?;
    let mut tape = network.record(case.params, case.images, case.pass, case.objective)?;
    let mut tested = Vec::new();
    for index in 0..network.layout().entries().len() {
        let v = direction(network, index, rng);
        let product = tape.hessian_product(&v)?;
        tested.push((index, v, product));
    }
    let gradient_floor = FLOOR * largest_tensor(&gradient);
    let product_floor = FLOOR
        * tested
            .iter()
            .map(|(_, _, product)| largest_tensor(product))
            .fold(0.0, f64::max);
    let mut errors = Errors {
        gradient: 0.0,
        hessian_product: 0.0,
    };
    for (index, v, product) in &tested {
        let scale = tensor_norms(&gradient)[*index].max(gradient_floor);
        let along = |h: f64| -> Result<f64, ModelError> {
            let slope = (loss_at(network, case, &case.params.plus(h, v))?
                - loss_at(network, case, &case.params.plus(-h, v))?)
                / (2.0 * h);
            Ok((slope - gradient.dot(v)).abs() / scale)
        };
        errors.gradient = errors.gradient.max(best(along)?);
        let across = |h: f64| -> Result<f64, ModelError> {
            let mut change = gradient_at(network, case, &case.params.plus(h, v))?;
            change.add(-1.0, &gradient_at(network, case, &case.params.plus(-h, v))?);
            change.scale(0.5 / h);
            Ok(relative_difference(&change, product, product_floor))
        };
        errors.hessian_product = errors.hessian_product.max(best(across)?);
    }
    Ok(errors)
}

/// Order at which the central difference of the loss along `v` approaches the gradient: 2 for a right gradient, from a
/// step `h` where the error is neither rounding nor spoilt by a kink.
///
/// `log2(error(h) / error(h / 2))`.
///
/// # Errors
/// What the network returns.
pub fn convergence_order(
    network: &dyn Network<f64>,
    case: Case<'_>,
    v: &Params<f64>,
    h: f64,
) -> Result<f64, ModelError> {
    let slope = gradient_at(network, case, case.params)?.dot(v);
    let error = |h: f64| -> Result<f64, ModelError> {
        let above = loss_at(network, case, &case.params.plus(h, v))?;
        let below = loss_at(network, case, &case.params.plus(-h, v))?;
        Ok(((above - below) / (2.0 * h) - slope).abs())
    };
    Ok((error(h)? / error(h / 2.0)?).log2())
}

/// Largest relative difference between two networks in one case: loss, outputs, log-probabilities, statistics, hidden
/// units, gradient and the Hessian's product with a random direction over all tensors.
///
/// # Errors
/// What the networks return; [`ModelError::Length`] if their layouts differ.
pub fn disagreement(
    a: &dyn Network<f64>,
    b: &dyn Network<f64>,
    case: Case<'_>,
    rng: &mut dyn Rng,
) -> Result<f64, ModelError> {
    let mut v = Params::zeros(a.layout());
    for value in v.values_mut() {
        *value = signed_unit(rng);
    }
    let mut tapes = [
        a.record(case.params, case.images, case.pass, case.objective)?,
        b.record(case.params, case.images, case.pass, case.objective)?,
    ];
    let [a, b] = &mut tapes;
    let worst = [
        vector_difference(&[a.loss()], &[b.loss()]),
        vector_difference(a.outputs(), b.outputs()),
        vector_difference(a.log_probabilities(), b.log_probabilities()),
        vector_difference(a.statistics().values(), b.statistics().values()),
        units_difference(&a.units()?, &b.units()?),
        params_difference(&a.gradient()?, &b.gradient()?),
        params_difference(&a.hessian_product(&v)?, &b.hessian_product(&v)?),
    ];
    // Not `f64::max`, which drops a NaN.
    Ok(worst
        .into_iter()
        .fold(0.0, |worst, next| if next <= worst { worst } else { next }))
}

/// A random direction of length 1 within one tensor.
fn direction(network: &dyn Network<f64>, index: usize, rng: &mut dyn Rng) -> Params<f64> {
    let mut v = Params::zeros(network.layout());
    let entry = &network.layout().entries()[index];
    for value in &mut v.values_mut()[entry.offset..][..entry.len()] {
        *value = signed_unit(rng);
    }
    let norm = v.norm();
    v.scale(1.0 / norm);
    v
}

fn loss_at(
    network: &dyn Network<f64>,
    case: Case<'_>,
    params: &Params<f64>,
) -> Result<f64, ModelError> {
    Ok(network
        .record(params, case.images, case.pass, case.objective)?
        .loss())
}

fn gradient_at(
    network: &dyn Network<f64>,
    case: Case<'_>,
    params: &Params<f64>,
) -> Result<Params<f64>, ModelError> {
    network
        .record(params, case.images, case.pass, case.objective)?
        .gradient()
}

/// The smallest error over [`STEPS`]; stops at the first that is well below [`TOLERANCE`].
fn best(error: impl Fn(f64) -> Result<f64, ModelError>) -> Result<f64, ModelError> {
    let mut best = f64::INFINITY;
    for h in STEPS {
        best = best.min(error(h)?);
        if best < 0.1 * TOLERANCE {
            break;
        }
    }
    Ok(best)
}

/// Euclidean norm of each tensor.
fn tensor_norms(params: &Params<f64>) -> Vec<f64> {
    params
        .layout()
        .entries()
        .iter()
        .map(|entry| norm(&params.values()[entry.offset..][..entry.len()]))
        .collect()
}

fn largest_tensor(params: &Params<f64>) -> f64 {
    tensor_norms(params).into_iter().fold(0.0, f64::max)
}

/// Largest over the tensors of `|a - b| / max(|b|, floor)`.
fn relative_difference(a: &Params<f64>, b: &Params<f64>, floor: f64) -> f64 {
    tensor_norms(&a.plus(-1.0, b))
        .into_iter()
        .zip(tensor_norms(b))
        .map(|(difference, size)| difference / size.max(floor).max(f64::MIN_POSITIVE))
        .fold(0.0, |worst, next| if next <= worst { worst } else { next })
}

fn params_difference(a: &Params<f64>, b: &Params<f64>) -> f64 {
    relative_difference(a, b, (FLOOR * largest_tensor(b)).max(ZERO))
}

fn vector_difference(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let difference: Vec<_> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(b).max(f64::MIN_POSITIVE)
}

/// Infinite where units are active in one network alone.
fn units_difference(a: &[Units<f64>], b: &[Units<f64>]) -> f64 {
    let active = |units: &[Units<f64>]| -> Vec<Vec<bool>> {
        units.iter().map(|block| block.active.clone()).collect()
    };
    let moments = |units: &[Units<f64>]| -> Vec<f64> {
        let blocks = units
            .iter()
            .flat_map(|block| [&block.mean, &block.variance]);
        blocks.flatten().copied().collect()
    };
    if active(a) == active(b) {
        vector_difference(&moments(a), &moments(b))
    } else {
        f64::INFINITY
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}
