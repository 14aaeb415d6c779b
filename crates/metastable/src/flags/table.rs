//! `analyze`: what a table's columns are.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::Output;

/// Which scores are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Direction {
    /// More is better: accuracies, returns
    Higher,
    /// Less is better: losses, errors, seconds
    Lower,
}

#[derive(Args, Debug)]
pub(crate) struct Analyze {
    /// A table (separated text, JSON lines, Parquet; also .gz): columns run, learner, seed, task, score, or with query and hit; see docs/analyze.md
    #[arg(value_name = "TABLE")]
    pub(crate) file: PathBuf,
    /// Columns that are settings varied on purpose: numbers, or names
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) factor: Vec<String>,
    /// The same for numbers that are measured in decades, such as step sizes
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) log: Vec<String>,
    /// Columns that are sources of chance, such as split, init or order
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) stream: Vec<String>,
    /// Columns that say how a run was made: runs that differ in one of them are not compared
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) fingerprint: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,
    /// Meanings of columns with other names: score=test/acc,run=Name,failed=State:crashed|killed
    #[arg(long, value_name = "MEANING=COLUMN", value_delimiter = ',')]
    pub(crate) column: Vec<String>,
    /// Factors whose levels are names, though they look like numbers
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) category: Vec<String>,
    /// Factors whose levels are numbers: anything else in the column is refused
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) number: Vec<String>,
    /// Rows that are read, such as metric=accuracy; all others are left out
    #[arg(long = "where", value_name = "COLUMN=VALUE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// A row is a run, and each column whose name begins so, or is one of these, is a task
    #[arg(long, value_name = "BEGINNING", value_delimiter = ',')]
    pub(crate) wide: Vec<String>,
    /// A row is a run, and each column whose name begins so and ends with a number is a step of its training
    #[arg(long, value_name = "BEGINNING", value_delimiter = ',')]
    pub(crate) wide_steps: Vec<String>,
    /// A row is a step, given by this column, and every other column is a run
    #[arg(long, value_name = "COLUMN")]
    pub(crate) curves: Option<String>,
    /// How the names of runs are made, such as {learner}-s{seed}; also {setting} and {task}
    #[arg(long, value_name = "PATTERN")]
    pub(crate) run_name: Option<String>,
    /// Leave out the columns that no flag names
    #[arg(long)]
    pub(crate) ignore_others: bool,
    /// What a score is: percent, or the name of another scale, such as return, loss or seconds
    #[arg(long, value_name = "UNIT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) unit: Option<String>,
    /// Which scores are better
    #[arg(long, value_enum, default_value_t = Direction::Higher)]
    pub(crate) direction: Direction,
    /// Scores that stand for 0 and 1, each a number or the name of a learner: random=0,oracle=500
    #[arg(long, value_name = "random=SCORE,oracle=SCORE", value_delimiter = ',')]
    pub(crate) reference: Vec<String>,
    /// Every run has test tasks of its own: runs are compared by their means
    #[arg(long, conflicts_with = "common_tasks")]
    pub(crate) own_tasks: bool,
    /// Runs that lack some tasks of others are compared on the tasks that all of them have
    #[arg(long)]
    pub(crate) common_tasks: bool,
    /// Seed of all resampling
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Folder of the report [default: runs/analyze-NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}
