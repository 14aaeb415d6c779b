//! B3 to B5: the key factors of a study, in four lists: for the mean, for the spread over seeds in all and beyond the mean, for
//! failure.

use serde::{Deserialize, Serialize};

use super::averages;
use super::basin::{self, Basin};
use super::best::{self, BestLevels};
use super::clustered::{Seeds, seeds};
use super::columns::pairs as pairs_of;
use super::failing;
use super::fanova::{decompose, marginals, shares};
use super::forest::{Forest, ForestSettings};
use super::noise::NoiseSource;
use super::responses::{PointResponse, Side, mean_response};
use super::sobol::{SaltelliDesign, total_indices};
use super::spread;
use super::table::{FactorTable, Scale};
use super::tested::TestedFactor;
use super::tree::Domain;
use super::words::told;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::group::StudyRuns;
use crate::metric::{Measure, Measured, StudyMetric};
use crate::options::Options;

/// Rows of the quasi-random design on which total indices of a surrogate are computed.
const SURROGATE_ROWS: usize = 512;
/// Points of a marginal that are kept for the report.
const MARGINAL_POINTS: usize = 33;
/// Pairs that are kept.
const MOST_PAIRS: usize = 6;

/// Which settings move the result, for each side of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyFactors {
    /// What the response is.
    pub response: String,
    /// Runs.
    pub n_runs: usize,
    /// Of those, failed.
    pub n_failed: usize,
    /// Points, that is configurations that differ in a factor.
    pub n_points: usize,
    /// Different seeds (bundles of all streams).
    pub n_seeds: usize,
    /// Whether one seed serves several points; then a factor has to hold from seed to seed too.
    pub shared_seeds: bool,
    /// How the noise of the test was taken out of the spread; absent without a list for the spread.
    pub noise: Option<NoiseSource>,
    /// Names of the factors, in the order of the table.
    pub factors: Vec<String>,
    /// Mean, spread in all, spread beyond the mean, failure.
    pub lists: Vec<FactorList>,
    /// The levels of each factor that cannot be told from its best; without factors that the others determine.
    #[serde(default)]
    pub best: Vec<BestLevels>,
    /// The margin of the basins, in units of the response.
    pub basin_margin: f64,
}

/// The factors in order of their grip on one side of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorList {
    /// Which side.
    pub side: Side,
    /// Each factor with its test and its effect; empty if the side does not vary, as `why_none` then says.
    pub tested: Vec<TestedFactor>,
    /// Why there is no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_none: Option<String>,
    /// Shares of variance, for the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranked: Option<RankedFactors>,
    /// Why there are no shares for the mean, if the forest explains too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_no_shares: Option<String>,
}

/// Shares of the variance of one side over the space of the factors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedFactors {
    /// Out-of-bag R squared of the forest; one minus it is what the factors do not explain: seeds, noise, and its own error.
    pub r_squared: f64,
    /// In descending order of the share alone.
    pub factors: Vec<RankedFactor>,
    /// The pairs that do most together, in descending order.
    pub pairs: Vec<RankedPair>,
    /// Share of three factors and more together.
    pub higher: f64,
}

/// One factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedFactor {
    /// Its name.
    pub factor: String,
    /// Share that it brings alone (functional analysis of variance).
    pub main: Estimate,
    /// Share that it brings alone and together with others: Jansen's total index of the forest's prediction. Shares alone are means
    /// over single trees, whose variance holds more noise, so a total is somewhat larger than its parts add up to.
    pub total: Estimate,
    /// Share of the refitted forests in which it comes first.
    pub first: f64,
    /// Where the mean stays near its best.
    pub basin: Basin,
    /// Mean over all other factors, at levels across its scale.
    pub marginal: Vec<MarginalPoint>,
}

/// Two factors together, beyond what each does alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedPair {
    /// One.
    pub a: String,
    /// The other.
    pub b: String,
    /// Its share.
    pub share: Estimate,
}

/// A point of a marginal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarginalPoint {
    /// The level, as written.
    pub level: String,
    /// Its coordinate: 0 to 1, or the index of the category.
    pub at: f64,
    /// The value, with its interval over refitted forests.
    pub value: Estimate,
}

impl Measure for KeyFactors {
    const ID: &'static str = "key_factors";
}

pub(crate) const METRIC: StudyMetric = StudyMetric {
    id: KeyFactors::ID,
    title: "Key factors of mean, spread and failure (B3-B5)",
    measure,
};

impl FactorList {
    fn none(side: Side, why: String) -> Self {
        Self {
            side,
            tested: Vec::new(),
            why_none: Some(why),
            ranked: None,
            why_no_shares: None,
        }
    }

