//! Why there is no bootstrap cluster.

use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong between asking for a bootstrap cluster and having it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The file with the kubeconfig can't be read.
    #[error("the kubeconfig `{}` can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What should be a kubeconfig is none.
    #[error("{origin} is not a kubeconfig that can be used: {reason}")]
    Kubeconfig {
        /// Where it came from.
        origin: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// The service has an address that no request can be sent to.
    #[error("the bootstrap service's address `{url}` can't be used: {reason}")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate authority of the service is not one.
    #[error("the certificate authority for the bootstrap service `{url}` can't be used: {reason}")]
    Authority {
        /// The service.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The service does not answer.
    #[error("the bootstrap service `{url}` does not answer")]
    Unreachable {
        /// The service.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The service answered, and the answer is no.
    #[error("the bootstrap service `{url}` refused to {action} the bootstrap cluster of `{cluster}`: {reason}")]
    Refused {
        /// The service.
        url: String,
        /// What it was asked to do.
        action: &'static str,
        /// The workload cluster.
        cluster: String,
        /// Its words, or what its status means.
        reason: String,
    },
}

impl BootstrapError {
    /// What the user can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { path, .. } => format!("check that `{}` exists and that you may read it", path.display()),
            Self::Kubeconfig { .. } => "try it with `kubectl --kubeconfig FILE get nodes`; it needs a current context with a server, a certificate authority and credentials".into(),
            Self::Address { .. } => "write it as `https://HOST[:PORT]`".into(),
            Self::Authority { .. } => "give the PEM certificate of the authority that signed the service's certificate".into(),
            Self::Unreachable { url, .. } => format!("check that the service behind `{url}` runs and can be reached from here, then run the same command again"),
            Self::Refused { .. } => "look at the service's own log, then run the same command again".into(),
        }
    }
}
