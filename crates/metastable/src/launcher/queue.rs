//! What Slurm's queue says about the tasks of a study: the text of `squeue`, taken apart.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

/// What `squeue` is asked for: job of the array, number in it, state, reason for waiting, nodes.
pub(super) const FORMAT: &str = "%F|%K|%T|%r|%N";

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for its turn, perhaps not the first.
    Waiting,
    /// It has a node.
    Working,
    /// It ended by itself, and well.
    Completed,
    /// Somebody ended it with `scancel`.
    Cancelled,
    /// It ended otherwise: by an error, by a limit, with its node.
    Lost,
}

impl State {
    /// Of Slurm's word for it (squeue(1), "job state codes").
    fn of(word: &str) -> Self {
        match word {
            "PENDING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "RESV_DEL_HOLD"
            | "SPECIAL_EXIT" => Self::Waiting,
            "COMPLETED" => Self::Completed,
            "CANCELLED" => Self::Cancelled,
            "BOOT_FAIL" | "DEADLINE" | "FAILED" | "NODE_FAIL" | "OUT_OF_MEMORY" | "PREEMPTED"
            | "REVOKED" | "TIMEOUT" => Self::Lost,
            // Also any word of a later version: to take a task for alive costs a wait, the opposite a task too many.
            _ => Self::Working,
        }
    }

    pub(super) fn is_alive(self) -> bool {
        matches!(self, Self::Waiting | Self::Working)
    }
}

/// One task of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Number of the array's job.
    job: u64,
    /// Number in the array, as Slurm writes it.
    index: String,
    pub(super) state: State,
    /// Why it waits, or where it works.
    note: String,
}

/// The tasks in the answer of `squeue`.
pub(super) fn parse(text: &str) -> Result<Vec<Task>> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| task(line).with_context(|| format!("squeue answered {line:?}")))
        .collect()
}

fn task(line: &str) -> Result<Task> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let [job, index, state, reason, nodes] = fields[..] else {
        bail!("{} fields where 5 were asked for", fields.len());
    };
    let state = State::of(state);
    let note = if state == State::Waiting {
        reason
    } else {
        nodes
    };
    Ok(Task {
        job: job.parse().context("its job is not a number")?,
        index: index.to_owned(),
        state,
        note: note.to_owned(),
    })
}

/// How many tasks wait or work.
pub(super) fn n_alive(tasks: &[Task]) -> usize {
    tasks.iter().filter(|task| task.state.is_alive()).count()
}

/// Whether somebody ended the work on purpose: tasks lived at the last look, none does now, some were cancelled and none was
/// lost.
pub(super) fn is_cancelled(before: &[Task], now: &[Task]) -> bool {
    let lived = before.iter().filter(|task| task.state.is_alive());
    let became: Vec<State> = lived.map(|task| now_of(task, now)).collect();
    n_alive(now) == 0 && became.contains(&State::Cancelled) && !became.contains(&State::Lost)
}

/// What has become of a task.
fn now_of(task: &Task, now: &[Task]) -> State {
    let own = || now.iter().filter(|other| other.job == task.job);
    // Those that never began are listed as one, without a number. Those that are not listed ended too long ago.
    own()
        .find(|other| other.index == task.index)
        .or_else(|| own().find(|other| other.index == "N/A"))
        .map_or(State::Lost, |other| other.state)
}

