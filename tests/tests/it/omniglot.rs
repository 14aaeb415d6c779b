//! On the real Omniglot, where it is at hand.

use std::path::PathBuf;

use acceptance::Scenario;
use metastable_algorithms::LearnerConfig;
use metastable_data::{EpisodeShape, OpenOptions, Seeds, Split, open};

/// Forty outer steps of a quarter-width ProtoNet; chance is 20 %.
#[test]
fn protonet_learns_omniglot() {
    let Some(dir) = std::env::var_os("METASTABLE_DATA") else {
        println!("skipped: METASTABLE_DATA is not set");
        return;
    };
    let options = OpenOptions {
        data_dir: Some(PathBuf::from(dir)),
        ..OpenOptions::default()
    };
    let dataset = open("omniglot", &options).unwrap();
    assert_eq!((dataset.classes.len(), dataset.n_images()), (1623, 32_460));
    let rule = "vinyals".parse().unwrap();
    let split = Split::new(&dataset, &rule, &Seeds::all(0)).unwrap();
    let scenario = Scenario {
        learner: LearnerConfig::named("protonet"),
        shape: EpisodeShape {
            n_way: 5,
            k_shot: 1,
            n_query: 5,
        },
        outer_steps: 40,
        meta_batch: 4,
        width: 16,
        n_tasks: 100,
        seed: 0,
    };
    let trace = scenario.run(&dataset, &split).unwrap();
    let (before, after) = (trace.before.accuracy(), trace.after.accuracy());
    println!("{before:.3} untrained, {after:.3} after 40 steps");
    assert!(
        after > 0.5 && after > before + 0.1,
        "{before} before, {after} after"
    );
}
