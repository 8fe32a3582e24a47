//! A management cluster to start from.
//!
//! A create needs a Kubernetes cluster that runs the Cluster API controllers until the new cluster can run its own: the
//! bootstrap cluster. Where it comes from is a driver's affair: [`docker`] makes one in a container, [`existing`] uses one
//! that is there already, and [`service`] asks a service for one. The caller knows the difference only through
//! [`Driver::temporary`].

#![forbid(unsafe_code)]

pub mod docker;
mod error;
pub mod existing;
pub mod service;
mod wanted;

pub use error::BootstrapError;
pub use wanted::{Check, Finding, Identity, Mirror, MirrorHost, NodeImage, Outcome, Proxy, Wanted};

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

/// A bootstrap cluster that is there and can be talked to.
#[derive(Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// Its kubeconfig, as YAML, with administrator's rights.
    pub kubeconfig: String,
}

// A kubeconfig holds a private key.
impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Bootstrap").finish_non_exhaustive()
    }
}

/// Hears what a driver is waiting for.
pub trait Progress: Send + Sync {
    /// Something is awaited: `image NAME`, "downloading, 40 %". Comes again whenever the sentence changes.
    fn waiting(&self, object: &str, sentence: &str);

    /// Worth knowing: one sentence without a full stop.
    fn note(&self, sentence: &str);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn waiting(&self, _object: &str, _sentence: &str) {}

    fn note(&self, _sentence: &str) {}
}

/// One run of a program that an image holds.
#[derive(Debug, Clone, Copy)]
pub struct ToolRun<'a> {
    /// The image, as the engine pulls it.
    pub image: &'a str,
    /// The program and its arguments.
    pub command: &'a [String],
    /// Its variables.
    pub environment: &'a BTreeMap<String, String>,
    /// Files that it needs: path in the container, and content. Nobody but it can read them.
    pub files: &'a [(String, String)],
    /// What it reads on its standard input.
    pub input: &'a str,
    /// The longest run.
    pub bound: Duration,
}

/// A way to come by bootstrap clusters.
///
/// Every call may be repeated: `create` for a cluster that has one hands out that one, `delete` of none does nothing.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What it is, for messages: `existing cluster`.
    fn name(&self) -> &str;

    /// Whether its clusters are made for one run and deleted at its end.
    fn temporary(&self) -> bool;

    /// Whether it can run programs of images, which [`Driver::run`] does then.
    fn runs_images(&self) -> bool {
        false
    }

    /// Runs a program of an image to its end, and hands out what it wrote to its standard output; nothing if this driver
    /// can't. The container is gone afterwards.
    async fn run(&self, _run: &ToolRun<'_>) -> Result<Option<String>, BootstrapError> {
        Ok(None)
    }

    /// Whether a bootstrap cluster can be made here, found out without touching anything. One check for each thing that
    /// was looked at; a driver that has nothing to look at gives none.
    async fn check(&self, _cluster: &Identity, _wanted: &Wanted) -> Vec<Check> {
        Vec::new()
    }

    /// The bootstrap cluster of `cluster`, if there is one that is whole.
    async fn find(&self, cluster: &Identity) -> Result<Option<Bootstrap>, BootstrapError>;

    /// Whether anything of it is there, be it whole, half-made or stopped.
    async fn remains(&self, cluster: &Identity) -> Result<bool, BootstrapError> {
        Ok(self.find(cluster).await?.is_some())
    }

    /// Makes the bootstrap cluster of `cluster`, or hands out the one that is there. What an earlier try left half-made
    /// is continued or replaced.
    async fn create(
        &self,
        cluster: &Identity,
        wanted: &Wanted,
        progress: &dyn Progress,
    ) -> Result<Bootstrap, BootstrapError>;

    /// Deletes all that there is of the bootstrap cluster of `cluster`, if this driver made it.
    async fn delete(&self, cluster: &Identity) -> Result<(), BootstrapError>;

    /// What there is to see from outside when something went wrong: names and contents of files. Never fails; what can't
    /// be found out is said in the text.
    async fn evidence(&self, _cluster: &Identity) -> Vec<(String, String)> {
        Vec::new()
    }
}
