//! B3: functional analysis of variance of a response over hyper-parameters.

use serde::{Deserialize, Serialize};

use super::forest::{Forest, ForestSettings, refits};
use super::tree::{Domain, Node, Split, Tree};
use crate::distribution::normal_quantile;
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::summary::standard_deviation;

/// Out-of-bag R squared under which no importance is given.
pub const LEAST_R_SQUARED: f64 = 0.5;

/// Shares of a response's variance over the whole space of its factors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anova {
    /// Points that the forest was grown on.
    pub n_points: usize,
    /// Out-of-bag R squared of the forest.
    pub r_squared: f64,
    /// `F_i = V_i / V` of each factor alone, in order.
    pub singles: Vec<Estimate>,
    /// `F_ij = V_ij / V` of each pair: what both do together beyond what each does alone.
    pub pairs: Vec<PairShare>,
    /// `1 - sum F_i - sum F_ij`: three factors and more together.
    pub higher: f64,
}

/// The interaction of two factors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairShare {
    /// Index of one factor.
    pub a: usize,
    /// Index of the other, larger.
    pub b: usize,
    /// Its share.
    pub share: Estimate,
}

/// Variance of one tree over its domains, divided among factors.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeAnova {
    /// `V`.
    pub total: f64,
    /// `V_i`.
    pub singles: Vec<f64>,
    /// `V_ij` for `(0, 1), (0, 2), ..., (1, 2), ...`.
    pub pairs: Vec<f64>,
}

/// Functional analysis of variance of a response, by a random forest.
///
/// `f(x) = sum_U f_U(x_U)`, `V = sum_(U not empty) V_U`, with every feature independent and uniform on its domain. The
/// marginals of each tree are integrated exactly over the boxes of its leaves; importances are means over trees of
/// `V_U / V` (trees without variance are left out). Intervals are `F +- z s`, cut to 0..1, with `s` the standard
/// deviation of `F` over `n_refits` forests grown on resamples of the points. (Percentiles of those are not used:
/// a resample holds 63 % of the points, and its importances are biased by that.)
///
/// A forest follows a factor that acts in several bumps less well than one that acts in a slope, and understates it; pairs
/// and `higher` then hold the rest.
///
/// # Shapes
/// `x[point][feature]`, one `y` a point; see [`Forest::fit`].
/// # Errors
/// [`AnalysisError::Unexplained`] if the out-of-bag R squared is under [`LEAST_R_SQUARED`]: importances would divide up
/// noise; those of [`Forest::fit`].
/// # Source
/// Hutter, Hoos and Leyton-Brown 2014.
pub fn anova(
    what: &str,
    x: &[Vec<f64>],
    y: &[f64],
    domains: &[Domain],
    settings: ForestSettings,
    n_refits: usize,
    level: f64,
) -> Result<(Anova, Forest), AnalysisError> {
    let (forest, found) = decompose(what, x, y, domains, settings, n_refits, shares)?;
    let estimates = found.estimates(level);
    let p = domains.len();
    let pairs = (0..p).flat_map(|a| (a + 1..p).map(move |b| (a, b)));
    let anova = Anova {
        n_points: x.len(),
        r_squared: forest.r_squared,
        singles: estimates[..p].to_vec(),
        pairs: pairs
            .zip(&estimates[p..])
            .map(|((a, b), share)| PairShare {
                a,
                b,
                share: share.clone(),
            })
            .collect(),
        higher: (1.0 - found.own.iter().sum::<f64>()).max(0.0),
    };
    Ok((anova, forest))
}

/// Figures of a forest, and the same of forests on resampled points.
pub(super) struct Refitted {
    pub(super) own: Vec<f64>,
    pub(super) again: Vec<Vec<f64>>,
}

impl Refitted {
    /// Each figure with its interval, cut to 0..1: for shares.
    pub(super) fn estimates(&self, level: f64) -> Vec<Estimate> {
        self.within(level, 0.0, 1.0)
    }

    /// Each figure with its interval, cut to `low..high`.
    pub(super) fn within(&self, level: f64, low: f64, high: f64) -> Vec<Estimate> {
        let z = normal_quantile((1.0 + level) / 2.0);
        let estimate = |(at, own): (usize, &f64)| {
            let scatter: Vec<f64> = self.again.iter().map(|row| row[at]).collect();
            let half = z * standard_deviation(&scatter);
            let own = own.clamp(low, high);
            let interval = Interval {
                lower: (own - half).max(low),
                upper: (own + half).min(high),
                level,
                method: format!("normal, {} forests on resampled points", self.again.len()),
            };
            Estimate::new(own, interval)
        };
        self.own.iter().enumerate().map(estimate).collect()
    }
}

