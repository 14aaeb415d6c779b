//! Splits: which classes are for meta-training, validation and meta-test.
//!
//! Published lists of Omniglot are compiled in (`published.rs`); any data set can be split by chance (`random.rs`) or
//! as its folders say. A [`Split`] is checked when it is made: no class in two parts, none forgotten.

mod equal;
mod part;
mod parts;
mod published;
mod random;
mod rule;

use serde::{Deserialize, Serialize};

pub use part::MetaSplit;
pub use parts::PartNames;
pub(crate) use published::part_of_folder;
pub use rule::{Amounts, LEAST_ALPHABETS, SplitRule, Unit};

use self::part::error;
use crate::{DataError, Dataset, Seeds};

/// Classes of the three parts, as ascending indices into [`Dataset::classes`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The rule that made it.
    pub rule: SplitRule,
    /// Classes for meta-training.
    pub train: Vec<u32>,
    /// Classes for validation; empty only if a random split was asked for none.
    pub validation: Vec<u32>,
    /// Classes for meta-test.
    pub test: Vec<u32>,
}

impl Split {
    /// Splits the classes of `dataset`. Only [`SplitRule::Random`] looks at `seeds` (stream `split`).
    ///
    /// # Errors
    /// [`DataError::Split`] if the rule's lists do not fit the data set, if a class would be in two parts or in
    /// none, or if train or test would be empty; [`DataError::TooFew`] if counts exceed what is there.
    pub fn new(dataset: &Dataset, rule: &SplitRule, seeds: &Seeds) -> Result<Self, DataError> {
        // Each domain by itself, under its own numbers.
        let of_domain = |domain: &crate::Domain| -> Result<Self, DataError> {
            let mut own = Self::of_one(&dataset.outline(domain), rule, seeds)?;
            let first = domain.classes.start as u32;
            for classes in [&mut own.train, &mut own.validation, &mut own.test] {
                classes.iter_mut().for_each(|class| *class += first);
            }
            Ok(own)
        };
        let splits: Result<Vec<Self>, DataError> = dataset.domains.iter().map(of_domain).collect();
        let joined = splits?.into_iter().reduce(|mut all, own| {
            if all.rule != own.rule {
                all.rule = *rule;
            }
            all.train.extend(own.train);
            all.validation.extend(own.validation);
            all.test.extend(own.test);
            all
        });
        joined.map_or_else(|| Self::of_one(dataset, rule, seeds), Ok)
    }

    /// The same without the classes for training and validation of one domain, whose test classes are then new in kind: what is left is
    /// tested as before.
    ///
    /// # Errors
    /// [`DataError::UnknownName`] for a domain that the data set does not have.
    pub fn without_training_of(&self, dataset: &Dataset, domain: &str) -> Result<Self, DataError> {
        let names: Vec<&str> = dataset.domains.iter().map(|it| it.name.as_str()).collect();
        let found = dataset.domains.iter().find(|it| it.name == domain);
        let held_out = found.ok_or_else(|| DataError::unknown_name("domain", domain, &names))?;
        let rest = |classes: &[u32]| {
            let others = classes.iter().copied();
            others
                .filter(|class| !held_out.classes.contains(&(*class as usize)))
                .collect::<Vec<u32>>()
        };
        Ok(Self {
            rule: self.rule,
            train: rest(&self.train),
            validation: rest(&self.validation),
            test: self.test.clone(),
        })
    }

    /// Splits the classes of a data set of one domain.
    fn of_one(dataset: &Dataset, rule: &SplitRule, seeds: &Seeds) -> Result<Self, DataError> {
        let rule = &Self::settled(dataset, rule);
        let parts = match rule {
            SplitRule::Lake => published::lake(dataset, rule)?,
            SplitRule::Vinyals => published::vinyals(dataset, rule)?,
            SplitRule::Alphabets => published::alphabets(dataset, rule)?,
            SplitRule::Folders => published::folders(dataset, rule)?,
            SplitRule::Auto => unreachable!("settled above"),
            SplitRule::Random { unit, amounts } => {
                random::split(dataset, rule, *unit, *amounts, seeds)?
            }
        };
        let of = |part: MetaSplit| {
            (0..)
                .zip(&parts)
                .filter(|(_, p)| **p == Some(part))
                .map(|(class_idx, _)| class_idx)
                .collect::<Vec<u32>>()
        };
        let split = Self {
            rule: *rule,
            train: of(MetaSplit::Train),
            validation: of(MetaSplit::Validation),
            test: of(MetaSplit::Test),
        };
        for part in [MetaSplit::Train, MetaSplit::Test] {
            if split.classes(part).is_empty() {
                let (n_classes, n_alphabets) = (dataset.classes.len(), dataset.alphabets.len());
                return Err(error(
                    dataset,
                    rule,
                    format!(
                        "no class is left for {part:?} of {n_classes} classes in {n_alphabets} alphabets"
                    ),
                    "give that part more, or split by classes (`random`) instead of alphabets",
                ));
            }
        }
        Ok(split)
    }

    /// The rule itself, or the one that [`SplitRule::Auto`] is for these data.
    fn settled(dataset: &Dataset, rule: &SplitRule) -> SplitRule {
        if *rule != SplitRule::Auto {
            return *rule;
        }
        let has_part = |class: &crate::Class| part_of_folder(&class.name).is_some();
        if dataset.classes.iter().all(has_part) {
            return SplitRule::Folders;
        }
        let unit = match dataset.alphabets.len() {
            ..LEAST_ALPHABETS => Unit::Class,
            LEAST_ALPHABETS.. => Unit::Alphabet,
        };
        SplitRule::Random {
            unit,
            amounts: Amounts::DEFAULT,
        }
    }

    /// The classes of one part.
    #[must_use]
    pub fn classes(&self, part: MetaSplit) -> &[u32] {
        match part {
            MetaSplit::Train => &self.train,
            MetaSplit::Validation => &self.validation,
            MetaSplit::Test => &self.test,
        }
    }

    /// The names of one part's classes, for the record of a run.
    #[must_use]
    pub fn class_names<'a>(&self, dataset: &'a Dataset, part: MetaSplit) -> Vec<&'a str> {
        let name = |&class_idx: &u32| dataset.classes[class_idx as usize].name.as_str();
        self.classes(part).iter().map(name).collect()
    }

    /// Images of the smallest class of a part; 0 if it has no class.
    #[must_use]
    pub fn fewest_images(&self, dataset: &Dataset, part: MetaSplit) -> usize {
        let classes = self.classes(part).iter();
        let n_images = classes.map(|class_idx| dataset.classes[*class_idx as usize].n_images);
        n_images.min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
