//! Expected mean squares of a balanced design of random factors.

use nalgebra::{DMatrix, DVector};

use super::design::{DesignTable, source_name};
use crate::error::AnalysisError;
use crate::summary::mean;

/// What a balanced table is reduced to: for every subset of the other factors, products of cell means between the
/// levels of the first ("top") factor. Every resample of those levels follows from these.
pub(super) struct Balanced {
    /// Degrees of freedom of each stratum: the terms, then the residual.
    pub(super) df: Vec<f64>,
    /// For each pure effect (subset of factors, as bits; 0 is the mean) the stratum that it lies in.
    stratum: Vec<usize>,
    /// `E[MS_s] = sum_c coefficients[s, c] variance_c`, inverted.
    pub(super) inverse: DMatrix<f64>,
    n_factors: usize,
    top_levels: usize,
    /// For each subset of the factors after the first (bits shifted by one): the matrix
    /// `values in a cell * sum over cells mean(a, cell) mean(b, cell)` for levels `a`, `b` of the top factor.
    products: Vec<DMatrix<f64>>,
    /// Sum of squares of all values of each top level.
    squares: Vec<f64>,
}

impl Balanced {
    /// Reduces a table.
    ///
    /// # Errors
    /// [`AnalysisError::OutOfRange`] if an effect belongs to two listed terms; [`AnalysisError::TooFew`] if no degree of
    /// freedom is left for the residual or a term.
    pub(super) fn new(
        table: &DesignTable,
        terms: &[Vec<usize>],
        n_replicates: usize,
    ) -> Result<Self, AnalysisError> {
        let n_factors = table.names().len();
        let n_levels = table.n_levels();
        let n = table.values().len();
        let masks: Vec<usize> = terms.iter().map(|term| mask(term)).collect();
        let stratum = strata(table, terms, &masks)?;
        let effect_df = |effect: usize| -> f64 {
            (0..n_factors)
                .filter(|factor| effect >> factor & 1 == 1)
                .map(|factor| (n_levels[factor] - 1) as f64)
                .product()
        };
        let mut df = vec![0.0; terms.len() + 1];
        for (effect, at) in stratum.iter().enumerate().skip(1) {
            df[*at] += effect_df(effect);
        }
        df[terms.len()] += (n - n / n_replicates) as f64;
        if df[terms.len()] < 1.0 {
            let largest = terms
                .last()
                .map_or_else(String::new, |term| source_name(table, term));
            return Err(AnalysisError::too_few(
                format!(
                    "degrees of freedom for the residual; leave out the term `{largest}`, or measure twice"
                ),
                1,
                0,
            ));
        }
        // E[MS of s] = sum over terms c of (n / cells of c) * share of the effects of s that lie within c, + residual.
        let mut expected = DMatrix::zeros(df.len(), df.len());
        for (c, term) in terms.iter().enumerate() {
            let cells: usize = term.iter().map(|&factor| n_levels[factor]).product();
            for (effect, &s) in stratum.iter().enumerate().skip(1) {
                if effect & !masks[c] == 0 {
                    expected[(s, c)] += n as f64 / cells as f64 * effect_df(effect) / df[s];
                }
            }
        }
        for s in 0..df.len() {
            expected[(s, terms.len())] = 1.0;
        }
        let inverse = expected.try_inverse().ok_or_else(|| {
            AnalysisError::too_few(
                "distinct terms: their mean squares cannot be told apart",
                1,
                0,
            )
        })?;
        let (products, squares) = products(table);
        Ok(Self {
            df,
            stratum,
            inverse,
            n_factors,
            top_levels: n_levels[0],
            products,
            squares,
        })
    }

