//! One test for each kind of table that people bring.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use metastable_analysis::comparison::Comparisons;
use metastable_analysis::factors::table::Scale;
use metastable_analysis::{Options, Outcome, Study, analyze};

use super::place;
use super::receipt::receipt;
use super::scores::{Runs, scaled, study};
use super::table::{Columns, read};

pub(super) fn read_file(path: &Path, columns: &Columns) -> Result<(Study, String)> {
    let table = read(path, columns)?;
    let mut runs = Runs::of(&table)?;
    scaled(&table, &mut runs.reads);
    let receipt = receipt(&table, &runs);
    Ok((study(&table, runs, &Options::default())?, receipt))
}

pub(super) fn of(bytes: &[u8], columns: &Columns) -> Result<(Study, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    fs::write(&path, bytes).unwrap();
    read_file(&path, columns)
}

pub(super) fn refused(text: &str, columns: &Columns) -> String {
    let message = format!("{:#}", of(text.as_bytes(), columns).unwrap_err());
    message
        .split("scores.csv")
        .skip(1)
        .collect::<Vec<_>>()
        .join("scores.csv")
}

pub(super) fn few() -> Options {
    Options {
        n_resamples: 100,
        ..Options::default()
    }
}

pub(super) fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

const LONG: &str =
    "run,learner,seed,task,score\na0,a,0,x,0.5\na0,a,0,y,0.75\na1,a,1,x,0.25\na1,a,1,y,1\n";

#[test]
fn every_format_gives_the_same_runs() {
    let expected = of(LONG.as_bytes(), &Columns::default()).unwrap().0;
    let semicolon = LONG.replace(',', ";").replace('.', ",");
    let tab = LONG.replace(',', "\t");
    let utf16 = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let marked = format!("\u{feff}{LONG}");
        marked.encode_utf16().flat_map(unit).collect()
    };
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(LONG.as_bytes()).unwrap();
    let mut json = String::new();
    for line in LONG.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let _ = writeln!(
            json,
            r#"{{"run":"{}","learner":"{}","seed":{},"task":"{}","score":{}}}"#,
            cells[0], cells[1], cells[2], cells[3], cells[4]
        );
    }
    for (bytes, format) in [
        (semicolon.into_bytes(), "semicolon-separated"),
        (tab.into_bytes(), "tab-separated"),
        (format!("\u{feff}{LONG}").into_bytes(), "comma-separated"),
        (utf16(u16::to_le_bytes), "comma-separated, UTF-16"),
        (utf16(u16::to_be_bytes), "comma-separated, UTF-16"),
        (packed.finish().unwrap(), "comma-separated, gzip"),
        (json.into_bytes(), "JSON lines"),
    ] {
        let (found, receipt) = of(&bytes, &Columns::default()).unwrap();
        assert_eq!(found.runs, expected.runs, "{format}");
        assert!(
            receipt.contains(&format!(": {format}, 4 rows")),
            "{receipt}"
        );
    }
}

#[test]
fn lines_are_those_of_an_editor() {
    let check = |text: &str, line: usize| {
        let message = refused(text, &Columns::default());
        assert!(
            message.starts_with(&format!(":{line}: column 3 (`score`): `x`")),
            "{message}"
        );
    };
    check("run,task,score\na,0,0.5\na,1,x\n", 3);
    check("run,task,score\r\na,0,0.5\r\na,1,x\r\n", 3);
    check("run,task,score\r\n\r\na,0,0.5\r\n\r\n\r\na,1,x\r\n", 6);
    check("\n\nrun,task,score\na,\"b\nc\",0.5\na,1,x\n", 6);
}

