//! `fetch`: data sets and weights, verified before they get their name.

use std::io::{IsTerminal, stderr};
use std::path::Path;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use metastable_data::fetch::{self, Event, Fetched, FetchedFile, Options, Source};

use crate::Ending;
use crate::dataset::data_dir;
use crate::flags;
use crate::loudness::is_quiet;

/// Runs the command.
pub(crate) fn fetch(flags: &flags::Fetch) -> Result<Ending> {
    let mut options = Options::new(data_dir(flags.data_dir.as_deref()));
    if let Some(from) = &flags.from {
        options.source = Source::parse(from);
    }
    match flags.what.split_first() {
        Some((what, specs)) if what == "weights" => {
            if specs.is_empty() {
                let known = fetch::WeightsManifest::built_in()?.weights;
                let known: Vec<&str> = known.iter().map(|entry| entry.name.as_str()).collect();
                bail!(
                    "fetch weights: name them, e.g. {}, or hf:owner/repo/model.safetensors",
                    known.join(", ")
                );
            }
            for spec in specs {
                let file = fetch::weights(spec, &options, &Display::new())?;
                print_file(&file);
            }
        }
        _ => {
            for name in &flags.what {
                if name == "emoji" {
                    emoji(flags, &options)?;
                    continue;
                }
                let all = fetch::names();
                let names = match name.as_str() {
                    "all" => all,
                    name => vec![name],
                };
                for name in names {
                    for file in bring(name, &options)?.files {
                        print_file(&file);
                    }
                }
            }
        }
    }
    Ok(Ending::Done)
}

/// Makes the set of drawings out of packages that the user brought.
fn emoji(flags: &flags::Fetch, options: &Options) -> Result<()> {
    let Some(from) = &flags.from else {
        bail!(
            "fetch emoji: name the folder with the packages, as `npm pack @iconify-json/noto` and so on leave them: --from DIR"
        );
    };
    let made = crate::emoji::make(Path::new(from), &options.data_dir)?;
    if !made.left_out.is_empty() {
        note!(
            "left out, since a style draws them as it draws another name: {}",
            made.left_out.join(", ")
        );
    }
    let (shown, n_images) = (made.folder.display(), made.n_images);
    println!(
        "{shown} {n_images} images; licences in {shown}/sources.json; use it as folder:{shown}"
    );
    Ok(())
}

fn print_file(file: &FetchedFile) {
    println!(
        "{} {} bytes, sha256 {}",
        file.path.display(),
        file.bytes,
        file.sha256
    );
}

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
struct Display {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Display {
    fn new() -> Self {
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
