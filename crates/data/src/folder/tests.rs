//! Tests of folders of images, written here as PNG, JPEG and BMP.

use super::*;
use crate::{Channels, Ink, MetaSplit, Paper, Seeds, Split, SplitRule};

/// With everything else as the pictures tell.
fn load(root: &Path, side: usize, ink: Ink, cache: Option<&Cache>) -> Result<Dataset, DataError> {
    let reading = Reading {
        size: side.into(),
        ink,
        ..Reading::default()
    };
    super::load(root, reading, cache)
}

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
fn images_of_a_shape_that_is_not_square_come_back_from_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("mine");
    for class in ["a", "b"] {
        write(&root.join(class).join("1.png"), 0, 200);
    }
    let cache = Cache::new(dir.path().join("cache"));
    let reading = Reading {
        size: "4x2".parse().unwrap(),
        ink: Ink::Bright,
        ..Reading::default()
    };
    let first = super::load(&root, reading, Some(&cache)).unwrap();
    // Columns in pairs: the frame with itself, then the frame with the inside.
    assert_eq!(first.image(1), [0, 0, 100, 100, 100, 100, 0, 0]);
    let kept: Vec<_> = fs::read_dir(&cache.dir).unwrap().collect();
    assert_eq!(kept.len(), 1);
    let name = kept[0].as_ref().unwrap().file_name().into_string().unwrap();
    assert!(name.starts_with("folder-4x2-"), "{name}");
    let second = super::load(&root, reading, Some(&cache)).unwrap();
    assert_eq!((second.size, &second.pixels), (first.size, &first.pixels));
    // As many bytes in another shape are another entry.
    let turned = Reading {
        size: "2x4".parse().unwrap(),
        ..reading
    };
    let turned = super::load(&root, turned, Some(&cache)).unwrap();
    assert_eq!(turned.image(0), [0, 100, 100, 0, 0, 100, 100, 0]);
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
        message.contains("class `loose` is not below train (or base)"),
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

/// A drawing of an even grey `level` with one bright corner, in the format that the name says.
fn drawing(path: &Path, level: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixel = |x, y| image::Luma([if x + y == 0 { 255 } else { level }]);
    image::DynamicImage::ImageLuma8(image::GrayImage::from_fn(4, 4, pixel))
        .into_rgb8()
        .save(path)
        .unwrap();
}

#[test]
fn tiff_and_webp_are_the_same_pixels_as_png() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["a/1.png", "b/1.tif", "c/1.tiff", "d/1.webp"] {
        drawing(&dir.path().join(file), 40);
    }
    let dataset = load(dir.path(), 4, Ink::Bright, None).unwrap();
    assert_eq!(names(&dataset), ["a", "b", "c", "d"]);
    for image_idx in 1..4 {
        assert_eq!(dataset.image(image_idx), dataset.image(0));
    }
    assert_eq!((dataset.image(0)[0], dataset.image(0)[5]), (255, 40));
}

