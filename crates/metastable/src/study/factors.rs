//! `[factors]` and `[design]`: which settings are varied on purpose, over which levels, and at which points.

use anyhow::{Result, anyhow, bail};
use metastable_analysis::factors::latin::latin_hypercube;
use metastable_analysis::factors::sobol::quasi_random;
use metastable_analysis::factors::table::Scale;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::section::{join, json, require, suggestion, unknown};
use super::tree::{Entry, Item, Origin};

/// Keys of a factor's table.
const KEYS: [&str; 5] = ["values", "low", "high", "scale", "levels"];

/// Tables whose settings say what is run, not how it is computed.
const VARIABLE: [&str; 8] = [
    "data",
    "glyphs",
    "episode",
    "validation",
    "test",
    "network",
    "learner",
    "learners",
];

/// One setting that is varied.
#[derive(Clone, Debug)]
pub(crate) struct Factor {
    /// Of the setting, e.g. `learner.inner_lr`.
    pub(crate) path: String,
    /// Where the factor was declared.
    pub(crate) origin: Origin,
    /// What the analysis measures importances on.
    pub(crate) scale: Scale,
    levels: Levels,
}

/// Which values it takes.
#[derive(Clone, Debug)]
enum Levels {
    /// Those that are written out.
    List(Vec<Item>),
    /// Every number of the scale, or every whole one; a grid takes `count` of them.
    Range { whole: bool, count: Option<usize> },
}

/// One factor at one point.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// As the setting takes it.
    pub(crate) item: Item,
    /// As records keep it.
    pub(crate) value: Value,
}

/// `[design]`: at which points of the factors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DesignSettings {
    /// `grid` (every combination), `latin-hypercube` or `sobol`.
    pub(crate) method: String,
    /// Points (not of a grid, which has as many as there are combinations).
    pub(crate) points: usize,
    /// Seed of the points.
    pub(crate) seed: u64,
    /// `fresh`: each point trains with seeds of its own, so that runs of different points are independent. `shared`: the same seeds
    /// at every point, for contrasts of means.
    pub(crate) seeds: SeedPlan,
}

/// Whether points share seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SeedPlan {
    /// Seeds of its own at each point.
    #[default]
    Fresh,
    /// The same seeds at every point.
    Shared,
}

impl Default for DesignSettings {
    fn default() -> Self {
        Self {
            method: String::from("grid"),
            points: 64,
            seed: 0,
            seeds: SeedPlan::Fresh,
        }
    }
}

impl DesignSettings {
    pub(crate) fn check(&self) -> Result<()> {
        let methods = ["grid", "latin-hypercube", "sobol"];
        require(
            methods.contains(&self.method.as_str()),
            "method",
            &self.method,
            &suggestion(&self.method, &methods),
        )?;
        require(
            (2..=65_536).contains(&self.points),
            "points",
            self.points,
            "has to be 2 to 65,536; a power of two fills the space most evenly with sobol",
        )
    }

    /// How many points there are, without making them.
    pub(crate) fn n_points(&self, factors: &[Factor]) -> Result<u128> {
        if self.method != "grid" {
            return Ok(self.points as u128);
        }
        factors.iter().try_fold(1_u128, |product, factor| {
            Ok(product.saturating_mul(factor.grid()?.len() as u128))
        })
    }

    /// The points: for each the level of every factor.
    pub(crate) fn points(&self, factors: &[Factor]) -> Result<Vec<Vec<Level>>> {
        if self.method == "grid" {
            let axes: Vec<Vec<Level>> = factors.iter().map(Factor::grid).collect::<Result<_>>()?;
            return Ok(product(&axes));
        }
        let units = if self.method == "sobol" {
            quasi_random(self.points, factors.len(), self.seed)?
        } else {
            latin_hypercube(self.points, factors.len(), self.seed)
        };
        units
            .iter()
            .map(|unit| factors.iter().zip(unit).map(|(f, u)| f.at(*u)).collect())
            .collect()
    }
}

/// Every combination of one element of each axis, the last axis fastest.
pub(crate) fn product<T: Clone>(axes: &[Vec<T>]) -> Vec<Vec<T>> {
    axes.iter().fold(vec![Vec::new()], |points, axis| {
        let with =
            |point: &Vec<T>, level: &T| [point.as_slice(), std::slice::from_ref(level)].concat();
        points
            .iter()
            .flat_map(|point| axis.iter().map(move |level| with(point, level)))
            .collect()
    })
}

