//! Estimators on plain slices: closed forms, invariances, a dense eigensolver, simulations.

use metastable_analysis::calibration::{CalibrationOptions, calibration};
use metastable_analysis::separation::{class_separation, prototype_spread};
use metastable_analysis::similarity::{Features, debiased_cka, effective_rank, linear_cka};
use metastable_analysis::spectrum::{hutchinson, lanczos, spectral_density};
use metastable_analysis::support_draws::support_draws;
use metastable_analysis::trend::log_slope;
use metastable_analysis::{AnalysisError, ScoreMatrix};
use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;

use crate::support::{close, normal, rng, uniform};

fn gaussian(rng: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    (0..n).map(|_| normal(rng)).collect()
}

/// A random rotation: the orthogonal factor of a random matrix.
fn rotation(rng: &mut ChaCha8Rng, n: usize) -> DMatrix<f64> {
    DMatrix::from_vec(n, n, gaussian(rng, n * n)).qr().q()
}

type Product = Result<Vec<f64>, AnalysisError>;

fn times(matrix: &DMatrix<f64>) -> impl Fn(&[f64]) -> Product + '_ {
    move |v| Ok((matrix * DVector::from_column_slice(v)).as_slice().to_vec())
}

/// Probabilities over five classes, and labels drawn from them (or, with `sharpen` above 1, from a flatter truth).
fn predictions(rng: &mut ChaCha8Rng, n: usize, sharpen: f64) -> (Vec<f64>, Vec<usize>) {
    let (mut probabilities, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let logits: Vec<f64> = (0..5).map(|_| 1.5 * normal(rng)).collect();
        let softmax = |scale: f64| -> Vec<f64> {
            let exp: Vec<f64> = logits.iter().map(|l| (scale * l).exp()).collect();
            let sum: f64 = exp.iter().sum();
            exp.iter().map(|e| e / sum).collect()
        };
        let (truth, stated) = (softmax(1.0), softmax(sharpen));
        let mut u = uniform(rng);
        let mut label = 0;
        while label < 4 && u >= truth[label] {
            u -= truth[label];
            label += 1;
        }
        labels.push(label);
        probabilities.extend(stated);
    }
    (probabilities, labels)
}

/// 200 calibrated simulations: the measured error lies in the 95 % range of the honest one in about 190; under 175 or all 200
/// would be a false alarm of less than 1 in 10^4. Sharpened by 2, not one does.
#[test]
fn calibration_error_of_calibrated_predictions() {
    let mut rng = rng(61);
    let mut inside = 0;
    for seed in 0..200 {
        let (p, labels) = predictions(&mut rng, 600, 1.0);
        let found = calibration(
            &p,
            5,
            &labels,
            CalibrationOptions {
                seed,
                n_draws: 200,
                ..CalibrationOptions::default()
            },
        )
        .unwrap();
        inside += u32::from(
            found
                .honest_ece
                .interval
                .as_ref()
                .unwrap()
                .contains(found.ece),
        );
    }
    assert!((175..200).contains(&inside), "{inside}");
    let (p, labels) = predictions(&mut rng, 600, 2.0);
    let found = calibration(&p, 5, &labels, CalibrationOptions::default()).unwrap();
    assert!(
        found.ece > found.honest_ece.interval.as_ref().unwrap().upper
            && found.confidence > found.accuracy + 0.05
    );
    let (p, labels) = predictions(&mut rng, 200_000, 1.0);
    let many = calibration(
        &p,
        5,
        &labels,
        CalibrationOptions {
            n_draws: 20,
            ..CalibrationOptions::default()
        },
    )
    .unwrap();
    assert!(
        many.ece < 0.006,
        "it vanishes with the number of predictions: {}",
        many.ece
    );
}

