//! Estimators of training: curves, spikes, gradients of tasks.

use metastable_analysis::dynamics::{across_runs, curve_reliability, spike_rate, spikes};
use metastable_analysis::gradient::{gradient_alignment, gradient_noise};

use crate::support::{close, normal, rng};

#[test]
fn reliability_of_a_curve_by_hand() {
    let curve = [(0, 0.2), (10, 0.6), (20, 0.5), (40, 0.9)];
    let found = curve_reliability(&curve).unwrap();
    close(
        found.area,
        (10.0 * 0.4 + 10.0 * 0.55 + 20.0 * 0.7) / 40.0,
        1e-12,
        "area",
    );
    close(found.short_term_risk, -0.1, 1e-12, "worst change");
    close(found.long_term_risk, 0.1, 1e-12, "worst drawdown");
    // Changes -0.1, 0.4, 0.4: quartiles 0.15 and 0.4.
    close(found.dispersion, 0.25, 1e-12, "dispersion");
    assert!(curve_reliability(&[(5, 0.1), (5, 0.2)]).is_err());
    let across = across_runs(&[vec![0.1, 0.5], vec![0.3, 0.5], vec![0.5, 0.5]], 0.1).unwrap();
    close(across[0].0, 0.2, 1e-12, "dispersion across runs");
    close(across[0].1, 0.1, 1e-12, "risk across runs");
}

/// 1,500 noisy losses with three planted spikes: found, and nothing else. Six robust standard deviations of normal noise are passed
/// by chance once in 10^9.
#[test]
fn planted_spikes_are_found() {
    let mut rng = rng(70);
    let mut losses: Vec<f64> = (0..1500)
        .map(|at| 2.0 - f64::from(at) / 1500.0 + 0.02 * normal(&mut rng))
        .collect();
    losses[300] += 1.0;
    for (at, extra) in [(700, 3.0), (701, 2.0), (702, 1.0)] {
        losses[at] += extra;
    }
    losses[1400] = f64::NAN;
    let found = spikes(&losses);
    let at: Vec<usize> = found.iter().map(|spike| spike.at).collect();
    assert_eq!(at, [300, 700, 1400]);
    assert!(found[1].height.unwrap() > 2.5 && found[2].height.is_none());
    assert!(found[0].recovery.is_some_and(|steps| steps < 40));
    let (rate, recovery) = spike_rate(&found, losses.len());
    close(rate, 2.0, 1e-12, "per thousand");
    assert!(recovery.is_some());
    assert!(spikes(&[1.0; 200]).is_empty() && spikes(&[]).is_empty());
}

/// Gradients `G + noise` in 50 dimensions, `|G|^2 = 4`, noise variance 1 in each: `tr Sigma = 50`, noise scale 12.5. Means over 400
/// batches of 16 lie within five standard errors.
#[test]
fn gradient_noise_is_unbiased() {
    let mut rng = rng(71);
    let (b, p) = (16, 50);
    let (mut traces, mut signals) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        let g: Vec<Vec<f64>> = (0..b)
            .map(|_| {
                (0..p)
                    .map(|at| if at == 0 { 2.0 } else { 0.0 } + normal(&mut rng))
                    .collect()
            })
            .collect();
        let mean_square: f64 = (0..p)
            .map(|at| (g.iter().map(|g| g[at]).sum::<f64>() / b as f64).powi(2))
            .sum();
        let squares: f64 = g.iter().flatten().map(|v| v * v).sum();
        let found = gradient_noise(mean_square, squares, b).unwrap();
        traces.push(found.trace);
        signals.push(found.signal);
    }
    for (values, truth) in [(traces, 50.0), (signals, 4.0)] {
        let mean = values.iter().sum::<f64>() / 400.0;
        let sd = (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 399.0).sqrt();
        assert!((mean - truth).abs() < 5.0 * sd / 20.0, "{mean} for {truth}");
    }
    // Two opposite gradients: no signal at all.
    let opposed = gradient_noise(0.0, 2.0, 2).unwrap();
    assert!(opposed.noise_scale.is_none() && opposed.signal < 0.0);
    assert!(gradient_noise(1.0, 1.0, 4).is_err());
}

#[test]
fn alignment_by_hand() {
    // (1, 0), (0, 1), (-1, 0): cosines 0, -1, 0.
    let gram = [1., 0., -1., 0., 1., 0., -1., 0., 1.];
    let found = gradient_alignment(&gram, 3).unwrap();
    close(found.cosine, -1.0 / 3.0, 1e-12, "cosine");
    close(found.conflict, 1.0 / 3.0, 1e-12, "conflict");
    // |sum|^2 = 1, sum of squares 3, over 6.
    close(
        found.inner_product,
        (1.0 - 3.0) / 6.0,
        1e-12,
        "inner product",
    );
}
