//! B3 to B5: the key factors of a study, in three ordered lists: for the mean, for the spread over seeds, for failure.

use serde::{Deserialize, Serialize};

use super::basin::{self, Basin};
use super::fanova::{decompose, marginals, shares};
use super::forest::{Forest, ForestSettings};
use super::responses::{PointResponse, Side, response};
use super::screen::{Screened, screen};
use super::sobol::{SaltelliDesign, total_indices};
use super::table::{FactorTable, Scale};
use super::tree::Domain;
use super::words::{compared, told};
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::Finding;
use crate::group::StudyRuns;
use crate::metric::{Measure, Measured, StudyMetric};
use crate::options::Options;
use crate::summary::rank_correlation;

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
    /// Names of the factors, in the order of the table.
    pub factors: Vec<String>,
    /// Mean, spread, failure.
    pub lists: Vec<FactorList>,
    /// How the lists compare, where two of them can be.
    pub agreements: Vec<Agreement>,
    /// The margin of the basins, in units of the response.
    pub basin_margin: f64,
}

/// The factors in order of their grip on one side of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorList {
    /// Which side.
    pub side: Side,
    /// What was explained at each point, or why nothing could be.
    pub what: String,
    /// Each factor by itself, by ranks; empty if the side does not vary.
    pub screened: Vec<Screened>,
    /// Shares of variance; absent if the forest explains too little, as `what` then says.
    pub ranked: Option<RankedFactors>,
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
    /// Where the mean stays near its best; for the mean only.
    pub basin: Option<Basin>,
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

/// Whether two sides are moved by the same factors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// One side.
    pub a: Side,
    /// The other.
    pub b: Side,
    /// Spearman's correlation of the factors' importances; absent if constant or fewer than 4 factors.
    pub rank_correlation: Option<f64>,
    /// Whether the same factor leads both.
    pub same_first: bool,
    /// Whether both leads are beyond chance (95 % of resamples; or p under 5 %, corrected for the number of factors).
    pub settled: bool,
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
    /// The factor that comes first.
    #[must_use]
    pub fn leader(&self) -> Option<&str> {
        match &self.ranked {
            Some(ranked) => ranked.factors.first().map(|leader| leader.factor.as_str()),
            None => self.screened.first().map(|leader| leader.factor.as_str()),
        }
    }

    /// Whether its lead is beyond chance: it comes first in 95 % of the refitted forests; without shares, its p-value times
    /// the number of factors (Bonferroni: it is the best of them) is under 5 %.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match &self.ranked {
            Some(ranked) => ranked
                .factors
                .first()
                .is_some_and(|leader| leader.first >= 0.95),
            None => {
                let n = self.screened.len() as f64;
                self.screened
                    .first()
                    .is_some_and(|leader| leader.p_value * n < 0.05)
            }
        }
    }
}

/// The key factors of a table.
///
/// For each side (see [`response`]): the ranked list by [`super::fanova::anova`] with total indices on the same forest and
/// basins of the mean, if the forest explains at least half of the variance out of bag; and always the list of
/// [`screen`], which claims less.
///
/// # Errors
/// Those of [`FactorTable::check`]; [`AnalysisError::TooFew`] for a table without factors.
pub fn key_factors(table: &FactorTable, options: &Options) -> Result<KeyFactors, AnalysisError> {
    table.check()?;
    if table.factors.is_empty() {
        return Err(AnalysisError::too_few("factors of the factor table", 1, 0));
    }
    let settings = ForestSettings {
        seed: options.seed,
        ..ForestSettings::default()
    };
    let mut lists = Vec::new();
    for side in Side::ALL {
        lists.push(match response(table, side)? {
            Err(why) => FactorList {
                side,
                what: why,
                screened: Vec::new(),
                ranked: None,
            },
            Ok(found) => list(table, side, &found, settings, options)?,
        });
    }
    let mut agreements = Vec::new();
    for (at, a) in lists.iter().enumerate() {
        agreements.extend(lists[at + 1..].iter().filter_map(|b| agreement(a, b)));
    }
    Ok(KeyFactors {
        response: table.response.clone(),
        n_runs: table.runs.len(),
        n_failed: table.runs.iter().filter(|run| run.failed).count(),
        n_points: table.points().len(),
        factors: table
            .factors
            .iter()
            .map(|factor| factor.name.clone())
            .collect(),
        lists,
        agreements,
        basin_margin: options.basin_margin,
    })
}

