//! Observations of a design with random factors: the input of variance components.

use std::collections::BTreeMap;

use crate::error::{AnalysisError, check_finite, check_len};

/// Most factors of a design: the balanced estimator looks at every subset of them.
pub const MOST_FACTORS: usize = 8;

/// One row an observation: a level of each random factor (split, initialization, task, ...) and the value found there.
#[derive(Clone, Debug, PartialEq)]
pub struct DesignTable {
    names: Vec<String>,
    n_levels: Vec<usize>,
    /// Level of factor `f` in row `r` at `r * n_factors + f`.
    levels: Vec<usize>,
    values: Vec<f64>,
}

impl DesignTable {
    /// A table from labels: rows with the same label of a factor share its level. Levels are numbered in order of first
    /// appearance, which no result depends on.
    ///
    /// # Shapes
    /// `labels[row][factor]`, one value a row.
    /// # Errors
    /// [`AnalysisError::TooFew`] without factors, rows, or for a factor with one level (it cannot vary);
    /// [`AnalysisError::Shape`] naming the row; [`AnalysisError::NotFinite`];
    /// [`AnalysisError::OutOfRange`] for more than [`MOST_FACTORS`] factors.
    pub fn from_labels<S: AsRef<str>, L: AsRef<str>>(
        names: &[S],
        labels: &[Vec<L>],
        values: &[f64],
    ) -> Result<Self, AnalysisError> {
        check_len("values of the design", labels.len(), values.len())?;
        let mut levels = Vec::with_capacity(labels.len() * names.len());
        let mut known: Vec<BTreeMap<&str, usize>> = vec![BTreeMap::new(); names.len()];
        for (row, row_labels) in labels.iter().enumerate() {
            check_len(
                &format!("levels of row {row}"),
                names.len(),
                row_labels.len(),
            )?;
            for (known, label) in known.iter_mut().zip(row_labels) {
                let next = known.len();
                levels.push(*known.entry(label.as_ref()).or_insert(next));
            }
        }
        let n_levels = known.iter().map(BTreeMap::len).collect();
        Self::checked(
            names.iter().map(|name| name.as_ref().to_owned()).collect(),
            n_levels,
            levels,
            values.to_vec(),
        )
    }

    /// A balanced table: every combination of levels, the last factor running fastest, `n_replicates` values in each.
    ///
    /// # Errors
    /// As [`Self::from_labels`]; [`AnalysisError::Shape`] if the number of values is another.
    pub fn crossed<S: AsRef<str>>(
        names: &[S],
        n_levels: &[usize],
        n_replicates: usize,
        values: Vec<f64>,
    ) -> Result<Self, AnalysisError> {
        check_len("numbers of levels", names.len(), n_levels.len())?;
        let n_cells: usize = n_levels.iter().product();
        check_len("values of the design", n_cells * n_replicates, values.len())?;
        let mut levels = Vec::with_capacity(values.len() * names.len());
        for row in 0..values.len() {
            let cell = row / n_replicates;
            let mut below = n_cells;
            for n in n_levels {
                below /= n;
                levels.push(cell / below % n);
            }
        }
        Self::checked(
            names.iter().map(|name| name.as_ref().to_owned()).collect(),
            n_levels.to_vec(),
            levels,
            values,
        )
    }

    fn checked(
        names: Vec<String>,
        n_levels: Vec<usize>,
        levels: Vec<usize>,
        values: Vec<f64>,
    ) -> Result<Self, AnalysisError> {
        if names.is_empty() {
            return Err(AnalysisError::too_few("factors of the design", 1, 0));
        }
        if names.len() > MOST_FACTORS {
            return Err(AnalysisError::out_of_range(
                "number of random factors",
                names.len() as f64,
                "the design",
                &format!("at most {MOST_FACTORS}"),
            ));
        }
        if values.len() < 3 {
            return Err(AnalysisError::too_few(
                "observations of the design",
                3,
                values.len(),
            ));
        }
        check_finite("value of the design", &values)?;
        for (name, n) in names.iter().zip(&n_levels) {
            if *n < 2 {
                return Err(AnalysisError::too_few(
                    format!("levels of factor `{name}`"),
                    2,
                    *n,
                ));
            }
        }
        Ok(Self {
            names,
            n_levels,
            levels,
            values,
        })
    }

    /// Names of the factors.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Levels of each factor.
    #[must_use]
    pub fn n_levels(&self) -> &[usize] {
        &self.n_levels
    }

    /// The values, in the order of rows.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Level of a factor in a row.
    pub(crate) fn level(&self, row: usize, factor: usize) -> usize {
        self.levels[row * self.names.len() + factor]
    }

    /// Number of the cell of a row among the combinations of levels of `factors` (the last one fastest).
    pub(crate) fn cell(&self, row: usize, factors: &[usize]) -> usize {
        factors.iter().fold(0, |cell, &factor| {
            cell * self.n_levels[factor] + self.level(row, factor)
        })
    }

