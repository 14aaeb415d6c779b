//! A folder with a tiny study, the program on it, and what it left: files by name and bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a campaign returns.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Two learners, two seeds, questions to each: about a second of work.
pub(crate) const STUDY: &str = r#"
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
episodes = 200
curves = 2

[network]
name = "conv4"
width = 4
blocks = 2

[run]
log_every = 2
save_seconds = 0

[learner]
outer_steps = 40
meta_batch = 3

[learners.maml]
inner_steps = 2

[learners.protonet]

[probe]
families = ["c", "f-pairs"]
tasks = 4
"#;

/// Where a campaign works, and with what.
pub(crate) struct Bench {
    program: PathBuf,
    folder: PathBuf,
}

/// Relative paths and bytes of files.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

impl Bench {
    /// A new folder below the system's for temporary files.
    pub(crate) fn new(program: &Path) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("siege-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let program = program
            .canonicalize()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Self { program, folder })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn remove(&self) -> Result<()> {
        Ok(fs::remove_dir_all(&self.folder)?)
    }

    /// A folder of that name with the study in it.
    pub(crate) fn place(&self, name: &str) -> Result<PathBuf> {
        let place = self.folder.join(name);
        fs::create_dir_all(&place)?;
        fs::write(place.join("tiny.toml"), STUDY)?;
        Ok(place)
    }

    /// The program in a folder, away from the user's own data and cache.
    pub(crate) fn command(&self, place: &Path, arguments: &[&str]) -> Command {
        self.command_of(&self.program, place, arguments)
    }

    fn command_of(&self, program: &Path, place: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(place)
            .env("XDG_CACHE_HOME", place.join("cache"))
            .env("XDG_DATA_HOME", place.join("data"))
            .env_remove("METASTABLE_DATA")
            .stdin(Stdio::null());
        command
    }

    /// Runs it to the end.
    pub(crate) fn run(&self, place: &Path, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(place, arguments).output()?)
    }

    /// Starts it; stdout and stderr go into the file `said`, which starts empty. It hears Ctrl-C even where a shell put the
    /// campaign into the background, and so told its children to pass over that signal: by the `env` of GNU.
    pub(crate) fn start(&self, place: &Path, arguments: &[&str], said: &str) -> Result<Child> {
        let said = fs::File::create(place.join(said))?;
        let program = self.program.display().to_string();
        let words = [&["--default-signal=INT", &program], arguments].concat();
        let mut command = self.command_of(Path::new("env"), place, &words);
        command.stdout(said.try_clone()?).stderr(said);
        Ok(command.spawn()?)
    }

    /// Runs it to the end, which has to be a good one.
    pub(crate) fn succeeds(&self, place: &Path, arguments: &[&str]) -> Result<Output> {
        let output = self.run(place, arguments)?;
        if !output.status.success() {
            let said = said(&output);
            return Err(format!("{arguments:?} ended with {}: {said}", output.status).into());
        }
        Ok(output)
    }
}

/// Everything that was said on stderr.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a child was ended by that signal.
pub(crate) fn is_ended_by(status: std::process::ExitStatus, signal: i32) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        status.signal() == Some(signal)
    }
    #[cfg(not(unix))]
    {
        let _ = signal;
        !status.success()
    }
}

/// All files below a folder that are not reached by a link, by their path from it.
pub(crate) fn files(folder: &Path) -> Result<Files> {
    let mut found = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner)? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder)?.display().to_string();
                let bytes = if kind.is_symlink() {
                    fs::read_link(&path)?.display().to_string().into_bytes()
                } else {
                    fs::read(&path)?
                };
                found.insert(name, bytes);
            }
        }
    }
    Ok(found)
}

/// Numbers from a seed.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0.random_range(0..n.max(1))
    }
}
