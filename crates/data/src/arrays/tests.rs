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
        size: 4.into(),
        ink: crate::Ink::Bright,
        ..Reading::default()
    };
    load(path, reading)
}

/// Which images each class has, by their second pixel, which is ten times their number.
fn numbers(dataset: &Dataset) -> Vec<(&str, Vec<u8>)> {
    let classes = dataset.classes.iter();
    let of_class = classes.map(|class| {
        let images = class.images();
        let second = |image_idx: usize| dataset.image(image_idx)[dataset.channels] / 10;
        (class.name.as_str(), images.map(second).collect())
    });
    of_class.collect()
}

fn of_pickle(bytes: Vec<u8>) -> Result<Vec<Labelled>, String> {
    let source = Source::new(std::io::Cursor::new(bytes)).unwrap();
    meaning::of_pickle(&Arc::new(source), &mut Sha256::new())
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

/// Names of the classes of a folder with a copy of a file (labels 5 and 6) under each of these names.
fn classes_of(source: &str, names: &[&str]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(kept(source), dir.path().join(name)).unwrap();
    }
    let dataset = open(dir.path()).unwrap();
    dataset.classes.into_iter().map(|it| it.name).collect()
}

#[test]
fn files_that_differ_in_more_than_numbers_do_not_share_their_classes() {
    let animals = classes_of("cifar.pkl", &["animals.pkl", "plants.pkl"]);
    assert_eq!(animals, ["animals/5", "animals/6", "plants/5", "plants/6"]);
    let of_part = classes_of("cifar.pkl", &["animals_train.pkl", "plants_train.pkl"]);
    let expected = [
        "train/animals/5",
        "train/animals/6",
        "train/plants/5",
        "train/plants/6",
    ];
    assert_eq!(of_part, expected);
    let inside = classes_of("keras.npz", &["a.npz", "b.npz"]);
    let expected = [
        "test/a/-3",
        "test/b/-3",
        "train/a/0",
        "train/a/7",
        "train/b/0",
        "train/b/7",
    ];
    assert_eq!(inside, expected);

    // Pieces of one.
    let pieces = ["train-00000-of-00002.pkl", "train-00001-of-00002.pkl"];
    assert_eq!(classes_of("cifar.pkl", &pieces), ["train/5", "train/6"]);
    let pieces = ["0000.pkl", "0001.pkl"];
    assert_eq!(classes_of("cifar.pkl", &pieces), ["5", "6"]);
    assert_eq!(classes_of("cifar.pkl", &["train.pkl"]), ["5", "6"]);
}

/// An NPY file of version 1.0.
fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version and length are 10 bytes; the data begin at a multiple of 64.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let header = format!("{header:<width$}\n", width = length - 1);
    let length = u16::try_from(length).unwrap().to_le_bytes();
    let magic = b"\x93NUMPY\x01\x00".as_slice();
    [magic, length.as_slice(), header.as_bytes(), data].concat()
}

#[test]
fn sorted_labels_are_no_bomb() {
    use std::io::{Cursor, Write as _};

    // np.repeat(np.arange(16), 2400), and images of 2 x 2.
    let labels: Vec<u8> = (0..16_i64)
        .flat_map(|label| [label; 2400])
        .flat_map(i64::to_le_bytes)
        .collect();
    let pixels: Vec<u8> = (0..4 * 38_400_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("images.npy", npy("|u1", "38400, 2, 2", &pixels)),
        ("labels.npy", npy("<i8", "38400,", &labels)),
    ] {
        let options = zip::write::SimpleFileOptions::default().compression_level(Some(9));
        writer.start_file(name, options).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let ratio = {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes.clone())).unwrap();
        let entry = archive.by_name("labels.npy").unwrap();
        entry.size() / entry.compressed_size()
    };
    assert!(ratio > 200, "{ratio}");

    let tables = npz::read(Cursor::new(bytes)).unwrap();
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].images.len(), 38_400);
    assert_eq!(tables[0].labels.len(), 38_400);
    let at = [0, 2399, 2400, 38_399].map(|at| tables[0].labels[at].as_str());
    assert_eq!(at, ["0", "0", "1", "15"]);
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
        assert!(of_pickle(bytes[..length].to_vec()).is_err(), "{length}");
    }
    let (mut n_read, mut n_refused) = (0, 0);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x55;
        // A changed pixel or letter is read; what comes out is never more than what is there.
        match of_pickle(changed) {
            Ok(tables) => {
                n_read += 1;
                let images = tables.iter().flat_map(|table| &table.images);
                let n_bytes: u64 = images.map(Stored::n_bytes).sum();
                assert!(n_bytes <= bytes.len() as u64, "byte {at}: {n_bytes}");
            }
            Err(problem) => {
                n_refused += 1;
                assert!(!problem.is_empty(), "byte {at}");
            }
        }
    }
    assert!(n_read > 0 && n_refused > 0, "{n_read} {n_refused}");
}

/// The value of a pickle that begins so and ends with many times the same; or why it is refused.
fn read_of(start: &[u8], repeated: &[u8], times: usize) -> Result<(), String> {
    let mut file = start.to_vec();
    file.extend(repeated.repeat(times));
    file.push(b'.');
    let n_bytes = file.len() as u64;
    pickle::Pickle::read(&mut file.as_slice(), n_bytes).map(drop)
}

#[test]
fn short_pickles_do_not_make_much_of_little() {
    // A tuple of a million None, noted as 0; OrderedDict as 1; then OrderedDict(*tuple), again and again.
    let mut million = b"(".to_vec();
    million.extend(b"N".repeat(1_000_000));
    million.extend(b"tq\x00");
    let mut dict = million.clone();
    dict.extend(b"ccollections\nOrderedDict\nq\x01");
    read_of(&dict, b"h\x01h\x00R", 2).unwrap();
    let refused = read_of(&dict, b"h\x01h\x00R", 1000).unwrap_err();
    assert!(refused.contains("makes or copies more than"), "{refused}");

    // Arrays of objects whose objects are that tuple: (1, (), dtype, False, tuple) as state.
    let mut array = million;
    array.extend(b"cnumpy\ndtype\n(X\x02\x00\x00\x00O8tRq\x01(K\x01)h\x01\x89h\x00tq\x02");
    array.extend(b"cnumpy.core.multiarray\n_reconstruct\nq\x03");
    read_of(&array, b"h\x03)Rh\x02b", 2).unwrap();
    let refused = read_of(&array, b"h\x03)Rh\x02b", 1000).unwrap_err();
    assert!(refused.contains("makes or copies more than"), "{refused}");

    // {"images": [a picture], "labels": [a text of a megabyte, noted as 0, a thousand times]}.
    let mut file = b"X\x00\x00\x10\x00".to_vec();
    file.extend(b"a".repeat(1 << 20));
    file.extend(b"q\x000}(X\x06\x00\x00\x00images](C\x01xeX\x06\x00\x00\x00labels](");
    file.extend(b"h\x00".repeat(1000));
    file.extend(b"eu.");
    let refused = of_pickle(file).err().unwrap();
    assert!(
        refused.contains("label") && refused.contains("255 bytes"),
        "{refused}"
    );
}

mod streamed;
