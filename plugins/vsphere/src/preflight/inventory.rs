//! The inventory below a datacenter, with paths.

use std::collections::BTreeMap;

use crate::paths;
use crate::soap::client::Client;
use crate::soap::{Found, Reference};

const NAME_AND_PARENT: &[&str] = &["name", "parent"];

/// What is read of the inventory. Subtypes are named one by one: not every server matches them by their base.
pub(super) const WANTED: &[(&str, &[&str])] = &[
    ("Folder", NAME_AND_PARENT),
    ("StoragePod", NAME_AND_PARENT),
    ("Datastore", NAME_AND_PARENT),
    ("Network", NAME_AND_PARENT),
    ("DistributedVirtualPortgroup", NAME_AND_PARENT),
    ("OpaqueNetwork", NAME_AND_PARENT),
    ("ComputeResource", NAME_AND_PARENT),
    ("ClusterComputeResource", NAME_AND_PARENT),
    ("ResourcePool", NAME_AND_PARENT),
    ("VirtualApp", NAME_AND_PARENT),
];
/// The same for virtual machines, which are asked for only where a template is named by the end of its path.
pub(super) const WANTED_MACHINES: &[(&str, &[&str])] = &[("VirtualMachine", NAME_AND_PARENT)];

pub(super) const NETWORKS: &[&str] = &["Network", "DistributedVirtualPortgroup", "OpaqueNetwork"];
pub(super) const DATASTORES: &[&str] = &["Datastore"];
pub(super) const FOLDERS: &[&str] = &["Folder"];
pub(super) const POOLS: &[&str] = &["ResourcePool", "VirtualApp"];
pub(super) const CLUSTERS: &[&str] = &["ComputeResource", "ClusterComputeResource"];
pub(super) const MACHINES: &[&str] = &["VirtualMachine"];

/// Paths of a datacenter's inventory and what is there.
#[derive(Debug)]
pub(super) struct Inventory {
    root: (Reference, String),
    paths: BTreeMap<Reference, String>,
}

impl Inventory {
    /// `datacenter` is its path as the spec has it.
    pub(super) fn new(datacenter: &str, reference: &Reference, objects: &[Found]) -> Self {
        let root = (reference.clone(), format!("/{}", datacenter.trim_matches('/')));
        let mut inventory = Self { root, paths: BTreeMap::new() };
        inventory.paths = inventory.paths_of(objects);
        inventory
    }

    /// Adds objects below folders that are known already.
    pub(super) fn paths_of(&self, objects: &[Found]) -> BTreeMap<Reference, String> {
        let parents: BTreeMap<&Reference, (String, Option<Reference>)> = objects
            .iter()
            .map(|object| (&object.reference, (object.text("name").to_owned(), object.reference_at("parent"))))
            .collect();
        objects
            .iter()
            .filter_map(|object| Some((object.reference.clone(), self.path(&object.reference, &parents)?)))
            .collect()
    }

    /// The names on the way from the datacenter. None for what hangs elsewhere or whose parent can't be read.
    fn path(&self, from: &Reference, parents: &BTreeMap<&Reference, (String, Option<Reference>)>) -> Option<String> {
        let mut names = vec![];
        let mut next = from.clone();
        // A tree is never deeper than it has nodes; a server that says otherwise sends us in circles.
        for _ in 0..=parents.len() {
            let above = if next == self.root.0 { Some(&self.root.1) } else { self.paths.get(&next) };
            if let Some(above) = above {
                names.push(above.clone());
                names.reverse();
                return Some(names.join("/"));
            }
            let (name, parent) = parents.get(&next)?;
            names.push(name.clone());
            next = parent.clone()?;
        }
        None
    }

    /// All paths of some types, in the order of the alphabet.
    pub(super) fn all(&self, kinds: &[&str]) -> Vec<&str> {
        let mut all: Vec<&str> = self
            .paths
            .iter()
            .filter(|(reference, _)| kinds.contains(&reference.kind.as_str()))
            .map(|(_, path)| path.as_str())
            .collect();
        all.sort_unstable();
        all
    }

    /// What is at a path.
    pub(super) fn at(&self, kinds: &[&str], path: &str) -> Option<Reference> {
        self.of(kinds).find(|(_, there)| *there == path).map(|(reference, _)| reference.clone())
    }

    /// What the spec may mean with a name or the end of a path.
    pub(super) fn meant(&self, kinds: &[&str], given: &str) -> Vec<(Reference, String)> {
        self.of(kinds)
            .filter(|(_, path)| paths::meant(given, path))
            .map(|(reference, path)| (reference.clone(), path.to_owned()))
            .collect()
    }

    fn of<'i>(&'i self, kinds: &'i [&str]) -> impl Iterator<Item = (&'i Reference, &'i str)> {
        self.paths
            .iter()
            .filter(|(reference, _)| kinds.contains(&reference.kind.as_str()))
            .map(|(reference, path)| (reference, path.as_str()))
    }
}

/// What to use in place of something that is not there.
pub(super) fn suggest(wanted: &str, there: &[&str]) -> String {
    const SHOWN: usize = 8;
    let name = paths::base(wanted).to_ascii_lowercase();
    if let Some(same) = there.iter().find(|path| paths::base(path).to_ascii_lowercase() == name) {
        return format!("Did you mean `{same}`?");
    }
    if there.is_empty() {
        return "There is none that this user can see".into();
    }
    let shown: Vec<String> = there.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    let more = there.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("Use one of {}{more}", shown.join(", "))
}

/// The datacenters that the user can see, as a remedy.
pub(super) fn known_datacenters(client: &Client<'_>) -> String {
    let found = client.below(&client.root_folder, &[("Datacenter", NAME_AND_PARENT)]).unwrap_or_default();
    let names: Vec<&str> = found.iter().map(|datacenter| datacenter.text("name")).collect();
    suggest("", &names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_thing_is_suggested() {
        assert_eq!(
            suggest("/dc/network/net-A", &["/dc/network/x/Net-a", "/dc/network/b"]),
            "Did you mean `/dc/network/x/Net-a`?"
        );
        assert_eq!(suggest("c", &["/dc/a", "/dc/b"]), "Use one of `/dc/a`, `/dc/b`");
        assert!(suggest("c", &["x"; 12]).ends_with("and 4 more"));
        assert_eq!(suggest("c", &[]), "There is none that this user can see");
    }
}