/// Grows a forest, refuses it if it explains too little, and takes `figures` of it and of its refits.
pub(super) fn decompose(
    what: &str,
    x: &[Vec<f64>],
    y: &[f64],
    domains: &[Domain],
    settings: ForestSettings,
    n_refits: usize,
    figures: impl Fn(&Forest) -> Vec<f64> + Sync,
) -> Result<(Forest, Refitted), AnalysisError> {
    let forest = Forest::fit(x, y, domains, settings)?;
    // Written so that NaN is refused as well.
    let enough = forest.r_squared >= LEAST_R_SQUARED;
    if !enough {
        return Err(AnalysisError::Unexplained {
            what: what.to_owned(),
            r_squared: forest.r_squared,
            needed: LEAST_R_SQUARED,
        });
    }
    let own = figures(&forest);
    let again = refits(x, y, domains, settings, n_refits, &figures);
    Ok((forest, Refitted { own, again }))
}

/// Mean over trees of `V_U / V`: singles, then pairs. All 0 if no tree has any variance.
#[must_use]
pub fn shares(forest: &Forest) -> Vec<f64> {
    let p = forest.domains.len();
    let mut sums = vec![0.0; p + p * (p - 1) / 2];
    let mut n = 0;
    for tree in &forest.trees {
        let parts = tree_anova(tree, &forest.domains);
        if parts.total > 0.0 {
            n += 1;
            for (sum, part) in sums
                .iter_mut()
                .zip(parts.singles.iter().chain(&parts.pairs))
            {
                *sum += part / parts.total;
            }
        }
    }
    sums.iter().map(|sum| sum / f64::from(n.max(1))).collect()
}

/// Marginals under the forest, the mean over all other factors: for each factor its values at `at[factor]`.
#[must_use]
pub fn marginals(forest: &Forest, at: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut sums: Vec<Vec<f64>> = at.iter().map(|points| vec![0.0; points.len()]).collect();
    for tree in &forest.trees {
        let boxes = Boxes::of(tree, &forest.domains);
        for (factor, (sums, points)) in sums.iter_mut().zip(at).enumerate() {
            let values = boxes.single(factor);
            for (sum, x) in sums.iter_mut().zip(points) {
                *sum += values[boxes.piece(factor, *x)] / forest.trees.len() as f64;
            }
        }
    }
    sums
}

/// The exact decomposition of a tree, up to pairs.
#[must_use]
pub fn tree_anova(tree: &Tree, domains: &[Domain]) -> TreeAnova {
    let boxes = Boxes::of(tree, domains);
    let center: f64 = boxes
        .leaves
        .iter()
        .map(|leaf| leaf.value * leaf.volume())
        .sum();
    let total = boxes
        .leaves
        .iter()
        .map(|leaf| leaf.volume() * (leaf.value - center) * (leaf.value - center))
        .sum();
    let curves: Vec<Vec<f64>> = (0..domains.len())
        .map(|factor| boxes.single(factor))
        .collect();
    let singles = curves
        .iter()
        .zip(&boxes.sizes)
        .map(|(curve, sizes)| {
            curve
                .iter()
                .zip(sizes)
                .map(|(f, size)| size * (f - center) * (f - center))
                .sum()
        })
        .collect();
    let mut pairs = Vec::new();
    for a in 0..domains.len() {
        for b in a + 1..domains.len() {
            let table = boxes.pair(a, b);
            let n_b = boxes.sizes[b].len();
            let part = |at: usize, f: &f64| {
                let (i, j) = (at / n_b, at % n_b);
                let rest = f - curves[a][i] - curves[b][j] + center;
                boxes.sizes[a][i] * boxes.sizes[b][j] * rest * rest
            };
            pairs.push(table.iter().enumerate().map(|(at, f)| part(at, f)).sum());
        }
    }
    TreeAnova {
        total,
        singles,
        pairs,
    }
}

/// A tree as boxes on a grid: each feature is cut into the pieces between the tree's own thresholds (or categories).
struct Boxes {
    /// Thresholds of each feature, ascending; empty for categories.
    cuts: Vec<Vec<f64>>,
    /// Sizes of the pieces of each feature, adding up to 1.
    sizes: Vec<Vec<f64>>,
    leaves: Vec<LeafBox>,
}

