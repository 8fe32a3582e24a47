//! The command line: types alone, no decisions. Flags and files are those of `eksctl anywhere` where it has them.

mod audit;
mod cluster;
mod lab;
mod plugin;
mod registry;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use audit::AuditCommand;
pub(crate) use cluster::{
    CreateArgs, DeleteArgs, DescribeArgs, DiffArgs, GenerateArgs, Managers, MoveArgs, PreflightArgs, RenderArgs,
    SchemaArgs, ValidateArgs,
};
pub(crate) use lab::{LabCommand, LabServeArgs, LabUse};
pub(crate) use plugin::PluginCommand;
pub(crate) use registry::RegistryUse;

/// Creates, describes and deletes Kubernetes clusters from EKS Anywhere cluster specs.
///
/// Every provider is a sandboxed WebAssembly component: it holds no password, opens no socket and reads no file.
#[derive(Debug, Parser)]
#[command(name = "kedge", version, disable_version_flag = true, propagate_version = false, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done · 2 usage · 3 the spec, release or plugin is wrong (nothing was touched) · 4 preflight \
failed (nothing was touched) · 5 a step failed (the same command goes on from there) · 130 interrupted (the same command goes on)"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// How much to say, 0 to 9: from 1 on, what the program does; from 4 on, every call
    #[arg(short = 'v', long, global = true, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=9))]
    pub(crate) verbosity: u8,
    /// How log lines are written on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Whether to use colour
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines with a time
    Text,
    /// One JSON object a line
    Json,
}

/// When colour is used. It never carries a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The form of what a command reports on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// One YAML document
    Yaml,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// The form of the report on standard output
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) output: OutputFormat,
}

/// Where the spec, the release and the plugins come from.
#[derive(Debug, Clone, Args)]
pub(crate) struct SpecSource {
    /// The cluster spec; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) filename: PathBuf,
    #[command(flatten)]
    pub(crate) release: ReleaseSource,
    #[command(flatten)]
    pub(crate) plugins: PluginSource,
    /// Take warnings for errors: unknown fields in documents other than the Cluster, and the like
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Where the release comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReleaseSource {
    /// A `Bundles` manifest to use in place of the released one: a file or an http(s) URL
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) bundles_override: Option<String>,
    /// Refuse a release that is not signed; one with a wrong signature is refused anyway
    #[arg(long)]
    pub(crate) require_signed_release: bool,
    /// The public key of whoever signs the release, in place of EKS Anywhere's (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) release_key: Option<PathBuf>,
    /// The public key of licences, to check the signature of `spec.licenseToken` (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) license_key: Option<PathBuf>,
}

/// Where provider plugins come from besides the installed and the built-in ones.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PluginSource {
    /// A provider plugin to use before any other; may be given more than once
    #[arg(long = "plugin", value_name = "FILE")]
    pub(crate) plugin: Vec<PathBuf>,
    /// A policy for plugins, besides the site's and the user's; may be given more than once, and the narrowest holds
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// Let servers of the spec have addresses in this range: loopback, link-local and the like need it
    #[arg(long = "allow-address", value_name = "RANGE")]
    pub(crate) allow_address: Vec<ipnet::IpNet>,
    /// Record everything that plugins do in this file too (`kedge audit` reads it)
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// Record what plugins are asked, call and say in a new file, for `kedge plugin replay`
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Run plugins in processes of their own, which give up files, network and most of the kernel besides
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) isolate: Option<Isolate>,
    /// Grant a plugin that is used for the first time what it asks for
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
}

/// How plugins are held apart besides by the engine's sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolate {
    /// A process for each session
    Process,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a spec for a new cluster to standard output
    #[command(subcommand)]
    Generate(GenerateCommand),
    /// Check a spec without looking at the environment: parse, defaults, static checks
    Validate(ValidateArgs),
    /// Write the JSON Schema of a spec file, or of one kind, for editors and other programs
    Schema(SchemaArgs),
    /// Write the Cluster API manifests of a spec; nothing is touched
    Render(RenderArgs),
    /// Show what a spec would change of a cluster, or against another spec; nothing is touched
    Diff(DiffArgs),
    /// Check the environment that a spec names; nothing is touched
    Preflight(PreflightArgs),
    /// Create a cluster; run again, it goes on where it stopped
    #[command(subcommand)]
    Create(CreateCommand),
    /// Delete a cluster, whole or half-made
    #[command(subcommand)]
    Delete(DeleteCommand),
    /// Move clusters from one management cluster to another, with all that belongs to them
    Move(MoveArgs),
    /// Show a cluster and what it is made of
    #[command(subcommand)]
    Describe(DescribeCommand),
    /// List what is here
    #[command(subcommand)]
    Get(GetCommand),
    /// The embedded infrastructure, for rehearsals
    #[command(subcommand)]
    Lab(LabCommand),
    /// The provider plugins and what they may do
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// The record of what plugins did
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Say which version this is
    Version(Output),
    /// Write a completion script to standard output
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// A provider by its name, and a command of its own
    #[command(external_subcommand)]
    Provider(Vec<OsString>),
}

/// What can be generated.
#[derive(Debug, Subcommand)]
pub(crate) enum GenerateCommand {
    /// A cluster spec with a comment at every blank
    #[command(name = "clusterconfig")]
    ClusterConfig(GenerateArgs),
}

/// What can be created.
#[derive(Debug, Subcommand)]
pub(crate) enum CreateCommand {
    /// A cluster from a spec
    Cluster(CreateArgs),
}

/// What can be deleted.
#[derive(Debug, Subcommand)]
pub(crate) enum DeleteCommand {
    /// A cluster by name or by its spec
    Cluster(DeleteArgs),
}

/// What can be described.
#[derive(Debug, Subcommand)]
pub(crate) enum DescribeCommand {
    /// A cluster, from its folder and its API
    Cluster(DescribeArgs),
}

/// What can be listed.
#[derive(Debug, Subcommand)]
pub(crate) enum GetCommand {
    /// The clusters whose folders are here
    #[command(visible_alias = "cluster")]
    Clusters(Output),
}
