//! Wide tables: a row for each run, a column for each task or each step.

use anyhow::{Result, bail};

use super::sheet::Sheet;

/// What the columns of a wide table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Across {
    Tasks,
    Steps,
}

impl Across {
    fn flag(self) -> &'static str {
        match self {
            Self::Tasks => "--wide",
            Self::Steps => "--wide-steps",
        }
    }

    /// Name of the long column, and what one is called.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Tasks => ("task", "tasks"),
            Self::Steps => ("step", "steps"),
        }
    }
}

/// The same table with a row for each task or step: columns whose names begin with one of `prefixes` become `task` (or `step`, the rest of
/// the name being its number) and `score`.
pub(super) fn lengthened(
    file: &str,
    sheet: &Sheet,
    prefixes: &[String],
    across: Across,
) -> Result<Sheet> {
    let prefix = prefixes.join(",");
    let (flag, (column, noun)) = (across.flag(), across.names());
    let rest_of = |name: &'_ str| -> Option<usize> {
        let fits = prefixes.iter().find(|prefix| {
            let rest = name.strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| across == Across::Tasks || rest.parse::<f64>().is_ok())
        });
        fits.map(String::len)
    };
    if across == Across::Tasks && prefixes.iter().any(String::is_empty) {
        bail!(
            "{flag} \"\": every column begins so, but at least one has to be something other than a task; write how the names of the tasks begin"
        );
    }
    let is_one = |name: &String| rest_of(name).is_some();
    let (wide, kept): (Vec<usize>, Vec<usize>) =
        (0..sheet.header.len()).partition(|at| is_one(&sheet.header[*at]));
    if wide.len() < 2 {
        let rest = match across {
            Across::Tasks => "",
            Across::Steps => " and ends with a number",
        };
        bail!(
            "{flag} {prefix}: {file} has {} columns whose name begins so{rest}, and a wide table has two {noun} or more; its columns: {}",
            wide.len(),
            sheet.header.join(", ")
        );
    }
    if let Some(own) = kept
        .iter()
        .find(|at| [column, "score"].contains(&sheet.header[**at].as_str()))
    {
        bail!(
            "{flag} {prefix}: {file} has the column `{}` already; it is a long table, leave {flag} out",
            sheet.header[*own]
        );
    }
    let mut header: Vec<String> = kept.iter().map(|at| sheet.header[*at].clone()).collect();
    header.extend([column, "score"].map(String::from));
    let mut long = sheet.like(
        format!("{}, {} {noun} in columns", sheet.format, wide.len()),
        header,
    );
    for row in 0..sheet.n_rows() {
        for at in &wide {
            let own = kept.iter().map(|at| sheet.cell(row, *at));
            let name = &sheet.header[*at];
            let label = match across {
                Across::Tasks => name.as_str(),
                Across::Steps => &name[rest_of(name).unwrap_or(0)..],
            };
            let cells = own.chain([label, sheet.cell(row, *at)]);
            long.push(sheet.line(row) as usize, cells);
        }
    }
    Ok(long)
}
