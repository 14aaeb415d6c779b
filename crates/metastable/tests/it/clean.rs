//! `clean` lists what no study needs, removes it only if asked to, and nothing while somebody is at work.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::support::{Bench, state_in, stderr, stdout};

/// The study in `studies/NAME`, its store beside it.
fn run(bench: &Bench, name: &str, more: &[&str]) {
    let out = format!("--out=studies/{name}");
    let mut arguments = vec![out.as_str()];
    arguments.extend(more);
    bench.experiment(&arguments);
}

/// Everything below a folder, links not followed.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths
}

fn runs_in(store: &Path) -> usize {
    let entries = fs::read_dir(store).unwrap().map(|entry| entry.unwrap());
    let is_run = |name: &str| name.len() == 32;
    entries
        .filter(|it| is_run(&it.file_name().to_string_lossy()))
        .count()
}

fn clean(bench: &Bench, more: &[&str]) -> String {
    let mut arguments = vec!["clean", "studies"];
    arguments.extend(more);
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn runs_that_no_study_has_go_and_the_others_stay() {
    let bench = Bench::new(&[]);
    run(&bench, "a", &[]);
    run(&bench, "b", &["--set", "learner.meta_batch=2"]);
    let store = bench.path("studies/.store");
    // What is not ours is left alone.
    fs::write(store.join("readme.txt"), "mine").unwrap();
    fs::create_dir(store.join("mine")).unwrap();
    assert_eq!(runs_in(&store), 8);
    let before = below(&bench.path("studies"));
    assert!(clean(&bench, &[]).starts_with("0 things can be removed"));

    // The first study loses a seed; what was known of its runs goes with them.
    run(&bench, "a", &["--seeds", "1"]);
    let said = clean(&bench, &[]);
    assert_eq!(
        said.matches("a run of no study (maml, glyphs 3-way 1-shot)")
            .count(),
        1,
        "{said}"
    );
    assert_eq!(said.matches("a run of no study").count(), 2, "{said}");
    assert_eq!(
        said.matches("events of a run that the study no longer has")
            .count(),
        2,
        "{said}"
    );
    // Their certificates.
    assert_eq!(
        said.matches("answers of a run that the study no longer has")
            .count(),
        2,
        "{said}"
    );
    assert!(
        said.contains("6 things can be removed") && said.contains("2 studies use the store"),
        "{said}"
    );
    assert_eq!(runs_in(&store), 8);
    let said = clean(&bench, &["--remove"]);
    assert!(said.contains("6 things removed"), "{said}");
    assert_eq!(runs_in(&store), 6);
    assert!(clean(&bench, &[]).starts_with("0 things can be removed"));
    run(&bench, "b", &["--set", "learner.meta_batch=2"]);
    let output = bench.experiment(&["--out=studies/a"]);
    assert!(stderr(&output).contains("2 of 4 runs are in the store"));
    assert_eq!(below(&bench.path("studies")).len(), before.len());

    // A study that is gone needs nothing.
    fs::remove_dir_all(bench.path("studies/b")).unwrap();
    clean(&bench, &["--remove"]);
    assert_eq!(runs_in(&store), 4);
    assert!(store.join("readme.txt").exists() && store.join("mine").exists());
}

#[test]
fn a_study_elsewhere_is_known_to_its_store() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    run(&bench, "a", &[]);
    let arguments = [
        "--out",
        "elsewhere/b",
        "--store",
        "studies/.store",
        "--seeds",
        "2",
    ];
    bench.experiment(&arguments);
    assert!(clean(&bench, &[]).contains("0 things can be removed"));
    assert!(clean(&bench, &[]).contains("2 studies use the store"));

    // Gone, or moved: nobody can tell, so nothing goes until the user has said which.
    fs::rename(bench.path("elsewhere"), bench.path("moved")).unwrap();
    bench.refuses(
        &["clean", "studies", "--remove"],
        &["elsewhere/b", "not there", "remove the note"],
    );
    fs::rename(bench.path("moved"), bench.path("elsewhere")).unwrap();

    // A list of runs that cannot be read could name any run.
    let index = bench.path("studies/a/runs.json");
    let whole = fs::read(&index).unwrap();
    fs::write(&index, &whole[1..]).unwrap();
    bench.refuses(&["clean", "studies", "--remove"], &["runs.json is damaged"]);
    fs::write(&index, whole).unwrap();
    assert_eq!(runs_in(&bench.path("studies/.store")), 4);
    bench.refuses(&["clean", "nowhere"], &["no store", "nowhere"]);
}

