//! Weights: listed, unlisted, wrong, and not weights at all.

use std::path::Path;

use metastable_data::fetch::{
    FetchError, FetchedFile, How, Options, Proof, SHIPPED, Source, WeightsEntry, WeightsManifest,
    weights, weights_of,
};

use crate::hub::listing;
use crate::server::{Reply, Server};
use crate::tools::{files_below, options, sha256};

const FILE: &str = "conv4/model.safetensors";
const SPEC: &str = "hf:someone/nets/conv4/model.safetensors";

/// `{"w": 2 x 3 of f32}`, written by hand after the format's description.
fn safetensors() -> Vec<u8> {
    let header = br#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend([0_u8; 24]);
    bytes
}

fn list(hash: &str) -> WeightsManifest {
    let text = format!(
        "[[weights]]\nname = \"net\"\ntitle = \"a net\"\nhub = \"someone/nets/{FILE}\"\nlicense = \"MIT\"\nsha256 = \"{hash}\"\n"
    );
    WeightsManifest::from_toml(&text).unwrap()
}

/// A hub that serves `body` as the file, and says that it is large or not.
fn hub(body: Vec<u8>, is_large: bool) -> (Server, tempfile::TempDir, Options) {
    let answer = listing(&[(FILE, &body, is_large), ("README.md", b"", false)]);
    let server = Server::start(move |request, _| {
        if request.path.starts_with("/api/models/someone/nets/") {
            Reply::new(200, answer.clone())
        } else if request.path.starts_with("/someone/nets/resolve/") && request.path.ends_with(FILE)
        {
            Reply::file(request, &body, "\"t\"")
        } else {
            Reply::new(404, "")
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.hub.endpoint = Some(server.url(""));
    (server, folder, options)
}

fn is_in_place(folder: &Path, file: &FetchedFile) {
    assert_eq!(file.path, folder.join("weights/someone/nets").join(FILE));
    assert_eq!(std::fs::read(&file.path).unwrap(), safetensors());
    assert_eq!(file.sha256, sha256(&safetensors()));
    assert_eq!(
        files_below(folder),
        ["weights/someone/nets/conv4/model.safetensors"]
    );
}

#[test]
fn listed_weights_are_proven() {
    let (server, folder, options) = hub(safetensors(), true);
    let list = list(&sha256(&safetensors()));
    for spec in ["net", SPEC] {
        let file = weights_of(&list, spec, &options, &()).unwrap();
        is_in_place(folder.path(), &file);
        assert_eq!(file.proof, Proof::Sha256(sha256(&safetensors())));
    }
    // List and file; the second request found it in place.
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn unlisted_weights_are_taken_and_reported() {
    for is_large in [true, false] {
        let (server, folder, options) = hub(safetensors(), is_large);
        let file = weights(SPEC, &options, &()).unwrap();
        is_in_place(folder.path(), &file);
        assert_eq!(file.proof, Proof::Unlisted);
        let again = weights(SPEC, &options, &()).unwrap();
        // The hub tells the hash of large files only; without it the file is fetched again.
        assert_eq!(again.how == How::Present, is_large);
        assert_eq!(server.requests().len(), if is_large { 3 } else { 4 });
    }
}

fn fails(folder: &Path, result: Result<FetchedFile, FetchError>) -> String {
    let error = result.unwrap_err();
    assert!(
        files_below(folder).is_empty(),
        "{:?} after {error}",
        files_below(folder)
    );
    error.to_string()
}

#[test]
fn wrong_weights_are_refused() {
    let (_server, folder, options) = hub(safetensors(), true);
    let error = fails(
        folder.path(),
        weights_of(&list(&sha256(b"others")), "net", &options, &()),
    );
    assert!(
        error.contains(&sha256(&safetensors())) && error.contains(&sha256(b"others")),
        "{error}"
    );
}

#[test]
fn what_is_not_safetensors_is_refused() {
    let good = safetensors();
    let with_header = |header: &[u8], n_data: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header);
        bytes.extend(vec![0; n_data]);
        bytes
    };
    let bad = [
        b"abc".to_vec(),
        b"<!DOCTYPE html><html>not found</html>".to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], b"x"].concat(),
        with_header(b"{\"w\":", 24),
        with_header(
            br#"{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,24]}}"#,
            24,
        ),
        with_header(
            br#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}}"#,
            32,
        ),
        with_header(
            br#"{"w":{"dtype":"F99","shape":[2,3],"data_offsets":[0,24]}}"#,
            24,
        ),
        u64::MAX.to_le_bytes().to_vec(),
    ];
    for body in bad {
        let (_server, folder, options) = hub(body, true);
        let error = fails(folder.path(), weights(SPEC, &options, &()));
        assert!(error.contains("not a valid safetensors file"), "{error}");
    }
}

