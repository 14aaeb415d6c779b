//! Figures printed in docs and papers, to the digits printed.

use metastable_analysis::TestPool;
use metastable_analysis::components::{disjoint_tasks, query_noise_half_width};
use metastable_analysis::distribution::{deviation_factors, student_quantile};

#[test]
fn student_values_of_few_seeds() {
    for (n, expected) in [(3, 4.30), (5, 2.78), (10, 2.26), (20, 2.09)] {
        let t = student_quantile(0.975, f64::from(n - 1));
        assert!((t - expected).abs() < 0.005, "{n}: {t}");
    }
}

#[test]
#[allow(
    clippy::approx_constant,
    reason = "6.28 is the printed factor, not two pi"
)]
fn factors_of_a_standard_deviation() {
    for (n, low, high) in [
        (3, 0.52, 6.28),
        (5, 0.60, 2.87),
        (10, 0.69, 1.83),
        (20, 0.76, 1.46),
    ] {
        let (lower, upper) = deviation_factors(n, 0.95).unwrap();
        assert!(
            (lower - low).abs() <= 0.005 && (upper - high).abs() <= 0.005,
            "{n}: {lower} {upper}"
        );
    }
    assert!(deviation_factors(1, 0.95).is_none());
}

/// The accuracies are those that Finn et al. 2017 print for Omniglot; one query for each shot and class, 600 tasks.
#[test]
fn query_noise_alone_prints_the_published_intervals() {
    for (accuracy, n_way, k_shot, expected) in [
        (0.987, 5, 1, 0.41),
        (0.958, 20, 1, 0.36),
        (0.999, 5, 5, 0.05),
        (0.989, 20, 5, 0.08),
    ] {
        let half = 100.0 * query_noise_half_width(accuracy, 600, n_way * k_shot, 0.95);
        assert!(
            (half - expected).abs() < 0.0051,
            "{n_way}-way {k_shot}-shot: {half}"
        );
    }
}

#[test]
fn disjoint_tasks_of_omniglot() {
    let pool = TestPool {
        n_classes: 423,
        n_examples: 20,
        k_shot: 1,
    };
    assert_eq!(disjoint_tasks(pool, 5, 15), 84);
    assert_eq!(disjoint_tasks(pool, 5, 1), 840);
    assert_eq!(disjoint_tasks(pool, 20, 15), 21);
}
