//! The other side of the protocol in Python, and learners to start from, as the text of their files.

/// `metastable_guest.py`: serves a learner to this program; needs numpy and safetensors.
pub const MODULE: &str = include_str!("../python/metastable_guest.py");

/// `metastable_environment.py`: serves environments to this program; needs numpy and safetensors.
pub const ENVIRONMENT: &str = include_str!("../python/metastable_environment.py");

/// Learners and environments to start from, by name.
pub const TEMPLATES: [(&str, &str); 7] = [
    ("nearest_mean", include_str!("../python/nearest_mean.py")),
    (
        "torch_protonet",
        include_str!("../python/torch_protonet.py"),
    ),
    ("torch_maml", include_str!("../python/torch_maml.py")),
    ("torch_encoder", include_str!("../python/torch_encoder.py")),
    ("jax_protonet", include_str!("../python/jax_protonet.py")),
    ("attention", include_str!("../python/attention.py")),
    ("cart_poles", include_str!("../python/cart_poles.py")),
];
