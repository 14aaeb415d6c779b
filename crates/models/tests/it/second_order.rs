//! candle's silent mistake about second derivatives is caught before it costs anyone a result.

use std::process::Command;

use metastable_models::graph::second_order_available;
use metastable_models::{
    Architecture, Backend, DeviceSpec, ImageShape, Loss, ModelError, Network, NetworkConfig, Norm,
    Objective, Pass, build,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const SWITCH: &str = "CANDLE_GRAD_DO_NOT_DETACH";

/// The switch is read once per thread, and setting it from within is not safe Rust: this test runs itself again, in a
/// process that has it off.
#[test]
fn with_the_switch_off_the_graph_backend_refuses() {
    if second_order_available() {
        let own_name = "second_order::with_the_switch_off_the_graph_backend_refuses";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", own_name])
            .env_remove(SWITCH)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    let config = NetworkConfig {
        name: "mlp".to_owned(),
        form: None,
        image: ImageShape {
            height: 2,
            width: 2,
            channels: 1,
        },
        n_blocks: 1,
        width: 3,
        norm: Norm::None,
        n_way: Some(2),
    };
    let architecture = Architecture::new(&config).unwrap();
    let params = architecture.initial_params(&mut ChaCha8Rng::seed_from_u64(1));
    let images = [0.3, 0.1, 0.9, 0.5, 0.2, 0.8, 0.4, 0.7];
    let objective = Objective {
        loss: Loss::CrossEntropy,
        n_way: 2,
        supports: &[],
        labels: &[0, 1],
        values: &[],
    };
    let derivatives = |backend| {
        let network: Box<dyn Network<f64>> = build(&config, backend, DeviceSpec::Cpu).unwrap();
        let mut tape = network
            .record(&params, &images, Pass::batch(0), objective)
            .unwrap();
        (tape.gradient().unwrap(), tape.hessian_product(&params))
    };
    let (graph_gradient, graph_product) = derivatives(Backend::Graph);
    let (fused_gradient, fused_product) = derivatives(Backend::Fused);
    assert!(matches!(
        graph_product,
        Err(ModelError::SecondOrderUnavailable)
    ));
    assert!(fused_product.unwrap().norm() > 0.0);
    let gap = graph_gradient.plus(-1.0, &fused_gradient).norm();
    assert!(gap < 1e-12, "first order is right all the same: {gap:e}");
}