#[test]
fn calibration_by_hand() {
    // Confidences 0.6 (right), 0.8 (wrong), in two bins.
    let p = [0.6, 0.4, 0.2, 0.8];
    let options = CalibrationOptions {
        n_bins: 2,
        ..CalibrationOptions::default()
    };
    let found = calibration(&p, 2, &[0, 0], options).unwrap();
    close(found.ece, 0.5 * 0.4 + 0.5 * 0.8, 1e-12, "ece");
    close(found.brier, 0.5 * (2.0 * 0.16 + 2.0 * 0.64), 1e-12, "brier");
    close(
        found.nll.unwrap(),
        -0.5 * (0.6_f64.ln() + 0.2_f64.ln()),
        1e-12,
        "nll",
    );
    let certain = calibration(&[1.0, 0.0, 1.0, 0.0], 2, &[0, 1], options).unwrap();
    assert!(certain.nll.is_none() && certain.n_impossible == 1);
    let error = calibration(
        &[0.7, 0.7],
        2,
        &[0],
        CalibrationOptions {
            n_bins: 1,
            ..options
        },
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("sum of probabilities is 1.4 at row 0"),
        "{error}"
    );
}

#[test]
fn cka_invariances() {
    let mut rng = rng(62);
    let (n, p) = (60, 8);
    let x = gaussian(&mut rng, n * p);
    let features = Features::new(&x, n).unwrap();
    let turned = {
        let m = DMatrix::from_row_slice(n, p, &x) * rotation(&mut rng, p) * -3.0;
        let shifted: Vec<f64> = m.transpose().as_slice().iter().map(|v| v + 7.0).collect();
        Features::new(&shifted, n).unwrap()
    };
    let other = Features::new(&gaussian(&mut rng, n * 5), n).unwrap();
    for cka in [linear_cka, debiased_cka] {
        let of = |a: &Features, b: &Features| cka(a, b).unwrap().unwrap();
        close(of(&features, &features), 1.0, 1e-9, "with itself");
        close(
            of(&features, &turned),
            1.0,
            1e-9,
            "rotated, scaled, shifted",
        );
        close(
            of(&features, &other),
            of(&other, &features),
            1e-12,
            "symmetric",
        );
        close(
            of(&turned, &other),
            of(&features, &other),
            1e-9,
            "rotation does not matter against another",
        );
    }
    // An invertible map that is no rotation does matter.
    let stretched: Vec<f64> = x
        .iter()
        .enumerate()
        .map(|(at, v)| if at % p == 0 { 20.0 * v } else { *v })
        .collect();
    assert!(
        linear_cka(&features, &Features::new(&stretched, n).unwrap())
            .unwrap()
            .unwrap()
            < 0.9
    );
    assert!(
        linear_cka(&features, &Features::new(&vec![1.0; n * 2], n).unwrap())
            .unwrap()
            .is_none()
    );
    assert!(linear_cka(&features, &Features::new(&[1.0; 10], 10).unwrap()).is_err());
}

/// Unrelated representations wider than the number of examples: the usual form is near 1, the debiased one averages 0 (30 pairs
/// with a standard deviation near 0.1 each: 0.1 is five standard errors).
#[test]
fn debiased_cka_of_unrelated_features_is_zero() {
    let mut rng = rng(63);
    let (n, p) = (20, 100);
    let (mut plain, mut debiased) = (0.0, 0.0);
    for _ in 0..30 {
        let x = Features::new(&gaussian(&mut rng, n * p), n).unwrap();
        let y = Features::new(&gaussian(&mut rng, n * p), n).unwrap();
        plain += linear_cka(&x, &y).unwrap().unwrap() / 30.0;
        debiased += debiased_cka(&x, &y).unwrap().unwrap() / 30.0;
    }
    assert!(plain > 0.7 && debiased.abs() < 0.1, "{plain} {debiased}");
}

