//! `kedge completion`.

use clap::CommandFactory;

use crate::args::Cli;
use crate::printer::Printer;

pub(crate) fn run(shell: clap_complete::Shell, printer: &Printer) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kedge", &mut script);
    printer.raw(&String::from_utf8_lossy(&script));
}
