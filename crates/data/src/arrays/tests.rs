//! Files that numpy and Python's pickle wrote (`tests/arrays/make.py`).

use super::*;
use crate::{MetaSplit, Seeds, Split, SplitRule};

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/arrays")
        .join(name)
}

fn open(path: &Path) -> Result<Dataset, DataError> {
    let reading = Reading {
        side: 4,
        ink: crate::Ink::Bright,
        ..Reading::default()
    };
    load(path, reading)
}

/// Which images each class has, by their second pixel, which is ten times their number.
fn numbers(dataset: &Dataset) -> Vec<(&str, Vec<u8>)> {
    let classes = dataset.classes.iter();
    let of_class = classes.map(|class| {
        let images = class.first_image..class.first_image + class.n_images;
        let second = |image_idx: usize| dataset.image(image_idx)[dataset.channels] / 10;
        (class.name.as_str(), images.map(second).collect())
    });
    of_class.collect()
}

fn refusal(name: &str) -> String {
    open(&kept(name)).unwrap_err().to_string()
}

#[test]
fn parts_of_one_archive_share_their_classes_unless_no_label_is_in_two() {
    let dataset = open(&kept("medmnist.npz")).unwrap();
    let expected = [
        ("0", vec![8, 10, 0, 2, 4, 6]),
        ("1", vec![9, 11, 1, 3, 5, 7]),
    ];
    assert_eq!(numbers(&dataset), expected, "test, train, val");
    assert_eq!(dataset.channels, 3);
    assert_eq!(dataset.image(2)[..6], [200, 220, 240, 0, 20, 40]);
    let receipt = dataset.receipt.unwrap();
    assert_eq!(receipt.decoding.n_colour, 12);
    assert!(receipt.to_string().contains("12 images of 2 classes"));

    let dataset = open(&kept("keras.npz")).unwrap();
    let expected = [
        ("test/-3", vec![4, 5]),
        ("train/0", vec![0, 1]),
        ("train/7", vec![2, 3]),
    ];
    assert_eq!(numbers(&dataset), expected);
    assert_eq!(dataset.channels, 1);
    let split = Split::new(&dataset, &SplitRule::Folders, &Seeds::all(0)).unwrap();
    assert_eq!(split.class_names(&dataset, MetaSplit::Test), ["test/-3"]);
}

#[test]
fn channels_may_lie_one_after_the_other() {
    let dataset = open(&kept("planar.npz")).unwrap();
    assert_eq!(dataset.image(1)[..6], [201, 221, 241, 10, 30, 50]);
}

#[test]
fn pickles_of_every_protocol_are_the_same_images() {
    for protocol in 0..6 {
        let name = format!("cache-protocol-{protocol}.pkl");
        let dataset = open(&kept(&name)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            numbers(&dataset),
            [("n01", vec![0, 2]), ("n02", vec![3, 1])]
        );
        assert_eq!(dataset.image(1)[..6], [202, 222, 242, 20, 40, 60], "{name}");
    }
    let cifar = open(&kept("cifar.pkl")).unwrap();
    assert_eq!(numbers(&cifar), [("5", vec![0, 2]), ("6", vec![1])]);
    let encoded = open(&kept("encoded.pkl")).unwrap();
    assert_eq!(numbers(&encoded), [("3", vec![0]), ("4", vec![1])]);
    assert_eq!(encoded.image(1)[..6], [201, 221, 241, 10, 30, 50]);
}

#[test]
fn files_of_a_folder_are_parts_with_classes_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "mini-cache-train.pkl",
        "mini-cache-val.pkl",
        "mini_test.pkl",
    ] {
        fs::copy(kept("cifar.pkl"), dir.path().join(name)).unwrap();
    }
    let dataset = open(dir.path()).unwrap();
    let names: Vec<_> = dataset.classes.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        ["test/5", "test/6", "train/5", "train/6", "val/5", "val/6"]
    );
}

#[test]
fn what_is_no_image_is_refused_with_its_name() {
    let evil = refusal("evil.pkl");
    assert!(
        evil.contains("builtin")
            && evil.contains("print")
            && evil.contains("nothing of it was run"),
        "{evil}"
    );
    let fractions = refusal("fractions.npz");
    assert!(
        fractions.contains("array `images`") && fractions.contains("f8"),
        "{fractions}"
    );
}

#[test]
fn cut_pickles_are_refused_and_never_read_beyond_their_end() {
    let bytes = fs::read(kept("cache-protocol-2.pkl")).unwrap();
    for length in 0..bytes.len() {
        assert!(
            meaning::of_pickle(bytes[..length].to_vec()).is_err(),
            "{length}"
        );
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x55;
        // Whatever comes out, it ends.
        let _ = meaning::of_pickle(changed);
    }
}
