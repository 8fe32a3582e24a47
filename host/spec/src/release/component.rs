//! The components that manage clusters: cert-manager and the Cluster API providers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ReleaseError, ReleaseView};
use crate::provider::Description;

/// What a component is to Cluster API. Orders as they are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ComponentKind {
    /// Certificates for webhooks.
    CertManager,
    /// Cluster API itself.
    Core,
    /// Makes machines into nodes.
    Bootstrap,
    /// Makes nodes into control planes.
    ControlPlane,
    /// Makes machines.
    Infrastructure,
}

/// A component to install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// `cert-manager`, `cluster-api`, `kubeadm`, `etcdadm-bootstrap`, `etcdadm-controller`, or the infrastructure's.
    pub name: String,
    /// What it is.
    pub kind: ComponentKind,
    /// With its `v`; build metadata as in the release.
    pub version: String,
    /// Where it is installed.
    pub namespace: String,
    /// Its manifests.
    pub components_url: String,
    /// Its contract versions; cert-manager has none.
    pub metadata_url: Option<String>,
}

/// Entry of the release, name, kind, namespace, field with the manifests.
type Known = (&'static str, &'static str, ComponentKind, &'static str, &'static str);

/// Namespaces are those of the components' own manifests.
const FIRST: [Known; 3] = [
    ("certManager", "cert-manager", ComponentKind::CertManager, "cert-manager", "manifest"),
    ("clusterAPI", "cluster-api", ComponentKind::Core, "capi-system", "components"),
    ("bootstrap", "kubeadm", ComponentKind::Bootstrap, "capi-kubeadm-bootstrap-system", "components"),
];

/// etcd on machines of its own; both are bootstrap providers to clusterctl.
const ETCD: [Known; 2] = [
    (
        "etcdadmBootstrap",
        "etcdadm-bootstrap",
        ComponentKind::Bootstrap,
        "etcdadm-bootstrap-provider-system",
        "components",
    ),
    ("etcdadmController", "etcdadm-controller", ComponentKind::Bootstrap, "etcdadm-controller-system", "components"),
];

const LAST: [Known; 1] =
    [("controlPlane", "kubeadm", ComponentKind::ControlPlane, "capi-kubeadm-control-plane-system", "components")];

impl ReleaseView {
    /// What has to be installed to manage clusters of a provider, in the order of installing. The components are those
    /// of the first bundle, whatever the cluster's version.
    ///
    /// # Errors
    /// When the release lacks one of them.
    pub fn components(&self, provider: &Description, external_etcd: bool) -> Result<Vec<Component>, ReleaseError> {
        let etcd: &[Known] = if external_etcd { &ETCD } else { &[] };
        let mut components: Vec<Component> = FIRST
            .iter()
            .chain(etcd)
            .chain(&LAST)
            .map(|(key, name, kind, namespace, manifests)| self.component(key, name, *kind, namespace, manifests))
            .collect::<Result<_, _>>()?;
        let infrastructure = &provider.infrastructure;
        components.push(self.component(
            &infrastructure.release_key,
            &infrastructure.name,
            ComponentKind::Infrastructure,
            &infrastructure.namespace,
            "components",
        )?);
        Ok(components)
    }

    /// The manifests of the EKS Anywhere controller and its kinds, if the release has them.
    pub fn eksa_components_url(&self) -> Option<&str> {
        url(self.management.pointer("/eksa/components/uri"))
    }

    /// The manifests of Cilium, if the release has any: most have a Helm chart instead.
    pub fn cilium_manifest_url(&self) -> Option<&str> {
        url(self.versions_bundle.pointer("/cilium/manifest/uri"))
    }

    /// The Helm chart of Cilium as an image reference, from the mirror if there is one.
    pub fn cilium_chart(&self) -> Option<String> {
        Some(self.mirror.rewrite(url(self.versions_bundle.pointer("/cilium/helmChart/uri"))?))
    }

    /// The chart of the controller of curated packages, from the mirror if there is one: an image reference with a tag.
    pub fn packages_chart(&self) -> Option<String> {
        Some(self.mirror.rewrite(url(self.versions_bundle.pointer("/packageController/helmChart/uri"))?))
    }

    /// The manifests of kindnetd.
    pub fn kindnetd_manifest_url(&self) -> Option<&str> {
        url(self.versions_bundle.pointer("/kindnetd/manifest/uri"))
    }

    /// An image of the management components by its place in the release (`flux.sourceController`), from the mirror if
    /// there is one.
    pub fn management_image(&self, place: &str) -> Option<String> {
        let at = format!("/{}/uri", place.replace('.', "/"));
        Some(self.mirror.rewrite(url(self.management.pointer(&at))?))
    }

    fn component(
        &self,
        key: &str,
        name: &str,
        kind: ComponentKind,
        namespace: &str,
        manifests: &str,
    ) -> Result<Component, ReleaseError> {
        let field = |field: &str| {
            url(self.management.get(key).and_then(|entry| entry.pointer(field))).ok_or_else(|| ReleaseError::Field {
                name: self.name.clone(),
                field: format!("spec.versionsBundles[0].{key}{}", field.replace('/', ".")),
            })
        };
        Ok(Component {
            name: name.to_owned(),
            kind,
            version: field("/version")?.to_owned(),
            namespace: namespace.to_owned(),
            components_url: field(&format!("/{manifests}/uri"))?.to_owned(),
            metadata_url: field("/metadata/uri").ok().map(str::to_owned),
        })
    }
}

/// Text that is there: the release fills what a provider no longer has with `<placeholder>`.
pub(super) fn url(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty() && !text.starts_with('<'))
}
