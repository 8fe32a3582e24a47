//! Arguments of `plugin`.

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
    /// Show what a plugin may do (imports, endpoints, secrets) without running it on anything
    Inspect {
        /// A plugin's name, or the file of a component
        target: String,
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        output: Output,
    },
}