struct LeafBox {
    value: f64,
    /// Pieces of each feature that the leaf spans.
    pieces: Vec<Vec<usize>>,
    /// Their joint size, feature by feature.
    lengths: Vec<f64>,
}

impl LeafBox {
    fn volume(&self) -> f64 {
        self.lengths.iter().product()
    }

    /// Value times the size of the box in all features but those.
    fn weight(&self, without: &[usize]) -> f64 {
        let others = self
            .lengths
            .iter()
            .enumerate()
            .filter(|(feature, _)| !without.contains(feature));
        self.value * others.map(|(_, length)| length).product::<f64>()
    }
}

impl Boxes {
    fn of(tree: &Tree, domains: &[Domain]) -> Self {
        let mut cuts: Vec<Vec<f64>> = vec![Vec::new(); domains.len()];
        for node in &tree.nodes {
            if let Node::Branch {
                feature,
                split: Split::AtMost(threshold),
                ..
            } = node
            {
                cuts[*feature].push(*threshold);
            }
        }
        let mut sizes = Vec::new();
        for (cuts, domain) in cuts.iter_mut().zip(domains) {
            cuts.sort_by(f64::total_cmp);
            cuts.dedup();
            sizes.push(match domain {
                Domain::Unit => {
                    let ends: Vec<f64> = [0.0]
                        .into_iter()
                        .chain(cuts.iter().copied())
                        .chain([1.0])
                        .collect();
                    ends.windows(2).map(|ends| ends[1] - ends[0]).collect()
                }
                Domain::Categories(n) => vec![1.0 / *n as f64; *n],
            });
        }
        let mut boxes = Self {
            cuts,
            sizes,
            leaves: Vec::new(),
        };
        let whole: Vec<Vec<usize>> = boxes
            .sizes
            .iter()
            .map(|sizes| (0..sizes.len()).collect())
            .collect();
        let mut open = vec![(0, whole)];
        while let Some((at, pieces)) = open.pop() {
            match tree.nodes[at] {
                Node::Leaf(value) => {
                    let length = |(pieces, sizes): (&Vec<usize>, &Vec<f64>)| {
                        pieces.iter().map(|&at| sizes[at]).sum()
                    };
                    let lengths = pieces.iter().zip(&boxes.sizes).map(length).collect();
                    boxes.leaves.push(LeafBox {
                        value,
                        pieces,
                        lengths,
                    });
                }
                Node::Branch {
                    feature,
                    split,
                    left,
                    right,
                } => {
                    let is_left = |piece: usize| match split {
                        Split::AtMost(threshold) => boxes.cuts[feature]
                            .get(piece)
                            .is_some_and(|cut| *cut <= threshold),
                        Split::Among(set) => set >> piece & 1 == 1,
                    };
                    for (child, side) in [(right, false), (left, true)] {
                        let mut pieces = pieces.clone();
                        pieces[feature].retain(|&piece| is_left(piece) == side);
                        open.push((child, pieces));
                    }
                }
            }
        }
        boxes
    }

    /// The piece of a feature that holds a value.
    fn piece(&self, feature: usize, x: f64) -> usize {
        if self.cuts[feature].is_empty() && self.sizes[feature].len() > 1 {
            return x as usize;
        }
        self.cuts[feature].partition_point(|cut| *cut < x)
    }

    /// Marginal of a feature on its pieces.
    fn single(&self, feature: usize) -> Vec<f64> {
        let mut curve = vec![0.0; self.sizes[feature].len()];
        for leaf in &self.leaves {
            let weight = leaf.weight(&[feature]);
            for &piece in &leaf.pieces[feature] {
                curve[piece] += weight;
            }
        }
        curve
    }

    /// Marginal of two features, pieces of the second running fastest.
    fn pair(&self, a: usize, b: usize) -> Vec<f64> {
        let n_b = self.sizes[b].len();
        let mut table = vec![0.0; self.sizes[a].len() * n_b];
        for leaf in &self.leaves {
            let weight = leaf.weight(&[a, b]);
            for &i in &leaf.pieces[a] {
                for &j in &leaf.pieces[b] {
                    table[i * n_b + j] += weight;
                }
            }
        }
        table
    }
}
