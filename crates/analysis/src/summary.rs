//! Mean, standard deviation, quantiles, ranks: the small vocabulary of all other files.

/// Standard deviation of run means up to which they are one and the same number, but for rounding.
pub(crate) const NO_SCATTER: f64 = 1e-12;

/// Arithmetic mean; NaN for no values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Accuracy as a share of what lies above guessing: `(a - 1/N) / (1 - 1/N)`.
#[must_use]
pub fn chance_normalized(accuracy: f64, n_way: usize) -> f64 {
    let chance = 1.0 / n_way as f64;
    (accuracy - chance) / (1.0 - chance)
}

/// Sample variance, `sum (x - mean)^2 / (n - 1)`; 0 for fewer than two values.
#[must_use]
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let center = mean(values);
    values
        .iter()
        .map(|x| (x - center) * (x - center))
        .sum::<f64>()
        / (values.len() - 1) as f64
}

/// Sample standard deviation, with `n - 1`.
#[must_use]
pub fn standard_deviation(values: &[f64]) -> f64 {
    variance(values).sqrt()
}

/// The values in ascending order.
#[must_use]
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    // Values that compare as equal have the same bits: stability is worth nothing here.
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Quantile of values in ascending order by linear interpolation (type 7 of Hyndman and Fan 1996, `NumPy`'s default):
/// position `share * (n - 1)`. NaN for no values.
#[must_use]
pub fn quantile_of_sorted(sorted: &[f64], share: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// Quantile of values in any order; see [`quantile_of_sorted`].
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    quantile_of_sorted(&sorted(values), share)
}

/// Median of values in any order.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Robust standard deviation, `1.4826 * median |x - median|`: that of a normal sample, blind to a few outliers.
#[must_use]
pub fn robust_deviation(values: &[f64]) -> f64 {
    let center = median(values);
    let distances: Vec<f64> = values.iter().map(|x| (x - center).abs()).collect();
    1.4826 * median(&distances)
}

/// `|b - a| / |a|`, Euclidean; NaN where `a` is 0.
#[must_use]
pub fn relative_change(a: &[f64], b: &[f64]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let moved = squares(&mut a.iter().zip(b).map(|(a, b)| b - a));
    (moved / squares(&mut a.iter().copied())).sqrt()
}

/// Ranks from 1; equal values share the mean of their ranks.
#[must_use]
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] <= values[order[start]] {
            end += 1;
        }
        // Ranks start + 1 ..= end, shared.
        let shared = (start + 1 + end) as f64 / 2.0;
        for &index in &order[start..end] {
            ranks[index] = shared;
        }
        start = end;
    }
    ranks
}

/// Pearson's correlation; `None` if either side is constant or shorter than two.
#[must_use]
pub fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mean_x, mean_y) = (mean(x), mean(y));
    let mut products = 0.0;
    let (mut squares_x, mut squares_y) = (0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        products += (a - mean_x) * (b - mean_y);
        squares_x += (a - mean_x) * (a - mean_x);
        squares_y += (b - mean_y) * (b - mean_y);
    }
    let scale = (squares_x * squares_y).sqrt();
    (scale > 0.0).then(|| (products / scale).clamp(-1.0, 1.0))
}

/// Spearman's rank correlation, ties averaged; `None` as for [`correlation`].
#[must_use]
pub fn rank_correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    correlation(&ranks(x), &ranks(y))
}
