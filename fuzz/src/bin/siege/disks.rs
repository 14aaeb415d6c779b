//! Full, limited and read-only disks, for every command that writes: a small tmpfs and a folder mounted read-only, in a mount namespace
//! of one's own (Linux), and the system's limit on the size of a file, which stands in for a quota.
//!
//! A command ends well, or with exit code 1 or 2 and a word on the disk; what was there before is there still; and with room it does
//! what it does without the fault.

use std::path::Path;
use std::process::{Command, Output};

use crate::bench::{Bench, Files, Result, files, said};
use crate::interrupts;
use crate::tally::Tally;

const EXPERIMENT: &str = "experiment tiny.toml --out s";

/// Kilobytes that are left on the disk.
const ROOM: [u64; 7] = [0, 4, 16, 48, 100, 200, 400];
/// Longest file, in blocks of 512 bytes.
const LONGEST: [u64; 3] = [2, 16, 64];

/// Words that say that the disk, or its limit, is what is wrong.
const WORDS: [&str; 6] = [
    "full",
    "No space",
    "too large",
    "read-only",
    "Read-only",
    "could be written to stdout",
];

/// Commands that write, and whether the finished study is there before.
const COMMANDS: [(&str, bool); 9] = [
    (EXPERIMENT, false),
    (EXPERIMENT, true),
    ("probe s --tasks 3", true),
    ("report s --figures svg", true),
    ("export s --format csv --out e", true),
    ("export s --format parquet --out e", true),
    ("export s --format tensorboard", true),
    ("analyze scores.csv --out a", true),
    ("clean . --remove", true),
];

/// Runs the campaign; an error where users may not mount.
pub(crate) fn run(bench: &Bench) -> Result<Tally> {
    let mut tally = Tally::new("tries");
    let may_mount = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !may_mount {
        return Err("this machine lets nobody mount".into());
    }
    let whole = bench.place("whole")?;
    bench.succeeds(&whole, &EXPERIMENT.split(' ').collect::<Vec<_>>())?;
    interrupts::table(&whole.join("scores.csv"))?;
    let finished = files(&whole)?;
    for (line, has_study) in COMMANDS {
        for room in ROOM {
            let mount = format!(
                "mount -t tmpfs -o size=64m none disk && {} && \
                 used=$(du -sk disk | cut -f1) && mount -o remount,size=$((used + {room}))k disk",
                fill(has_study)
            );
            try_disk(
                bench,
                &mut tally,
                ("full disk", line),
                &mount,
                &finished,
                has_study,
            )?;
        }
        for longest in LONGEST {
            let mount = format!(
                "mount -t tmpfs -o size=64m none disk && {}",
                fill(has_study)
            );
            let limit = format!("trap '' XFSZ; ulimit -f {longest};");
            try_with(
                bench,
                &mut tally,
                ("limit on files", line),
                &mount,
                &limit,
                &finished,
                has_study,
            )?;
        }
        let mount = format!(
            "mount -t tmpfs -o size=64m none disk && {} && mount -o remount,ro disk",
            fill(has_study)
        );
        try_disk(
            bench,
            &mut tally,
            ("read-only disk", line),
            &mount,
            &finished,
            has_study,
        )?;
    }
    Ok(tally)
}

/// What lies on the disk at first.
fn fill(has_study: bool) -> &'static str {
    if has_study {
        "cp -a whole/. disk/"
    } else {
        "cp whole/tiny.toml disk/"
    }
}

fn try_disk(
    bench: &Bench,
    tally: &mut Tally,
    kind: (&str, &str),
    mount: &str,
    finished: &Files,
    has_study: bool,
) -> Result<()> {
    try_with(bench, tally, kind, mount, "", finished, has_study)
}

fn try_with(
    bench: &Bench,
    tally: &mut Tally,
    (fault, line): (&str, &str),
    mount: &str,
    limit: &str,
    finished: &Files,
    has_study: bool,
) -> Result<()> {
    let folder = bench.folder();
    let (disk, after) = (folder.join("disk"), folder.join("after"));
    let _ = std::fs::remove_dir_all(&after);
    std::fs::create_dir_all(&disk)?;
    let program = bench.program().display();
    // The second time there is room. What is said goes through a pipe: a limit on files would cut it, too.
    let script = format!(
        "{mount} || exit 99
         cd disk; export XDG_CACHE_HOME=$PWD/../cache XDG_DATA_HOME=$PWD/../data
         rm -f ../err; mkfifo ../err; cat <../err >../err.txt &
         ({limit} exec '{program}' {line}) >../out.txt 2>../err; code=$?; wait
         cp -a . ../after
         mount -o remount,rw,size=64m . || mount -o remount,rw,size=64m ../disk || exit 98
         '{program}' {line} >../again.txt 2>&1 || exit 97
         rm -rf ../after2; cp -a . ../after2; exit $code"
    );
    let output: Output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(folder)
        .output()?;
    tally.tried(fault);
    let heard = std::fs::read_to_string(folder.join("err.txt"))?;
    let again = std::fs::read_to_string(folder.join("again.txt")).unwrap_or_default();
    let shown = || {
        format!(
            "{line} after {mount}: {}: {heard} {again} {}",
            output.status,
            said(&output)
        )
    };
    tally.expect(!heard.contains("panicked"), fault, shown);
    let is_told = matches!(output.status.code(), Some(1 | 2))
        && WORDS.iter().any(|word| heard.contains(word));
    tally.expect(output.status.success() || is_told, fault, shown);
    if has_study {
        keeps(tally, fault, &after, finished, shown);
    }
    let second = folder.join("after2");
    let report = |place: &Path| std::fs::read(place.join("s/report.json")).ok();
    if line == EXPERIMENT {
        let whole = folder.join("whole");
        tally.expect(report(&second) == report(&whole), fault, shown);
    }
    Ok(())
}

/// Every stored file of the study is what it was.
fn keeps(
    tally: &mut Tally,
    fault: &str,
    after: &Path,
    finished: &Files,
    shown: impl Fn() -> String,
) {
    let Ok(now) = files(after) else {
        tally.fault(fault, shown());
        return;
    };
    for (name, bytes) in finished {
        let is_stored = name.starts_with(".store/") || name.starts_with("s/");
        // A report that was written again says the same; answers to other questions replace the earlier ones.
        let may_change =
            name.contains("/probes/") || name.contains("report.") || name.contains("tensorboard");
        if is_stored && !may_change {
            tally.expect(now.get(name) == Some(bytes), fault, || {
                format!("{name}: {}", shown())
            });
        } else if is_stored {
            let is_whole = now.get(name).is_some_and(|it| !it.is_empty());
            tally.expect(is_whole, fault, || format!("{name} is gone: {}", shown()));
        }
    }
}
