//! Against a forward pass in numpy (`tests/golden/import.py`).

use metastable_algorithms::Context;
use metastable_data::EpisodeShape;

use super::*;
use crate::run::Run;

const MAP: &str = r#"
[data]
size = 8
[network]
width = 4
blocks = 3
norm = "NORM"
[learners.protonet]
[tensors]
"blocks.{i}.conv" = "features.{i}.0"
"blocks.{i}.norm" = "features.{i}.1"
[input]
mean = [0.3, 0.45, 0.6]
std = [0.2, 0.25, 0.3]
order = "bgr"
[import]
ignore = ["fc."]
"#;

fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    fs::read(folder.join(name)).unwrap()
}

#[derive(Deserialize)]
struct Golden {
    images: Vec<f32>,
    running: Vec<f64>,
    batch: Vec<f64>,
}

fn log_probabilities(norm: &str) -> Vec<f32> {
    let map = MAP.replace("NORM", norm);
    let (stored, input) = of(&map, "map.toml", &golden("import.safetensors")).unwrap();
    assert_eq!(
        stored.config.network.image.channels, 3,
        "told by the tensor"
    );
    let golden: Golden = serde_json::from_slice(&golden("import.json")).unwrap();
    let shape = EpisodeShape {
        n_way: 2,
        k_shot: 2,
        n_query: 2,
    };
    let task = input.of(Task::new(shape, golden.images).unwrap());
    let run = Run::new("protonet", &stored.config).unwrap();
    let context = Context {
        network: run.network(),
        statistics: stored.weights.statistics(),
        task: &task,
    };
    let prediction = run.learner().predict(&context, &stored.weights.theta);
    prediction.unwrap().log_probabilities
}

#[test]
fn imported_weights_give_the_log_probabilities_of_their_own_framework() {
    let golden: Golden = serde_json::from_slice(&golden("import.json")).unwrap();
    for (norm, expected) in [("running", golden.running), ("batch", golden.batch)] {
        let found = log_probabilities(norm);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            let error = (f64::from(*found) - expected).abs();
            assert!(
                error < 1e-4 * (1.0 + expected.abs()),
                "{norm}: {found} {expected}"
            );
        }
    }
}

#[test]
fn what_does_not_fit_is_named_with_what_would() {
    let refusal = |map: &str| {
        let error = of(map, "map.toml", &golden("import.safetensors"))
            .err()
            .unwrap();
        format!("{error:#}")
    };
    let map = MAP.replace("NORM", "running");
    let without_names = refusal(&map.replace("features.{i}.0", "encoder.{i}.0"));
    assert!(
        without_names.contains("encoder.0.0.weight") && without_names.contains("[tensors]"),
        "{without_names}"
    );
    let narrow = refusal(&map.replace("width = 4", "width = 8"));
    assert!(
        narrow.contains("[4, 3, 3, 3]") && narrow.contains("[network]"),
        "{narrow}"
    );
    let left_over = refusal(&map.replace("\"fc.\"", ""));
    assert!(
        left_over.contains("ignore = [\"fc.weight\"]"),
        "{left_over}"
    );
    let channels = refusal(&map.replace("0.3, 0.45, 0.6", "0.3, 0.45"));
    assert!(
        channels.contains("2 numbers") && channels.contains("3 channels"),
        "{channels}"
    );
    let linear = map.replace("width = 4", "name = \"mlp\"\nwidth = 4");
    let linear = refusal(&linear.replace("size = 8", "size = 8\nchannels = 3"));
    assert!(
        linear.contains("order = \"bgr\" is for convolutions"),
        "{linear}"
    );
    let unknown = refusal(&map.replace("order = \"bgr\"", "order = \"brg\""));
    assert!(
        unknown.contains("map.toml:15") && unknown.contains("brg"),
        "{unknown}"
    );
}

/// A safetensors file without tensors whose header, filled with spaces, is 640 bytes long, begins with `80 02`, as a pickle does.
#[test]
fn the_length_of_a_header_is_not_taken_for_a_pickle() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my weights.pth");
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        refuse_torch(&path).err().map(|error| error.to_string())
    };
    for n_spaces in [640 - 2, 640 + 65_536 - 2] {
        let length = (n_spaces as u64 + 2).to_le_bytes();
        assert!(length.starts_with(b"\x80\x02"));
        let mut file = length.to_vec();
        file.extend(b"{}");
        file.extend(b" ".repeat(n_spaces));
        SafeTensors::deserialize(&file).unwrap();
        assert_eq!(refused(&file), None);
    }
    // torch.save(..., _use_new_zipfile_serialization=False), and today's.
    let magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";
    for start in [&magic[..], &b"PK\x03\x04"[..]] {
        let said = refused(start).unwrap();
        assert!(said.contains("d.get(\"state_dict\", d)"), "{said}");
        let quoted = shell::quote_path(&path);
        assert!(
            quoted.starts_with('\'') && said.ends_with(&quoted),
            "{said}"
        );
    }
    assert_eq!(refused(b"\x80\x02"), None, "too short for either");
}
