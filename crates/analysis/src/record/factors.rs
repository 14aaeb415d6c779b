//! Runs by (factors, streams, response): the input of the key factors, from any laboratory.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};
use crate::fingerprint::{Fingerprint, check_same};

/// Most categories of a factor: a set of them is a word of 64 bits.
pub const MOST_CATEGORIES: usize = 64;

/// A table of runs. A *factor* is a setting that was varied on purpose; a *stream* is a source of chance (split,
/// initialization, task order, ..., or one bundle of them all), of which only equality matters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FactorTable {
    /// What the response is, e.g. `accuracy`.
    pub response: String,
    /// The factors, in order.
    pub factors: Vec<Factor>,
    /// Names of the streams, in order.
    pub streams: Vec<String>,
    /// The runs.
    pub runs: Vec<FactorRun>,
    /// Queries behind each response, if it is a share of that many right answers.
    #[serde(default)]
    pub queries: Option<usize>,
    /// Chance and the best score, if the response lies between them; none: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[f64; 2]>,
    /// Fields of the fingerprints for which factors and streams stand (`learner.inner_lr`, `seed`): runs may differ in these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_vary: Vec<String>,
}

/// A setting that was varied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// Its name, e.g. `inner_lr`.
    pub name: String,
    /// What it can be.
    pub scale: Scale,
}

/// What a factor can be, and how its space is measured: importances are shares of the variance over that space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// A number, all from `low` to `high` equally likely.
    Linear {
        /// Lowest.
        low: f64,
        /// Highest.
        high: f64,
    },
    /// A positive number, equally likely in each part of a decade.
    Logarithmic {
        /// Lowest.
        low: f64,
        /// Highest.
        high: f64,
    },
    /// One of several, all equally likely; a level is the index of its name.
    Categories(Vec<String>),
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FactorRun {
    /// Its name.
    pub id: String,
    /// Level of each factor: the number itself, or the index of a category.
    pub levels: Vec<f64>,
    /// Label of each stream.
    pub streams: Vec<String>,
    /// The response; absent for a run that has none.
    pub response: Option<f64>,
    /// Whether the run failed (diverged, stayed at chance); it may have a response all the same.
    pub failed: bool,
    /// The scores of its test tasks, in the order of tasks; empty if they are not known. Their scatter tells the noise of the
    /// test from that of the training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
    /// How it was made; empty if nothing is known.
    #[serde(default, skip_serializing_if = "Fingerprint::is_empty")]
    pub fingerprint: Fingerprint,
}

impl Scale {
    /// The level as a coordinate: 0 to 1 for numbers, the index for categories.
    #[must_use]
    pub fn to_unit(&self, level: f64) -> f64 {
        match self {
            Self::Linear { low, high } => ((level - low) / (high - low)).clamp(0.0, 1.0),
            Self::Logarithmic { low, high } => {
                ((level / low).ln() / (high / low).ln()).clamp(0.0, 1.0)
            }
            Self::Categories(_) => level,
        }
    }

    /// The level at a coordinate from 0 to 1: the inverse of [`Self::to_unit`] for numbers, and the category whose equal
    /// part of the interval holds it. This is how a point of a quasi-random design becomes a configuration, the
    /// seed bundle included.
    #[must_use]
    pub fn from_unit(&self, unit: f64) -> f64 {
        match self {
            Self::Linear { low, high } => low + unit * (high - low),
            Self::Logarithmic { low, high } => low * (high / low).powf(unit),
            Self::Categories(names) => (unit * names.len() as f64)
                .floor()
                .min(names.len() as f64 - 1.0),
        }
    }

