//! Why there is no bootstrap cluster.

use std::path::PathBuf;

use thiserror::Error;

use crate::docker::Trouble;

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
    /// Where the container engine is can't be made out.
    #[error("the container engine that {origin} names, `{given}`, can't be used: {reason}")]
    EngineAddress {
        /// The address or file.
        given: String,
        /// Who named it.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The container engine did not do what it was asked.
    #[error("the container engine at `{at}` could not {action}: {reason}")]
    Engine {
        /// Its address.
        at: String,
        /// What it was asked, as the end of "it could not …".
        action: String,
        /// Its words.
        reason: String,
        /// What is behind it.
        trouble: Trouble,
        /// The client's error.
        source: Box<bollard::errors::Error>,
    },
    /// A bootstrap cluster of that name is there, and is not this folder's.
    #[error(
        "there is a bootstrap cluster `{cluster}` (container `{container}`) that was not made for this folder{}",
        made_for(folder)
    )]
    Foreign {
        /// Its name, as kind shows it.
        cluster: String,
        /// One of its containers.
        container: String,
        /// The folder that it was made for, if it says one.
        folder: String,
    },
    /// Nothing says which image a node is made of.
    #[error("the release names no node image for the bootstrap cluster of `{cluster}`")]
    NoImage {
        /// The workload cluster.
        cluster: String,
    },
    /// The node image can't be had.
    #[error("the node image `{image}` can't be had: {reason}")]
    Image {
        /// Its reference.
        image: String,
        /// The engine's words.
        reason: String,
        /// What is behind it.
        trouble: Trouble,
    },
    /// The node image is another one than the release names.
    #[error("the node image `{image}` is not the one of the release: its digest should be {wanted}, and it is {found}")]
    Digest {
        /// Its reference.
        image: String,
        /// The release's digest.
        wanted: String,
        /// The digests that the engine knows it by.
        found: String,
    },
    /// Something on the node did not work.
    #[error("the bootstrap node `{node}` could not {action}: {reason}")]
    Node {
        /// The container.
        node: String,
        /// What it was to do.
        action: String,
        /// The last words of the program.
        reason: String,
        /// What is behind it.
        trouble: Trouble,
    },
    /// The user's kubeconfig could not be cleaned of the bootstrap cluster's entries.
    #[error("the entries of the bootstrap cluster can't be removed from the kubeconfig `{}`", path.display())]
    UserKubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn made_for(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!(" but for `{folder}`") }
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
            Self::EngineAddress { origin, .. } => format!("correct {origin}, or set `DOCKER_HOST` to `unix://PATH` or `tcp://HOST:PORT`; with `--bootstrap-kubeconfig FILE` an existing cluster is used in its place"),
            Self::Foreign { cluster, folder, .. } if folder.is_empty() => format!("it was left alone; if nobody needs it, `kind delete cluster --name {cluster}` removes it"),
            Self::Foreign { container, folder, .. } => format!("it was left alone; go on in `{folder}` or delete the cluster there; if that folder is gone, `docker rm -f -v {container}` removes it"),
            Self::NoImage { .. } => "name one with `--node-image IMAGE`, or an existing cluster with `--bootstrap-kubeconfig FILE`".into(),
            Self::Digest { image, .. } => format!("remove it (`docker rmi {image}`) and run the same command again; if it stays so, somebody changed it in the registry"),
            Self::Node { trouble: Trouble::Other, .. } => "the diagnosis holds the node's own logs; run the same command again to replace it".into(),
            Self::Engine { trouble, .. } | Self::Image { trouble, .. } | Self::Node { trouble, .. } => trouble.remedy(),
            Self::UserKubeconfig { path, .. } => format!("check that you may write `{0}` and that no `{0}.lock` was left by another program, then run the same command again", path.display()),
        }
    }
}
