//! Tests of IDX reading, against files written here byte by byte and against real ones.

use std::io::Write;

use super::*;
use crate::test_data;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three images of 2x3 with labels 7, 1, 7.
const IMAGES: &[u8] = &[
    0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3, //
    0, 0, 60, 0, 0, 60, 9, 9, 9, 9, 9, 9, 30, 30, 30, 0, 0, 0,
];
const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 3, 7, 1, 7];

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn a_pair_is_grouped_by_label() {
    let plain = folder(&[
        ("t10k-images-idx3-ubyte", IMAGES),
        ("t10k-labels-idx1-ubyte", LABELS),
    ]);
    let packed = folder(&[
        ("t10k-images.idx3-ubyte.gz", &gz(IMAGES)),
        ("t10k-labels.idx1-ubyte.gz", &gz(LABELS)),
    ]);
    let mut digests = Vec::new();
    for dir in [&plain, &packed] {
        let dataset = load(dir.path(), 2, Ink::Bright).unwrap();
        let names: Vec<_> = dataset
            .classes
            .iter()
            .map(|c| (c.name.as_str(), c.n_images))
            .collect();
        assert_eq!(names, [("1", 1), ("7", 2)]);
        // 3 -> 2 columns: (a + b/2) / 1.5 and (b/2 + c) / 1.5.
        assert_eq!(dataset.pixels, [9, 9, 9, 9, 0, 40, 0, 40, 30, 30, 0, 0]);
        digests.push(dataset.digest);
    }
    assert_eq!(digests[0], digests[1], "the container does not matter");
    let inverted = load(plain.path(), 2, Ink::Dark).unwrap();
    assert_eq!(inverted.pixels[..4], [246; 4]);
    let by_file = load(&plain.path().join("t10k-images-idx3-ubyte"), 2, Ink::Auto).unwrap();
    assert_eq!(by_file.pixels[..4], [9; 4], "a dark ring is paper");
}

#[test]
fn images_keep_a_shape_that_is_not_square() {
    let dir = folder(&[
        ("t10k-images-idx3-ubyte", IMAGES),
        ("t10k-labels-idx1-ubyte", LABELS),
    ]);
    let size = |height, width| ImageSize { height, width };
    let dataset = load(dir.path(), size(2, 3), Ink::Bright).unwrap();
    assert_eq!((dataset.size, dataset.n_images()), (size(2, 3), 3));
    let expected = [[9; 6], [0, 0, 60, 0, 0, 60], [30, 30, 30, 0, 0, 0]];
    assert_eq!(dataset.pixels, expected.concat());
    let squeezed = load(dir.path(), size(1, 3), Ink::Bright).unwrap();
    assert_eq!(squeezed.image(2), [15; 3]);
    let square = load(dir.path(), 2, Ink::Bright).unwrap();
    assert_eq!(square.digest, dataset.digest, "the content is the same");
    for wrong in [size(0, 3), size(2, 5000)] {
        assert!(load(dir.path(), wrong, Ink::Bright).is_err());
    }
}

#[test]
fn several_pairs_are_joined_in_order_of_their_names() {
    let mut other = LABELS.to_vec();
    other[8] = 1;
    let dir = folder(&[
        ("train-images-idx3-ubyte", IMAGES),
        ("train-labels-idx1-ubyte", LABELS),
        ("t10k-images-idx3-ubyte", IMAGES),
        (
            "t10k-images-idx3-ubyte.gz",
            b"never read: the plain file is there",
        ),
        ("t10k-labels-idx1-ubyte", &other),
    ]);
    let dataset = load(dir.path(), 2, Ink::Bright).unwrap();
    let counts: Vec<_> = dataset.classes.iter().map(|class| class.n_images).collect();
    assert_eq!(counts, [3, 3]);
    assert_eq!(dataset.image(0), [0, 40, 0, 40], "t10k comes before train");
}

