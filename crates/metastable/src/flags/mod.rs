//! The whole command line.

mod backend;
mod card;
mod table;

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

pub(crate) use self::backend::Backend;
pub(crate) use self::card::Card;
use crate::export::Format as ExportFormat;
use metastable_analysis::gate::Gate;

use crate::figures::{Format, TableFormat};
use crate::loudness::Loudness;
use crate::titles::Title;

pub(crate) use self::table::{Analyze, Direction};

/// The stability laboratory for meta-learning.
#[derive(Debug, Parser)]
#[command(name = "metastable", version, max_term_width = 100)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) loudness: Loudness,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a study (default: quick) and write its report
    #[command(after_help = "Example: metastable experiment omniglot --seeds 5 --out runs/five")]
    Experiment(Experiment),
    /// Work on a launched study as one of its tasks; its script calls this
    #[command(hide = true)]
    Work(Work),
    /// Train one learner, and test it
    #[command(after_help = "Example: metastable train maml --set learner.inner_lr=0.1")]
    Train(Train),
    /// Test a saved checkpoint
    #[command(
        after_help = "Example: metastable evaluate runs/quick/runs/maml-glyphs-5w1s-s0/best.safetensors --shot 5"
    )]
    Evaluate(Evaluate),
    /// Ask trained learners further questions, for the report
    #[command(after_help = "Example: metastable probe runs/quick --families c,g")]
    Probe(Probe),
    /// Check derivatives, bits and records of the finished runs of a study
    #[command(after_help = "Example: metastable certify runs/quick")]
    Certify(Certify),
    /// Show the progress of a study, from any shell or machine
    #[command(after_help = "Example: metastable status runs/quick --json")]
    Status(Status),
    /// Write the report of a study again
    #[command(after_help = "Example: metastable report runs/quick --gate 'seed_sd < 1'")]
    Report(Report),
    /// Compare finished runs with published numbers
    #[command(after_help = "Example: metastable reproduce runs/omniglot")]
    Reproduce(Reproduce),
    /// Write the weights of a finished learner with a card
    #[command(after_help = "Example: metastable card runs/quick --learner protonet --to weights")]
    Card(Card),
    /// Say which runs would settle what a study leaves open
    #[command(after_help = "Example: metastable advise runs/quick")]
    Advise(Advise),
    /// Write a study's results as tables, or its logs for TensorBoard
    #[command(after_help = "Example: metastable export runs/quick --format parquet")]
    Export(Export),
    /// Report on a table of scores that was made elsewhere
    #[command(after_help = "Example: metastable analyze scores.csv --factor norm --stream seed")]
    Analyze(Analyze),
    /// List unused results; `--remove` deletes them
    #[command(after_help = "Example: metastable clean runs")]
    Clean(Clean),
    /// Print what a learner in another language starts from
    #[command(after_help = "Example: metastable guest --python > metastable_guest.py")]
    Guest(Guest),
    /// List data sets, networks, learners, metrics and studies
    #[command(after_help = "Example: metastable list --json")]
    List(List),
    /// Download data sets and weights, and verify them
    #[command(after_help = "Example: metastable fetch omniglot")]
    Fetch(Fetch),
    /// Print the completion script of a shell
    #[command(
        after_help = "Example: metastable completions bash > ~/.local/share/bash-completion/completions/metastable"
    )]
    Completions(Completions),
    /// Print the manual page
    #[command(after_help = "Example: metastable man > metastable.1")]
    Man,
}

/// Where and how to compute; none of it but the backend and the device can change a result.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Machine {
    /// Runs side by side [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Threads of each run [default: cores divided by jobs]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Folder of the data sets [default: $METASTABLE_DATA, or the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Which implementation computes [default: fused on the CPU, graph elsewhere]
    #[arg(long)]
    pub(crate) backend: Option<Backend>,
    /// Run the commands of guests that a study names, wherever the study comes from
    #[arg(long)]
    pub(crate) allow_commands: bool,
}

