//! One test for each thing that a cell, a row or a level can mean.

use std::fmt::Write as _;
use std::fs;

use super::kinds::{few, names, of, read_file, refused};
use super::reference::Reference;
use super::table::Columns;
use metastable_analysis::factors::table::Scale;
use metastable_analysis::{Outcome, analyze};

#[test]
fn words_for_a_hit_are_those_of_an_answer_and_not_of_a_run() {
    let table = |right: &str, wrong: &str| {
        format!(
            "run,task,query,hit\nr0,x,0,{right}\nr0,x,1,{right}\nr0,x,2,{wrong}\nr0,x,3,{right}\n"
        )
    };
    for (right, wrong) in [
        ("success", "failure"),
        ("correct", "wrong"),
        ("Right", "Incorrect"),
        ("True", "False"),
        ("1", "0"),
    ] {
        let (study, _) = of(table(right, wrong).as_bytes(), &Columns::default()).unwrap();
        let scores = study.runs[0].scores.as_ref().unwrap();
        assert_eq!(scores.accuracies, [0.75], "{right}");
    }
    let message = refused(&table("finished", "crashed"), &Columns::default());
    assert!(
        message.starts_with(":2: column 4 (`hit`): `finished` is not 1 or 0"),
        "{message}"
    );
    let of_runs = "run,score,failed\nr0,0.5,success\nr1,0.6,failure\n";
    let (study, _) = of(of_runs.as_bytes(), &Columns::default()).unwrap();
    assert_eq!(study.runs[0].outcome, Outcome::Completed);
    assert_ne!(study.runs[1].outcome, Outcome::Completed);
}

#[test]
fn percent_and_shares_hold_for_curves_too() {
    let percent = Columns {
        unit: Some(String::from("percent")),
        ..Columns::default()
    };
    let text = "run,step,score\nr0,1,40\nr0,2,60\nr1,1,50\nr1,2,70\n";
    let (study, _) = of(text.as_bytes(), &percent).unwrap();
    let curve: Vec<Option<f64>> = (study.runs[0].history.iter())
        .map(|progress| progress.validation_accuracy)
        .collect();
    assert_eq!(curve, [Some(0.4), Some(0.6)]);
    analyze(&study, &few()).unwrap();
    // The row is named whose own score is outside, whichever step counts.
    for (text, start) in [
        ("run,step,score\nr0,1,0.5\nr0,2,86\n", ":3:"),
        ("run,step,score\nr0,1,86\nr0,2,0.5\n", ":2:"),
    ] {
        let message = refused(text, &Columns::default());
        assert!(
            message.starts_with(&format!(
                "{start} column 3 (`score`): `86` is not a share between 0 and 1"
            )),
            "{message}"
        );
    }
    let message = refused("run,task,score\nr0,x,50\nr0,y,104\n", &percent);
    assert!(
        message.starts_with(":3: column 3 (`score`): `104` is not a percentage between 0 and 100")
            && !message.contains("--unit percent"),
        "{message}"
    );
}

#[test]
fn rows_of_a_list_are_no_lines() {
    let text = r#"[{"run":"r0","task":"a","score":0.5},
        {"run":"r0","task":"b","score":"x"}]"#;
    let message = refused(text, &Columns::default());
    assert!(
        message.starts_with(": row 2: column ") && message.contains("(`score`): `x`"),
        "{message}"
    );
    let (study, _) = of(br#"[{"score": 0.5}, {"score": 0.6}]"#, &Columns::default()).unwrap();
    assert_eq!(study.runs[1].id, "row-2");
}

/// A run that broke off has a mean of some tasks only, which is on no scale; scores of a scale are no shares of hits.
#[test]
fn scores_between_references_have_no_raw_means_and_no_bounds() {
    let text = "run,lr,task,queries,score,failed\nr0,0.1,x,10,5,no\nr0,0.1,y,10,7,no\nr1,0.2,x,10,6,no\n\
        r1,0.2,y,10,8,no\nr2,0.3,x,10,900,yes\nr2,0.3,y,10,,yes\n";
    let columns = Columns {
        factors: names(&["lr"]),
        reference: Reference::parse(&names(&["random=0", "oracle=10"])).unwrap(),
        ..Columns::default()
    };
    let table = of(text.as_bytes(), &columns).unwrap().0.factors.unwrap();
    let first = table.runs[0].response.unwrap();
    assert!((first - 0.6).abs() < 1e-12, "{first}");
    assert_eq!((table.runs[2].response, table.runs[2].failed), (None, true));
    assert!(table.queries.is_none() && table.bounds.is_none());
}

