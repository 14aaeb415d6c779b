//! Trained weights that come with the program: files of `datasets/weights`, compiled in, each with its card. A new one is two files
//! and a name in the list below; `metastable card` makes the files out of finished runs.

/// Weights, and the card that says what they are.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Short name, also that of both files.
    pub name: &'static str,
    /// `NAME.toml`: protocol, seeds, accuracy with interval, SHA-256 of the weights.
    pub card: &'static str,
    /// `NAME.safetensors`.
    pub weights: &'static [u8],
}

macro_rules! shipped {
    ($($name:literal,)*) => {
        /// All of them.
        pub const SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            card: include_str!(concat!("../../datasets/weights/", $name, ".toml")),
            weights: include_bytes!(concat!("../../datasets/weights/", $name, ".safetensors")),
        },)*];
    };
}

shipped! {
    "glyphs-protonet-5w1s",
    "omniglot-protonet-5w1s",
}
