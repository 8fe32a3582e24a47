//! Arguments of `audit`.

use std::path::PathBuf;

use clap::Subcommand;

use super::Output;

/// `audit`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that no line of an audit file was changed, left out or put in
    Verify {
        /// For example `NAME/.kedge/audit.jsonl`
        file: PathBuf,
        /// What an earlier `verify` called the head: proves that nothing after it was cut off
        #[arg(long, value_name = "SHA256")]
        head: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Show what plugins did, line by line, with the figures at the end
    Show {
        /// For example `NAME/.kedge/audit.jsonl`
        file: PathBuf,
        /// Only what was refused
        #[arg(long)]
        refused: bool,
        #[command(flatten)]
        output: Output,
    },
}
