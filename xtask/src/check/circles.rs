//! Which files of a crate import one another in a circle: two may, more may not.
//!
//! Text alone is read: every path that begins with `crate::`, `super::` or `self::` and, in a file that declares
//! modules, every path that begins with one of them. Comments and unit tests at the end of a file do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Files in one circle that are allowed.
const LIMIT: usize = 2;

/// Circles that stand: crate, first module of the circle (none: the root of the crate), files. Any change of a number has to be written
/// down here: a circle grows only where somebody has seen it (by files that were split, so far), and one that is cut does not grow back.
const EXCEPTIONS: &[(&str, &str, usize)] = &[];

/// The imports of a crate: from each module, the modules whose files it names.
type Graph = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// Fails on a circle of more than two files that is no exception, and on an exception that is no circle any more.
pub(super) fn check(root: &Path) -> Result<()> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.join("xtask")];
    for entry in std::fs::read_dir(root.join("crates")).context("while listing crates")? {
        folders.push(entry?.path());
    }
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut files = BTreeMap::new();
        read(&folder.join("src"), &mut Vec::new(), &mut files)?;
        for circle in circles(&graph(&files)) {
            found.insert((name.to_string(), circle[0].join("::"), circle.len()));
        }
    }
    let expected: BTreeSet<_> = EXCEPTIONS
        .iter()
        .map(|(name, first, size)| ((*name).to_owned(), (*first).to_owned(), *size))
        .collect();
    ensure!(
        found == expected,
        "circles of more than {LIMIT} files (crate, first module, files): new {:?}, cut the imports; gone {:?}, take \
         them off the exceptions in xtask/src/check/circles.rs",
        found.difference(&expected).collect::<Vec<_>>(),
        expected.difference(&found).collect::<Vec<_>>()
    );
    Ok(())
}

/// Collects the text of each module below `folder`.
fn read(
    folder: &Path,
    at: &mut Vec<String>,
    files: &mut BTreeMap<Vec<String>, String>,
) -> Result<()> {
    let listing =
        std::fs::read_dir(folder).with_context(|| format!("while listing {}", folder.display()))?;
    for entry in listing {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_root = matches!(&*stem, "mod" | "lib") || (stem == "main" && at.is_empty());
        if !is_root {
            at.push(stem.to_string());
        }
        if path.is_dir() {
            read(&path, at, files)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("while reading {}", path.display()))?;
            // A crate with library and program has two roots; both are its module of no name.
            files.entry(at.clone()).or_default().push_str(&text);
        }
        if !is_root {
            at.pop();
        }
    }
    Ok(())
}

/// Reads the imports of every module. A name that a module re-exports counts as an import of the module that has it.
fn graph(files: &BTreeMap<Vec<String>, String>) -> Graph {
    let named: BTreeMap<&Vec<String>, Vec<Vec<String>>> = files
        .iter()
        .map(|(module, text)| (module, absolute(module, &code(text), files)))
        .collect();
    let used: BTreeMap<&Vec<String>, Vec<Vec<String>>> = files
        .iter()
        .map(|(module, text)| (module, absolute(module, &uses(&code(text)), files)))
        .collect();
    let mut known: BTreeMap<(&[String], &str), &Vec<String>> = BTreeMap::new();
    for (module, paths) in &used {
        for path in paths {
            if let Some(name) = path.last() {
                known
                    .entry((module.as_slice(), name.as_str()))
                    .or_insert(path);
            }
        }
    }
    let defined_in = |path: &Vec<String>| {
        let mut path = path.clone();
        // As long a chain of re-exports as anybody writes; one that goes round ends here too.
        for _ in 0..8 {
            let n = (0..=path.len())
                .rev()
                .find(|n| files.contains_key(&path[..*n]))?;
            let Some(other) = path
                .get(n)
                .and_then(|name| known.get(&(&path[..n], name.as_str())))
            else {
                return Some(path[..n].to_vec());
            };
            path = [other.as_slice(), &path[n + 1..]].concat();
        }
        None
    };
    named
        .iter()
        .map(|(module, paths)| {
            let imports = paths.iter().filter_map(defined_in);
            (
                (*module).clone(),
                imports.filter(|it| it != *module).collect(),
            )
        })
        .collect()
}

/// The paths that a module names, each from the root of the crate.
fn absolute(
    module: &[String],
    code: &str,
    files: &BTreeMap<Vec<String>, String>,
) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for path in paths(code) {
        let mut at = match path[0].as_str() {
            "crate" => Vec::new(),
            "super" | "self" => module.to_vec(),
            child => {
                let full = [module, &[child.to_owned()]].concat();
                if !files.contains_key(&full) {
                    continue;
                }
                full
            }
        };
        for part in path.iter().skip(usize::from(path[0] != "super")) {
            match part.as_str() {
                "super" => drop(at.pop()),
                "self" => {}
                part => at.push(part.to_owned()),
            }
        }
        found.push(at);
    }
    found
}