#[test]
fn nothing_goes_while_somebody_is_at_work() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("outer_steps = 12", "outer_steps = 4000"),
        ("[learners.maml]\ninner_steps = 2\n", ""),
    ]);
    let mut child = bench.start(&["--out=studies/a"]);
    let store = bench.path("studies/.store");
    let begun = Instant::now();
    while state_in(&store).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no state came");
        std::thread::sleep(Duration::from_millis(2));
    }
    bench.refuses(
        &["clean", "studies", "--remove"],
        &["at work", "nothing was removed"],
    );
    child.kill().unwrap();
    child.wait().unwrap();

    // Nobody is at work any more, and that is what `status` says.
    let said = stdout(&bench.run(&["status", "studies/a"]));
    assert!(said.contains("waits at step"), "{said}");
    assert!(said.contains("0 running, 0 failed, 1 waiting"), "{said}");
    // The study can go on, so what the run has so far stays; without the study it is of nobody.
    assert!(clean(&bench, &[]).starts_with("0 things can be removed"));
    fs::remove_dir_all(bench.path("studies/a")).unwrap();
    let said = clean(&bench, &[]);
    assert!(said.contains("an unfinished run of no study"), "{said}");

    // Somebody on another machine may be alive.
    let work = fs::read_dir(store.join("work"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let claim = r#"{"owner":{"token":"t","host":"far","boot":"b","pid":7},"lease_seconds":60,"beat":3,"released":false}"#;
    fs::write(work.join("9.claim"), claim).unwrap();
    bench.refuses(
        &["clean", "studies", "--remove"],
        &["process 7 on far", "nothing was removed"],
    );
    assert!(state_in(&store).is_some());
    fs::remove_file(work.join("9.claim")).unwrap();
    clean(&bench, &["--remove"]);
    assert_eq!(fs::read_dir(store.join("work")).unwrap().count(), 0);
}

#[test]
fn a_launch_goes_when_its_study_is_done_and_nobody_follows_it() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    run(&bench, "a", &[]);
    let launch = bench.path("studies/a/slurm");
    fs::create_dir_all(launch.join("followers")).unwrap();
    fs::write(launch.join("12_0.log"), "what a task said").unwrap();
    let claim = launch.join("followers/1.claim");
    let far = r#"{"owner":{"token":"t","host":"far","boot":"b","pid":7},"lease_seconds":60,"beat":3,"released":false}"#;
    fs::write(&claim, far).unwrap();
    assert!(clean(&bench, &[]).starts_with("0 things can be removed"));
    fs::write(&claim, far.replace("false", "true")).unwrap();
    let said = clean(&bench, &[]);
    assert!(said.contains("slurm: what launched a study"), "{said}");

    // With a run to make, `--resume` goes by it.
    let run = fs::read_dir(bench.path("studies/a/runs")).unwrap().next();
    let made = fs::canonicalize(run.unwrap().unwrap().path()).unwrap();
    let away = bench.path("away");
    fs::rename(&made, &away).unwrap();
    assert!(clean(&bench, &["--remove"]).starts_with("0 things removed"));
    fs::rename(&away, &made).unwrap();
    clean(&bench, &["--remove"]);
    assert!(!launch.exists());
}

#[test]
fn what_a_crash_left_goes_when_it_is_old() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    run(&bench, "a", &[]);
    let half = bench.path("studies/a/report.html.0123-4.tmp");
    fs::write(&half, "half").unwrap();
    assert!(clean(&bench, &[]).starts_with("0 things can be removed"));
    let days_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    fs::File::options()
        .write(true)
        .open(&half)
        .unwrap()
        .set_modified(days_ago)
        .unwrap();
    assert!(clean(&bench, &[]).contains("never finished"));
    // And the working folder of a run that is finished.
    let store = bench.path("studies/.store");
    let run = fs::read_dir(bench.path("studies/a/runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let run = fs::canonicalize(run.path()).unwrap();
    fs::create_dir(store.join("work").join(run.file_name().unwrap())).unwrap();
    let said = clean(&bench, &["--remove"]);
    assert!(
        said.contains("a crash left") && said.contains("2 things removed"),
        "{said}"
    );
    assert!(!half.exists());
    assert_eq!(runs_in(&store), 2);
}