#[test]
fn effective_rank_of_known_spectra() {
    let mut rng = rng(64);
    // Orthogonal columns of given length: the covariance has their squares as eigenvalues.
    let of = |lengths: &[f64], rng: &mut ChaCha8Rng| {
        let n = 40;
        let mut m = DMatrix::from_vec(n, lengths.len() + 1, gaussian(rng, n * (lengths.len() + 1)));
        m.column_mut(0).fill(1.0);
        let q = m.qr().q();
        let mut values = vec![0.0; n * lengths.len()];
        for row in 0..n {
            for (at, length) in lengths.iter().enumerate() {
                values[row * lengths.len() + at] = length * q[(row, at + 1)];
            }
        }
        effective_rank(&Features::new(&values, n).unwrap())
    };
    close(
        of(&[2.0, 2.0, 2.0], &mut rng),
        3.0,
        1e-9,
        "three equal directions",
    );
    close(of(&[2.0, 0.0, 0.0], &mut rng), 1.0, 1e-6, "one direction");
    // Shares 0.9 and 0.1 of the variance.
    let entropy: f64 = -(0.9_f64 * 0.9_f64.ln() + 0.1 * 0.1_f64.ln());
    close(of(&[3.0, 1.0], &mut rng), entropy.exp(), 1e-9, "9 to 1");
}

#[test]
fn separation_by_hand() {
    // Classes at -1 and +1 (each +- 0.5 around it), so within 0.25, between 1.
    let z = [-1.5, -0.5, 0.5, 1.5];
    let found = class_separation(&z, &[0, 0, 1, 1], 2).unwrap();
    close(found.within, 0.25, 1e-12, "within");
    close(found.between, 1.0, 1e-12, "between");
    // Distances to the wrong center minus to the own: 2, 1, 1, 2.
    close(found.margin, 1.5, 1e-12, "margin");
    assert!(found.misplaced.abs() < 1e-12 && (found.ratio.unwrap() - 0.25).abs() < 1e-12);
    let mixed =
        class_separation(&[-1.0, 0.9, -0.9, 1.0, 1.1, 1.2], &[0, 0, 1, 1, 1, 1], 2).unwrap();
    close(mixed.misplaced, 2.0 / 6.0, 1e-12, "misplaced");
    assert!(class_separation(&z, &[0, 0, 0, 0], 2).is_err());
    // Prototypes at 0 and 4, moved by +-1 in two draws: SD sqrt(1 * 2), distance 4.
    let spread = prototype_spread(&[vec![-1.0, 3.0], vec![1.0, 5.0]], 2)
        .unwrap()
        .unwrap();
    close(spread, 2.0_f64.sqrt() / 4.0, 1e-12, "prototype spread");
}

/// A matrix of 120 rows with known spread: outer eigenvalues to the stated error, all of them after 120 steps.
#[test]
fn lanczos_against_a_dense_eigensolver() {
    let mut rng = rng(65);
    let n = 120;
    let half = DMatrix::from_vec(n, n, gaussian(&mut rng, n * n));
    let mut matrix = (&half + half.transpose()) / (2.0 * n as f64).sqrt();
    matrix += 4.0 * DMatrix::from_fn(n, n, |a, b| ((a * b) as f64).cos() / n as f64);
    let matrix = (&matrix + matrix.transpose()) / 2.0;
    let mut exact: Vec<f64> = matrix.symmetric_eigenvalues().iter().copied().collect();
    exact.sort_by(|a, b| b.total_cmp(a));
    let few = lanczos(n, 40, 1, times(&matrix)).unwrap();
    assert_eq!(few.n_products, 40);
    for (value, error) in few.values.iter().zip(&few.errors) {
        let nearest = exact
            .iter()
            .map(|e| (e - value).abs())
            .fold(f64::INFINITY, f64::min);
        assert!(
            nearest <= error + 1e-9,
            "{value} is {nearest} from an eigenvalue, bound {error}"
        );
    }
    close(few.values[0], exact[0], 1e-6, "largest");
    close(few.values[39], exact[n - 1], 1e-3, "smallest");
    let all = lanczos(n, 200, 1, times(&matrix)).unwrap();
    assert_eq!(all.values.len(), n);
    for (got, expected) in all.values.iter().zip(&exact) {
        close(*got, *expected, 1e-9, "eigenvalue");
    }
    close(all.weights.iter().sum::<f64>(), 1.0, 1e-9, "weights");
    assert_ne!(
        few,
        lanczos(n, 40, 2, times(&matrix)).unwrap(),
        "the seed is used"
    );
    let grid: Vec<f64> = (0..2001).map(|i| -10.0 + 0.01 * f64::from(i)).collect();
    let density = spectral_density(&[few], &grid, 0.1).unwrap();
    close(
        density.iter().sum::<f64>() * 0.01,
        1.0,
        1e-6,
        "the density integrates to one",
    );
}

