//! Kinds of tables that people bring, through the program as a user runs it.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::recipes::words;
use crate::support::{Bench, stderr, stdout};

/// What the program said on a table: stdout and stderr together, with exit code 0.
pub(crate) fn read(bench: &Bench, name: &str, text: &str, flags: &[&str]) -> String {
    fs::write(bench.path(name), text).unwrap();
    let mut arguments = vec!["analyze", name, "--out", "out"];
    arguments.extend(flags);
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{flags:?}: {}", stderr(&output));
    stdout(&output) + &stderr(&output)
}

pub(crate) fn report(bench: &Bench) -> (String, Value) {
    let text = fs::read_to_string(bench.path("out/report.md")).unwrap();
    let json = fs::read(bench.path("out/report.json")).unwrap();
    (
        text.replace('\\', ""),
        serde_json::from_slice(&json).unwrap(),
    )
}

/// Two learners, 4 shared seeds, 3 tasks; `b` is `gap` above `a` on every task, but for a wobble by seed.
fn two(gap: f64, scale: f64) -> String {
    let mut text = String::from("learner,seed,task,score\n");
    for (learner, seed, task) in (0..24).map(|at| (at / 12, at / 3 % 4, at % 3)) {
        let wobble = [0.3, -0.2, 0.1, -0.2][seed] * if learner == 1 { 1.0 } else { 0.5 };
        let score = scale * (task as f64 + wobble + gap * learner as f64);
        let _ = writeln!(text, "{},{seed},t{task},{score}", ["a", "b"][learner]);
    }
    text
}

/// Differences by seed: 2 + 0.15, 2 - 0.1, 2 + 0.05, 2 - 0.1, all times 100: mean 200, and no task differs from another.
#[test]
fn returns_are_reported_in_their_own_unit() {
    let bench = Bench::new(&[]);
    read(&bench, "t.csv", &two(2.0, 100.0), &["--unit", "return"]);
    let (text, json) = report(&bench);
    assert!(
        text.contains("b, with 300.0. Behind: a by 200.0 ["),
        "{text}"
    );
    assert!(
        text.contains(
            "| learner | return [seed CI] | next [one more training] | seed SD [CI] | failed runs |"
        ),
        "{text}"
    );
    assert!(
        !text.contains("accurac") && !text.contains(" pp") && !text.contains("CVaR10, %"),
        "{text}"
    );
    let difference =
        &json["settings"][0]["all"]["comparisons"]["pairs"][0]["paired"]["difference"]["value"];
    assert!(
        (difference.as_f64().unwrap() + 200.0).abs() < 1e-9,
        "{difference}"
    );
}

#[test]
fn of_a_loss_the_lower_is_better() {
    let bench = Bench::new(&[]);
    read(
        &bench,
        "t.csv",
        &two(2.0, 1.0),
        &["--unit", "loss", "--direction", "lower"],
    );
    let (text, _) = report(&bench);
    assert!(
        text.contains("a, with 1.000. Behind: b by 2.00 ["),
        "{text}"
    );
    assert!(text.contains("a is better than b in mean loss"), "{text}");
    assert!(text.contains("a has the lower mean on 100 %"), "{text}");
    // Means are printed as they were given, with the smaller end first.
    assert!(text.contains("| a | 1.000 [0.805, 1.19] |"), "{text}");
}

/// With random at 0 and oracle at 4 on each task, a score s is s/4: a's mean is 1/4, b's 3/4.
#[test]
fn scores_between_two_references_are_normalised_by_task() {
    let bench = Bench::new(&[]);
    read(
        &bench,
        "t.csv",
        &two(2.0, 1.0),
        &["--reference", "random=0,oracle=4"],
    );
    let (text, _) = report(&bench);
    assert!(
        text.contains("b, with 0.750. Behind: a by 0.500 ["),
        "{text}"
    );
    // Learners of the table as references: they define the ends, and leave the comparison.
    let mut with = two(2.0, 1.0);
    for seed in 0..2 {
        for task in 0..3 {
            let _ = writeln!(
                with,
                "floor,{seed},t{task},{task}\nceiling,{seed},t{task},{}",
                task + 4
            );
        }
    }
    read(
        &bench,
        "t.csv",
        &with,
        &["--reference", "random=floor,oracle=ceiling"],
    );
    let (text, json) = report(&bench);
    assert!(
        text.contains("b, with 0.500. Behind: a by 0.500 ["),
        "{text}"
    );
    assert_eq!(json["settings"][0]["learners"].as_array().unwrap().len(), 2);
    bench.refuses(
        &[
            "analyze",
            "t.csv",
            "--reference",
            "random=flor,oracle=ceiling",
        ],
        &["random=flor", "floor"],
    );
    bench.refuses(
        &["analyze", "t.csv", "--reference", "random=1"],
        &["expected both"],
    );
}