/// Which data, in short.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Data {
    /// omniglot, glyphs, folder:PATH, arrays:PATH or idx:PATH [default: as in the study or the run]
    #[arg(long, value_name = "SET")]
    pub(crate) dataset: Option<String>,
    /// How its classes are split, e.g. lake, random, folders [default: as in the study or the run]
    #[arg(long, value_name = "RULE")]
    pub(crate) split: Option<String>,
}

impl Data {
    /// What these flags stand for in a study.
    pub(crate) fn shorthands(&self) -> Vec<Shorthand> {
        let long = |path, flag, value: &Option<String>| {
            let value = value.clone()?;
            Some(Shorthand { path, flag, value })
        };
        [
            long("data.set", "--dataset", &self.dataset),
            long("data.split", "--split", &self.split),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A flag that is short for `--set PATH=VALUE`.
#[derive(Clone, Debug)]
pub(crate) struct Shorthand {
    pub(crate) path: &'static str,
    pub(crate) flag: &'static str,
    pub(crate) value: String,
}

#[derive(Args, Debug)]
pub(crate) struct Experiment {
    /// A built-in study or a TOML file
    #[arg(default_value = "quick", value_name = "STUDY.toml|NAME")]
    pub(crate) study: String,
    /// Change a setting, e.g. learner.inner_lr=0.1, learners.maml.outer_steps=500, test.way=20
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) data: Data,
    /// Seeds of each learner
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<usize>,
    /// Folder of the results [default: runs/STUDY]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Folder of the runs themselves, which studies share [default: .store beside the folder of the results]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Print the number of runs, the time and the disk space that the study needs; run nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// Refuse a study of more runs
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(crate) max_runs: usize,
    /// Run a study even if its estimated work or memory is beyond all reason
    #[arg(long)]
    pub(crate) over_budget: bool,
    /// Resume with the stored settings
    #[arg(long, conflicts_with_all = ["set", "seeds", "dataset", "split", "store", "plan", "launcher"])]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) slurm: Slurm,
}

/// Who makes the runs of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Launcher {
    /// This process
    Local,
    /// Tasks of a job array on a Slurm cluster; see docs/cluster.md
    Slurm,
}

/// How a study is submitted to a cluster.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Clusters")]
pub(crate) struct Slurm {
    /// Who makes the runs
    #[arg(long, default_value = "local")]
    pub(crate) launcher: Launcher,
    /// Partition [default: the cluster's]
    #[arg(long)]
    pub(crate) partition: Option<String>,
    /// Time limit of a task, as sbatch takes it, e.g. 90 (minutes), 4:00:00 or 1-12 [default: the cluster's]
    #[arg(long)]
    pub(crate) time: Option<String>,
    /// Cores of a task, which makes a run on each [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) cpus: Option<usize>,
    /// Maximum concurrent array tasks [default: as many as the cluster allows]
    #[arg(long, value_name = "N")]
    pub(crate) array_limit: Option<usize>,
    /// Any other option of sbatch, e.g. account=physics or mem-per-cpu=2G
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) sbatch: Vec<String>,
    /// Print the script for sbatch; write and submit nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Slurm {
    /// The first of the flags that is given and means nothing without a cluster.
    pub(crate) fn stray(&self) -> Option<&'static str> {
        [
            ("--partition", self.partition.is_some()),
            ("--time", self.time.is_some()),
            ("--cpus", self.cpus.is_some()),
            ("--array-limit", self.array_limit.is_some()),
            ("--sbatch", !self.sbatch.is_empty()),
            ("--dry-run", self.dry_run),
        ]
        .into_iter()
        .find_map(|(flag, is_given)| is_given.then_some(flag))
    }
}

#[derive(Args, Debug)]
pub(crate) struct Work {
    /// The folder of the study
    pub(crate) dir: PathBuf,
    /// Number of this task; it sets the run that the task begins with
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) task: usize,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

