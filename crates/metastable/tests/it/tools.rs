//! Tables in the shapes that tools write, as a new user tries them: the plain command first, then what its refusal proposes.
//!
//! Made by hand from the documentation of each tool. What is looked at is not only that a report comes, but the number in it.

use std::fmt::Write as _;
use std::fs;

use crate::recipes::words;
use crate::support::{Bench, stderr, stdout};
use crate::tables::report;

/// A shape: file, text, whether the plain command is enough, flags where nothing can propose them, and what the report has to say.
struct Shape {
    file: &'static str,
    text: String,
    is_plain: bool,
    flags: &'static [&'static str],
    says: &'static [&'static str],
}

/// Accuracies of two learners: seeds 0 to 3 of `maml` have a mean of 0.61, of `protonet` 0.71.
const RUNS: [(&str, [f64; 4]); 2] = [
    ("maml", [0.60, 0.62, 0.59, 0.63]),
    ("protonet", [0.70, 0.73, 0.68, 0.73]),
];

fn each(mut line: impl FnMut(&str, usize, f64) -> String) -> String {
    let mut text = String::new();
    for (learner, scores) in RUNS {
        for (seed, score) in scores.into_iter().enumerate() {
            text += &line(learner, seed, score);
        }
    }
    text
}

fn shapes() -> Vec<Shape> {
    let mut at = 0;
    let mut number = move || {
        at += 1;
        at
    };
    let dictionaries = String::from(",summary,config,name\n")
        + &each(|learner, seed, score| {
            format!(
                "{},\"{{'test_acc': {score}, '_runtime': 12.5}}\",\"{{'model': '{learner}', 'seed': {seed}, 'lr': 0.01}}\",{learner}-{seed}\n",
                8
            )
        });
    let mlflow_ui = String::from(
        "Start Time,Duration,Run ID,Name,Source Type,User,Status,model,seed,test_accuracy\n",
    ) + &each(|learner, seed, score| {
        format!(
            "2026-05-01 10:0{seed}:00,31.2s,{learner}{seed}ab,run-{seed},LOCAL,me,FINISHED,{learner},{seed},{score}\n"
        )
    });
    let neptune = String::from(
        "sys/id,sys/state,sys/owner,parameters/model,parameters/seed,metrics/test/acc\n",
    ) + &each(|learner, seed, score| {
        format!("RUN-{learner}-{seed},Inactive,me,{learner},{seed},{score}\n")
    });
    let sacred = each(|learner, seed, score| {
        format!(
            "{{\"_id\": {}, \"status\": \"COMPLETED\", \"config\": {{\"algorithm\": \"{learner}\", \"seed\": {seed}}}, \"result\": {score}}}\n",
            number()
        )
    });
    let trainer = format!(
        "{{\"best_metric\": 0.73, \"log_history\": [{}]}}",
        each(|learner, seed, score| format!(
            "{{\"model\": \"{learner}\", \"seed\": {seed}, \"eval_accuracy\": {score}, \"eval_loss\": 1.0}},"
        ))
        .trim_end_matches(',')
    );
    let lightning = String::from("run,learner,seed,epoch,step,train_loss,val_acc\n")
        + &each(|learner, seed, score| {
            (0..3).fold(String::new(), |all, epoch| {
                let step = 100 * (epoch + 1);
                let val = score - 0.1 * f64::from(2 - epoch);
                all + &format!(
                    "{learner}{seed},{learner},{seed},{epoch},{},1.5,\n{learner}{seed},{learner},{seed},{epoch},{step},,{val:.3}\n",
                    step - 1
                )
            })
        });
    // Rows of episodes by learn2learn's scripts, accuracies as percentages with their sign.
    let episodes = String::from("Algorithm,Seed,Episode,Way,Queries,Accuracy\n")
        + &each(|learner, seed, score| {
            (0..4).fold(String::new(), |all, task| {
                let score = 100.0 * score + 2.0 * f64::from(task) - 3.0;
                all + &format!("{learner},{seed},{task},5,75,{score:.2}%\n")
            })
        });
    let mut rliable = String::from("{");
    for (learner, scores) in RUNS {
        let rows: Vec<String> = scores
            .iter()
            .map(|score| format!("[{:.3}, {:.3}]", score - 0.05, score + 0.05))
            .collect();
        let _ = write!(rliable, "\"{learner}\": [{}],", rows.join(", "));
    }
    let rliable = rliable.trim_end_matches(',').to_owned() + "}";
    // A paper's appendix in Markdown: a row for each run, a column for each data set.
    let paper = String::from(
        "| Method | Seed | miniImageNet | CUB | tieredImageNet |\n| --- | --- | ---: | ---: | ---: |\n",
    ) + &each(|learner, seed, score| {
        let percent = 100.0 * score;
        format!(
            "| {learner} | {seed} | {:.1} | {percent:.1} | {:.1} |\n",
            percent - 5.0,
            percent + 5.0
        )
    });
    let mut dvc = String::from(
        "Experiment,rev,typ,Created,parent,State,executor,metrics.json:acc,params.yaml:model,params.yaml:seed\n",
    );
    dvc += &each(|learner, seed, score| {
        format!(
            "exp-{learner}{seed},ab{seed}c{learner},branch_commit,10:00 AM,,Success,,{score},{learner},{seed}\n"
        )
    });
    let metaworld = String::from("algo;seed;env;success\n")
        + &each(|learner, seed, score| {
            // Of ten environments, as many are solved as the score says.
            (0..10).fold(String::new(), |all, env| {
                let solved = f64::from(env) < (10.0 * score).round();
                all + &format!(
                    "{learner};{seed};env-{env};{}\n",
                    if solved { "True" } else { "False" }
                )
            })
        });
    let openml = String::from("\"\",\"flow\",\"repeat\",\"predictive_accuracy\"\n")
        + &each(|learner, seed, score| {
            format!("\"{}\",\"{learner}\",\"{seed}\",\"{score}\"\n", seed)
        });
    let means: &'static [&'static str] = &["protonet", "71.00", "61.00"];
    let of = |file, text, is_plain, says| Shape {
        file,
        text,
        is_plain,
        flags: &[],
        says,
    };
    vec![
        of("wandb_project.csv", dictionaries, false, means),
        of("mlflow_ui.csv", mlflow_ui, false, means),
        of("neptune.csv", neptune, false, means),
        of("sacred.jsonl", sacred, false, means),
        of("trainer_state.json", trainer, false, means),
        of("lightning_metrics.csv", lightning, false, means),
        of("episodes.csv", episodes, false, means),
        of("rliable.json", rliable, true, means),
        of("dvc_exp.csv", dvc, false, means),
        of("metaworld.csv", metaworld, false, &["protonet", "70.00"]),
        Shape {
            file: "paper.md",
            text: paper,
            is_plain: false,
            flags: &[
                "--wide",
                "miniImageNet,CUB,tieredImageNet",
                "--column",
                "learner=Method",
                "--unit",
                "percent",
            ],
            says: means,
        },
        Shape {
            file: "openml.csv",
            text: openml,
            is_plain: false,
            flags: &[
                "--column",
                "learner=flow,seed=repeat,score=predictive_accuracy",
            ],
            says: means,
        },
    ]
}

