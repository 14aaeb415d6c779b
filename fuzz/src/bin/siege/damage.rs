//! Every stored file of a finished study, damaged in every way: each command names it and ends with an exit code, or says and writes
//! what it would have without the damage; and the command that runs the study makes all of it good.

use std::fs;
use std::path::Path;

use crate::bench::{Bench, Files, Result, files, said};
use crate::tally::Tally;

const EXPERIMENT: [&str; 4] = ["experiment", "tiny.toml", "--out", "s"];

/// Places of a flipped bit.
const N_PLACES: usize = 8;

/// What is asked of a damaged study.
const COMMANDS: [&[&str]; 6] = [
    &["report", "s"],
    &["status", "s", "--json"],
    &["export", "s", "--format", "csv", "--out", "e"],
    &["advise", "s", "--json"],
    &["certify", "s"],
    &[
        "evaluate",
        "s/runs/maml-glyphs-3w1s-s0/best.safetensors",
        "--json",
    ],
];

/// A way to damage a file, by name, and what is left of it; none if it is removed.
type Damage = (String, Option<Vec<u8>>);

fn damages(name: &str, whole: &Files) -> Vec<Damage> {
    let bytes = &whole[name];
    let n = bytes.len();
    let mut all = vec![
        (String::from("removed"), None),
        (
            String::from("longer by a byte"),
            Some([bytes, &b"\n"[..]].concat()),
        ),
    ];
    if n == 0 {
        return all;
    }
    all.push((String::from("emptied"), Some(Vec::new())));
    for at in [n / 4, n / 2, n - 1] {
        all.push((String::from("cut"), Some(bytes[..at].to_vec())));
    }
    let mut zeros = bytes.clone();
    zeros[n / 2..].fill(0);
    all.push((String::from("zeros for its second half"), Some(zeros)));
    for place in 0..N_PLACES.min(n) {
        let mut flipped = bytes.clone();
        let at = (place * n / N_PLACES.min(n)).min(n - 1);
        flipped[at] ^= 1 << (place % 8);
        all.push((String::from("flipped bit"), Some(flipped)));
    }
    // Another file of the same kind, and another of the same folder.
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    let others = whole.iter().filter(|(other, others)| {
        let (its_folder, its_last) = other.rsplit_once('/').unwrap_or(("", other));
        let is_near = (its_last == last) != (its_folder == folder);
        is_near && *others != bytes
    });
    for (_, others) in others.take(6) {
        all.push((String::from("another file's content"), Some(others.clone())));
    }
    all
}

/// What a command said and wrote.
fn outcome(bench: &Bench, place: &Path, command: &[&str]) -> Result<(Option<i32>, String, Files)> {
    let output = bench.run(place, command)?;
    let own = match command[0] {
        "report" => "s/report.",
        "export" => "e/",
        _ => "stdout",
    };
    let mut made = files(place)?;
    made.retain(|name, _| name.starts_with(own));
    made.insert(String::from("stdout"), output.stdout.clone());
    let heard = said(&output) + &String::from_utf8_lossy(&output.stdout);
    Ok((output.status.code(), heard, made))
}

/// Runs the campaign.
pub(crate) fn run(bench: &Bench) -> Result<Tally> {
    let mut tally = Tally::new("tries");
    let place = bench.place("whole")?;
    bench.succeeds(&place, &EXPERIMENT)?;
    for command in COMMANDS {
        bench.succeeds(&place, command)?;
    }
    let mut usual = Vec::new();
    for command in COMMANDS {
        usual.push(outcome(bench, &place, command)?);
    }
    let mut whole = files(&place)?;
    whole.retain(|name, _| name.starts_with("s/") || name.starts_with(".store/"));
    let links: Vec<String> = links(&place.join("s/runs"))?;
    whole.retain(|name, _| !links.iter().any(|link| name == &format!("s/runs/{link}")));
    for name in whole.keys() {
        let path = place.join(name);
        let last = name.rsplit('/').next().unwrap_or(name);
        for (kind, bytes) in damages(name, &whole) {
            let kind = format!("{}: {kind}", group(name));
            for (command, usual) in COMMANDS.iter().zip(&usual) {
                restore(&place, &whole)?;
                match &bytes {
                    Some(bytes) => fs::write(&path, bytes)?,
                    None => fs::remove_file(&path)?,
                }
                tally.tried(&kind);
                let (code, heard, made) = outcome(bench, &place, command)?;
                let shown = || format!("{name}: {command:?} ended with {code:?}: {heard}");
                tally.expect(!heard.contains("panicked"), &kind, shown);
                let is_named = heard.contains(last) || is_missed(name, &heard, &bytes);
                let is_told = matches!(code, Some(1 | 2)) && is_named;
                let is_unhurt = code == usual.0 && made == usual.2;
                tally.expect(is_told || is_unhurt, &kind, shown);
            }
        }
        mends(bench, &place, name, &whole, &mut tally)?;
    }
    Ok(tally)
}

/// Whether the message names what is gone otherwise: by its run, or its folder.
fn is_missed(name: &str, heard: &str, bytes: &Option<Vec<u8>>) -> bool {
    let folder = name.rsplit('/').nth(1).unwrap_or_default();
    bytes.is_none() && (heard.contains(folder) || heard.contains("has not ended"))
}

/// The kind of file, for the table.
fn group(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.starts_with("events.") {
        "events"
    } else if name.starts_with(".store/") && !name[7..].contains('/') {
        "locks of the store"
    } else {
        last
    }
}

fn links(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Puts every file back as it was.
fn restore(place: &Path, whole: &Files) -> Result<()> {
    for (name, bytes) in whole {
        let path = place.join(name);
        if fs::read(&path).ok().as_ref() != Some(bytes) {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, bytes)?;
        }
    }
    Ok(())
}

/// Damaged in three ways, the study is run again: what comes is what was there, times apart.
fn mends(bench: &Bench, place: &Path, name: &str, whole: &Files, tally: &mut Tally) -> Result<()> {
    let path = place.join(name);
    let kind = format!("{}: made good", group(name));
    for at in 0..3 {
        restore(place, whole)?;
        let bytes = &whole[name];
        match at {
            0 => fs::remove_file(&path)?,
            1 => fs::write(&path, &bytes[..bytes.len() / 2])?,
            _ => {
                let mut flipped = bytes.clone();
                let middle = bytes.len() / 2;
                match flipped.get_mut(middle) {
                    Some(byte) => *byte ^= 4,
                    None => continue,
                }
                fs::write(&path, flipped)?;
            }
        }
        tally.tried(&kind);
        let output = bench.run(place, &EXPERIMENT)?;
        let heard = said(&output);
        tally.expect(output.status.success(), &kind, || {
            format!("{name}, way {at}: {}: {heard}", output.status)
        });
        for part in [
            "report.json",
            "report.md",
            "report.html",
            "runs.json",
            "study.toml",
        ] {
            let part = format!("s/{part}");
            let is_same = fs::read(place.join(&part)).ok().as_ref() == whole.get(&part);
            tally.expect(is_same, &kind, || {
                format!("{name}, way {at}: {part} differs: {heard}")
            });
        }
    }
    restore(place, whole)
}