#[test]
fn requests_that_name_nothing_are_refused() {
    let (server, folder, options) = hub(safetensors(), true);
    for spec in ["nett", "hf:someone/nets", "hf:nets"] {
        let error = fails(
            folder.path(),
            weights_of(&list(&sha256(b"")), spec, &options, &()),
        );
        assert!(
            error.contains("known: net, hf:owner/repo/file.safetensors"),
            "{error}"
        );
    }
    for spec in [
        "hf:someone/nets/../../x",
        "hf:../nets/x",
        "hf:someone/nets//x",
    ] {
        fails(folder.path(), weights(spec, &options, &()));
    }
    assert!(server.requests().is_empty());
    let error = fails(
        folder.path(),
        weights("hf:someone/nets/other.safetensors", &options, &()),
    );
    assert!(error.contains(FILE), "{error}");
}

#[test]
fn weights_come_from_folders_and_mirrors() {
    let from = tempfile::tempdir().unwrap();
    std::fs::write(from.path().join("model.safetensors"), safetensors()).unwrap();
    let (_server, folder, mut options) = hub(Vec::new(), true);
    options.source = Source::Folder(from.path().to_owned());
    let file = weights(SPEC, &options, &()).unwrap();
    is_in_place(folder.path(), &file);
    assert!(matches!(file.how, How::Copied { .. }));

    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| match request.path.as_str() {
        "/m/someone/nets/conv4/model.safetensors" => Reply::file(request, &safetensors(), "\"t\""),
        _ => Reply::new(404, ""),
    });
    let mut options = crate::tools::options(folder.path());
    options.source = Source::parse(&server.url("/m"));
    is_in_place(folder.path(), &weights(SPEC, &options, &()).unwrap());
}

/// Without a known hash only the validator keeps two versions apart.
#[test]
fn an_unproven_part_is_resumed_only_with_its_validator() {
    let good = safetensors();
    let old: Vec<u8> = good.iter().map(|byte| byte ^ 0xff).collect();
    // Cut once: resumed where the tag is the same; started over where the file changed, or where there is no tag.
    for (case, expected_resumes) in [("same", 40), ("changed", 0), ("untagged", 0)] {
        let answer = listing(&[(FILE, &good, false)]);
        let (good, old) = (good.clone(), old.clone());
        let server = Server::start(move |request, n_before| match (n_before, case) {
            (0, _) => Reply::new(200, answer.clone()),
            (1, "same") => Reply::file(request, &good, "\"t\"").cut_after(40),
            (1, "changed") => Reply::file(request, &old, "\"old\"").cut_after(40),
            (1, _) => Reply::file(request, &old, "").without("ETag").cut_after(40),
            (_, "untagged") => Reply::file(request, &good, "").without("ETag"),
            // The range is served although the condition does not hold.
            _ => match request.range_start() {
                Some(start) => Reply::new(206, &good[start..]).with("ETag", "\"t\"").with(
                    "Content-Range",
                    &format!("bytes {start}-{}/{}", good.len() - 1, good.len()),
                ),
                None => Reply::file(request, &good, "\"t\""),
            },
        });
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(folder.path());
        options.hub.endpoint = Some(server.url(""));
        let file = weights(SPEC, &options, &()).unwrap();
        is_in_place(folder.path(), &file);
        assert!(
            matches!(file.how, How::Downloaded { resumed_from, .. } if resumed_from == expected_resumes),
            "{case}: {:?}",
            file.how
        );
    }
}

/// No server is asked: the file and its card come out of the program.
#[test]
fn weights_that_come_with_the_program_are_copied_out_and_put_right_again() {
    let shipped = SHIPPED.first().expect("weights come with the program");
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let file = weights(shipped.name, &options, &()).unwrap();
    assert_eq!(file.how, How::Shipped);
    assert_eq!(file.proof, Proof::Sha256(sha256(shipped.weights)));
    let path = folder.path().join("weights");
    let card = path.join(format!("{}.toml", shipped.name));
    assert_eq!(std::fs::read_to_string(card).unwrap(), shipped.card);
    assert_eq!(
        weights(shipped.name, &options, &()).unwrap().how,
        How::Present
    );
    std::fs::write(&file.path, "damaged").unwrap();
    let again = weights(shipped.name, &options, &()).unwrap();
    assert_eq!(again.how, How::Shipped);
    assert_eq!(std::fs::read(&file.path).unwrap(), shipped.weights);
    let left = files_below(folder.path());
    assert!(left.iter().all(|name| !name.ends_with(".part")), "{left:?}");
}

#[test]
fn every_card_is_listed_with_the_digest_of_its_weights() {
    let list = WeightsManifest::built_in().unwrap();
    for shipped in SHIPPED {
        let of_name = |it: &&WeightsEntry| it.name == shipped.name;
        let entries: Vec<_> = list.weights.iter().filter(of_name).collect();
        assert_eq!(entries.len(), 1, "{}", shipped.name);
        assert_eq!(
            entries[0].sha256,
            sha256(shipped.weights),
            "{}",
            shipped.name
        );
    }
    let homeless = "[[weights]]\nname = \"x\"\ntitle = \"x\"\nlicense = \"MIT\"\nsha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n";
    let message = WeightsManifest::from_toml(homeless)
        .unwrap_err()
        .to_string();
    assert!(message.contains("no file on the hub"), "{message}");
}
