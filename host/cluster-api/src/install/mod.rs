//! Putting cert-manager and the Cluster API providers of a release on a cluster.
//!
//! What is left on the cluster is what `clusterctl init` leaves: the same objects, namespaces, labels and inventory, so that
//! `clusterctl` sees, upgrades and moves them. The way there waits for what it needs: definitions are served before anything
//! of their kind is applied, certificates are issued and injected before webhooks are relied on, and a request that changes
//! nothing proves in the end that the webhooks answer.

mod certmanager;
mod envsubst;
mod existing;
mod images;
mod inventory;
mod manifest;
mod proof;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kedge_spec::release::{Component, ComponentKind};
use serde_json::Value;

use existing::{CertManager, Existing};
pub use images::{ImageOverride, ImageOverrides};
pub(crate) use inventory::{CLUSTERCTL_LABEL, CORE_LABEL, PROVIDER_LABEL};
use manifest::Prepared;

use crate::FIELD_MANAGER;
use crate::api::{Api, Apply};
use crate::error::Error;
use crate::object::{ObjectId, items, kinds, text};
use crate::progress::Progress;
use crate::readiness::{self, Timeout, Verdict};

/// A component and the text of its manifest.
#[derive(Debug, Clone)]
pub struct ComponentManifests {
    /// Which.
    pub component: Component,
    /// Its `components.yaml`, variables not yet filled.
    pub yaml: String,
    /// Images in place of those that it names.
    pub images: ImageOverrides,
}

/// The bounds of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstallTimeouts {
    /// For definitions to be served.
    pub definitions: Timeout,
    /// For certificates to be issued and injected.
    pub certificates: Timeout,
    /// For the deployments of one component to be available.
    pub deployments: Timeout,
}

impl Default for InstallTimeouts {
    fn default() -> Self {
        Self {
            definitions: Timeout::after(Duration::from_mins(1)),
            certificates: Timeout::after(Duration::from_mins(5)),
            deployments: Timeout::after(Duration::from_mins(10)),
        }
    }
}

impl InstallTimeouts {
    /// Practically no bounds.
    pub fn unlimited() -> Self {
        Self {
            definitions: Timeout::unlimited(),
            certificates: Timeout::unlimited(),
            deployments: Timeout::unlimited(),
        }
    }
}

/// How many objects are applied at the same time.
const SIDE_BY_SIDE: usize = 16;

/// Installs components, or brings those that are there to the version that is asked for: definitions first, then
/// cert-manager, then all providers side by side. May be run again at any time. A cert-manager that somebody else installed
/// is used as it is. `variables` are the values of `${VARIABLE}`s.
///
/// # Errors
/// A manifest that can't be used, or something installed that it does not go with (nothing was touched then); an object that
/// the server refuses; or a wait that ran out.
pub async fn install(
    api: &Api,
    components: &[ComponentManifests],
    variables: &BTreeMap<String, String>,
    progress: &dyn Progress,
    timeouts: InstallTimeouts,
) -> Result<(), Error> {
    let mut prepared = Vec::new();
    let mut unusable = Vec::new();
    for component in components {
        match manifest::prepare(component, variables) {
            Ok(component) => prepared.push(component),
            Err(error) => unusable.push(error),
        }
    }
    Error::several(unusable)?;
    let existing = Existing::on(api).await?;
    let conflicts = existing.conflicts(api.server(), &prepared);
    if !conflicts.is_empty() {
        return Err(Error::Installed { reason: conflicts.join("; ") });
    }
    let (mut certificates, providers): (Vec<_>, Vec<_>) =
        prepared.into_iter().partition(|p| p.component.kind == ComponentKind::CertManager);
    certificates.retain(|wanted| {
        let keeps = existing.keeps_cert_manager(&wanted.component.version);
        if keeps {
            progress.note(&match &existing.cert_manager {
                CertManager::Ours { version } => format!("the cert-manager that is there is {version}; it stays"),
                _ => "the cert-manager that is there is used as it is".to_owned(),
            });
        }
        !keeps
    });

    let all: Vec<&Prepared> = certificates.iter().chain(&providers).collect();
    let changed: Vec<&Prepared> = all.iter().copied().filter(|p| existing.changes(p)).collect();
    for component in changed {
        upgrade::take_over(api, component).await?;
    }
    let mut definitions: Vec<Value> = vec![inventory::definition()];
    definitions.extend(all.iter().flat_map(|p| p.definitions.iter().cloned()));
    let namespaces: Vec<Value> = all.iter().flat_map(|p| p.namespaces.iter().cloned()).collect();
    side_by_side(api, &namespaces, timeouts).await?;
    side_by_side(api, &definitions, timeouts).await?;
    let names: BTreeSet<String> =
        definitions.iter().filter_map(|crd| text(crd, "/metadata/name").map(str::to_owned)).collect();
    readiness::crds_established_among(api, &names, Some(CLUSTERCTL_LABEL), timeouts.definitions, progress).await?;

    for component in &certificates {
        put(api, component, &existing, progress, timeouts).await?;
    }
    if let Some(component) = components.iter().find(|c| c.component.kind == ComponentKind::CertManager) {
        let namespace = providers.first().map_or(&component.component.namespace, |p| &p.component.namespace);
        certmanager::prove(api, namespace, progress).await?;
        progress.note("cert-manager issues certificates");
    }
    let all = providers.iter().map(|provider| async {
        put(api, provider, &existing, progress, timeouts).await?;
        proof::injected(api, provider, timeouts.certificates, progress).await?;
        proof::webhooks_answer(api, provider).await?;
        if let Some(entry) = inventory::entry(&provider.component) {
            api.apply_one(&entry, FIELD_MANAGER, Apply { force: true, dry_run: false }).await?;
        }
        progress.note(&format!("{} {} is installed", name_of(&provider.component), provider.component.version));
        Ok::<_, Error>(())
    });
    let errors = futures::future::join_all(all).await.into_iter().filter_map(Result::err).collect();
    Error::several(errors)
}

