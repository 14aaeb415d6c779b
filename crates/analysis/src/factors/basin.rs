//! B5: how far a setting may be moved before the result falls: the width of its basin.

use serde::{Deserialize, Serialize};

use super::table::Scale;
/// Points at which the marginal of a number is looked at.
pub(super) const GRID: usize = 129;

/// The levels of one factor at which the marginal mean of the response stays near its best.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basin {
    /// The best level (the middle of the best stretch, for a number).
    pub best: String,
    /// First level of the basin; the basin may go on beyond the space if this is its end.
    pub low: String,
    /// Last level.
    pub high: String,
    /// Its width: decades for a logarithmic scale, units for a linear one, a number of categories.
    pub width: f64,
    /// The unit of the width.
    pub unit: String,
    /// The width as a share of the space, 0 to 1: near 1 means that the setting hardly matters.
    pub share: f64,
}

/// Where to look at the marginal of each factor.
pub(super) fn grid(scale: &Scale) -> Vec<f64> {
    match scale {
        Scale::Linear { .. } | Scale::Logarithmic { .. } => {
            (0..GRID).map(|at| at as f64 / (GRID - 1) as f64).collect()
        }
        Scale::Categories(names) => (0..names.len()).map(|at| at as f64).collect(),
    }
}

/// Positions of the grid that belong to the basin: the unbroken stretch around the best value within `margin` of it; for
/// categories, all within `margin`.
pub(super) fn positions(scale: &Scale, marginal: &[f64], margin: f64) -> Vec<usize> {
    let best = best(marginal);
    let near = |at: &usize| marginal[*at] >= marginal[best] - margin;
    if let Scale::Categories(_) = scale {
        return (0..marginal.len()).filter(near).collect();
    }
    let below = (0..=best).rev().take_while(near).last().unwrap_or(best);
    let above = (best..marginal.len())
        .take_while(near)
        .last()
        .unwrap_or(best);
    (below..=above).collect()
}

fn best(marginal: &[f64]) -> usize {
    (0..marginal.len()).fold(0, |best, at| {
        if marginal[at] > marginal[best] {
            at
        } else {
            best
        }
    })
}

/// Share of the space that the basin takes.
pub(super) fn share(scale: &Scale, marginal: &[f64], margin: f64) -> f64 {
    let n = positions(scale, marginal, margin).len();
    match scale {
        Scale::Categories(names) => n as f64 / names.len() as f64,
        _ => (n - 1) as f64 / (GRID - 1) as f64,
    }
}

/// The basin, from its share of the space. It has no interval: a forest shrinks what a factor does, and refitted forests do not tell by
/// how much.
pub(super) fn basin(scale: &Scale, marginal: &[f64], margin: f64, share: f64) -> Basin {
    let positions = positions(scale, marginal, margin);
    let (first, last) = (positions[0], positions[positions.len() - 1]);
    let level = |at: usize| match scale {
        Scale::Categories(_) => at as f64,
        _ => scale.from_unit(at as f64 / (GRID - 1) as f64),
    };
    let (extent, unit) = match scale {
        Scale::Linear { low, high } => (high - low, "units"),
        Scale::Logarithmic { low, high } => ((high / low).log10(), "decades"),
        Scale::Categories(names) => (names.len() as f64, "categories"),
    };
    // A forest is constant in steps: of the best step, its middle.
    let top = best(marginal);
    let level_set = (top..marginal.len())
        .take_while(|&at| marginal[at] >= marginal[top])
        .last()
        .unwrap_or(top);
    let middle = if let Scale::Categories(_) = scale {
        top
    } else {
        (top + level_set) / 2
    };
    Basin {
        best: scale.label(level(middle)),
        low: scale.label(level(first)),
        high: scale.label(level(last)),
        width: share * extent,
        unit: unit.to_owned(),
        share,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `f = 1 - |u - 1/2|`: within 0.1 of the best from 0.4 to 0.6, so a fifth of the space.
    #[test]
    fn basin_of_a_tent() {
        let scale = Scale::Logarithmic {
            low: 0.01,
            high: 1.0,
        };
        let marginal: Vec<f64> = grid(&scale).iter().map(|u| 1.0 - (u - 0.5).abs()).collect();
        let share = share(&scale, &marginal, 0.1);
        assert!((share - 0.2).abs() < 2.0 / 128.0, "{share}");
        let found = basin(&scale, &marginal, 0.1, share);
        assert_eq!(
            (found.best.as_str(), found.unit.as_str()),
            ("0.1", "decades")
        );
        assert!((found.width - 0.4).abs() < 0.04, "{found:?}");
    }

    #[test]
    fn only_the_stretch_around_the_best_counts() {
        let scale = Scale::Linear {
            low: 0.0,
            high: 1.0,
        };
        let mut marginal = vec![0.0; GRID];
        marginal[10] = 1.0;
        marginal[11] = 0.995;
        marginal[100] = 0.999;
        assert_eq!(positions(&scale, &marginal, 0.01), [10, 11]);
        let names = Scale::Categories(["a", "b", "c"].map(str::to_owned).to_vec());
        assert_eq!(positions(&names, &[0.9, 0.5, 0.895], 0.01), [0, 2]);
    }
}
