//! `export`: the three formats, read back with the crates, say the same, and say what the files of the runs say.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::support::{Bench, json, stderr, stdout};

const TABLES: [&str; 9] = [
    "runs",
    "settings",
    "steps",
    "signals",
    "tasks",
    "hits",
    "supports",
    "probabilities",
    "curves",
];

/// A row: cells by column, absent ones left out. Numbers are as they were read.
type Row = BTreeMap<String, Value>;

fn of_csv(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names = reader.headers().unwrap().clone();
    let cell = |text: &str| match text {
        "true" | "false" => Value::from(text == "true"),
        // What looks like a number is one only if it is written as numbers are.
        text => match serde_json::from_str(text) {
            Ok(Value::Number(number)) => Value::Number(number),
            _ => Value::from(text),
        },
    };
    let row = |record: csv::StringRecord| {
        let cells = names.iter().zip(record.iter());
        let cells = cells.filter(|(_, text)| !text.is_empty());
        cells
            .map(|(name, text)| (name.to_owned(), cell(text)))
            .collect()
    };
    reader
        .records()
        .map(|record| row(record.unwrap()))
        .collect()
}

fn of_jsonl(path: &Path) -> Vec<Row> {
    let row = |line: &str| -> Row {
        let row: Row = serde_json::from_str(line).unwrap();
        row.into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect()
    };
    fs::read_to_string(path).unwrap().lines().map(row).collect()
}

fn of_parquet(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let cell = |field: &Field| match field {
        Field::Null => None,
        Field::ULong(count) => Some(Value::from(*count)),
        Field::Double(number) => Some(Value::from(*number)),
        Field::Bool(flag) => Some(Value::from(*flag)),
        Field::Str(text) => Some(Value::from(text.as_str())),
        other => panic!("{other:?}"),
    };
    let row = |row: parquet::record::Row| {
        let cells = row.get_column_iter();
        cells
            .filter_map(|(name, field)| Some((name.clone(), cell(field)?)))
            .collect()
    };
    reader
        .get_row_iter(None)
        .unwrap()
        .map(|it| row(it.unwrap()))
        .collect()
}

/// Texts are compared as texts: in CSV, a text of digits cannot be told from a number.
fn plain(rows: &[Row]) -> Vec<BTreeMap<String, String>> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        // 64 bits are compared, not how they are written.
        Value::Number(number) => format!("{:?}", number.as_f64().unwrap()),
        other => other.to_string(),
    };
    let number = |text: String| match text.parse::<f64>() {
        Ok(number) => format!("{number:?}"),
        Err(_) => text,
    };
    let mut plain = Vec::new();
    for row in rows {
        let cells = row.iter();
        plain.push(
            cells
                .map(|(name, value)| (name.clone(), number(text(value))))
                .collect(),
        );
    }
    plain
}

