//! Everything that a caller can set, in one place. Nothing in this crate reads arguments, the environment or the clock
//! by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kedge_bootstrap::Driver;
use kedge_plugin::Rules;

use crate::interrupt::Interrupt;

/// Looks up environment variables.
pub type EnvironmentLookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The longest waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the control plane.
    pub control_plane: Duration,
    /// For external etcd.
    pub external_etcd: Duration,
    /// For one machine; groups of machines get it once for each machine.
    pub per_machine: Duration,
    /// For an object that reports an error to come right by itself.
    pub error: Duration,
    /// For controllers and add-ons to come up after they were installed.
    pub installation: Duration,
    /// For the management of the cluster to be moved.
    pub pivot: Duration,
    /// For the cluster's machines to be gone.
    pub deletion: Duration,
    /// Wait without end.
    pub unlimited: bool,
}

impl Default for Timeouts {
    /// As `eksctl anywhere` has them.
    fn default() -> Self {
        let minutes = |m: u64| Duration::from_secs(m * 60);
        Self {
            control_plane: minutes(60),
            external_etcd: minutes(60),
            per_machine: minutes(10),
            error: minutes(5),
            installation: minutes(30),
            pivot: minutes(30),
            deletion: minutes(60),
            unlimited: false,
        }
    }
}

/// Where one of the spec's servers is reached in place of its own address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointOverride {
    /// The address to dial.
    pub address: SocketAddr,
    /// The authority to trust for it, PEM. The spec's own TLS settings hold if there is none.
    pub ca_pem: Option<String>,
}

/// The spec as the user gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecInput {
    /// A file to read.
    File(PathBuf),
    /// Text that was read already, for example from standard input, and the name it goes by in messages.
    Text {
        /// For example `<stdin>`.
        name: String,
        /// The whole text.
        text: String,
    },
}

/// How a command is to run.
#[derive(Clone)]
pub struct Options {
    /// Where the clusters' folders are; usually the current folder.
    pub directory: PathBuf,
    /// The cluster spec.
    pub spec: Option<SpecInput>,
    /// The release manifest (`Bundles`): a path, an `https://` or `http://` address, or one of [`Options::embedded`].
    pub release: String,
    /// Whether a release without signature is refused. A wrong signature always is.
    pub require_signed_release: bool,
    /// The public key of whoever signs the release, in place of EKS Anywhere's: a file, PEM or base64.
    pub release_key: Option<PathBuf>,
    /// The public key of licences: a file, PEM or base64. Without one, their signatures are not checked.
    pub license_key: Option<PathBuf>,
    /// Files that the program brings along, by address: `embedded:NAME`.
    pub embedded: BTreeMap<String, String>,
    /// Where downloads are kept; nothing is kept if there is none.
    pub cache: Option<PathBuf>,
    /// Where compiled plugins are kept; nothing is kept if there is none.
    pub plugin_cache: Option<PathBuf>,
    /// Plugin files that come before all others.
    pub plugins: Vec<PathBuf>,
    /// The rules under which plugins are used.
    pub plugin_rules: Rules,
    /// The folder of installed plugins.
    pub installed_plugins: Option<PathBuf>,
    /// The environment, for credentials.
    pub environment: EnvironmentLookup,
    /// Servers of the spec that are reached elsewhere, by the host name they have in the spec.
    pub endpoints: BTreeMap<String, EndpointOverride>,
    /// Where bootstrap clusters come from.
    pub bootstrap: Option<Arc<dyn Driver>>,
    /// The kubeconfig of the management cluster, for a cluster that names one. It is looked for if this names none.
    pub management_kubeconfig: Option<PathBuf>,
    /// The longest waits.
    pub timeouts: Timeouts,
    /// Whether the infrastructure lives and ends with this process, as a rehearsal's may: what a run makes in it is
    /// then nothing that a later run could go on with.
    pub ephemeral: bool,
    /// Whether this is a rehearsal on simulated infrastructure: what is real beside it (a GitOps repository) is left alone.
    pub rehearsal: bool,
    /// The API servers of the clusters that a rehearsal has: no other management cluster may be touched in one.
    pub rehearsal_servers: Vec<String>,
    /// Preflight checks to leave out, by id.
    pub skip: Vec<String>,
    /// Leave out the check whether the control plane's address is in use.
    pub skip_ip_check: bool,
    /// Warnings are errors.
    pub strict: bool,
    /// Stop before the first step that touches anything, and say what would be done.
    pub dry_run: bool,
    /// The version of this program, for the journal.
    pub version: String,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How to stop.
    pub interrupt: Interrupt,
}

impl Options {
    /// Options with which nothing is overridden: an empty environment, no bootstrap driver, no caches, the usual waits.
    pub fn new(directory: impl Into<PathBuf>, release: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            spec: None,
            release: release.into(),
            require_signed_release: false,
            release_key: None,
            license_key: None,
            embedded: BTreeMap::new(),
            cache: None,
            plugin_cache: None,
            plugins: Vec::new(),
            plugin_rules: Rules::default(),
            installed_plugins: None,
            environment: Arc::new(|_| None),
            endpoints: BTreeMap::new(),
            bootstrap: None,
            management_kubeconfig: None,
            timeouts: Timeouts::default(),
            ephemeral: false,
            rehearsal: false,
            rehearsal_servers: Vec::new(),
            skip: Vec::new(),
            skip_ip_check: false,
            strict: false,
            dry_run: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock: Arc::new(SystemClock),
            interrupt: Interrupt::never(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options")
            .field("directory", &self.directory)
            .field("spec", &self.spec)
            .field("release", &self.release)
            .field("plugins", &self.plugins)
            .field("bootstrap", &self.bootstrap.as_ref().map(|d| d.name().to_owned()))
            .field("management_kubeconfig", &self.management_kubeconfig)
            .finish_non_exhaustive()
    }
}
