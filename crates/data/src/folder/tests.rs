//! Tests of folders of images, written here as PNG, JPEG and BMP.

use super::*;
use crate::{MetaSplit, Seeds, Split, SplitRule};

/// A 4x4 image of one grey value with a frame of another.
fn write(path: &Path, frame: u8, inside: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::GrayImage::from_fn(4, 4, |x, y| {
        let is_inside = (1..3).contains(&x) && (1..3).contains(&y);
        image::Luma([if is_inside { inside } else { frame }])
    })
    .save(path)
    .unwrap();
}

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset
        .classes
        .iter()
        .map(|class| class.name.as_str())
        .collect()
}

#[test]
fn classes_and_images_are_sorted_and_other_files_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("mine");
    for (file, grey) in [
        ("b/2.bmp", 20),
        ("b/10.PNG", 10),
        ("a/x.png", 30),
        ("b/3.png", 40),
    ] {
        write(&root.join(file), 0, grey);
    }
    fs::write(root.join("notes.txt"), "no image").unwrap();
    fs::write(root.join("b/.hidden.png"), "no image").unwrap();
    let dataset = load(&root, 4, Ink::Auto, None).unwrap();
    assert_eq!(
        (dataset.name.as_str(), names(&dataset)),
        ("mine", vec!["a", "b"])
    );
    assert_eq!(dataset.alphabets, ["."]);
    let inside: Vec<u8> = (0..4)
        .map(|image_idx| dataset.image(image_idx)[5])
        .collect();
    assert_eq!(inside, [30, 10, 20, 40], "10.PNG before 2.bmp before 3.png");
    assert_eq!(
        load(&root, 2, Ink::Auto, None).unwrap().digest,
        dataset.digest,
        "content, not size"
    );
}

#[test]
fn ink_becomes_bright() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("a/1.png"), 250, 10);
    let inside = |ink| load(dir.path(), 4, ink, None).unwrap().image(0)[5];
    assert_eq!(
        (inside(Ink::Auto), inside(Ink::Dark), inside(Ink::Bright)),
        (245, 245, 10)
    );
}

#[test]
fn alphabets_and_parts_come_from_the_folders() {
    let dir = tempfile::tempdir().unwrap();
    for class in [
        "train/cats/lion",
        "train/cats/lynx",
        "train/dogs/wolf",
        "val/birds/owl",
        "test/fish/eel",
    ] {
        write(&dir.path().join(class).join("1.jpg"), 0, 200);
    }
    let dataset = load(dir.path(), 28, Ink::Auto, None).unwrap();
    assert_eq!(
        dataset.alphabets,
        ["test/fish", "train/cats", "train/dogs", "val/birds"]
    );
    let split = Split::new(&dataset, &SplitRule::Folders, &Seeds::all(0)).unwrap();
    assert_eq!(
        split.class_names(&dataset, MetaSplit::Train),
        ["train/cats/lion", "train/cats/lynx", "train/dogs/wolf"]
    );
    assert_eq!(
        split.class_names(&dataset, MetaSplit::Validation),
        ["val/birds/owl"]
    );

    write(&dir.path().join("loose/1.png"), 0, 200);
    let dataset = load(dir.path(), 28, Ink::Auto, None).unwrap();
    let message = Split::new(&dataset, &SplitRule::Folders, &Seeds::all(0))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("class `loose` is not below train"),
        "{message}"
    );
}

/// Whatever the split rule, `train/lion` would be learnt and `test/lion` tested: the same class.
#[test]
fn a_class_in_two_parts_is_refused_with_both_paths() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["train/lion", "train/wolf", "valid/owl", "test/lion"] {
        write(&dir.path().join(class).join("1.png"), 0, 200);
    }
    let message = load(dir.path(), 4, Ink::Auto, None)
        .unwrap_err()
        .to_string();
    for part in ["test/lion", "train/lion", "the split `random`"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    // Where other folders stand beside them, they are alphabets, and equal names in two alphabets are two classes.
    write(&dir.path().join("other/lion/1.png"), 0, 200);
    let dataset = load(dir.path(), 4, Ink::Auto, None).unwrap();
    assert_eq!(dataset.alphabets, ["other", "test", "train", "valid"]);
}

#[test]
fn the_cache_serves_the_same_images_and_notices_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("images");
    let cache = Cache::new(dir.path().join("cache"));
    write(&root.join("a/1.png"), 0, 100);
    let cold = load(&root, 4, Ink::Auto, Some(&cache)).unwrap();
    let moved = dir.path().join("moved");
    fs::rename(&root, &moved).unwrap();
    let warm = load(&moved, 4, Ink::Auto, Some(&cache)).unwrap();
    assert_eq!((&warm.pixels, &warm.digest), (&cold.pixels, &cold.digest));
    assert_eq!(warm.name, "moved");
    write(&moved.join("a/1.png"), 0, 101);
    let changed = load(&moved, 4, Ink::Auto, Some(&cache)).unwrap();
    assert_eq!(changed.image(0)[5], 101);
    assert_ne!(changed.digest, cold.digest);
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let check = |file: &str, expected: &str| {
        let message = load(dir.path(), 28, Ink::Auto, None)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(file) && message.contains(expected),
            "{message}"
        );
    };
    check("", "no images below this folder");
    fs::create_dir(dir.path().join("a")).unwrap();
    fs::write(dir.path().join("a/bad.png"), "not a picture").unwrap();
    check("bad.png", "not a readable image");
    fs::remove_file(dir.path().join("a/bad.png")).unwrap();
    write(&dir.path().join("stray.png"), 0, 1);
    check("stray.png", "outside of any class folder");
    assert!(
        load(&dir.path().join("nowhere"), 28, Ink::Auto, None)
            .unwrap_err()
            .to_string()
            .contains("nowhere")
    );
}
