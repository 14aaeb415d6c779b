//! Whether a study may run commands. A study file is data, and may come from anybody; one that names guests runs programs.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};
use metastable_guests::ProcessConfig;

use crate::run::RunConfig;
use crate::shell::quote;

/// Says which commands these runs start, and refuses them unless the user allows commands or wrote the study: its `file` lies in
/// the folder that this program was started in.
pub(crate) fn check<'r>(
    runs: impl Iterator<Item = &'r RunConfig>,
    file: Option<&Path>,
    is_allowed: bool,
) -> Result<()> {
    let mut commands = BTreeSet::new();
    let mut note = |command: &[String]| {
        let words = command.iter().map(|word| quote(word));
        commands.insert(visible(&words.collect::<Vec<_>>().join(" ")));
    };
    for config in runs {
        if config.is_guest() {
            note(&ProcessConfig::read(&config.learner.settings)?.command);
        }
        if let Some(outside) = &config.data.environment {
            note(&outside.command);
        }
    }
    if commands.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = commands.iter().map(|line| format!("\n  {line}")).collect();
    if is_allowed || file.is_some_and(is_own) {
        eprintln!("guests run these commands:{}", lines.concat());
        return Ok(());
    }
    bail!(
        "this would run commands that a study names:{}\npass --allow-commands if you trust them; a study file in the current folder does not need it",
        lines.concat()
    )
}

/// Whether a file lies in the working folder itself.
fn is_own(file: &Path) -> bool {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A link in the working folder to a file elsewhere is one that the user put there.
    file.is_file()
        && match (folder.canonicalize(), Path::new(".").canonicalize()) {
            (Ok(folder), Ok(here)) => folder == here,
            _ => false,
        }
}

/// The text with everything that a terminal obeys or does not show as `\u{..}`: a command that moves the cursor, turns the direction of
/// writing or breaks the line could show as another one.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Controls, and the characters of Unicode that format, separate lines, select variants or tag, or are blank without being spaces.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_hide_itself() {
        // The first would clear its line, the second go back to its start, the third turn the direction of writing.
        for (text, shown) in [
            ("rm -rf ~\u{1b}[2K", "rm -rf ~\\u{1b}[2K"),
            ("evil\rnice", "evil\\u{d}nice"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\nb", "a\\u{a}b"),
            ("python3 'größe 1.py'", "python3 'größe 1.py'"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
