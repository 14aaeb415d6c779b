//! Checkpoints: what is written is read, and what is damaged or does not fit is refused by name.

use std::collections::BTreeMap;

use metastable_models::{Architecture, Checkpoint, ImageShape, NetworkConfig, Norm, Params};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

fn architecture(norm: Norm, n_way: Option<usize>) -> Architecture {
    Architecture::new(&NetworkConfig {
        name: "conv4".to_owned(),
        form: None,
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

/// The file's header as JSON, and the tensors' bytes.
fn taken_apart(bytes: &[u8]) -> (serde_json::Value, Vec<u8>) {
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    (header, bytes[8 + length..].to_vec())
}

fn put_together(header: &serde_json::Value, data: &[u8]) -> Vec<u8> {
    let header = header.to_string().into_bytes();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(data);
    bytes
}

/// The same file without its digest, or with the one of the old format, which anybody can compute.
fn resealed(header: &serde_json::Value, data: &[u8], is_old: bool) -> Vec<u8> {
    let mut header = header.clone();
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    metadata.remove("metastable.sha256");
    if is_old {
        metadata.insert("metastable.format".to_owned(), "1".into());
        let mut hasher = Sha256::new();
        for (key, value) in metadata.iter() {
            for text in [key.as_str(), value.as_str().unwrap()] {
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text);
            }
        }
        hasher.update(data);
        let hex: String = hasher
            .finalize()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        metadata.insert("metastable.sha256".to_owned(), hex.into());
    }
    put_together(&header, data)
}

#[test]
fn tensors_may_lie_in_any_order_but_never_exchange_their_values() {
    let architecture = architecture(Norm::Running, None);
    let whole = bytes(&architecture);
    let (header, data) = taken_apart(&whole);
    let (mean, variance) = ("blocks.0.norm.running_mean", "blocks.0.norm.running_var");
    let mut exchanged = header.clone();
    for (to, from) in [(mean, variance), (variance, mean)] {
        exchanged[to]["data_offsets"] = header[from]["data_offsets"].clone();
    }
    let error = refusal(put_together(&exchanged, &data), &architecture);
    assert!(error.contains("damaged"), "{error}");
    // With the old digest, which does not change by this, the file is refused for its places.
    let old = Checkpoint::from_bytes(resealed(&header, &data, true), "file").unwrap();
    assert_eq!(
        old.load::<f64>(&architecture).unwrap(),
        weights(&architecture)
    );
    let error = refusal(resealed(&exchanged, &data, true), &architecture);
    assert!(error.contains("is not where format 1 puts it"), "{error}");
    // The bytes moved along with the offsets: the same tensors, and the same digest.
    let span = |name: &str| {
        let at = |index: usize| header[name]["data_offsets"][index].as_u64().unwrap() as usize;
        at(0)..at(1)
    };
    let mut moved = data.clone();
    moved[span(mean)].copy_from_slice(&data[span(variance)]);
    moved[span(variance)].copy_from_slice(&data[span(mean)]);
    let checkpoint = Checkpoint::from_bytes(put_together(&exchanged, &moved), "file").unwrap();
    assert!(checkpoint.is_sealed());
    assert_eq!(
        checkpoint.load::<f64>(&architecture).unwrap(),
        weights(&architecture)
    );
}

#[test]
fn a_file_saved_again_without_our_digest_is_taken() {
    let architecture = architecture(Norm::Running, Some(2));
    let (header, data) = taken_apart(&bytes(&architecture));
    let checkpoint = Checkpoint::from_bytes(resealed(&header, &data, false), "file").unwrap();
    assert!(!checkpoint.is_sealed());
    assert_eq!(checkpoint.config(), Some(architecture.config()));
    assert_eq!(checkpoint.metadata()["fingerprint"], "abc");
    assert_eq!(
        checkpoint.load::<f64>(&architecture).unwrap(),
        weights(&architecture)
    );
}

#[test]
fn a_crafted_configuration_is_an_error_whatever_its_numbers() {
    let architecture = architecture(Norm::PerStep { n_steps: 2 }, Some(2));
    let (header, data) = taken_apart(&bytes(&architecture));
    let text = header["__metadata__"]["metastable.network"]
        .as_str()
        .unwrap();
    let network: serde_json::Value = serde_json::from_str(text).unwrap();
    let places = [
        "/image/height",
        "/image/width",
        "/image/channels",
        "/n_blocks",
        "/width",
        "/n_way",
        "/norm/n_steps",
    ];
    let values = [0, 1_000_000_000, 10_u64.pow(18), 10_u64.pow(19), u64::MAX];
    for name in ["conv4", "conv4-strided", "mlp"] {
        for place in places {
            for value in values {
                let mut crafted = network.clone();
                crafted["name"] = name.into();
                *crafted.pointer_mut(place).unwrap() = value.into();
                let mut header = header.clone();
                header["__metadata__"]["metastable.network"] = crafted.to_string().into();
                for is_old in [false, true] {
                    let bytes = resealed(&header, &data, is_old);
                    let read = Checkpoint::from_bytes(bytes, "file");
                    assert!(read.is_err(), "{name} with {place} = {value}");
                }
            }
        }
    }
    // Sizes that a network may have, but not the one in this file.
    let mut crafted = network;
    crafted["width"] = 4096.into();
    let mut header = header;
    header["__metadata__"]["metastable.network"] = crafted.to_string().into();
    let error = refusal(resealed(&header, &data, false), &architecture);
    assert!(error.contains("bytes of them"), "{error}");
}
