//! What the bits of a run depend on besides its configuration: the code that computes, and what it runs on.

use metastable_models::elementary_digest;
use metastable_models::fused::instruction_set;
use serde::{Deserialize, Serialize};

use crate::registry::registry;

/// Digest of the sources that compute, the packages under them and the compiler (`build/digest.rs`): two programs that agree in
/// it make the same bits on one machine.
pub(crate) const BUILD: &str = env!("METASTABLE_CODE");

/// The build and the machine, as far as they can change a bit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numerics {
    /// Digest of the bits that a miniature of the run makes ([`super::miniature`]); [`BUILD`] for guests, accelerators, and episodes
    /// that a miniature does not draw (unequal sizes, mixes, held-out files).
    pub(crate) code: String,
    /// Instruction set of the fused kernels.
    pub(crate) instruction_set: String,
    /// Digest of the system's `exp`, `ln` and `cos`.
    pub(crate) elementary: String,
    /// Digest of the program, where another crate made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<String>,
}

impl Numerics {
    /// Of this process, with the build as its code.
    pub(crate) fn here() -> Self {
        Self {
            code: BUILD.to_owned(),
            instruction_set: instruction_set().to_owned(),
            elementary: elementary_digest(),
            program: registry().program().map(String::from),
        }
    }
}

/// The build script's digest, tested here because a build script has no tests.
#[cfg(test)]
#[path = "../../build/digest.rs"]
mod digest;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::digest::{code, of, packages, tokens};

    #[test]
    fn comments_layout_and_unit_tests_do_not_count() {
        let plain = "fn f(x: f32) -> f32 { x * 2.0 }";
        for same in [
            "//! About.\n\n/// Doubles.\nfn f(x: f32) -> f32 {\n    // Twice.\n    x * 2.0\n}\n",
            "fn f(x: f32) -> f32 { x * 2.0 }\n#[cfg(test)]\nmod tests { fn g() {} }",
            "#[cfg(test)]\nuse a::b;\nfn f(x: f32) -> f32 { /* twice */ x * 2.0 }",
        ] {
            assert_eq!(tokens(same), tokens(plain), "{same}");
        }
        for other in [
            "fn f(x: f32) -> f32 { x * 2.5 }",
            "#[inline]\nfn f(x: f32) -> f32 { x * 2.0 }",
            "#[cfg(test)]\nmod tests {}\nfn f(x: f32) -> f32 { x * 2.5 }",
        ] {
            assert_ne!(tokens(other), tokens(plain), "{other}");
        }
    }

    #[test]
    fn packages_that_do_not_compute_do_not_count() {
        let lock = |clap: &str, gemm: &str| {
            format!(
                "[[package]]\nname = \"clap\"\nversion = \"{clap}\"\n\n\
                 [[package]]\nname = \"gemm\"\nversion = \"{gemm}\"\nchecksum = \"aa\"\n"
            )
        };
        let now = packages(&lock("4.0.0", "0.19.0"));
        assert_eq!(now, "gemm 0.19.0 aa");
        assert_eq!(now, packages(&lock("4.1.0", "0.19.0")));
        assert_ne!(now, packages(&lock("4.0.0", "0.19.1")));
    }

    #[test]
    fn the_real_lock_file_names_what_multiplies_matrices() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .unwrap();
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap();
        let names = packages(&lock);
        for name in ["candle-core ", "gemm-f32 ", "rand_chacha ", "rayon "] {
            assert!(names.contains(name), "{name} is not in: {names}");
        }
        assert!(!names.contains("indicatif"), "{names}");
        assert_ne!(code(root, "one").unwrap(), code(root, "another").unwrap());
        // SHA-256 of the empty text, as FIPS 180-4's examples have it.
        assert!(of("").starts_with("e3b0c44298fc1c14"));
    }
}
