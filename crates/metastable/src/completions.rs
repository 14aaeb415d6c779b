//! `completions` and `man`: what a shell and a manual know of the command line, made from the command line itself.

use anyhow::Result;
use clap::CommandFactory;

use crate::{Ending, flags};

/// Prints the completion script of a shell.
pub(crate) fn completions(flags: &flags::Completions) -> Result<Ending> {
    let mut script = Vec::new();
    clap_complete::generate(
        flags.shell,
        &mut flags::Flags::command(),
        "metastable",
        &mut script,
    );
    print!("{}", String::from_utf8(script)?);
    Ok(Ending::Done)
}

/// Prints the manual page, every command in it.
pub(crate) fn man() -> Result<Ending> {
    let mut command = flags::Flags::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        let manual = clap_mangen::Man::new(subcommand.clone());
        manual.render_name_section(&mut page)?;
        manual.render_synopsis_section(&mut page)?;
        manual.render_description_section(&mut page)?;
        manual.render_options_section(&mut page)?;
    }
    print!("{}", String::from_utf8(page)?);
    Ok(Ending::Done)
}