/// Reads `[factors]`: paths of settings, written with dots or as tables. In the order of the paths, so that the points of
/// a design do not depend on how the file is arranged.
pub(crate) fn read(entries: &[Entry]) -> Result<Vec<Factor>> {
    let mut factors = Vec::new();
    collect(entries, "", &mut factors)?;
    factors.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(factors)
}

fn collect(entries: &[Entry], path: &str, factors: &mut Vec<Factor>) -> Result<()> {
    for entry in entries {
        let full = join(path, &entry.key);
        let root = full.split('.').next().unwrap_or_default();
        if !VARIABLE.contains(&root) {
            bail!(
                "{}: factors.{full}: the path of a factor starts with a table whose settings change results; {}",
                entry.origin,
                suggestion(root, &VARIABLE)
            );
        }
        match &entry.item {
            Item::Array(items) => factors.push(Factor::list(&full, &entry.origin, items, None)?),
            Item::Table(inner) if inner.iter().any(|it| KEYS.contains(&it.key.as_str())) => {
                factors.push(Factor::table(&full, entry, inner)?);
            }
            Item::Table(inner) if !inner.is_empty() => collect(inner, &full, factors)?,
            item => bail!(
                "{}: factors.{full} = {item}: has to be a list of values, or a table with low and high",
                entry.origin
            ),
        }
    }
    Ok(())
}

impl Factor {
    fn list(path: &str, origin: &Origin, items: &[Item], log: Option<bool>) -> Result<Self> {
        let refuse = |why: &str| anyhow!("{origin}: factors.{path}: {why}");
        if items.len() < 2 {
            return Err(refuse("a factor needs two values at the least"));
        }
        let values: Vec<Value> = items
            .iter()
            .map(|item| json(item).map_err(|error| refuse(&format!("{item}: {error}"))))
            .collect::<Result<_>>()?;
        if let Some(at) = (1..values.len()).find(|at| values[..*at].contains(&values[*at])) {
            return Err(refuse(&format!("{} is there twice", items[at])));
        }
        let numbers: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
        let scale = match numbers {
            Some(numbers) => {
                let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
                let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                scale(low, high, log.unwrap_or(false)).map_err(|why| refuse(&why))?
            }
            None if log == Some(true) => {
                return Err(refuse("scale = \"log\" is for numbers"));
            }
            None => Scale::Categories(values.iter().map(text).collect()),
        };
        Ok(Self {
            path: path.to_owned(),
            origin: origin.clone(),
            scale,
            levels: Levels::List(items.to_vec()),
        })
    }

    fn table(path: &str, entry: &Entry, inner: &[Entry]) -> Result<Self> {
        let full = join("factors", path);
        if let Some(stray) = inner.iter().find(|it| !KEYS.contains(&it.key.as_str())) {
            return Err(unknown(stray, &full, &KEYS));
        }
        let get = |key: &str| inner.iter().find(|it| it.key == key);
        let log = match get("scale").map(|it| (it, &it.item)) {
            None => None,
            Some((_, Item::Text(text))) if text == "linear" => Some(false),
            Some((_, Item::Text(text))) if text == "log" => Some(true),
            Some((it, item)) => {
                let word = item.to_string();
                bail!(
                    "{}: {full}.scale = {item}: {}",
                    it.origin,
                    suggestion(word.trim_matches('"'), &["linear", "log"])
                )
            }
        };
        if let Some(values) = get("values") {
            if let Some(stray) = ["low", "high", "levels"].iter().find_map(|key| get(key)) {
                bail!(
                    "{}: {full}.{}: a factor has either values, or low and high",
                    stray.origin,
                    stray.key
                );
            }
            let Item::Array(items) = &values.item else {
                bail!(
                    "{}: {full}.values = {}: has to be a list",
                    values.origin,
                    values.item
                );
            };
            return Self::list(path, &values.origin, items, log);
        }
        let bound = |key: &str| match get(key).map(|it| (it, &it.item)) {
            #[allow(clippy::cast_precision_loss, reason = "settings are far below 2^52")]
            Some((_, Item::Integer(value))) => Ok((*value as f64, true)),
            Some((_, Item::Float(value))) if value.is_finite() => Ok((*value, false)),
            Some((it, item)) => bail!(
                "{}: {full}.{key} = {item}: has to be a finite number",
                it.origin
            ),
            None => bail!(
                "{}: {full}: {key} is missing; a factor has low and high, or values",
                entry.origin
            ),
        };
        let ((low, low_is_whole), (high, high_is_whole)) = (bound("low")?, bound("high")?);
        let place = get("high").map_or(&entry.origin, |it| &it.origin);
        let scale = scale(low, high, log.unwrap_or(false))
            .map_err(|why| anyhow!("{place}: {full}: {why}"))?;
        let count = match get("levels").map(|it| (it, &it.item)) {
            None => None,
            Some((_, Item::Integer(count @ 2..=10_000))) => Some(usize::try_from(*count)?),
            Some((it, item)) => bail!(
                "{}: {full}.levels = {item}: has to be 2 to 10,000",
                it.origin
            ),
        };
        Ok(Self {
            path: path.to_owned(),
            origin: entry.origin.clone(),
            scale,
            levels: Levels::Range {
                whole: low_is_whole && high_is_whole,
                count,
            },
        })
    }