    /// Values in each combination of levels, if all have the same number (at least one); else `None`.
    #[must_use]
    pub fn n_replicates(&self) -> Option<usize> {
        let n_cells = self
            .n_levels
            .iter()
            .try_fold(1_usize, |cells, n| cells.checked_mul(*n))?;
        let n = self.values.len();
        if n_cells == 0 || n_cells > n || !n.is_multiple_of(n_cells) {
            return None;
        }
        let all: Vec<usize> = (0..self.names.len()).collect();
        let mut counts = vec![0; n_cells];
        for row in 0..n {
            counts[self.cell(row, &all)] += 1;
        }
        let each = n / n_cells;
        counts.iter().all(|count| *count == each).then_some(each)
    }
}

/// Which effects of a design are components of their own; everything else is residual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// One for each factor.
    Main,
    /// One for each factor and each pair of factors.
    Pairs,
    /// As listed, each by the names of its factors. A factor that is nested in another is listed only together with it:
    /// `[["task"], ["task", "support"]]` for supports drawn anew in each task.
    Listed(Vec<Vec<String>>),
}

impl Terms {
    /// Indices of the factors of each term, smaller terms first.
    ///
    /// # Errors
    /// [`AnalysisError::OutOfRange`] for a name that is no factor of the design, or a term listed twice;
    /// [`AnalysisError::TooFew`] without terms.
    pub(crate) fn indices(&self, table: &DesignTable) -> Result<Vec<Vec<usize>>, AnalysisError> {
        let n = table.names.len();
        let mut terms: Vec<Vec<usize>> = match self {
            Self::Main => (0..n).map(|factor| vec![factor]).collect(),
            Self::Pairs => (0..n)
                .map(|factor| vec![factor])
                .chain((0..n).flat_map(|a| (a + 1..n).map(move |b| vec![a, b])))
                .collect(),
            Self::Listed(listed) => {
                let mut terms = Vec::new();
                for names in listed {
                    let mut term = Vec::new();
                    for name in names {
                        let Some(factor) = table.names.iter().position(|known| known == name)
                        else {
                            return Err(AnalysisError::OutOfRange {
                                what: "factor of a term".to_owned(),
                                value: format!("`{name}`"),
                                position: names.join(":"),
                                expected: format!("one of {}", table.names.join(", ")),
                            });
                        };
                        term.push(factor);
                    }
                    term.sort_unstable();
                    term.dedup();
                    terms.push(term);
                }
                terms
            }
        };
        terms.retain(|term| !term.is_empty());
        if terms.is_empty() {
            return Err(AnalysisError::too_few("terms of the design", 1, 0));
        }
        terms.sort_by_key(Vec::len);
        for (at, term) in terms.iter().enumerate() {
            if terms[..at].contains(term) {
                return Err(AnalysisError::OutOfRange {
                    what: "term".to_owned(),
                    value: source_name(table, term),
                    position: "the list of terms".to_owned(),
                    expected: "each term once".to_owned(),
                });
            }
        }
        Ok(terms)
    }
}

/// `split:init` for the interaction of both.
pub(crate) fn source_name(table: &DesignTable, term: &[usize]) -> String {
    let names: Vec<&str> = term
        .iter()
        .map(|&factor| table.names[factor].as_str())
        .collect();
    names.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_crossing_give_the_same_table() {
        let crossed = DesignTable::crossed(&["a", "b"], &[2, 3], 1, vec![1., 2., 3., 4., 5., 6.]);
        let labels: Vec<Vec<&str>> = ["x 0", "x 1", "x 2", "y 0", "y 1", "y 2"]
            .iter()
            .map(|row| row.split(' ').collect())
            .collect();
        let labelled = DesignTable::from_labels(&["a", "b"], &labels, &[1., 2., 3., 4., 5., 6.]);
        assert_eq!(crossed.unwrap(), labelled.unwrap());
    }

    #[test]
    fn imbalance_is_seen() {
        let labels: Vec<Vec<&str>> = ["x 0", "x 1", "y 0", "y 0"]
            .iter()
            .map(|row| row.split(' ').collect())
            .collect();
        let table = DesignTable::from_labels(&["a", "b"], &labels, &[1., 2., 3., 4.]).unwrap();
        assert_eq!(table.n_replicates(), None);
        let table = DesignTable::from_labels(
            &["a"],
            &[["x"], ["x"], ["y"], ["y"]].map(Vec::from),
            &[0.; 4],
        );
        assert_eq!(table.unwrap().n_replicates(), Some(2));
    }

    #[test]
    fn a_factor_that_does_not_vary_is_refused() {
        let error = DesignTable::crossed(&["seed", "task"], &[1, 3], 1, vec![0.0; 3]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "levels of factor `seed`: 1 given, at least 2 needed"
        );
    }
}
