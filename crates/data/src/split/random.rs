//! Splits by chance: classes, or whole alphabets, in an order drawn from the `split` stream.

use super::part::{MetaSplit, Parts, error};
use super::rule::{Amounts, SplitRule, Unit};
use crate::draw::Permutation;
use crate::{DataError, Dataset, Seeds, Stream};

/// The first units of the random order are for training, the next for validation, the next for test.
pub(super) fn split(
    dataset: &Dataset,
    rule: &SplitRule,
    unit: Unit,
    amounts: Amounts,
    seeds: &Seeds,
) -> Result<Parts, DataError> {
    let n_units = match unit {
        Unit::Class => dataset.classes.len(),
        Unit::Alphabet => dataset.alphabets.len(),
    };
    let counts = counts(dataset, rule, unit, amounts, n_units)?;
    let mut order = Permutation::default();
    order.restart(n_units as u32);
    let mut rng = seeds.rng(Stream::Split, 0);
    let mut part_of_unit = vec![None; n_units];
    for (part, count) in MetaSplit::ALL.into_iter().zip(counts) {
        for unit_idx in std::iter::from_fn(|| order.next(&mut rng)).take(count) {
            part_of_unit[unit_idx as usize] = Some(part);
        }
    }
    Ok(match unit {
        Unit::Class => part_of_unit,
        Unit::Alphabet => dataset
            .classes
            .iter()
            .map(|class| part_of_unit[class.alphabet_idx])
            .collect(),
    })
}

fn counts(
    dataset: &Dataset,
    rule: &SplitRule,
    unit: Unit,
    amounts: Amounts,
    n_units: usize,
) -> Result<[usize; 3], DataError> {
    match amounts {
        Amounts::Counts(counts) => {
            let needed = counts
                .iter()
                .fold(0, |sum: usize, count| sum.saturating_add(*count));
            if needed > n_units {
                return Err(DataError::TooFew {
                    what: format!("{} of `{}` for split `{rule}`", unit.plural(), dataset.name),
                    needed,
                    available: n_units,
                    next_step: "lower the counts or give shares such as `random:0.64,0.16,0.2`"
                        .into(),
                });
            }
            Ok(counts)
        }
        Amounts::Shares(shares) => {
            let sum: f64 = shares.iter().sum();
            if shares.iter().any(|share| !(0.0..=1.0).contains(share)) || (sum - 1.0).abs() > 1e-9 {
                return Err(error(
                    dataset,
                    rule,
                    format!("the shares are not three parts of 1: their sum is {sum}"),
                    "give three shares from 0 to 1 with sum 1",
                ));
            }
            let n_train = (shares[0] * n_units as f64).round() as usize;
            let n_validation = (shares[1] * n_units as f64).round() as usize;
            let n_validation = n_validation.min(n_units - n_train);
            Ok([n_train, n_validation, n_units - n_train - n_validation])
        }
    }
}
