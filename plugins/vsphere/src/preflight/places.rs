//! Where machines go: networks, datastores, folders, resource pools.

use kedge_sdk::prelude::*;

use super::inventory::{CLUSTERS, DATASTORES, FOLDERS, Inventory, Kinds, NETWORKS, POOLS, suggest};
use crate::paths::{self, Branch};
use crate::soap::Reference;
use crate::spec::{FailureDomain, Machine, Spec, datacenter_ref, machine_ref};

/// One thing that the spec names, as the vCenter knows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolved {
    /// None for what is not there, and for a folder that the create makes.
    pub(super) reference: Option<Reference>,
    /// Whole. A folder that is still to be made has one too.
    pub(super) path: Option<String>,
    pub(super) findings: Vec<Finding>,
}

impl Resolved {
    pub(super) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_default()
    }

    /// For people: the path, and whether it is still to be made.
    pub(super) fn shown(&self) -> Option<String> {
        let path = self.path.as_ref()?;
        Some(if self.reference.is_some() { path.clone() } else { format!("{path} (the create makes it)") })
    }
}

/// The place of a machine config.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) datastore: Resolved,
    pub(super) folder: Resolved,
    pub(super) pool: Resolved,
    /// The hosts below the pool.
    pub(super) cluster: Option<Reference>,
    /// The folder in which the machines' folder is to be made, if it is not there.
    pub(super) parent: Option<(Reference, String)>,
}

impl Place {
    /// The path of a folder that is not there and whose parent is.
    pub(super) fn folder_to_make(&self) -> Option<String> {
        self.parent.as_ref().and(self.folder.path.clone())
    }
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

    /// Something is not there. A vCenter shows nobody what he may not see, so that is how it has to be said.
    fn absent(&self, code: &str, message: &str, remedy: &str) -> Resolved {
        let message = format!("{message} that is visible to the user of EKSA_VSPHERE_USERNAME");
        Resolved { findings: vec![self.error(code, message).remedy(remedy)], ..Resolved::default() }
    }
}

pub(super) fn resolve(spec: &Spec, machine: &Machine, inventory: &Inventory) -> Place {
    let datacenter = &spec.datacenter.datacenter;
    let field = |name: &str| Field::new(machine_ref(&machine.name), format!("spec.{name}"));
    let folder = folder(datacenter, &machine.folder, &field("folder"), inventory);
    let pool = pool(&machine.resource_pool, &field("resourcePool"), inventory);
    let parent = match &folder {
        Resolved { reference: None, path: Some(path), .. } => path
            .rsplit_once('/')
            .and_then(|(parent, _)| inventory.at(FOLDERS, parent).map(|reference| (reference, parent.to_owned()))),
        _ => None,
    };
    Place {
        datastore: datastore(datacenter, &machine.datastore, &field("datastore"), inventory),
        cluster: pool.path.as_ref().and_then(|path| inventory.above(CLUSTERS, path)),
        folder,
        pool,
        parent,
    }
}

/// The datacenter's network.
pub(super) fn main_network(spec: &Spec, inventory: &Inventory) -> Resolved {
    let datacenter = &spec.datacenter;
    let field = Field::new(datacenter_ref(&datacenter.name), "spec.network");
    network(&datacenter.datacenter, &datacenter.network, &field, inventory)
}

/// The networks of a machine config's own.
pub(super) fn networks(spec: &Spec, machine: &Machine, inventory: &Inventory) -> Vec<Resolved> {
    let field = |index| Field::new(machine_ref(&machine.name), format!("spec.networks[{index}]"));
    let all = machine.networks.iter().enumerate();
    all.map(|(index, given)| network(&spec.datacenter.datacenter, given, &field(index), inventory)).collect()
}

fn network(datacenter: &str, given: &str, field: &Field, inventory: &Inventory) -> Resolved {
    let path = paths::full(datacenter, Branch::Network, given);
    if let Some(reference) = inventory.at(NETWORKS, &path) {
        return Resolved { reference: Some(reference), path: Some(path), findings: vec![] };
    }
    let remedy = suggest(&path, &inventory.all(NETWORKS));
    field.absent("network-missing", &format!("There is no network `{path}`"), &remedy)
}

/// A failure domain: everything that it names.
pub(super) fn failure_domain(
    spec: &Spec,
    index: usize,
    domain: &FailureDomain,
    inventory: &Inventory,
) -> Vec<Resolved> {
    let datacenter = &spec.datacenter.datacenter;
    let field =
        |name: &str| Field::new(datacenter_ref(&spec.datacenter.name), format!("spec.failureDomains[{index}].{name}"));
    let cluster = field("computeCluster");
    vec![
        network(datacenter, &domain.network, &field("network"), inventory),
        datastore(datacenter, &domain.datastore, &field("datastore"), inventory),
        folder(datacenter, &domain.folder, &field("folder"), inventory),
        pool(&domain.resource_pool, &field("resourcePool"), inventory),
        unique("compute cluster", "compute-cluster", &domain.compute_cluster, &cluster, CLUSTERS, inventory),
    ]
}

fn datastore(datacenter: &str, given: &str, field: &Field, inventory: &Inventory) -> Resolved {
    let path = paths::full(datacenter, Branch::Datastore, given);
    if let Some(reference) = inventory.at(DATASTORES, &path) {
        return Resolved { reference: Some(reference), path: Some(path), findings: vec![] };
    }
    let remedy = suggest(&path, &inventory.all(DATASTORES));
    field.absent("datastore-missing", &format!("There is no datastore `{path}`"), &remedy)
}

/// The last level of a folder is made by the create; the levels above it have to be there.
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
    if level == path {
        return Resolved { path: Some(path), ..Resolved::default() };
    }
    let known: Vec<&str> =
        inventory.all(FOLDERS).into_iter().filter(|path| path.starts_with(&format!("{root}/"))).collect();
    let message = format!("There is no folder `{path}`: the level `{level}` of it is missing");
    let remedy = format!("Make that level in the vCenter (`govc folder.create {level}`). {}", suggest(&path, &known));
    field.absent("folder-missing", &message, &remedy)
}

fn pool(given: &str, field: &Field, inventory: &Inventory) -> Resolved {
    unique("resource pool", "resource-pool", given, field, POOLS, inventory)
}

/// What a name or the end of a path means, if it means one thing.
fn unique(what: &str, code: &str, given: &str, field: &Field, kinds: Kinds, inventory: &Inventory) -> Resolved {
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
    field.absent(&format!("{code}-missing"), &format!("There is no {what} `{given}`"), &remedy)
}
