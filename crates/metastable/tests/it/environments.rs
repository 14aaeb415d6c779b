//! Environments in another process: a study, its report, its failures, consent, and Python where it is.

use std::fs;
use std::path::Path;
use std::process::Command;

use safetensors::SafeTensors;

use crate::support::{Bench, json, stderr, stdout};

/// The environments of `crates/guests/examples`, compiled as an example of this crate, with a word after the program.
fn study(word: &str) -> String {
    let own = Path::new(env!("CARGO_BIN_EXE_metastable"));
    let program = own.with_file_name("examples").join("explorer");
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    let command = format!("[{:?}, {word:?}]", program.to_string_lossy());
    format!(
        r#"
name = "mine"
seeds = 1

[data]
set = "environment"

[environment]
command = {command}
files = ["mine.txt"]
observed = 2
actions = "continuous-2"
horizon = 12
settings = {{ depth = 3 }}

[episode]
query = 4

[validation]
episodes = 2
times = 2

[test]
query = 5
episodes = 6
curves = 4
weights = "last"

[network]
name = "mlp-tanh"
width = 6
blocks = 2
norm = "none"
init = "xavier"

[run]
log_every = 1
save_seconds = 0

[learner]
meta_batch = 3
outer_steps = 3
test_inner_lr = 0.5
test_inner_steps = 2

[learners.maml-rl]
"#
    )
}

fn bench(text: &str) -> Bench {
    let bench = Bench::new(&[]);
    fs::write(bench.path("tiny.toml"), text).unwrap();
    fs::write(bench.path("mine.txt"), "a file of the environment").unwrap();
    bench
}