fn check_refused(images: &[u8], labels: &[u8], expected: &str) {
    let dir = folder(&[
        ("a-images-idx3-ubyte", images),
        ("a-labels-idx1-ubyte", labels),
    ]);
    let message = load(dir.path(), 28, Ink::Auto).unwrap_err().to_string();
    assert!(
        message.contains(expected) && message.contains("-idx"),
        "{message}"
    );
}

#[test]
fn damaged_files_are_named() {
    check_refused(
        &IMAGES[..30],
        LABELS,
        "holds 14 bytes where [3, 2, 3] means 18",
    );
    check_refused(
        &[IMAGES, &[0, 0]].concat(),
        LABELS,
        "holds 19 or more bytes",
    );
    check_refused(IMAGES, IMAGES, "starts with [0, 0, 8, 3]");
    check_refused(&IMAGES[..9], LABELS, "cannot be unpacked");
    check_refused(&gz(IMAGES)[..30], LABELS, "cannot be unpacked");
    check_refused(
        &[
            0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 9,
        ],
        LABELS,
        "more than 4 GiB",
    );
    let mut fewer = LABELS[..10].to_vec();
    fewer[7] = 2;
    check_refused(IMAGES, &fewer, "2 labels for the 3 images");
    let empty = folder(&[]);
    let message = load(empty.path(), 28, Ink::Auto).unwrap_err().to_string();
    assert!(message.contains("no IDX images"), "{message}");
    let alone = folder(&[("a-images-idx3-ubyte", IMAGES)]);
    let message = load(alone.path(), 28, Ink::Auto).unwrap_err().to_string();
    assert!(message.contains("a-labels-idx1-ubyte"), "{message}");
}

#[test]
fn real_sets_have_their_published_counts() {
    let Some(kmnist) = test_data::folder("kmnist-test") else {
        return;
    };
    let dataset = load(&kmnist, 28, Ink::Auto).unwrap();
    assert_eq!((dataset.classes.len(), dataset.n_images()), (10, 10_000));
    assert!(dataset.classes.iter().all(|class| class.n_images == 1_000));
    let mean = dataset
        .pixels
        .iter()
        .map(|&byte| f64::from(byte))
        .sum::<f64>()
        / dataset.pixels.len() as f64;
    assert!(mean < 64.0, "mostly paper, and paper is 0: {mean}");

    let digits = load(
        &kmnist.with_file_name("sign-language-digits"),
        28,
        Ink::Bright,
    )
    .unwrap();
    let counts: Vec<_> = digits.classes.iter().map(|class| class.n_images).collect();
    assert_eq!(counts, [205, 206, 206, 206, 207, 207, 207, 206, 208, 204]);
}

/// Bombs are refused by what they declare, before anything of that size is allocated.
#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    let header = |n: u32, height: u32, width: u32| {
        let mut bytes = vec![0, 0, 8, 3];
        for length in [n, height, width] {
            bytes.extend(length.to_be_bytes());
        }
        bytes
    };
    let labels = |n: u32| {
        let mut bytes = vec![0, 0, 8, 1];
        bytes.extend(n.to_be_bytes());
        bytes.extend(vec![0; n as usize]);
        bytes
    };
    let refused = |images: &[u8], labels: &[u8], side: usize, expected: &str| {
        let dir = folder(&[
            ("a-images-idx3-ubyte", images),
            ("a-labels-idx1-ubyte", labels),
        ]);
        let message = load(dir.path(), side, Ink::Auto).unwrap_err().to_string();
        assert!(message.contains("a-images-idx3-ubyte"), "{message}");
        assert!(message.contains(expected), "{message}");
    };
    // Four billion bytes out of forty.
    let bomb = gz(&header(60_000, 250, 250));
    refused(&bomb, &labels(60_000), 28, "decompression bomb");
    // Images of one pixel made 512x512: 26 GB out of 100 kB.
    let mut small = header(100_000, 1, 1);
    small.extend(vec![7; 100_000]);
    refused(&small, &labels(100_000), 512, "26214400000 bytes");
}
