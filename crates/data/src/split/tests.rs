//! Tests of splits: published sizes, disjointness, and clear words where a rule does not fit.

use std::collections::BTreeSet;

use super::*;
use crate::{ClassImages, test_data};

/// Omniglot's class names without its images: one pixel a class, names from the Vinyals lists.
fn names_of_omniglot() -> Dataset {
    let lists = [
        include_str!("../../datasets/omniglot/splits/vinyals/train.txt"),
        include_str!("../../datasets/omniglot/splits/vinyals/val.txt"),
        include_str!("../../datasets/omniglot/splits/vinyals/test.txt"),
    ];
    let classes = lists
        .iter()
        .flat_map(|list| list.lines())
        .map(|name| ClassImages {
            name: name.into(),
            alphabet: name.split_once('/').unwrap().0.into(),
            pixels: vec![0],
        });
    Dataset::from_classes("omniglot", 1, classes).unwrap()
}

fn split(dataset: &Dataset, rule: &str, seed: u64) -> Result<Split, DataError> {
    Split::new(dataset, &rule.parse().unwrap(), &Seeds::all(seed))
}

fn sizes(split: &Split) -> [usize; 3] {
    MetaSplit::ALL.map(|part| split.classes(part).len())
}

fn n_alphabets(dataset: &Dataset, split: &Split) -> [usize; 3] {
    MetaSplit::ALL.map(|part| {
        let alphabet = |&class_idx: &u32| dataset.classes[class_idx as usize].alphabet_idx;
        split
            .classes(part)
            .iter()
            .map(alphabet)
            .collect::<BTreeSet<_>>()
            .len()
    })
}

/// Every class in exactly one part.
fn check_partition(dataset: &Dataset, split: &Split) {
    let mut all: Vec<u32> = MetaSplit::ALL
        .iter()
        .flat_map(|part| split.classes(*part).to_vec())
        .collect();
    all.sort_unstable();
    assert_eq!(all, dataset.all_classes());
}

fn check_published(dataset: &Dataset) {
    assert_eq!(dataset.classes.len(), 1_623);
    // Sizes as published (Vinyals et al. 2016, Lake et al. 2015, Meta-Dataset).
    for (rule, expected) in [
        ("lake", [813, 151, 659]),
        ("vinyals", [1_028, 172, 423]),
        ("alphabets", [883, 81, 659]),
    ] {
        let split = split(dataset, rule, 0).unwrap();
        assert_eq!(sizes(&split), expected, "{rule}");
        check_partition(dataset, &split);
        assert_eq!(
            split,
            self::split(dataset, rule, 1).unwrap(),
            "no seed enters {rule}"
        );
        if rule != "vinyals" {
            assert_eq!(n_alphabets(dataset, &split), [25, 5, 20], "{rule}");
        }
    }
}

#[test]
fn published_splits_have_their_published_sizes() {
    let dataset = names_of_omniglot();
    check_published(&dataset);
    let split = split(&dataset, "alphabets", 0).unwrap();
    assert!(
        split
            .class_names(&dataset, MetaSplit::Test)
            .contains(&"Angelic/character01")
    );
    assert!(
        split
            .class_names(&dataset, MetaSplit::Validation)
            .contains(&"Tagalog/character17")
    );
}

#[test]
fn published_splits_fit_the_real_data() {
    let Some(folder) = test_data::folder("omniglot") else {
        return;
    };
    check_published(&crate::omniglot::load(&folder, 1, None).unwrap());
    // Our lists are the published ones with the rotations taken off.
    for (part, ours) in [
        (
            "train",
            include_str!("../../datasets/omniglot/splits/vinyals/train.txt"),
        ),
        (
            "val",
            include_str!("../../datasets/omniglot/splits/vinyals/val.txt"),
        ),
        (
            "test",
            include_str!("../../datasets/omniglot/splits/vinyals/test.txt"),
        ),
    ] {
        let published =
            std::fs::read_to_string(folder.join(format!("splits/vinyals/{part}.txt"))).unwrap();
        let characters: BTreeSet<&str> = published
            .lines()
            .map(|line| line.rsplit_once('/').unwrap().0)
            .collect();
        assert_eq!(characters, ours.lines().collect::<BTreeSet<_>>());
        assert_eq!(published.lines().count(), 4 * ours.lines().count());
    }
}