    /// Mean squares of the strata if top level `l` occurs `weights[l]` times (all 1: the table itself).
    pub(super) fn mean_squares(&self, weights: &[f64]) -> Vec<f64> {
        let n_top = self.top_levels as f64;
        let w = DVector::from_column_slice(weights);
        // Uncorrected sum of squares of the cell means of each subset.
        let uncorrected: Vec<f64> = (0..1_usize << self.n_factors)
            .map(|effect| {
                let products = &self.products[effect >> 1];
                if effect & 1 == 1 {
                    (0..self.top_levels)
                        .map(|level| weights[level] * products[(level, level)])
                        .sum()
                } else {
                    (products * &w).dot(&w) / n_top
                }
            })
            .collect();
        let total: f64 = self.squares.iter().zip(weights).map(|(s, w)| s * w).sum();
        let mut sums = vec![0.0; self.df.len()];
        let residual = self.df.len() - 1;
        sums[residual] = total - uncorrected[0];
        for (effect, &s) in self.stratum.iter().enumerate().skip(1) {
            if s == residual {
                continue;
            }
            // Inclusion and exclusion over the subsets of the effect.
            let mut pure = 0.0;
            let mut subset = effect;
            loop {
                let sign = if (effect.count_ones() - subset.count_ones()).is_multiple_of(2) {
                    1.0
                } else {
                    -1.0
                };
                pure += sign * uncorrected[subset];
                if subset == 0 {
                    break;
                }
                subset = (subset - 1) & effect;
            }
            sums[s] += pure;
            sums[residual] -= pure;
        }
        sums.iter()
            .zip(&self.df)
            .map(|(sum, df)| sum.max(0.0) / df)
            .collect()
    }

    /// Components, residual last, that have these mean squares: may be negative.
    pub(super) fn components(&self, mean_squares: &[f64]) -> Vec<f64> {
        let solution = &self.inverse * DVector::from_column_slice(mean_squares);
        solution.iter().copied().collect()
    }
}

fn mask(term: &[usize]) -> usize {
    term.iter().fold(0, |mask, factor| mask | 1 << factor)
}

/// The stratum of each pure effect: the smallest listed term that holds it, or the residual.
fn strata(
    table: &DesignTable,
    terms: &[Vec<usize>],
    masks: &[usize],
) -> Result<Vec<usize>, AnalysisError> {
    let n_effects = 1_usize << table.names().len();
    let mut strata = vec![terms.len(); n_effects];
    for (effect, stratum) in strata.iter_mut().enumerate().skip(1) {
        let holding: Vec<usize> = (0..terms.len())
            .filter(|&term| effect & !masks[term] == 0)
            .collect();
        let smallest: Vec<usize> = holding
            .iter()
            .copied()
            .filter(|&term| {
                !holding
                    .iter()
                    .any(|&other| other != term && masks[other] & !masks[term] == 0)
            })
            .collect();
        match smallest[..] {
            [] => {}
            [only] => *stratum = only,
            _ => {
                let names: Vec<String> = smallest
                    .iter()
                    .map(|&term| source_name(table, &terms[term]))
                    .collect();
                let common: Vec<usize> = (0..table.names().len())
                    .filter(|factor| effect >> factor & 1 == 1)
                    .collect();
                return Err(AnalysisError::OutOfRange {
                    what: "list of terms".to_owned(),
                    value: names.join(" and "),
                    position: "the design".to_owned(),
                    expected: format!(
                        "also the term `{}`, which both contain",
                        source_name(table, &common)
                    ),
                });
            }
        }
    }
    for (term, indices) in terms.iter().enumerate() {
        if !strata.contains(&term) {
            return Err(AnalysisError::too_few(
                format!(
                    "effects of the term `{}` that no smaller term holds",
                    source_name(table, indices)
                ),
                1,
                0,
            ));
        }
    }
    Ok(strata)
}

/// See [`Balanced::products`]; values are centered first, so that little cancels later.
fn products(table: &DesignTable) -> (Vec<DMatrix<f64>>, Vec<f64>) {
    let n_factors = table.names().len();
    let n_levels = table.n_levels();
    let n_top = n_levels[0];
    let center = mean(table.values());
    let mut squares = vec![0.0; n_top];
    for (row, value) in table.values().iter().enumerate() {
        squares[table.level(row, 0)] += (value - center) * (value - center);
    }
    let in_slice = table.values().len() / n_top;
    let products = (0..1_usize << (n_factors - 1)).map(|subset| {
        let factors: Vec<usize> = (1..n_factors)
            .filter(|factor| subset >> (factor - 1) & 1 == 1)
            .collect();
        let n_cells: usize = factors.iter().map(|&factor| n_levels[factor]).product();
        let mut sums = DMatrix::zeros(n_cells, n_top);
        for (row, value) in table.values().iter().enumerate() {
            sums[(table.cell(row, &factors), table.level(row, 0))] += value - center;
        }
        // Mean of a cell is its sum over c values; c times mean times mean is sum times sum over c.
        sums.tr_mul(&sums) / (in_slice / n_cells) as f64
    });
    (products.collect(), squares)
}
