//! Archives from a folder: the originals, the same images packed anew, other images, and hostile ones.

use std::path::Path;

use metastable_data::fetch::{FetchError, Fetched, How, Options, Proof, Source, dataset_of};

use crate::tools::{Drawings, drawing, files_below, options, rgb_png, zip_of};

/// The drawings, a folder to fetch from, and the options to do so.
fn scene(data: &Path, from: &Path, archives: &[Vec<u8>]) -> (Drawings, Options) {
    let drawings = Drawings::new("http://127.0.0.1:9");
    for (file, bytes) in drawings.manifest.files.iter().zip(archives) {
        std::fs::write(from.join(&file.name), bytes).unwrap();
    }
    let mut options = options(data);
    options.source = Source::parse(from.to_str().unwrap());
    (drawings, options)
}

fn proofs(fetched: &Fetched) -> Vec<Proof> {
    fetched
        .files
        .iter()
        .map(|file| file.proof.clone())
        .collect()
}

#[test]
fn originals_are_proven_by_their_hash_and_others_by_their_pixels() {
    let (data, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = Drawings::new("");
    // The first as published, the second packed anew.
    let (drawings, options) = scene(
        data.path(),
        from.path(),
        &[made.archives[0].clone(), made.repacked[1].clone()],
    );
    let fetched = dataset_of(&drawings.manifest, &options, &()).unwrap();
    let expected = [
        Proof::Md5(drawings.manifest.files[0].md5.clone().unwrap()),
        Proof::Pixels(drawings.manifest.files[1].pixels_sha256.clone().unwrap()),
    ];
    assert_eq!(proofs(&fetched), expected);
    assert!(matches!(fetched.files[0].how, How::Copied { .. }));
    assert_eq!(
        files_below(data.path()),
        ["toy/images_a.zip", "toy/images_b.zip"]
    );

    // A second call copies nothing, whatever the source.
    std::fs::remove_file(from.path().join("images_a.zip")).unwrap();
    let again = dataset_of(&drawings.manifest, &options, &()).unwrap();
    assert_eq!(proofs(&again), expected);
    assert!(again.files.iter().all(|file| file.how == How::Present));
}

#[test]
fn a_folder_may_hold_the_set_under_its_name_and_be_read_only() {
    let (data, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = Drawings::new("");
    std::fs::create_dir(from.path().join("toy")).unwrap();
    let (drawings, mut options) = scene(data.path(), &from.path().join("toy"), &made.archives);
    options.source = Source::Folder(from.path().to_owned());
    for file in &drawings.manifest.files {
        let path = from.path().join("toy").join(&file.name);
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&path, permissions).unwrap();
    }
    dataset_of(&drawings.manifest, &options, &()).unwrap();
    // In place, the same folder is a complete data set: nothing is copied, nothing written.
    options.data_dir = from.path().to_owned();
    let fetched = dataset_of(&drawings.manifest, &options, &()).unwrap();
    assert!(fetched.files.iter().all(|file| file.how == How::Present));
    assert!(!from.path().join("toy/.fetch.lock").exists());
}

/// Fetches with `bad` in the place of the second archive; returns the message.
fn refusal(bad: Vec<u8>) -> String {
    let (data, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = Drawings::new("");
    let (drawings, options) = scene(data.path(), from.path(), &[made.archives[0].clone(), bad]);
    let error: FetchError = dataset_of(&drawings.manifest, &options, &()).unwrap_err();
    assert_eq!(files_below(data.path()), ["toy/images_a.zip"], "{error}");
    error.to_string()
}

#[test]
fn other_content_is_refused() {
    let one = [("images_b/x.png".to_owned(), rgb_png(&drawing(7)))];
    let error = refusal(zip_of(&one, zip::CompressionMethod::Stored));
    assert!(
        error.contains("nor do its 1 images have the pixel digest"),
        "{error}"
    );
    let error = refusal(zip_of(
        &[("images_b/x.png".to_owned(), b"no png".to_vec())],
        zip::CompressionMethod::Stored,
    ));
    assert!(error.contains("entry images_b/x.png"), "{error}");
    assert!(refusal(b"no zip".to_vec()).contains("not a readable zip"));
    let half = Drawings::new("").repacked[1].clone();
    assert!(refusal(half[..half.len() / 2].to_vec()).contains("not a readable zip"));
}

#[test]
fn hostile_archives_are_refused_by_name() {
    let stored = zip::CompressionMethod::Stored;
    let evil = |name: &str| {
        // The writer would clean the name, so it is patched in.
        let bytes = zip_of(&[("x".repeat(name.len()), rgb_png(&drawing(7)))], stored);
        let mut text = bytes.clone();
        for at in 0..bytes.len() - name.len() {
            if bytes[at..at + name.len()].iter().all(|&byte| byte == b'x') {
                text[at..at + name.len()].copy_from_slice(name.as_bytes());
            }
        }
        text
    };
    for name in [
        "../../escape.png",
        "/absolute/path.png",
        "C:\\windows\\x.png",
    ] {
        let error = refusal(evil(name));
        assert!(
            error.contains(&format!("entry {name:?} is refused")),
            "{error}"
        );
    }
    let bomb = zip_of(
        &[("images_b/bomb.png".to_owned(), vec![0; 8 << 20])],
        zip::CompressionMethod::Deflated,
    );
    let error = refusal(bomb);
    assert!(
        error.contains("\"images_b/bomb.png\"") && error.contains("bomb"),
        "{error}"
    );
}

#[test]
fn a_folder_without_the_files_says_so() {
    let (data, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (drawings, options) = scene(data.path(), from.path(), &[]);
    let error = dataset_of(&drawings.manifest, &options, &())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("images_a.zip is not in") && error.contains(from.path().to_str().unwrap()),
        "{error}"
    );
}
