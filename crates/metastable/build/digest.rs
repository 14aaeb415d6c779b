//! One digest of everything at build time that can change the bits of a run, the *build*: shared by the build script and its
//! tests.
//!
//! An explicit version number per crate would be forgotten on the day it matters, and a golden run cannot visit every
//! branch. A digest of the sources errs on the safe side: a change that leaves every bit alone may cost a repeated run,
//! never a mixture. So that it costs few, sources are read as tokens (no comments, no layout), without their unit tests.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use sha2::{Digest, Sha256};

/// Folders of sources that compute, below the root of the workspace.
pub(crate) const FOLDERS: [&str; 6] = [
    "crates/data/src",
    "crates/models/src",
    "crates/algorithms/src",
    "crates/guests/src",
    "crates/environments/src",
    "crates/metastable/src/run",
];

/// Below [`FOLDERS`], but computes nothing: brings archives, whose content has a digest of its own.
const APART: &str = "crates/data/src/fetch";

/// First letters of the packages of `Cargo.lock` that compute. Decoders are not among them: what they made of a file is in
/// the digest of the data.
const PACKAGES: [&str; 9] = [
    "candle-", "chacha20", "gemm", "half", "libm", "num-", "pulp", "rand", "rayon",
];

/// Digest of the sources and locked packages below `root`, and of what the compiler was told.
pub(crate) fn code(root: &Path, compiler: &str) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut add = |name: &str, text: &str| {
        for part in [name, text] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    };
    add("compiler", compiler);
    add(
        "packages",
        &packages(&fs::read_to_string(root.join("Cargo.lock"))?),
    );
    for path in sources(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        add(
            &name.replace('\\', "/"),
            &tokens(&fs::read_to_string(&path)?),
        );
    }
    Ok(hex(hasher))
}

/// Digest of a text.
pub(crate) fn of(text: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(text.as_bytes());
    hex(hasher)
}

fn hex(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The Rust files of [`FOLDERS`], in order.
fn sources(root: &Path) -> io::Result<Vec<PathBuf>> {
    let apart = root.join(APART);
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|name| root.join(name)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && path != apart {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_stem().is_none_or(|stem| stem != "tests")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A source without comments, layout and unit tests; as it is where it cannot be read as Rust.
pub(crate) fn tokens(source: &str) -> String {
    match source.parse::<TokenStream>() {
        Ok(stream) => strip(stream),
        Err(_) => source.to_owned(),
    }
}

fn strip(stream: TokenStream) -> String {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut text = String::new();
    let mut i = 0;
    while i < tokens.len() {
        match attribute(&tokens[i..]) {
            Some((n, attribute)) if attribute.starts_with("doc =") => i += n,
            Some((n, attribute)) if attribute == "cfg (test)" => {
                i += n;
                // Up to the end of the item.
                while i < tokens.len() && !ends_item(&tokens[i]) {
                    i += 1;
                }
                i += 1;
            }
            _ => {
                match &tokens[i] {
                    TokenTree::Group(group) => {
                        let (open, close) = match group.delimiter() {
                            Delimiter::Parenthesis => ("(", ")"),
                            Delimiter::Brace => ("{", "}"),
                            Delimiter::Bracket => ("[", "]"),
                            Delimiter::None => ("", ""),
                        };
                        text += open;
                        text += &strip(group.stream());
                        text += close;
                    }
                    other => text += &other.to_string(),
                }
                text.push(' ');
                i += 1;
            }
        }
    }
    text
}

/// The attribute that stands first: how many tokens it has, and what it says.
fn attribute(tokens: &[TokenTree]) -> Option<(usize, String)> {
    let is = |token: &TokenTree, c| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    if !is(tokens.first()?, '#') {
        return None;
    }
    let n = if is(tokens.get(1)?, '!') { 3 } else { 2 };
    match tokens.get(n - 1)? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            Some((n, group.stream().to_string()))
        }
        _ => None,
    }
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    }
}

/// Name, version and checksum of the packages that compute, one a line.
pub(crate) fn packages(lock: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for block in lock.split("[[package]]") {
        let field = |key: &str| {
            let line = block.lines().find(|line| line.starts_with(key))?;
            line.split('"').nth(1)
        };
        let name = field("name = ").unwrap_or_default();
        if PACKAGES.iter().any(|prefix| name.starts_with(prefix)) {
            let (version, checksum) = (field("version = "), field("checksum = "));
            lines.push(format!(
                "{name} {} {}",
                version.unwrap_or_default(),
                checksum.unwrap_or_default()
            ));
        }
    }
    lines.join("\n")
}
