//! The hub: a stand-in that lists repositories and serves parquet files.

use std::path::PathBuf;

use metastable_data::fetch::content::Packed;
use metastable_data::fetch::{FetchError, Fetched, How, Options, Proof, Source, dataset_of};

use crate::server::{Reply, Request, Server};
use crate::tools::{Drawings, drawing, files_below, options, parquet_of, rgb_png, sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const REPO: &str = "someone/drawings";

/// A listing as the hub's API gives it (`/api/datasets/NAME/revision/main?blobs=true`).
pub(crate) fn listing(files: &[(&str, &[u8], bool)]) -> String {
    let siblings: Vec<String> = files
        .iter()
        .map(|(name, bytes, is_large)| {
            let (size, hash) = (bytes.len(), sha256(bytes));
            let lfs = if *is_large {
                format!(r#", "lfs": {{"sha256": "{hash}", "size": {size}, "pointerSize": 131}}"#)
            } else {
                String::new()
            };
            format!(r#"{{"rfilename": {name:?}, "size": {size}, "blobId": "aa"{lfs}}}"#)
        })
        .collect();
    format!(
        r#"{{"id": "x", "private": false, "sha": "{COMMIT}", "siblings": [{}]}}"#,
        siblings.join(", ")
    )
}

/// A hub with the data set repository `someone/drawings`.
struct Scene {
    folder: tempfile::TempDir,
    server: Server,
    drawings: Drawings,
    options: Options,
}

impl Scene {
    fn new(files: Vec<(&'static str, Vec<u8>, bool)>) -> Self {
        let list: Vec<_> = files
            .iter()
            .map(|(name, bytes, large)| (*name, &bytes[..], *large))
            .collect();
        let list = listing(&list);
        Self::with(list, move |request| {
            let prefix = format!("/datasets/{REPO}/resolve/{COMMIT}/");
            let name = request.path.strip_prefix(&prefix).unwrap_or_default();
            match files.iter().find(|(file, ..)| *file == name) {
                Some((_, bytes, _)) => Reply::file(request, bytes, "\"t\""),
                None => Reply::new(404, ""),
            }
        })
    }

    fn with(list: String, files: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start(move |request, _| {
            if request.path == format!("/api/datasets/{REPO}/revision/main?blobs=true") {
                Reply::new(200, list.clone())
            } else {
                files(request)
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(folder.path());
        options.hub.endpoint = Some(server.url(""));
        options.source = Source::parse(&format!("hf:{REPO}"));
        Self {
            drawings: Drawings::new("http://127.0.0.1:9"),
            folder,
            server,
            options,
        }
    }

    fn fetch(&self) -> Result<Fetched, FetchError> {
        dataset_of(&self.drawings.manifest, &self.options, &())
    }

    fn fails(&self) -> String {
        let error = self.fetch().unwrap_err();
        let left = files_below(self.folder.path());
        assert!(
            left.iter().all(|name| !name.ends_with(".zip")),
            "{left:?} after {error}"
        );
        error.to_string()
    }
}

#[test]
fn loose_images_become_the_archives_again() {
    let made = Drawings::new("");
    // Split over two files, in another order, a few twice, with a stranger, under labels of their own.
    let mut rows = made.rows();
    rows.iter_mut().for_each(|(_, label)| *label = 77 - *label);
    rows.reverse();
    let mut second = rows.split_off(5);
    second.extend(rows[..2].to_vec());
    second.push((rgb_png(&drawing(999)), 5));
    let scene = Scene::new(vec![
        ("data/train-00000-of-00001.parquet", parquet_of(&rows), true),
        ("data/test 1.parquet", parquet_of(&second), false),
        ("README.md", b"read me".to_vec(), false),
    ]);
    // A name with a space reaches the server encoded; the stand-in does not decode.
    assert!(scene.fails().contains("test%201.parquet answered 404"));

    let scene = Scene::new(vec![
        ("data/train-00000-of-00001.parquet", parquet_of(&rows), true),
        ("data/test.parquet", parquet_of(&second), false),
        ("README.md", b"read me".to_vec(), false),
    ]);
    let fetched = scene.fetch().unwrap();
    let manifest = &scene.drawings.manifest;
    for (file, entry) in fetched.files.iter().zip(&manifest.files) {
        assert_eq!(
            file.proof,
            Proof::Pixels(entry.pixels_sha256.clone().unwrap())
        );
        assert_eq!(
            file.how,
            How::Restored {
                repo: REPO.to_owned(),
                commit: COMMIT.to_owned()
            }
        );
    }
    assert!(
        fetched.notes[0].contains("15 rows, 1 of them none"),
        "{:?}",
        fetched.notes
    );
    assert!(
        fetched.notes[0].contains(" 0 under a label"),
        "{:?}",
        fetched.notes
    );
    assert_eq!(
        files_below(scene.folder.path()),
        ["toy/images_a.zip", "toy/images_b.zip"]
    );

    // Every entry has its own path and pixels again.
    let bytes = std::fs::read(scene.folder.path().join("toy/images_b.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    assert_eq!(archive.len(), 6);
    let entry_idx = archive
        .index_for_name("images_b/Abc/c4/0004_02.png")
        .unwrap();
    let png = metastable_data::archive::read(&mut archive, entry_idx).unwrap();
    assert_eq!(Packed::from_png(&png).unwrap(), drawing(402));

    // The second call asks nobody.
    let n_before = scene.server.requests().len();
    scene.fetch().unwrap();
    assert_eq!(scene.server.requests().len(), n_before);
}

#[test]
fn labels_that_disagree_are_counted() {
    let mut rows = Drawings::new("").rows();
    rows[11].1 = 0;
    let scene = Scene::new(vec![("a.parquet", parquet_of(&rows), true)]);
    let fetched = scene.fetch().unwrap();
    assert!(
        fetched.notes[0].contains(" 1 under a label"),
        "{:?}",
        fetched.notes
    );
}

#[test]
fn a_repository_of_other_images_is_refused() {
    let mut rows = Drawings::new("").rows();
    rows[3].0 = rgb_png(&drawing(4000));
    let scene = Scene::new(vec![("a.parquet", parquet_of(&rows), true)]);
    let error = scene.fails();
    assert!(
        error.contains("11 of 12 images") && error.contains("1 of its 12 rows"),
        "{error}"
    );
    assert!(files_below(scene.folder.path()).is_empty());

    let scene = Scene::new(vec![(
        "a.parquet",
        parquet_of(&[(b"not an image".to_vec(), 1)]),
        true,
    )]);
    assert!(scene.fails().contains("0 of 12 images"));
    let scene = Scene::new(vec![("a.parquet", b"PAR1 no parquet PAR1".to_vec(), true)]);
    assert!(scene.fails().contains("not a readable parquet file"));
    let scene = Scene::new(vec![("README.md", b"empty".to_vec(), false)]);
    assert!(
        scene
            .fails()
            .contains("a parquet file is not in hf:someone/drawings")
    );
}

#[test]
fn damaged_parquet_files_are_errors_not_panics() {
    let good = Drawings::new("").parquet();
    for at in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        let scene = Scene::new(vec![("a.parquet", bad, false)]);
        // Some damage hits what is not read (a path, statistics); then the images are whole all the same.
        if let Err(error) = scene.fetch() {
            let left = files_below(scene.folder.path());
            assert!(
                left.iter().all(|name| !name.ends_with(".zip")),
                "byte {at}: {left:?} after {error}"
            );
        }
    }
}

#[test]
fn hub_listings_that_lie_are_refused() {
    let parquet = Drawings::new("").parquet();
    // Another hash than listed.
    let list =
        listing(&[("a.parquet", &parquet, true)]).replace(&sha256(&parquet), &sha256(b"other"));
    let served = parquet.clone();
    let scene = Scene::with(list, move |request| Reply::file(request, &served, "\"t\""));
    assert!(scene.fails().contains("SHA-256"));
    // Another size than listed.
    let list = listing(&[("a.parquet", &parquet[1..], false)]);
    let served = parquet.clone();
    let scene = Scene::with(list, move |request| Reply::file(request, &served, "\"t\""));
    assert!(scene.fails().contains("were expected"));
    // Names and commits that would leave the folder.
    for (from, to) in [
        ("a.parquet", "../../a.parquet"),
        ("a.parquet", "/a.parquet"),
        (COMMIT, "../x"),
        (COMMIT, ""),
    ] {
        let list = listing(&[("a.parquet", &parquet, true)]).replace(from, to);
        let served = parquet.clone();
        let scene = Scene::with(list, move |request| Reply::file(request, &served, "\"t\""));
        let error = scene.fails();
        assert!(
            error.contains("refused") || error.contains("is no commit"),
            "{error}"
        );
        assert_eq!(scene.server.requests().len(), 1);
    }
    let scene = Scene::with("<html>".to_owned(), |_| Reply::new(404, ""));
    assert!(scene.fails().contains("list of files cannot be read"));
}

#[test]
fn an_unknown_repository_is_named() {
    let mut scene = Scene::new(Vec::new());
    scene.options.source = Source::parse("hf:some/other");
    let error = scene.fails();
    assert!(
        error.contains("some/other") && error.contains("404"),
        "{error}"
    );
    scene.options.source = Source::parse("hf:nonsense");
    assert!(scene.fails().contains("owner/repository"));
}

#[test]
fn the_hub_stands_in_when_the_origin_is_gone() {
    let parquet = Drawings::new("").parquet();
    let mut scene = Scene::new(vec![("a.parquet", parquet, true)]);
    scene.options.source = Source::Auto;
    scene.options.retries = 0;
    scene.drawings.manifest.hub = vec!["gone/gone".to_owned(), REPO.to_owned()];
    for file in &mut scene.drawings.manifest.files {
        file.url = scene.server.url("/gone.zip");
    }
    let fetched = scene.fetch().unwrap();
    assert!(
        fetched
            .files
            .iter()
            .all(|file| matches!(file.how, How::Restored { .. }))
    );
}

#[test]
fn the_token_stays_with_the_hub() {
    // Large files are kept elsewhere: the hub redirects to another host.
    let parquet = Drawings::new("").parquet();
    let elsewhere = {
        let parquet = parquet.clone();
        Server::start(move |request, _| Reply::file(request, &parquet, "\"t\""))
    };
    let address = elsewhere.other_host_url("/blob?signature=1");
    let list = listing(&[("a.parquet", &parquet, true)]);
    let mut scene = Scene::with(list, move |_| Reply::redirect(&address));
    scene.options.hub.token = Some("secret".to_owned());
    scene.fetch().unwrap();
    for request in scene.server.requests() {
        assert_eq!(
            request.header("authorization"),
            Some("Bearer secret"),
            "{}",
            request.path
        );
    }
    let there = elsewhere.requests();
    assert_eq!(there.len(), 1);
    assert!(there[0].host.starts_with("localhost"));
    assert_eq!(there[0].header("authorization"), None);
}

/// A file that pyarrow wrote (`make_sample.py`), with the schema of the public Omniglot repositories.
#[test]
fn parquet_of_other_software_is_read() {
    let sample = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fetch/sample");
    let parquet = std::fs::read(sample.join("sample.parquet")).unwrap();
    let mut scene = Scene::new(vec![("data/train-00000-of-00001.parquet", parquet, true)]);
    let values = std::fs::read_to_string(sample.join("sample.tsv")).unwrap();
    let (digest, table) = values.split_once('\n').unwrap();
    let manifest = &mut scene.drawings.manifest;
    manifest.image_table = Some(table.to_owned());
    manifest.files.truncate(1);
    manifest.files[0].name = "images_background.zip".to_owned();
    manifest.files[0].pixels_sha256 = Some(digest.to_owned());
    let fetched = scene.fetch().unwrap();
    assert_eq!(fetched.files[0].proof, Proof::Pixels(digest.to_owned()));
    assert!(
        fetched.notes[0].contains("6 rows, 0 of them none"),
        "{:?}",
        fetched.notes
    );
}
