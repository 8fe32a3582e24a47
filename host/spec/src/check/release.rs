//! Versions: of Kubernetes in the release, of worker node groups beside the control plane, of EKS Anywhere.

use super::{Findings, worker, worker_title};
use crate::cluster::Cluster;
use crate::path;
use crate::release::Release;
use crate::version::KubernetesVersion;

/// How many minor versions a worker may be behind its control plane.
const SKEW: u32 = 2;

/// The rules that need no release.
pub(super) fn versions(cluster: &Cluster, findings: &mut Findings<'_>) {
    let version = cluster.spec.kubernetes_version;
    for (index, group) in cluster.spec.worker_node_group_configurations.iter().enumerate() {
        let Some(own) = group.kubernetes_version else { continue };
        let at = path::join(&worker(index), "kubernetesVersion");
        let title = worker_title(&group.name, index);
        if version == KubernetesVersion::default() {
            // The cluster's own version is missing, which is said elsewhere.
            continue;
        }
        if own > version {
            findings.error(
                "worker-version-skew",
                &at,
                format!("{title} has Kubernetes {own}, newer than the control plane's {version}"),
                "upgrade the control plane first: nodes are never newer than their API server",
            );
        } else if own.major == version.major && version.minor - own.minor > SKEW {
            findings.error(
                "worker-version-skew",
                &at,
                format!(
                    "{title} has Kubernetes {own}, more than {SKEW} minor versions behind the control plane's {version}"
                ),
                format!("use {}.{} or newer", version.major, version.minor - SKEW),
            );
        }
    }
    if cluster.spec.eksa_version.is_some() && cluster.spec.bundles_ref.is_some() {
        findings.error(
            "bundles-and-version",
            "spec.bundlesRef",
            "`bundlesRef` and `eksaVersion` both pick the release",
            "remove `bundlesRef`, which is the old form",
        );
    }
}

/// Whether a text is a version of EKS Anywhere. Asked of the file itself: the release in use takes its place.
pub(crate) fn eksa_version(text: &str) -> bool {
    semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).is_ok()
}

pub(super) fn check(cluster: &Cluster, release: &Release, findings: &mut Findings<'_>) {
    let own = std::iter::once(("spec.kubernetesVersion".to_owned(), cluster.spec.kubernetes_version));
    let groups = cluster.spec.worker_node_group_configurations.iter().enumerate().filter_map(|(index, group)| {
        let version = group.kubernetes_version.filter(|v| *v != cluster.spec.kubernetes_version)?;
        Some((path::join(&worker(index), "kubernetesVersion"), version))
    });
    for (at, version) in own.chain(groups) {
        if !release.has(version) {
            let finding = release.unknown(version);
            findings.error(&finding.code, &at, finding.message, finding.remedy);
        }
    }
}
