//! What moves the spread over seeds: in all, and beyond what the mean brings with it.

use nalgebra::{DMatrix, DVector};

use super::clustered::{Seeds, over_seeds};
use super::columns::{
    beside, columns, independent, left, occurring, ones, orthonormal, pairs, together,
};
use super::dispersion::{Dispersion, fit};
use super::location::{Link, surface};
use super::max_t::{APART, LEVEL, Question, largest};
use super::noise::{NoiseSource, test_noise};
use super::table::{Factor, FactorRun, FactorTable, Scale};
use super::tested::{Effect, TestedFactor, ordered};
use crate::estimate::{Estimate, Interval};
use crate::options::Options;
use crate::summary::variance;

/// Fewest points with a spread.
const FEWEST_POINTS: usize = 10;

/// The points that have a spread over seeds.
pub(super) struct Spreads {
    /// Coordinates.
    x: Vec<Vec<f64>>,
    /// Responses of the runs that did not fail.
    responses: Vec<Vec<f64>>,
    /// Seed of each of them.
    seeds: Vec<Vec<usize>>,
    variances: Vec<f64>,
    /// `(R_p - 1) / 2`.
    shapes: Vec<f64>,
    /// `v_p`.
    known: Vec<f64>,
    /// How `v_p` is known at the point where least is known.
    pub(super) noise: NoiseSource,
}

/// The spreads of a table, or the sentence why it has none.
pub(super) fn spreads(table: &FactorTable, seeds: &Seeds) -> Result<Spreads, String> {
    let mut found = Spreads {
        x: Vec::new(),
        responses: Vec::new(),
        seeds: Vec::new(),
        variances: Vec::new(),
        shapes: Vec::new(),
        known: Vec::new(),
        noise: NoiseSource::Crossed,
    };
    let points = table.points();
    let mut n_points = 0;
    for point in &points {
        let tested: Vec<usize> = point
            .iter()
            .copied()
            .filter(|&run| !table.runs[run].failed && table.runs[run].response.is_some())
            .collect();
        n_points += usize::from(!tested.is_empty());
        if tested.len() < 2 {
            continue;
        }
        let runs: Vec<&FactorRun> = tested.iter().map(|&run| &table.runs[run]).collect();
        let responses: Vec<f64> = runs.iter().filter_map(|run| run.response).collect();
        let (noise, source) = test_noise(table, &runs);
        found.noise = found.noise.max(source);
        found.x.push(table.coordinates(point[0]));
        found.variances.push(variance(&responses));
        found.shapes.push((responses.len() - 1) as f64 / 2.0);
        found.known.push(noise);
        found
            .seeds
            .push(tested.iter().map(|&run| seeds.of_run[run]).collect());
        found.responses.push(responses);
    }
    let repeated = found.x.len();
    if 2 * repeated < n_points || repeated == 0 {
        return Err(format!(
            "{repeated} of {n_points} points have the {} of two seeds or more, and at least half of the points need it; repeat each point \
             with another seed (`--seeds 2` or `seeds = 2` in an experiment, a second row with the same levels in a table)",
            table.response
        ));
    }
    if repeated < FEWEST_POINTS {
        return Err(format!(
            "only {repeated} points have two seeds or more that did not fail; at least {FEWEST_POINTS} are needed"
        ));
    }
    if found.variances.iter().all(|s| *s <= 0.0) {
        return Err("all seeds agree at every point".to_owned());
    }
    Ok(found)
}

/// The factors of the spread: *in all* without `link`; *beyond the mean* with the link of the score, on which the location surface
/// is fitted and taken out. `Err` is the sentence why there is no list.
///
/// The response is `s^2 / fitted` and its cube root (Wilson and Hilferty 1931): the first has more power for normal seeds, the second
/// for heavy tails; a factor counts by the better, which the permutation takes into account. `fitted` is the gamma model of the
/// covariates with the test's noise as a known part.
pub(super) fn list(
    table: &FactorTable,
    spreads: &Spreads,
    seeds: &Seeds,
    link: Option<Link>,
    options: &Options,
) -> Result<Vec<TestedFactor>, String> {
    let domains = table.domains();
    let n = spreads.x.len();
    let location = match link {
        Some(link) => surface(&spreads.x, &spreads.responses, &domains, link),
        None => None,
    };
    let covariates = match &location {
        Some(location) => beside(&ones(n), location),
        None => ones(n),
    };
    // A surface without extent is no covariate.
    let covariates = independent(&covariates);
    let Some(base) = fit(
        &spreads.variances,
        &spreads.shapes,
        &spreads.known,
        &covariates,
    ) else {
        return Err(
            "the runs of a point scatter no more than their test does: no spread over seeds was seen".to_owned(),
        );
    };
    let factors: Vec<DMatrix<f64>> = domains
        .iter()
        .enumerate()
        .map(|(at, domain)| columns(&spreads.x, at, *domain, 1))
        .collect();
    let responses = [
        standardized(spreads, &base, f64::cbrt),
        standardized(spreads, &base, |ratio| ratio),
    ];
    let purpose = if link.is_some() {
        "factors/spread beyond the mean"
    } else {
        "factors/spread"
    };
    let question = Question {
        responses: &responses,
        covariates: Some(&covariates),
        factors: &factors,
        seed: options.seed,
        purpose,
        n_draws: options.n_profile_resamples,
    };
    let answers = if seeds.shared {
        over_seeds(&question, &by_seed(spreads, &base, seeds.n), 1)
    } else {
        largest(&question)
    };
    let mean = orthonormal(&covariates);
    let settled = |at: usize| answers[at].apart && answers[at].p <= LEVEL;
    let mut found = Vec::new();
    for (at, factor) in table.factors.iter().enumerate() {
        let mixed = if left(&factors[at], &mean) < APART && link.is_some() {
            Some("the mean".to_owned())
        } else {
            mixed_with(&factors, at).map(|other| table.factors[other].name.clone())
        };
        let mut one = TestedFactor::new(&factor.name, &answers[at], mixed);
        let mut design = covariates.clone();
        for (other, columns) in factors.iter().enumerate() {
            if other != at && settled(other) {
                design = beside(&design, columns);
            }
        }
        one.effect = effect(spreads, factor, at, &factors[at], &design, options.level);
        found.push(one);
    }
    Ok(ordered(found))
}

