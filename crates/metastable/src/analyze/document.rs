//! One JSON object that holds a table: by columns, by rows, as a list within it, or as scores below names.

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::lines::{counted, of_rows};
use super::marl;
use super::sheet::Sheet;

/// A row for each entry of the table, whichever way it is written:
/// - `{"columns": [...], "data": [[...], ...]}`, pandas' `orient="split"`;
/// - `{"a": [1, 2], "b": [3, 4]}`, a list for each column;
/// - `{"a": {"0": 1, "1": 2}, ...}`, pandas' own way, or `{"run": {"a": 1, "b": 2}, ...}`, an object for each row;
/// - marl-eval's evaluations, see [`marl`];
/// - `{"results": [{...}, {...}], ...}`, one list of objects among other things;
/// - `{"learner": {"task": [scores by seed]}}` or `{"learner": [[scores by task], ...]}` (a list for each run), scores below names;
/// - else one row.
pub(super) fn sheet(file: &str, whole: Map<String, Value>) -> Result<Sheet> {
    if let (Some(Value::Array(columns)), Some(Value::Array(data))) =
        (whole.get("columns"), whole.get("data"))
        && data.iter().all(Value::is_array)
    {
        return split(file, columns, data);
    }
    if let Some((what, rows)) = marl::rows(&whole) {
        return Ok(counted(what, rows));
    }
    if let Some(rows) = by_column(&whole) {
        return Ok(counted("JSON, a list for each column", rows));
    }
    if let Some((what, rows)) = by_object(&whole) {
        return Ok(counted(what, rows));
    }
    let lists: Vec<(&String, &Vec<Value>)> = (whole.iter())
        .filter_map(|(name, value)| Some((name, value.as_array()?)))
        .filter(|(_, rows)| !rows.is_empty() && rows.iter().all(Value::is_object))
        .collect();
    match lists.as_slice() {
        [(name, rows)] => {
            let objects = rows.iter().filter_map(|row| row.as_object().cloned());
            return Ok(counted(
                &format!("JSON, the list `{name}`"),
                objects.collect(),
            ));
        }
        [] => {}
        many => {
            let names: Vec<String> = many.iter().map(|(name, _)| format!("`{name}`")).collect();
            bail!(
                "{file}: {} are lists of rows, and a table is one list; write one of them alone (jq .{})",
                names.join(" and "),
                many[0].0
            );
        }
    }
    if let Some((format, rows)) = below_names(&whole) {
        return Ok(counted(format, rows));
    }
    Ok(of_rows("JSON lines", vec![(1, whole)]))
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn split(file: &str, columns: &[Value], data: &[Value]) -> Result<Sheet> {
    let name = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let names: Vec<String> = columns.iter().map(name).collect();
    let mut rows = Vec::new();
    for (at, row) in data.iter().filter_map(Value::as_array).enumerate() {
        if row.len() != names.len() {
            bail!(
                "{file}: row {}: {} values, and `columns` names {}",
                at + 1,
                row.len(),
                names.len()
            );
        }
        rows.push(names.iter().cloned().zip(row.iter().cloned()).collect());
    }
    let mut sheet = counted("JSON, columns and data", rows);
    if sheet.header.is_empty() {
        sheet.header = names;
    }
    Ok(sheet)
}

/// A list of values for each column, all of one length.
fn by_column(whole: &Map<String, Value>) -> Option<Vec<Map<String, Value>>> {
    let mut lists = Vec::new();
    for (name, value) in whole {
        let list = value.as_array()?;
        lists.push((name, list));
    }
    let n = lists.first()?.1.len();
    let fits = |list: &Vec<Value>| list.len() == n && list.iter().all(is_scalar);
    // A single list of numbers is a learner's scores, not a column.
    let is_table = lists.len() > 1 && n > 0 && lists.iter().all(|(_, list)| fits(list));
    // So are lists of numbers alone, unless one is called what a column is called.
    let names = lists.iter().any(|(name, list)| {
        list.iter().any(Value::is_string) || super::own::KNOWN.contains(&name.as_str())
    });
    let row = |at: usize| -> Map<String, Value> {
        let cells = lists
            .iter()
            .map(|(name, list)| ((*name).clone(), list[at].clone()));
        cells.collect()
    };
    (is_table && names).then(|| (0..n).map(row).collect())
}

/// An object for each column, with the same keys; or one for each row.
fn by_object(whole: &Map<String, Value>) -> Option<(&'static str, Vec<Map<String, Value>>)> {
    let mut objects = Vec::new();
    for (name, value) in whole {
        let object = value.as_object()?;
        if object.is_empty() || !object.values().all(is_scalar) {
            return None;
        }
        objects.push((name, object));
    }
    let first = objects.first()?.1;
    let are_alike =
        (objects.iter()).all(|(_, it)| it.len() == first.len() && it.keys().eq(first.keys()));
    let are_counted = first.keys().all(|key| key.parse::<u64>().is_ok());
    if are_counted {
        if !are_alike {
            return None;
        }
        let mut keys: Vec<&String> = first.keys().collect();
        keys.sort_by_key(|key| key.parse::<u64>().unwrap_or(u64::MAX));
        let row = |key: &&String| -> Map<String, Value> {
            let cells = objects
                .iter()
                .map(|(name, it)| ((*name).clone(), it[*key].clone()));
            cells.collect()
        };
        return Some((
            "JSON, an object for each column",
            keys.iter().map(row).collect(),
        ));
    }
    // Numbers alone are scores below names; a row says something of itself.
    let has_words = objects
        .iter()
        .any(|(_, it)| it.values().any(Value::is_string));
    let has_score = objects.iter().all(|(_, it)| it.contains_key("score"));
    if objects.len() < 2 || !(has_words || has_score) {
        return None;
    }
    let row = |(name, it): &(&String, &Map<String, Value>)| -> Map<String, Value> {
        let mut row = (*it).clone();
        if !row.contains_key("run") {
            row.insert(String::from("run"), Value::String((*name).clone()));
        }
        row
    };
    Some((
        "JSON, an object for each row",
        objects.iter().map(row).collect(),
    ))
}

/// Scores below names: numbers at one depth of two or three, the last one or two of which are lists.
fn below_names(whole: &Map<String, Value>) -> Option<(&'static str, Vec<Map<String, Value>>)> {
    let mut shape: Option<Vec<bool>> = None;
    let mut rows = Vec::new();
    let is_one = walk(
        &Value::Object(whole.clone()),
        &mut Vec::new(),
        &mut Vec::new(),
        &mut shape,
        &mut rows,
    );
    let shape = shape.filter(|_| is_one)?;
    // Whether each level is a list.
    let (format, names): (&str, &[&str]) = match shape.as_slice() {
        [false, true] => (
            "JSON, a list of runs for each learner",
            &["learner", "seed"],
        ),
        [false, false] => (
            "JSON, a score for each learner and task",
            &["learner", "task"],
        ),
        [false, true, true] => (
            "JSON, runs by tasks for each learner",
            &["learner", "seed", "task"],
        ),
        [false, false, true] => (
            "JSON, a list of runs for each learner and task",
            &["learner", "task", "seed"],
        ),
        _ => return None,
    };
    let rows = rows.into_iter().map(|(path, score)| {
        let mut row: Map<String, Value> = names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(path.into_iter().map(Value::String))
            .collect();
        row.insert(String::from("score"), score);
        row
    });
    Some((format, rows.collect()))
}

/// Walks down to the numbers; no, if they lie at different depths, or something else is there.
fn walk(
    value: &Value,
    path: &mut Vec<String>,
    lists: &mut Vec<bool>,
    shape: &mut Option<Vec<bool>>,
    rows: &mut Vec<(Vec<String>, Value)>,
) -> bool {
    let mut down = |key: String, is_list: bool, value: &Value| {
        path.push(key);
        lists.push(is_list);
        let is_one = walk(value, path, lists, shape, rows);
        path.pop();
        lists.pop();
        is_one
    };
    match value {
        Value::Object(inner) => {
            !inner.is_empty()
                && inner
                    .iter()
                    .all(|(key, value)| down(key.clone(), false, value))
        }
        Value::Array(inner) => {
            !inner.is_empty()
                && (inner.iter().enumerate()).all(|(at, value)| down(at.to_string(), true, value))
        }
        Value::Number(_) | Value::Null => {
            rows.push((path.clone(), value.clone()));
            shape.get_or_insert_with(|| lists.clone()) == lists
        }
        Value::Bool(_) | Value::String(_) => false,
    }
}
