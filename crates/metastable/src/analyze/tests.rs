//! Files as users write them, good and bad.

use std::fs;

use anyhow::Result;
use metastable_analysis::factors::table::Scale;
use metastable_analysis::{Options, Run, Study, analyze};

use super::scores::{Runs, scaled, study};
use super::table::{Columns, read};

fn study_of(text: &str, columns: &Columns) -> Result<Study> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    fs::write(&path, text).unwrap();
    let table = read(&path, columns)?;
    let mut runs = Runs::of(&table)?;
    scaled(&table, &mut runs.reads);
    study(&table, runs, &Options::default())
}

fn refused(text: &str, columns: &Columns) -> String {
    let message = format!("{:#}", study_of(text, columns).unwrap_err());
    // Without the folder, which is another each time.
    message
        .split("scores.csv")
        .skip(1)
        .collect::<Vec<_>>()
        .join("scores.csv")
}

fn plain() -> Columns {
    Columns::default()
}

#[test]
fn tasks_are_matched_by_name() {
    let text = "run,setting,task,score\nr0,s,a,0.5\nr0,s,b,0.7\nr1,s,b,0.8\nr1,s,a,0.6\n";
    let study = study_of(text, &plain()).unwrap();
    let of = |run: &Run| run.scores.as_ref().unwrap().accuracies.clone();
    assert_eq!(
        study.runs.iter().map(of).collect::<Vec<_>>(),
        [[0.5, 0.7], [0.6, 0.8]]
    );
    assert!(study.factors.is_none());
    let seeds: Vec<u64> = study.runs.iter().map(|run| run.seed).collect();
    assert_eq!(
        seeds,
        [0, 1],
        "no two runs share a number that the table does not give"
    );
    analyze(
        &study,
        &Options {
            n_resamples: 100,
            ..Options::default()
        },
    )
    .unwrap();
}

#[test]
fn hits_become_accuracies_with_their_number_of_queries() {
    let mut text = String::from("run,learner,seed,task,query,hit\n");
    for (run, task, query) in (0..16).map(|at| (at / 8, at / 4 % 2, at % 4)) {
        text += &format!(
            "r{run},maml,{run},{task},{query},{}\n",
            u8::from(query <= run + task)
        );
    }
    let study = study_of(&text, &plain()).unwrap();
    let scores = study.runs[1].scores.as_ref().unwrap();
    assert_eq!(
        (scores.accuracies.as_slice(), scores.queries_per_task),
        (&[0.5, 0.75][..], Some(4))
    );
    assert_eq!(
        (study.runs[1].learner.as_str(), study.runs[1].seed),
        ("maml", 1)
    );
}

#[test]
fn factors_and_streams_become_a_factor_table() {
    let text = "run,inner_lr,norm,init,score,failed\nr0,0.01,batch,a,0.5,no\nr1,0.1,none,a,0.7,no\nr2,1,batch,b,,yes\n";
    let columns = Columns {
        factors: vec!["norm".into()],
        logarithmic: vec!["inner_lr".into()],
        streams: vec!["init".into()],
        ..plain()
    };
    let study = study_of(text, &columns).unwrap();
    assert!(study.runs.is_empty());
    let table = study.factors.unwrap();
    table.check().unwrap();
    assert_eq!(
        table.factors[1].scale,
        Scale::Logarithmic {
            low: 0.01,
            high: 1.0
        }
    );
    assert_eq!(
        table.factors[0].scale,
        Scale::Categories(vec!["batch".into(), "none".into()])
    );
    assert_eq!(table.runs[2].levels, [0.0, 1.0]);
    assert_eq!((table.runs[2].response, table.runs[2].failed), (None, true));
    assert_eq!(
        (table.runs[1].response, table.runs[1].failed),
        (Some(0.7), false)
    );
}