#[test]
fn missing_scores_of_failed_runs_have_every_usual_spelling() {
    for spelling in ["", "nan", "NaN", "NA", "N/A", "null", "None", "<NA>", "inf"] {
        let text = format!("{LONG}a2,a,2,x,{spelling}\na2,a,2,y,0.5\n");
        let mut lines = text.lines();
        let mut with = format!("{},failed\n", lines.next().unwrap());
        for line in lines {
            let _ = writeln!(
                with,
                "{line},{}",
                if line.starts_with("a2") {
                    "True"
                } else {
                    "False"
                }
            );
        }
        let (study, _) = of(with.as_bytes(), &Columns::default()).unwrap();
        assert_ne!(study.runs[2].outcome, Outcome::Completed);
        assert!(study.runs[2].scores.is_none() && study.runs[1].scores.is_some());
        let message = refused(&text, &Columns::default());
        assert!(message.starts_with(":6: column 5 (`score`)"), "{message}");
    }
    // A failed run that broke off has rows for half of its tasks only.
    let text = "run,task,score,failed\nr0,x,0.5,yes\nr1,x,0.5,no\nr1,y,0.7,no\n";
    let (study, _) = of(text.as_bytes(), &Columns::default()).unwrap();
    assert!(study.runs[0].scores.is_none() && study.runs[1].scores.is_some());
}

#[test]
fn a_bad_cell_never_changes_the_type_of_a_column() {
    let text = "run,a,score\nr0,0.1,0.5\nr1,\"0,3769\",0.6\nr2,0.3,0.7\n";
    let factor = Columns {
        factors: names(&["a"]),
        ..Columns::default()
    };
    let message = refused(text, &factor);
    assert!(
        message.starts_with(":3: column 2 (`a`): `0,3769` is not a finite number, and 2 other values of the column are numbers")
            && message.contains("--category a"),
        "{message}"
    );
    let category = Columns {
        categories: names(&["a"]),
        ..Columns::default()
    };
    let scale = |text: &str| {
        of(text.as_bytes(), &category)
            .unwrap()
            .0
            .factors
            .unwrap()
            .factors[0]
            .scale
            .clone()
    };
    assert_eq!(
        scale(text),
        Scale::Categories(names(&["0.1", "0,3769", "0.3"]))
    );
    let missing = text.replace("\"0,3769\"", "");
    let message = refused(&missing, &factor);
    assert!(
        message.contains("--ignore a") && message.contains(":3:"),
        "{message}"
    );
    assert_eq!(
        scale(&missing),
        Scale::Categories(names(&["0.1", "(missing)", "0.3"]))
    );
}

#[test]
fn constant_and_overmany_categories_are_refused_with_a_remedy() {
    let factor = Columns {
        factors: names(&["c"]),
        ..Columns::default()
    };
    let message = refused("run,c,score\nr0,adam,0.5\nr1,adam,0.6\n", &factor);
    assert!(
        message.starts_with(":2: column 2 (`c`): `adam` is the level of every run")
            && message.contains("--ignore c"),
        "{message}"
    );
    let mut text = String::from("run,c,score\n");
    for run in 0..70 {
        let _ = writeln!(text, "r{run},config-{run},0.5");
    }
    let message = refused(&text, &factor);
    assert!(
        message.starts_with(":66: column 2 (`c`): `config-64` is category 65")
            && message.contains("--ignore c"),
        "{message}"
    );
}

#[test]
fn columns_are_mapped_and_states_are_failures() {
    let text = "Name,State,lr,test/acc\ndainty,finished,0.1,0.5\nlake,crashed,0.2,\npond,finished,0.3,0.7\n";
    let columns = Columns {
        renamed: names(&["score=test/acc", "run=Name", "failed=State:crashed"]),
        factors: names(&["lr"]),
        ..Columns::default()
    };
    let (study, _) = of(text.as_bytes(), &columns).unwrap();
    let runs = study.factors.unwrap().runs;
    assert_eq!(
        runs.iter().map(|run| run.failed).collect::<Vec<_>>(),
        [false, true, false]
    );
    assert_eq!(runs[2].response, Some(0.7));
    let wrong = Columns {
        renamed: names(&["score=test/ac"]),
        ..Columns::default()
    };
    let message = format!("{:#}", of(text.as_bytes(), &wrong).unwrap_err());
    assert!(
        message.contains("no column `test/ac`") && message.contains("test/acc"),
        "{message}"
    );
}

