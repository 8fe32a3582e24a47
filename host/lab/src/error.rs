//! What can go wrong with the lab itself.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the lab could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A listener could not be opened.
    #[error("the lab could not listen on `{address}`")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("the lab could not make a certificate for `{name}`: {reason}")]
    Certificate {
        /// Whom the certificate is for.
        name: String,
        /// Why not.
        reason: String,
    },
    /// TLS could not be set up with the lab's own certificates.
    #[error("the lab could not set up TLS")]
    Tls(#[from] rustls::Error),
    /// A file of the lab could not be read or written.
    #[error("the lab could not {action} `{}`", path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A connection file holds something else.
    #[error("`{}` does not describe a running lab", path.display())]
    Connection {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A lab that should run does not answer.
    #[error("the lab at `{url}` does not answer")]
    NoAnswer {
        /// Its control API.
        url: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A `--lab-fault` that does not exist or lacks its argument.
    #[error(transparent)]
    Fault(#[from] crate::fault::UnknownFault),
    /// The simulated Kubernetes API refused something that the lab itself asked for.
    #[error("the lab could not {what}: {reason}")]
    Kubernetes {
        /// What was being done.
        what: String,
        /// What the simulated API answered.
        reason: String,
    },
}
