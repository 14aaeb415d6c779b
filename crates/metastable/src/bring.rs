//! Fetching, shown: a bar on a terminal, a line for each file elsewhere.

use std::io::{IsTerminal, stderr};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use metastable_data::fetch::{self, Event, Fetched, Options};

use crate::loudness::is_quiet;

/// Brings one data set, and says on stderr what was odd; stdout is the command's.
pub(crate) fn bring(name: &str, options: &Options) -> Result<Fetched> {
    let fetched = fetch::dataset(name, options, &Display::new())?;
    for (file, cause) in &fetched.skipped {
        eprintln!("{file} was left out: {cause}");
    }
    for note in &fetched.notes {
        eprintln!("{note}");
    }
    Ok(fetched)
}

/// A bar on a terminal, else a line for each file.
pub(crate) struct Display {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Display {
    pub(crate) fn new() -> Self {
        let is_terminal = stderr().is_terminal() && !is_quiet();
        let bar = if is_terminal {
            ProgressBar::new(0)
        } else {
            ProgressBar::hidden()
        };
        let template = "{prefix} {bytes}/{total_bytes} {wide_bar} {bytes_per_sec}, {eta} left";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self { bar, is_terminal }
    }

    fn note(&self, text: &str) {
        if !is_quiet() {
            self.say(text);
        }
    }

    fn say(&self, text: &str) {
        if self.is_terminal {
            self.bar.println(text);
        } else {
            eprintln!("{text}");
        }
    }
}

impl fetch::Progress for Display {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Waiting { name } => {
                self.say(&format!("{name}: another process fetches it; waiting"));
            }
            Event::Start {
                file,
                resumed_from,
                total,
                from,
            } => {
                self.bar.set_prefix((*file).to_owned());
                self.bar.set_length(total.unwrap_or(0));
                let rest = match resumed_from {
                    0 => String::new(),
                    bytes => format!(", going on after {bytes} bytes"),
                };
                self.note(&format!("{file}: from {from}{rest}"));
            }
            Event::Bytes { done, .. } => self.bar.set_position(*done),
            Event::Retry {
                file,
                attempt,
                wait,
                cause,
            } => self.say(&format!(
                "{file}: {cause}; attempt {attempt} again in {:.1} s",
                wait.as_secs_f64()
            )),
            Event::NextSource { file, cause } => {
                self.say(&format!("{file}: {cause}; trying another source"));
            }
            Event::Done { file } => {
                self.bar.finish_and_clear();
                self.note(&format!("{file}: verified"));
            }
            // Verification takes well under a second.
            _ => {}
        }
    }
}
