//! `reproduce`: published numbers, and what the runs of a study say of them.
//!
//! [`published`] reads the numbers, [`protocol`] says what differs, [`judge`] compares, [`formats`] writes. The rule is
//! [`metastable_analysis::reproduction`]'s.

mod chapter;
mod formats;
mod judge;
mod percent;
mod protocol;
mod protocol_study;
mod published;
mod returns;
mod sentence;

use std::path::Path;

use anyhow::{Result, bail, ensure};
use metastable_analysis::reproduction::Rule;

pub(crate) use self::chapter::{Compared, compared};
use self::judge::Verdict;
pub(crate) use self::judge::{Ours, Row, ours};
use self::published::{Cell, PAPERS};
use crate::Ending;
use crate::campaign::factors::is_one_thing;
use crate::files::{make_folder, write_whole};
use crate::flags;
use crate::opened::Opened;
use crate::study::suggestion;

/// Runs the command.
pub(crate) fn command(flags: &flags::Reproduce) -> Result<Ending> {
    let cells = published::cells()?;
    let Some(what) = flags.what.as_deref() else {
        list(&cells);
        return Ok(Ending::Done);
    };
    if Path::new(what).join("runs.json").exists() {
        return judge(&cells, Path::new(what), flags);
    }
    let names: Vec<&str> = PAPERS.iter().map(|paper| paper.key).collect();
    ensure!(
        names.contains(&what),
        "{what} is neither the folder of a study nor a paper; {}",
        suggestion(what, &names)
    );
    let own: Vec<&Cell> = cells.iter().filter(|cell| cell.key == what).collect();
    match &flags.study {
        None => tell(&own),
        Some(path) => write_study(&own, path, flags)?,
    }
    Ok(Ending::Done)
}

/// One line for each paper.
fn list(cells: &[Cell]) {
    for paper in PAPERS {
        let own = || cells.iter().filter(move |cell| cell.key == paper.key);
        let Some(first) = own().next() else { continue };
        let mut methods: Vec<&str> = own().map(|cell| cell.method.as_str()).collect();
        methods.dedup();
        let head = &first.paper;
        println!(
            "{:<18} {} numbers: {}; {} {}, {}",
            paper.key,
            own().count(),
            methods.join(", "),
            head.authors,
            head.year,
            head.title
        );
    }
}

/// Every number of a paper, with what others got.
fn tell(cells: &[&Cell]) {
    for cell in cells {
        println!(
            "{} {} {}: {} % ({}; {})",
            cell.method,
            cell.data,
            cell.shape(),
            cell.printed(),
            cell.place,
            cell.checked_in
        );
        for other in &cell.reimplementations {
            println!("  {} % by {}", other.value, other.by);
        }
    }
}

/// Writes the study of one number.
fn write_study(cells: &[&Cell], path: &Path, flags: &flags::Reproduce) -> Result<()> {
    let wanted = cells.iter().find(|cell| {
        flags.method.as_deref().is_none_or(|it| it == cell.method)
            && flags.way.is_none_or(|it| Some(it) == cell.way)
            && flags.shot.is_none_or(|it| Some(it) == cell.shot)
    });
    let Some(cell) = wanted else {
        let shapes: Vec<String> = cells
            .iter()
            .map(|cell| format!("{} {}", cell.method, cell.shape()))
            .collect();
        bail!(
            "no such number: --method, --way and --shot choose among {}",
            shapes.join(", ")
        );
    };
    let text = protocol_study::study(cell)?;
    ensure!(
        !path.exists(),
        "{} is there already; name another file with --study",
        path.display()
    );
    write_whole(path, text.as_bytes())?;
    println!("{}", path.display());
    Ok(())
}

/// Compares the runs of a study, prints a line for each number, and writes the files.
fn judge(cells: &[Cell], dir: &Path, flags: &flags::Reproduce) -> Result<Ending> {
    let opened = Opened::new(dir)?;
    ensure!(
        is_one_thing(&opened.index),
        "{} varies settings on purpose, so its runs are not seeds of one configuration; compare a study without [factors]",
        dir.display()
    );
    let rule = Rule {
        margin: flags.margin / 100.0,
        ..Rule::default()
    };
    if opened
        .finished
        .iter()
        .any(|run| run.record.config.is_policy())
    {
        let rule = Rule {
            margin: flags.margin,
            ..rule
        };
        return judge_returns(dir, &opened, &rule, flags);
    }
    let rows = judge::rows(cells, &opened.finished, &rule, flags.lenient)?;
    if rows.is_empty() {
        bail!(
            "no published number is for the learners, data, ways and shots of {}; `{} reproduce` lists what there is",
            dir.display(),
            crate::shell::program()
        );
    }
    let folder = dir.join("reproduction");
    make_folder(&folder)?;
    let mut paths = Vec::new();
    for (name, make) in formats::FORMATS {
        let path = folder.join(name);
        write_whole(&path, make(&opened.index.study, &rows)?.as_bytes())?;
        paths.push(path);
    }
    if flags.json {
        print!("{}", formats::json(&opened.index.study, &rows)?);
        return Ok(opened.left_out);
    }
    println!("{}\n", formats::rule(&rows));
    for row in &rows {
        println!("{}", sentence::sentence(row));
    }
    println!();
    for path in paths {
        println!("{}", path.display());
    }
    let is_open = |row: &judge::Row| row.verdict == Verdict::Undecided;
    let open = if rows.iter().any(is_open) {
        Ending::Open
    } else {
        Ending::Done
    };
    Ok(opened.left_out.or(open))
}

/// The same of policies, whose curves of returns are compared point by point.
fn judge_returns(
    dir: &Path,
    opened: &Opened,
    rule: &Rule,
    flags: &flags::Reproduce,
) -> Result<Ending> {
    let rows = returns::rows(&opened.finished, rule, flags.lenient)?;
    if rows.is_empty() {
        bail!(
            "no published curve of returns is for the learners and data of {}",
            dir.display()
        );
    }
    let folder = dir.join("reproduction");
    make_folder(&folder)?;
    let mut json = serde_json::to_string_pretty(&rows)?;
    json.push('\n');
    let path = folder.join("returns.json");
    write_whole(&path, json.as_bytes())?;
    if flags.json {
        print!("{json}");
        return Ok(opened.left_out);
    }
    println!("{}\n", returns::rule(rule));
    for row in &rows {
        println!("{}", returns::sentence(row));
    }
    println!("\n{}", path.display());
    let open = match rows.iter().any(|row| row.verdict == "undecided") {
        true => Ending::Open,
        false => Ending::Done,
    };
    Ok(opened.left_out.or(open))
}