    fn check(&self, name: &str) -> Result<(), AnalysisError> {
        let bad = |what: &str, value: f64, expected: &str| {
            Err(AnalysisError::out_of_range(
                what,
                value,
                &format!("factor `{name}`"),
                expected,
            ))
        };
        match self {
            Self::Linear { low, high } if !(low.is_finite() && high.is_finite() && low < high) => {
                bad(
                    "highest level",
                    *high,
                    &format!("a number above the lowest, {low}"),
                )
            }
            Self::Logarithmic { low, high } if !(*low > 0.0 && high.is_finite() && low < high) => {
                bad(
                    "lowest level",
                    *low,
                    &format!("a number above 0 and under the highest, {high}"),
                )
            }
            Self::Categories(names) if !(2..=MOST_CATEGORIES).contains(&names.len()) => bad(
                "number of categories",
                names.len() as f64,
                &format!("2 to {MOST_CATEGORIES}"),
            ),
            _ => Ok(()),
        }
    }

    fn holds(&self, level: f64) -> bool {
        match self {
            Self::Linear { low, high } | Self::Logarithmic { low, high } => {
                (*low..=*high).contains(&level)
            }
            Self::Categories(names) => {
                (0.0..names.len() as f64).contains(&level) && level.fract().abs() < f64::EPSILON
            }
        }
    }

    /// How a level is written.
    #[must_use]
    pub fn label(&self, level: f64) -> String {
        match self {
            Self::Linear { .. } | Self::Logarithmic { .. } => {
                let digits = format!("{level:.3e}");
                digits
                    .parse::<f64>()
                    .map_or(digits, |rounded| rounded.to_string())
            }
            Self::Categories(names) => names
                .get(level as usize)
                .cloned()
                .unwrap_or_else(|| level.to_string()),
        }
    }
}

impl FactorTable {
    /// Checks scales, lengths and levels once.
    ///
    /// # Errors
    /// [`AnalysisError::OutOfRange`] for a scale without extent, a level outside its scale, a name or a run that occurs
    /// twice; [`AnalysisError::Shape`] naming the run; [`AnalysisError::NotFinite`] for a response; [`AnalysisError::TooFew`]
    /// without runs; [`AnalysisError::NotComparable`] naming the field if two runs were made differently in more than
    /// [`FactorTable::may_vary`].
    pub fn check(&self) -> Result<(), AnalysisError> {
        if self.runs.is_empty() {
            return Err(AnalysisError::too_few("runs of the factor table", 1, 0));
        }
        for factor in &self.factors {
            factor.scale.check(&factor.name)?;
        }
        let names = self
            .factors
            .iter()
            .map(|factor| &factor.name)
            .chain(&self.streams);
        unique("column", names)?;
        unique("run", self.runs.iter().map(|run| &run.id))?;
        let has_range = |bounds: &[f64; 2]| bounds[0] < bounds[1];
        if let Some([low, high]) = self.bounds.filter(|it| !has_range(it)) {
            return Err(AnalysisError::out_of_range(
                "upper bound of the response",
                high,
                "the factor table",
                &format!("a number above the lower bound, {low}"),
            ));
        }
        for pair in self.runs.windows(2) {
            check_same(
                (&pair[0].id, &pair[0].fingerprint),
                (&pair[1].id, &pair[1].fingerprint),
                &self.may_vary,
            )?;
        }
        for run in &self.runs {
            check_len(
                &format!("levels of run `{}`", run.id),
                self.factors.len(),
                run.levels.len(),
            )?;
            check_len(
                &format!("streams of run `{}`", run.id),
                self.streams.len(),
                run.streams.len(),
            )?;
            for (factor, level) in self.factors.iter().zip(&run.levels) {
                if !factor.scale.holds(*level) {
                    let expected = format!("a level of its scale, {:?}", factor.scale);
                    let what = format!("level of `{}`", factor.name);
                    return Err(AnalysisError::out_of_range(
                        &what,
                        *level,
                        &format!("run `{}`", run.id),
                        &expected,
                    ));
                }
            }
            check_finite(&format!("scores of run `{}`", run.id), &run.scores)?;
            if let Some(response) = run.response.filter(|value| !value.is_finite()) {
                return Err(AnalysisError::NotFinite {
                    what: self.response.clone(),
                    value: response.to_string(),
                    position: format!("run `{}` (leave it out of a run that failed)", run.id),
                });
            }
        }
        Ok(())
    }

