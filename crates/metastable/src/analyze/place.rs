//! Where a report goes: never over a study, nor over the report of another table.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::files::{read_text, write_whole};

/// The file that says whose report a folder holds.
const MARK: &str = "table.txt";

/// The folder of a report: `--out`, else `runs/analyze-NAME`, else with the name of the table's folder in front if another
/// table has that.
///
/// # Errors
/// If the folder holds a study, another table's report, or a report that does not say whose it is.
pub(super) fn folder(file: &Path, out: Option<&Path>, runs: &Path) -> Result<PathBuf> {
    let source = source(file)?;
    if let Some(out) = out {
        return match holder(out, &source)? {
            None => Ok(out.to_owned()),
            Some(holder) => bail!(
                "--out {}: the folder holds {holder}, which would be replaced; choose another folder",
                out.display()
            ),
        };
    }
    let stem = stem(file);
    let plain = runs.join(format!("analyze-{stem}"));
    let Some(holder_of_plain) = holder(&plain, &source)? else {
        return Ok(plain);
    };
    let parent = Path::new(&source).parent().and_then(Path::file_name);
    let parent = parent.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let longer = runs.join(format!("analyze-{parent}-{stem}"));
    if holder(&longer, &source)?.is_none() {
        return Ok(longer);
    }
    bail!(
        "{}: the folder holds {holder_of_plain}, which would be replaced; choose a folder with --out",
        plain.display()
    )
}

/// Name of a table without `.csv`, `.csv.gz` and the like.
pub(super) fn stem(file: &Path) -> String {
    let name = file
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = Path::new(name).file_stem();
    stem.map_or_else(
        || String::from("scores"),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// Writes whose report the folder holds.
pub(super) fn mark(file: &Path, folder: &Path) -> Result<()> {
    let path = folder.join(MARK);
    write_whole(&path, (source(file)? + "\n").as_bytes())
}

fn source(file: &Path) -> Result<String> {
    let whole =
        fs::canonicalize(file).with_context(|| format!("while reading {}", file.display()))?;
    Ok(whole.display().to_string())
}

/// What a folder holds that is not the report of this table.
fn holder(folder: &Path, source: &str) -> Result<Option<String>> {
    if folder.join("study.toml").exists() {
        return Ok(Some(String::from("a study")));
    }
    let mark = folder.join(MARK);
    if mark.exists() {
        let text = read_text(&mark)?;
        let other = text.trim_end();
        return Ok((other != source).then(|| format!("the report of {other}")));
    }
    let outputs = [
        "report.html",
        "report.md",
        "report.json",
        "figures",
        "tables",
    ];
    let there = outputs
        .iter()
        .find(|name| fs::symlink_metadata(folder.join(name)).is_ok());
    Ok(there.map(|name| format!("{name} of something else")))
}
