//! Wide tables: a row for each run, a column for each task.

use anyhow::{Result, bail};

use super::sheet::Sheet;

/// The same table with a row for each task: columns whose names begin with `prefix` become `task` and `score`.
pub(super) fn lengthened(file: &str, sheet: &Sheet, prefix: &str) -> Result<Sheet> {
    let is_task = |name: &String| name.starts_with(prefix);
    let (tasks, kept): (Vec<usize>, Vec<usize>) =
        (0..sheet.header.len()).partition(|at| is_task(&sheet.header[*at]));
    if tasks.len() < 2 {
        bail!(
            "--wide {prefix}: {file} has {} columns whose name begins so, and a wide table has two tasks or more; its columns: {}",
            tasks.len(),
            sheet.header.join(", ")
        );
    }
    if let Some(own) = kept
        .iter()
        .find(|at| ["task", "score"].contains(&sheet.header[**at].as_str()))
    {
        bail!(
            "--wide {prefix}: {file} has the column `{}` already; it is a long table, leave --wide out",
            sheet.header[*own]
        );
    }
    let mut header: Vec<String> = kept.iter().map(|at| sheet.header[*at].clone()).collect();
    header.extend(["task", "score"].map(String::from));
    let mut long = Sheet::new(
        format!("{}, {} tasks in columns", sheet.format, tasks.len()),
        header,
    );
    long.decimal_comma = sheet.decimal_comma;
    for row in 0..sheet.n_rows() {
        for task in &tasks {
            let own = kept.iter().map(|at| sheet.cell(row, *at));
            let cells = own.chain([sheet.header[*task].as_str(), sheet.cell(row, *task)]);
            long.push(sheet.line(row) as usize, cells);
        }
    }
    Ok(long)
}
