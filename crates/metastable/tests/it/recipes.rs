//! docs/analyze.md as a user takes it: every table of the page is written down, and every command runs on them as it stands.

use std::fs;

use crate::support::{Bench, stderr, stdout};

const PAGE: &str = include_str!("../../../../docs/analyze.md");

/// The fenced blocks of a page: what stands behind the fence, and the lines within.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(info) => {
                inside = true;
                found.push((info, String::new()));
            }
            None if inside => {
                if let Some((_, text)) = found.last_mut() {
                    *text += line;
                    text.push('\n');
                }
            }
            None => {}
        }
    }
    found
}

/// The words of a command without its comment; single quotes hold a word together.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quoted, mut open) = (false, false);
    for letter in line.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                if !open {
                    words.push(String::new());
                }
                open = true;
            }
            '#' if !quoted && !open => break,
            ' ' if !quoted => open = false,
            letter => {
                if !open {
                    words.push(String::new());
                }
                open = true;
                if let Some(word) = words.last_mut() {
                    word.push(letter);
                }
            }
        }
    }
    words
}

#[test]
fn every_command_of_the_page_runs_on_its_tables() {
    let bench = Bench::new(&[]);
    let blocks = blocks(PAGE);
    let mut n_commands = 0;
    for (info, text) in &blocks {
        if let Some((_, name)) = info.split_once(' ') {
            fs::write(bench.path(name), text).unwrap();
        }
        if *info != "sh" {
            continue;
        }
        for line in text.lines() {
            let line = line.strip_prefix("cargo xtask ").unwrap();
            let mut arguments = words(line);
            assert_eq!(arguments[0], "analyze", "{line}");
            // Two commands on one table go to one folder of their own each.
            n_commands += 1;
            arguments.extend([String::from("--out"), format!("out-{n_commands}")]);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let output = bench.run(&arguments);
            assert!(output.status.success(), "{line}: {}", stderr(&output));
            assert!(stdout(&output).contains("report.html"), "{line}");
        }
    }
    assert!(n_commands > 20, "{n_commands}");
}

/// Nobody guesses that flags are needed: the plain command is tried first, and its advice has to work.
#[test]
fn what_the_refusal_of_a_table_proposes_works() {
    let bench = Bench::new(&[]);
    let mut n_refused = 0;
    for (info, text) in blocks(PAGE) {
        let Some((_, name)) = info.split_once(' ') else {
            continue;
        };
        fs::write(bench.path(name), text).unwrap();
        let output = bench.run(&["analyze", name, "--out", &format!("plain-{name}")]);
        if output.status.success() {
            continue;
        }
        let said = stderr(&output);
        n_refused += 1;
        let Some((_, command)) = said.split_once("columns suggest: metastable ") else {
            assert!(said.contains("--unit"), "{name}: {said}");
            continue;
        };
        let mut arguments = words(command.trim());
        arguments.extend([String::from("--out"), format!("advised-{name}")]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = bench.run(&arguments);
        assert!(
            output.status.success(),
            "{name}: {command}: {}",
            stderr(&output)
        );
    }
    assert!(n_refused > 12, "{n_refused}");
}

/// What the user gave already stays in the command that is proposed: one flag for each table in turn.
#[test]
fn what_is_proposed_repeats_the_flags_that_were_given() {
    const FLAGS: [&[&str]; 5] = [
        &["--common-tasks"],
        &["--own-tasks"],
        &["--unit", "points"],
        &["--direction", "lower"],
        &["--reference", "random=0,oracle=1"],
    ];
    let bench = Bench::new(&[]);
    let mut n_proposed = 0;
    for (info, text) in blocks(PAGE) {
        let Some((_, name)) = info.split_once(' ') else {
            continue;
        };
        fs::write(bench.path(name), text).unwrap();
        let given = FLAGS[n_proposed % FLAGS.len()];
        let out = format!("given-{name}");
        let mut arguments = vec!["analyze", name, "--out", &out];
        arguments.extend(given);
        let said = stderr(&bench.run(&arguments));
        let Some((_, command)) = said.split_once("columns suggest: metastable ") else {
            continue;
        };
        n_proposed += 1;
        let mut arguments = words(command.trim());
        for word in given {
            let times = arguments.iter().filter(|it| it == word).count();
            assert_eq!(times, 1, "{name}: {word} in {command}");
        }
        arguments.extend([String::from("--out"), format!("repeated-{name}")]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = bench.run(&arguments);
        assert!(
            output.status.success(),
            "{name}: {command}: {}",
            stderr(&output)
        );
    }
    assert!(n_proposed >= FLAGS.len(), "{n_proposed}");
}

/// The readme and the help name this page's commands; none of them may promise a flag that is not there.
#[test]
fn the_readme_promises_no_other_flag() {
    let readme = include_str!("../../../../README.md");
    for line in readme.lines().filter(|line| line.contains("analyze ")) {
        for word in line
            .split_whitespace()
            .filter(|word| word.starts_with("--"))
        {
            assert!(PAGE.contains(word), "{word} in: {line}");
        }
    }
}
