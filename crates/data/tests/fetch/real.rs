//! The built-in manifests, and the real Omniglot where `METASTABLE_DATA` names a folder that holds it.

use std::path::{Path, PathBuf};

use metastable_data::fetch::{self, How, Options, Proof, Source};

use crate::hub::listing;
use crate::server::{Reply, Server};
use crate::tools::{files_below, options, parquet_of};

#[test]
fn built_in_manifests_are_whole() {
    for name in fetch::names() {
        let manifest = fetch::manifest(name).unwrap();
        assert_eq!(manifest.name, name);
        assert!(!manifest.license.is_empty() && !manifest.citation.is_empty());
    }
    fetch::WeightsManifest::built_in().unwrap();
    let error = fetch::dataset("omniglott", &Options::new("nowhere"), &())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("omniglott") && error.contains("known: omniglot"),
        "{error}"
    );
}

#[test]
fn omniglot_s_table_has_every_image() {
    let manifest = fetch::manifest("omniglot").unwrap();
    let table = manifest.image_table.unwrap();
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 1623);
    assert!(
        lines
            .iter()
            .all(|line| line.len() == 3 && line[2].len() == 20 * 8)
    );
    let n_background = lines
        .iter()
        .filter(|line| line[0].starts_with("images_background/"))
        .count();
    assert_eq!(n_background, 964);
}

#[test]
fn manifests_with_mistakes_are_refused() {
    let good = "name = \"x\"\ntitle = \"\"\norigin = \"\"\nlicense = \"\"\ncitation = \"\"\n\
        [[file]]\nname = \"a.zip\"\nurl = \"\"\nbytes = 1\nmd5 = \"00000000000000000000000000000000\"\n";
    fetch::Manifest::from_toml(good).unwrap();
    let again = &good[good.find("[[file]]").unwrap()..];
    let bad = [
        good.replace("a.zip", "../a.zip"),
        good.replace("name = \"x\"", "name = \"..\""),
        good.replace("md5", "md6"),
        good.replace("md5 = \"0", "md5 = \"Z"),
        good.replace("bytes = 1", "bytes = -1"),
        good.lines()
            .filter(|line| !line.starts_with("md5"))
            .collect::<Vec<_>>()
            .join("\n"),
        format!("{good}{again}"),
    ];
    for text in bad {
        fetch::Manifest::from_toml(&text).unwrap_err();
    }
}

/// Folder of the real archives.
fn real_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("METASTABLE_DATA").map(PathBuf::from)?;
    let folder = folder.join("omniglot");
    folder
        .join("images_background.zip")
        .is_file()
        .then_some(folder)
}

/// Says why a test did nothing.
#[allow(clippy::print_stdout, reason = "a skipped test has to be seen")]
fn skipped() {
    println!("skipped: METASTABLE_DATA is not set (or holds no omniglot)");
}

fn archives_are_proven_by_pixels(fetched: &fetch::Fetched) {
    let manifest = fetch::manifest("omniglot").unwrap();
    for entry in manifest
        .files
        .iter()
        .filter(|entry| entry.pixels_sha256.is_some())
    {
        let file = fetched
            .files
            .iter()
            .find(|file| file.name == entry.name)
            .unwrap();
        let by_pixels = Proof::Pixels(entry.pixels_sha256.clone().unwrap());
        let by_hash = Proof::Md5(entry.md5.clone().unwrap());
        assert!(
            file.proof == by_pixels || file.proof == by_hash,
            "{}: {}",
            file.name,
            file.proof
        );
    }
}

#[test]
fn the_real_archives_are_recognised() {
    let Some(folder) = real_folder() else {
        return skipped();
    };
    let data = tempfile::tempdir().unwrap();
    let mut options = options(data.path());
    options.source = Source::Folder(folder);
    let fetched = fetch::dataset("omniglot", &options, &()).unwrap();
    archives_are_proven_by_pixels(&fetched);
    assert!(
        fetched
            .files
            .iter()
            .all(|file| matches!(file.how, How::Copied { .. }))
    );
}

/// All PNG entries of a zip archive.
fn images(path: &Path) -> Vec<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut found = Vec::new();
    for entry_idx in 0..archive.len() {
        let bytes = metastable_data::archive::read(&mut archive, entry_idx).unwrap();
        if !bytes.is_empty() {
            found.push(bytes);
        }
    }
    found
}

#[test]
fn the_real_images_out_of_order_become_omniglot_again() {
    let Some(folder) = real_folder() else {
        return skipped();
    };
    let mut rows = Vec::new();
    for name in ["images_background.zip", "images_evaluation.zip"] {
        rows.extend(
            images(&folder.join(name))
                .into_iter()
                .map(|image| (image, 0)),
        );
    }
    assert_eq!(rows.len(), 32_460);
    // Every 7919th: 7919 is prime and does not divide 32,460, so each comes once.
    let shuffled: Vec<_> = (0..rows.len())
        .map(|i| rows[i * 7919 % rows.len()].clone())
        .collect();
    let (first, second) = shuffled.split_at(20_000);
    let files = [
        ("data/a.parquet", parquet_of(first)),
        ("data/b.parquet", parquet_of(second)),
    ];
    let answer = listing(&[
        (files[0].0, &files[0].1, true),
        (files[1].0, &files[1].1, true),
    ]);
    let server = Server::start(move |request, _| {
        match files.iter().find(|(name, _)| request.path.ends_with(name)) {
            Some((_, bytes)) => Reply::file(request, bytes, "\"t\""),
            None => Reply::new(200, answer.clone()),
        }
    });
    let data = tempfile::tempdir().unwrap();
    let mut options = options(data.path());
    options.hub.endpoint = Some(server.url(""));
    options.source = Source::parse("hf:any/omniglot");
    let fetched = fetch::dataset("omniglot", &options, &()).unwrap();
    archives_are_proven_by_pixels(&fetched);
    assert_eq!(
        files_below(data.path()),
        [
            "omniglot/images_background.zip",
            "omniglot/images_evaluation.zip"
        ]
    );
    assert!(
        fetched.notes[0].contains("32460 rows, 0 of them none"),
        "{:?}",
        fetched.notes
    );
}