#[test]
fn a_level_with_one_run_decides_and_equal_numbers_do_not() {
    let factors = |list: &[&str]| Columns {
        factors: names(list),
        ..Columns::default()
    };
    let text = "run,optimizer,momentum,score\nr0,sgd,0.9,0.5\nr1,sgd,0.8,0.6\nr2,adam,,0.7\n";
    let (_, receipt) = of(text.as_bytes(), &factors(&["optimizer", "momentum"])).unwrap();
    assert!(
        receipt.contains("`momentum` applies where optimizer = sgd"),
        "{receipt}"
    );
    let text =
        "run,lr,momentum,score\nr0,0.1,0.9,0.5\nr1,0.1,0.8,0.6\nr2,0.2,,0.7\nr3,0.3,0.7,0.8\n";
    let message = refused(text, &factors(&["lr", "momentum"]));
    assert!(
        message.starts_with(":4: column 3 (`momentum`): `` is missing")
            && !message.contains("it has a value where"),
        "{message}"
    );
}

/// An export of a study of two step sizes, two runs each, and a third of the larger that diverged; `settings` are the other lines of
/// the table of that name.
fn exported(settings: &str, learner: fn(usize) -> &'static str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut runs = String::from("run,learner,setting,seed,outcome\n");
    let mut tasks = String::from("run,task,n_way,k_shot,n_query,accuracy,nll\n");
    let mut all = format!("run,role,name,value\n{settings}");
    for at in 0..5 {
        let end = if at == 4 { "diverged" } else { "completed" };
        let _ = writeln!(runs, "r{at},{},s,{at},{end}", learner(at));
        let lr = if at < 2 { "0.01" } else { "0.1" };
        let _ = writeln!(all, "r{at},factor,data.size,14");
        let _ = writeln!(all, "r{at},configuration,learner.outer_steps,12");
        if at < 4 || !settings.contains("hole") {
            let _ = writeln!(all, "r{at},factor,learner.inner_lr,{lr}");
        }
        for task in (0..2).filter(|_| at < 4) {
            let _ = writeln!(tasks, "r{at},{task},3,1,2,0.{}{task},1.0", 5 + at);
        }
    }
    for (name, text) in [("runs", runs), ("tasks", tasks), ("settings", all)] {
        fs::write(folder.path().join(format!("{name}.csv")), text).unwrap();
    }
    folder
}

#[test]
fn an_export_knows_its_factors_and_streams() {
    let table = |settings: &str, learner: fn(usize) -> &'static str, columns: &Columns| {
        let folder = exported(settings, learner);
        let (study, receipt) = read_file(&folder.path().join("tasks.csv"), columns).unwrap();
        let table = study.factors.unwrap();
        table.check().unwrap();
        let factors: Vec<String> = table.factors.iter().map(|it| it.name.clone()).collect();
        assert_eq!(table.runs.len(), 5);
        assert_eq!((table.runs[4].failed, table.runs[4].response), (true, None));
        (factors, table.streams.clone(), receipt, table)
    };
    // A stream `task` is not the list of test tasks, and the size is the same in all runs.
    let streams = "r0,stream,task,0\nr1,stream,task,1\nr2,stream,task,0\nr3,stream,task,1\nr4,stream,task,2\n";
    let (factors, streams, receipt, _) = table(streams, |_| "maml", &Columns::default());
    assert_eq!(factors, ["learner.inner_lr"]);
    assert_eq!(streams, ["task (stream)"]);
    assert!(
        receipt.contains("`task (stream)` stream") && receipt.contains("`data.size` not read"),
        "{receipt}"
    );
    // Two learners are a factor, as in the study's own report; a flag says how a factor is measured.
    let two = |at: usize| ["maml", "protonet"][at % 2];
    let decades = Columns {
        logarithmic: names(&["learner.inner_lr"]),
        ..Columns::default()
    };
    let (factors, streams, _, found) = table("", two, &decades);
    assert_eq!(factors, ["learner", "learner.inner_lr"]);
    assert_eq!(streams, ["seed"]);
    assert!(matches!(found.factors[1].scale, Scale::Logarithmic { .. }));
    // A run that diverged has no row in the table of tasks: no line is named for it.
    let folder = exported("r4,configuration,hole,1\n", |_| "maml");
    let path = folder.path().join("tasks.csv");
    let message = format!("{:#}", read_file(&path, &Columns::default()).unwrap_err());
    assert!(
        message.contains("tasks.csv: a run without a row here: column")
            && message.contains("(`learner.inner_lr`): `` is missing"),
        "{message}"
    );
}
