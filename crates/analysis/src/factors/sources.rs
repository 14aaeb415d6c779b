//! B1 and B2: which source of chance moves the result, one at a time and together.

use serde::{Deserialize, Serialize};

use super::design::{DesignTable, Terms};
use super::investigated::{Investigated, investigated};
use super::table::FactorTable;
use super::variance::{QUERIES, REST, VarianceComponents, VarianceOptions, variance_components};
use crate::distribution::chi_square_quantile;
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, Finding, p_value};
use crate::group::StudyRuns;
use crate::metric::{Measure, Measured, StudyMetric};
use crate::options::Options;
use crate::random::{generator, shuffle};
use crate::steadiness::distances;
use crate::summary::{mean, variance};

/// Sources of chance of one study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sources {
    /// What the response is.
    pub response: String,
    /// Each source varied by itself, in descending order of its scatter; sources that were never varied alone are left out.
    pub alone: Vec<SourceSpread>,
    /// The chance that sources which scatter alike lie as far apart as the first and the last of them, see [`alone_p_value`].
    #[serde(default)]
    pub alone_p_value: Option<f64>,
    /// All sources varied at once.
    pub joint: Option<SourceSpread>,
    /// Shares of the sources in a design in which at least two vary.
    pub components: Option<VarianceComponents>,
}

/// Scatter of the response when one source varies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceSpread {
    /// The source.
    pub source: String,
    /// Runs that the figure rests on.
    pub n_runs: usize,
    /// Groups of runs that agree in all else; their variances are pooled.
    pub n_groups: usize,
    /// Standard deviation, pooled over groups, with its chi-square interval.
    pub sd: Estimate,
    /// The same by the estimator of Pecher et al. 2024; absent where no two settings of the other sources were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub investigated: Option<Investigated>,
}

impl Measure for Sources {
    const ID: &'static str = "sources";
}

pub(crate) const METRIC: StudyMetric = StudyMetric {
    id: Sources::ID,
    title: "Sources of chance, one at a time and together (B1, B2)",
    measure,
};

/// The sources of chance of a table: what its streams do.
///
/// *One at a time*: runs that agree in every factor and every other stream form a group; the variances of the groups of two
/// runs and more are pooled, `s^2 = sum (n_g - 1) s_g^2 / sum (n_g - 1)`, which supposes that the source moves all points of
/// the factors alike. *Joint*: at each point of the factors, as many runs as differ pairwise in every stream.
/// *Components*: main effects of all streams that vary, over the runs of the point with the most of them. *Investigated*: beside these the
/// estimator of Pecher et al. 2024, see [`Investigated`].
///
/// # Errors
/// Those of [`FactorTable::check`].
/// # Source
/// Bouthillier et al. 2021, figure 1, for the pattern; chi-square for the interval of a standard deviation of normal runs.
pub fn sources(table: &FactorTable, options: &Options) -> Result<Sources, AnalysisError> {
    table.check()?;
    let points = table.points();
    let mut scattered: Vec<Vec<Vec<f64>>> = Vec::new();
    let mut alone: Vec<SourceSpread> = (0..table.streams.len())
        .filter_map(|stream| {
            let groups: Vec<Vec<Vec<f64>>> = points
                .iter()
                .map(|point| alike_but(table, point, stream))
                .collect();
            let others = investigated(&groups);
            let alone = pooled(&table.streams[stream], groups.concat(), options.level)?;
            scattered.push(groups.concat());
            Some(SourceSpread {
                investigated: others,
                ..alone
            })
        })
        .collect();
    alone.sort_by(|a, b| b.sd.value.total_cmp(&a.sd.value));
    let joint = if table.streams.len() > 1 {
        let groups = points
            .iter()
            .map(|point| all_different(table, point))
            .collect();
        pooled("all sources", groups, options.level)
    } else {
        None
    };
    Ok(Sources {
        response: table.response.clone(),
        alone_p_value: alone_p_value(&scattered, options.seed),
        alone,
        joint,
        components: components(table, &points, options),
    })
}