impl Experiment {
    /// What its flags stand for in a study.
    pub(crate) fn shorthands(&self) -> Vec<Shorthand> {
        let seeds = self.seeds.map(|seeds| Shorthand {
            path: "seeds",
            flag: "--seeds",
            value: seeds.to_string(),
        });
        seeds.into_iter().chain(self.data.shorthands()).collect()
    }
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Guest {
    /// Print metastable_guest.py, the other side of the protocol in one file
    #[arg(long)]
    pub(crate) python: bool,
    /// Print metastable_environment.py, with which your own environments make rollouts
    #[arg(long)]
    pub(crate) environment: bool,
    /// Print a template: nearest_mean, torch_protonet, torch_maml, torch_encoder, jax_protonet, attention or cart_poles
    #[arg(long, value_name = "NAME")]
    pub(crate) template: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Train {
    /// The learner, as `list` names it
    #[arg(value_name = "LEARNER")]
    pub(crate) learner: String,
    /// The study whose settings hold
    #[arg(long, default_value = "quick", value_name = "STUDY.toml|NAME")]
    pub(crate) study: String,
    /// Seed of the run
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Change a setting, e.g. learner.inner_lr=0.1
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) data: Data,
    /// Folder of the results [default: runs/train-LEARNER]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Folder of the runs themselves, which studies share [default: .store beside the folder of the results]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Run a study even if its estimated work or memory is beyond all reason
    #[arg(long)]
    pub(crate) over_budget: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Args, Debug)]
pub(crate) struct Evaluate {
    /// A checkpoint of a run: best.safetensors or last.safetensors
    #[arg(value_name = "CKPT")]
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) data: Data,
    /// Change a setting of the test, e.g. data.test_rotations=as-classes, test.way=20, data.within_alphabet=true
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Seed of the list of test episodes [default: as in the run]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// The episodes of a finished run instead, by image: its test.safetensors
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lake_runs", "way", "shot", "query", "seed"])]
    pub(crate) episodes_from: Option<PathBuf>,
    /// Weights that were trained elsewhere: a TOML file that says which tensor is which; see docs/python.md
    #[arg(long, value_name = "MAP.toml", conflicts_with = "lake_runs")]
    pub(crate) import: Option<PathBuf>,
    /// Lake's 20 runs instead: the published one-shot tasks among 20 characters of one Omniglot alphabet
    #[arg(long, conflicts_with_all = ["split", "way", "shot", "query", "episodes", "seed", "set"])]
    pub(crate) lake_runs: bool,
    /// Classes of an episode [default: as in the run]
    #[arg(long)]
    pub(crate) way: Option<usize>,
    /// Supports of each class [default: as in the run]
    #[arg(long)]
    pub(crate) shot: Option<usize>,
    /// Queries of each class [default: as in the run]
    #[arg(long)]
    pub(crate) query: Option<usize>,
    /// Test episodes [default: as in the run]
    #[arg(long)]
    pub(crate) episodes: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Args, Debug)]
