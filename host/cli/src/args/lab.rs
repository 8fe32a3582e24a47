//! Arguments of the lab.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{PluginSource, ReleaseSource};

/// Whether and how the embedded infrastructure takes the place of the real one.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LabUse {
    /// Use the embedded infrastructure in place of the real one. With a value: the connection file that
    /// `kedge lab serve` wrote, to use a lab that runs on its own
    #[arg(long, value_name = "CONNECTION", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "that is how a flag with an optional value is written")]
    pub(crate) lab: Option<Option<PathBuf>>,
    #[command(flatten)]
    pub(crate) shape: LabShape,
}

/// How the lab behaves.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LabShape {
    /// How fast the lab is: 1 is as slow as real infrastructure, `max` does not wait at all [default: max]
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub(crate) lab_speed: Option<f64>,
    /// Something that is missing, wrong or slow in the lab, such as `template-missing`; may be given more than once.
    /// `--lab-fault help` lists them
    #[arg(long, value_name = "FAULT")]
    pub(crate) lab_fault: Vec<String>,
}

/// `lab`.
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Run the lab for a spec until interrupted, so that kubectl and govc can look around
    Serve(LabServeArgs),
}

/// `lab serve`.
#[derive(Debug, Args)]
pub(crate) struct LabServeArgs {
    /// The cluster spec that fills the lab; more than once for a management cluster and the clusters that it manages
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(crate) filename: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) release: ReleaseSource,
    #[command(flatten)]
    pub(crate) plugins: PluginSource,
    #[command(flatten)]
    pub(crate) shape: LabShape,
    /// Where to write the connection file [default: NAME/.kedge/lab/connection.json, for each cluster]
    #[arg(long, value_name = "FILE")]
    pub(crate) connection: Option<PathBuf>,
    /// Create the clusters too, in the order of their specs, and keep them
    #[arg(long)]
    pub(crate) create: bool,
}

/// `max`, or a factor above zero.
fn speed(text: &str) -> Result<f64, String> {
    match text {
        "max" => Ok(f64::INFINITY),
        _ => text
            .parse::<f64>()
            .ok()
            .filter(|f| f.is_finite() && *f > 0.0)
            .ok_or_else(|| format!("`{text}` is not a speed: write `max` or a number above 0, such as `1` or `20`")),
    }
}