#[test]
fn the_receipt_names_what_is_left_and_what_is_equal() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("mine");
    let cache = Cache::new(dir.path().join("cache"));
    drawing(&root.join("a/1.png"), 10);
    drawing(&root.join("a/2.png"), 20);
    fs::copy(root.join("a/1.png"), root.join("a/copy.png")).unwrap();
    drawing(&root.join("b/1.png"), 30);
    fs::copy(root.join("b/1.png"), root.join("a/other.png")).unwrap();
    write(&root.join("b/blank.png"), 7, 7);
    fs::create_dir_all(root.join("c")).unwrap();
    fs::write(root.join("c/1.heic"), "another format").unwrap();
    fs::write(root.join("notes.txt"), "a note").unwrap();
    image::RgbImage::from_pixel(4, 4, image::Rgb([200, 0, 0]))
        .save(root.join("b/red.png"))
        .unwrap();
    let cold = load(&root, 4, Ink::Auto, Some(&cache)).unwrap();
    let warm = load(&root, 4, Ink::Auto, Some(&cache)).unwrap();
    assert_eq!(cold.receipt, warm.receipt, "the cache tells as much");
    let receipt = cold.receipt.unwrap();
    assert_eq!(receipt.classes, [("a".to_owned(), 4), ("b".to_owned(), 3)]);
    assert_eq!(receipt.skipped["heic"], [PathBuf::from("c/1.heic")]);
    assert_eq!(receipt.skipped["txt"], [PathBuf::from("notes.txt")]);
    assert_eq!(receipt.without_images, [PathBuf::from("c")]);
    let files = |places: &[Place]| -> Vec<PathBuf> {
        places.iter().map(|place| place.file.clone()).collect()
    };
    assert_eq!(receipt.equal.len(), 2);
    let over: Vec<_> = receipt.equal_over_classes().map(|g| files(g)).collect();
    assert_eq!(
        over,
        [["a/other.png", "b/1.png"].map(PathBuf::from).to_vec()]
    );
    assert_eq!(
        files(&receipt.constant),
        ["b/blank.png", "b/red.png"].map(PathBuf::from)
    );
    assert_eq!(receipt.decoding.n_colour, 1, "grey stored as RGB is grey");
    let text = receipt.to_string();
    for part in [
        "7 images of 2 classes",
        "1 images have colours",
        "c/1.heic",
        "a/1.png = a/copy.png",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn equal_pictures_in_two_parts_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (idx, class) in [(1, "base/lion"), (2, "Meta_Val/owl"), (3, "novel/eel")] {
        drawing(&dir.path().join(class).join("1.png"), 10 * idx);
    }
    let split = |dataset: &Dataset| Split::new(dataset, &SplitRule::Folders, &Seeds::all(0));
    let dataset = load(dir.path(), 4, Ink::Auto, None).unwrap();
    let parts = split(&dataset).unwrap();
    assert_eq!(parts.class_names(&dataset, MetaSplit::Test), ["novel/eel"]);
    parts.refuse_equal_over_parts(&dataset).unwrap();

    let copy = dir.path().join("novel/eel/2.png");
    fs::copy(dir.path().join("base/lion/1.png"), copy).unwrap();
    let dataset = load(dir.path(), 4, Ink::Auto, None).unwrap();
    let refused = split(&dataset).unwrap().refuse_equal_over_parts(&dataset);
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains("base/lion/1.png = novel/eel/2.png")
            && message.contains("data.allow_duplicates = true"),
        "{message}"
    );
}

#[test]
fn small_classes_are_left_out_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for (idx, file) in (1..).zip(["a/1.png", "a/2.png", "b/1.png", "c/1.png", "c/2.png"]) {
        drawing(&dir.path().join(file), 10 * idx);
    }
    let whole = load(dir.path(), 4, Ink::Auto, None).unwrap();
    let all = whole.clone().without_small(1).unwrap();
    assert_eq!((&all.digest, &all.pixels), (&whole.digest, &whole.pixels));
    let dataset = whole.clone().without_small(2).unwrap();
    assert_eq!(names(&dataset), ["a", "c"]);
    assert_eq!(
        (dataset.image(1), dataset.image(2)),
        (whole.image(1), whole.image(3))
    );
    assert_ne!(dataset.digest, whole.digest);
    let receipt = dataset.receipt.unwrap();
    assert_eq!(receipt.left_out, [("b".to_owned(), 1)]);
    assert_eq!(
        receipt.files,
        ["a/1.png", "a/2.png", "c/1.png", "c/2.png"].map(PathBuf::from)
    );
    assert!(
        whole
            .without_small(3)
            .unwrap_err()
            .to_string()
            .contains("3 needed, 2 there")
    );
}

#[test]
fn tables_say_which_image_is_of_which_class() {
    let dir = tempfile::tempdir().unwrap();
    for idx in 0..5 {
        drawing(&dir.path().join(format!("images/{idx}.png")), 10 * idx);
    }
    let table = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    table(
        "train.csv",
        "filename,label\r\n0.png,\"big, cat\"\r\n1.png,dog\r\n",
    );
    table("val.csv", "label,filename\nowl,images/2.png\n");
    table("test.csv", "filename,label\n3.png,eel\n");
    let dataset = load(dir.path(), 4, Ink::Auto, None).unwrap();
    assert_eq!(
        names(&dataset),
        ["test/eel", "train/big, cat", "train/dog", "val/owl"]
    );
    assert_eq!(dataset.image(1)[5], 0);
    let receipt = dataset.receipt.unwrap();
    assert_eq!(receipt.unlisted, [PathBuf::from("images/4.png")]);
    table("test.csv", "filename,label\n3.png,eel\n9.png,eel\n");
    let message = load(dir.path(), 4, Ink::Auto, None)
        .unwrap_err()
        .to_string();
    assert!(message.contains("line 3: no image `9.png`"), "{message}");
}

