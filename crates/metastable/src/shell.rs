//! Commands that are printed to be pasted into a shell.

use std::path::Path;
use std::sync::OnceLock;

static PROGRAM: OnceLock<&'static str> = OnceLock::new();

/// Says what the user calls this program, for commands that are printed: `metastable` unless set, once, to another name.
pub fn set_program(name: &'static str) {
    PROGRAM.get_or_init(|| name);
}

/// What the user calls this program.
pub(crate) fn program() -> &'static str {
    PROGRAM.get_or_init(|| "metastable")
}

/// The text as one word of a POSIX shell: as it is where that is safe, else in single quotes.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A path as one word of a shell.
pub(crate) fn quote_path(path: &Path) -> String {
    quote(&path.display().to_string())
}

/// The command of this process, as the user would write it.
pub(crate) fn command_line() -> String {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .map(|argument| quote(&argument))
        .collect();
    match arguments.is_empty() {
        true => format!("{} experiment", program()),
        false => format!("{} {}", program(), arguments.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_gets_them() {
        assert_eq!(quote("runs/quick-2/study.toml"), "runs/quick-2/study.toml");
        assert_eq!(quote("my runs"), "'my runs'");
        assert_eq!(quote("it's; rm -rf $HOME"), r"'it'\''s; rm -rf $HOME'");
        assert_eq!(quote("~/a"), "'~/a'");
        assert_eq!(quote(""), "''");
    }

    /// The shell itself takes the word apart again.
    #[cfg(unix)]
    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for word in [
            "a b",
            "it's",
            "$(false) `x` \"y\" \\ * ?",
            "",
            "line\nbreak",
        ] {
            let script = format!("printf %s {}", quote(word));
            let output = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
