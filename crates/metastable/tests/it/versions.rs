//! Files of another version: a field more or less is named, never dropped or filled in without a word.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Bench, json, stderr};

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_string_pretty(value).unwrap();
    text.push('\n');
    text.into_bytes()
}

/// Puts a record into a finished run as the version that knows its fields would have: with the right checksums.
fn put_record(run: &Path, bytes: &[u8]) {
    fs::write(run.join("run.json"), bytes).unwrap();
    let mut manifest = json(&run.join("manifest.json"));
    let files = &mut manifest["files"];
    files["run.json"] = json!({ "bytes": bytes.len(), "sha256": sha256(bytes) });
    let sealed = json!([manifest["identity"], manifest["files"]]);
    manifest["sha256"] = sha256(sealed.to_string().as_bytes()).into();
    // In the order in which the program writes them.
    let text = format!(
        "{{\n  \"identity\": {},\n  \"files\": FILES,\n  \"sha256\": {}\n}}\n",
        manifest["identity"], manifest["sha256"]
    );
    let entries: Vec<String> = manifest["files"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, file)| {
            format!(
                "    \"{name}\": {{\n      \"bytes\": {},\n      \"sha256\": {}\n    }}",
                file["bytes"], file["sha256"]
            )
        })
        .collect();
    let files = format!("{{\n{}\n  }}", entries.join(",\n"));
    fs::write(run.join("manifest.json"), text.replace("FILES", &files)).unwrap();
}

/// Every object below a value, by the pointer to it.
fn objects(value: &Value, pointer: &str, found: &mut Vec<String>) {
    if let Value::Object(fields) = value {
        found.push(pointer.to_owned());
        for (key, inner) in fields {
            objects(inner, &format!("{pointer}/{key}"), found);
        }
    }
}

/// A setting more or less, anywhere among the settings of a finished run whose checksums are right.
///
/// Where the identity says that nothing is other (the setting has the value that it would be filled in with), `status` may pass it;
/// `report` notices by the certificate that the file is not the one that was certified.
#[test]
fn settings_of_another_version_are_named() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("outer_steps = 12", "outer_steps = 4"),
    ]);
    bench.experiment(&["--out", "out"]);
    let run = bench.path("out/runs/protonet-glyphs-3w1s-s0");
    let whole = fs::read(run.join("run.json")).unwrap();
    let record: Value = serde_json::from_slice(&whole).unwrap();
    put_record(&run, &whole);
    let output = bench.run(&["status", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));

    let mut places = Vec::new();
    objects(&record["config"], "/config", &mut places);
    let (mut n_tries, mut n_named) = (0, 0);
    for place in places {
        let here = record.pointer(&place).unwrap().as_object().unwrap();
        let mut changed = vec![None];
        changed.extend(here.keys().cloned().map(Some));
        for key in changed {
            let mut other = record.clone();
            let fields = other.pointer_mut(&place).unwrap().as_object_mut().unwrap();
            match &key {
                Some(key) => fields.remove(key),
                None => fields.insert("of_another_version".to_owned(), json!(7)),
            };
            put_record(&run, &pretty(&other));
            n_tries += 1;
            let output = bench.run(&["report", "out"]);
            let said = stderr(&output);
            let shown = format!("{place} {key:?}: {said}");
            assert_eq!(output.status.code(), Some(1), "{shown}");
            let is_told = |said: &str| {
                let words = ["another version", "damaged"];
                said.contains("run.json") && words.iter().any(|word| said.contains(word))
            };
            let is_certified =
                said.contains("certificate answers are those of other runs or files");
            assert!(is_told(&said) || is_certified, "{shown}");
            let output = bench.run(&["status", "out", "--json"]);
            let is_named = is_told(&stderr(&output));
            assert_eq!(output.status.success(), !is_named, "{shown}");
            assert_eq!(is_named, is_told(&said), "{shown}");
            n_named += usize::from(is_named);
        }
    }
    assert!(n_tries > 50 && n_named > 20, "{n_named} of {n_tries}");
    put_record(&run, &whole);
    let output = bench.run(&["report", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
}
