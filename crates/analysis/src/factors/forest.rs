//! A random forest as a surrogate of an expensive response, with an honest measure of how well it does.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::tree::{Domain, Growth, MOST_CATEGORIES, Tree};
use crate::error::{AnalysisError, check_finite, check_len};
use crate::random::{generator, index};
use crate::summary::mean;

/// How a forest is grown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForestSettings {
    /// Key of the draws.
    pub seed: u64,
    /// Trees, each on a bootstrap sample of the rows.
    pub n_trees: usize,
    /// Fewest rows in a leaf.
    pub min_leaf: usize,
    /// Share of the features that each branch looks at.
    pub feature_share: f64,
}

impl Default for ForestSettings {
    /// 64 trees of at least 3 rows a leaf, 5 of 6 features at each branch: the surrogate of the SMAC optimizer, from which
    /// the functional analysis of variance comes, with more trees.
    fn default() -> Self {
        Self {
            seed: 0,
            n_trees: 64,
            min_leaf: 3,
            feature_share: 5.0 / 6.0,
        }
    }
}

/// A random forest for regression (Breiman 2001).
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    /// The trees.
    pub trees: Vec<Tree>,
    /// What each feature can be.
    pub domains: Vec<Domain>,
    /// Out-of-bag prediction of each row: the mean of the trees that did not see it; absent if all did.
    pub out_of_bag: Vec<Option<f64>>,
    /// Out-of-bag R squared, `1 - sum (y - out of bag)^2 / sum (y - mean)^2`: at most 1, and negative if the forest
    /// predicts worse than the mean. 0 for a constant response.
    pub r_squared: f64,
}

impl Forest {
    /// Grows a forest. The same rows, settings and seed give the same bits at any number of threads.
    ///
    /// # Shapes
    /// `x[row][feature]`, in the feature's domain; one `y` a row.
    /// # Errors
    /// [`AnalysisError::TooFew`] for fewer than 10 rows; [`AnalysisError::Shape`]; [`AnalysisError::NotFinite`];
    /// [`AnalysisError::OutOfRange`] with row and feature for a value outside its domain, or a domain with more than
    /// [`MOST_CATEGORIES`] categories.
    pub fn fit(
        x: &[Vec<f64>],
        y: &[f64],
        domains: &[Domain],
        settings: ForestSettings,
    ) -> Result<Self, AnalysisError> {
        check(x, y, domains)?;
        let growth = growth(domains, settings);
        let grown: Vec<(Tree, Vec<bool>)> = (0..settings.n_trees.max(1) as u64)
            .into_par_iter()
            .map(|tree| {
                let mut rng = generator(settings.seed, "forest", tree);
                let rows = resample(x.len(), &mut rng);
                let mut seen = vec![false; x.len()];
                for &row in &rows {
                    seen[row] = true;
                }
                (Tree::grow(x, y, domains, rows, growth, &mut rng), seen)
            })
            .collect();
        let out_of_bag: Vec<Option<f64>> = x
            .iter()
            .enumerate()
            .map(|(row, x)| {
                let blind: Vec<f64> = grown
                    .iter()
                    .filter(|(_, seen)| !seen[row])
                    .map(|(tree, _)| tree.predict(x))
                    .collect();
                (!blind.is_empty()).then(|| mean(&blind))
            })
            .collect();
        Ok(Self {
            r_squared: r_squared(y, &out_of_bag),
            trees: grown.into_iter().map(|(tree, _)| tree).collect(),
            domains: domains.to_vec(),
            out_of_bag,
        })
    }

    /// The mean of the trees at a point.
    #[must_use]
    pub fn predict(&self, x: &[f64]) -> f64 {
        self.trees.iter().map(|tree| tree.predict(x)).sum::<f64>() / self.trees.len() as f64
    }
}

/// Forests on resamples of the rows, without out-of-bag figures: for intervals. Each is summarized by `of`.
pub(super) fn refits<T: Send>(
    x: &[Vec<f64>],
    y: &[f64],
    domains: &[Domain],
    settings: ForestSettings,
    n_refits: usize,
    of: impl Fn(&Forest) -> T + Sync,
) -> Vec<T> {
    let growth = growth(domains, settings);
    (0..n_refits as u64)
        .into_par_iter()
        .map(|refit| {
            let mut rng = generator(settings.seed, "forest/refit", refit);
            let sample = resample(x.len(), &mut rng);
            let trees = (0..settings.n_trees.max(1)).map(|_| {
                let rows = (0..sample.len())
                    .map(|_| sample[index(&mut rng, sample.len())])
                    .collect();
                Tree::grow(x, y, domains, rows, growth, &mut rng)
            });
            of(&Forest {
                trees: trees.collect(),
                domains: domains.to_vec(),
                out_of_bag: Vec::new(),
                r_squared: 0.0,
            })
        })
        .collect()
}

fn growth(domains: &[Domain], settings: ForestSettings) -> Growth {
    Growth {
        min_leaf: settings.min_leaf.max(1),
        n_tried: ((settings.feature_share * domains.len() as f64).ceil() as usize)
            .clamp(1, domains.len()),
    }
}

fn resample(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    (0..n).map(|_| index(rng, n)).collect()
}

fn r_squared(y: &[f64], out_of_bag: &[Option<f64>]) -> f64 {
    let pairs: Vec<(f64, f64)> = y
        .iter()
        .zip(out_of_bag)
        .filter_map(|(y, o)| Some((*y, (*o)?)))
        .collect();
    let center = pairs.iter().map(|pair| pair.0).sum::<f64>() / pairs.len().max(1) as f64;
    let scatter: f64 = pairs.iter().map(|(y, _)| (y - center) * (y - center)).sum();
    let rest: f64 = pairs.iter().map(|(y, o)| (y - o) * (y - o)).sum();
    if scatter > 0.0 {
        1.0 - rest / scatter
    } else {
        0.0
    }
}

fn check(x: &[Vec<f64>], y: &[f64], domains: &[Domain]) -> Result<(), AnalysisError> {
    if x.len() < 10 {
        return Err(AnalysisError::too_few("rows for a forest", 10, x.len()));
    }
    if domains.is_empty() {
        return Err(AnalysisError::too_few("features for a forest", 1, 0));
    }
    check_len("responses", x.len(), y.len())?;
    check_finite("response", y)?;
    for (feature, domain) in domains.iter().enumerate() {
        if let Domain::Categories(n) = domain
            && !(1..=MOST_CATEGORIES).contains(n)
        {
            let expected = format!("1 to {MOST_CATEGORIES}");
            return Err(AnalysisError::out_of_range(
                "number of categories",
                *n as f64,
                &format!("feature {feature}"),
                &expected,
            ));
        }
    }
    for (row, values) in x.iter().enumerate() {
        check_len(
            &format!("features of row {row}"),
            domains.len(),
            values.len(),
        )?;
        for (feature, (value, domain)) in values.iter().zip(domains).enumerate() {
            let (fits, expected) = match domain {
                Domain::Unit => (
                    (0.0..=1.0).contains(value),
                    "a number from 0 to 1".to_owned(),
                ),
                Domain::Categories(n) => {
                    let whole = value.fract().abs() < f64::EPSILON;
                    (
                        whole && (0.0..*n as f64).contains(value),
                        format!("a category under {n}"),
                    )
                }
            };
            if !fits {
                return Err(AnalysisError::out_of_range(
                    "feature",
                    *value,
                    &format!("row {row}, feature {feature}"),
                    &expected,
                ));
            }
        }
    }
    Ok(())
}