#[test]
fn learner_seed_and_one_score_are_compared_in_pairs() {
    let mut text = String::from("learner,seed,score\n");
    for (seed, noise) in [0.0, 0.004, 0.001, 0.003, 0.002].into_iter().enumerate() {
        let _ = writeln!(
            text,
            "A,{seed},{}\nB,{seed},{}",
            0.83 + noise,
            0.80 + noise * noise
        );
    }
    let (study, receipt) = of(text.as_bytes(), &Columns::default()).unwrap();
    assert!(receipt.contains("5 shared by all learners"), "{receipt}");
    let found = analyze(&study, &few()).unwrap();
    let pairs: Comparisons = found.settings[0].all.get().unwrap();
    let interval = pairs.pairs[0]
        .paired
        .as_ref()
        .unwrap()
        .difference
        .interval
        .clone()
        .unwrap();
    assert!(
        interval.lower > 0.02 && interval.upper < 0.04,
        "{interval:?}"
    );
    // The names of ours are factors and streams too.
    let columns = Columns {
        factors: names(&["learner"]),
        streams: names(&["seed"]),
        ..Columns::default()
    };
    let table = of(text.as_bytes(), &columns).unwrap().0.factors.unwrap();
    table.check().unwrap();
    assert_eq!(
        table.factors[0].scale,
        Scale::Categories(names(&["A", "B"]))
    );
}

#[test]
fn disjoint_seeds_are_compared_by_welch() {
    let mut text = String::from("run,learner,seed,task,score\n");
    for (learner, seed, task) in (0..240).map(|at| (at / 120, at / 40 % 3, at % 40)) {
        let score =
            0.6 + 0.2 * f64::from(learner) + 0.01 * f64::from(seed) + 0.001 * f64::from(task % 7);
        let _ = writeln!(
            text,
            "{learner}-{seed},l{learner},{},{task},{score}",
            10 * learner + seed
        );
    }
    let (study, receipt) = of(text.as_bytes(), &Columns::default()).unwrap();
    assert!(receipt.contains("none shared"), "{receipt}");
    let found = analyze(&study, &few()).unwrap();
    let pairs: Comparisons = found.settings[0].all.get().unwrap();
    let pair = &pairs.pairs[0];
    assert!(pair.paired.is_none());
    // Seeds 0, 0.01, 0.02 each: s^2 = 1e-4, so SE = sqrt(2e-4/3) and df = 4.
    let unpaired = pair.unpaired.as_ref().unwrap();
    let interval = unpaired.difference.interval.as_ref().unwrap();
    assert!((unpaired.df - 4.0).abs() < 1e-6 && (unpaired.difference.value + 0.2).abs() < 1e-9);
    let half = 2.776_445 * (2e-4_f64 / 3.0).sqrt();
    assert!((interval.upper - interval.lower - 2.0 * half).abs() < 1e-6);
    let is_sentence = |text: &str| text.contains("Welch, 3 runs against 3");
    assert!(
        found
            .findings
            .iter()
            .any(|finding| is_sentence(&finding.text))
    );
}

#[test]
fn scores_of_any_scale_have_a_way_that_works() {
    let text =
        "run,learner,seed,task,score\np0,p,0,x,-98.5\np0,p,0,y,802\nq0,q,0,x,1.5\nq0,q,0,y,4\n";
    let message = refused(text, &Columns::default());
    assert!(
        message.contains("--unit return") && message.contains("--direction lower"),
        "{message}"
    );
    let columns = Columns {
        factors: names(&["learner"]),
        streams: names(&["seed"]),
        unit: Some(String::from("return")),
        lower_is_better: true,
        ..Columns::default()
    };
    let table = of(text.as_bytes(), &columns).unwrap().0.factors.unwrap();
    assert_eq!(table.response, "minus return");
    assert_eq!(table.runs[0].response, Some(-351.75));
    let percent = Columns {
        unit: Some(String::from("percent")),
        ..Columns::default()
    };
    let (study, _) = of(b"run,task,score\nr0,x,50\nr0,y,100\n", &percent).unwrap();
    assert_eq!(
        study.runs[0].scores.as_ref().unwrap().accuracies,
        [0.5, 1.0]
    );
    let (study, _) = of(b"run,task,score\nr0,x,1.0000001192\n", &Columns::default()).unwrap();
    assert_eq!(study.runs[0].scores.as_ref().unwrap().accuracies, [1.0]);
}