/// The p-value at which sources are ranked: under skewed seeds the permutation reaches 5 % in 9 % of tables, and 2.5 % in 3 %
/// (docs/calibration.md).
const RANKED: f64 = 0.025;
/// Fewest distances of a source from which it is compared.
const FEWEST_DISTANCES: usize = 4;
/// Fewest ways to exchange the distances: of two sources the two most extreme ways have to lie at [`RANKED`] at most.
const FEWEST_WAYS: f64 = 2.0 / RANKED;
/// Permutations.
const N_DRAWS: u64 = 999;

/// Do several sources, each varied alone, scatter alike? Distances of runs from the median of their group are exchanged between the sources;
/// the statistic is the logarithm of the largest mean distance of a source over the smallest, so that the answer is about all sources at once
/// and the first and the last may be named. `sources` has the groups of each. `None` for fewer than two sources, for a source with fewer
/// than four distances (five runs in one group), for two sources with five runs each (of 70 ways the most extreme ones are 2.9 %, and what is ranked
/// would be up to the draw), or if nothing scatters.
///
/// # Source
/// Richter and McCann 2007 (permutation of absolute deviations); Tukey's range for several groups.
#[must_use]
pub fn alone_p_value(sources: &[Vec<Vec<f64>>], seed: u64) -> Option<f64> {
    let of_source = |groups: &Vec<Vec<f64>>| -> Vec<f64> {
        let told = groups.iter().filter(|group| group.len() > 2);
        told.flat_map(|group| distances(group)).collect()
    };
    let all: Vec<Vec<f64>> = sources.iter().map(of_source).collect();
    if all.len() < 2 || all.iter().any(|it| it.len() < FEWEST_DISTANCES) {
        return None;
    }
    let sizes: Vec<usize> = all.iter().map(Vec::len).collect();
    if ways(&sizes) < FEWEST_WAYS {
        return None;
    }
    let mut pooled = all.concat();
    if pooled.iter().all(|it| *it <= 0.0) {
        return None;
    }
    let range = |pooled: &[f64]| {
        let (mut least, mut most, mut from) = (f64::INFINITY, f64::MIN_POSITIVE, 0);
        for size in &sizes {
            let mean = mean(&pooled[from..from + size]).max(f64::MIN_POSITIVE);
            (least, most, from) = (least.min(mean), most.max(mean), from + size);
        }
        (most / least).ln()
    };
    let own = range(&pooled);
    let mut reached = 1;
    for draw in 0..N_DRAWS {
        shuffle(&mut generator(seed, "sources/alone", draw), &mut pooled);
        reached += u64::from(range(&pooled) >= own - 1e-9);
    }
    Some(reached as f64 / (N_DRAWS + 1) as f64)
}

/// Ways to divide things into groups of these sizes, `(sum n)! / product n!`.
fn ways(sizes: &[usize]) -> f64 {
    let mut placed = 0;
    let mut ways = 1.0;
    for size in sizes {
        for at in 1..=*size {
            placed += 1;
            ways *= f64::from(placed) / at as f64;
        }
    }
    ways
}

/// Responses of the runs of a point that agree in every stream but one, a list for each group.
fn alike_but(table: &FactorTable, point: &[usize], stream: usize) -> Vec<Vec<f64>> {
    let mut groups: Vec<(usize, Vec<(&str, f64)>)> = Vec::new();
    for &run in point {
        let own = &table.runs[run];
        let Some(value) = own.response else { continue };
        let entry = (own.streams[stream].as_str(), value);
        let alike = |first: usize| {
            let other = &table.runs[first].streams;
            (0..other.len()).all(|at| at == stream || other[at] == own.streams[at])
        };
        match groups.iter_mut().find(|(first, _)| alike(*first)) {
            // The same bundle twice is no second draw.
            Some((_, group)) if group.iter().any(|(label, _)| *label == entry.0) => {}
            Some((_, group)) => group.push(entry),
            None => groups.push((run, vec![entry])),
        }
    }
    groups
        .into_iter()
        .map(|(_, group)| group.into_iter().map(|entry| entry.1).collect())
        .collect()
}