/// A 4x4 image of `inside` on `around`, each with its alpha.
fn icon(path: &Path, inside: [u8; 4], around: [u8; 4]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::RgbaImage::from_fn(4, 4, |x, y| {
        let is_inside = (1..3).contains(&x) && (1..3).contains(&y);
        image::Rgba(if is_inside { inside } else { around })
    })
    .save(path)
    .unwrap();
}

#[test]
fn colour_is_kept_where_there_is_some_and_made_grey_only_when_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("a/grey.png"), 0, 90);
    icon(
        &dir.path().join("b/red.png"),
        [200, 10, 20, 255],
        [0, 0, 0, 255],
    );
    let with = |channels| {
        let reading = Reading {
            size: 4.into(),
            channels,
            ..Reading::default()
        };
        super::load(dir.path(), reading, None).unwrap()
    };
    let auto = with(Channels::Auto);
    assert_eq!(auto.channels, 3);
    assert_eq!(auto.image(1)[15..18], [200, 10, 20], "row 1, column 1");
    assert_eq!(auto.image(0)[15..18], [90; 3], "grey is repeated");
    let grey = with(Channels::One);
    assert_eq!(grey.channels, 1);
    assert_eq!(grey.pixels, auto.clone().with_channels(1).pixels);
    assert_eq!(grey.digest, auto.digest, "content, not what is made of it");
    let text = grey.receipt.unwrap().to_string();
    assert!(
        text.contains("1 images have colours and BECOME GREY"),
        "{text}"
    );
    let text = auto.receipt.unwrap().to_string();
    assert!(
        text.contains("channels: 3 (red, green, blue): 1 images"),
        "{text}"
    );

    fs::remove_dir_all(dir.path().join("b")).unwrap();
    assert_eq!(with(Channels::Auto).channels, 1, "no colour is left");
    assert_eq!(with(Channels::Three).channels, 3);
}

#[test]
fn white_drawings_on_transparency_lie_on_black_and_dark_ones_on_white() {
    let dir = tempfile::tempdir().unwrap();
    let clear = [0, 0, 0, 0];
    icon(&dir.path().join("a/1.png"), [255, 255, 255, 255], clear);
    icon(&dir.path().join("b/1.png"), [250, 250, 250, 255], clear);
    let with = |paper| {
        let reading = Reading {
            size: 4.into(),
            paper,
            ..Reading::default()
        };
        super::load(dir.path(), reading, None).unwrap()
    };
    let auto = with(Paper::Auto);
    assert_eq!(
        (auto.image(0)[0], auto.image(0)[5]),
        (0, 255),
        "ink is bright"
    );
    let receipt = auto.receipt.unwrap();
    assert!(receipt.constant.is_empty());
    let text = receipt.to_string();
    let why = "laid on black paper (0 cannot be seen on it, 2 on white";
    assert!(text.contains(why), "{text}");
    let blank = with(Paper::White);
    assert_eq!(blank.receipt.unwrap().constant.len(), 1);

    for class in ["c", "d", "e"] {
        icon(&dir.path().join(class).join("1.png"), [0, 0, 0, 255], clear);
    }
    let mixed = with(Paper::Auto);
    assert!(
        !mixed.decoding.unwrap().is_on_black,
        "3 would vanish on black"
    );
}

#[test]
fn pictures_are_equal_by_their_pixels_however_they_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    for (file, level) in [
        ("train/a/1.png", 10),
        ("train/a/2.png", 20),
        ("val/b/1.png", 30),
    ] {
        drawing(&dir.path().join(file), level);
    }
    drawing(&dir.path().join("test/c/1.bmp"), 20);
    let dataset = load(dir.path(), 4, Ink::Auto, None).unwrap();
    let split = Split::new(&dataset, &SplitRule::Folders, &Seeds::all(0)).unwrap();
    let refused = split
        .refuse_equal_over_parts(&dataset)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("test/c/1.bmp = train/a/2.png"),
        "{refused}"
    );
}