fn export(bench: &Bench, format: &str) {
    let output = bench.run(&["export", "out", "--format", format]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    assert_eq!(said.lines().count(), TABLES.len(), "{said}");
    for name in TABLES {
        assert!(said.contains(&format!("{name}.{format}")), "{said}");
    }
}

#[test]
fn three_formats_say_what_the_runs_say() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "out"]);
    for format in ["csv", "jsonl", "parquet"] {
        export(&bench, format);
    }
    let path =
        |name: &str, format: &str| bench.path("out/export").join(name).with_extension(format);
    let mut tables = BTreeMap::new();
    for name in TABLES {
        let rows = of_jsonl(&path(name, "jsonl"));
        assert_eq!(rows, of_parquet(&path(name, "parquet")), "{name}");
        assert_eq!(plain(&rows), plain(&of_csv(&path(name, "csv"))), "{name}");
        tables.insert(name, rows);
    }
    // 4 runs, 8 tasks of 3 x 2 queries; curves of 2 tasks for the two runs with an inner loop.
    let n = |name: &str| tables[name].len();
    assert_eq!((n("runs"), n("tasks"), n("hits")), (4, 32, 192));
    assert!(n("curves") > 0 && n("curves").is_multiple_of(4));

    for run in &tables["runs"] {
        let label = run["run"].as_str().unwrap();
        let of = |name: &str| -> Vec<&Row> {
            tables[name]
                .iter()
                .filter(|row| row["run"] == run["run"])
                .collect()
        };
        let folder = bench.path("out/runs").join(label);
        let record = json(&folder.join("run.json"));
        assert_eq!(run["identity"], record["identity"]);
        assert_eq!(run["outcome"], "completed");
        for (column, pointer) in [
            ("train_seconds", "/result/train_seconds"),
            ("test_accuracy", "/result/test/accuracy"),
            ("test_nll", "/result/test/nll"),
            ("test_step", "/result/test/step"),
            ("n_parameters", "/n_parameters"),
            ("seed", "/config/seeds/init"),
        ] {
            assert_eq!(&run[column], record.pointer(pointer).unwrap(), "{column}");
        }
        // The log, line by line, with one field more.
        let lines = fs::read_to_string(folder.join("log.jsonl")).unwrap();
        for (row, line) in of("steps").iter().zip(lines.lines()) {
            let mut line: Row = serde_json::from_str(line).unwrap();
            line.retain(|_, value| value.is_number());
            line.insert("run".into(), run["run"].clone());
            assert_eq!(**row, line);
        }
        assert_eq!(of("steps").len(), lines.lines().count());
        // One loss for each step, wherever its line ends.
        let is_loss = |row: &&&Row| row["name"] == "losses";
        assert_eq!(of("signals").iter().filter(is_loss).count(), 12);
        // Hits make the accuracy of a task, and tasks that of the run.
        let mut mean = 0.0;
        for task in of("tasks") {
            let hits = of("hits");
            let own: Vec<_> = hits
                .iter()
                .filter(|it| it["task"] == task["task"])
                .collect();
            let right = own.iter().filter(|it| it["hit"] == true).count();
            for query in &own {
                assert_eq!(query["hit"] == true, query["label"] == query["predicted"]);
                assert_eq!(
                    query["hit"] == true,
                    query["class"] == query["predicted_class"]
                );
            }
            let accuracy = right as f64 / own.len() as f64;
            assert_eq!(task["accuracy"], accuracy);
            mean += accuracy / 8.0;
        }
        assert!((mean - run["test_accuracy"].as_f64().unwrap()).abs() < 1e-12);
        let of_setting = |name: &str| {
            let mut settings = of("settings").into_iter();
            settings.find(|row| row["name"] == name).unwrap()["value"].clone()
        };
        assert_eq!(of_setting("network.width"), "4");
        assert_eq!(of_setting("learner.name"), run["algorithm"]);
    }
}

#[test]
fn levels_of_factors_are_settings() {
    let factors = "[factors]\nlearner.meta_batch = [1, 2]\n\n[learners.protonet]";
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("[learners.maml]\ninner_steps = 2\n", ""),
        ("[learners.protonet]", factors),
    ]);
    bench.experiment(&["--out", "out"]);
    export(&bench, "jsonl");
    let rows = of_jsonl(&bench.path("out/export/settings.jsonl"));
    let levels = rows.iter().filter(|row| row["role"] == "factor");
    let levels: Vec<&Value> = levels.map(|row| &row["value"]).collect();
    assert_eq!(levels, ["1", "2"]);
}

#[test]
fn a_diverged_run_is_a_row_without_a_test() {
    let bench = Bench::new(&[("inner_steps = 2", "inner_steps = 2\ninner_lr = 1e38")]);
    bench.experiment(&["--out", "out"]);
    export(&bench, "parquet");
    let read = |name: &str| of_parquet(&bench.path("out/export").join(name));
    let runs = read("runs.parquet");
    let diverged: Vec<&Row> = runs
        .iter()
        .filter(|run| run["outcome"] == "diverged")
        .collect();
    assert_eq!((runs.len(), diverged.len()), (4, 2));
    assert_eq!(diverged[0]["diverged_step"], 1);
    assert!(!diverged[0].contains_key("test_accuracy"));
    assert_eq!(read("tasks.parquet").len(), 16);
}

#[test]
fn damaged_and_unfinished_runs_are_named_and_left_out() {
    let bench = Bench::new(&[]);
    bench.refuses(
        &["export", "out", "--format", "csv"],
        &["is not the folder of a study"],
    );
    bench.experiment(&["--out", "out"]);
    let runs = bench.path("out/runs");
    let test = runs.join("maml-glyphs-3w1s-s0/test.safetensors");
    let mut bytes = fs::read(&test).unwrap();
    bytes[500] ^= 1;
    fs::write(&test, bytes).unwrap();
    let gone = fs::canonicalize(runs.join("protonet-glyphs-3w1s-s1")).unwrap();
    fs::remove_dir_all(gone).unwrap();
    let output = bench.run(&["export", "out", "--format", "csv", "--out", "tables"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("test.safetensors is damaged"), "{said}");
    assert!(
        said.contains("protonet-glyphs-3w1s-s1 has not ended"),
        "{said}"
    );
    assert_eq!(of_csv(&bench.path("tables/runs.csv")).len(), 2);
    // Nothing half-written beside; the mark of the folder is.
    assert_eq!(
        fs::read_dir(bench.path("tables")).unwrap().count(),
        TABLES.len() + 1
    );
}
