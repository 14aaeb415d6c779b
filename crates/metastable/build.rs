//! Puts a digest of everything that computes into the program: stored runs with another are held against their first steps
//! before they are taken over.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

#[path = "build/digest.rs"]
mod digest;

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = here.ancestors().nth(2).unwrap_or(&here);
    for name in digest::FOLDERS
        .into_iter()
        .chain(["Cargo.lock", "crates/metastable/build"])
    {
        println!("cargo:rerun-if-changed={}", root.join(name).display());
    }
    let code = if root.join(digest::FOLDERS[0]).is_dir() {
        digest::code(root, &compiler()?)?
    } else {
        // From a registry: sources of a published version do not change.
        format!(
            "release {} {}",
            env::var("CARGO_PKG_VERSION")?,
            digest::of(&compiler()?)
        )
    };
    println!("cargo:rustc-env=METASTABLE_CODE={code}");
    Ok(())
}

/// The compiler's version, and the settings that change what it makes of floating-point code.
fn compiler() -> Result<String, Box<dyn Error>> {
    let version = Command::new(env::var("RUSTC")?).arg("-vV").output()?.stdout;
    let mut text = String::from_utf8(version)?;
    for name in [
        "TARGET",
        "PROFILE",
        "CARGO_CFG_TARGET_FEATURE",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_FEATURE_CUDA",
        "CARGO_FEATURE_METAL",
    ] {
        let value = env::var(name).unwrap_or_default();
        text += &format!("{name} = {value}\n");
    }
    Ok(text)
}
