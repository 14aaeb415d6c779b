//! Checkpoints: what is written is read, and what is damaged or does not fit is refused by name.

use std::collections::BTreeMap;

use metastable_models::{Architecture, Checkpoint, ImageShape, NetworkConfig, Norm, Params};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use safetensors::tensor::{Dtype, TensorView};

fn architecture(norm: Norm, n_way: Option<usize>) -> Architecture {
    Architecture::new(&NetworkConfig {
        name: "conv4".to_owned(),
        image: ImageShape {
            height: 6,
            width: 5,
            channels: 1,
        },
        n_blocks: 1,
        width: 3,
        norm,
        n_way,
    })
    .unwrap()
}

fn weights(architecture: &Architecture) -> (Params<f64>, Params<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let params = architecture.initial_params(&mut rng);
    let mut buffers = architecture.initial_buffers();
    buffers.scale(1.0 / 3.0);
    (params, buffers)
}

fn bytes(architecture: &Architecture) -> Vec<u8> {
    let (params, buffers) = weights(architecture);
    let metadata = BTreeMap::from([("fingerprint".to_owned(), "abc".to_owned())]);
    Checkpoint::to_bytes(architecture, &params, &buffers, &metadata).unwrap()
}

fn refusal(bytes: Vec<u8>, into: &Architecture) -> String {
    Checkpoint::from_bytes(bytes, "file")
        .and_then(|checkpoint| checkpoint.load::<f64>(into))
        .unwrap_err()
        .to_string()
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let architecture = architecture(Norm::Running, Some(2));
    let (params, buffers) = weights(&architecture);
    let metadata = BTreeMap::from([("fingerprint".to_owned(), "abc".to_owned())]);
    // Twice, so that the second replaces the first.
    for _ in 0..2 {
        Checkpoint::save(&path, &architecture, &params, &buffers, &metadata).unwrap();
    }
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(checkpoint.config(), Some(architecture.config()));
    assert_eq!(checkpoint.metadata(), &metadata);
    assert_eq!(
        checkpoint.load::<f64>(&architecture).unwrap(),
        (params.clone(), buffers.clone())
    );
    let (single, _) = checkpoint.load::<f32>(&architecture).unwrap();
    assert_eq!(single, params.cast());
    Checkpoint::save(&path, &architecture, &single, &buffers.cast(), &metadata).unwrap();
    let reread = Checkpoint::open(&path).unwrap();
    assert_eq!(reread.load::<f32>(&architecture).unwrap().0, single);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the file is left behind");
}

#[test]
fn equal_values_give_equal_bytes() {
    let architecture = architecture(Norm::Running, Some(2));
    assert_eq!(bytes(&architecture), bytes(&architecture));
}

#[test]
fn a_flipped_bit_in_any_byte_and_any_cut_is_noticed() {
    let architecture = architecture(Norm::Batch, None);
    let whole = bytes(&architecture);
    let load = |bytes: Vec<u8>| {
        Checkpoint::from_bytes(bytes, "file").and_then(|c| c.load::<f64>(&architecture))
    };
    assert_eq!(load(whole.clone()).unwrap(), weights(&architecture));
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1 << (position % 8);
        assert!(load(damaged).is_err(), "bit flipped in byte {position}");
    }
    for length in 0..whole.len() {
        assert!(
            load(whole[..length].to_vec()).is_err(),
            "cut to {length} bytes"
        );
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let body = architecture(Norm::Batch, None);
    let head = architecture(Norm::Batch, Some(2));
    let running = architecture(Norm::Running, None);
    let steps = architecture(Norm::PerStep { n_steps: 2 }, None);
    assert!(refusal(bytes(&body), &head).contains("tensor head.weight is missing"));
    assert!(refusal(bytes(&head), &body).contains("tensor head.bias is not part of the network"));
    assert!(refusal(bytes(&body), &running).contains("blocks.0.norm.running_mean is missing"));
    let shapes = refusal(bytes(&body), &steps);
    assert!(
        shapes.contains("blocks.0.norm.weight has shape [3] where the network has [2, 3]"),
        "{shapes}"
    );
    let (params, buffers) = weights(&body);
    let taken = BTreeMap::from([("metastable.format".to_owned(), String::new())]);
    let error = Checkpoint::to_bytes(&body, &params, &buffers, &taken).unwrap_err();
    assert!(error.to_string().contains("metastable.format"), "{error}");
}

/// As other software writes them: by the safetensors crate, without our metadata.
fn foreign(skip: usize, extra: Option<&str>, dtype: Dtype) -> Vec<u8> {
    let architecture = architecture(Norm::Running, None);
    let (params, buffers) = weights(&architecture);
    let mut tensors = Vec::new();
    for part in [params, buffers] {
        for entry in part.layout().entries() {
            let data: Vec<u8> = part.values()[entry.offset..][..entry.len()]
                .iter()
                .flat_map(|value| (*value as f32).to_le_bytes())
                .collect();
            tensors.push((entry.name.clone(), entry.shape.clone(), data, Dtype::F32));
        }
    }
    if let Some(name) = extra {
        tensors.push((
            name.to_owned(),
            vec![1],
            vec![0; dtype.bitsize() / 8],
            dtype,
        ));
    }
    let views = tensors.iter().skip(skip).map(|(name, shape, data, dtype)| {
        (
            name.as_str(),
            TensorView::new(*dtype, shape.clone(), data).unwrap(),
        )
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn files_of_other_software_load_if_they_fit() {
    let architecture = architecture(Norm::Running, None);
    let count = Some("blocks.0.norm.num_batches_tracked");
    let checkpoint = Checkpoint::from_bytes(foreign(0, count, Dtype::I64), "file").unwrap();
    assert_eq!(checkpoint.config(), None);
    let (params, _) = checkpoint.load::<f32>(&architecture).unwrap();
    assert_eq!(params, weights(&architecture).0.cast());
    assert!(
        refusal(foreign(1, None, Dtype::I64), &architecture)
            .contains("blocks.0.conv.weight is missing")
    );
    let extra = refusal(
        foreign(0, Some("decoder.weight"), Dtype::F32),
        &architecture,
    );
    assert!(extra.contains("decoder.weight is not part"), "{extra}");
    let kind = refusal(
        foreign(1, Some("blocks.0.conv.weight"), Dtype::F16),
        &architecture,
    );
    assert!(kind.contains("blocks.0.conv.weight has shape"), "{kind}");
}
