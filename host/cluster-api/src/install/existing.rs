//! What is installed already, and whether what is to be installed goes with it.

use std::collections::BTreeMap;

use kedge_spec::release::ComponentKind;
use serde_json::Value;

use super::inventory::{CERT_MANAGER_VERSION, CLUSTERCTL_LABEL, CORE_LABEL, provider_label};
use super::manifest::Prepared;
use super::storage_version;
use crate::api::Api;
use crate::error::Error;
use crate::object::{ObjectId, annotation, items, kinds, label, text};

/// The definition that says whether there is a cert-manager.
const CERTIFICATES: &str = "certificates.cert-manager.io";

/// The cert-manager of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CertManager {
    /// There is none.
    Absent,
    /// `clusterctl` or this program installed it.
    Ours {
        /// Its version.
        version: String,
    },
    /// Somebody else installed it: it is used, and left as it is.
    Foreign,
}

/// A provider of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    namespace: String,
    version: String,
}

/// What a management cluster has.
#[derive(Debug)]
pub(super) struct Existing {
    pub(super) cert_manager: CertManager,
    providers: BTreeMap<String, Vec<Entry>>,
    /// The stored version of each definition.
    stored: BTreeMap<String, String>,
}

impl Existing {
    pub(super) async fn on(api: &Api) -> Result<Self, Error> {
        let (provider, definition) = (kinds::PROVIDER, kinds::CRD);
        let (certificates, entries, definitions) = futures::join!(
            cert_manager(api),
            known_or_none(api.list(&provider, None, None)),
            api.list(&definition, None, Some(CLUSTERCTL_LABEL)),
        );
        let mut providers: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for entry in entries? {
            let part = |at| text(&entry, at).unwrap_or_default().to_owned();
            let found = Entry { namespace: part("/metadata/namespace"), version: part("/version") };
            providers.entry(part("/metadata/name")).or_default().push(found);
        }
        let stored = definitions?
            .iter()
            .filter_map(|crd| Some((text(crd, "/metadata/name")?.to_owned(), storage_version(crd)?.to_owned())))
            .collect();
        Ok(Self { cert_manager: certificates?, providers, stored })
    }

    /// Whether a provider is there in another version than the one to be installed.
    pub(super) fn changes(&self, component: &Prepared) -> bool {
        if component.component.kind == ComponentKind::CertManager {
            return matches!(&self.cert_manager, CertManager::Ours { version } if *version != component.component.version);
        }
        provider_label(&component.component)
            .and_then(|name| self.providers.get(&name))
            .is_some_and(|there| there.iter().any(|e| e.version != component.component.version))
    }

    /// Whether the cert-manager that is there is used as it is.
    pub(super) fn keeps_cert_manager(&self, wanted: &str) -> bool {
        match &self.cert_manager {
            CertManager::Absent => false,
            CertManager::Ours { version } => newer(version, wanted),
            CertManager::Foreign => true,
        }
    }

    /// Why the components can't be installed here, all reasons at once.
    pub(super) fn conflicts(&self, server: &str, wanted: &[Prepared]) -> Vec<String> {
        let mut conflicts = Vec::new();
        for prepared in wanted {
            let component = &prepared.component;
            if component.kind == ComponentKind::CertManager {
                continue;
            }
            let Some(name) = provider_label(component) else { continue };
            for there in self.providers.get(&name).into_iter().flatten() {
                if there.namespace != component.namespace {
                    conflicts.push(format!(
                        "{name} {} is in the namespace {} of {server}, and there can't be a second one in {}",
                        there.version, there.namespace, component.namespace
                    ));
                } else if newer(&there.version, &component.version) {
                    conflicts.push(format!(
                        "{name} on {server} is {}, newer than {} of this release",
                        there.version, component.version
                    ));
                }
            }
            for definition in &prepared.definitions {
                let Some(crd) = text(definition, "/metadata/name") else { continue };
                let Some(stored) = self.stored.get(crd) else { continue };
                if !items(definition, "/spec/versions").iter().any(|v| text(v, "/name") == Some(stored)) {
                    conflicts.push(format!(
                        "{server} stores objects of {crd} as {stored}, which {name} {} does not know: they come from a newer contract",
                        component.version
                    ));
                }
            }
        }
        conflicts
    }
}

/// Whether a version is newer than another. What is no version is not; build metadata does not count.
pub(super) fn newer(version: &str, than: &str) -> bool {
    let parse = |text: &str| semver::Version::parse(text.trim_start_matches('v')).ok();
    matches!((parse(version), parse(than)), (Some(a), Some(b)) if a.cmp_precedence(&b).is_gt())
}

/// The cert-manager of a cluster.
pub(super) async fn cert_manager(api: &Api) -> Result<CertManager, Error> {
    let Some(crd) = api.get(&ObjectId::cluster_wide(kinds::CRD, CERTIFICATES)).await? else {
        return Ok(CertManager::Absent);
    };
    Ok(match (label(&crd, CORE_LABEL), annotation(&crd, CERT_MANAGER_VERSION)) {
        (Some("cert-manager"), version) => CertManager::Ours { version: version.unwrap_or_default().to_owned() },
        _ => CertManager::Foreign,
    })
}

/// A kind that is not served has no objects.
pub(super) async fn known_or_none(list: impl Future<Output = Result<Vec<Value>, Error>>) -> Result<Vec<Value>, Error> {
    match list.await {
        Err(Error::UnknownKind { .. }) => Ok(Vec::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::newer;

    #[test]
    fn versions_are_compared_as_versions() {
        assert!(newer("v1.10.0", "v1.9.9"));
        assert!(newer("v1.10.0", "v1.10.0-rc.1"));
        assert!(!newer("v1.10.0+b", "v1.10.0+a"));
        assert!(!newer("latest", "v1.0.0"));
    }
}