#[test]
fn streams_alone_give_both_families() {
    let mut text = String::from("run,task,score,split,init\n");
    for (split, init, task) in (0..12).map(|at| (at / 6, at / 3 % 2, at % 3)) {
        text += &format!(
            "r{split}{init},{task},0.{}{task},{split},{init}\n",
            5 + split
        );
    }
    let columns = Columns {
        streams: vec!["split".into(), "init".into()],
        ..plain()
    };
    let study = study_of(&text, &columns).unwrap();
    assert_eq!(
        (study.runs.len(), study.factors.as_ref().unwrap().runs.len()),
        (4, 4)
    );
    let response = study.factors.unwrap().runs[0].response.unwrap();
    assert!((response - 0.51).abs() < 1e-12, "{response}");
}

#[test]
fn refusals_say_line_and_column() {
    let check = |text: &str, expected: &str| {
        let message = refused(text, &plain());
        assert!(message.starts_with(expected), "{message}");
    };
    check(
        "run,task,score\nr0,a,0.5\nr0,b,zero\n",
        ":3: column 3 (`score`): `zero` is not a finite number",
    );
    check(
        "run,task,score\nr0,a,93.5\n",
        ":2: column 3 (`score`): `93.5` is not a share between 0 and 1",
    );
    check(
        "run,task,score\nr0,a,0.5\nr0,a,0.6\n",
        ":3: column 2 (`task`): `a` occurs twice for run `r0`, first in line 2",
    );
    check(
        "run,task,score\nr0,a,0.5\nr0,,0.6\n",
        ":3: column 2 (`task`): `` is empty",
    );
    check(
        "run,task,query,hit\nr0,a,0,2\n",
        ":2: column 4 (`hit`): `2` is not 1 or 0",
    );
    check(
        "run,task,score,seed\nr0,a,0.5,1\nr0,b,0.5,2\n",
        ":3: column 4 (`seed`): `2` differs within run `r0`: line 2 has `1`",
    );
    check(
        "run,task,lr,score\nr0,a,0.1,0.5\n",
        ":1: column 3 (`lr`) is not known; say what it is with --factor, --log, --stream, --fingerprint or --ignore lr",
    );
    check(
        "run,task,score,score\nr0,a,0.5,0.5\n",
        ":1: column 4: the name `score` occurs twice",
    );
    check("run,task,score\n", ": no row below the header");
    check(
        "run,task\nr0,a\n",
        ":1: expected one of the columns `score`",
    );
    let short = refused("run,task,score\nr0,a\n", &plain());
    assert!(
        short.starts_with(":2: 2 cells, and the header has 3"),
        "{short}"
    );
    let flag = Columns {
        factors: vec!["inner_rl".into()],
        ..plain()
    };
    let message = format!(
        "{:#}",
        study_of("run,score,inner_lr\nr0,0.5,0.1\n", &flag).unwrap_err()
    );
    assert!(
        message.contains("--factor inner_rl") && message.contains("inner_lr"),
        "{message}"
    );
    let log = Columns {
        logarithmic: vec!["lr".into()],
        ..plain()
    };
    let message = refused("run,score,lr\nr0,0.5,0\nr1,0.5,1\n", &log);
    assert!(
        message.starts_with(":2: column 3 (`lr`): `0` has no place on a logarithmic scale"),
        "{message}"
    );
}

#[test]
fn runs_that_were_made_differently_are_refused_by_field() {
    let text = "run,task,score,data\nr0,a,0.5,x\nr0,b,0.7,x\nr1,a,0.8,y\nr1,b,0.6,y\n";
    let columns = Columns {
        fingerprint: vec![String::from("data")],
        ..plain()
    };
    let study = study_of(text, &columns).unwrap();
    let message = analyze(&study, &Options::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("runs `r0` and `r1` differ in `data` (x against y)"),
        "{message}"
    );
    let within = refused("run,task,score,data\nr0,a,0.5,x\nr0,b,0.7,y\n", &columns);
    assert!(within.contains("differs within run `r0`"), "{within}");
}
