//! Arguments of the commands that work on a cluster.

use std::path::PathBuf;

use clap::Args;

use super::{LabUse, Output, PluginSource, ReleaseSource, SpecSource};

/// `generate clusterconfig`.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// The cluster's name
    pub(crate) name: String,
    /// The provider, by the name that `kedge plugin list` shows
    #[arg(short, long, value_name = "NAME")]
    pub(crate) provider: String,
    #[command(flatten)]
    pub(crate) release: ReleaseSource,
    #[command(flatten)]
    pub(crate) plugins: PluginSource,
}

/// `validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Accepted for `validate create cluster`
    #[arg(hide = true, num_args = 0..=2, value_parser = ["create", "cluster"])]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) source: SpecSource,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// A kind of document, for example `Cluster`; all of them in one schema if there is none
    pub(crate) kind: Option<String>,
    #[command(flatten)]
    pub(crate) plugins: PluginSource,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `render`.
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    pub(crate) source: SpecSource,
    /// Write one file an object into this folder in place of standard output
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// In place of the manifests, say of each of their fields where it comes from: a line of the spec, a default, the release,
    /// the plugin
    #[arg(long, conflicts_with = "output_dir")]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) source: SpecSource,
    /// The cluster to compare with: its folder is looked for here; the spec's own name if there is neither this nor
    /// `--against`
    #[arg(conflicts_with = "against")]
    pub(crate) name: Option<String>,
    /// Another spec to compare with
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What preflight may leave out.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Skips {
    /// Do not check whether the control plane's address is in use
    #[arg(long)]
    pub(crate) skip_ip_check: bool,
    /// Checks to leave out, by id (`kedge preflight` shows them), separated by commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) skip_validations: Vec<String>,
}

/// `preflight`.
#[derive(Debug, Args)]
pub(crate) struct PreflightArgs {
    #[command(flatten)]
    pub(crate) source: SpecSource,
    #[command(flatten)]
    pub(crate) skips: Skips,
    #[command(flatten)]
    pub(crate) lab: LabUse,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How long to wait.
#[derive(Debug, Clone, Args)]
pub(crate) struct Timeouts {
    /// The longest wait for the control plane
    #[arg(long, value_name = "DURATION", default_value = "60m", value_parser = duration)]
    pub(crate) control_plane_wait_timeout: std::time::Duration,
    /// The longest wait for external etcd
    #[arg(long, value_name = "DURATION", default_value = "60m", value_parser = duration)]
    pub(crate) external_etcd_wait_timeout: std::time::Duration,
    /// The longest wait for one machine; worker node groups get it once for each machine
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub(crate) per_machine_wait_timeout: std::time::Duration,
    /// Wait without end
    #[arg(long)]
    pub(crate) no_timeouts: bool,
}

/// `create cluster`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) source: SpecSource,
    #[command(flatten)]
    pub(crate) skips: Skips,
    #[command(flatten)]
    pub(crate) timeouts: Timeouts,
    /// The kubeconfig of an existing cluster to bootstrap from; it is left as it is
    #[arg(long, alias = "bootstrap-kubeconfig", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Do everything that touches nothing, and say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) lab: LabUse,
}

/// `delete cluster`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The cluster's name: its folder is looked for here
    #[arg(required_unless_present = "filename")]
    pub(crate) name: Option<String>,
    /// Its spec, in place of the name
    #[arg(short, long, value_name = "FILE", conflicts_with = "name")]
    pub(crate) filename: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) release: ReleaseSource,
    #[command(flatten)]
    pub(crate) plugins: PluginSource,
    /// The kubeconfig of an existing cluster to bootstrap from
    #[arg(long, alias = "bootstrap-kubeconfig", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) lab: LabUse,
}

/// A duration as Go writes it: `90s`, `60m`, `1h30m`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write it like `90s`, `60m` or `1h30m`");
    let mut total = 0.0_f64;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        total += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 0.001,
                _ => return Err(wrong()),
            };
        rest = tail;
    }
    std::time::Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn durations_as_go_writes_them() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for wrong in ["", "5", "m", "5x", "-5m", "5m5", "1..2s"] {
            assert!(duration(wrong).is_err(), "{wrong} was taken");
        }
    }
}
