//! Where machines go: networks, datastores, folders, resource pools.

use kedge_sdk::prelude::*;

use super::inventory::{CLUSTERS, DATASTORES, FOLDERS, Inventory, NETWORKS, POOLS, suggest};
use crate::paths::{self, Branch};
use crate::soap::Reference;
use crate::spec::{Machine, Spec, datacenter_ref, machine_ref};

/// One thing that the spec names, as the vCenter knows it.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) reference: Option<Reference>,
    /// Whole. A folder that is still to be made has one too.
    pub(super) path: Option<String>,
    pub(super) findings: Vec<Finding>,
}

/// The place of a machine config.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) datastore: Resolved,
    pub(super) folder: Resolved,
    pub(super) pool: Resolved,
}

/// A field of a document that names something.
#[derive(Debug, Clone)]
struct Field {
    document: ObjectRef,
    path: String,
}

impl Field {
    fn new(document: ObjectRef, path: impl Into<String>) -> Self {
        Self { document, path: path.into() }
    }

    fn error(&self, code: &str, message: String) -> Finding {
        Finding::error(code, message).at(self.document.clone(), self.path.clone())
    }
}

pub(super) fn resolve(spec: &Spec, machine: &Machine, inventory: &Inventory) -> Place {
    let datacenter = &spec.datacenter.datacenter;
    let field = |name: &str| Field::new(machine_ref(&machine.name), format!("spec.{name}"));
    Place {
        datastore: datastore(datacenter, &machine.datastore, &field("datastore"), inventory),
        folder: folder(datacenter, &machine.folder, &field("folder"), inventory),
        pool: pool(&machine.resource_pool, &field("resourcePool"), inventory),
    }
}

/// The datacenter's network, and those of worker machines.
pub(super) fn networks(spec: &Spec, inventory: &Inventory) -> Vec<Finding> {
    let datacenter = &spec.datacenter;
    let mut named = vec![(Field::new(datacenter_ref(&datacenter.name), "spec.network"), &datacenter.network)];
    for machine in &spec.machines {
        named.extend(machine.networks.iter().enumerate().map(|(index, network)| {
            (Field::new(machine_ref(&machine.name), format!("spec.networks[{index}]")), network)
        }));
    }
    named.iter().filter_map(|(field, given)| network(&datacenter.datacenter, given, field, inventory)).collect()
}

fn network(datacenter: &str, given: &str, field: &Field, inventory: &Inventory) -> Option<Finding> {
    let path = paths::full(datacenter, Branch::Network, given);
    if inventory.at(NETWORKS, &path).is_some() {
        return None;
    }
    let remedy = suggest(&path, &inventory.all(NETWORKS));
    Some(field.error("network-missing", format!("There is no network `{path}`")).remedy(remedy))
}

/// The failure domains that worker node groups use.
pub(super) fn failure_domains(spec: &Spec, inventory: &Inventory) -> Vec<Finding> {
    let datacenter = &spec.datacenter.datacenter;
    let mut findings = vec![];
    for (index, domain) in spec.datacenter.failure_domains.iter().enumerate() {
        let field = |name: &str| {
            Field::new(datacenter_ref(&spec.datacenter.name), format!("spec.failureDomains[{index}].{name}"))
        };
        findings.extend(network(datacenter, &domain.network, &field("network"), inventory));
        findings.extend(self::datastore(datacenter, &domain.datastore, &field("datastore"), inventory).findings);
        findings.extend(folder(datacenter, &domain.folder, &field("folder"), inventory).findings);
        findings.extend(pool(&domain.resource_pool, &field("resourcePool"), inventory).findings);
        let cluster = unique(
            "compute cluster",
            "compute-cluster",
            &domain.compute_cluster,
            &field("computeCluster"),
            CLUSTERS,
            inventory,
        );
        findings.extend(cluster.findings);
    }
    findings
}

fn datastore(datacenter: &str, given: &str, field: &Field, inventory: &Inventory) -> Resolved {
    let path = paths::full(datacenter, Branch::Datastore, given);
    if let Some(reference) = inventory.at(DATASTORES, &path) {
        return Resolved { reference: Some(reference), path: Some(path), findings: vec![] };
    }
    let remedy = suggest(&path, &inventory.all(DATASTORES));
    let finding = field.error("datastore-missing", format!("There is no datastore `{path}`")).remedy(remedy);
    Resolved { findings: vec![finding], ..Resolved::default() }
}

/// A folder may be made yet, but only its last level.
fn folder(datacenter: &str, given: &str, field: &Field, inventory: &Inventory) -> Resolved {
    if given.is_empty() {
        return Resolved::default();
    }
    let path = paths::full(datacenter, Branch::Folder, given);
    if let Some(reference) = inventory.at(FOLDERS, &path) {
        return Resolved { reference: Some(reference), path: Some(path), findings: vec![] };
    }
    let root = paths::root(datacenter, Branch::Folder);
    let mut level = root.clone();
    for name in path.strip_prefix(&format!("{root}/")).unwrap_or_default().split('/') {
        level = format!("{level}/{name}");
        if inventory.at(FOLDERS, &level).is_none() {
            break;
        }
    }
    let known: Vec<&str> =
        inventory.all(FOLDERS).into_iter().filter(|path| path.starts_with(&format!("{root}/"))).collect();
    let message = if level == path {
        format!("There is no folder `{path}`")
    } else {
        format!("There is no folder `{path}`: the level `{level}` of it is missing")
    };
    let finding = field
        .error("folder-missing", message)
        .remedy(format!("Make the folder in the vCenter (`govc folder.create {level}`). {}", suggest(&path, &known)));
    Resolved { findings: vec![finding], ..Resolved::default() }
}

fn pool(given: &str, field: &Field, inventory: &Inventory) -> Resolved {
    unique("resource pool", "resource-pool", given, field, POOLS, inventory)
}

/// What a name or the end of a path means, if it means one thing.
fn unique(what: &str, code: &str, given: &str, field: &Field, kinds: &[&str], inventory: &Inventory) -> Resolved {
    let mut meant = inventory.meant(kinds, given);
    if meant.len() > 1 {
        let paths: Vec<String> = meant.iter().map(|(_, path)| format!("`{path}`")).collect();
        let finding = field
            .error(
                &format!("{code}-ambiguous"),
                format!("`{given}` can mean {} {what}s: {}", meant.len(), paths.join(", ")),
            )
            .remedy("Use the whole path of the one that is meant");
        return Resolved { findings: vec![finding], ..Resolved::default() };
    }
    if let Some((reference, path)) = meant.pop() {
        return Resolved { reference: Some(reference), path: Some(path), findings: vec![] };
    }
    let remedy = suggest(given, &inventory.all(kinds));
    let finding = field.error(&format!("{code}-missing"), format!("There is no {what} `{given}`")).remedy(remedy);
    Resolved { findings: vec![finding], ..Resolved::default() }
}