/// The Hessian of a network of 43 parameters, `mean (w2 . tanh(W1 x) - y)^2` in 6 inputs and 6 hidden units and one offset, by central
/// differences of its gradient: products by Lanczos and Hutchinson against the dense matrix.
#[test]
fn spectrum_of_a_small_network() {
    let mut rng = rng(66);
    let (inputs, hidden, n) = (6, 6, 30);
    let x: Vec<Vec<f64>> = (0..n).map(|_| gaussian(&mut rng, inputs)).collect();
    let y = gaussian(&mut rng, n);
    let size = inputs * hidden + hidden + 1;
    let theta: Vec<f64> = gaussian(&mut rng, size).iter().map(|t| 0.5 * t).collect();
    let gradient = |theta: &[f64]| -> Vec<f64> {
        let mut g = vec![0.0; size];
        for (x, y) in x.iter().zip(&y) {
            let h: Vec<f64> = (0..hidden)
                .map(|j| {
                    (0..inputs)
                        .map(|i| theta[j * inputs + i] * x[i])
                        .sum::<f64>()
                        .tanh()
                })
                .collect();
            let out = (0..hidden)
                .map(|j| theta[inputs * hidden + j] * h[j])
                .sum::<f64>()
                + theta[size - 1];
            let d = 2.0 * (out - y) / n as f64;
            for j in 0..hidden {
                g[inputs * hidden + j] += d * h[j];
                let back = d * theta[inputs * hidden + j] * (1.0 - h[j] * h[j]);
                for i in 0..inputs {
                    g[j * inputs + i] += back * x[i];
                }
            }
            g[size - 1] += d;
        }
        g
    };
    let product = |v: &[f64]| -> Product {
        let step = 1e-5;
        let at = |sign: f64| {
            gradient(
                &theta
                    .iter()
                    .zip(v)
                    .map(|(t, v)| t + sign * step * v)
                    .collect::<Vec<_>>(),
            )
        };
        Ok(at(1.0)
            .iter()
            .zip(at(-1.0))
            .map(|(a, b)| (a - b) / (2.0 * step))
            .collect())
    };
    let mut dense = DMatrix::zeros(size, size);
    for at in 0..size {
        let mut unit = vec![0.0; size];
        unit[at] = 1.0;
        dense.set_column(at, &DVector::from_vec(product(&unit).unwrap()));
    }
    let dense = (&dense + dense.transpose()) / 2.0;
    let exact = dense.symmetric_eigenvalues();
    let found = lanczos(size, size, 3, product).unwrap();
    // Products by differences have an error of about 1e-9.
    close(found.values[0], exact.max(), 1e-6, "largest");
    close(
        found.values[found.values.len() - 1],
        exact.min(),
        1e-6,
        "smallest",
    );
    let trace = hutchinson(size, 400, 4, 0.999, product).unwrap();
    assert!(
        trace.interval.as_ref().unwrap().contains(dense.trace()),
        "{trace:?} for {}",
        dense.trace()
    );
}

