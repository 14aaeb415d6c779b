//! Agreement with rliable, `SciPy` and statsmodels; `tests/golden/make_golden.py` made the values.

use metastable_analysis::churn::fleiss_kappa;
use metastable_analysis::components::components;
use metastable_analysis::difficulty::normality;
use metastable_analysis::distribution::{
    binomial_cdf, chi_square_quantile, normal_quantile, student_quantile, wilson,
};
use metastable_analysis::regression::line;
use metastable_analysis::robust::{
    Resampling, Strata, improvement_with_interval, iqm, mann_whitney, mean_of_settings,
    median_of_settings, optimality_gap, probability_of_improvement, profile, with_interval,
};
use metastable_analysis::summary::rank_correlation;
use metastable_analysis::tail::binomial_cvar;
use metastable_analysis::{Estimate, ScoreMatrix};
use toml::{Table, Value};

use crate::support::close;

/// Both sides compute in f64 by other formulas.
const SAME_FORMULA: f64 = 1e-12;
/// Quantiles come from other approximations of the incomplete beta and gamma functions.
const QUANTILE: f64 = 1e-7;

fn values() -> Table {
    include_str!("../golden/values.toml").parse().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_float().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

/// Runs by settings to settings by runs.
fn strata(value: &Value) -> Strata {
    let rows = rows(value);
    Strata::new(
        (0..rows[0].len())
            .map(|at| rows.iter().map(|row| row[at]).collect())
            .collect(),
    )
    .unwrap()
}

#[test]
fn rliable_point_values() {
    for (name, case) in values()["rliable"].as_table().unwrap() {
        let (x, y) = (strata(&case["x"]), strata(&case["y"]));
        for (what, got) in [
            ("iqm", iqm(&x)),
            ("mean", mean_of_settings(&x)),
            ("median", median_of_settings(&x)),
            ("optimality_gap", optimality_gap(&x, 0.9)),
            (
                "probability_of_improvement",
                probability_of_improvement(&x, &y),
            ),
        ] {
            close(
                got,
                number(&case[what]),
                SAME_FORMULA,
                &format!("{name}.{what}"),
            );
        }
        let taus = numbers(&case["taus"]);
        for (got, expected) in profile(&x, &taus).iter().zip(numbers(&case["profile"])) {
            close(*got, expected, SAME_FORMULA, &format!("{name}.profile"));
        }
    }
}

/// Both sides are random (50,000 and 10,000 resamples): a limit has a standard error of about
/// `sqrt(0.025 * 0.975 / B) / density`, under 0.002 of the range here, except where the bootstrap distribution is
/// coarse. The tolerance of 0.01 is more than five such errors, so a false alarm is under 1 in 10^5.
#[test]
fn rliable_intervals() {
    let how = |settings: bool, n_resamples: usize| Resampling {
        seed: 3,
        n_resamples,
        level: 0.95,
        settings,
        // The reference resamples however few runs there are.
        from_runs: 0,
    };
    let check = |got: &Estimate, expected: &Value, what: &str| {
        let interval = got.interval.as_ref().unwrap();
        for (got, expected) in [interval.lower, interval.upper]
            .into_iter()
            .zip(numbers(expected))
        {
            close(got, expected, 0.01, what);
        }
    };
    for (name, case) in values()["rliable"].as_table().unwrap() {
        let (x, y) = (strata(&case["x"]), strata(&case["y"]));
        for (suffix, settings) in [("interval", false), ("interval_over_settings", true)] {
            let how = how(settings, 50_000);
            let got = with_interval(&x, iqm, "iqm", how).unwrap();
            check(
                &got,
                &case[&format!("iqm_{suffix}")],
                &format!("{name}.iqm_{suffix}"),
            );
            let got = with_interval(&x, mean_of_settings, "mean", how).unwrap();
            check(
                &got,
                &case[&format!("mean_{suffix}")],
                &format!("{name}.mean_{suffix}"),
            );
        }
        let got = improvement_with_interval(&x, &y, "improvement", how(false, 50_000)).unwrap();
        check(
            &got,
            &case["improvement_interval"],
            &format!("{name}.improvement"),
        );
    }
}

#[test]
fn quantiles_of_scipy() {
    let values = values();
    let case = &values["distributions"];
    let shares = numbers(&case["shares"]);
    let (student, chi_square) = (rows(&case["student"]), rows(&case["chi_square"]));
    for (at, df) in numbers(&case["df"]).into_iter().enumerate() {
        for (share, (t, chi)) in shares.iter().zip(student[at].iter().zip(&chi_square[at])) {
            close(
                student_quantile(*share, df),
                *t,
                QUANTILE,
                &format!("t({share}, {df})"),
            );
            close(
                chi_square_quantile(*share, df),
                *chi,
                QUANTILE,
                &format!("chi2({share}, {df})"),
            );
        }
    }
    for (share, z) in shares.iter().zip(numbers(&case["normal"])) {
        close(normal_quantile(*share), z, QUANTILE, &format!("z({share})"));
    }
    for (case, expected) in rows(&case["binomial_cases"])
        .iter()
        .zip(numbers(&case["binomial"]))
    {
        close(
            binomial_cdf(case[0] as u64, case[1] as u64, case[2]),
            expected,
            1e-12,
            &format!("binomial {case:?}"),
        );
    }
}

#[test]
fn wilson_of_statsmodels() {
    let values = values();
    let limits = rows(&values["wilson"]["limits"]);
    for (case, limits) in rows(&values["wilson"]["cases"]).iter().zip(limits) {
        let interval = wilson(case[0], case[1] as usize, 0.95).unwrap();
        close(
            interval.lower,
            limits[0],
            QUANTILE,
            &format!("{case:?} lower"),
        );
        close(
            interval.upper,
            limits[1],
            QUANTILE,
            &format!("{case:?} upper"),
        );
    }
}

#[test]
fn small_statistics_of_scipy_and_statsmodels() {
    let values = values();
    let case = &values["mann_whitney"];
    close(
        mann_whitney(&numbers(&case["x"]), &numbers(&case["y"])),
        number(&case["u"]),
        SAME_FORMULA,
        "u",
    );

    let case = &values["normality"];
    let got = normality(&numbers(&case["x"])).unwrap().unwrap();
    for (what, value) in [
        ("jarque_bera", got.jarque_bera),
        ("p_value", got.p_value),
        ("skewness", got.skewness),
        ("excess_kurtosis", got.excess_kurtosis),
        ("qq_correlation", got.qq_correlation),
    ] {
        close(value, number(&case[what]), 1e-9, what);
    }

    let case = &values["pairs"];
    let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
    close(
        rank_correlation(&x, &y).unwrap(),
        number(&case["spearman"]),
        SAME_FORMULA,
        "spearman",
    );
    let fit = line(&x, &y, 0.95).unwrap().unwrap();
    let interval = fit.slope.interval.unwrap();
    for (got, expected) in [fit.slope.value, interval.lower, interval.upper]
        .into_iter()
        .zip(numbers(&case["slope"]))
    {
        close(got, expected, QUANTILE, "slope");
    }
    close(
        fit.intercept,
        number(&case["intercept"]),
        SAME_FORMULA,
        "intercept",
    );
    close(
        fit.r_squared,
        number(&case["r_squared"]),
        SAME_FORMULA,
        "r_squared",
    );
    close(fit.p_value, number(&case["p_value"]), 1e-9, "p_value");

    let case = &values["kappa"];
    let counts: Vec<Vec<u32>> = rows(&case["counts"])
        .iter()
        .map(|row| row.iter().map(|x| *x as u32).collect())
        .collect();
    close(
        fleiss_kappa(&counts).unwrap().unwrap(),
        number(&case["kappa"]),
        SAME_FORMULA,
        "kappa",
    );
}

#[test]
fn mean_squares_of_statsmodels() {
    let values = values();
    let case = &values["components"];
    let scores = ScoreMatrix::from_rows(&rows(&case["scores"])).unwrap();
    let squares = components(&scores, None, 0.95).unwrap().mean_squares;
    for (got, expected) in [squares.run, squares.task, squares.residual]
        .into_iter()
        .zip(numbers(&case["mean_squares"]))
    {
        assert!((got / expected - 1.0).abs() < 1e-9, "{got} {expected}");
    }
}

/// The simulation has a standard error; five of them are a false alarm of 6 in 10^7.
#[test]
fn binomial_cvar_of_a_simulation() {
    let values = values();
    let case = &values["binomial_cvar"];
    let (mean, error) = (number(&case["mean"]), number(&case["standard_error"]));
    let exact = binomial_cvar(0.9, 75, 600, 60);
    assert!(
        (exact - mean).abs() < 5.0 * error,
        "exact {exact}, simulated {mean} +- {error}"
    );
}
