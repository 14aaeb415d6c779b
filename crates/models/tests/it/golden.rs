//! Against PyTorch: outputs, loss, gradient, Hessian-vector product and running statistics in double precision, and the
//! outputs of a checkpoint that PyTorch loaded with `load_state_dict`. The values and the script that made them are in
//! `tests/golden/`.

use std::path::PathBuf;
use std::sync::Arc;

use metastable_models::{
    Architecture, Backend, Checkpoint, DeviceSpec, Layout, Loss, Network, NetworkConfig, Objective,
    Params, Pass, Statistics, build,
};
use safetensors::SafeTensors;
use serde::Deserialize;

/// Both compute in double precision, in another order; a norm over few values multiplies roundings by 1 / std.
const ROUNDING: f64 = 1e-9;

/// Largest difference between two f32 passes of some thousand additions each, relative to the outputs.
const SINGLE_ROUNDING: f64 = 1e-4;

#[derive(Deserialize)]
struct Spec {
    network: NetworkConfig,
    loss: Loss,
    step: usize,
    stored: bool,
    n_way: usize,
    k_shot: usize,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn names() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".checkpoint.safetensors"))
        .map(|name| name.replace(".checkpoint.safetensors", ""))
        .collect();
    names.sort();
    names
}

fn doubles(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let (chunks, rest) = file.tensor(name).unwrap().data().as_chunks();
    assert!(rest.is_empty(), "{name}");
    chunks
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect()
}

/// `{prefix}.{entry}` for every entry, checked for shape.
fn params(file: &SafeTensors<'_>, prefix: &str, layout: &Arc<Layout>) -> Params<f64> {
    let mut values = Vec::new();
    for entry in layout.entries() {
        let name = format!("{prefix}.{}", entry.name);
        assert_eq!(file.tensor(&name).unwrap().shape(), entry.shape, "{name}");
        values.extend(doubles(file, &name));
    }
    Params::from_values(layout, values)
}

#[track_caller]
fn close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut got.iter().zip(expected).map(|(a, b)| a - b));
    let size = norm(&mut expected.iter().copied());
    assert!(
        difference <= tolerance * size,
        "{what}: off by {difference:e} of {size:e}"
    );
}

/// The objects that a case is made of, read from its file.
fn with_case(name: &str, check: impl Fn(&Spec, &SafeTensors<'_>, &[f64], &[usize])) {
    let bytes = std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    let spec: Spec = serde_json::from_str(&metadata["case"]).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let images: Vec<_> = file
        .tensor("images")
        .unwrap()
        .data()
        .iter()
        .map(|byte| f64::from(*byte) / 256.0)
        .collect();
    let (labels, _) = file.tensor("labels").unwrap().data().as_chunks();
    let labels: Vec<_> = labels
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes) as usize)
        .collect();
    check(&spec, &file, &images, &labels);
}

fn agrees_with_pytorch(name: &str, backend: Backend) {
    with_case(name, |spec, file, images, labels| {
        let network: Box<dyn Network<f64>> =
            build(&spec.network, backend, DeviceSpec::Cpu).unwrap();
        let stored = spec
            .stored
            .then(|| params(file, "stored", network.buffers()));
        let pass = Pass {
            inner_step: spec.step,
            statistics: stored
                .as_ref()
                .map_or(Statistics::Batch, Statistics::Stored),
        };
        let supports: Vec<usize> = (0..spec.n_way)
            .flat_map(|class| vec![class; spec.k_shot])
            .collect();
        let objective = Objective {
            loss: spec.loss,
            n_way: spec.n_way,
            supports: &supports,
            labels,
            values: &[],
        };
        let at = params(file, "params", network.layout());
        let mut tape = network.record(&at, images, pass, objective).unwrap();
        let what = |what: &str| format!("{name} ({backend:?}): {what}");
        let same = |of: &str, got: &[f64]| close(&what(of), got, &doubles(file, of), ROUNDING);
        same("outputs", tape.outputs());
        same("outputs", &network.outputs(&at, images, pass).unwrap());
        same("log_probabilities", tape.log_probabilities());
        same("loss", &[tape.loss()]);
        let direction = params(file, "direction", network.layout());
        for (of, got) in [
            ("gradient", tape.gradient().unwrap()),
            ("product", tape.hessian_product(&direction).unwrap()),
        ] {
            let expected = params(file, of, network.layout());
            close(&what(of), got.values(), expected.values(), ROUNDING);
        }
        if !spec.stored {
            let expected = params(file, "statistics", network.buffers());
            let got = tape.statistics();
            close(
                &what("statistics"),
                got.values(),
                expected.values(),
                ROUNDING,
            );
        }
    });
}

#[test]
fn both_backends_agree_with_pytorch() {
    let names = names();
    assert!(names.len() >= 12, "golden cases are missing: {names:?}");
    for name in &names {
        for backend in [Backend::Fused, Backend::Graph] {
            agrees_with_pytorch(name, backend);
        }
    }
}

#[test]
fn pytorch_reads_our_checkpoints() {
    for name in names() {
        with_case(&name, |spec, file, images, _| {
            let path = folder().join(format!("{name}.checkpoint.safetensors"));
            let checkpoint = Checkpoint::open(&path).unwrap();
            assert_eq!(checkpoint.config(), Some(&spec.network));
            let architecture = Architecture::new(&spec.network).unwrap();
            let expected = doubles(file, "checkpoint_outputs");
            let pass = Pass::batch(spec.step);
            let (at, _) = checkpoint.load::<f64>(&architecture).unwrap();
            let network: Box<dyn Network<f64>> =
                build(&spec.network, Backend::Fused, DeviceSpec::Cpu).unwrap();
            let outputs = network.outputs(&at, images, pass).unwrap();
            close(&name, &outputs, &expected, ROUNDING);

            let (at, _) = checkpoint.load::<f32>(&architecture).unwrap();
            let images: Vec<_> = images.iter().map(|pixel| *pixel as f32).collect();
            for backend in [Backend::Fused, Backend::Graph] {
                let network: Box<dyn Network<f32>> =
                    build(&spec.network, backend, DeviceSpec::Cpu).unwrap();
                let pass = Pass::batch(spec.step);
                let outputs = network.outputs(&at, &images, pass).unwrap();
                let outputs: Vec<_> = outputs.into_iter().map(f64::from).collect();
                close(
                    &format!("{name} (f32, {backend:?})"),
                    &outputs,
                    &expected,
                    SINGLE_ROUNDING,
                );
            }
        });
    }
}

/// A case must not be so tame that a wrong formula would pass: the gradient and the product are far from zero.
#[test]
fn golden_values_are_not_trivial() {
    for name in names() {
        with_case(&name, |spec, file, _, _| {
            let architecture = Architecture::new(&spec.network).unwrap();
            for of in ["gradient", "product"] {
                let norm = params(file, of, architecture.layout()).norm();
                assert!(norm > 1e-2, "{name}: {of} has length {norm}");
            }
        });
    }
}
