//! Writes a freshly initialised network as a checkpoint.
//!
//! ```text
//! cargo run -p metastable-models --example init -- OUT.safetensors SEED '{"name": "conv4", ...}'
//! ```
//!
//! The third argument is a `NetworkConfig` in JSON, e.g.
//! `{"name":"conv4","image":{"height":28,"width":28,"channels":1},"n_blocks":4,"width":64,"norm":{"kind":"batch"},"n_way":5}`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use metastable_models::{Architecture, Checkpoint, NetworkConfig};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [path, seed, config] = arguments.as_slice() else {
        return Err("give an output file, a seed and a network in JSON".into());
    };
    let config: NetworkConfig = serde_json::from_str(config)?;
    let architecture = Architecture::new(&config)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed.parse()?);
    let params = architecture.initial_params::<f32>(&mut rng);
    let buffers = architecture.initial_buffers::<f32>();
    let metadata = BTreeMap::from([("seed".to_owned(), seed.clone())]);
    Checkpoint::save(Path::new(path), &architecture, &params, &buffers, &metadata)?;
    Ok(())
}
