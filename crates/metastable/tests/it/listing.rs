//! What other programs read: lists and progress as JSON, completions, the manual.

use serde_json::Value;

use crate::support::Bench;

#[test]
fn list_as_json_names_what_the_text_names() {
    let bench = Bench::new(&[]);
    let said = |arguments: &[&str]| {
        let output = bench.command(arguments).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let text = said(&["list"]);
    let json: Value = serde_json::from_str(&said(&["list", "--json"])).unwrap();
    for part in [
        "studies",
        "data_sets",
        "networks",
        "learners",
        "metrics",
        "weights",
    ] {
        let lines = json[part].as_array().unwrap();
        assert!(!lines.is_empty(), "{part}");
        for line in lines {
            for key in ["name", "summary"] {
                let word = line[key].as_str().unwrap();
                assert!(!word.is_empty() && text.contains(word), "{part}: {word}");
            }
        }
    }
    let maml = &json["learners"][0];
    assert_eq!(maml["name"], "maml");
    assert_eq!(maml["settings"]["inner_steps"], 1);
}

#[test]
fn status_as_json_has_every_run() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    let run = |arguments: &[&str]| bench.command(arguments).output().unwrap();
    assert!(
        run(&["experiment", "tiny.toml", "--out", "out"])
            .status
            .success()
    );
    let output = run(&["status", "out", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["study"], "tiny");
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run["state"] == "finished"), "{json}");
}

#[test]
fn every_command_is_in_completions_and_manual_with_an_example() {
    let bench = Bench::new(&[]);
    let said = |arguments: &[&str]| {
        let output = bench.command(arguments).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let (script, page, help) = (
        said(&["completions", "bash"]),
        said(&["man"]),
        said(&["help"]),
    );
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 10, "{help}");
    for name in commands {
        assert!(script.contains(name), "{name} is not completed");
        assert!(page.contains(name), "{name} is not in the manual");
        let help = said(&[name, "--help"]);
        assert!(
            help.contains(&format!("Example: metastable {name}")),
            "{name}: {help}"
        );
    }
}