#[test]
fn wide_tables_own_tasks_and_unequal_ways_are_read() {
    let wide = Columns {
        wide: names(&["task_"]),
        ..Columns::default()
    };
    let text = b"run,learner,seed,task_0,task_1\na0,a,0,0.5,0.75\na1,a,1,0.25,1\n";
    let (study, _) = of(text, &wide).unwrap();
    assert_eq!(
        study.runs[1].scores.as_ref().unwrap().accuracies,
        [0.25, 1.0]
    );
    let own = "run,task,score\nr0,r0/0,0.5\nr0,r0/1,0.7\nr1,r1/0,0.4\n";
    let (study, receipt) = of(own.as_bytes(), &Columns::default()).unwrap();
    assert!(receipt.contains("no task occurs in two runs"), "{receipt}");
    let mean = study.runs[0].scores.as_ref().unwrap().accuracies[0];
    assert!((mean - 0.6).abs() < 1e-12);
    let text = b"run,task,way,queries,score\nr0,x,5,50,0.7\nr0,y,12,120,0.4\n";
    let (study, receipt) = of(text, &Columns::default()).unwrap();
    let scores = study.runs[0].scores.as_ref().unwrap();
    assert_eq!((scores.n_way, scores.queries_per_task), (None, None));
    assert_eq!(scores.task_ways.as_deref(), Some(&[5, 12][..]));
    assert_eq!(scores.task_queries.as_deref(), Some(&[50, 120][..]));
    assert!((scores.chance().unwrap() - (0.2 + 1.0 / 12.0) / 2.0).abs() < 1e-12);
    assert!(
        !receipt.contains("null model") && !receipt.contains("guessing"),
        "{receipt}"
    );
    assert!(
        receipt.contains(
            "tasks: 2, of 5 to 12 classes and 50 to 120 queries: each task counts equally"
        ),
        "{receipt}"
    );
}

#[test]
fn the_receipt_names_copies_and_what_is_left_out() {
    let text =
        "run,learner,seed,task,score\np0,p,0,x,0.7\np0,p,0,y,0.6\np1,p,1,y,0.6\np1,p,1,x,0.7\n";
    let (_, receipt) = of(text.as_bytes(), &Columns::default()).unwrap();
    assert!(
        receipt.contains("runs `p0` and `p1` have equal scores on every task"),
        "{receipt}"
    );
    assert!(receipt.contains("need the column `queries`"), "{receipt}");
    let full = text.replace("0.6", "1").replace("0.7", "1");
    let (_, receipt) = of(full.as_bytes(), &Columns::default()).unwrap();
    assert!(!receipt.contains("warning"), "{receipt}");
}

#[test]
fn a_report_replaces_its_own_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let file = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, LONG).unwrap();
        path
    };
    let (a, b) = (file("a/scores.csv"), file("b/scores.csv.gz"));
    let first = place::folder(&a, None, &runs).unwrap();
    assert!(first.ends_with("analyze-scores"));
    fs::create_dir_all(&first).unwrap();
    place::mark(&a, &first).unwrap();
    assert_eq!(place::folder(&a, None, &runs).unwrap(), first);
    assert!(
        place::folder(&b, None, &runs)
            .unwrap()
            .ends_with("analyze-b-scores")
    );
    let message = place::folder(&b, Some(&first), &runs)
        .unwrap_err()
        .to_string();
    assert!(message.contains("the report of"), "{message}");
    fs::write(folder.path().join("study.toml"), "").unwrap();
    let message = place::folder(&a, Some(folder.path()), &runs)
        .unwrap_err()
        .to_string();
    assert!(message.contains("holds a study"), "{message}");
}

