//! Regression trees on numbers and categories, and what can be computed exactly from their leaves.
//!
//! Grown here because the kept forest crates (smartcore, linfa) hide the splits of a regression tree and know no
//! categories, and the functional analysis of variance needs both: it integrates over the boxes of the leaves.

use rand_chacha::ChaCha8Rng;

use crate::random::index;
pub use crate::record::factors::MOST_CATEGORIES;

/// What a feature can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// A number from 0 to 1, every number equally likely.
    Unit,
    /// A category `0 .. n`, every category equally likely.
    Categories(usize),
}

/// How a branch decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// Left if the number is at most this.
    AtMost(f64),
    /// Left if the bit of the category is set.
    Among(u64),
}

/// A node of a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// A box on which the tree is constant.
    Leaf(f64),
    /// Two boxes.
    Branch {
        /// The feature that decides.
        feature: usize,
        /// How.
        split: Split,
        /// Node on the left, a later one.
        left: usize,
        /// Node on the right, a later one.
        right: usize,
    },
}

/// A tree; the first node is its root, and children come after their parents.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// How trees are grown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// Fewest rows in a leaf.
    pub(super) min_leaf: usize,
    /// Features that each branch looks at; the others only if none of those can split.
    pub(super) n_tried: usize,
}

impl Tree {
    /// The tree's value at a point.
    #[must_use]
    pub fn predict(&self, x: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Branch {
                    feature,
                    split,
                    left,
                    right,
                } => {
                    at = if goes_left(split, x[feature]) {
                        left
                    } else {
                        right
                    };
                }
            }
        }
    }

    /// A regression tree by least squares (Breiman et al. 1984) on the rows listed in `rows` (repeats count).
    /// Categories are ordered by their mean response, which holds the best of all divisions in two; a category that
    /// the node has not seen goes with the larger part.
    pub(super) fn grow(
        x: &[Vec<f64>],
        y: &[f64],
        domains: &[Domain],
        rows: Vec<usize>,
        growth: Growth,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let mut nodes = vec![Node::Leaf(0.0)];
        let mut open = vec![(0, rows)];
        while let Some((at, rows)) = open.pop() {
            let center = rows.iter().map(|&row| y[row]).sum::<f64>() / rows.len() as f64;
            nodes[at] = Node::Leaf(center);
            let Some((feature, split)) = best_split(x, y, domains, &rows, growth, rng) else {
                continue;
            };
            let (left_rows, right_rows): (Vec<usize>, Vec<usize>) = rows
                .into_iter()
                .partition(|&row| goes_left(split, x[row][feature]));
            let left = nodes.len();
            nodes.push(Node::Leaf(0.0));
            nodes.push(Node::Leaf(0.0));
            nodes[at] = Node::Branch {
                feature,
                split,
                left,
                right: left + 1,
            };
            open.push((left, left_rows));
            open.push((left + 1, right_rows));
        }
        Self { nodes }
    }
}

fn goes_left(split: Split, x: f64) -> bool {
    match split {
        Split::AtMost(threshold) => x <= threshold,
        Split::Among(set) => set >> (x as u32) & 1 == 1,
    }
}

/// The split with the smallest sum of squares; `None` if none leaves `min_leaf` rows on both sides or gains anything.
fn best_split(
    x: &[Vec<f64>],
    y: &[f64],
    domains: &[Domain],
    rows: &[usize],
    growth: Growth,
    rng: &mut ChaCha8Rng,
) -> Option<(usize, Split)> {
    if rows.len() < 2 * growth.min_leaf {
        return None;
    }
    let mut order: Vec<usize> = (0..domains.len()).collect();
    for at in 0..order.len() {
        let other = at + index(rng, order.len() - at);
        order.swap(at, other);
    }
    let mut best: Option<(f64, usize, Split)> = None;
    for (tried, &feature) in order.iter().enumerate() {
        if tried >= growth.n_tried && best.is_some() {
            break;
        }
        let found = match domains[feature] {
            Domain::Unit => by_number(x, y, rows, feature, growth.min_leaf),
            Domain::Categories(n) => by_category(x, y, rows, feature, n, growth.min_leaf),
        };
        if let Some((gain, split)) = found
            && best.is_none_or(|(most, _, _)| gain > most)
        {
            best = Some((gain, feature, split));
        }
    }
    best.map(|(_, feature, split)| (feature, split))
}