    fn of(side: Side, tested: Result<Vec<TestedFactor>, String>) -> Self {
        match tested {
            Ok(tested) => Self {
                tested,
                why_none: None,
                ..Self::none(side, String::new())
            },
            Err(why) => Self::none(side, why),
        }
    }

    /// The factors that move this side, at 5 % for the list as a whole.
    pub fn settled(&self) -> impl Iterator<Item = &TestedFactor> {
        self.tested.iter().filter(|factor| factor.is_settled())
    }
}

/// The key factors of a table.
///
/// - The mean: a tested list, with shares by [`super::fanova::anova`], total indices on the same forest and basins, if the forest
///   explains at least half of the variance out of bag.
/// - The spread over seeds, at points with at least two runs that did not fail: *in all*, and *beyond the mean*, with ratios of
///   standard deviations.
/// - The failure rate, with ratios of odds.
///
/// Each list names a factor wrongly in at most 5 % of tables in which nothing moves its side (docs/calibration.md has the measured
/// rates): by permutation over points; where points share seeds, by a test over seeds and points.
///
/// # Errors
/// Those of [`FactorTable::check`]; [`AnalysisError::TooFew`] for a table without factors.
pub fn key_factors(table: &FactorTable, options: &Options) -> Result<KeyFactors, AnalysisError> {
    table.check()?;
    if table.factors.is_empty() {
        return Err(AnalysisError::too_few("factors of the factor table", 1, 0));
    }
    let seeds = seeds(table);
    let (mut lists, noise) = lists(table, &seeds, options);
    let means = mean_response(table).ok();
    let basin_margin = means
        .as_ref()
        .map_or(options.basin_margin, |found| margin(&found.y, options));
    if let (None, Some(found)) = (&lists[0].why_none, &means) {
        shares_of_mean(table, found, &mut lists[0], basin_margin, options)?;
    }
    Ok(KeyFactors {
        response: table.response.clone(),
        n_runs: table.runs.len(),
        n_failed: table.runs.iter().filter(|run| run.failed).count(),
        n_points: table.points().len(),
        n_seeds: seeds.n,
        shared_seeds: seeds.shared,
        noise,
        factors: table
            .factors
            .iter()
            .map(|factor| factor.name.clone())
            .collect(),
        best: means.map_or_else(Vec::new, |found| {
            best::list(table, &found, &seeds, options.level)
        }),
        lists,
        basin_margin,
    })
}

/// The margin of the basins in units of the response: as it is for a share of right answers; for a score of another scale, that
/// share of the range of the points' means, to two digits.
fn margin(means: &[f64], options: &Options) -> f64 {
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if options.scale.is_none() || high <= low {
        return options.basin_margin;
    }
    let margin = options.basin_margin * (high - low);
    format!("{margin:.1e}").parse().unwrap_or(margin)
}

/// The four tested lists alone, without the forest's shares: what [`key_factors`] claims, in a small part of its time.
///
/// # Errors
/// Those of [`FactorTable::check`].
pub fn tested_lists(
    table: &FactorTable,
    options: &Options,
) -> Result<Vec<FactorList>, AnalysisError> {
    table.check()?;
    Ok(lists(table, &seeds(table), options).0)
}

fn lists(
    table: &FactorTable,
    seeds: &Seeds,
    options: &Options,
) -> (Vec<FactorList>, Option<NoiseSource>) {
    let mean = mean_response(table).map(|it| averages::list(table, &it, seeds, options));
    let mut lists = vec![FactorList::of(Side::Mean, mean)];
    let spreads = spread::spreads(table, seeds);
    let noise = spreads.as_ref().ok().map(|spreads| spreads.noise);
    for (side, link) in [
        (Side::Spread, None),
        (Side::SpreadBeyondMean, Some(spread::link(table))),
    ] {
        let tested = spreads.as_ref().map_err(String::clone);
        let tested = tested.and_then(|it| spread::list(table, it, seeds, link, options));
        lists.push(FactorList::of(side, tested));
    }
    let failing = failing::list(table, seeds, options);
    lists.push(FactorList::of(Side::Failure, failing));
    (lists, noise)
}

