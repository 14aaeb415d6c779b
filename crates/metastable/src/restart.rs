//! candle's second derivatives need a variable of the environment that is there before the process starts.

use anyhow::{Context, Result, bail};
use metastable_models::Backend;

/// candle reads this once per thread, at its first backward pass.
const KEEP_GRAPH: &str = "CANDLE_GRAD_DO_NOT_DETACH";

/// Starts this very command again with candle's variable set, if the backend needs it and it is not.
///
/// `cargo xtask` sets it by `.cargo/config.toml`; this is for a program that is started directly. Setting it in this
/// process would be too late for threads that exist, and is not safe to do.
///
/// # Errors
/// This program cannot be started again.
pub fn reexec_for(backend: Backend) -> Result<()> {
    if backend != Backend::Graph || std::env::var_os(KEEP_GRAPH).is_some_and(|value| value == "1") {
        return Ok(());
    }
    let program = std::env::current_exe().context("while looking for this program")?;
    let mut again = std::process::Command::new(program);
    again.args(std::env::args_os().skip(1)).env(KEEP_GRAPH, "1");
    replace(&mut again)
}

#[cfg(unix)]
fn replace(command: &mut std::process::Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    // Returns only if it fails; signals go to the new program, which is the same process.
    let error = command.exec();
    bail!("while starting again with {KEEP_GRAPH}=1: {error}")
}

#[cfg(not(unix))]
fn replace(command: &mut std::process::Command) -> Result<()> {
    let status = command.status();
    match status {
        Ok(status) => std::process::exit(status.code().unwrap_or(2)),
        Err(error) => bail!("while starting again with {KEEP_GRAPH}=1: {error}"),
    }
}
