//! The script that every task of the array runs. It stays in the folder of the study, for people to read and to submit by
//! hand; nothing in it changes from one submission to the next.

use std::path::Path;

use anyhow::{Result, ensure};
use metastable_models::Backend;

use super::orders::Orders;
use crate::run::config::Compute;
use crate::schedule::Shares;
use crate::shell::{quote, quote_path};

/// Everything that the script says.
pub(super) struct Script<'a> {
    /// Name of the study, for people.
    pub(super) study: &'a str,
    /// By which the queue knows the tasks of this study, whoever submitted them and whenever.
    pub(super) job_name: &'a str,
    pub(super) orders: &'a Orders,
    /// Folder of the study; whole, like all paths here.
    pub(super) out: &'a Path,
    /// Where relative paths of the study start.
    pub(super) cwd: &'a Path,
    /// Folder of the tasks' logs.
    pub(super) logs: &'a Path,
    pub(super) program: &'a Path,
    pub(super) data_dir: &'a Path,
    pub(super) compute: &'a Compute,
    /// Whether the study has guests, whose commands were allowed when it was launched.
    pub(super) has_guests: bool,
    /// Runs side by side in a task, and threads of each.
    pub(super) shares: Shares,
}

impl Script<'_> {
    /// The text for `sbatch`.
    pub(super) fn text(&self) -> Result<String> {
        let mut lines = vec![
            String::from("#!/bin/sh"),
            format!("#SBATCH --job-name={}", self.job_name),
        ];
        let mut option = |name: &str, value: &str| lines.push(format!("#SBATCH --{name}={value}"));
        if let Some(partition) = &self.orders.partition {
            option("partition", partition);
        }
        if let Some(time) = &self.orders.time {
            option("time", time);
        }
        option("nodes", "1");
        option("ntasks", "1");
        option("cpus-per-task", &self.orders.cpus.to_string());
        option("chdir", &value(self.cwd)?);
        let logs = value(self.logs)?.replace('%', "%%");
        option(
            "output",
            &format!("{}/%A_%a.log\"", &logs[..logs.len() - 1]),
        );
        // A task that is put back into the queue goes on in its log.
        option("open-mode", "append");
        lines.push(String::from("#SBATCH --requeue"));
        for further in &self.orders.further {
            lines.push(format!("#SBATCH --{further}"));
        }
        lines.push(format!(
            "\n# A worker on the study {}: it takes runs that nobody has, and ends when none is left.\n\
             # `sbatch` of this file adds one more by hand; `sbatch --array=0-3` adds four.\n\
             exec {}",
            self.study,
            self.command()
        ));
        Ok(lines.join("\n") + "\n")
    }

    /// `exec` puts it in the place of the shell, so that Slurm's signals reach it.
    fn command(&self) -> String {
        let mut command = format!(
            "{} work {} --task \"${{SLURM_ARRAY_TASK_ID:-0}}\" --jobs {} --threads {} --data-dir {} --device {}",
            quote_path(self.program),
            quote_path(self.out),
            self.shares.jobs,
            self.shares.threads,
            quote_path(self.data_dir),
            quote(&self.compute.device),
        );
        command += match self.compute.backend {
            Backend::Fused => " --backend fused",
            Backend::Graph => " --backend graph",
        };
        if self.has_guests {
            command += " --allow-commands";
        }
        command
    }
}

/// A path as the value of an option in a comment: sbatch has quotes and a percent sign of its own.
fn value(path: &Path) -> Result<String> {
    let text = path.display().to_string();
    ensure!(
        !text.contains(['"', '\\', '\n']),
        "sbatch cannot be told of {text:?}: choose a folder without quotes, backslashes and line breaks in its name"
    );
    Ok(format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(orders: &Orders, out: &str) -> Result<String> {
        let out = Path::new(out);
        let compute = Compute {
            device: String::from("cpu"),
            backend: Backend::Fused,
            dtype: String::from("f32"),
        };
        Script {
            study: "quick",
            job_name: "metastable-quick-0a1b2c3d",
            orders,
            out,
            cwd: Path::new("/home/me/metastable"),
            logs: &out.join("slurm"),
            program: &out.join("slurm/metastable"),
            has_guests: false,
            data_dir: Path::new("/data"),
            compute: &compute,
            shares: Shares {
                jobs: 4,
                threads: 1,
            },
        }
        .text()
    }

    fn orders() -> Orders {
        Orders {
            partition: Some(String::from("short")),
            time: Some(String::from("4:00:00")),
            cpus: 4,
            array_limit: Some(20),
            further: vec![String::from("account=physics")],
        }
    }

    #[test]
    fn the_script_says_everything_once() {
        let expected = "\
#!/bin/sh
#SBATCH --job-name=metastable-quick-0a1b2c3d
#SBATCH --partition=short
#SBATCH --time=4:00:00
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --chdir=\"/home/me/metastable\"
#SBATCH --output=\"/scratch/me/my %% runs/quick/slurm/%A_%a.log\"
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --account=physics

# A worker on the study quick: it takes runs that nobody has, and ends when none is left.
# `sbatch` of this file adds one more by hand; `sbatch --array=0-3` adds four.
exec '/scratch/me/my % runs/quick/slurm/metastable' work '/scratch/me/my % runs/quick' --task \"${SLURM_ARRAY_TASK_ID:-0}\" \
--jobs 4 --threads 1 --data-dir /data --device cpu --backend fused
";
        let text = script(&orders(), "/scratch/me/my % runs/quick").unwrap();
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_not_said_is_left_to_the_cluster() {
        let orders = Orders {
            partition: None,
            time: None,
            further: Vec::new(),
            ..orders()
        };
        let text = script(&orders, "/out").unwrap();
        for option in ["partition", "time", "account"] {
            assert!(!text.contains(&format!("--{option}")), "{text}");
        }
    }

    #[test]
    fn a_folder_that_sbatch_cannot_be_told_of_is_refused() {
        for out in ["/a\"b", "/a\\b", "/a\nb"] {
            assert!(script(&orders(), out).is_err(), "{out}");
        }
    }
}