fn shares_of_mean(
    table: &FactorTable,
    found: &PointResponse,
    list: &mut FactorList,
    basin_margin: f64,
    options: &Options,
) -> Result<(), AnalysisError> {
    let settings = ForestSettings {
        seed: options.seed,
        ..ForestSettings::default()
    };
    match rank(table, found, settings, basin_margin, options) {
        Ok(ranked) => list.ranked = Some(ranked),
        Err(refusal @ AnalysisError::Unexplained { .. }) => {
            list.why_no_shares = Some(refusal.to_string());
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn rank(
    table: &FactorTable,
    found: &PointResponse,
    settings: ForestSettings,
    basin_margin: f64,
    options: &Options,
) -> Result<RankedFactors, AnalysisError> {
    let domains = table.domains();
    let p = domains.len();
    let design = SaltelliDesign::new(SURROGATE_ROWS, p, options.seed)?;
    let grids: Vec<Vec<f64>> = table
        .factors
        .iter()
        .map(|factor| basin::grid(&factor.scale))
        .collect();
    // Shares alone and of pairs, total indices, the basins' shares of the space, points of the marginals.
    let figures = |forest: &Forest| {
        let mut figures = shares(forest);
        let at_unit = |x: &[f64]| {
            let point: Vec<f64> = x
                .iter()
                .zip(&domains)
                .map(|(u, domain)| coordinate(*u, *domain))
                .collect();
            forest.predict(&point)
        };
        figures.extend(total_indices(&design.evaluate(at_unit)));
        let curves = marginals(forest, &grids);
        for (factor, curve) in table.factors.iter().zip(&curves) {
            figures.push(basin::share(&factor.scale, curve, basin_margin));
        }
        for (factor, curve) in table.factors.iter().zip(&curves) {
            figures.extend(curve.iter().step_by(stride(&factor.scale)));
        }
        figures
    };
    let (forest, refitted) = decompose(
        &found.what,
        &found.x,
        &found.y,
        &domains,
        settings,
        options.n_refits,
        figures,
    )?;
    let estimates = refitted.estimates(options.level);
    let free = refitted.within(options.level, f64::MIN, f64::MAX);
    let mut points = free[3 * p + p * (p - 1) / 2..].iter().cloned();
    let n_pairs = p * (p - 1) / 2;
    let curves = marginals(&forest, &grids);
    let leads =
        |row: &Vec<f64>| (0..p).fold(0, |best, at| if row[at] > row[best] { at } else { best });
    let mut leaders = vec![0.0; p];
    for row in &refitted.again {
        leaders[leads(row)] += 1.0 / refitted.again.len() as f64;
    }
    let mut factors: Vec<RankedFactor> = table
        .factors
        .iter()
        .enumerate()
        .map(|(at, factor)| RankedFactor {
            factor: factor.name.clone(),
            // Without an interval: refitted forests tell how far a share moves from forest to forest, and nothing of how much a forest shrinks what a
            // factor does. Of an additive truth such intervals held 58 to 100 %, the largest share least seldom missed.
            main: Estimate::bare(estimates[at].value),
            total: Estimate::bare(estimates[p + n_pairs + at].value),
            first: leaders[at],
            basin: basin::basin(
                &factor.scale,
                &curves[at],
                basin_margin,
                estimates[2 * p + n_pairs + at].value,
            ),
            marginal: kept(&factor.scale, &grids[at], &mut points),
        })
        .collect();
    factors.sort_by(|a, b| b.main.value.total_cmp(&a.main.value));
    let mut pairs: Vec<RankedPair> = pairs_of(p)
        .zip(&estimates[p..])
        .map(|((a, b), share)| RankedPair {
            a: table.factors[a].name.clone(),
            b: table.factors[b].name.clone(),
            share: Estimate::bare(share.value),
        })
        .collect();
    pairs.sort_by(|a, b| b.share.value.total_cmp(&a.share.value));
    pairs.truncate(MOST_PAIRS);
    Ok(RankedFactors {
        r_squared: forest.r_squared,
        factors,
        pairs,
        higher: (1.0 - refitted.own[..p + n_pairs].iter().sum::<f64>()).max(0.0),
    })
}

fn coordinate(unit: f64, domain: Domain) -> f64 {
    match domain {
        Domain::Unit => unit,
        Domain::Categories(n) => (unit * n as f64).floor().min(n as f64 - 1.0),
    }
}

/// Every so-many-th point of the grid of a factor is kept.
fn stride(scale: &Scale) -> usize {
    match scale {
        Scale::Categories(_) => 1,
        _ => (basin::GRID - 1) / (MARGINAL_POINTS - 1),
    }
}

fn kept(
    scale: &Scale,
    grid: &[f64],
    values: &mut impl Iterator<Item = Estimate>,
) -> Vec<MarginalPoint> {
    grid.iter()
        .step_by(stride(scale))
        .zip(values)
        .map(|(at, value)| MarginalPoint {
            level: scale.label(match scale {
                Scale::Categories(_) => *at,
                _ => scale.from_unit(*at),
            }),
            at: *at,
            value,
        })
        .collect()
}

fn measure(study: &StudyRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let Some(table) = study.factors.filter(|table| !table.factors.is_empty()) else {
        return Ok(Measured::absent());
    };
    let found = key_factors(table, options)?;
    let findings = found.lists.iter().map(|list| told(&found, list)).collect();
    Measured::new(&found, findings)
}
