//! Nothing silent: no changed bit, no missing run, no replaced file goes without a word and an exit code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::{Bench, stderr, stdout};

/// Every file below a folder, by its path there; links are followed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Expects an ending, and a word on stderr.
fn ends(output: &Output, code: i32, word: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{word}: {said}");
    assert!(said.contains(word), "{word} is not in: {said}");
}

/// What other files of the same kind in a folder hold: whole, sealed, and in the wrong place.
fn neighbours(path: &Path, whole: &[u8]) -> Vec<Vec<u8>> {
    files(path.parent().unwrap())
        .into_iter()
        .filter(|other| other.parent() == path.parent() && other.extension() == path.extension())
        .map(|other| fs::read(other).unwrap())
        .filter(|content| content != whole)
        .collect()
}

/// One bit of each file of a finished study and of its store, a byte less, and the content of a neighbour: named, with an exit code.
///
/// Where the list of runs, the study or the mark of the folder is damaged, there is nothing to report on: that is an error, exit code
/// 2. What nobody reads but people (the report, the receipt of the data, event files) is made again instead, from what is checked.
#[test]
fn one_bit_of_any_stored_file_is_named() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("outer_steps = 12", "outer_steps = 4"),
    ]);
    bench.images("mine");
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let text = text.replace(
        "set = \"glyphs\"",
        "set = \"folder:mine\"\nsplit = \"random:4,4,4\"",
    );
    let table = "[probe]\nfamilies = [\"c\", \"f-pairs\"]\ntasks = 2\n";
    fs::write(bench.path("tiny.toml"), text + table).unwrap();
    bench.experiment(&["--out", "out"]);
    assert!(bench.run(&["report", "out"]).status.success());

    let mut known = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut all = [files(&bench.path("out")), files(&bench.path("out.store"))].concat();
    // First, while they are those of the whole study.
    let is_report = |path: &PathBuf| path.to_string_lossy().contains("out/report.");
    all.sort_by_key(|path| !is_report(path));
    for path in all {
        let whole = fs::read(&path).unwrap();
        // A run is reached by its link and in the store; a lock has no content.
        if whole.is_empty() || !known.insert(path.canonicalize().unwrap()) {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        seen.insert(name.to_owned());
        let places = [0, whole.len() / 3, whole.len() / 2, whole.len() - 1];
        let flipped = places.map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        let cut = whole[..whole.len() - 1].to_vec();
        let is_of_a_run = ["out/probes", "out/runs", "out.store"]
            .iter()
            .any(|folder| {
                path.starts_with(bench.path(folder)) && !path.parent().unwrap().ends_with("studies")
            });
        let neighbours = if is_of_a_run {
            neighbours(&path, &whole)
        } else {
            Vec::new()
        };
        for damaged in flipped.into_iter().chain([cut]).chain(neighbours) {
            fs::write(&path, &damaged).unwrap();
            if name.starts_with("report.") {
                assert!(bench.run(&["report", "out"]).status.success());
                assert!(
                    fs::read(&path).unwrap() == whole,
                    "{name} is not made again"
                );
            } else if ["data.txt", "images.csv"].contains(&name) || name.starts_with("events.") {
                bench.experiment(&["--out", "out"]);
                assert!(
                    fs::read(&path).unwrap() == whole,
                    "{name} is not made again"
                );
            } else if ["study.toml", "runs.json", ".metastable"].contains(&name) {
                bench.refuses(&["report", "out"], &[name, "damaged"]);
                bench.refuses(&["certify", "out"], &[name, "damaged"]);
            } else if path.parent().unwrap().ends_with("studies") {
                bench.refuses(&["clean", ".", "--store", "out.store"], &[name, "damaged"]);
            } else {
                ends(&bench.run(&["report", "out"]), 1, name);
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    for name in [
        ".metastable",
        "study.toml",
        "runs.json",
        "run.json",
        "log.jsonl",
        "best.safetensors",
        "last.safetensors",
        "test.safetensors",
        "manifest.json",
        "sensitivity.json",
        "kinship.json",
        "certificate.json",
        "report.html",
        "report.md",
        "report.json",
        "data.txt",
        "data.json",
        "images.csv",
    ] {
        assert!(seen.contains(name), "{name} is not among {seen:?}");
    }
    let output = bench.run(&["report", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Answers that are gone, or rest on other runs than there are, are missed by name; what more was asked does not stay in the way.
#[test]
fn a_report_depends_on_what_is_stored_now() {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 4")]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let table = "[probe]\nfamilies = [\"f-pairs\"]\ntasks = 2\n";
    fs::write(bench.path("tiny.toml"), text + table).unwrap();
    bench.experiment(&["--out", "out"]);
    let report = || fs::read(bench.path("out/report.json")).unwrap();
    let whole = report();

    let answers = bench.path("out/probes/maml-glyphs-3w1s-s0/kinship.json");
    let kept = fs::read(&answers).unwrap();
    fs::remove_file(&answers).unwrap();
    ends(
        &bench.run(&["report", "out"]),
        1,
        "maml-glyphs-3w1s-s0 has no answers to kinship",
    );
    fs::write(&answers, kept).unwrap();

    // A run that is no longer there: it is named, and so are the answers that rest on it.
    let run = bench.path("out/runs/protonet-glyphs-3w1s-s1");
    let run = run.canonicalize().unwrap();
    let away = bench.path("away");
    fs::rename(&run, &away).unwrap();
    let output = bench.run(&["report", "out"]);
    ends(&output, 1, "protonet-glyphs-3w1s-s1 has not ended");
    ends(&output, 1, "kinship answers are those of other runs");
    fs::rename(&away, &run).unwrap();
    let output = bench.run(&["report", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(report() == whole);
}

/// `status` is asked by scripts: what is damaged or gone gives an exit code, and has its name on stderr beside JSON too.
#[test]
fn status_ends_with_what_is_damaged_or_gone() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    let status = ["status", "out"];
    let as_json = ["status", "out", "--json"];
    assert!(bench.run(&status).status.success());

    let link = bench.path("out/runs/protonet-glyphs-3w1s-s0");
    let run = link.canonicalize().unwrap();
    for entry in fs::read_dir(&run).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        ends(&bench.run(&as_json), 1, name);
        let output = bench.run(&status);
        ends(&output, 1, "1 of 2 runs failed, are damaged or are gone");
        assert!(stdout(&output).contains(name), "{}", stdout(&output));
        fs::write(&path, &whole).unwrap();
    }
    assert!(bench.run(&status).status.success());

    let away = bench.path("away");
    fs::rename(&run, &away).unwrap();
    ends(&bench.run(&as_json), 1, "is no longer in the store");
    let output = bench.run(&status);
    ends(&output, 1, "the command that runs the study");
    let said = stdout(&output);
    assert!(said.contains("1/2 runs finished"), "{said}");
    assert!(said.contains("0 waiting, 1 damaged or gone"), "{said}");
    // What nobody has made yet is no fault.
    fs::remove_file(&link).unwrap();
    assert!(bench.run(&status).status.success());
    bench.experiment(&["--out", "out"]);
    assert!(bench.run(&as_json).status.success());
}

/// What is taken away while the study runs is missed at its end, by name, and made again by the same command.
#[test]
fn runs_that_vanish_under_way_are_missed() {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 100")]);
    bench.experiment(&["--out", "whole/out"]);
    let child = bench.start(&["--out", "out", "--jobs", "1"]);
    let runs = bench.path("out/runs");
    let begun = Instant::now();
    let run = loop {
        assert!(begun.elapsed() < Duration::from_secs(120), "no run ended");
        let mut links = fs::read_dir(&runs).into_iter().flatten().flatten();
        if let Some(link) = links.next() {
            break link;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    fs::remove_dir_all(run.path().canonicalize().unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let label = run.file_name().into_string().unwrap();
    ends(&output, 1, "no longer whole in the store");
    ends(&output, 1, &label);
    ends(&output, 1, "4 runs: 3 finished");
    ends(&bench.run(&["report", "out"]), 1, &label);
    bench.experiment(&["--out", "out"]);
    let report = |out: &str| fs::read_to_string(bench.path(out).join("report.json")).unwrap();
    assert_eq!(
        report("out"),
        report("whole/out").replace("whole/out", "out")
    );
}

/// Neither the study that was given, nor a stranger's file, is replaced.
#[test]
fn no_file_of_others_is_replaced() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap() + "# my notes\n";
    fs::create_dir(bench.path("mine")).unwrap();
    fs::write(bench.path("mine/study.toml"), &text).unwrap();
    let commands = [
        &["experiment", "mine/study.toml", "--out", "mine"][..],
        &["experiment", "mine/study.toml", "--out", "mine/../mine/"],
        &["experiment", "tiny.toml", "--out", "mine"],
        &[
            "train",
            "maml",
            "--study",
            "mine/study.toml",
            "--out",
            "mine",
        ],
    ];
    for command in commands {
        bench.refuses(command, &["study.toml", "replaced", "--out"]);
    }
    assert_eq!(files(&bench.path("mine")), [bench.path("mine/study.toml")]);
    assert_eq!(
        fs::read_to_string(bench.path("mine/study.toml")).unwrap(),
        text
    );
    for name in [
        "report.html",
        "runs",
        "probes",
        "data.txt",
        "runs.json",
        "report.json",
    ] {
        let folder = bench.path("theirs");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(name), "theirs").unwrap();
        let command = ["experiment", "tiny.toml", "--out", "theirs"];
        bench.refuses(&command, &[name, "replaced", "--out"]);
        assert_eq!(fs::read(folder.join(name)).unwrap(), b"theirs");
        fs::remove_dir_all(folder).unwrap();
    }

    // A folder of results is replaced by results, unless somebody wrote into its study and runs that.
    bench.experiment(&["--out", "out"]);
    let again = ["experiment", "out/study.toml", "--out", "out"];
    let output = bench.run(&again);
    assert!(output.status.success(), "{}", stderr(&output));
    let study = bench.path("out/study.toml");
    let edited = fs::read_to_string(&study).unwrap() + "# my notes\n";
    fs::write(&study, &edited).unwrap();
    bench.refuses(&again, &["study.toml", "replaced", "--out"]);
    assert_eq!(fs::read_to_string(&study).unwrap(), edited);
    bench.experiment(&["--out", "out"]);

    // Tables beside somebody's own.
    fs::create_dir(bench.path("tables")).unwrap();
    fs::write(bench.path("tables/runs.csv"), "mine").unwrap();
    let export = ["export", "out", "--format", "csv", "--out", "tables"];
    bench.refuses(&export, &["runs.csv", "replaced", "--out"]);
    assert_eq!(fs::read(bench.path("tables/runs.csv")).unwrap(), b"mine");
    for _ in 0..2 {
        let output = bench.run(&["export", "out", "--format", "csv", "--out", "fresh"]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let table = bench.path("fresh/runs.csv");
    assert!(table.is_file());
}

/// A disk that is full behind stdout: no panic, an exit code, and every file of the results.
#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_costs_no_result() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let experiment = ["experiment", "tiny.toml", "--out", "out"];
    for command in [
        &experiment[..],
        &["report", "out"],
        &["status", "out", "--all"],
        &["certify", "out"],
        &["export", "out", "--format", "csv"],
        &["clean", ".", "--store", "out.store"],
        &["list"],
        &["man"],
        &["completions", "bash"],
        &["experiment", "tiny.toml", "--plan"],
    ] {
        let output = bench.command(command).stdout(full()).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(!said.contains("panicked"), "{command:?}: {said}");
        assert!(
            said.contains("could be written to stdout"),
            "{command:?}: {said}"
        );
    }
    for name in ["report.html", "report.md", "report.json", "export/runs.csv"] {
        assert!(bench.path("out").join(name).is_file(), "{name}");
    }
    // Both ends of a broken terminal.
    let mut command = bench.command(&experiment);
    let output = command.stdout(full()).stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let output = bench.run(&["report", "out"]);
    assert!(output.status.success() && stdout(&output).contains("report.json"));
}

/// A reader who closes the pipe has lost words, and no file.
#[cfg(unix)]
#[test]
fn a_closed_pipe_costs_no_file() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = bench.command(&["experiment", "tiny.toml", "--out", "out"]);
    let output = command.stdout(writer).output().unwrap();
    assert!(!stderr(&output).contains("panicked"));
    for name in ["report.html", "report.md", "report.json"] {
        assert!(bench.path("out").join(name).is_file(), "{name}");
    }
}

/// What a process that was killed had claimed is known to `clean`, and to the next process, asked or answered.
#[cfg(unix)]
#[test]
fn claims_that_nobody_holds_are_found() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let probe = |tasks: usize| {
        let table = format!("[probe]\nfamilies = [\"c\"]\ntasks = {tasks}\n");
        fs::write(bench.path("tiny.toml"), text.clone() + &table).unwrap();
    };
    probe(100_000);
    let mut child = bench.start(&["--out", "out"]);
    let claims = bench.path("out/probes/maml-glyphs-3w1s-s0/sensitivity");
    let begun = Instant::now();
    while !claims.join("1.claim").exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no claim came");
        std::thread::sleep(Duration::from_millis(5));
    }
    let clean = |more: &[&str]| {
        let arguments = [&["clean", ".", "--store", "out.store"], more].concat();
        stdout(&bench.run(&arguments))
    };
    assert!(!clean(&[]).contains("nobody holds"), "it is held");
    child.kill().unwrap();
    child.wait().unwrap();
    let stale = fs::read(claims.join("1.claim")).unwrap();
    let said = clean(&[]);
    assert!(
        said.contains("a claim on a question that nobody holds"),
        "{said}"
    );
    clean(&["--remove"]);
    assert!(!claims.exists());

    // The next process asks what nobody asks any more, and clears what is answered.
    probe(2);
    fs::create_dir_all(&claims).unwrap();
    fs::write(claims.join("1.claim"), &stale).unwrap();
    bench.experiment(&["--out", "out"]);
    assert!(!claims.exists());
    fs::create_dir_all(&claims).unwrap();
    fs::write(claims.join("1.claim"), &stale).unwrap();
    bench.experiment(&["--out", "out"]);
    assert!(!claims.exists());
    assert!(clean(&[]).starts_with("0 things can be removed"));
}

/// Weights that are no numbers: their score is told with that beside it.
#[test]
fn weights_that_are_not_finite_are_said() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    let good = bench.path("out/runs/protonet-glyphs-3w1s-s0/last.safetensors");
    let bytes = fs::read(good).unwrap();
    let n_header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + n_header]).unwrap();
    let mut header = header;
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    // As if another program had written it.
    metadata.retain(|key, _| !key.contains("sha256") && !key.contains("digest"));
    let header = header.to_string();
    let mut other = (header.len() as u64).to_le_bytes().to_vec();
    other.extend(header.bytes());
    let mut data = bytes[8 + n_header..].to_vec();
    data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    other.extend(data);
    fs::write(bench.path("other.safetensors"), other).unwrap();
    let output = bench.run(&["evaluate", "other.safetensors"]);
    let said = stderr(&output);
    assert!(
        said.contains("1 of its weights are not finite numbers"),
        "{said}"
    );
    assert!(said.contains("no digest of its own"), "{said}");
    let output = bench.run(&["evaluate", "other.safetensors", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(said["n_non_finite_weights"], 1);
}

/// A broken image is named once, and no setting is blamed that has nothing to do with it.
#[test]
fn a_broken_image_is_not_a_matter_of_the_split() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.images("mine");
    fs::write(bench.path("mine/class03/2.bmp"), "no image").unwrap();
    let folder = ["--dataset", "folder:mine", "--split", "random:4,4,4"];
    let output = bench.run(&[&["experiment", "tiny.toml", "--out", "out"], &folder[..]].concat());
    ends(&output, 2, "class03/2.bmp");
    let said = stderr(&output);
    assert!(!said.contains("--split"), "{said}");
    assert!(said.contains("--dataset folder:mine"), "{said}");
    assert_eq!(said.matches("2.bmp").count(), 1, "{said}");
    bench.experiment(&["--out", "made"]);
    let weights = "made/runs/protonet-glyphs-3w1s-s0/best.safetensors";
    let output = bench.run(&["evaluate", weights, "--dataset", "folder:mine"]);
    ends(&output, 2, "class03/2.bmp");
    assert!(!stderr(&output).contains("split"), "{}", stderr(&output));
}
