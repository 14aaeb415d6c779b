//! A tiny study, and a way to run the program on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// Two learners, two seeds, small images, a narrow network: a second or two of work.
pub(crate) const TINY: &str = r#"
name = "tiny"
seeds = 2

[data]
set = "glyphs"
size = 14

[glyphs]
n_alphabets = 10
n_characters = 4
n_drawers = 6

[episode]
way = 3
shot = 1
query = 2

[validation]
episodes = 3
times = 3

[test]
way = 3
shot = 1
query = 2
episodes = 8
curves = 2

[network]
name = "conv4"
width = 4
blocks = 2

[run]
log_every = 2
save_seconds = 0

[learner]
outer_steps = 12
meta_batch = 3

[learners.maml]
inner_steps = 2

[learners.protonet]
"#;

/// A folder with a study in it.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    /// The tiny study, with changes to its text.
    pub(crate) fn new(changes: &[(&str, &str)]) -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let mut text = TINY.to_owned();
        for (was, is) in changes {
            assert!(text.contains(was), "{was} is not in the study");
            text = text.replacen(was, is, 1);
        }
        fs::write(bench.path("tiny.toml"), text).unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder of 14x14 images, 12 classes of 6: dark strokes on bright paper, placed by class, shifted by image.
    pub(crate) fn images(&self, name: &str) {
        for class in 0..12 {
            let folder = self.path(name).join(format!("class{class:02}"));
            fs::create_dir_all(&folder).unwrap();
            for image in 0..6 {
                let is_ink = |x: usize, y: usize| {
                    x == 1 + class || (y == 12 - class && x > image) || (x, y) == (image, 7)
                };
                fs::write(folder.join(format!("{image}.bmp")), bitmap(is_ink)).unwrap();
            }
        }
    }

    /// A folder of 14x14 images as that of [`Self::images`], all of them blank.
    pub(crate) fn blank_images(&self, name: &str) {
        self.images(name);
        for class in fs::read_dir(self.path(name)).unwrap() {
            for image in fs::read_dir(class.unwrap().path()).unwrap() {
                fs::write(image.unwrap().path(), bitmap(|_, _| false)).unwrap();
            }
        }
    }

    /// The program with these arguments, in this folder, away from the user's own.
    ///
    /// Every folder of results has a store of its own, or the second study of a test would find the runs of the first.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_metastable"));
        command.args(arguments);
        if let Some(at) = arguments.iter().position(|it| *it == "--out")
            && !["--store", "--resume"]
                .iter()
                .any(|it| arguments.contains(it))
            && !["analyze", "export"].contains(&arguments[0])
        {
            command.args(["--store", &format!("{}.store", arguments[at + 1])]);
        }
        command
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env_remove("METASTABLE_DATA")
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the tiny study, and expects it to go well.
    pub(crate) fn experiment(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["experiment", "tiny.toml"];
        all.extend(arguments);
        let output = self.run(&all);
        assert!(output.status.success(), "{}", stderr(&output));
        output
    }

    /// Starts the tiny study.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut all = vec!["experiment", "tiny.toml"];
        all.extend(arguments);
        self.command(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Expects exit code 2 and a message that contains all of these.
    pub(crate) fn refuses(&self, arguments: &[&str], expected: &[&str]) {
        let output = self.run(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        for part in expected {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    }
}

/// A BMP file of 14x14 pixels in 24 bits, black where `is_ink`, else white.
fn bitmap(is_ink: impl Fn(usize, usize) -> bool) -> Vec<u8> {
    picture(|x, y| {
        [if is_ink(x as usize, y as usize) {
            0
        } else {
            255
        }; 3]
    })
}

/// A BMP file of 14x14 pixels in 24 bits: red, green and blue of each column and row.
pub(crate) fn picture(colour: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    sized_picture(14, 14, colour)
}

/// The same of any height and width.
pub(crate) fn sized_picture(
    height: u32,
    width: u32,
    colour: impl Fn(u32, u32) -> [u8; 3],
) -> Vec<u8> {
    let row = (3 * width).next_multiple_of(4);
    let mut bytes = b"BM".to_vec();
    // File: size, reserved, start of the pixels. Image: size of this header, width, height, planes and bits,
    // compression, size of the pixels, two resolutions, two numbers of colours.
    for word in [
        54 + row * height,
        0,
        54,
        40,
        width,
        height,
        1 | 24 << 16,
        0,
        row * height,
        0,
        0,
        0,
        0,
    ] {
        bytes.extend(word.to_le_bytes());
    }
    for y in (0..height).rev() {
        bytes.extend((0..width).flat_map(|x| {
            let [red, green, blue] = colour(x, y);
            [blue, green, red]
        }));
        // A row fills whole words.
        bytes.extend(vec![0; (row - 3 * width) as usize]);
    }
    bytes
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The state of some unfinished run of a store.
pub(crate) fn state_in(store: &Path) -> Option<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let runs = folders(&store.join("work"));
    let attempts = runs.iter().flat_map(|run| folders(run));
    let states = attempts.map(|attempt| attempt.join("state.safetensors"));
    states.into_iter().find(|state| state.exists())
}

/// What a run leaves behind that may not depend on when and how it ran: relative path and bytes, in order.
pub(crate) fn lasting(out: &Path) -> Vec<(String, Vec<u8>)> {
    let names = [
        "last.safetensors",
        "best.safetensors",
        "test.safetensors",
        "log.jsonl",
    ];
    let mut runs: Vec<PathBuf> = fs::read_dir(out.join("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    runs.sort();
    let mut files = Vec::new();
    for run in runs {
        for name in names {
            let path = run.join(name);
            let shown = path.strip_prefix(out).unwrap().display().to_string();
            files.push((shown, fs::read(&path).unwrap()));
        }
    }
    files
}

/// Compares by name, since bytes in a message help nobody.
pub(crate) fn assert_same(a: &[(String, Vec<u8>)], b: &[(String, Vec<u8>)]) {
    assert_eq!(a.len(), b.len());
    for ((name, bytes), (other, others)) in a.iter().zip(b) {
        assert_eq!(name, other);
        assert!(bytes == others, "{name} differs");
    }
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}