/// Best division of values in the given order: gain (decrease of the sum of squares) and how many come first. A division
/// counts only where `may_cut(first)` holds.
fn best_cut(
    values: &[f64],
    min_leaf: usize,
    may_cut: impl Fn(usize) -> bool,
) -> Option<(f64, usize)> {
    let n = values.len();
    let center = values.iter().sum::<f64>() / n as f64;
    let scatter: f64 = values.iter().map(|v| (v - center) * (v - center)).sum();
    let mut before = 0.0;
    let mut best: Option<(f64, usize)> = None;
    for first in 1..n {
        before += values[first - 1] - center;
        if first < min_leaf || n - first < min_leaf || !may_cut(first) {
            continue;
        }
        // Sums of both sides about the common mean cancel, so the gain is s^2 (1/n_left + 1/n_right).
        let gain = before * before * (1.0 / first as f64 + 1.0 / (n - first) as f64);
        if gain > best.map_or(1e-12 * scatter, |(most, _)| most) {
            best = Some((gain, first));
        }
    }
    best
}

fn by_number(
    x: &[Vec<f64>],
    y: &[f64],
    rows: &[usize],
    feature: usize,
    min_leaf: usize,
) -> Option<(f64, Split)> {
    let mut rows = rows.to_vec();
    rows.sort_by(|&a, &b| x[a][feature].total_cmp(&x[b][feature]));
    let values: Vec<f64> = rows.iter().map(|&row| y[row]).collect();
    let at = |position: usize| x[rows[position]][feature];
    let (gain, first) = best_cut(&values, min_leaf, |first| at(first - 1) < at(first))?;
    Some((gain, Split::AtMost(0.5 * (at(first - 1) + at(first)))))
}

fn by_category(
    x: &[Vec<f64>],
    y: &[f64],
    rows: &[usize],
    feature: usize,
    n: usize,
    min_leaf: usize,
) -> Option<(f64, Split)> {
    let mut sums = vec![(0.0, 0_usize); n];
    for &row in rows {
        let (sum, count) = &mut sums[x[row][feature] as usize];
        *sum += y[row];
        *count += 1;
    }
    let mean_of = |category: usize| sums[category].0 / sums[category].1 as f64;
    let mut seen: Vec<usize> = (0..n).filter(|&category| sums[category].1 > 0).collect();
    seen.sort_by(|&a, &b| mean_of(a).total_cmp(&mean_of(b)).then(a.cmp(&b)));
    let mut rank = vec![0; n];
    for (at, &category) in seen.iter().enumerate() {
        rank[category] = at;
    }
    let mut rows = rows.to_vec();
    rows.sort_by_key(|&row| rank[x[row][feature] as usize]);
    let values: Vec<f64> = rows.iter().map(|&row| y[row]).collect();
    let category = |position: usize| x[rows[position]][feature] as usize;
    let (gain, first) = best_cut(&values, min_leaf, |first| {
        category(first - 1) != category(first)
    })?;
    let last_left = rank[category(first)];
    let mut set = seen[..last_left]
        .iter()
        .fold(0_u64, |set, &category| set | 1 << category);
    if 2 * first > rows.len() {
        for unseen in (0..n).filter(|&category| sums[category].1 == 0) {
            set |= 1 << unseen;
        }
    }
    Some((gain, Split::Among(set)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    #[test]
    fn a_tree_finds_a_step_and_a_set_of_categories() {
        let x: Vec<Vec<f64>> = (0..60)
            .map(|i| vec![f64::from(i) / 60.0, f64::from(i % 3)])
            .collect();
        let y: Vec<f64> = x
            .iter()
            .map(|x| {
                f64::from(u8::from(x[0] > 0.5)) * 4.0
                    + if x[1] > 0.5 && x[1] < 1.5 { 1.0 } else { 0.0 }
            })
            .collect();
        let growth = Growth {
            min_leaf: 1,
            n_tried: 2,
        };
        let domains = [Domain::Unit, Domain::Categories(3)];
        let tree = Tree::grow(
            &x,
            &y,
            &domains,
            (0..60).collect(),
            growth,
            &mut generator(0, "tree", 0),
        );
        for (x, y) in x.iter().zip(&y) {
            assert!((tree.predict(x) - y).abs() < 1e-12);
        }
        let leaves = tree
            .nodes
            .iter()
            .filter(|node| matches!(node, Node::Leaf(_)))
            .count();
        assert_eq!(leaves, 4, "no split without gain");
    }
}
