//! Parts by names of the user's own: `seen,held-out,unseen` for training, validation and test.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::receipt::Place;
use crate::{DataError, Dataset, digest};

/// What the folders of training, validation and test are called, where the usual names are not used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PartNames(Option<[String; 3]>);

/// How it is written that the usual names are used.
const USUAL_WORD: &str = "usual";

/// What the parts are called from then on.
const USUAL: [&str; 3] = ["train", "val", "test"];

impl fmt::Display for PartNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str(USUAL_WORD),
            Some(names) => f.write_str(&names.join(",")),
        }
    }
}

impl FromStr for PartNames {
    type Err = DataError;

    /// Three names with commas between, or `usual`.
    fn from_str(text: &str) -> Result<Self, DataError> {
        if text == USUAL_WORD {
            return Ok(Self(None));
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let distinct: BTreeSet<&String> = names.iter().filter(|name| !name.is_empty()).collect();
        let n_distinct = distinct.len();
        match <[String; 3]>::try_from(names) {
            Ok(names) if n_distinct == 3 => Ok(Self(Some(names))),
            _ => Err(DataError::Invalid {
                setting: "parts",
                value: text.to_owned(),
                problem: "not three different names".into(),
                next_step: "write the folders of training, validation and test, e.g. \"seen,held-out,unseen\", or \"usual\"".into(),
            }),
        }
    }
}

impl PartNames {
    /// The data set with its parts called as usual; as it is if there are no other names.
    ///
    /// The digest becomes SHA-256 over the old one and `parts NAMES`.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if a class is below none of the names, or if one of them has no class.
    pub fn rename(&self, mut dataset: Dataset) -> Result<Dataset, DataError> {
        let Some(names) = &self.0 else {
            return Ok(dataset);
        };
        let usual = |class: &str| -> Option<String> {
            let mut pairs = names.iter().zip(USUAL);
            pairs.find_map(|(name, usual)| {
                let rest = class.strip_prefix(name.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then(|| format!("{usual}{rest}"))
            })
        };
        let refuse = |problem: String| DataError::Invalid {
            setting: "parts",
            value: self.to_string(),
            problem,
            next_step:
                "name the folders below which the classes of training, validation and test lie"
                    .into(),
        };
        for name in names {
            let is_below = |class: &str| {
                class
                    .strip_prefix(name.as_str())
                    .is_some_and(|it| it.starts_with('/'))
            };
            if !dataset.classes.iter().any(|class| is_below(&class.name)) {
                let there: BTreeSet<&str> = dataset
                    .classes
                    .iter()
                    .filter_map(|class| class.name.split('/').next())
                    .collect();
                let there = there.into_iter().take(8).collect::<Vec<_>>().join(", ");
                return Err(refuse(format!(
                    "no class is below `{name}`; there are {there}"
                )));
            }
        }
        for class in &mut dataset.classes {
            let name = usual(&class.name);
            class.name = name
                .ok_or_else(|| refuse(format!("class `{}` is below none of them", class.name)))?;
        }
        for alphabet in &mut dataset.alphabets {
            *alphabet = usual(alphabet).unwrap_or_else(|| alphabet.clone());
        }
        if let Some(receipt) = &mut dataset.receipt {
            let rename =
                |class: &mut String| *class = usual(class).unwrap_or_else(|| class.clone());
            let of_place = |place: &mut Place| rename(&mut place.class);
            receipt
                .classes
                .iter_mut()
                .for_each(|(class, _)| rename(class));
            receipt.equal.iter_mut().flatten().for_each(of_place);
            receipt.constant.iter_mut().for_each(of_place);
        }
        dataset.digest = digest::sha256(format!("{} parts {self}", dataset.digest).as_bytes());
        Ok(dataset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClassImages, MetaSplit, Seeds, Split, SplitRule};

    fn dataset(classes: &[&str]) -> Dataset {
        let classes = classes.iter().map(|name| ClassImages {
            name: (*name).to_owned(),
            alphabet: name.rsplit_once('/').map_or(".", |it| it.0).to_owned(),
            pixels: vec![0],
        });
        Dataset::from_classes("made", 1, classes).unwrap()
    }

    #[test]
    fn names_of_ones_own_become_the_usual_ones() {
        let names: PartNames = "seen, held-out,unseen".parse().unwrap();
        assert_eq!(names.to_string(), "seen,held-out,unseen");
        let made = dataset(&["seen/a", "seen/g/b", "held-out/c", "unseen/d"]);
        let digest = made.digest.clone();
        let named = names.rename(made.clone()).unwrap();
        assert_ne!(named.digest, digest);
        let split = Split::new(&named, &SplitRule::Folders, &Seeds::all(0)).unwrap();
        assert_eq!(
            split.class_names(&named, MetaSplit::Train),
            ["train/a", "train/g/b"]
        );
        assert_eq!(split.class_names(&named, MetaSplit::Test), ["test/d"]);
        assert_eq!(PartNames::default().rename(made).unwrap().digest, digest);
    }

    #[test]
    fn names_that_are_not_there_are_answered_with_those_that_are() {
        for wrong in ["", "seen,unseen", "a,b,a", "a,,b"] {
            let error = wrong.parse::<PartNames>().unwrap_err().to_string();
            assert!(error.contains("three different names"), "{error}");
        }
        let names: PartNames = "seen,held,unseen".parse().unwrap();
        let error = names
            .rename(dataset(&["seen/a", "other/b", "unseen/d"]))
            .unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("`held`") && error.contains("other, seen, unseen"),
            "{error}"
        );
    }
}
