//! The JSON of marl-eval: environments, tasks, algorithms, runs, and evaluations along each run.

use serde_json::{Map, Value};

/// The evaluation of the best weights of a run.
const ABSOLUTE: &str = "absolute_metrics";

/// A row for each run and task, or for each evaluation of it where the file has no absolute metrics: columns `setting`, `task`, `learner`,
/// `seed`, `step`, and one for each metric with its mean over episodes. None if the object is of another kind.
///
/// # Source
/// Gorsane et al. 2022, "Towards a standardised performance evaluation protocol for cooperative MARL", and the README of marl-eval.
pub(super) fn rows(whole: &Map<String, Value>) -> Option<(&'static str, Vec<Map<String, Value>>)> {
    let mut runs: Vec<([&str; 4], &Map<String, Value>)> = Vec::new();
    for (setting, tasks) in whole {
        for (task, learners) in tasks.as_object()? {
            for (learner, seeds) in learners.as_object()? {
                for (seed, run) in seeds.as_object()? {
                    let run = run.as_object()?;
                    let is_evaluation = |key: &String| key == ABSOLUTE || key.starts_with("step_");
                    if run.is_empty() || !run.keys().all(is_evaluation) {
                        return None;
                    }
                    let seed = ["seed_", "run_", "seed", "run"]
                        .iter()
                        .find_map(|front| seed.strip_prefix(front))
                        .filter(|rest| !rest.is_empty())
                        .unwrap_or(seed);
                    runs.push((
                        [setting.as_str(), task.as_str(), learner.as_str(), seed],
                        run,
                    ));
                }
            }
        }
    }
    if runs.is_empty() {
        return None;
    }
    let has_absolute = runs.iter().all(|(_, run)| run.contains_key(ABSOLUTE));
    let mut rows = Vec::new();
    for (names, run) in runs {
        for (key, evaluation) in run {
            if has_absolute != (key == ABSOLUTE) {
                continue;
            }
            rows.push(row(names, key, evaluation.as_object()?)?);
        }
    }
    one_metric_is_the_score(&mut rows);
    let format = if has_absolute {
        "JSON of marl-eval, absolute metrics"
    } else {
        "JSON of marl-eval, evaluations by step"
    };
    Some((format, rows))
}

fn row(names: [&str; 4], key: &str, evaluation: &Map<String, Value>) -> Option<Map<String, Value>> {
    let columns = ["setting", "task", "learner", "seed"];
    let text = |name: &str| Value::String(name.to_owned());
    let named = columns.into_iter().zip(names);
    let mut row: Map<String, Value> = named
        .map(|(column, name)| (column.to_owned(), text(name)))
        .collect();
    for (metric, value) in evaluation {
        match value {
            Value::Array(episodes) => {
                let scores: Option<Vec<f64>> = episodes.iter().map(Value::as_f64).collect();
                let scores = scores.filter(|it| !it.is_empty())?;
                let mean = scores.iter().sum::<f64>() / scores.len() as f64;
                row.insert(metric.clone(), Value::from(mean));
            }
            _ if metric == "step_count" => {
                row.insert(String::from("step"), value.clone());
            }
            Value::Number(_) | Value::Null => {
                row.insert(metric.clone(), value.clone());
            }
            Value::Bool(_) | Value::String(_) | Value::Object(_) => return None,
        }
    }
    if key != ABSOLUTE && !row.contains_key("step") {
        row.insert(String::from("step"), text(key.trim_start_matches("step_")));
    }
    Some(row)
}

/// The only metric of a file needs no flag.
fn one_metric_is_the_score(rows: &mut [Map<String, Value>]) {
    let ours = ["setting", "task", "learner", "seed", "step"];
    let is_metric = |name: &&String| !ours.contains(&name.as_str());
    let mut names: Vec<String> = (rows.iter())
        .flat_map(|row| row.keys().filter(is_metric).cloned())
        .collect();
    names.sort_unstable();
    names.dedup();
    if let [only] = names.as_slice() {
        for row in rows {
            if let Some(score) = row.remove(only) {
                row.insert(String::from("score"), score);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::kinds::{names, of, refused};
    use crate::analyze::table::Columns;

    /// Two algorithms, two seeds, two tasks; the evaluations of a run are `score - 0.1` and `score`.
    fn file(absolute: bool, more: &str) -> String {
        let run = |score: f64| {
            let step = |at: usize, score: f64| {
                format!(
                    "\"step_{at}\": {{\"step_count\": {}, \"return\": [{}, {}]{more}}}",
                    100 * at,
                    score - 0.05,
                    score + 0.05
                )
            };
            let last = if absolute {
                format!(
                    ", \"absolute_metrics\": {{\"return\": [{}]{more}}}",
                    score + 0.1
                )
            } else {
                String::new()
            };
            format!("{{{}, {}{last}}}", step(0, score - 0.1), step(1, score))
        };
        let learner = |score: f64| {
            format!(
                "{{\"seed_0\": {}, \"seed_7\": {}}}",
                run(score),
                run(score + 0.02)
            )
        };
        let task = |score: f64| {
            format!(
                "{{\"QMIX\": {}, \"VDN\": {}}}",
                learner(score),
                learner(score - 0.1)
            )
        };
        format!(
            "{{\"smax\": {{\"3m\": {}, \"8m\": {}}}}}",
            task(0.5),
            task(0.7)
        )
    }

    #[test]
    fn absolute_metrics_count_and_else_the_last_step() {
        for (absolute, expected) in [(true, [0.6, 0.8]), (false, [0.5, 0.7])] {
            let (study, receipt) = of(file(absolute, "").as_bytes(), &Columns::default()).unwrap();
            assert!(receipt.contains("JSON of marl-eval"), "{receipt}");
            assert_eq!(study.runs.len(), 4);
            let run = study
                .runs
                .iter()
                .find(|run| run.learner == "QMIX" && run.seed == 0)
                .unwrap();
            for (score, expected) in run.scores.as_ref().unwrap().accuracies.iter().zip(expected) {
                assert!((score - expected).abs() < 1e-9, "{score}");
            }
            assert!(study.runs.iter().any(|run| run.seed == 7));
        }
        let two = file(true, ", \"win_rate\": [0.5]");
        let message = refused(&two, &Columns::default());
        assert!(
            message.contains("`win_rate`") && message.contains("score=return"),
            "{message}"
        );
        let columns = Columns {
            renamed: names(&["score=win_rate"]),
            ignored: names(&["return"]),
            ..Columns::default()
        };
        assert_eq!(of(two.as_bytes(), &columns).unwrap().0.runs.len(), 4);
    }
}