/// Whether components are installed in their version and work: the inventory says so, their definitions are served, and
/// their deployments are available. Looks, and waits for nothing.
///
/// # Errors
/// What the server said.
pub async fn installed(api: &Api, components: &[Component]) -> Result<bool, Error> {
    for component in components {
        let selector = match inventory::provider_label(component) {
            Some(label) => {
                let id = ObjectId::namespaced(kinds::PROVIDER, &component.namespace, &label);
                let entry = api.get(&id).await?;
                if entry.as_ref().and_then(|e| text(e, "/version")) != Some(&component.version) {
                    return Ok(false);
                }
                format!("{PROVIDER_LABEL}={label}")
            }
            None if existing::cert_manager(api).await? == CertManager::Foreign => continue,
            None => format!("{CORE_LABEL}=cert-manager"),
        };
        let definitions = api.list(&kinds::CRD, None, Some(&selector)).await?;
        let deployments = api.list(&kinds::DEPLOYMENT, Some(&component.namespace), Some(&selector)).await?;
        let of_this_version = |d: &Value| {
            inventory::provider_label(component).is_some()
                || crate::object::annotation(d, inventory::CERT_MANAGER_VERSION)
                    .is_some_and(|version| version == component.version || existing::newer(version, &component.version))
        };
        if deployments.is_empty()
            || !definitions.iter().all(|crd| readiness::condition_is(crd, "Established", "True"))
            || !deployments.iter().all(|d| of_this_version(d) && readiness::deployment(Some(d)) == Verdict::Done)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The version of a component that the inventory has, none if it has none. cert-manager is not in the inventory.
///
/// # Errors
/// What the server said.
pub async fn version_on(api: &Api, component: &Component) -> Result<Option<String>, Error> {
    let Some(label) = inventory::provider_label(component) else { return Ok(None) };
    if !api.serves(&kinds::PROVIDER).await? {
        return Ok(None);
    }
    let entry = api.get(&ObjectId::namespaced(kinds::PROVIDER, &component.namespace, &label)).await?;
    Ok(entry.as_ref().and_then(|e| text(e, "/version")).map(str::to_owned))
}

/// Puts one component on the cluster, whose namespaces and definitions are there, and waits until its deployments are
/// available.
async fn put(
    api: &Api,
    component: &Prepared,
    existing: &Existing,
    progress: &dyn Progress,
    timeouts: InstallTimeouts,
) -> Result<(), Error> {
    let title = name_of(&component.component);
    tracing::debug!(component = %title, version = %component.component.version, "installing");
    side_by_side(api, &component.rest, timeouts).await?;
    if existing.changes(component) {
        let selector = match inventory::provider_label(&component.component) {
            Some(label) => format!("{PROVIDER_LABEL}={label}"),
            None => format!("{CORE_LABEL}=cert-manager"),
        };
        upgrade::prune(api, component, &selector).await?;
    }
    let certificates = component.certificates();
    let issued = certificates
        .iter()
        .map(|(ns, name)| readiness::certificate_ready(api, ns, name, timeouts.certificates, progress));
    Error::several(futures::future::join_all(issued).await.into_iter().filter_map(Result::err).collect())?;
    readiness::deployments_available(api, &component.deployments(), timeouts.deployments, progress).await
}

async fn side_by_side(api: &Api, objects: &[Value], timeouts: InstallTimeouts) -> Result<(), Error> {
    futures::stream::iter(objects)
        .map(|object| applied(api, object, timeouts))
        .buffer_unordered(SIDE_BY_SIDE)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// How often a kind is looked for whose definition is established and not served yet.
const SERVED_SOON: Duration = Duration::from_millis(100);

/// Applies one object. A kind that is established is served a moment later; and a deployment whose selector changed has to
/// be made anew.
async fn applied(api: &Api, object: &Value, timeouts: InstallTimeouts) -> Result<(), Error> {
    let start = tokio::time::Instant::now();
    let mut made_anew = false;
    loop {
        match api.apply_one(object, FIELD_MANAGER, Apply { force: true, dry_run: false }).await {
            Ok(_) => return Ok(()),
            Err(Error::UnknownKind { .. }) if start.elapsed() < timeouts.definitions.duration() => {
                tokio::time::sleep(SERVED_SOON).await;
            }
            Err(Error::Refused { code: 422, message, .. })
                if !made_anew
                    && message.contains("field is immutable")
                    && text(object, "/kind") == Some("Deployment") =>
            {
                made_anew = true;
                api.delete(&crate::api::identity(object)?, None).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

fn name_of(component: &Component) -> String {
    inventory::provider_label(component).unwrap_or_else(|| component.name.clone())
}

/// The version of a definition that is stored: the one in which objects are moved and applied.
pub(crate) fn storage_version(crd: &Value) -> Option<&str> {
    items(crd, "/spec/versions").iter().find(|v| crate::object::flag(v, "/storage")).and_then(|v| text(v, "/name"))
}

#[cfg(test)]
mod tests;