fn list(
    table: &FactorTable,
    side: Side,
    found: &PointResponse,
    settings: ForestSettings,
    options: &Options,
) -> Result<FactorList, AnalysisError> {
    let names: Vec<String> = table
        .factors
        .iter()
        .map(|factor| factor.name.clone())
        .collect();
    let domains = table.domains();
    let screened = screen(
        found,
        &names,
        &domains,
        options.seed,
        options.n_profile_resamples,
    );
    let (what, ranked) = match rank(table, side, found, settings, options) {
        Ok(ranked) => (found.what.clone(), Some(ranked)),
        Err(refusal @ AnalysisError::Unexplained { .. }) => (refusal.to_string(), None),
        Err(error) => return Err(error),
    };
    Ok(FactorList {
        side,
        what,
        screened,
        ranked,
    })
}

fn rank(
    table: &FactorTable,
    side: Side,
    found: &PointResponse,
    settings: ForestSettings,
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
            figures.push(basin::share(&factor.scale, curve, options.basin_margin));
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
            main: estimates[at].clone(),
            total: estimates[p + n_pairs + at].clone(),
            first: leaders[at],
            basin: (side == Side::Mean).then(|| {
                let share = &estimates[2 * p + n_pairs + at];
                basin::basin(&factor.scale, &curves[at], options.basin_margin, share)
            }),
            marginal: kept(&factor.scale, &grids[at], &mut points),
        })
        .collect();
    factors.sort_by(|a, b| b.main.value.total_cmp(&a.main.value));
    let named = (0..p).flat_map(|a| (a + 1..p).map(move |b| (a, b)));
    let mut pairs: Vec<RankedPair> = named
        .zip(&estimates[p..])
        .map(|((a, b), share)| RankedPair {
            a: table.factors[a].name.clone(),
            b: table.factors[b].name.clone(),
            share: share.clone(),
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

/// Factors with their importance: the share alone if both lists have it, else the screened one.
fn agreement(a: &FactorList, b: &FactorList) -> Option<Agreement> {
    let screened = |list: &FactorList| -> Vec<(String, f64)> {
        list.screened
            .iter()
            .map(|s| (s.factor.clone(), s.eta_squared))
            .collect()
    };
    let ranked = |list: &FactorList| -> Option<Vec<(String, f64)>> {
        Some(
            list.ranked
                .as_ref()?
                .factors
                .iter()
                .map(|f| (f.factor.clone(), f.main.value))
                .collect(),
        )
    };
    let (first, second) = match (ranked(a), ranked(b)) {
        (Some(first), Some(second)) => (first, second),
        _ => (screened(a), screened(b)),
    };
    let (leader_a, leader_b) = (&first.first()?.0, &second.first()?.0);
    let of_second: Vec<f64> = first
        .iter()
        .filter_map(|(name, _)| {
            second
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, value)| *value)
        })
        .collect();
    let of_first: Vec<f64> = first.iter().map(|(_, value)| *value).collect();
    Some(Agreement {
        a: a.side,
        b: b.side,
        rank_correlation: if of_first.len() > 3 {
            rank_correlation(&of_first, &of_second)
        } else {
            None
        },
        same_first: leader_a == leader_b,
        settled: a.is_settled() && b.is_settled(),
    })
}

fn measure(study: &StudyRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let Some(table) = study.factors.filter(|table| !table.factors.is_empty()) else {
        return Ok(Measured::absent());
    };
    let found = key_factors(table, options)?;
    let mut findings: Vec<Finding> = found.lists.iter().map(|list| told(&found, list)).collect();
    findings.extend(found.agreements.iter().map(compared));
    Measured::new(&found, findings)
}