/// Responses of runs of a point of which no two share the label of any stream.
fn all_different(table: &FactorTable, point: &[usize]) -> Vec<f64> {
    let mut taken: Vec<usize> = Vec::new();
    for &run in point {
        let new = |&&other: &&usize| {
            table.runs[run]
                .streams
                .iter()
                .zip(&table.runs[other].streams)
                .any(|(a, b)| a == b)
        };
        if table.runs[run].response.is_some() && taken.iter().find(new).is_none() {
            taken.push(run);
        }
    }
    taken
        .iter()
        .filter_map(|&run| table.runs[run].response)
        .collect()
}

fn pooled(source: &str, groups: Vec<Vec<f64>>, level: f64) -> Option<SourceSpread> {
    let groups: Vec<Vec<f64>> = groups.into_iter().filter(|group| group.len() > 1).collect();
    let df: usize = groups.iter().map(|group| group.len() - 1).sum();
    if df == 0 {
        return None;
    }
    let sum: f64 = groups
        .iter()
        .map(|group| (group.len() - 1) as f64 * variance(group))
        .sum();
    let sd = (sum / df as f64).sqrt();
    let tail = (1.0 - level) / 2.0;
    let limit = |share: f64| (sum / chi_square_quantile(share, df as f64)).sqrt();
    Some(SourceSpread {
        source: source.to_owned(),
        n_runs: groups.iter().map(Vec::len).sum(),
        n_groups: groups.len(),
        sd: Estimate::new(
            sd,
            Interval {
                lower: limit(1.0 - tail),
                upper: limit(tail),
                level,
                method: format!("chi-square, {df} df"),
            },
        ),
        investigated: None,
    })
}

fn components(
    table: &FactorTable,
    points: &[Vec<usize>],
    options: &Options,
) -> Option<VarianceComponents> {
    let usable = |point: &Vec<usize>| -> Vec<usize> {
        point
            .iter()
            .copied()
            .filter(|&run| table.runs[run].response.is_some())
            .collect()
    };
    let runs = points.iter().map(usable).max_by_key(Vec::len)?;
    let varying: Vec<usize> = (0..table.streams.len())
        .filter(|&stream| {
            runs.iter()
                .any(|&run| table.runs[run].streams[stream] != table.runs[runs[0]].streams[stream])
        })
        .collect();
    if varying.len() < 2 {
        return None;
    }
    let names: Vec<&str> = varying
        .iter()
        .map(|&stream| table.streams[stream].as_str())
        .collect();
    let labels: Vec<Vec<&str>> = runs
        .iter()
        .map(|&run| {
            varying
                .iter()
                .map(|&stream| table.runs[run].streams[stream].as_str())
                .collect()
        })
        .collect();
    let values: Vec<f64> = runs
        .iter()
        .filter_map(|&run| table.runs[run].response)
        .collect();
    let how = VarianceOptions {
        seed: options.seed,
        level: options.level,
        n_draws: options.n_resamples,
        queries: table.queries,
    };
    // Streams that always vary together, or too few runs, leave nothing to tell apart: then there are no components.
    let design = DesignTable::from_labels(&names, &labels, &values).ok()?;
    let confounded = design.n_levels().iter().map(|n| n - 1).sum::<usize>() + 2 > values.len();
    if confounded {
        return None;
    }
    variance_components(&design, &Terms::Main, how).ok()
}

