//! A network that another crate has named: its configuration says what it is, wherever it is read.

use std::collections::BTreeMap;

use metastable_models::{
    Architecture, Backend, Beside, BlockKind, Checkpoint, DeviceSpec, Form, HeadForm, ImageShape,
    Loss, Network, NetworkConfig, Norm, Objective, Pass, Readout, build,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn config(form: Option<Form>) -> NetworkConfig {
    NetworkConfig {
        name: "theirs".to_owned(),
        form,
        image: ImageShape {
            height: 6,
            width: 6,
            channels: 1,
        },
        n_blocks: 1,
        width: 3,
        norm: Norm::Batch,
        n_way: Some(2),
    }
}

/// No network of the registry pools and then takes a mean.
const FORM: Form = Form {
    beside: Beside::Nothing,
    head: HeadForm::Plain,
    block: BlockKind::ConvPool,
    readout: Readout::SpatialMean,
};

#[test]
fn a_form_of_its_own_is_built_alike_by_both_backends_and_comes_back_from_a_checkpoint() {
    let config = config(Some(FORM));
    let architecture = Architecture::new(&config).unwrap();
    assert_eq!(architecture.n_features(), 3);
    let theta = architecture.initial_params(&mut ChaCha8Rng::seed_from_u64(1));
    let images: Vec<f64> = (0..4 * 36)
        .map(|at| f64::from(at * at % 17) / 17.0)
        .collect();
    let objective = Objective {
        loss: Loss::CrossEntropy,
        n_way: 2,
        supports: &[],
        labels: &[0, 1, 0, 1],
        values: &[],
    };
    let [fused, graph] = [Backend::Fused, Backend::Graph].map(|backend| {
        let network: Box<dyn Network<f64>> = build(&config, backend, DeviceSpec::Cpu).unwrap();
        let mut tape = network
            .record(&theta, &images, Pass::batch(0), objective)
            .unwrap();
        tape.gradient().unwrap()
    });
    assert!(fused.plus(-1.0, &graph).norm() < 1e-10 * graph.norm());
    assert!(graph.norm() > 1e-3);

    let buffers = architecture.initial_buffers::<f64>();
    let bytes = Checkpoint::to_bytes(&architecture, &theta, &buffers, &BTreeMap::new()).unwrap();
    let stored = Checkpoint::from_bytes(bytes, "memory").unwrap();
    assert_eq!(stored.config(), Some(&config));
}

#[test]
fn a_name_alone_has_to_be_in_the_registry_and_a_configuration_of_one_says_no_form() {
    let error = Architecture::new(&config(None)).unwrap_err().to_string();
    assert!(error.contains("choose one of conv4"), "{error}");
    let text = |form| serde_json::to_string(&config(form)).unwrap();
    assert!(!text(None).contains("form"));
    let form = r#""form":{"block":"conv-pool","readout":"spatial-mean"}"#;
    assert!(text(Some(FORM)).contains(form));
}
