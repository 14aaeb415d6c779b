//! `metastable-fuzz TARGET|all N [SEED]`: runs a target, or each, and prints its counts. Finds are kept in `target/fuzz`.

#![allow(clippy::print_stdout, reason = "a program talks")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use metastable_data::contained;
use metastable_fuzz::{TARGETS, runner};

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, n, rest @ ..] = &arguments[..] else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        bail!(
            "metastable-fuzz TARGET|all N [SEED]; targets: {}",
            names.join(", ")
        );
    };
    let n: usize = n.parse()?;
    let seed: u64 = rest.first().map_or(Ok(0), |seed| seed.parse())?;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !contained::is_under_way() {
            usual(panic);
        }
    }));
    let finds = Path::new("target/fuzz");
    std::fs::create_dir_all(finds)?;
    let mut code = ExitCode::SUCCESS;
    let mut any = false;
    for target in TARGETS
        .iter()
        .filter(|target| name == "all" || target.name == name)
    {
        any = true;
        let begun = std::time::Instant::now();
        let counts = runner::run(target, n, seed, Some(finds))?;
        println!(
            "{}: {} inputs, {} accepted, {} panics, {} contained, {} slow, {:.0} s{}",
            target.name,
            counts.tried,
            counts.accepted,
            counts.panics,
            counts.contained,
            counts.slow,
            begun.elapsed().as_secs_f64(),
            counts
                .finds
                .iter()
                .map(|path| format!(" {}", path.display()))
                .collect::<String>()
        );
        if counts.panics + counts.slow > 0 {
            code = ExitCode::FAILURE;
        }
    }
    if !any {
        bail!("there is no target {name:?}");
    }
    Ok(code)
}
