//! Arguments of `plugin`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Output, PluginSource};

/// `plugin`.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins that can be used here, and where each comes from
    List {
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        output: Output,
    },
    /// Show what a plugin may do (imports, endpoints, secrets) from its file alone: nothing is compiled, nothing runs
    Inspect {
        /// A plugin's name, or the file of a component
        target: String,
        /// Ask a plugin whose file does not say what it asks for: `describe` is called, with nothing linked but the log
        #[arg(long)]
        describe: bool,
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        output: Output,
    },
    /// Write what a plugin asks for into its file, so that it can be inspected without running it: `describe` is called,
    /// with nothing linked but the log
    Annotate {
        /// The file of a component
        file: PathBuf,
        /// Where to write the new file; in place of the old one if it isn't given
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Ask a plugin everything that was recorded with `--record`, offline, and show the first thing that it does otherwise
    Replay {
        /// The recording
        recording: PathBuf,
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        output: Output,
    },
}
