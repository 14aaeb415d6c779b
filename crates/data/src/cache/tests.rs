//! Tests of the cache: damage of any kind leads to a rebuild, never to other data.

use std::cell::{Cell, RefCell};

use super::*;
use crate::ClassImages;

fn tiny() -> Dataset {
    let class = |name: &str, pixels: Vec<u8>| ClassImages {
        name: name.into(),
        alphabet: "one".into(),
        pixels,
    };
    Dataset::from_classes(
        "tiny",
        2,
        [class("a", (0..8).collect()), class("b", vec![9; 4])],
    )
    .unwrap()
}

fn key(content: &str) -> CacheKey<'static> {
    CacheKey {
        name: "tiny",
        content: content.into(),
        size: 2.into(),
        settings: "area".into(),
    }
}

/// Loads through the cache; tells whether the data set was built.
fn load(cache_dir: &Path, key: &CacheKey<'_>) -> bool {
    let built = Cell::new(false);
    let cache = Cache {
        dir: cache_dir.to_owned(),
        on_failure: |error| panic!("{error}"),
    };
    let dataset = load_or_build(Some(&cache), key, || {
        built.set(true);
        Ok(tiny())
    })
    .unwrap();
    assert_eq!(
        (
            dataset.pixels,
            dataset.classes,
            dataset.alphabets,
            dataset.digest
        ),
        (
            tiny().pixels,
            tiny().classes,
            tiny().alphabets,
            tiny().digest
        )
    );
    built.get()
}

#[test]
fn the_second_load_does_not_build_and_other_content_does() {
    let dir = tempfile::tempdir().unwrap();
    let cache_dir = dir.path().join("made/on/demand");
    assert!(load(&cache_dir, &key("x")));
    assert!(!load(&cache_dir, &key("x")));
    assert!(load(&cache_dir, &key("y")));
    assert!(load(
        &cache_dir,
        &CacheKey {
            settings: "ink dark".into(),
            ..key("x")
        }
    ));
    assert_eq!(
        fs::read_dir(&cache_dir).unwrap().count(),
        3,
        "no temporary file is left"
    );
}

#[test]
fn each_flipped_byte_and_each_cut_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let key = key("x");
    load(dir.path(), &key);
    let path = key.path(dir.path());
    let whole = fs::read(&path).unwrap();
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1 << (position % 8);
        fs::write(&path, &damaged).unwrap();
        assert!(load(dir.path(), &key), "byte {position} flipped");
        assert_eq!(fs::read(&path).unwrap(), whole, "rebuilt");
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(load(dir.path(), &key), "cut to {length}");
    }
    fs::write(&path, [whole.as_slice(), &[0]].concat()).unwrap();
    assert!(load(dir.path(), &key), "a byte too many");
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_does_no_harm() {
    thread_local! {
        static HEARD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("file");
    fs::write(&in_the_way, "x").unwrap();
    let cache = Cache {
        dir: in_the_way,
        on_failure: |error| HEARD.with_borrow_mut(|heard| heard.push(error.to_string())),
    };
    let dataset = load_or_build(Some(&cache), &key("x"), || Ok(tiny())).unwrap();
    assert_eq!(dataset.pixels, tiny().pixels);
    let heard = HEARD.take();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].contains("write the cache"), "{heard:?}");
    assert!(heard[0].contains("file"), "{heard:?}");
}

#[test]
fn squares_are_found_under_the_key_that_they_always_had() {
    // As versions wrote it that knew no other images.
    let text = "format 2\nname tiny\ncontent abc\nside 2\nsettings area";
    let name = format!("tiny-2-{}.cache", &digest::sha256(text.as_bytes())[..16]);
    let dir = tempfile::tempdir().unwrap();
    let path = key("abc").path(dir.path());
    assert_eq!(path.file_name().unwrap().to_str(), Some(name.as_str()));
    assert!(load(dir.path(), &key("abc")));
    let bytes = fs::read(path).unwrap();
    let header = String::from_utf8_lossy(&bytes[16..]);
    assert!(
        header.contains("\"name\":\"tiny\",\"side\":2,\"channels\":1"),
        "{header}"
    );
}
