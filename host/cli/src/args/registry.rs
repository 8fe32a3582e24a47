//! Arguments of the commands that bring plugins here and away.

use std::path::PathBuf;

use clap::Args;

/// How registries are reached.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RegistryUse {
    /// A registry (`host:port`) on this machine that is reached without TLS; may be given more than once
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) plain_http: Vec<String>,
    /// A certificate authority (PEM) to trust besides those of this machine; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub(crate) registry_ca: Vec<PathBuf>,
    /// A mirror (`registry.example=mirror.example:5000/path`) that is asked before the registry; may be given more than once
    #[arg(long, value_name = "REGISTRY=MIRROR")]
    pub(crate) mirror: Vec<String>,
}