pub(crate) struct Probe {
    /// The folder of a study, whose finished runs are asked; or one checkpoint, whose answers are printed
    #[arg(value_name = "DIR|CKPT")]
    pub(crate) target: PathBuf,
    /// Families of questions [default: those of the study, else all]
    #[arg(long, value_name = "FAMILY", value_delimiter = ',')]
    pub(crate) families: Vec<crate::probe::Family>,
    /// Other data to be tested on, e.g. idx:PATH [default: those of the study, else glyphs, and omniglot if it is there]
    #[arg(long, value_name = "SET")]
    pub(crate) other: Vec<String>,
    /// Test tasks of each question [default: as in the study, else 40]
    #[arg(long, value_name = "N")]
    pub(crate) tasks: Option<usize>,
    /// Classes of the streams of family l, e.g. 10,50 [default: as in the study, else 10,50,100,200,600 as far as there are enough classes]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) stream_classes: Vec<usize>,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Args, Debug)]
pub(crate) struct Certify {
    /// The folder of a study, e.g. runs/quick
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The folder of a study, e.g. runs/quick
    pub(crate) dir: PathBuf,
    /// A line for every run, finished and waiting ones too
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The folder of a study, e.g. runs/quick
    pub(crate) dir: PathBuf,
    /// Learner whose first run says which tasks are hard [default: the first without a head, by cosine if there is one]
    #[arg(long, value_name = "LEARNER")]
    pub(crate) reference: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What a report leaves beyond itself.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Output {
    /// Also write each figure as a file, with its numbers
    #[arg(long, value_name = "FORMAT")]
    pub(crate) figures: Option<Format>,
    /// Also write each table as a file
    #[arg(long, value_name = "FORMAT")]
    pub(crate) tables: Option<TableFormat>,
    /// Show a learner under another name; may be repeated
    #[arg(long, value_name = "LEARNER=TITLE")]
    pub(crate) title: Vec<Title>,
    /// End with an exit code: 0 if these conditions hold, 1 if one does not, 3 if the runs do not settle it
    #[arg(
        long,
        value_name = "CONDITIONS",
        long_help = "End with an exit code: 0 if these conditions hold for every learner, 1 if one does not, 3 if the runs do not settle it.\nConditions: QUANTITY < NUMBER or LEARNER.QUANTITY > NUMBER, joined by `and`. Quantities: mean (%), seed_sd (pp), cvar10 (%), failed (%).\nA condition holds if it holds for the whole interval."
    )]
    pub(crate) gate: Option<Gate>,
}

#[derive(Args, Debug)]
pub(crate) struct Reproduce {
    /// The folder of a study, whose runs are compared; or a paper, whose numbers are printed [default: the list of papers]
    #[arg(value_name = "DIR|PAPER")]
    pub(crate) what: Option<String>,
    /// Judge in spite of known differences of the protocol, and print these differences
    #[arg(long)]
    pub(crate) lenient: bool,
    /// Largest difference that does not matter, in percentage points; for returns, in their unit
    #[arg(long, default_value_t = 0.5, value_name = "PP", value_parser = margin)]
    pub(crate) margin: f64,
    /// Print the comparison as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// For a paper: write the study that follows its protocol to this new file
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) study: Option<PathBuf>,
    /// For a paper: which of its methods [default: the first]
    #[arg(long, value_name = "NAME", requires = "study")]
    pub(crate) method: Option<String>,
    /// For a paper: classes of an episode [default: of its first number]
    #[arg(long, requires = "study")]
    pub(crate) way: Option<usize>,
    /// For a paper: supports of each class [default: of its first number]
    #[arg(long, requires = "study")]
    pub(crate) shot: Option<usize>,
}

/// A margin in percentage points, as it is typed.
fn margin(text: &str) -> Result<f64, String> {
    let points = text.trim().parse().ok();
    points
        .filter(|it: &f64| 0.0 < *it && *it < 100.0)
        .ok_or_else(|| {
            format!(
                "--margin {text} is not a margin; write percentage points between 0 and 100, e.g. 0.5"
            )
        })
}

#[derive(Args, Debug)]
pub(crate) struct Advise {
    /// The folder of a study, e.g. runs/quick
    pub(crate) dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The folder of a study, e.g. runs/quick
    pub(crate) dir: PathBuf,
    /// What to write
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: ExportFormat,
    /// Folder of the files [default: export in DIR, tensorboard in DIR for that format]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Clean {
    /// The folder that holds the studies
    #[arg(default_value = "runs")]
    pub(crate) dir: PathBuf,
    /// Folder of the runs themselves [default: .store in DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Remove what is listed; without it, nothing is removed
    #[arg(long)]
    pub(crate) remove: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Fetch {
    /// omniglot, emoji (with --from), all, or `weights` followed by NAME or hf:owner/repo/file
    #[arg(required = true, value_name = "WHAT")]
    pub(crate) what: Vec<String>,
    /// A folder or URL that holds the files, for mirrors and machines without a network
    #[arg(long, value_name = "DIR|URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) from: Option<String>,
    /// Folder of the data sets [default: $METASTABLE_DATA, or the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}
