//! How a run was made, as names and values: two results compare only if these agree outside of what is studied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;

/// Field of a fingerprint that names the list of test episodes; learners that differ in it are not paired.
pub const FIELD_EPISODES: &str = "test.list_digest";
/// Field of a fingerprint: classes the test episodes are drawn from.
pub const FIELD_CLASSES: &str = "test.n_classes";
/// Field of a fingerprint: examples of each of those classes.
pub const FIELD_EXAMPLES: &str = "test.n_examples";
/// Field of a fingerprint: support examples of each class in a test episode.
pub const FIELD_SHOT: &str = "test.k_shot";

/// Every setting and digest that has to agree for two results to be comparable.
pub type Fingerprint = BTreeMap<String, String>;

/// The first field in which two fingerprints differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Name of the field.
    pub field: String,
    /// Its value in the first, or `absent`.
    pub first: String,
    /// Its value in the second, or `absent`.
    pub second: String,
}

/// The first field that differs, in alphabetical order, and is neither one of `may_differ` nor below one of them (`seed.task` is
/// below `seed`).
#[must_use]
pub fn difference(
    first: &Fingerprint,
    second: &Fingerprint,
    may_differ: &[String],
) -> Option<Difference> {
    let show = |value: Option<&String>| value.map_or_else(|| "absent".to_owned(), Clone::clone);
    let fields = first.keys().chain(second.keys());
    let differing = fields
        .filter(|field| first.get(*field) != second.get(*field))
        .filter(|field| !is_below(field, may_differ))
        .min()?;
    Some(Difference {
        field: differing.clone(),
        first: show(first.get(differing)),
        second: show(second.get(differing)),
    })
}

/// Refuses two runs, given by name and fingerprint, that differ outside of `may_differ`.
pub(crate) fn check_same(
    first: (&str, &Fingerprint),
    second: (&str, &Fingerprint),
    may_differ: &[String],
) -> Result<(), AnalysisError> {
    match difference(first.1, second.1, may_differ) {
        None => Ok(()),
        Some(found) => Err(AnalysisError::NotComparable {
            first: first.0.to_owned(),
            second: second.0.to_owned(),
            field: found.field,
            first_value: found.first,
            second_value: found.second,
        }),
    }
}

fn is_below(field: &str, names: &[String]) -> bool {
    names.iter().any(|name| {
        field
            .strip_prefix(name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_outside_of_the_studied_ones_is_named() {
        let of = |pairs: &[(&str, &str)]| -> Fingerprint {
            let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
            pairs.iter().map(owned).collect()
        };
        let a = of(&[("data", "x"), ("seed.task", "0"), ("seeds", "3")]);
        let b = of(&[("data", "x"), ("seed.task", "1"), ("zoom", "2")]);
        let may_differ = [String::from("seed")];
        let found = difference(&a, &b, &may_differ).unwrap();
        assert_eq!(found.field, "seeds", "a longer name is another field");
        assert_eq!([found.first, found.second], ["3", "absent"]);
        assert_eq!(difference(&a, &a, &[]), None);
        assert_eq!(difference(&a, &b, &[]).unwrap().field, "seed.task");
    }
}