/// Hutchinson's estimator is unbiased: the mean of 400 estimates from 4 draws lies within five standard errors.
#[test]
fn hutchinson_is_unbiased_and_exact_on_diagonals() {
    let mut rng = rng(67);
    let half = DMatrix::from_vec(30, 30, gaussian(&mut rng, 900));
    let matrix = &half + half.transpose();
    let estimates: Vec<f64> = (0..400)
        .map(|seed| hutchinson(30, 4, seed, 0.95, times(&matrix)).unwrap().value)
        .collect();
    let mean = estimates.iter().sum::<f64>() / 400.0;
    let sd = (estimates
        .iter()
        .map(|e| (e - mean) * (e - mean))
        .sum::<f64>()
        / 399.0)
        .sqrt();
    assert!(
        (mean - matrix.trace()).abs() < 5.0 * sd / 20.0,
        "{mean} for {}",
        matrix.trace()
    );
    let diagonal = DMatrix::from_diagonal(&DVector::from_vec(vec![1.0, -2.0, 5.0]));
    let exact = hutchinson(3, 2, 0, 0.95, times(&diagonal)).unwrap();
    close(exact.value, 4.0, 1e-12, "diagonal");
    let error =
        hutchinson(3, 2, 0, 0.95, |_| Ok::<_, AnalysisError>(vec![f64::NAN; 3])).unwrap_err();
    assert!(matches!(error, AnalysisError::NotFinite { .. }));
}

/// Six targets by four judges, Shrout and Fleiss 1979, table 2: ICC(1,1) = 0.17; interval of McGraw and Wong -0.13 to 0.72.
#[test]
fn intraclass_correlation_of_shrout_and_fleiss() {
    let rows = [
        [9., 2., 5., 8.],
        [6., 1., 3., 2.],
        [8., 4., 6., 8.],
        [7., 1., 2., 6.],
        [10., 5., 6., 9.],
        [6., 2., 4., 7.],
    ];
    let found = support_draws(&ScoreMatrix::from_rows(&rows).unwrap(), 0.95).unwrap();
    close(found.icc.value, 0.17, 0.005, "ICC(1,1)");
    let interval = found.icc.interval.unwrap();
    close(interval.lower, -0.13, 0.005, "lower");
    close(interval.upper, 0.72, 0.005, "upper");
    close(
        found.range,
        (7.0 + 5.0 + 4.0 + 6.0 + 5.0 + 5.0) / 6.0,
        1e-12,
        "range",
    );
    let same = support_draws(
        &ScoreMatrix::from_rows(&[[0.5, 0.5], [0.7, 0.7]]).unwrap(),
        0.95,
    )
    .unwrap();
    close(
        same.icc.value,
        1.0,
        1e-12,
        "a metric learner with one support set",
    );
}

/// 1,000 tables with ICC 0.4: coverage 93 to 97 % (a false alarm of 0.4 %).
#[test]
fn intraclass_interval_covers() {
    let mut rng = rng(68);
    let mut hits = 0;
    for _ in 0..1000 {
        let rows: Vec<Vec<f64>> = (0..20)
            .map(|_| {
                let task = 0.4_f64.sqrt() * normal(&mut rng);
                (0..5)
                    .map(|_| task + 0.6_f64.sqrt() * normal(&mut rng))
                    .collect()
            })
            .collect();
        let found = support_draws(&ScoreMatrix::from_rows(&rows).unwrap(), 0.95).unwrap();
        hits += u32::from(found.icc.interval.unwrap().contains(0.4));
    }
    assert!((930..=970).contains(&hits), "{hits}");
}

#[test]
fn slope_on_log_n() {
    let n = [100.0, 100.0, 300.0, 300.0, 1000.0, 1000.0];
    let y: Vec<f64> = n.iter().map(|n| 7.0 / n).collect();
    let exact = log_slope(&n, &y, 0.95).unwrap().unwrap();
    close(exact.slope.value, -1.0, 1e-12, "1/n");
    let mut rng = rng(69);
    let mut hits = 0;
    for _ in 0..1000 {
        let y: Vec<f64> = n
            .iter()
            .map(|n| (0.3 * normal(&mut rng)).exp() / n.sqrt())
            .collect();
        hits += u32::from(
            log_slope(&n, &y, 0.95)
                .unwrap()
                .unwrap()
                .slope
                .interval
                .unwrap()
                .contains(-0.5),
        );
    }
    assert!((930..=970).contains(&hits), "{hits}");
    assert!(
        log_slope(&n, &[0.1, 0.1, 0.0, 0.1, 0.1, 0.1], 0.95)
            .unwrap_err()
            .to_string()
            .contains("index 2")
    );
}