#[test]
fn random_splits_follow_their_numbers_and_their_stream() {
    let dataset = test_data::dataset(10, 5, 2);
    for (rule, expected) in [
        ("random", [32, 8, 10]),
        ("random:0.5,0.25,0.25", [25, 13, 12]),
        ("random:40,0,10", [40, 0, 10]),
        ("random-alphabets:6,2,2", [30, 10, 10]),
        ("random-alphabets", [30, 10, 10]),
    ] {
        let split = split(&dataset, rule, 0).unwrap();
        assert_eq!(sizes(&split), expected, "{rule}");
        check_partition(&dataset, &split);
        assert_ne!(split, self::split(&dataset, rule, 1).unwrap(), "{rule}");
        let other = Seeds::all(9).with(crate::Stream::Split, 0);
        assert_eq!(
            split,
            Split::new(&dataset, &split.rule, &other).unwrap(),
            "only the split stream counts"
        );
    }
    let whole = split(&dataset, "random-alphabets:6,2,2", 3).unwrap();
    assert_eq!(n_alphabets(&dataset, &whole), [6, 2, 2]);
    let some = split(&dataset, "random:10,5,5", 3).unwrap();
    assert_eq!(sizes(&some), [10, 5, 5], "classes may be left over");
}

fn check_refused(dataset: &Dataset, rule: &str, expected: &[&str]) {
    let message = split(dataset, rule, 0).unwrap_err().to_string();
    for part in expected {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn rules_that_do_not_fit_say_so() {
    let dataset = test_data::dataset(1, 4, 2);
    check_refused(
        &dataset,
        "lake",
        &["`alphabet00` is not on its lists", "use `random`"],
    );
    check_refused(
        &dataset,
        "folders",
        &["`alphabet00/character01` is not below train"],
    );
    let twice = ["train/lion", "test/lion"].map(|name| ClassImages {
        name: name.into(),
        alphabet: "cats".into(),
        pixels: vec![0],
    });
    check_refused(
        &Dataset::from_classes("mine", 1, twice).unwrap(),
        "folders",
        &["class `lion` is in Train and in Test"],
    );
    check_refused(
        &dataset,
        "random:3,1,1",
        &["classes of `made`", "5 needed, 4 there"],
    );
    check_refused(
        &dataset,
        "random-alphabets",
        &["no class is left for Test", "1 alphabets"],
    );
    check_refused(&dataset, "random:4,0,0", &["no class is left for Test"]);
    check_refused(&dataset, "random:0.5,0.6,0.1", &["not three parts of 1"]);
    check_refused(&dataset, "random:0.5,0.5,NaN", &["not three parts of 1"]);
    let mut part = names_of_omniglot();
    part.classes.truncate(1_600);
    check_refused(&part, "vinyals", &["23 listed names are not in the data"]);
}

#[test]
fn rules_are_written_as_they_are_read() {
    for text in [
        "lake",
        "vinyals",
        "alphabets",
        "folders",
        "random:60,20,20",
        "random-alphabets:0.5,0.5,0.0",
    ] {
        let rule: SplitRule = text.parse().unwrap();
        assert_eq!(rule.to_string(), text);
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<SplitRule>(&json).unwrap(), rule);
    }
    // Shares that happen to be whole numbers stay shares.
    let whole = SplitRule::Random {
        unit: Unit::Class,
        amounts: Amounts::Shares([1.0, 0.0, 0.0]),
    };
    assert_eq!(whole.to_string().parse::<SplitRule>().unwrap(), whole);
    for (text, expected) in [
        ("lakes", "did you mean `lake`"),
        ("random:1,2", "three counts"),
        ("random:a,b,c", "three counts"),
        ("lake:1,2,3", "takes no numbers"),
    ] {
        let message = text.parse::<SplitRule>().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
