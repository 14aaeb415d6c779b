//! The documentation against the program: every command of every page is one that the program takes, every study that a page
//! shows is one that it reads, and Python is Python. `tests/it/recipes.rs` runs the commands of docs/analyze.md as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser;

use crate::flags::Flags;
use crate::study::Study;

/// Programs of others that a page may tell a reader to start.
const OTHERS: [&str; 5] = ["git", "python3", "squeue", "tail", "tensorboard"];

/// A fenced block of a page.
struct Block {
    place: String,
    language: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every page: those of `docs/`, and the readmes.
fn pages() -> Vec<PathBuf> {
    let root = root();
    let in_folder = |folder: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let docs = in_folder("docs").into_iter();
    let docs = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let readmes = in_folder("crates").into_iter();
    let readmes = readmes.map(|folder| folder.join("README.md"));
    let own = ["README.md", "CONTRIBUTING.md", "xtask/README.md"].map(|name| root.join(name));
    let mut pages: Vec<PathBuf> = docs.chain(readmes).chain(own).collect();
    pages.retain(|path| path.exists());
    pages.sort();
    pages
}

fn blocks(language: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for path in pages() {
        let mut inside = false;
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), blocks.last_mut()) {
                (Some(_), _) if inside => inside = false,
                (Some(info), _) => {
                    inside = true;
                    blocks.push(Block {
                        place: format!("{}:{}", path.display(), index + 1),
                        language: info.split([',', ' ']).next().unwrap().to_owned(),
                        text: String::new(),
                    });
                }
                (None, Some(block)) if inside => block.text += &format!("{line}\n"),
                (None, _) => {}
            }
        }
        assert!(!inside, "{}: a block is not closed", path.display());
    }
    blocks.retain(|block| block.language == language);
    blocks
}

/// The words of a command; single quotes hold words together, a comment or `…` is none, and what a shell does with the output is
/// not the command's.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let comment = part.find(" #").unwrap_or(part.len());
        let plain = part[..comment].split_whitespace();
        words.extend(plain.filter(|word| *word != "…").map(str::to_owned));
        if comment < part.len() {
            break;
        }
    }
    let end = words.iter().position(|word| word == ">" || word == "|");
    words.truncate(end.unwrap_or(words.len()));
    words
}

#[test]
fn every_command_of_every_page_is_taken() {
    let mut n_ours = 0;
    for block in blocks("sh") {
        let joined = block.text.replace("\\\n", " ");
        for line in joined.lines() {
            let words = words(line.trim().trim_start_matches("$ "));
            let plain: Vec<&str> = words.iter().map(String::as_str).collect();
            let place = format!("{}: {line}", block.place);
            let arguments = match &plain[..] {
                [] | ["#", ..] => continue,
                ["metastable", rest @ ..] => rest,
                // What serves this repository alone; `xtask` tests its own flags.
                ["cargo", "xtask", "check" | "bench", ..] => continue,
                ["cargo", "xtask", rest @ ..] => rest,
                ["cargo", rest @ ..] => {
                    check_cargo(rest, &place);
                    continue;
                }
                [program, ..] => {
                    assert!(OTHERS.contains(program), "{place}: no such program");
                    continue;
                }
            };
            n_ours += 1;
            let parsed = Flags::try_parse_from([&["metastable"], arguments].concat());
            assert!(parsed.is_ok(), "{place}: {}", parsed.unwrap_err());
        }
    }
    assert!(n_ours > 40, "{n_ours}");
}

/// An example that a page names is there, and so is the package.
fn check_cargo(arguments: &[&str], place: &str) {
    let after = |flag: &str| {
        let at = arguments.iter().position(|it| *it == flag)?;
        arguments.get(at + 1).copied()
    };
    assert!(
        ["build", "check", "fmt", "install", "run", "test"].contains(&arguments[0]),
        "{place}"
    );
    let folder = match after("-p").or(after("--package")) {
        Some(package) => {
            let name = package.strip_prefix("metastable-").unwrap_or(package);
            ["crates", "."].map(|folder| root().join(folder).join(name))
        }
        None => [root().join(after("--path").unwrap_or(".")), root()],
    };
    let folder = folder.iter().find(|it| it.join("Cargo.toml").exists());
    let folder = folder.unwrap_or_else(|| panic!("{place}: no such package"));
    if let Some(example) = after("--example") {
        let file = folder.join(format!("examples/{example}.rs"));
        let nested = folder.join(format!("examples/{example}/main.rs"));
        assert!(file.exists() || nested.exists(), "{place}: no such example");
    }
}

#[test]
fn every_study_of_every_page_is_read() {
    let mut n_read = 0;
    for block in blocks("toml") {
        // A map for `evaluate --import` has tables of its own; its tests read it with the weights that it is about.
        if block.text.contains("\n[tensors]") {
            continue;
        }
        // A fragment says what it is about; the rest is that of a study that has everything.
        let is_missing = |table: &&str| !block.text.contains(*table);
        let learners = ["[learners.maml]", "[learners.protonet]"]
            .into_iter()
            .filter(is_missing);
        let learners: Vec<&str> = learners.collect();
        let text = format!("{}\n{}\n", block.text, learners.join("\n"));
        let study = Study::of_text(&text, &block.place);
        assert!(study.is_ok(), "{:#}", study.err().unwrap());
        n_read += 1;
    }
    assert!(n_read > 2, "{n_read}");
}

/// Where `python3`, or the interpreter that `METASTABLE_PYTHON` names, is.
#[test]
fn python_of_every_page_is_python() {
    let python = std::env::var("METASTABLE_PYTHON").unwrap_or_else(|_| String::from("python3"));
    let blocks = blocks("python");
    assert!(blocks.len() > 3);
    for block in blocks {
        let mut command = Command::new(&python);
        command.args(["-c", "import ast, sys; ast.parse(sys.argv[1])", &block.text]);
        match command.stdin(Stdio::null()).output() {
            Ok(output) => assert!(
                output.status.success(),
                "{}: {}",
                block.place,
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(_) => {
                eprintln!("python of the documentation is not checked: there is no {python}");
                return;
            }
        }
    }
}