#[test]
fn tables_of_tools_are_read_by_what_their_refusal_proposes() {
    let bench = Bench::new(&[]);
    for shape in shapes() {
        let Shape {
            file,
            text,
            is_plain,
            flags,
            says,
        } = shape;
        fs::write(bench.path(file), &text).unwrap();
        let _ = fs::remove_dir_all(bench.path("out"));
        let mut output = bench.run(&["analyze", file, "--out", "out"]);
        assert_eq!(
            output.status.success(),
            is_plain,
            "{file}: {}",
            stderr(&output)
        );
        if !is_plain {
            let said = stderr(&output);
            let mut arguments: Vec<String> = if flags.is_empty() {
                let (_, command) = said
                    .split_once("columns suggest: metastable ")
                    .unwrap_or_else(|| panic!("{file}: {said}"));
                words(command.trim())
            } else {
                let given = ["analyze", file].into_iter().chain(flags.iter().copied());
                given.map(str::to_owned).collect()
            };
            arguments.extend(["--out", "out"].map(String::from));
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            output = bench.run(&arguments);
            assert!(
                output.status.success(),
                "{file}: {arguments:?}: {}",
                stderr(&output)
            );
        }
        let table = stdout(&output);
        for part in says {
            assert!(
                table.contains(part),
                "{file}: {part}: {table}{}",
                stderr(&output)
            );
        }
        // Nine to eleven points apart on every seed: nothing else may be said of them.
        let (markdown, _) = report(&bench);
        if says.len() > 2 {
            assert!(
                markdown.contains("protonet, with 71.00 %"),
                "{file}: {markdown}"
            );
        }
    }
}
