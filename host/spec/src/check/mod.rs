//! The rules for a Cluster: EKS Anywhere's, in the order that it has them, but all of them and not only the first.

mod control_plane;
mod etcd;
mod gitops;
mod kubelet;
mod machines;
mod names;
mod network;
mod references;
mod registry;
mod release;
mod rollout;
mod workers;

use crate::cluster::Cluster;
use crate::defaulted::DefaultedSpec;
use crate::finding::{Finding, ObjectRef};
use crate::path;
use crate::provider::Description;
use crate::release::Release;

pub(crate) use etcd::not_at_create;
pub(crate) use release::eksa_version;

/// Collects findings about one Cluster.
pub(crate) struct Findings<'a> {
    cluster: &'a ObjectRef,
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    fn new(cluster: &'a ObjectRef) -> Self {
        Self { cluster, found: Vec::new() }
    }

    fn error(&mut self, code: &str, path: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Finding::error(code, message).at(self.cluster, path).remedy(remedy));
    }

    fn warning(&mut self, code: &str, path: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Finding::warning(code, message).at(self.cluster, path).remedy(remedy));
    }
}

/// All rules.
pub(crate) fn all(spec: &DefaultedSpec, provider: &Description, release: &Release) -> Vec<Finding> {
    let cluster = spec.cluster();
    let reference = spec.cluster_ref();
    let mut findings = Findings::new(&reference);
    findings.found = cluster_rules(cluster, &reference);
    control_plane::endpoint(cluster, provider, &mut findings);
    machines::check(spec, provider, &mut findings);
    network::cni_of_provider(cluster, provider, &mut findings);
    references::check(spec, provider, &mut findings);
    gitops::check(spec, &mut findings);
    release::check(cluster, release, &mut findings);
    findings.found
}

/// The rules that need nothing but the Cluster.
pub(crate) fn cluster_rules(cluster: &Cluster, reference: &ObjectRef) -> Vec<Finding> {
    let mut findings = Findings::new(reference);
    names::check(cluster, &mut findings);
    control_plane::check(cluster, &mut findings);
    etcd::check(cluster, &mut findings);
    workers::check(cluster, &mut findings);
    rollout::check(cluster, &mut findings);
    network::check(cluster, &mut findings);
    registry::check(cluster, &mut findings);
    kubelet::check(cluster, &mut findings);
    references::kinds(cluster, &mut findings);
    release::versions(cluster, &mut findings);
    findings.found
}

/// The path of a worker node group.
fn worker(index: usize) -> String {
    path::item("spec.workerNodeGroupConfigurations", index)
}

/// How a worker node group is called in messages.
fn worker_title(name: &str, index: usize) -> String {
    if name.is_empty() {
        format!("the worker node group number {}", index + 1)
    } else {
        format!("the worker node group `{name}`")
    }
}