/// The factor whose columns take nearly all of this one's variation, if any does.
pub(super) fn mixed_with(factors: &[DMatrix<f64>], at: usize) -> Option<usize> {
    (0..factors.len()).find(|&other| {
        other != at
            && factors[at].norm() > 0.0
            && left(&factors[at], &orthonormal(&factors[other])) < APART
    })
}

/// `f(s^2 / fitted)` about its mean, times the root of the degrees of freedom: points of many seeds weigh more, and all have one variance.
fn standardized(spreads: &Spreads, base: &Dispersion, f: fn(f64) -> f64) -> Vec<f64> {
    let values: Vec<f64> = spreads
        .variances
        .iter()
        .zip(&base.fitted)
        .map(|(variance, fitted)| f(variance / fitted))
        .collect();
    let degrees = || spreads.shapes.iter().map(|shape| 2.0 * shape);
    // The center is taken out before the weight goes on, or the weight would be a covariate of its own.
    let center = values
        .iter()
        .zip(degrees())
        .map(|(v, df)| v * df)
        .sum::<f64>()
        / degrees().sum::<f64>();
    values
        .iter()
        .zip(degrees())
        .map(|(v, df)| (v - center) * df.sqrt())
        .collect()
}

/// What each seed adds to the ratio of a point: its squared distance from the point's mean, over what is expected.
fn by_seed(spreads: &Spreads, base: &Dispersion, n_seeds: usize) -> Vec<Vec<Option<f64>>> {
    let mut found = vec![vec![None; spreads.x.len()]; n_seeds];
    for (point, responses) in spreads.responses.iter().enumerate() {
        let n = responses.len() as f64;
        let center = responses.iter().sum::<f64>() / n;
        for (response, &seed) in responses.iter().zip(&spreads.seeds[point]) {
            let ratio = (response - center).powi(2) * n / (n - 1.0) / base.fitted[point];
            found[seed][point] = Some(ratio.cbrt());
        }
    }
    found
}

/// The ratio of standard deviations that the factor makes, by the gamma model with the covariates.
fn effect(
    spreads: &Spreads,
    factor: &Factor,
    at: usize,
    own: &DMatrix<f64>,
    covariates: &DMatrix<f64>,
    level: f64,
) -> Option<Effect> {
    let design = beside(covariates, own);
    if orthonormal(&design).ncols() < design.ncols() {
        return None;
    }
    let model = fit(&spreads.variances, &spreads.shapes, &spreads.known, &design)?;
    let first = covariates.ncols();
    match &factor.scale {
        Scale::Linear { low, high } | Scale::Logarithmic { low, high } => {
            let mut weights = DVector::zeros(design.ncols());
            weights[first] = 0.5;
            let (value, limits) = model.contrast(&weights, level);
            let levels = [*low, *high].map(|level| factor.scale.label(level));
            let mut found = ratio(levels, value, limits, level);
            if let Scale::Logarithmic { low, high } = factor.scale {
                found.per_decade = Some((value.abs() / (high / low).log10()).exp());
            }
            Some(found)
        }
        Scale::Categories(_) => {
            let levels = occurring(&spreads.x, at);
            let careful = together(level, pairs(levels.len()).count());
            let contrast = |(a, b): (usize, usize)| {
                let mut weights = DVector::zeros(design.ncols());
                weights[first + b - 1] = 0.5;
                if a > 0 {
                    weights[first + a - 1] = -0.5;
                }
                let (value, limits) = model.contrast(&weights, careful);
                (value, limits, levels[a], levels[b])
            };
            let widest = pairs(levels.len())
                .map(contrast)
                .reduce(|a, b| if b.0.abs() > a.0.abs() { b } else { a });
            let (value, limits, from, to) = widest?;
            let levels = [from, to].map(|level| factor.scale.label(level as f64));
            Some(ratio(levels, value, limits, level))
        }
    }
}

/// A log ratio as an effect of at least one: from the level with less to the level with more.
pub(super) fn ratio(levels: [String; 2], log: f64, limits: [f64; 2], level: f64) -> Effect {
    let [low, high] = levels;
    let (from, to, log, [lower, upper]) = if log >= 0.0 {
        (low, high, log, limits)
    } else {
        (high, low, -log, [-limits[1], -limits[0]])
    };
    let interval = Interval {
        lower: lower.exp(),
        upper: upper.exp(),
        level,
        method: "gamma model of the variances, log link, HC3, Student t".to_owned(),
    };
    Effect {
        from,
        to,
        value: Estimate::new(log.exp(), interval),
        per_decade: None,
    }
}

/// The link of the table's score.
pub(super) fn link(table: &FactorTable) -> Link {
    let finest = table.queries.map_or(0.005, |n| 0.5 / n.max(1) as f64);
    Link {
        bounds: table.bounds,
        finest: finest.min(0.01),
    }
}