    /// Runs that agree in every factor, in order of first appearance: one list of indices for each point.
    #[must_use]
    pub fn points(&self) -> Vec<Vec<usize>> {
        let mut points: Vec<Vec<usize>> = Vec::new();
        for (at, run) in self.runs.iter().enumerate() {
            let same = |point: &&mut Vec<usize>| {
                let first = &self.runs[point[0]].levels;
                first
                    .iter()
                    .zip(&run.levels)
                    .all(|(a, b)| (a - b).abs() <= 1e-12 * a.abs())
            };
            match points.iter_mut().find(same) {
                Some(point) => point.push(at),
                None => points.push(vec![at]),
            }
        }
        points
    }

    /// Coordinates of a run, see [`Scale::to_unit`].
    pub(crate) fn coordinates(&self, run: usize) -> Vec<f64> {
        self.factors
            .iter()
            .zip(&self.runs[run].levels)
            .map(|(factor, level)| factor.scale.to_unit(*level))
            .collect()
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<(), AnalysisError> {
    let mut names: Vec<&String> = names.collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(AnalysisError::OutOfRange {
            what: format!("name of a {what}"),
            value: format!("`{}` twice", pair[0]),
            position: "the factor table".to_owned(),
            expected: "each name once".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_and_levels_are_inverse() {
        let scale = Scale::Logarithmic {
            low: 0.01,
            high: 1.0,
        };
        assert!((scale.to_unit(0.1) - 0.5).abs() < 1e-12);
        assert!((scale.from_unit(0.5) - 0.1).abs() < 1e-12);
        assert_eq!(scale.label(0.400_000_001), "0.4");
        let seeds = Scale::Categories(["0", "1", "2"].map(str::to_owned).to_vec());
        let drawn: Vec<f64> = [0.0, 0.3, 0.34, 0.99, 1.0]
            .iter()
            .map(|u| seeds.from_unit(*u))
            .collect();
        assert_eq!(drawn, [0.0, 0.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn bad_tables_are_named() {
        let mut table = FactorTable {
            response: "accuracy".into(),
            factors: vec![Factor {
                name: "lr".into(),
                scale: Scale::Logarithmic {
                    low: 0.1,
                    high: 1.0,
                },
            }],
            streams: vec!["seed".into()],
            runs: vec![FactorRun {
                id: "r0".into(),
                levels: vec![2.0],
                streams: vec!["0".into()],
                response: Some(0.5),
                failed: false,
                scores: Vec::new(),
                fingerprint: Fingerprint::new(),
            }],
            queries: None,
            bounds: None,
            may_vary: vec!["seed".into()],
        };
        assert!(
            table
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("level of `lr` is 2 at run `r0`; expected")
        );
        table.runs[0].levels = vec![0.2];
        table.check().unwrap();
        table.runs.push(table.runs[0].clone());
        assert!(
            table
                .check()
                .unwrap_err()
                .to_string()
                .contains("`r0` twice")
        );
        assert_eq!(table.points(), [[0, 1]]);
        table.runs[1].id = "r1".into();
        let made = |run: &mut FactorRun, data: &str, seed: &str| {
            run.fingerprint.insert("data".into(), data.into());
            run.fingerprint.insert("seed.task".into(), seed.into());
        };
        made(&mut table.runs[0], "a", "0");
        made(&mut table.runs[1], "a", "1");
        table.check().unwrap();
        made(&mut table.runs[1], "b", "1");
        let message = table.check().unwrap_err().to_string();
        assert!(
            message.starts_with("runs `r0` and `r1` differ in `data` (a against b)"),
            "{message}"
        );
    }
}
