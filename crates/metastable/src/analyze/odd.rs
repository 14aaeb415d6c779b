//! Files that are a little off: how people and programs write numbers, headers, seeds and tables in JSON.

use std::fmt::Write as _;

use super::kinds::{names, of, refused};
use super::table::Columns;
use metastable_analysis::Study;

/// Two learners, three seeds, two tasks; a cell is written by `cell`, a line by `line`.
fn table(header: &str, line: impl Fn(&str, usize, usize, f64) -> String) -> String {
    let mut text = header.to_owned();
    for (learner, seed, task) in (0..12).map(|at| (at / 6, at / 2 % 3, at % 2)) {
        let score = 0.5 + 0.1 * learner as f64 + 0.02 * seed as f64 + 0.05 * task as f64;
        text += &line(["a", "b"][learner], seed, task, (1e4 * score).round() / 1e4);
    }
    text
}

fn plain() -> String {
    table("learner,seed,task,score\n", |l, s, t, x| {
        format!("{l},{s},t{t},{x}\n")
    })
}

fn scores(study: &Study) -> Vec<(String, u64, Vec<f64>)> {
    let of = |run: &metastable_analysis::Run| {
        let scores = run.scores.as_ref().unwrap().accuracies.clone();
        let rounded = scores.iter().map(|it| (1e9 * it).round() / 1e9).collect();
        (run.learner.clone(), run.seed, rounded)
    };
    study.runs.iter().map(of).collect()
}

fn same(text: &[u8]) -> String {
    let expected = of(plain().as_bytes(), &Columns::default()).unwrap().0;
    let (found, receipt) = of(text, &Columns::default())
        .unwrap_or_else(|error| panic!("{error:#}: {}", String::from_utf8_lossy(text)));
    assert_eq!(
        scores(&found),
        scores(&expected),
        "{}",
        String::from_utf8_lossy(text)
    );
    receipt
}

#[test]
fn headers_and_rows_are_read_as_programs_write_them() {
    let line = |l: &str, s: usize, t: usize, x: f64| format!("{l},{s},t{t},{x}\n");
    let numbered = |header: &str| {
        let text = plain();
        let rows = text.lines().skip(1).enumerate();
        rows.fold(header.to_owned(), |all, (at, row)| {
            all + &format!("{at},{row}\n")
        })
    };
    for text in [
        table("Learner,Seed,Task,Score\n", line),
        table(" learner , seed , task , score \n", |l, s, t, x| {
            format!(" {l} ,{s} , t{t},  {x} \n")
        }),
        table("learner,seed,task,score\n", |l, s, t, x| {
            format!("{l},{s},t{t},{x},,\n")
        }),
        table("learner,seed,task,score,,\n", |l, s, t, x| {
            format!("{l},{s},t{t},{x},,\n")
        }),
        plain() + ",,,\n,,,\n",
        table(
            "# made by a program\n# version 2\nlearner,seed,task,score\n",
            line,
        ),
        table("#learner,seed,task,score\n", line),
        table("learner|seed|task|score\n", |l, s, t, x| {
            format!("{l}|{s}|t{t}|{x}\n")
        }),
        table(
            "| learner | seed | task | score |\n|---|:---:|---|--:|\n",
            |l, s, t, x| format!("| {l} | {s} | t{t} | {x} |\n"),
        ),
        table("\"sep=\t\"\nlearner\tseed\ttask\tscore\n", |l, s, t, x| {
            format!("{l}\t{s}\tt{t}\t{x}\n")
        }),
        table("learner,seed,task,score\n", |l, s, t, x| {
            format!("{l},{s}.0,t{t},{x:.4e}\n")
        }),
        numbered(",learner,seed,task,score\n"),
        numbered("Unnamed: 0,learner,seed,task,score\n"),
        numbered("index,learner,seed,task,score\n"),
        plain().replace('\n', "\r"),
    ] {
        same(text.as_bytes());
    }
    // R's write.table: the header has no cell for the numbers of rows.
    let text = plain();
    let quoted = |line: &str| format!("\"{}\"", line.replace(',', "\",\""));
    let mut r = quoted("learner,seed,task,score") + "\n";
    for (at, line) in text.lines().skip(1).enumerate() {
        let _ = writeln!(r, "\"{}\",{}", at + 1, quoted(line));
    }
    same(r.as_bytes());
    // Without a mark, UTF-16 is known by its zeros.
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let bytes: Vec<u8> = plain().encode_utf16().flat_map(unit).collect();
        assert!(same(&bytes).contains("UTF-16"));
    }
    // An index that counts nothing is a column like any other.
    let message = refused(
        &numbered("index,learner,seed,task,score\n").replace("\n5,", "\n7,"),
        &Columns::default(),
    );
    assert!(
        message.starts_with(":1: column 1 (`index`) is not known"),
        "{message}"
    );
}

