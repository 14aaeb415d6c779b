//! What the user sees while runs go on: bars on a terminal, now and then a plain line elsewhere. On stderr only.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::loudness::{is_quiet, line_every};

/// `1 thread`, `4 threads`: of each run.
pub(crate) fn threads(count: usize) -> String {
    format!("{count} thread{}", if count == 1 { "" } else { "s" })
}

/// The display of one study.
pub(crate) struct Progress {
    /// Absent where stderr is not a terminal.
    bars: Option<MultiProgress>,
    study: ProgressBar,
    name: String,
    started: Instant,
    count: Mutex<Count>,
}

/// How far the study is.
#[derive(Clone, Copy, Debug)]
struct Count {
    n_runs: usize,
    ended: usize,
    failed: usize,
    /// Outer steps that nobody has made yet, as far as is known here.
    steps_left: usize,
    /// Outer steps that this process has made.
    steps_made: usize,
    /// When the last plain line on the study was printed.
    spoken: Instant,
}

impl Count {
    /// `12/40 runs, 1 failed, about 3:20 left`.
    fn text(&self, seconds: f64) -> String {
        let failed = match self.failed {
            0 => String::new(),
            n => format!(", {n} failed"),
        };
        #[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
        let left = match self.steps_made {
            0 => String::new(),
            made => {
                let left = seconds * self.steps_left as f64 / made as f64;
                format!(", about {} left", clock(left))
            }
        };
        format!("{}/{} runs{failed}{left}", self.ended, self.n_runs)
    }
}

/// The display of one run.
pub(crate) struct Line<'p> {
    progress: &'p Progress,
    bar: ProgressBar,
    id: String,
    n_steps: usize,
    /// Where this process started, which after a resume is not 0.
    first_step: usize,
    /// The last step that was counted for the study.
    counted: AtomicUsize,
    started: Instant,
    spoken: Mutex<Instant>,
}

impl Progress {
    /// A display for `n_runs` runs.
    pub(crate) fn new(name: &str, n_runs: usize) -> Self {
        let started = Instant::now();
        let (bars, study) = if stderr().is_terminal() && !is_quiet() {
            let bars = MultiProgress::new();
            let study = bars.add(ProgressBar::new(n_runs as u64));
            study.set_style(style("{prefix}: {msg} {wide_bar} {elapsed} elapsed"));
            study.set_prefix(name.to_owned());
            study.enable_steady_tick(Duration::from_secs(1));
            (Some(bars), study)
        } else {
            (None, ProgressBar::hidden())
        };
        Self {
            bars,
            study,
            name: name.to_owned(),
            started,
            count: Mutex::new(Count {
                n_runs,
                ended: 0,
                failed: 0,
                steps_left: 0,
                steps_made: 0,
                spoken: started,
            }),
        }
    }

    /// All runs together have so many outer steps.
    pub(crate) fn expect(&self, n_steps: usize) {
        self.count(|count| count.steps_left = n_steps);
    }

    /// So many of them are made elsewhere, or need not be made.
    pub(crate) fn pass(&self, n_steps: usize) {
        self.count(|count| count.steps_left = count.steps_left.saturating_sub(n_steps));
    }

