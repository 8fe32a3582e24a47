//! kedge: Kubernetes clusters from EKS Anywhere cluster specs, with every provider a sandboxed component.
//!
//! This crate turns arguments into options and events into output. What is done, and why, is decided elsewhere.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod consent;
mod failure;
mod labs;
mod printer;
mod progress;
mod setup;
mod tracing_output;
mod views;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};

use crate::args::{
    Cli, Command, CreateCommand, DeleteCommand, DescribeCommand, GenerateCommand, GetCommand, LabCommand,
};
use crate::failure::Failure;
use crate::printer::Printer;

fn main() -> ExitCode {
    // Before anything is open or runs: what is started to compile a plugin, or to run one, is nothing else.
    if let Some(code) = kedge_plugin::child_entry(std::env::args_os()) {
        return code;
    }
    let cli = parse();
    let printer = Arc::new(Printer::new(cli.global.color, cli.global.verbosity, cli.global.log_format));
    failure::install(&printer);
    tracing_output::install(&cli.global);
    let result = run(cli, &printer);
    printer.clear();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(&printer);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// The arguments. A link named `eksctl-anywhere` to this program makes it that plugin of `eksctl`.
fn parse() -> Cli {
    let called = std::env::args_os().next().unwrap_or_default();
    let as_plugin = std::path::Path::new(&called).file_stem().is_some_and(|name| name == "eksctl-anywhere");
    let mut command = Cli::command();
    if as_plugin {
        command = command.bin_name("eksctl anywhere");
    }
    let matches = command.get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Threads cost more than what a command does that works alone on what it has at hand.
fn runtime(command: &Command) -> tokio::runtime::Builder {
    match command {
        Command::Generate(_) | Command::Validate(_) | Command::Render(_) | Command::Schema(_) => {
            tokio::runtime::Builder::new_current_thread()
        }
        _ => tokio::runtime::Builder::new_multi_thread(),
    }
}

fn run(cli: Cli, printer: &Arc<Printer>) -> Result<(), Failure> {
    // These need no runtime, no plugin and no spec: they answer at once.
    let command = match cli.command {
        Command::Version(output) => {
            commands::version::run(output, printer);
            return Ok(());
        }
        Command::Completion { shell } => {
            commands::completion::run(shell, printer);
            return Ok(());
        }
        Command::Audit(command) => return commands::audit::run(command, printer),
        other => other,
    };
    let runtime = runtime(&command)
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("the program can't start its threads: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Generate(GenerateCommand::ClusterConfig(args)) => commands::generate::run(args, printer).await,
            Command::Validate(args) => commands::validate::run(args, printer).await,
            Command::Render(args) => commands::render::run(args, printer).await,
            Command::Diff(args) => commands::diff::run(args, printer).await,
            Command::Preflight(args) => commands::preflight::run(args, printer).await,
            Command::Create(CreateCommand::Cluster(args)) => commands::create::run(args, printer).await,
            Command::Delete(DeleteCommand::Cluster(args)) => commands::delete::run(args, printer).await,
            Command::Move(args) => commands::move_clusters::run(args, printer).await,
            Command::Schema(args) => commands::schema::run(args, printer).await,
            Command::Describe(DescribeCommand::Cluster(args)) => commands::describe::run(args, printer).await,
            Command::Get(GetCommand::Clusters(output)) => commands::get::run(output, printer).await,
            Command::Lab(LabCommand::Serve(args)) => commands::lab::run(args, printer).await,
            Command::Plugin(command) => commands::plugin::run(command, printer).await,
            Command::Provider(words) => commands::provider::run(&words, printer).await,
            Command::Version(_) | Command::Completion { .. } | Command::Audit(_) => Ok(()),
        }
    })
}