#[test]
fn percentages_are_known_by_their_signs() {
    let signed = |space: &str| {
        table("learner,seed,task,score\n", |l, s, t, x| {
            format!("{l},{s},t{t},{:.2}{space}%\n", 100.0 * x)
        })
    };
    for text in [signed(""), signed(" ")] {
        assert!(same(text.as_bytes()).contains("percentages of right answers"));
    }
    let message = refused(
        &signed("").replacen("57.00%", "0.57", 1),
        &Columns::default(),
    );
    assert!(
        message.starts_with(
            ":5: column 4 (`score`): `0.57` has no sign for percent, and `50.00%` in line 2 has one"
        ),
        "{message}"
    );
}

#[test]
fn numbers_that_may_be_two_are_refused_and_others_read() {
    let unit = Columns {
        unit: Some(String::from("return")),
        ..Columns::default()
    };
    let of_first = |text: &str| {
        of(text.as_bytes(), &unit)
            .map(|(study, _)| study.runs[0].scores.as_ref().unwrap().accuracies[0])
    };
    for (text, expected) in [
        ("run,score\nr0,\"1,234.5\"\nr1,2\n", 1234.5),
        ("run;score\nr0;1.234,5\nr1;2\n", 1234.5),
        ("run;score\nr0;1.234\nr1;2\n", 1.234),
        ("run\tscore\nr0\t1,5\nr1\t2\n", 1.5),
        ("run,score\nr0,1'234.5\nr1,2\n", 1234.5),
        ("run,score\nr0,\u{2212}3.5\nr1,2\n", -3.5),
    ] {
        assert!((of_first(text).unwrap() - expected).abs() < 1e-9, "{text}");
    }
    for (text, what) in [
        (
            "run;score\nr0;1.234\nr1;2,5\n",
            ":2: column 2 (`score`): `1.234` is not a finite number; it may be thousands or decimals",
        ),
        (
            "run,score\nr0,\"1,234\"\nr1,2\n",
            ":2: column 2 (`score`): `1,234` is not a finite number; it may be thousands or decimals",
        ),
        (
            "run,score\nr0,\"0,54\"\nr1,2\n",
            ":2: column 2 (`score`): `0,54` is not a finite number; where a comma stands before decimals",
        ),
        (
            "run,score\nr0,63.1 \u{b1} 0.4\n",
            ":2: column 2 (`score`): `63.1 \u{b1} 0.4` is not a finite number; a mean with its error",
        ),
        (
            "run,score\nr0,0.5\nr1,inf\n",
            ":3: column 2 (`score`): `inf` is not a finite number; of a run that diverged",
        ),
        (
            "run,score\nr0,0,54\nr1,0,55\n",
            ":2: 3 cells, and the header has 2 (comma-separated); quote a cell that holds the separator, such as a decimal comma",
        ),
        (
            "run,score,x\nr0,0.5\n",
            ":2: 2 cells, and the header has 3 (comma-separated); a cell is missing",
        ),
        (
            "learner seed score\na 0 0.5\n",
            ":1: one column, `learner seed score`: no comma, semicolon, tab or bar separates its names",
        ),
    ] {
        let message = refused(text, &unit);
        assert!(message.starts_with(what), "{text}: {message}");
    }
    // A failed run has no score, but a number gone wrong is a mistake.
    let text = "run,score,failed\nr0,0.5,no\nr1,0.5x,yes\n";
    assert!(
        refused(text, &Columns::default())
            .starts_with(":3: column 2 (`score`): `0.5x` is not a finite number")
    );
    assert!(
        of(
            text.replace("0.5x", "crashed").as_bytes(),
            &Columns::default()
        )
        .is_ok()
    );
}

