//! Splits that are given: Omniglot's published lists, and the folders of a user's own images.

use std::collections::BTreeMap;

use super::part::{MetaSplit, Parts, error};
use super::rule::SplitRule;
use crate::{DataError, Dataset};

macro_rules! list {
    ($path:literal) => {
        include_str!(concat!("../../datasets/omniglot/splits/", $path, ".txt"))
    };
}

/// Alphabets of the background set that `lake` keeps for validation: the last ones in byte order of their name.
const N_LAKE_VALIDATION: usize = 5;

/// Lake et al. 2015: background (its last five alphabets as validation) and evaluation set.
pub(super) fn lake(dataset: &Dataset, rule: &SplitRule) -> Result<Parts, DataError> {
    let mut background: Vec<&str> = list!("lake/background_alphabets").lines().collect();
    background.sort_unstable();
    let (train, validation) = background.split_at(background.len() - N_LAKE_VALIDATION);
    let test: Vec<&str> = list!("lake/evaluation_alphabets").lines().collect();
    by_alphabet(dataset, rule, [train, validation, &test])
}

/// Triantafillou et al. 2020 (Meta-Dataset): 25 / 5 / 20 whole alphabets.
pub(super) fn alphabets(dataset: &Dataset, rule: &SplitRule) -> Result<Parts, DataError> {
    let lists = [
        list!("meta-dataset/train_alphabets"),
        list!("meta-dataset/valid_alphabets"),
        list!("meta-dataset/test_alphabets"),
    ];
    let lists = lists.map(|list| list.lines().collect::<Vec<_>>());
    by_alphabet(dataset, rule, [&lists[0], &lists[1], &lists[2]])
}

/// Vinyals et al. 2016: 1,028 / 172 / 423 characters.
pub(super) fn vinyals(dataset: &Dataset, rule: &SplitRule) -> Result<Parts, DataError> {
    let lists = [
        list!("vinyals/train"),
        list!("vinyals/val"),
        list!("vinyals/test"),
    ];
    let lists = lists.map(|list| list.lines().collect::<Vec<_>>());
    let names = dataset.classes.iter().map(|class| class.name.as_str());
    let part_of = part_of(dataset, rule, [&lists[0], &lists[1], &lists[2]])?;
    look_up(dataset, rule, names, &part_of)
}

/// The part that the first folder of a class's path names, and the rest of the path. Letters may be large or small, and
/// `meta_`, `meta-` or `meta` may stand before the name: `Train`, `meta_val`, `metatest`; `base` and `novel` are train and test.
pub(crate) fn part_of_folder(class: &str) -> Option<(MetaSplit, &str)> {
    let (folder, rest) = class.split_once('/')?;
    let folder = folder.to_lowercase();
    let name = folder.strip_prefix("meta").map_or(folder.as_str(), |rest| {
        rest.trim_start_matches(['_', '-', ' '])
    });
    let part = match name {
        "train" | "training" | "base" => MetaSplit::Train,
        "val" | "valid" | "validation" | "dev" => MetaSplit::Validation,
        "test" | "testing" | "novel" => MetaSplit::Test,
        _ => return None,
    };
    Some((part, rest))
}

/// The first folder of a class's path, as [`part_of_folder`] reads it.
pub(super) fn folders(dataset: &Dataset, rule: &SplitRule) -> Result<Parts, DataError> {
    let mut first_seen: BTreeMap<&str, MetaSplit> = BTreeMap::new();
    let mut parts = Vec::with_capacity(dataset.classes.len());
    for class in &dataset.classes {
        let Some((part, rest)) = part_of_folder(&class.name) else {
            return Err(error(
                dataset,
                rule,
                format!(
                    "class `{}` is not below train (or base), val or test (or novel)",
                    class.name
                ),
                "lay the images out as root/{train,val,test}/class/, or use the split `random`",
            ));
        };
        let known = *first_seen.entry(rest).or_insert(part);
        if known != part {
            return Err(error(
                dataset,
                rule,
                format!("class `{rest}` is in {known:?} and in {part:?}"),
                "meta-learning tests on classes never seen: merge the folders into root/class/ and use the split `random`",
            ));
        }
        parts.push(Some(part));
    }
    Ok(parts)
}

fn by_alphabet(
    dataset: &Dataset,
    rule: &SplitRule,
    lists: [&[&str]; 3],
) -> Result<Parts, DataError> {
    let names = dataset
        .classes
        .iter()
        .map(|class| dataset.alphabets[class.alphabet_idx].as_str());
    let part_of = part_of(dataset, rule, lists)?;
    look_up(dataset, rule, names, &part_of)
}

/// The part of each listed name; a name on two lines is an error.
fn part_of<'a>(
    dataset: &Dataset,
    rule: &SplitRule,
    lists: [&[&'a str]; 3],
) -> Result<BTreeMap<&'a str, MetaSplit>, DataError> {
    let mut part_of = BTreeMap::new();
    for (part, list) in MetaSplit::ALL.into_iter().zip(lists) {
        for name in list {
            if let Some(other) = part_of.insert(*name, part) {
                let problem = format!("`{name}` is listed for {other:?} and for {part:?}");
                return Err(error(
                    dataset,
                    rule,
                    problem,
                    "correct the lists in datasets/omniglot/splits",
                ));
            }
        }
    }
    Ok(part_of)
}

/// Looks each class up, and makes sure that each listed name was met.
fn look_up<'a>(
    dataset: &Dataset,
    rule: &SplitRule,
    names: impl Iterator<Item = &'a str>,
    part_of: &BTreeMap<&str, MetaSplit>,
) -> Result<Parts, DataError> {
    const NEXT_STEP: &str =
        "this split is for the whole Omniglot; use `random` or `random-alphabets` on other data";
    let mut unmet = part_of.clone();
    let mut parts = Vec::with_capacity(dataset.classes.len());
    for name in names {
        let Some(part) = part_of.get(name) else {
            let problem = format!("`{name}` is not on its lists");
            return Err(error(dataset, rule, problem, NEXT_STEP));
        };
        unmet.remove(name);
        parts.push(Some(*part));
    }
    if let Some(name) = unmet.keys().next() {
        let problem = format!(
            "{} listed names are not in the data, such as `{name}`",
            unmet.len()
        );
        return Err(error(dataset, rule, problem, NEXT_STEP));
    }
    Ok(parts)
}