/// `job 12: 2 work on n1, n2, 3 wait (Resources)`.
pub(super) fn summary(tasks: &[Task]) -> String {
    let mut jobs: BTreeMap<u64, (Group<'_>, Group<'_>)> = BTreeMap::new();
    for task in tasks {
        let (working, waiting) = jobs.entry(task.job).or_default();
        match task.state {
            State::Working => working.add(&task.note),
            State::Waiting => waiting.add(&task.note),
            State::Completed | State::Cancelled | State::Lost => {}
        }
    }
    let of_job = |(job, (working, waiting)): (&u64, &(Group<'_>, Group<'_>))| {
        let working = (working.n > 0).then(|| format!("{} work on {}", working.n, working.notes()));
        let waiting = (waiting.n > 0).then(|| format!("{} wait ({})", waiting.n, waiting.notes()));
        let parts: Vec<String> = working.into_iter().chain(waiting).collect();
        (!parts.is_empty()).then(|| format!("job {job}: {}", parts.join(", ")))
    };
    let parts: Vec<String> = jobs.iter().filter_map(of_job).collect();
    match parts.is_empty() {
        true => String::from("no task is in Slurm's queue"),
        false => parts.join("; "),
    }
}

/// Tasks of one job in one state.
#[derive(Default)]
struct Group<'t> {
    n: usize,
    notes: Vec<&'t str>,
}

impl<'t> Group<'t> {
    fn add(&mut self, note: &'t str) {
        self.n += 1;
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn notes(&self) -> String {
        self.notes.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What squeue of Slurm 22.05 answers with --noheader --array --states=all.
    const ANSWER: &str = "\
        12|5|PENDING|Resources|\n\
        12|6|PENDING|JobArrayTaskLimit|\n\
        12|0|RUNNING|None|n1\n\
        12|1|COMPLETING|None|n2\n\
        12|2|COMPLETED|None|n2\n\
        12|3|CANCELLED|None|n1\n\
        9|0|NODE_FAIL|NodeDown|n1\n";

    #[test]
    fn states_are_read_and_said_in_short() {
        let tasks = parse(ANSWER).unwrap();
        let states: Vec<State> = tasks.iter().map(|task| task.state).collect();
        use State::{Cancelled, Completed, Lost, Waiting, Working};
        assert_eq!(
            states,
            [
                Waiting, Waiting, Working, Working, Completed, Cancelled, Lost
            ]
        );
        assert_eq!(n_alive(&tasks), 4);
        assert_eq!(
            summary(&tasks),
            "job 12: 2 work on n1, n2, 2 wait (Resources, JobArrayTaskLimit)"
        );
        assert_eq!(summary(&tasks[4..]), "no task is in Slurm's queue");
        assert!(parse("\n").unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_shown() {
        for line in ["slurm is down", "x|0|RUNNING|None|n1"] {
            let message = format!("{:#}", parse(line).unwrap_err());
            assert!(message.contains(line), "{message}");
        }
    }

    #[test]
    fn an_array_is_cancelled_if_some_task_was_and_none_was_lost() {
        let parse = |text: &str| parse(text).unwrap();
        let before =
            "1|0|RUNNING|None|n1\n1|1|RUNNING|None|n2\n1|2|PENDING|Priority|\n1|3|FAILED|None|n1";
        let before = parse(before);
        for now in [
            "1|0|CANCELLED|None|n1\n1|1|CANCELLED|None|n2\n1|2|CANCELLED|None|",
            "1|0|CANCELLED|None|n1\n1|1|COMPLETED|None|n2\n1|N/A|CANCELLED|None|",
        ] {
            assert!(is_cancelled(&before, &parse(now)), "{now}");
        }
        // One still works, one ran into its limit, one is no longer listed, all ended by themselves.
        for now in [
            "1|0|CANCELLED|None|n1\n1|1|RUNNING|None|n2\n1|N/A|CANCELLED|None|",
            "1|0|CANCELLED|None|n1\n1|1|TIMEOUT|None|n2\n1|N/A|CANCELLED|None|",
            "1|0|CANCELLED|None|n1\n1|2|CANCELLED|None|",
            "1|0|COMPLETED|None|n1\n1|1|COMPLETED|None|n2\n1|2|COMPLETED|None|n2",
            "",
        ] {
            assert!(!is_cancelled(&before, &parse(now)), "{now}");
        }
        let cancelled = parse("1|0|CANCELLED|None|n1");
        assert!(!is_cancelled(&[], &cancelled) && !is_cancelled(&cancelled, &cancelled));
    }
}
