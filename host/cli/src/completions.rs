//! `completions` and `man`: made from the command line as it is, with every command that is there.
use crate::{
    args::{CompletionsArgs, ManArgs, ShellName},
    error::{CliError, Code},
};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Prints the completion script of a shell. Gives the exit code.
pub(crate) fn completions(args: CompletionsArgs, mut cli: Command) -> Result<u8, CliError> {
    let shell = match args.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let name = cli.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli, name, &mut script);
    print(&script)
}

/// Prints the first page, or writes all of them into a directory. Gives the exit code.
pub(crate) fn man(args: &ManArgs, mut cli: Command) -> Result<u8, CliError> {
    // Subcommands learn their full names, and which flags they share.
    cli.build();
    let Some(dir) = &args.dir else {
        return print(&page(&cli)?);
    };
    fs::create_dir_all(dir).map_err(|error| cannot(dir, &error))?;
    write_pages(&cli, cli.get_name(), dir)?;
    Ok(0)
}

/// The page of a command, and those of its subcommands: `quorate-plan-restart.1`.
fn write_pages(command: &Command, name: &str, dir: &Path) -> Result<(), CliError> {
    let path = dir.join(format!("{name}.1"));
    // A page's own name has no spaces; its synopsis does.
    let named = command.clone().name(name.to_owned());
    fs::write(&path, page(&named)?).map_err(|error| cannot(&path, &error))?;
    for subcommand in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        if subcommand.get_name() != "help" {
            write_pages(subcommand, &format!("{name}-{}", subcommand.get_name()), dir)?;
        }
    }
    Ok(())
}

fn page(command: &Command) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    let written = Man::new(command.clone()).render(&mut text);
    written.map_err(|error| CliError::new(Code::Lost, error))?;
    Ok(text)
}

fn cannot(path: &Path, error: &io::Error) -> CliError {
    CliError::unreadable(error).at(path.display())
}

fn print(bytes: &[u8]) -> Result<u8, CliError> {
    match io::stdout().write_all(bytes) {
        // Whoever read this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(CliError::new(Code::Lost, error)),
        Ok(()) => Ok(0),
    }
}