/// What the refusal of scores off 0..1 proposes is what works.
#[test]
fn a_scale_that_is_not_said_is_asked_for() {
    let bench = Bench::new(&[]);
    fs::write(bench.path("t.csv"), two(2.0, 100.0)).unwrap();
    bench.refuses(
        &["analyze", "t.csv"],
        &[
            "t.csv:2: column 4 (`score`)",
            "--unit percent",
            "--unit return",
            "--direction lower",
        ],
    );
}

/// y = 2 momentum for sgd alone, and 2.5 for adam: against the mean of sgd, 2 * 0.69, adam is 1.12 above; no run of adam has a momentum.
#[test]
fn a_setting_that_does_not_apply_counts_where_it_does() {
    let bench = Bench::new(&[]);
    let mut text = String::from("optimizer,lr,momentum,score\n");
    for at in 0..40 {
        let noise = f64::from(at * 7 % 11) / 500.0;
        let momentum = 0.5 + f64::from(at / 2 * 7 % 20) / 50.0;
        let lr = f64::from(1 + at * 13 % 40) / 100.0;
        let _ = if at % 2 == 0 {
            writeln!(text, "sgd,{lr},{momentum},{}", 2.0 * momentum + noise)
        } else {
            writeln!(text, "adam,{lr},,{}", 2.5 + noise)
        };
    }
    let factors = [
        "--factor",
        "optimizer,momentum",
        "--log",
        "lr",
        "--unit",
        "score",
    ];
    let said = read(&bench, "t.csv", &text, &factors);
    assert!(
        said.contains("`momentum` applies where optimizer = sgd"),
        "{said}"
    );
    let (found, _) = report(&bench);
    assert!(
        found.contains("momentum (optimizer = sgd) moves the mean"),
        "{found}"
    );
    assert!(found.contains("optimizer moves the mean: +1.12"), "{found}");
    // `nan` says the same, and the deciding column has to be a factor.
    read(&bench, "t.csv", &text.replace(",,", ",nan,"), &factors);
    bench.refuses(
        &[
            "analyze",
            "t.csv",
            "--factor",
            "momentum",
            "--ignore",
            "optimizer,lr",
        ],
        &[
            "t.csv:3",
            "it has a value where optimizer = sgd",
            "name `optimizer` as a factor too",
        ],
    );
    // A hole is no condition: the first run of sgd has none, and the others do.
    let hole = text.replacen("sgd,0.01,0.5,", "sgd,0.01,,", 1);
    assert_ne!(hole, text);
    fs::write(bench.path("t.csv"), hole).unwrap();
    bench.refuses(
        &[
            "analyze",
            "t.csv",
            "--factor",
            "optimizer,momentum",
            "--log",
            "lr",
        ],
        &["t.csv:2: column 3 (`momentum`)", "--category momentum"],
    );
}

