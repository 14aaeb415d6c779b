//! Words on the terminal that cannot end the program: where nobody can take them, work goes on, and the exit code says so.
//!
//! The standard library's `println!` panics when the disk behind stdout is full. The macros here take its name in the whole
//! crate.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that was to be on stdout is not.
static IS_LOST: AtomicBool = AtomicBool::new(false);

macro_rules! print {
    ($($words:tt)*) => { $crate::words::out(format_args!($($words)*), "") };
}

macro_rules! println {
    () => { $crate::words::out(format_args!(""), "\n") };
    ($($words:tt)*) => { $crate::words::out(format_args!($($words)*), "\n") };
}

macro_rules! eprint {
    ($($words:tt)*) => { $crate::words::err(format_args!($($words)*), "") };
}

macro_rules! eprintln {
    ($($words:tt)*) => { $crate::words::err(format_args!($($words)*), "\n") };
}

/// What goes as it should, on stderr; `--quiet` passes it over.
macro_rules! note {
    ($($words:tt)*) => {
        if !$crate::loudness::is_quiet() {
            $crate::words::err(format_args!($($words)*), "\n");
        }
    };
}

/// Results, on stdout.
pub(crate) fn out(words: Arguments<'_>, end: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_fmt(words)
        .and_then(|()| stdout.write_all(end.as_bytes()));
    if written.is_err() {
        IS_LOST.store(true, Ordering::Relaxed);
    }
}

/// Everything else, on stderr. That it could not be said can be said nowhere.
pub(crate) fn err(words: Arguments<'_>, end: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr
        .write_fmt(words)
        .and_then(|()| stderr.write_all(end.as_bytes()));
}

/// Whether some words for stdout were lost, now that all are said.
pub(crate) fn are_lost() -> bool {
    let flushed = io::stdout().flush();
    flushed.is_err() || IS_LOST.load(Ordering::Relaxed)
}

/// An error with its causes, each once: many errors say their cause in their own words, and are asked for it again.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl std::fmt::Display for Outer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "cannot read a.png: {}", self.0)
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let outer = Outer(io::Error::other("the disk is gone"));
        let error = anyhow::Error::from(outer).context("while loading the data");
        assert_eq!(
            told(&error),
            "while loading the data: cannot read a.png: the disk is gone"
        );
    }
}
