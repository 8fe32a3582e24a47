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
    /// Arguments of the provider's own, after all others: `kedge PROVIDER generate --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub(crate) own: Vec<std::ffi::OsString>,
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
    /// Ask the cluster's API what would change, by a dry run of every object, in place of the spec in its folder
    #[arg(long, conflicts_with = "against")]
    pub(crate) live: bool,
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
    pub(crate) management: Management,
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
    /// The longest wait for an object that reports an error to come right by itself
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(crate) error_wait_timeout: std::time::Duration,
    /// Wait without end
    #[arg(long)]
    pub(crate) no_timeouts: bool,
}

/// The kubeconfig of a management cluster.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Management {
    /// The kubeconfig of the management cluster, for a spec whose `managementCluster.name` names another cluster
    /// [default: the one in that cluster's folder here, or KUBECONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

/// The clusters that work on a cluster's objects; without these, the bootstrap cluster is one of the container engine.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Managers {
    #[command(flatten)]
    pub(crate) management: Management,
    /// The kubeconfig of an existing cluster to bootstrap from; it is left as it is
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kubeconfig", "lab"])]
    pub(crate) bootstrap_kubeconfig: Option<PathBuf>,
    /// The node image of the bootstrap cluster, in place of the release's
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["kubeconfig", "bootstrap_kubeconfig"])]
    pub(crate) node_image: Option<String>,
}

/// `describe cluster`.
#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// The cluster's name: its folder is looked for here
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) management: Management,
    #[command(flatten)]
    pub(crate) output: Output,
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
    #[command(flatten)]
    pub(crate) managers: Managers,
    /// Do everything that touches nothing, and say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) lab: LabUse,
    #[command(flatten)]
    pub(crate) output: Output,
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
    #[command(flatten)]
    pub(crate) managers: Managers,
    #[command(flatten)]
    pub(crate) lab: LabUse,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `move`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("where-to").required(true).args(["to_kubeconfig", "to_directory"]).multiple(false)))]
pub(crate) struct MoveArgs {
    /// The kubeconfig of the management cluster that the clusters are on
    #[arg(long, value_name = "FILE", env = "KUBECONFIG", required_unless_present = "from_directory")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The kubeconfig of the management cluster that they go to
    #[arg(long, value_name = "FILE")]
    pub(crate) to_kubeconfig: Option<PathBuf>,
    /// Write the objects into this folder, one file each, and leave the clusters where they are
    #[arg(long, value_name = "DIR")]
    pub(crate) to_directory: Option<PathBuf>,
    /// Make the objects of this folder on the target
    #[arg(long, value_name = "DIR", requires = "to_kubeconfig")]
    pub(crate) from_directory: Option<PathBuf>,
    /// The namespace of the clusters; else the one of the kubeconfig's context
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Move this cluster alone, and what belongs to it
    #[arg(long, value_name = "NAME")]
    pub(crate) filter_cluster: Option<String>,
    /// Check everything on both sides, say what would move, and touch nothing
    #[arg(long, conflicts_with_all = ["to_directory", "from_directory", "undo"])]
    pub(crate) dry_run: bool,
    /// Take back a move that was interrupted before its commit
    #[arg(long, conflicts_with_all = ["to_directory", "from_directory"])]
    pub(crate) undo: bool,
    /// Where journal and snapshot of the move are kept; else a folder below `kedge-moves` here
    #[arg(long, value_name = "DIR", conflicts_with_all = ["to_directory", "from_directory"])]
    pub(crate) state_dir: Option<PathBuf>,
    /// The longest wait for controllers to see the pause, and to go to work
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub(crate) timeout: std::time::Duration,
    #[command(flatten)]
    pub(crate) output: Output,
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