/// The `use` statements of a file.
fn uses(code: &str) -> String {
    let statements = code.split_inclusive(';');
    let used = statements.filter_map(|statement| {
        let begin = statement.find("use ")?;
        let is_word = statement[..begin].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        (!is_word).then(|| &statement[begin + 4..])
    });
    used.collect()
}

/// A file without its comments, its unit tests, and the paths of its visibilities, which import nothing.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..end]
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut parts = text.split("pub(in ");
    let mut code = parts.next().unwrap_or("").to_owned();
    for part in parts {
        code += "pub";
        code += part.split_once(')').map_or("", |(_, rest)| rest);
    }
    code
}

/// Every path of two parts or more, with lists in braces written out.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let bytes = code.as_bytes();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut at = 0;
    while at < bytes.len() {
        let begin = at;
        while at < bytes.len() && word(bytes[at]) {
            at += 1;
        }
        if at == begin {
            at += 1;
        } else if code[at..].starts_with("::") {
            at = begin + tree(&code[begin..], &[], &mut found);
        }
    }
    found
}

/// Reads one path with its lists at the beginning of `text`; returns how many bytes it takes.
fn tree(text: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if text[at..].starts_with('{') {
            at += 1;
            while at < text.len() && !text[at..].starts_with('}') {
                at += tree(&text[at..], &path, found).max(1);
                while !text.is_char_boundary(at) {
                    at += 1;
                }
            }
            return (at + 1).min(text.len());
        }
        let name: String = text[at..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        at += name.len();
        if !name.is_empty() {
            path.push(name);
        }
        if !text[at..].starts_with("::") {
            if path.len() > before.len() {
                found.push(path);
            }
            return at;
        }
        at += 2;
    }
}

/// Groups of more than [`LIMIT`] modules each of which reaches all others, sorted.
fn circles(graph: &Graph) -> Vec<Vec<Vec<String>>> {
    let reached: BTreeMap<_, _> = graph
        .keys()
        .map(|from| {
            let mut seen = BTreeSet::new();
            let mut open = vec![from];
            while let Some(module) = open.pop() {
                for next in graph.get(module).into_iter().flatten() {
                    if seen.insert(next) {
                        open.push(next);
                    }
                }
            }
            (from, seen)
        })
        .collect();
    let mut found = BTreeSet::new();
    for (from, seen) in &reached {
        let circle: Vec<_> = seen
            .iter()
            .filter(|to| reached[**to].contains(from))
            .map(|to| (*to).clone())
            .collect();
        if circle.len() > LIMIT {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(files: &[(&str, &str)]) -> Vec<Vec<Vec<String>>> {
        let module = |name: &str| name.split("::").map(str::to_owned).collect();
        let files = files
            .iter()
            .map(|(name, text)| (module(name), (*text).to_owned()));
        circles(&graph(&files.collect()))
    }

    fn planted_at_root(files: &[(&str, &str)]) -> Vec<Vec<Vec<String>>> {
        let module = |name: &str| match name {
            "" => Vec::new(),
            name => vec![name.to_owned()],
        };
        let files = files
            .iter()
            .map(|(name, text)| (module(name), (*text).to_owned()));
        circles(&graph(&files.collect()))
    }

    #[test]
    fn a_circle_of_three_files_is_refused() {
        let circle = [
            ("a", "use crate::{b::B, z};"),
            ("b", "pub mod c;\nfn f() { c::g() }"),
            ("b::c", "use super::super::a::A;"),
            ("z", "fn f() {}"),
        ];
        let found = planted(&circle);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0], [vec!["a"], vec!["b"], vec!["b", "c"]]);
    }

    #[test]
    fn a_re_exported_name_is_an_import_of_the_file_that_has_it() {
        let facade = [
            ("", "mod a;\nmod b;\npub use self::a::A;\npub use b::B;"),
            ("a", "use crate::B;"),
            ("b", "fn f() {}"),
        ];
        assert!(planted_at_root(&facade).is_empty());
        let circle = [
            ("", "pub use self::a::A;\npub use b::B;\npub use c::C;"),
            ("a", "use crate::B;"),
            ("b", "use crate::C;"),
            ("c", "use crate::A;"),
        ];
        assert_eq!(planted_at_root(&circle).len(), 1);
    }

    #[test]
    fn two_files_comments_visibilities_and_tests_are_no_circle() {
        assert!(planted(&[("a", "use crate::b::B;"), ("b", "use crate::a::A;")]).is_empty());
        let tested = [
            ("a", "use crate::b::B; // crate::c::C"),
            ("b", "use crate::c::C;"),
            (
                "c",
                "/// [`crate::a::A`]\npub(in crate::a) fn f() {}\n#[cfg(test)]\nmod tests { use crate::a::A; }",
            ),
        ];
        assert!(planted(&tested).is_empty());
    }

    #[test]
    fn the_tree_has_no_circle_but_the_exceptions() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        check(manifest.parent().unwrap()).unwrap();
    }
}
