//! Arguments of `plugin`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Output, PluginSource, RegistryUse};

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
        /// A plugin's name, the file of a component, or a reference in a registry
        target: String,
        /// Ask a plugin whose file does not say what it asks for: `describe` is called, with nothing linked but the log
        #[arg(long)]
        describe: bool,
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        registry: RegistryUse,
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
    /// Put a plugin into a registry, with its signature if `FILE.sig` is there
    Push {
        /// The file of a component
        file: PathBuf,
        /// Where to: `registry.example/acme/provider:1.0`
        reference: String,
        /// Sign what was pushed with this key (PKCS #8 in PEM, P-256), as `cosign sign --key` does
        #[arg(long, value_name = "FILE")]
        sign_key: Option<PathBuf>,
        #[command(flatten)]
        registry: RegistryUse,
        #[command(flatten)]
        output: Output,
    },
    /// Get a plugin out of a registry, into a file, or with its signatures into an OCI layout for a machine that reaches none
    Pull {
        /// By tag or digest: `registry.example/acme/provider:1.0`, `registry.example/acme/provider@sha256:…`
        reference: String,
        /// The file to write; what vouches for it goes beside it
        #[arg(short, long, value_name = "FILE", required_unless_present = "layout")]
        file: Option<PathBuf>,
        /// The OCI layout to write: a folder, or an archive if the name ends with `.tar`
        #[arg(long, value_name = "DIR|FILE.tar", conflicts_with = "file")]
        layout: Option<PathBuf>,
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        registry: RegistryUse,
    },
    /// Install a plugin, after showing what it asks for
    Install {
        /// A reference in a registry, or the file of a component
        #[arg(required_unless_present = "offline")]
        what: Option<String>,
        /// Take it from this OCI layout (a folder, or an archive of one) and ask no registry
        #[arg(long, value_name = "DIR|FILE.tar")]
        offline: Option<PathBuf>,
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        registry: RegistryUse,
        #[command(flatten)]
        output: Output,
    },
    /// Get an installed plugin again from where it came from; what it asks for anew is asked about
    Update {
        /// Its name
        name: String,
        /// Take it from this OCI layout (a folder, or an archive of one) and ask no registry
        #[arg(long, value_name = "DIR|FILE.tar")]
        offline: Option<PathBuf>,
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        registry: RegistryUse,
        #[command(flatten)]
        output: Output,
    },
    /// Remove an installed plugin
    Remove {
        /// Its name
        name: String,
    },
    /// Check that an installed plugin is what was installed, and who signed it
    Verify {
        /// Its name
        name: String,
        #[command(flatten)]
        plugins: PluginSource,
        #[command(flatten)]
        output: Output,
    },
}
