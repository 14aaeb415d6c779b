//! The sides of a result that factors can move, and the mean at each point.

use serde::{Deserialize, Serialize};

use super::table::FactorTable;
use crate::summary::{mean, variance};

/// Which side of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The mean over seeds.
    Mean,
    /// The standard deviation over seeds in the unit of the score, whatever the way.
    Spread,
    /// The same beyond what goes with the mean.
    SpreadBeyondMean,
    /// The failure rate.
    Failure,
}

impl Side {
    /// Its name in a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Spread => "spread over seeds",
            Self::SpreadBeyondMean => "spread beyond the mean",
            Self::Failure => "failure rate",
        }
    }
}

/// The mean at each point.
#[derive(Clone, Debug, PartialEq)]
pub struct PointResponse {
    /// What the values are, for a caption.
    pub what: String,
    /// Coordinates of each point, see [`super::table::Scale::to_unit`].
    pub x: Vec<Vec<f64>>,
    /// Its value.
    pub y: Vec<f64>,
    /// Indices of its runs.
    pub runs: Vec<Vec<usize>>,
}

/// The mean response of each point's runs that have one, or the sentence why there is nothing to explain.
pub(super) fn mean_response(table: &FactorTable) -> Result<PointResponse, String> {
    let mut found = PointResponse {
        what: format!("mean {}", table.response),
        x: Vec::new(),
        y: Vec::new(),
        runs: Vec::new(),
    };
    for point in table.points() {
        let runs: Vec<usize> = point
            .into_iter()
            .filter(|&run| table.runs[run].response.is_some())
            .collect();
        let values: Vec<f64> = runs
            .iter()
            .filter_map(|&run| table.runs[run].response)
            .collect();
        if let Some(&first) = runs.first() {
            found.x.push(table.coordinates(first));
            found.y.push(mean(&values));
            found.runs.push(runs);
        }
    }
    if found.y.len() < 10 {
        return Err(format!(
            "only {} points have a value; at least 10 needed",
            found.y.len()
        ));
    }
    if variance(&found.y) > 0.0 {
        Ok(found)
    } else {
        Err(format!("the {} is the same at every point", found.what))
    }
}
