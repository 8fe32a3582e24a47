//! What a bootstrap cluster is made for, and what it is to be like.

/// Which bootstrap cluster: that of one cluster, as one folder on one machine knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name of the workload cluster.
    pub cluster: String,
    /// A random word that the folder of the cluster holds. Clusters of the same name and another owner are somebody
    /// else's, and left alone. Empty if there is no folder yet: then nothing is ours.
    pub owner: String,
    /// The folder, for messages.
    pub folder: String,
}

/// What a bootstrap cluster is to be like. A driver that has no use for something passes it over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The image that its nodes are made of.
    pub image: Option<NodeImage>,
    /// The path at which the controllers expect the socket of the container engine on the nodes, if they want it at all.
    pub engine_socket: Option<String>,
    /// How its nodes reach the outside.
    pub proxy: Option<Proxy>,
    /// Where its nodes get images in place of the registries that the images name.
    pub mirror: Option<Mirror>,
}

/// A node image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeImage {
    /// `registry/path/name:tag`.
    pub reference: String,
    /// `sha256:…` of its manifest, where the release says it.
    pub digest: Option<String>,
}

/// Proxies, as programs read them from their environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// For `http`.
    pub http: String,
    /// For `https`.
    pub https: String,
    /// Hosts, domains and networks that are reached without it.
    pub without: Vec<String>,
}

/// A registry that stands in for others.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Mirror {
    /// `host:port`.
    pub endpoint: String,
    /// Which registries it stands in for.
    pub hosts: Vec<MirrorHost>,
    /// The authority that signed its certificate, PEM.
    pub ca_pem: Option<String>,
    /// Whether its certificate is not to be looked at.
    pub insecure: bool,
    /// User name and password.
    pub login: Option<(String, String)>,
}

// A password is in it.
impl std::fmt::Debug for Mirror {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Mirror")
            .field("endpoint", &self.endpoint)
            .field("hosts", &self.hosts)
            .field("login", &self.login.is_some())
            .finish_non_exhaustive()
    }
}

/// A registry, and where the mirror has its images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorHost {
    /// For example `public.ecr.aws`.
    pub registry: String,
    /// The path in the mirror, for example `eks-anywhere`; empty for the root.
    pub path: String,
}

/// Something that was looked at before anything is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A stable id, as `--skip-validations` takes it.
    pub id: &'static str,
    /// The line for a pass.
    pub title: &'static str,
    /// How it went.
    pub outcome: Outcome,
}

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// It will do, but the user should know.
    Warned(Vec<Finding>),
    /// No bootstrap cluster can be made like this.
    Failed(Vec<Finding>),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable word for it.
    pub code: &'static str,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}