/// Only equality of seeds counts.
#[test]
fn seeds_may_have_any_name() {
    let with = |name: fn(usize) -> String| {
        table("learner,seed,task,score\n", |l, s, t, x| {
            format!("{l},{},t{t},{x}\n", name(s))
        })
    };
    for name in [
        (|s| format!("seed{s}")) as fn(usize) -> String,
        |s| format!("{}", s as i64 - 1),
        |s| format!("0x{s:x}"),
        |s| format!("{}", u128::from(u64::MAX) + 10 + s as u128),
        |s| format!("2026-05-0{}", s + 1),
        |s| ["True", "False", "maybe"][s].to_owned(),
    ] {
        let receipt = same(with(name).as_bytes());
        assert!(
            receipt.contains("seeds are names here")
                && receipt.contains("3 shared by all learners"),
            "{receipt}"
        );
    }
    same(with(|s| format!("{s}.0")).as_bytes());
    // A run without a seed is paired with none, though others have small numbers.
    let text = "run,learner,seed,score\na0,a,0,0.5\na1,a,1,0.6\na2,a,,0.7\nb0,b,0,0.5\nb1,b,1,0.6\nb2,b,2,0.7\nb3,b,3,0.7\n";
    let (study, _) = of(text.as_bytes(), &Columns::default()).unwrap();
    let own = study.runs[2].seed;
    assert!(
        study.runs.iter().filter(|run| run.seed == own).count() == 1,
        "{own}"
    );
}

#[test]
fn single_trials_may_be_true_or_false() {
    let text = "learner,seed,score\na,0,True\na,1,False\nb,0,TRUE\nb,1,true\n";
    let (study, _) = of(text.as_bytes(), &Columns::default()).unwrap();
    let values: Vec<f64> = scores(&study).into_iter().map(|it| it.2[0]).collect();
    assert_eq!(values, [1.0, 0.0, 1.0, 1.0]);
}

