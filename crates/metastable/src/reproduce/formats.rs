//! Verdicts as files: CSV, JSON, YAML for a model card, Markdown for an appendix.

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::judge::Row;
use super::sentence;

/// Raised when the meaning of `reproduction.json` changes.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    study: &'a str,
    rows: &'a [Row],
}

/// The names of the files, and what makes each.
pub(super) const FORMATS: [(&str, Make); 4] = [
    ("reproduction.csv", csv),
    ("reproduction.json", json),
    ("reproduction.md", markdown),
    ("model-index.yaml", yaml),
];

/// A file's text from the study's name and its rows.
pub(super) type Make = fn(&str, &[Row]) -> Result<String>;

/// `docs/reproduce.md` says what the fields are.
pub(super) fn json(study: &str, rows: &[Row]) -> Result<String> {
    let document = Document {
        format: FORMAT,
        study,
        rows,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn csv(_: &str, rows: &[Row]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "paper",
        "method",
        "data",
        "way",
        "shot",
        "where",
        "published",
        "plus_minus",
        "plus_minus_is",
        "checked",
        "learner",
        "runs",
        "failed",
        "tasks",
        "mean",
        "lower",
        "upper",
        "seed_sd",
        "difference",
        "difference_lower",
        "difference_upper",
        "margin",
        "verdict",
        "runs_needed",
        "differs",
    ])?;
    for row in rows {
        let (cell, ours, found) = (&row.published, &row.ours, row.comparison.as_ref());
        // Percent and percentage points; an absent number is an empty cell.
        let percent =
            |value: Option<f64>| value.map_or_else(String::new, |it| format!("{:.4}", 100.0 * it));
        let text = |value: Option<String>| value.unwrap_or_default();
        let interval = found.and_then(|it| it.interval.as_ref());
        let kind = serde_json::to_value(cell.plus_minus_is)?;
        let checked = serde_json::to_value(cell.checked)?;
        writer.write_record([
            cell.key.to_owned(),
            cell.method.clone(),
            cell.data.clone(),
            text(cell.way.map(|it| it.to_string())),
            text(cell.shot.map(|it| it.to_string())),
            cell.place.clone(),
            cell.value.to_string(),
            text(cell.plus_minus.as_ref().map(ToString::to_string)),
            kind.as_str().unwrap_or_default().to_owned(),
            checked.as_str().unwrap_or_default().to_owned(),
            ours.learner.clone(),
            ours.runs.to_string(),
            ours.failed.to_string(),
            ours.tasks.to_string(),
            percent(found.map(|it| it.ours)),
            percent(ours.interval.map(|it| it[0])),
            percent(ours.interval.map(|it| it[1])),
            percent(found.and_then(|it| it.seed_sd)),
            percent(found.map(|it| it.difference)),
            percent(interval.map(|it| it.lower)),
            percent(interval.map(|it| it.upper)),
            percent(Some(row.margin)),
            sentence::word(row.verdict).to_owned(),
            text(found.and_then(|it| it.runs_needed).map(|it| it.to_string())),
            row.differs.join("; "),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn markdown(study: &str, rows: &[Row]) -> Result<String> {
    let mut out = format!("# Published numbers beside the runs of `{study}`\n\n");
    out += &rule(rows);
    out += "\n\n| method | data | published | checked | runs | ours, 95 % interval | difference | verdict | beside it |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for row in rows {
        let cell = &row.published;
        let interval = row
            .ours
            .interval
            .map_or_else(String::new, |[lower, upper]| {
                format!(" [{:.2}, {:.2}]", 100.0 * lower, 100.0 * upper)
            });
        let checked = serde_json::to_value(cell.checked)?;
        let cells = [
            row.ours.learner.clone(),
            format!("{} {}", cell.data, cell.shape()),
            format!(
                "{} ({} {}, {})",
                cell.printed(),
                cell.paper.authors,
                cell.paper.year,
                cell.place
            ),
            format!(
                "{}: {}",
                checked.as_str().unwrap_or_default(),
                cell.checked_in
            ),
            row.ours.runs.to_string(),
            sentence::mean(row) + &interval,
            sentence::difference(row),
            sentence::word(row.verdict).to_owned(),
            sentence::reason(row),
        ];
        out += &format!(
            "| {} |\n",
            cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
        );
    }
    let others: Vec<String> = rows.iter().filter_map(reimplementations).collect();
    if !others.is_empty() {
        out += "\nWhat others got for the same cells, in percent:\n\n";
        out += &others.join("\n");
        out.push('\n');
    }
    Ok(out)
}

fn reimplementations(row: &Row) -> Option<String> {
    let cell = &row.published;
    let others: Vec<String> = cell
        .reimplementations
        .iter()
        .map(|other| format!("{} ({})", other.value, other.by))
        .collect();
    let list = others.join(", ");
    (!others.is_empty()).then(|| format!("- {}, {}: {list}", cell.method, cell.shape()))
}

/// The rule in words.
pub(super) fn rule(rows: &[Row]) -> String {
    let (margin, rate) = rows
        .first()
        .map_or((0.0, 0.0), |row| (row.margin, row.error_rate));
    format!(
        "Reproduced: the {:.0} % interval of ours minus published lies within ±{:.2} percentage points. Not reproduced: it lies outside. \
         Undecided: neither. The interval has the uncertainty of both sides. Each of the first two verdicts is wrong in about {:.0} % of \
         comparisons at most, if seeds are about normal. If a protocol is known to differ, the verdict says that instead.",
        100.0 * (1.0 - 2.0 * rate),
        100.0 * margin,
        100.0 * rate
    )
}

/// `model-index` of a model card on the hub, with the interval in `notes`. Strings of JSON are strings of YAML.
fn yaml(_: &str, rows: &[Row]) -> Result<String> {
    let mut out = String::from("model-index:\n");
    let mut named: Vec<(&str, &str)> = Vec::new();
    for row in rows {
        // One entry for each learner of ours in each setting, however many numbers it is compared with.
        let (ours, cell) = (&row.ours, &row.published);
        let key = (ours.learner.as_str(), ours.setting.as_str());
        let comparison = row.comparison.as_ref();
        let Some(found) = comparison.filter(|_| !named.contains(&key)) else {
            continue;
        };
        named.push(key);
        let interval = ours.interval.map_or_else(
            || String::from("one training, no interval"),
            |[lower, upper]| {
                let (lower, upper) = (100.0 * lower, 100.0 * upper);
                format!("95 % interval over trainings and tasks [{lower:.2}, {upper:.2}]")
            },
        );
        let notes = format!(
            "{} trainings, {} test tasks; {interval}. {}",
            ours.runs,
            ours.tasks,
            sentence::sentence(row)
        );
        let (name, task) = (json!(ours.learner), json!(cell.shape()));
        let (data, notes) = (json!(cell.data), json!(notes));
        out += &format!(
            "- name: {name}\n  results:\n  - task:\n      type: few-shot-image-classification\n      name: {task}\n    dataset:\n      type: {data}\n      name: {data}\n    metrics:\n    - type: accuracy\n      value: {:.2}\n      name: \"mean accuracy, %\"\n      notes: {notes}\n",
            100.0 * found.ours
        );
    }
    if named.is_empty() {
        out = String::from("model-index: []\n");
    }
    Ok(out)
}