fn measure(study: &StudyRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let Some(table) = study.factors.filter(|table| !table.streams.is_empty()) else {
        return Ok(Measured::absent());
    };
    let found = sources(table, options)?;
    if found.alone.is_empty() && found.components.is_none() {
        return Ok(Measured::absent());
    }
    let mut findings = Vec::new();
    if found.alone.len() > 1 {
        findings.push(alone_told(&found));
    }
    findings.extend(found.components.as_ref().map(components_told));
    Measured::new(&found, findings)
}

fn limits(estimate: &Estimate) -> (f64, f64) {
    estimate
        .interval
        .as_ref()
        .map_or((0.0, f64::INFINITY), |i| (i.lower, i.upper))
}

fn alone_told(found: &Sources) -> Finding {
    let each: Vec<String> = found
        .alone
        .iter()
        .map(|it| {
            let (low, high) = limits(&it.sd);
            format!(
                "{} {:.4} [{low:.4}, {high:.4}] from {} runs",
                it.source, it.sd.value, it.n_runs
            )
        })
        .collect();
    let figures = format!("standard deviations {}", each.join(", "));
    let names = (found.alone.first(), found.alone.last());
    let (certainty, text) = match (found.alone_p_value, names) {
        (Some(p), (Some(first), Some(last))) if p <= RANKED => (
            Certainty::Distinguishable,
            format!(
                "Of the sources varied alone, {} gives {} the largest spread and {} the smallest ({}, permutation over {} sources; {figures}).",
                first.source,
                found.response,
                last.source,
                p_value(p),
                found.alone.len()
            ),
        ),
        (Some(p), _) => (
            Certainty::NotDistinguishable,
            format!(
                "Of the sources varied alone, none is shown to give {} a larger spread than another ({}, permutation over {} sources; {figures}).",
                found.response,
                p_value(p),
                found.alone.len()
            ),
        ),
        (None, _) => (
            Certainty::TooFewRuns,
            format!(
                "Each source was varied alone ({figures}). Sources are compared only if each has at least five runs in which it varies, or six if there are two sources."
            ),
        ),
    };
    finding(certainty, text)
}

fn components_told(found: &VarianceComponents) -> Finding {
    let named = || {
        found
            .sources
            .iter()
            .filter(|s| s.source != REST && s.source != QUERIES)
    };
    let mut order: Vec<_> = named().collect();
    order.sort_by(|a, b| b.share.value.total_cmp(&a.share.value));
    let percent = |share: &Estimate| {
        let limits = share.interval.as_ref().map_or_else(String::new, |i| {
            format!(" ({:.0} to {:.0} %)", 100.0 * i.lower, 100.0 * i.upper)
        });
        format!("{:.0} %{limits}", 100.0 * share.value)
    };
    let parts: Vec<String> = order
        .iter()
        .map(|s| format!("{} {}", s.source, percent(&s.share)))
        .collect();
    let none: Vec<&str> = named()
        .filter(|s| s.was_negative())
        .map(|s| s.source.as_str())
        .collect();
    let mut text = format!(
        "With all sources drawn anew, the variance of one run divides into {}",
        parts.join(", ")
    );
    for row in found
        .sources
        .iter()
        .filter(|s| s.source == REST || s.source == QUERIES)
    {
        text += &format!(", {} {}", row.source, percent(&row.share));
    }
    text += &format!(" ({} runs).", found.n_observations);
    if !none.is_empty() {
        text += &format!(
            " The estimate for {} was negative and is shown as 0: the runs show no such variance.",
            none.join(" and ")
        );
    }
    let seen = order
        .first()
        .is_some_and(|s| s.variance.interval.as_ref().is_some_and(|i| i.lower > 0.0));
    finding(
        if seen {
            Certainty::Distinguishable
        } else {
            Certainty::NotDistinguishable
        },
        text,
    )
}

fn finding(certainty: Certainty, text: String) -> Finding {
    Finding {
        metric: Sources::ID.to_owned(),
        setting: None,
        learner: None,
        certainty,
        text,
        without_failed: false,
    }
}
