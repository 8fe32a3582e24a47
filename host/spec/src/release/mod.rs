//! Releases: the EKS Anywhere `Bundles` manifest and the EKS-D `Release` of each Kubernetes version.

mod bundles;
mod canonical;
mod component;
mod error;
mod license;
mod list;
mod mirror;
mod signature;
mod trust;
mod view;

pub use bundles::Bundles;
pub use component::{Component, ComponentKind};
pub use error::ReleaseError;
pub use license::{License, LicenseError};
pub use list::{ListedRelease, ReleaseList};
pub use mirror::Mirror;
pub use signature::{NotAKey, PublicKey, Signature, Signers};
pub use trust::Terms;
pub use view::{ReleaseView, Repositories, Repository};

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::defaulted::DefaultedSpec;
use crate::finding::{Finding, ObjectRef};
use crate::suggest;
use crate::version::KubernetesVersion;
use bundles::Bundle;

/// A release: what each Kubernetes version is made of, and the components that manage clusters.
#[derive(Debug, Clone)]
pub struct Release {
    name: String,
    number: u64,
    digest: String,
    /// The manifest without its list of bundles.
    head: Value,
    /// What the list of releases says of it, if it came by a list.
    listed: Option<ListedRelease>,
    /// As in the manifest; the first one holds the management components.
    bundles: Vec<Bundle>,
    /// The EKS-D release of each manifest URL that was given.
    eksd: BTreeMap<String, Value>,
}

impl Release {
    /// A release from its manifests. `eksd` maps a `manifestUrl` of the bundles to that manifest's text; versions
    /// without one are known, but can't be viewed.
    ///
    /// # Errors
    /// When a manifest is not YAML or not of its kind.
    pub fn from_parts(
        bundles_yaml: &str,
        bundles_name: &str,
        eksd: BTreeMap<String, String>,
    ) -> Result<Self, ReleaseError> {
        Bundles::parse(bundles_yaml, bundles_name)?.with_eksd(eksd)
    }

    /// The same as one of a list of releases.
    #[must_use]
    pub fn listed_as(mut self, listed: Option<ListedRelease>) -> Self {
        self.listed = listed;
        self
    }

    /// What the list of releases says of it, if it came by a list.
    pub fn listed(&self) -> Option<&ListedRelease> {
        self.listed.as_ref()
    }

    /// The `Bundles` manifest.
    pub fn manifest(&self) -> Value {
        let mut manifest = self.head.clone();
        if let Some(spec) = manifest.get_mut("spec").and_then(Value::as_object_mut) {
            let bundles = self.bundles.iter().map(|bundle| bundle.value.clone()).collect();
            spec.insert("versionsBundles".to_owned(), bundles);
        }
        manifest
    }

    /// The EKS-D manifest of each Kubernetes version, as the bundles name it.
    pub fn eksd_manifests(&self) -> impl Iterator<Item = (KubernetesVersion, &str)> {
        self.bundles.iter().map(|b| (b.version, b.eksd_url.as_str()))
    }

    /// Where the kinds of EKS-D are defined; the same place for most versions.
    pub fn eksd_component_urls(&self) -> impl Iterator<Item = &str> {
        self.bundles.iter().filter_map(|b| component::url(b.value.pointer("/eksD/components")))
    }

    /// All Kubernetes versions, oldest first.
    pub fn kubernetes_versions(&self) -> Vec<KubernetesVersion> {
        let mut versions: Vec<_> = self.bundles.iter().map(|b| b.version).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    /// `spec.number` of the bundles.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// `metadata.name` of the bundles.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of all manifests in hex.
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    /// The EKS Anywhere version of the release without build metadata, `v0.26.1`.
    pub fn eksa_version(&self) -> Option<String> {
        if let Some(listed) = &self.listed {
            return Some(listed.version.clone());
        }
        let version = self.bundles.first()?.value.pointer("/eksa/version")?.as_str()?;
        Some(version.split('+').next().unwrap_or(version).to_owned())
    }

    /// The Kubernetes versions that a spec needs, without duplicates: what has to be fetched of EKS-D.
    pub fn needed(cluster: &Cluster) -> Vec<KubernetesVersion> {
        let workers = cluster.spec.worker_node_group_configurations.iter();
        let mut versions = vec![cluster.spec.kubernetes_version];
        versions.extend(workers.filter_map(|group| group.kubernetes_version));
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    /// The release as a cluster sees it.
    ///
    /// # Errors
    /// When it lacks a Kubernetes version of the spec, or the EKS-D manifest of one.
    #[expect(clippy::result_large_err, reason = "made once in a run, and callers want the finding itself")]
    pub fn view(&self, spec: &DefaultedSpec) -> Result<ReleaseView, Finding> {
        self.view_of(spec.cluster(), &spec.cluster_ref())
    }

    #[expect(clippy::result_large_err, reason = "made once in a run, and callers want the finding itself")]
    pub(crate) fn view_of(&self, cluster: &Cluster, reference: &ObjectRef) -> Result<ReleaseView, Finding> {
        let mirror = cluster.spec.registry_mirror_configuration.as_ref().map(Mirror::new).unwrap_or_default();
        let at = |version, path: &str| {
            let bundle = self.bundle(version).ok_or_else(|| self.unknown(version).at(reference, path))?;
            let eksd = self.eksd.get(&bundle.eksd_url).ok_or_else(|| {
                let message =
                    format!("the release manifest `{}` of Kubernetes {version} was not loaded", bundle.eksd_url);
                Finding::error("release-incomplete", message).at(reference, path)
            })?;
            ReleaseView::new(bundle, eksd, self.bundles.first().unwrap_or(bundle), &mirror)
                .map_err(|error| Finding::error("release-malformed", error.to_string()).at(reference, path))
        };
        let mut view = at(cluster.spec.kubernetes_version, "spec.kubernetesVersion")?;
        for (index, group) in cluster.spec.worker_node_group_configurations.iter().enumerate() {
            if let Some(version) = group.kubernetes_version.filter(|v| *v != cluster.spec.kubernetes_version) {
                let path = format!("spec.workerNodeGroupConfigurations[{index}].kubernetesVersion");
                view.workers.insert(group.name.clone(), at(version, &path)?);
            }
        }
        Ok(view)
    }

    fn bundle(&self, version: KubernetesVersion) -> Option<&Bundle> {
        self.bundles.iter().find(|b| b.version == version)
    }

    /// The finding for a version that is not in the release, without its place.
    pub(crate) fn unknown(&self, version: KubernetesVersion) -> Finding {
        let known: Vec<String> = self.kubernetes_versions().iter().map(ToString::to_string).collect();
        let all = suggest::list(known.iter().map(String::as_str)).unwrap_or_default();
        Finding::error(
            "kubernetes-version-unknown",
            format!("Kubernetes {version} is not in the release `{}`", self.name),
        )
        .remedy(format!("use one of {all}, or another release"))
    }

    /// Whether a version is in the release.
    pub fn has(&self, version: KubernetesVersion) -> bool {
        self.bundle(version).is_some()
    }
}
