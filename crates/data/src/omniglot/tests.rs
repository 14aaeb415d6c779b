//! Tests of the loader: rubbish is refused by name, and the real archives give the published figures.

use std::io::Write;

use super::*;
use crate::test_data;

fn png(side: u32, ink_row: u32) -> Vec<u8> {
    let image = image::GrayImage::from_fn(side, side, |_, y| {
        image::Luma([if y == ink_row { 0 } else { 255 }])
    });
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// An archive of one character; `change` alters its list of entries first.
fn zip(change: impl Fn(&mut Vec<(String, Vec<u8>)>)) -> Vec<u8> {
    let mut entries: Vec<(String, Vec<u8>)> = (1..=20)
        .map(|drawer| {
            (
                format!("images_background/Greek/character01/0001_{drawer:02}.png"),
                png(105, drawer),
            )
        })
        .collect();
    change(&mut entries);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn check_refused(bytes: Vec<u8>, expected: &str) {
    let message = decode(&[(Path::new("some/archive.zip"), bytes)], 28.into())
        .unwrap_err()
        .to_string();
    for part in ["some/archive.zip", expected, "fetch the archive again"] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn ink_is_bright_and_images_come_in_order_of_drawer() {
    let bytes = zip(|entries| {
        entries.reverse(); // The order in the archive does not matter.
        entries.push((".DS_Store".into(), vec![1]));
        entries.push(("__MACOSX/images_background/._0001_01.png".into(), vec![1]));
    });
    let dataset = decode(&[(Path::new("a.zip"), bytes)], 105.into()).unwrap();
    assert_eq!(dataset.classes[0].name, "Greek/character01");
    assert_eq!((dataset.n_images(), dataset.alphabets.len()), (20, 1));
    for image_idx in 0..20 {
        for (y, row) in dataset.image(image_idx).chunks_exact(105).enumerate() {
            let expected = if y == image_idx + 1 { 255 } else { 0 };
            assert!(
                row.iter().all(|&byte| byte == expected),
                "image {image_idx} row {y}"
            );
        }
    }
}

#[test]
fn rubbish_is_refused_by_name() {
    let good = zip(|_| ());
    check_refused(b"<html>404</html>".to_vec(), "not a readable zip archive");
    check_refused(
        good[..good.len() / 2].to_vec(),
        "not a readable zip archive",
    );
    check_refused(
        zip(|e| drop(e.remove(6))),
        "where drawer 07 of Greek/character01 is expected",
    );
    check_refused(
        zip(|e| drop(e.pop())),
        "Greek/character01 has 19 images, not 20",
    );
    check_refused(
        zip(|e| {
            e.push((
                "images_background/Greek/character01/0001_21.png".into(),
                png(105, 1),
            ))
        }),
        "has 21 images",
    );
    check_refused(
        zip(|e| e[3].1 = png(28, 1)),
        "0001_04.png\" is 28x28, not 105x105",
    );
    check_refused(
        zip(|e| e[4].1 = b"no png".to_vec()),
        "0001_05.png\" is no image",
    );
    check_refused(zip(|e| e[4].1.truncate(60)), "0001_05.png\" is no image");
    check_refused(
        zip(|e| e.push(("readme.txt".into(), vec![1]))),
        "readme.txt\" is not <set>/<alphabet>",
    );
    check_refused(zip(|e| e[0].0 = "../evil.png".into()), "climbs");
    let mut flipped = good;
    flipped[90] ^= 4; // Inside the first image's packed bytes: its CRC no longer fits.
    check_refused(flipped, "0001_01.png\" cannot be read");
}

#[test]
fn other_characters_than_omniglots_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(ARCHIVES[0]), zip(|_| ())).unwrap();
    let missing = load(dir.path(), 28, None).unwrap_err().to_string();
    assert!(
        missing.contains(ARCHIVES[1]) && missing.contains("fetch"),
        "{missing}"
    );
    std::fs::write(
        dir.path().join(ARCHIVES[1]),
        zip(|e| {
            e.iter_mut()
                .for_each(|e| e.0 = e.0.replace("Greek", "Latin"))
        }),
    )
    .unwrap();
    let few = load(dir.path(), 28, None).unwrap_err().to_string();
    assert!(few.contains("2 characters, Omniglot has 1623"), "{few}");
    assert!(
        load(dir.path(), 0, None)
            .unwrap_err()
            .to_string()
            .contains("size = 0")
    );
}

#[test]
fn the_real_archives_have_the_published_content() {
    let Some(folder) = test_data::folder("omniglot") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    let cold = load(&folder, 28, Some(&cache)).unwrap();
    assert_eq!(cold.digest, DIGEST);
    assert_eq!(
        (cold.n_images(), cold.classes.len(), cold.alphabets.len()),
        (32_460, 1_623, 50)
    );
    let braille = cold.class_idx("Braille/character01").unwrap() as usize;
    let first = cold.classes[braille].first_image;
    assert_eq!(
        cold.image(first + 2),
        cold.image(first + 18),
        "drawers 03 and 19, a known quirk"
    );
    let warm = load(&folder, 28, Some(&cache)).unwrap();
    assert!(
        warm.pixels == cold.pixels && warm.classes == cold.classes && warm.digest == cold.digest
    );
}