/// Twice the tasks take about twice the time; a search over all tasks for each row would take four times as long, and
/// minutes at this size.
#[test]
fn fifty_thousand_tasks_in_another_order_are_matched_by_name() {
    let mut text = String::from("run,task,score\n");
    for (run, task) in (0..100_000).map(|at| (at / 50_000, at % 50_000)) {
        let _ = writeln!(
            text,
            "r{run},t{},0.5",
            if run == 0 { task } else { 49_999 - task }
        );
    }
    let (study, _) = of(text.as_bytes(), &Columns::default()).unwrap();
    assert_eq!(
        study.runs[1].scores.as_ref().unwrap().accuracies.len(),
        50_000
    );
}

/// The cases that people reported, where their folder is at hand: METASTABLE_CASES names it, and without it nothing is
/// tried.
#[test]
fn reported_cases_are_read() {
    let Some(cases) = std::env::var_os("METASTABLE_CASES") else {
        eprintln!("METASTABLE_CASES is not set: the reported cases are not tried");
        return;
    };
    let plain = Columns::default;
    for (file, columns) in [
        ("02-one-score-a-run/one_score_per_run.csv", plain()),
        ("04-disjoint-seeds/disjoint_seeds.csv", plain()),
        ("04-disjoint-seeds/no_seed_column.csv", plain()),
        ("10-no-queries-column/same_seeds.csv", plain()),
        ("12-float32-above-one/float32_above_one.csv", plain()),
        ("15-variable-way/variable_way.csv", plain()),
        ("15-variable-way/variable_queries_hits.csv", plain()),
        ("18-exports-of-trackers/pandas_index.csv", plain()),
        (
            "18-exports-of-trackers/wide_runs_by_tasks.csv",
            Columns {
                wide: names(&["task_"]),
                ..plain()
            },
        ),
        (
            "16-own-episodes/own_episodes_own_names.csv",
            Columns {
                own_tasks: true,
                ..plain()
            },
        ),
        ("19-separators-and-formats/long.jsonl", plain()),
        ("19-separators-and-formats/long.parquet", plain()),
        ("19-separators-and-formats/long_utf16.csv", plain()),
        (
            "19-separators-and-formats/semicolon_decimal_comma.csv",
            plain(),
        ),
        ("19-separators-and-formats/tab_separated.tsv", plain()),
        ("20-nan-in-a-failed-run/nan_with_failed.csv", plain()),
        (
            "20-nan-in-a-failed-run/failed_run_with_part_of_scores.csv",
            plain(),
        ),
        ("23-one-task/one_score_constant_task.csv", plain()),
        ("51-variable-way-hits/way.csv", plain()),
    ] {
        let (study, _) = read_file(&Path::new(&cases).join(file), &columns)
            .unwrap_or_else(|error| panic!("{file}: {error:#}"));
        let found = analyze(&study, &few()).unwrap_or_else(|error| panic!("{file}: {error}"));
        if file.starts_with("04") {
            let pairs: Comparisons = found.settings[0].all.get().unwrap();
            let difference = &pairs.pairs[0].unpaired.as_ref().unwrap().difference;
            let interval = difference.interval.as_ref().unwrap();
            let tenths = |value: f64| (value.abs() * 1000.0).round() as i64;
            let mut ends = [tenths(interval.lower), tenths(interval.upper)];
            ends.sort_unstable();
            // Welch's interval, computed from the five means of each learner outside of this program.
            let expected = match file.ends_with("no_seed_column.csv") {
                true => [78, 115],
                false => [87, 111],
            };
            assert_eq!(ends, expected, "{file}: {interval:?}");
        }
    }
}