/// Splitmix64 (Steele, Lea and Flood 2014): numbers that do not follow each other.
fn mixed(at: u64) -> u64 {
    let mut z = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn tasks_of_a_runs_own_are_known_by_what_they_are() {
    let bench = Bench::new(&[]);
    let table =
        |name: &dyn Fn(usize, usize) -> String, way: &dyn Fn(usize, usize) -> usize, hard: bool| {
            let mut text = String::from("learner,seed,task,way,score\n");
            for (learner, seed, task) in (0..240).map(|at| (at / 120, at / 30 % 4, at % 30)) {
                let run = 4 * learner + seed;
                let own = mixed((100 * run + task) as u64) % 101;
                let ease = if hard { task * 3 } else { 0 };
                let score = 0.4 + 0.004 * ease as f64 + 0.001 * own as f64;
                let _ = writeln!(
                    text,
                    "l{learner},{seed},{},{},{score}",
                    name(run, task),
                    way(run, task)
                );
            }
            text
        };
    let same = |_: usize, task: usize| task.to_string();
    let five = |_: usize, _: usize| 5;
    // Names of their own.
    let said = read(
        &bench,
        "t.csv",
        &table(&|run, task| format!("{run}/{task}"), &five, true),
        &[],
    );
    assert!(
        said.contains("no task occurs in two runs") && said.contains("4 × 1"),
        "{said}"
    );
    // Names alike, sizes not.
    let said = read(
        &bench,
        "t.csv",
        &table(&same, &|run, task| 5 + (run + task) % 3, true),
        &[],
    );
    assert!(
        said.contains("task `0` has another `way`") && said.contains("4 × 1"),
        "{said}"
    );
    // Names alike, and runs agree on which are hard: shared, without a word.
    let said = read(&bench, "t.csv", &table(&same, &five, true), &[]);
    assert!(
        said.contains("4 × 30") && !said.contains("--own-tasks"),
        "{said}"
    );
    // Numbers alike, and no agreement: shared as far as the names say, but not without a word.
    let said = read(&bench, "t.csv", &table(&same, &five, false), &[]);
    assert!(
        said.contains("4 × 30")
            && said.contains("no more than chance")
            && said.contains("--own-tasks"),
        "{said}"
    );
    let said = read(
        &bench,
        "t.csv",
        &table(&same, &five, false),
        &["--own-tasks"],
    );
    assert!(said.contains("4 × 1"), "{said}");
}

/// Each split has its own tasks, shared by the runs of the split.
#[test]
fn streams_with_tasks_by_split_are_analysed_by_means() {
    let bench = Bench::new(&[]);
    let mut text = String::from("run,split,init,task,score\n");
    for (split, init, task) in (0..64).map(|at| (at / 16, at / 4 % 4, at % 4)) {
        let score =
            0.5 + 0.05 * f64::from(split) + 0.01 * f64::from(init * 3 % 4) + 0.03 * f64::from(task);
        let _ = writeln!(
            text,
            "s{split}i{init},{split},{init},{split}-{task},{score}"
        );
    }
    let said = read(&bench, "t.csv", &text, &["--stream", "split,init"]);
    assert!(
        said.contains("fall into 4 groups without a common task"),
        "{said}"
    );
    let (text, _) = report(&bench);
    assert!(text.contains("split") && text.contains("16 × 1"), "{text}");
    // What the sources do is the first finding, and the answer to what makes it unstable.
    assert!(
        text.contains("\n1. Of the sources varied alone, split")
            && !text.contains("No setting was varied"),
        "{text}"
    );
}

/// The run that lacks a task counts with its mean as if it had been there: a's tasks are 0, 0.02 and 0.04 apart from its wobble, so the hole
/// in the middle takes nothing from its mean.
#[test]
fn incomplete_tables_name_the_hole_and_the_way_on() {
    let bench = Bench::new(&[]);
    let whole = two(0.1, 0.2).replace('-', "");
    let hole = whole
        .replacen("a,2,t1,", "a,2,t9,", 1)
        .lines()
        .filter(|line| !line.contains("t9"))
        .collect::<Vec<_>>()
        .join("\n");
    let all = read(&bench, "t.csv", &whole, &[]);
    let said = read(&bench, "t.csv", &hole, &[]);
    for part in ["a/seed-2`", "lacks task `t1`", "--common-tasks", "2 of 3"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("4 × 3"), "{said}");
    let mean = |said: &str| -> f64 {
        let row = said.lines().find(|line| line.starts_with("a ")).unwrap();
        row.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    // What is left is the hole's own wobble, of at most 1.2 pp, in a mean of twelve.
    assert!((mean(&all) - mean(&said)).abs() < 0.11, "{all}{said}");
    let said = read(&bench, "t.csv", &hole, &["--common-tasks"]);
    assert!(
        said.contains("incomplete, 2 of 3") && said.contains("4 × 2"),
        "{said}"
    );
}

#[test]
fn curves_count_by_their_last_step_and_are_drawn() {
    let bench = Bench::new(&[]);
    let mut text = String::from("learner,seed,step,score,way\n");
    for (learner, seed, step) in (0..60).map(|at| (at / 30, at / 10 % 3, at % 10)) {
        // Later steps first: the order of rows says nothing.
        let step = 9 - step;
        let score =
            0.2 + 0.05 * f64::from(step) + 0.03 * f64::from(learner) + 0.002 * f64::from(seed);
        let _ = writeln!(text, "l{learner},{seed},{},{score},5", 100 * step);
    }
    let said = read(&bench, "t.csv", &text, &[]);
    // 0.2 + 0.45 + 0.002 for the mean seed.
    assert!(
        said.contains("65.20") && said.contains("68.20") && said.contains("steps to threshold"),
        "{said}"
    );
    let shorter: String = text
        .lines()
        .filter(|line| !line.starts_with("l1,2,900"))
        .fold(String::new(), |all, line| all + line + "\n");
    let said = read(&bench, "t.csv", &shorter, &[]);
    assert!(
        said.contains("warning: the score of a run is that of its last step")
            && said.contains("800"),
        "{said}"
    );
    let twice = text.clone() + "l0,0,100,0.5,5\n";
    fs::write(bench.path("t.csv"), twice).unwrap();
    bench.refuses(
        &["analyze", "t.csv"],
        &["t.csv:62", "(`step`)", "occurs twice"],
    );
}

#[test]
fn names_of_ours_can_be_settings() {
    let bench = Bench::new(&[]);
    let mut text = String::from("task,way,seed,score\n");
    for (task, way, seed) in (0..96).map(|at| (at / 16, at / 8 % 2, at % 8)) {
        let score = 0.9 - 0.2 * f64::from(way) + 0.003 * f64::from((seed * 5 + task) % 7);
        let _ = writeln!(
            text,
            "{},{},{seed},{score}",
            ["u", "v", "w", "x", "y", "z"][task as usize],
            5 + 15 * way
        );
    }
    let said = read(
        &bench,
        "t.csv",
        &text,
        &["--factor", "task,way", "--stream", "seed"],
    );
    assert!(
        said.contains("`task` factor (names); `way` factor (numbers); `seed` stream"),
        "{said}"
    );
    let (text, _) = report(&bench);
    assert!(text.contains("way moves the mean"), "{text}");
}

#[test]
fn copies_and_shared_seeds_are_in_the_receipt() {
    let bench = Bench::new(&[]);
    let text = "learner,seed,score\na,0,0.5\na,1,0.5\na,2,0.5\nb,1,0.61\nb,2,0.6\nb,3,0.64\n";
    let said = read(&bench, "t.csv", text, &[]);
    assert!(
        said.contains("have equal scores on every task; equal runs are not seeds"),
        "{said}"
    );
    assert!(
        said.contains("seeds: 4, 2 shared by all learners")
            && said.contains("also by the means of all their runs"),
        "{said}"
    );
    for left_out in [
        "the tail", "`way`", "`failed`", "--stream", "--factor", "`step`",
    ] {
        assert!(
            said.lines()
                .any(|line| line.starts_with("left out: ") && line.contains(left_out)),
            "{left_out}: {said}"
        );
    }
    // Sentences of the report do not take a missing column for missing runs.
    let (text, _) = report(&bench);
    assert!(
        !text.contains("No run reached its test")
            && !text.contains("No learner has two tested runs, so their"),
        "{text}"
    );
    assert!(
        text.contains("More runs of a tell nothing as long as all runs are equal"),
        "{text}"
    );
    // Where all runs are equal nothing is said of another training.
    let copies = "learner,seed,task,score\n".to_owned()
        + &(0..12).fold(String::new(), |all, at| {
            all + &format!(
                "a,{},t{},{}\n",
                at / 4,
                at % 4,
                0.5 + 0.1 * f64::from(at % 4)
            )
        });
    read(&bench, "t.csv", &copies, &[]);
    let (text, _) = report(&bench);
    assert!(
        text.contains("The runs of a have the same mean")
            && !text.contains("would settle the seed spread"),
        "{text}"
    );
    assert!(
        text.contains(
            "| a | 65.00 | ± 12.65 | needs two runs that differ | needs two runs that differ |"
        ),
        "{text}"
    );
}

/// The same numbers in every way that a file can have them.
#[test]
fn formats_do_not_change_a_report() {
    let bench = Bench::new(&[]);
    let text = two(0.2, 0.2).replace('-', "");
    read(&bench, "t.csv", &text, &[]);
    let expected = report(&bench).1["settings"].clone();
    fs::remove_dir_all(bench.path("out")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let json = |row: &Vec<&str>| {
        format!(
            "{{\"learner\": \"{}\", \"seed\": {}, \"task\": \"{}\", \"of\": {{\"score\": {}}}}}",
            row[0], row[1], row[2], row[3]
        )
    };
    let objects: Vec<String> = rows[1..].iter().map(json).collect();
    let excel = format!(
        "\u{feff}sep=;\n{}",
        text.replace(',', ";").replace('.', ",")
    )
    .replace('\n', "\r\n");
    let long =
        text.replace("score\n", "value,metric\n")
            .lines()
            .fold(String::new(), |all, line| {
                if line.starts_with("learner") {
                    all + line + "\n"
                } else {
                    all + line + ",acc\n" + line + "9,f1\n"
                }
            });
    let cases: [(&str, String, &[&str]); 4] = [
        (
            "t.jsonl",
            objects.join("\n"),
            &["--column", "score=of.score"],
        ),
        (
            "t.json",
            format!("[{}]", objects.join(",\n")),
            &["--column", "score=of.score"],
        ),
        ("excel.csv", excel, &[]),
        (
            "long.csv",
            long,
            &["--where", "metric=acc", "--column", "score=value"],
        ),
    ];
    for (name, text, flags) in cases {
        read(&bench, name, &text, flags);
        assert_eq!(report(&bench).1["settings"], expected, "{name}");
        fs::remove_dir_all(bench.path("out")).unwrap();
    }
}

/// Rows that are left out, columns that are tasks, and the unit stay said in the command that is proposed.
#[test]
fn a_proposed_command_keeps_what_was_given() {
    let bench = Bench::new(&[]);
    let mut text = String::from("agent,seed,gpu,metric,Alien,Pong\n");
    for (agent, seed) in (0..4).map(|at| (at / 2, at % 2)) {
        let (name, gpu) = [("a", "x"), ("b", "y")][agent];
        let (alien, pong) = (100 + 10 * seed - 20 * agent, 20 + 2 * seed + 5 * agent);
        let _ = writeln!(text, "{name},{seed},{gpu},acc,{alien},{pong}");
        let _ = writeln!(text, "{name},{seed},{gpu},f1,1,1");
    }
    fs::write(bench.path("t.csv"), text).unwrap();
    let given = [
        ("--where", "metric=acc"),
        ("--wide", "Alien,Pong"),
        ("--unit", "return"),
    ];
    let mut arguments = vec!["analyze", "t.csv"];
    arguments.extend(given.iter().flat_map(|(flag, value)| [*flag, *value]));
    let output = bench.run(&arguments);
    assert!(!output.status.success());
    let said = stderr(&output);
    let (_, command) = said.split_once("columns suggest: metastable ").unwrap();
    let mut arguments = words(command.trim());
    for (flag, value) in given {
        let times = arguments.iter().filter(|it| *it == flag).count();
        let at = arguments.iter().position(|it| it == flag).unwrap();
        assert_eq!((times, arguments[at + 1].as_str()), (1, value), "{command}");
    }
    arguments.extend(["--out", "out"].map(String::from));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{command}: {}", stderr(&output));
    let (text, _) = report(&bench);
    assert!(text.contains("return"), "{text}");
}
