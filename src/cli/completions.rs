//! `ccd402 completions`: what a shell must know to complete commands and flags.

use std::process::ExitCode;

use clap::{Args as ClapArgs, CommandFactory as _};
use clap_complete::Shell;

/// Print completions for a shell.
///
/// Example: ccd402 completions bash > ~/.local/share/bash-completion/completions/ccd402
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "ccd402", &mut script);
    // A reader that went away is no failure of the command.
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), &script);
    ExitCode::SUCCESS
}