#[test]
fn json_of_any_orientation_is_the_same_table() {
    let text = plain();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    let object = |row: &Vec<&str>| {
        format!(
            r#"{{"learner": "{}", "seed": {}, "task": "{}", "score": {}}}"#,
            row[0], row[1], row[2], row[3]
        )
    };
    let records: Vec<String> = rows.iter().map(object).collect();
    let column = |at: usize, quote: &str| {
        rows.iter()
            .map(|row| format!("{quote}{}{quote}", row[at]))
            .collect::<Vec<_>>()
    };
    let of_columns = |write: &dyn Fn(Vec<String>) -> String| {
        format!(
            r#"{{"learner": {}, "seed": {}, "task": {}, "score": {}}}"#,
            write(column(0, "\"")),
            write(column(1, "")),
            write(column(2, "\"")),
            write(column(3, ""))
        )
    };
    let lists = of_columns(&|cells| format!("[{}]", cells.join(", ")));
    let keyed = of_columns(&|cells| {
        let cells: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(at, cell)| format!("\"{at}\": {cell}"))
            .collect();
        format!("{{{}}}", cells.join(", "))
    });
    let data: Vec<String> = rows
        .iter()
        .map(|row| format!(r#"["{}", {}, "{}", {}]"#, row[0], row[1], row[2], row[3]))
        .collect();
    let split = format!(
        r#"{{"columns": ["learner", "seed", "task", "score"], "index": [0], "data": [{}]}}"#,
        data.join(", ")
    );
    let wrapped = format!(
        r#"{{"best": 0.7, "results": [{}], "notes": []}}"#,
        records.join(", ")
    );
    let pretty = records.join("\n").replace(", ", ",\n  ");
    let below = |open: char, close: char, name: &dyn Fn(usize) -> String| {
        let mut text = String::from("{");
        for learner in 0..2 {
            let runs: Vec<String> = (0..3)
                .map(|seed| {
                    let at = 6 * learner + 2 * seed;
                    format!("{}[{}, {}]", name(seed), rows[at][3], rows[at + 1][3])
                })
                .collect();
            let _ = write!(
                text,
                "\"{}\": {open}{}{close}{}",
                ["a", "b"][learner],
                runs.join(", "),
                if learner == 0 { ", " } else { "}" }
            );
        }
        text
    };
    for text in [
        &lists,
        &keyed,
        &split,
        &wrapped,
        &pretty,
        &format!("[{}]", records.join(",")),
    ] {
        same(text.as_bytes());
    }
    // rliable's arrays: runs by tasks for each learner; tasks are then numbers.
    let (study, receipt) = of(
        below('[', ']', &|_| String::new()).as_bytes(),
        &Columns::default(),
    )
    .unwrap();
    assert!(
        receipt.contains("runs by tasks for each learner"),
        "{receipt}"
    );
    let expected = of(plain().as_bytes(), &Columns::default()).unwrap().0;
    assert_eq!(scores(&study), scores(&expected));
    let message = refused(
        r#"{"a": [{"score": 1}], "b": [{"score": 2}]}"#,
        &Columns::default(),
    );
    assert!(
        message.contains("`a` and `b` are lists of rows") && message.contains("jq .a"),
        "{message}"
    );
    let message = refused(r#"[{"score": 0.5}, 7]"#, &Columns::default());
    assert!(message.starts_with(": row 2: not an object"), "{message}");
}

/// What the documentation of a tracker tells people to write: a column of dictionaries, as Python prints them.
#[test]
fn cells_that_hold_dictionaries_become_columns() {
    let mut text = String::from(",summary,config,name\n");
    for (at, (learner, seed)) in (0..6).map(|at| (["a", "b"][at / 3], at % 3)).enumerate() {
        let _ = writeln!(
            text,
            "{at},\"{{'acc': 0.{}, '_step': 10, 'best': None}}\",\"{{'model': '{learner}', 'seed': {seed}, 'sizes': (1, 2)}}\",run-{at}",
            50 + 7 * at
        );
    }
    let columns = Columns {
        renamed: names(&[
            "run=name",
            "score=summary.acc",
            "learner=config.model",
            "seed=config.seed",
        ]),
        ignores_others: true,
        ..Columns::default()
    };
    let (study, _) = of(text.as_bytes(), &columns).unwrap();
    assert_eq!(study.runs.len(), 6);
    assert_eq!(
        (study.runs[4].learner.as_str(), study.runs[4].seed),
        ("b", 1)
    );
    let score = study.runs[4].scores.as_ref().unwrap().accuracies[0];
    assert!((score - 0.78).abs() < 1e-12);
    let message = refused(&text, &Columns::default());
    assert!(message.contains("score=summary.acc"), "{message}");
}

#[test]
fn files_that_are_no_tables_are_named() {
    for (bytes, what) in [
        (&b"PK\x03\x04rest"[..], "Excel"),
        (b"\x93NUMPY\x01\0", "NumPy array"),
        (b"SQLite format 3\0", "trials_dataframe"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\x28\xb5\x2f\xfd", "unzstd"),
        (b"\x80\x04\x95abc", "pickle"),
        (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
        (b"", "the file is empty"),
        (b"\n\n\r\n", "the file is empty"),
        (b"learner,score\n", "no row below the header"),
        (b"0.5\n", "no row below the header"),
    ] {
        let error = of(bytes, &Columns::default()).unwrap_err();
        assert!(format!("{error:#}").contains(what), "{what}: {error:#}");
    }
}

/// Of several columns with one name nothing says which is meant; those without a name are not read.
#[test]
fn names_that_occur_twice_are_refused_with_a_way_on() {
    let text = "run,score,note,note\nr0,0.5,x,y\nr1,0.6,x,y\n";
    let message = refused(text, &Columns::default());
    assert!(message.starts_with(":1: column 4: the name `note` occurs twice; rename one of them, or leave both out with --ignore note"), "{message}");
    let ignored = Columns {
        ignored: names(&["note"]),
        ..Columns::default()
    };
    assert_eq!(of(text.as_bytes(), &ignored).unwrap().0.runs.len(), 2);
    // A name may hold a comma.
    let text = "run,\"acc,none\",\"acc_stderr,none\"\nr0,0.5,0.1\nr1,0.6,0.1\n";
    let mapped = Columns {
        renamed: names(&["score=acc", "none"]),
        ignored: names(&["acc_stderr", "none"]),
        ..Columns::default()
    };
    assert_eq!(of(text.as_bytes(), &mapped).unwrap().0.runs.len(), 2);
}

/// The receipt says what a score was taken for, and that a factor that counts from nought may be a list of names.
#[test]
fn the_receipt_says_what_numbers_were_taken_for() {
    let mut text = String::from("run,optimizer_id,lr,score\n");
    for at in 0..20 {
        let _ = writeln!(
            text,
            "r{at},{},{},{}",
            at % 5,
            0.1 + 0.01 * f64::from(at),
            0.5 + 0.01 * f64::from(at * 7 % 11)
        );
    }
    let columns = Columns {
        factors: names(&["optimizer_id", "lr"]),
        ..Columns::default()
    };
    let (_, receipt) = of(text.as_bytes(), &columns).unwrap();
    for part in [
        "`optimizer_id` factor (numbers)",
        "hint: `optimizer_id` counts from 0 to 4 and was taken for a number; if these are names, say --category optimizer_id",
        "more is better (--direction lower says the reverse",
    ] {
        assert!(receipt.contains(part), "{part}: {receipt}");
    }
    assert!(!receipt.contains("`lr` counts"), "{receipt}");
    let category = Columns {
        categories: names(&["optimizer_id"]),
        factors: names(&["lr"]),
        ..Columns::default()
    };
    let (_, receipt) = of(text.as_bytes(), &category).unwrap();
    assert!(
        receipt.contains("`optimizer_id` factor (names)") && !receipt.contains("hint"),
        "{receipt}"
    );
}