    fn count(&self, change: impl FnOnce(&mut Count)) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut count);
        let text = count.text(self.started.elapsed().as_secs_f64());
        self.study.set_position(count.ended as u64);
        self.study.set_message(text);
    }

    /// Adds the line of one run that has made `first_step` of its `n_steps` steps.
    pub(crate) fn run(&self, id: &str, first_step: usize, n_steps: usize) -> Line<'_> {
        let bar = match &self.bars {
            None => ProgressBar::hidden(),
            Some(bars) => bars.insert_before(&self.study, ProgressBar::new(n_steps as u64)),
        };
        bar.set_style(style("{prefix:<28!} {pos:>6}/{len} {wide_bar} {msg}"));
        bar.set_prefix(id.to_owned());
        bar.set_position(first_step as u64);
        let started = Instant::now();
        let line = Line {
            progress: self,
            bar,
            id: id.to_owned(),
            n_steps,
            first_step,
            counted: AtomicUsize::new(first_step),
            started,
            spoken: Mutex::new(started),
        };
        self.pass(first_step);
        if first_step > 0 {
            line.note(&format!("goes on at step {first_step} of {n_steps}"));
        }
        line
    }

    /// A line that stays, on what goes as it should.
    pub(crate) fn note(&self, text: &str) {
        if !is_quiet() {
            self.say(text);
        }
    }

    /// A line for the user that stays.
    pub(crate) fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => {
                // A terminal that went away is no reason to stop a study.
                let _ = bars.println(text);
            }
            None => eprintln!("{text}"),
        }
    }

    /// One more run has ended; `n_passed` of its steps were made by nobody here.
    pub(crate) fn run_ended(&self, n_passed: usize) {
        self.pass(n_passed);
        self.count(|count| count.ended += 1);
        self.speak();
    }

    /// One more run has failed.
    pub(crate) fn run_failed(&self) {
        self.count(|count| {
            count.ended += 1;
            count.failed += 1;
        });
        self.speak();
    }

    /// Where there are no bars, a line on the study now and then.
    fn speak(&self) {
        if self.bars.is_some() {
            return;
        }
        let mut line = None;
        self.count(|count| {
            if count.spoken.elapsed() >= line_every() {
                count.spoken = Instant::now();
                line = Some(count.text(self.started.elapsed().as_secs_f64()));
            }
        });
        if let Some(line) = line {
            self.note(&format!("{}: {line}", self.name));
        }
    }

    /// Takes the bars away.
    pub(crate) fn finish(&self) {
        self.study.finish_and_clear();
    }
}

impl Line<'_> {
    /// `step` steps are made; `accuracy` is the latest that was measured, 0 to 1.
    pub(crate) fn step(&self, step: usize, accuracy: Option<f64>) {
        self.count_to(step, true);
        let seconds = self.started.elapsed().as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
        let (made, left) = (
            step.saturating_sub(self.first_step) as f64,
            self.n_steps.saturating_sub(step) as f64,
        );
        let rate = made / seconds.max(1e-9);
        let accuracy = accuracy.map_or(String::new(), |accuracy| {
            format!(", accuracy {:.1} %", 100.0 * accuracy)
        });
        let text = format!(
            "{rate:.1} steps/s{accuracy}, {} left",
            clock(left / rate.max(1e-9))
        );
        self.bar.set_position(step as u64);
        if self.progress.bars.is_none() {
            let mut spoken = self.spoken.lock().unwrap_or_else(|lock| lock.into_inner());
            if spoken.elapsed() >= line_every() {
                *spoken = Instant::now();
                self.note(&format!("step {step} of {}: {text}", self.n_steps));
            }
        }
        self.bar.set_message(text);
    }

    /// No step is left: all are made, or the training diverged.
    pub(crate) fn ended(&self) {
        self.count_to(self.n_steps, false);
    }

    fn count_to(&self, step: usize, is_made: bool) {
        let n = step.saturating_sub(self.counted.swap(step, Ordering::Relaxed));
        self.progress.count(|count| {
            count.steps_left = count.steps_left.saturating_sub(n);
            count.steps_made += if is_made { n } else { 0 };
        });
    }

    /// A line about this run that stays, on what goes as it should.
    pub(crate) fn note(&self, text: &str) {
        self.progress.note(&format!("{}: {text}", self.id));
    }

    /// A line about this run that stays.
    pub(crate) fn say(&self, text: &str) {
        self.progress.say(&format!("{}: {text}", self.id));
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Templates are constants of this file; a wrong one falls back to indicatif's own.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `1:02:03`, or `2:03` below an hour.
pub(crate) fn clock(seconds: f64) -> String {
    if !seconds.is_finite() || seconds > 1e6 {
        return String::from("?:??");
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded above, and a time is not negative"
    )]
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn the_study_says_how_far_it_is() {
        let now = std::time::Instant::now();
        let mut count = super::Count {
            n_runs: 40,
            ended: 12,
            failed: 0,
            steps_left: 300,
            steps_made: 0,
            spoken: now,
        };
        assert_eq!(count.text(5.0), "12/40 runs");
        (count.steps_made, count.failed) = (100, 1);
        assert_eq!(count.text(20.0), "12/40 runs, 1 failed, about 1:00 left");
    }

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(clock(0.4), "0:00");
        assert_eq!(clock(123.0), "2:03");
        assert_eq!(clock(3723.0), "1:02:03");
        assert_eq!(clock(f64::NAN), "?:??");
    }
}
