//! A generalized linear model of variances: gamma, log link, with a part of each variance that is known beforehand.

use nalgebra::{DMatrix, DVector};

use crate::distribution::student_quantile;

/// How far the logarithm of a fitted variance may be from that of the mean one.
const MOST_LOG: f64 = 14.0;
const MOST_STEPS: usize = 200;

/// `E s_p^2 = exp(x_p b) + v_p`, `s_p^2` gamma with shape `(R_p - 1)/2`.
#[derive(Clone, Debug)]
pub(super) struct Dispersion {
    /// `b`.
    pub(super) coefficients: DVector<f64>,
    /// Fitted `E s_p^2`, the known part included.
    pub(super) fitted: Vec<f64>,
    /// Covariance of `b` from the residuals themselves (HC3), right whatever the tails of the seeds.
    pub(super) covariance: DMatrix<f64>,
    /// Points less coefficients.
    pub(super) df: f64,
}

impl Dispersion {
    /// A linear function of the coefficients with its limits by Student's t.
    pub(super) fn contrast(&self, weights: &DVector<f64>, level: f64) -> (f64, [f64; 2]) {
        let value = weights.dot(&self.coefficients);
        let error = (weights.transpose() * &self.covariance * weights)[0]
            .max(0.0)
            .sqrt();
        let half = student_quantile((1.0 + level) / 2.0, self.df) * error;
        (value, [value - half, value + half])
    }
}

/// Fits the model by Fisher's scoring. `None` if the mean variance is not above the mean known part (there is nothing to model),
/// if the design is not of full rank, or if points do not outnumber its columns.
///
/// # Source
/// Smyth 1989; Nelder and Pregibon 1987. The known part makes the link `log(mu - v)`. Covariance: MacKinnon and White 1985 (HC3).
pub(super) fn fit(
    variances: &[f64],
    shapes: &[f64],
    known: &[f64],
    design: &DMatrix<f64>,
) -> Option<Dispersion> {
    let n = variances.len();
    let average = |values: &[f64]| {
        let total: f64 = shapes.iter().sum();
        values.iter().zip(shapes).map(|(v, a)| v * a).sum::<f64>() / total
    };
    let above = average(variances) - average(known);
    if above <= 0.0 || n <= design.ncols() {
        return None;
    }
    let middle = above.ln();
    let mut coefficients = DVector::zeros(design.ncols());
    coefficients[0] = middle;
    let predict = |b: &DVector<f64>| -> Vec<f64> {
        let eta = design * b;
        eta.iter()
            .map(|e| e.clamp(middle - MOST_LOG, middle + MOST_LOG).exp())
            .collect()
    };
    let likelihood = |own: &[f64]| -> f64 {
        (0..n)
            .map(|at| {
                let mu = own[at] + known[at];
                -shapes[at] * (mu.ln() + variances[at] / mu)
            })
            .sum()
    };
    let mut own = predict(&coefficients);
    let mut reached = likelihood(&own);
    for _ in 0..MOST_STEPS {
        let (information, score) = scoring(variances, shapes, known, design, &own);
        let step = information.cholesky()?.solve(&score);
        let mut size = 1.0;
        let better = loop {
            let next = &coefficients + size * &step;
            let predicted = predict(&next);
            let value = likelihood(&predicted);
            if value >= reached {
                break Some((next, predicted, value));
            }
            size /= 2.0;
            if size < 1e-6 {
                break None;
            }
        };
        let Some((next, predicted, value)) = better else {
            break;
        };
        let gain = value - reached;
        let moved = (&next - &coefficients).amax();
        (coefficients, own, reached) = (next, predicted, value);
        if moved < 1e-10 || gain < 1e-13 * reached.abs() {
            break;
        }
    }
    let (information, _) = scoring(variances, shapes, known, design, &own);
    let inverse = information.cholesky()?.inverse();
    let mut meat = DMatrix::zeros(design.ncols(), design.ncols());
    for at in 0..n {
        let x = design.row(at).transpose();
        let mu = own[at] + known[at];
        let weight = shapes[at] * own[at] * own[at] / (mu * mu);
        let leverage = (weight * (x.transpose() * &inverse * &x)[0]).min(0.999);
        let pull = shapes[at] * own[at] * (variances[at] - mu) / (mu * mu) / (1.0 - leverage);
        meat += pull * pull * &x * x.transpose();
    }
    Some(Dispersion {
        fitted: own
            .iter()
            .zip(known)
            .map(|(own, known)| own + known)
            .collect(),
        covariance: &inverse * meat * &inverse,
        df: (n - design.ncols()) as f64,
        coefficients,
    })
}

/// Fisher's information and the score.
fn scoring(
    variances: &[f64],
    shapes: &[f64],
    known: &[f64],
    design: &DMatrix<f64>,
    own: &[f64],
) -> (DMatrix<f64>, DVector<f64>) {
    let n_columns = design.ncols();
    let mut information = DMatrix::zeros(n_columns, n_columns);
    let mut score = DVector::zeros(n_columns);
    for at in 0..variances.len() {
        let x = design.row(at).transpose();
        let mu = own[at] + known[at];
        information += shapes[at] * (own[at] / mu).powi(2) * &x * x.transpose();
        score += shapes[at] * own[at] * (variances[at] - mu) / (mu * mu) * x;
    }
    (information, score)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factors::golden::numbers;

    /// statsmodels on the same numbers, without and with a known part.
    #[test]
    fn coefficients_are_those_of_statsmodels() {
        let [x, group, df, known, variances] =
            ["x", "group", "df", "known", "variances"].map(|name| numbers("gamma", name));
        let design = DMatrix::from_fn(x.len(), 3, |row, column| [1.0, x[row], group[row]][column]);
        let shapes: Vec<f64> = df.iter().map(|df| df / 2.0).collect();
        let none = vec![0.0; x.len()];
        for (name, known) in [("plain", &none), ("above", &known)] {
            let expected = numbers("gamma", name);
            let found = fit(&variances, &shapes, known, &design).unwrap();
            for (a, b) in found.coefficients.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-6, "{name}: {a} against {b}");
            }
        }
    }

    /// One group: the fitted variance is the weighted mean, and there is no model if the known part is above it.
    #[test]
    fn intercept_by_hand() {
        let ones = DMatrix::from_element(4, 1, 1.0);
        let (variances, shapes) = ([1.0, 2.0, 3.0, 6.0], [1.0, 1.0, 1.0, 3.0]);
        let found = fit(&variances, &shapes, &[0.5; 4], &ones).unwrap();
        assert!((found.fitted[0] - 4.0).abs() < 1e-9, "{:?}", found.fitted);
        assert!(fit(&variances, &shapes, &[4.5; 4], &ones).is_none());
    }
}