    /// The level at a coordinate from 0 to 1.
    fn at(&self, unit: f64) -> Result<Level> {
        match &self.levels {
            Levels::List(items) => {
                let names = items.iter().map(ToString::to_string).collect();
                let index = Scale::Categories(names).from_unit(unit);
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "an index of the list"
                )]
                Level::of(&items[index as usize])
            }
            Levels::Range { whole, .. } => Level::of(&self.number(unit, *whole)),
        }
    }

    fn number(&self, unit: f64, whole: bool) -> Item {
        let number = self.scale.from_unit(unit);
        let number = match self.scale {
            // Rounding may lead a hair outside.
            Scale::Linear { low, high } | Scale::Logarithmic { low, high } => {
                number.clamp(low, high)
            }
            Scale::Categories(_) => number,
        };
        #[allow(
            clippy::cast_possible_truncation,
            reason = "between two bounds that were whole numbers"
        )]
        if whole {
            Item::Integer(number.round() as i64)
        } else {
            Item::Float(number)
        }
    }

    /// The levels of a grid.
    fn grid(&self) -> Result<Vec<Level>> {
        match &self.levels {
            Levels::List(items) => items.iter().map(Level::of).collect(),
            Levels::Range { count: None, .. } => bail!(
                "{}: factors.{}: a grid needs the number of levels between low and high: set levels = 5, or give values, or set design.method = \"sobol\"",
                self.origin,
                self.path
            ),
            Levels::Range {
                whole,
                count: Some(count),
            } => {
                let mut levels: Vec<Level> = Vec::new();
                for index in 0..*count {
                    #[allow(clippy::cast_precision_loss, reason = "at most 10,000")]
                    let unit = index as f64 / (count - 1) as f64;
                    let level = Level::of(&self.number(unit, *whole))?;
                    // Few whole numbers lie between narrow bounds.
                    if levels.last().is_none_or(|last| last.value != level.value) {
                        levels.push(level);
                    }
                }
                Ok(levels)
            }
        }
    }
}

impl Level {
    fn of(item: &Item) -> Result<Self> {
        Ok(Self {
            item: item.clone(),
            value: json(item)?,
        })
    }
}

fn scale(low: f64, high: f64, log: bool) -> std::result::Result<Scale, String> {
    if low >= high {
        return Err(format!(
            "the range is empty: low = {low} has to be below high = {high}"
        ));
    }
    match log {
        true if low <= 0.0 => Err(format!(
            "low = {low}: a logarithmic scale has no place for it; it has to be above 0"
        )),
        true => Ok(Scale::Logarithmic { low, high }),
        false => Ok(Scale::Linear { low, high }),
    }
}

/// How a category is called.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The level as a table of factors has it: the number, or the index of the category.
pub(crate) fn number(scale: &Scale, value: &Value) -> Option<f64> {
    match scale {
        Scale::Categories(names) => {
            let name = text(value);
            #[allow(clippy::cast_precision_loss, reason = "a handful")]
            names
                .iter()
                .position(|known| *known == name)
                .map(|at| at as f64)
        }
        _ => value.as_f64(),
    }
}
