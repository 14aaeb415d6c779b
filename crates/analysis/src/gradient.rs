//! E10 to E12: how much signal the meta-gradient holds, and whether tasks pull together.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};

/// Signal and noise of a meta-gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradientNoise {
    /// Tasks of the meta-batch, B.
    pub n_tasks: usize,
    /// `|gbar|^2`, squared norm of the mean of the tasks' gradients.
    pub mean_square: f64,
    /// `tr Sigma = sum_t |g_t - gbar|^2 / (B - 1)`.
    pub trace: f64,
    /// `|gbar|^2 / (tr Sigma / B)`: about 1 if there is nothing but noise. Absent without noise.
    pub snr: Option<f64>,
    /// `|G|^2 = |gbar|^2 - tr Sigma / B`, unbiased for the squared norm of the expected gradient; may be negative.
    pub signal: f64,
    /// `B_simple = tr Sigma / |G|^2`: the meta-batch beyond which more tasks help little. Absent if the signal is not
    /// positive: then this meta-batch does not show it.
    pub noise_scale: Option<f64>,
}

/// Alignment of the gradients of the tasks of a meta-batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradientAlignment {
    /// Mean cosine over pairs of tasks with gradients that are not 0.
    pub cosine: f64,
    /// Share of those pairs with a negative cosine: tasks that pull against each other.
    pub conflict: f64,
    /// Mean inner product over all pairs, `(|sum g|^2 - sum |g|^2) / (B (B - 1))`.
    pub inner_product: f64,
    /// Pairs that the cosine rests on.
    pub n_pairs: usize,
}

/// Signal and noise from two numbers that training has anyway: `|gbar|^2` and `sum_t |g_t|^2` over the `B` tasks of a batch.
///
/// # Errors
/// [`AnalysisError::TooFew`] for fewer than 2 tasks; [`AnalysisError::OutOfRange`] if the numbers are not squared norms of that kind
/// (`sum |g_t|^2` is at least `B |gbar|^2`).
/// # Source
/// McCandlish et al. 2018, appendix A (the unbiased pair); the ratio is the usual signal-to-noise of a mean.
pub fn gradient_noise(
    mean_square: f64,
    sum_of_squares: f64,
    n_tasks: usize,
) -> Result<GradientNoise, AnalysisError> {
    if n_tasks < 2 {
        return Err(AnalysisError::too_few(
            "tasks of the meta-batch",
            2,
            n_tasks,
        ));
    }
    check_finite("squared gradient norm", &[mean_square, sum_of_squares])?;
    let b = n_tasks as f64;
    let scatter = sum_of_squares - b * mean_square;
    // Rounding may leave a little less than nothing.
    if mean_square < 0.0 || scatter < -1e-6 * sum_of_squares.abs() {
        let expected = format!("at least {b} times the squared norm of the mean, {mean_square}");
        return Err(AnalysisError::out_of_range(
            "sum of squared gradient norms",
            sum_of_squares,
            "the argument",
            &expected,
        ));
    }
    let trace = scatter.max(0.0) / (b - 1.0);
    let signal = mean_square - trace / b;
    Ok(GradientNoise {
        n_tasks,
        mean_square,
        trace,
        snr: (trace > 0.0).then(|| mean_square / (trace / b)),
        signal,
        noise_scale: (signal > 0.0).then(|| trace / signal),
    })
}

/// Alignment from the Gram matrix of the tasks' gradients, `gram[s * B + t] = g_s . g_t`.
///
/// # Errors
/// [`AnalysisError::TooFew`] for fewer than 2 tasks; [`AnalysisError::Shape`]; [`AnalysisError::NotFinite`].
/// # Source
/// Guiroy et al. 2019 (mean inner product); Yu et al. 2020 (conflict: a negative cosine).
pub fn gradient_alignment(
    gram: &[f64],
    n_tasks: usize,
) -> Result<GradientAlignment, AnalysisError> {
    if n_tasks < 2 {
        return Err(AnalysisError::too_few(
            "tasks of the meta-batch",
            2,
            n_tasks,
        ));
    }
    check_len("Gram matrix", n_tasks * n_tasks, gram.len())?;
    check_finite("inner product", gram)?;
    let (mut cosines, mut products) = (Vec::new(), 0.0);
    for s in 0..n_tasks {
        for t in s + 1..n_tasks {
            let product = gram[s * n_tasks + t];
            let scale = (gram[s * n_tasks + s] * gram[t * n_tasks + t]).sqrt();
            products += product;
            if scale > 0.0 {
                cosines.push((product / scale).clamp(-1.0, 1.0));
            }
        }
    }
    let n = cosines.len().max(1) as f64;
    Ok(GradientAlignment {
        cosine: cosines.iter().sum::<f64>() / n,
        conflict: cosines.iter().filter(|c| **c < 0.0).count() as f64 / n,
        inner_product: 2.0 * products / (n_tasks * (n_tasks - 1)) as f64,
        n_pairs: cosines.len(),
    })
}