#[test]
fn environments_of_a_process_are_studied_and_their_tasks_are_kept() {
    let bench = bench(&study(""));
    let said = stderr(&bench.experiment(&["--out", "out", "--threads", "2"]));
    assert!(said.contains("run these commands"), "{said}");
    let run = bench.path("out/runs/maml-rl-environment-5r-s0");
    let record = json(&run.join("run.json"));
    let outside = &record["config"]["data"]["environment"];
    assert_eq!(outside["settings"]["depth"], 3);
    assert_eq!(outside["digests"]["mine.txt"].as_str().unwrap().len(), 64);
    let bytes = fs::read(run.join("test.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("returns").unwrap().shape(), [6, 3, 5]);
    let tasks = file.tensor("tasks").unwrap();
    assert_eq!(tasks.shape(), [6, 2]);
    let numbers = |bytes: &[u8]| -> Vec<f64> {
        let each = bytes.chunks_exact(8);
        each.map(|it| f64::from_le_bytes(it.try_into().unwrap()))
            .collect()
    };
    // A return is a sum of at most twelve distances from a goal in the square.
    assert!(numbers(tasks.data()).iter().all(|at| at.abs() <= 0.5));
    let returns = numbers(file.tensor("returns").unwrap().data());
    assert!(returns.iter().all(|it| (-12.0 * 3.0..=0.0).contains(it)));

    // At any number of threads the same bits, and the same list of tasks.
    for threads in ["1", "7"] {
        let out = format!("out{threads}");
        bench.experiment(&["--out", &out, "--threads", threads]);
        let other = bench.path(&format!("{out}/runs/maml-rl-environment-5r-s0"));
        assert_eq!(
            json(&other.join("run.json"))["test_list_digest"],
            record["test_list_digest"]
        );
        for name in ["test.safetensors", "last.safetensors"] {
            assert_eq!(
                fs::read(other.join(name)).unwrap(),
                fs::read(run.join(name)).unwrap(),
                "{name}"
            );
        }
    }
    let report = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(report.contains("return") && !report.contains("accuracy"));

    // The study as it was written down is the study.
    let said = stderr(&bench.run(&["experiment", "--resume", "out", "--allow-commands"]));
    assert!(!said.contains("refused"), "{said}");
    let written = fs::read_to_string(bench.path("out/study.toml")).unwrap();
    assert!(
        written.contains("[environment]") && written.contains("horizon = 12"),
        "{written}"
    );

    // An edited file is another run.
    fs::write(bench.path("mine.txt"), "another").unwrap();
    bench.experiment(&["--out", "edited"]);
    let edited = json(&bench.path("edited/runs/maml-rl-environment-5r-s0/run.json"));
    assert_ne!(edited["identity"], record["identity"]);
}

#[test]
fn a_process_that_fails_fails_its_run_and_says_why() {
    let bench = bench(&study("dies"));
    let output = bench.run(&["experiment", "tiny.toml", "--out", "out"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for expected in ["rollouts (4)", "exit status: 3", "the wheel came off"] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn environments_are_checked_before_anything_starts() {
    let refuses = |was: &str, is: &str, expected: &[&str]| {
        let text = study("");
        assert!(text.contains(was), "{was}");
        let bench = bench(&text.replacen(was, is, 1));
        bench.refuses(&["experiment", "tiny.toml", "--out", "out"], expected);
        assert!(!bench.path("out").exists(), "{is} left a folder");
    };
    refuses(
        "continuous-2",
        "box-2",
        &["tiny.toml:", "box-2", "discrete-2"],
    );
    refuses(
        "horizon = 12",
        "horizon = 0",
        &["tiny.toml:", "1 to 100,000"],
    );
    refuses(
        "horizon = 12",
        "horizons = 12",
        &["tiny.toml:", "did you mean \"horizon\""],
    );
    refuses(
        "files = [\"mine.txt\"]",
        "files = [\"none.txt\"]",
        &["none.txt"],
    );
    refuses(
        "set = \"environment\"",
        "set = \"navigation\"",
        &["[environment]", "data.set = \"environment\""],
    );
    refuses(
        "command = [",
        "# command = [",
        &["has no command", "my_environment.py"],
    );
    let without = study("")
        .replace("[environment]", "[run]")
        .replace("[run]\nlog_every = 1\nsave_seconds = 0\n", "");
    let bench = bench(&without);
    let output = bench.run(&["experiment", "tiny.toml", "--out", "out"]);
    assert!(!output.status.success());
    // A plan starts nothing; a study elsewhere asks first.
    let bench = self::bench(&study(""));
    let said = stdout(&bench.run(&["experiment", "tiny.toml", "--out", "out", "--plan"]));
    assert!(
        said.contains("your own process: --plan does not start it"),
        "{said}"
    );
    fs::create_dir(bench.path("elsewhere")).unwrap();
    fs::copy(bench.path("tiny.toml"), bench.path("elsewhere/tiny.toml")).unwrap();
    bench.refuses(
        &["experiment", "elsewhere/tiny.toml", "--out", "out"],
        &["explorer", "--allow-commands"],
    );
}

/// The helper in Python, with an environment that has the interface of Gymnasium and needs none of it.
#[test]
fn the_python_helper_serves_what_has_the_interface_of_gymnasium() {
    let python = std::env::var("METASTABLE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_what_it_takes = Command::new(&python)
        .args(["-c", "import numpy, safetensors"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_what_it_takes {
        eprintln!("skipped: {python} has no numpy and safetensors");
        return;
    }
    let bench = Bench::new(&[]);
    let helper = bench.run(&["guest", "--environment"]);
    fs::write(bench.path("metastable_environment.py"), stdout(&helper)).unwrap();
    let own = r#"
from metastable_environment import Tasks, serve
import numpy as np

class Scales:
    """A number is to be told: the reward is minus the distance of the action from that of the task; over after five steps."""
    def __init__(self, target): self.target = target
    def reset(self, seed): self.n = 0; return np.array([1.0]), {}
    def step(self, action):
        self.n += 1
        return np.array([1.0]), -abs(float(action[0]) - self.target), self.n == 5, False, {}

class Targets(Tasks):
    observed, actions, names = 1, "continuous-1", ("target",)
    def draw(self, rng): return [rng.uniform(-1, 1)]
    def make(self, task): print("this goes to stderr"); return Scales(task[0])

serve(Targets())
"#;
    fs::write(bench.path("scales.py"), own).unwrap();
    let text = study("");
    let (head, rest) = text.split_once("command = ").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let rest = rest
        .replace(
            "\"mine.txt\"",
            "\"scales.py\", \"metastable_environment.py\"",
        )
        .replace("observed = 2", "observed = 1")
        .replace("continuous-2", "continuous-1");
    let command = format!("command = [{python:?}, \"scales.py\"]\n");
    fs::write(bench.path("tiny.toml"), format!("{head}{command}{rest}")).unwrap();
    bench.experiment(&["--out", "out"]);
    let again = bench.path("again");
    bench.experiment(&["--out", "again"]);
    for name in ["test.safetensors", "last.safetensors"] {
        let of =
            |out: &Path| fs::read(out.join("runs/maml-rl-environment-5r-s0").join(name)).unwrap();
        assert_eq!(of(&bench.path("out")), of(&again), "{name}");
    }
}
