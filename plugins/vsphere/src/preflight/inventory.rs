//! The inventory of a vCenter, with paths.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths;
use crate::soap::{Found, Reference};

pub(super) const NAME_AND_PARENT: &[&str] = &["name", "parent"];

/// What is read of the inventory. Subtypes are named one by one: not every server matches them by their base.
pub(crate) const WANTED: &[(&str, &[&str])] = &[
    ("Datacenter", NAME_AND_PARENT),
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
/// The types of all that.
pub(crate) const KINDS: &[&str] = &[
    "Datacenter",
    "Folder",
    "StoragePod",
    "Datastore",
    "Network",
    "DistributedVirtualPortgroup",
    "OpaqueNetwork",
    "ComputeResource",
    "ClusterComputeResource",
    "ResourcePool",
    "VirtualApp",
];
/// The same for virtual machines, of which there may be thousands.
pub(crate) const WANTED_MACHINES: &[(&str, &[&str])] = &[("VirtualMachine", NAME_AND_PARENT)];

/// Types of objects that stand for one kind of thing.
pub(crate) type Kinds = &'static [&'static str];

pub(crate) const DATACENTERS: Kinds = &["Datacenter"];
pub(crate) const NETWORKS: Kinds = &["Network", "DistributedVirtualPortgroup", "OpaqueNetwork"];
pub(crate) const DATASTORES: Kinds = &["Datastore"];
pub(crate) const FOLDERS: Kinds = &["Folder"];
pub(crate) const POOLS: Kinds = &["ResourcePool", "VirtualApp"];
pub(crate) const CLUSTERS: Kinds = &["ComputeResource", "ClusterComputeResource"];
pub(crate) const MACHINES: Kinds = &["VirtualMachine"];

/// Paths of an inventory and what is there.
#[derive(Debug)]
pub(crate) struct Inventory {
    top: (Reference, String),
    paths: BTreeMap<Reference, String>,
    /// The datacenter that names are looked for in, and its path.
    home: Option<(Reference, String)>,
}

impl Inventory {
    /// Of objects below one whose path is known; the path of the vCenter's root folder is empty.
    pub(crate) fn new(top: &Reference, path: &str, objects: &[Found]) -> Self {
        let mut inventory = Self { top: (top.clone(), path.to_owned()), paths: BTreeMap::new(), home: None };
        inventory.paths = inventory.paths_of(objects);
        inventory
    }

    /// Looks in one datacenter alone from now on, by its path as a spec has it. False if there is none.
    pub(crate) fn enter(&mut self, datacenter: &str) -> bool {
        let path = format!("/{}", datacenter.trim_matches('/'));
        let found = if self.top.1 == path {
            Some(self.top.0.clone())
        } else {
            self.paths
                .iter()
                .find(|(reference, there)| DATACENTERS.contains(&reference.kind.as_str()) && **there == path)
                .map(|(reference, _)| reference.clone())
        };
        self.home = found.map(|reference| (reference, path));
        self.home.is_some()
    }

    /// The datacenter that was entered.
    pub(crate) fn datacenter(&self) -> Option<&Reference> {
        self.home.as_ref().map(|(reference, _)| reference)
    }

    /// Its path.
    pub(crate) fn datacenter_path(&self) -> &str {
        self.home.as_ref().map_or("", |(_, path)| path)
    }

    /// Paths of objects whose parents may be known already.
    pub(crate) fn paths_of(&self, objects: &[Found]) -> BTreeMap<Reference, String> {
        let parents: BTreeMap<&Reference, (&str, Option<Reference>)> = objects
            .iter()
            // What may be seen but not read has no name.
            .filter(|object| !object.text("name").is_empty())
            .map(|object| (&object.reference, (object.text("name"), object.reference_at("parent"))))
            .collect();
        objects
            .iter()
            .filter_map(|object| Some((object.reference.clone(), self.path(&object.reference, &parents)?)))
            .collect()
    }

    /// The names on the way from the top. None for what hangs elsewhere or whose parent can't be read.
    fn path(&self, from: &Reference, parents: &BTreeMap<&Reference, (&str, Option<Reference>)>) -> Option<String> {
        let mut names = vec![];
        let mut next = from.clone();
        // A server that says of an object that it is its own ancestor must not keep us.
        let mut seen = BTreeSet::new();
        while seen.insert(next.clone()) {
            let above = if next == self.top.0 { Some(&self.top.1) } else { self.paths.get(&next) };
            if let Some(above) = above {
                names.push(above.as_str());
                names.reverse();
                return Some(names.join("/"));
            }
            let (name, parent) = parents.get(&next)?;
            names.push(name);
            next = parent.clone()?;
        }
        None
    }

    /// All paths of some types, in the order of the alphabet.
    pub(crate) fn all(&self, kinds: Kinds) -> Vec<&str> {
        let mut all: Vec<&str> = self.of(kinds).map(|(_, path)| path).collect();
        all.sort_unstable();
        all
    }

    /// What is at a path.
    pub(crate) fn at(&self, kinds: Kinds, path: &str) -> Option<Reference> {
        self.of(kinds).find(|(_, there)| *there == path).map(|(reference, _)| reference.clone())
    }

    /// What the spec may mean with a name or the end of a path.
    pub(crate) fn meant(&self, kinds: Kinds, given: &str) -> Vec<(Reference, String)> {
        self.of(kinds)
            .filter(|(_, path)| paths::meant(given, path))
            .map(|(reference, path)| (reference.clone(), path.to_owned()))
            .collect()
    }

    /// The nearest object above a path of some types.
    pub(crate) fn above(&self, kinds: Kinds, path: &str) -> Option<Reference> {
        self.of(kinds)
            .filter(|(_, above)| path.strip_prefix(*above).is_some_and(|rest| rest.starts_with('/')))
            .max_by_key(|(_, above)| above.len())
            .map(|(reference, _)| reference.clone())
    }

    /// Objects of some types with their paths; in the datacenter, once one was entered.
    pub(crate) fn of<'i>(&'i self, kinds: &'i [&str]) -> impl Iterator<Item = (&'i Reference, &'i str)> {
        let home = self.home.as_ref().map(|(_, path)| path.as_str());
        self.paths
            .iter()
            .filter(|(reference, _)| kinds.contains(&reference.kind.as_str()))
            .map(|(reference, path)| (reference, path.as_str()))
            .filter(move |(_, path)| {
                home.is_none_or(|home| path.strip_prefix(home).is_some_and(|rest| rest.starts_with('/')))
            })
    }
}

/// What to use in place of something that is not there.
pub(crate) fn suggest(wanted: &str, there: &[&str]) -> String {
    const SHOWN: usize = 8;
    let name = unescaped(paths::base(wanted));
    // A slash in a name is `%2f` in a path: who writes it out means the end of the path.
    let near = |path: &&&str| {
        let base = unescaped(paths::base(path));
        base == name || (base.contains('/') && unescaped(wanted).ends_with(&base))
    };
    if let Some(same) = there.iter().find(near) {
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

/// A name as people see it, in small letters. In paths a vCenter writes `/`, `\` and `%` as `%2f`, `%5c` and `%25`.
fn unescaped(name: &str) -> String {
    name.to_lowercase().replace("%2f", "/").replace("%5c", "\\").replace("%25", "%")
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

    #[test]
    fn a_slash_in_a_name_is_understood() {
        assert_eq!(suggest("/dc/vm/a/b", &["/dc/vm/x", "/dc/vm/a%2fb"]), "Did you mean `/dc/vm/a%2fb`?");
        assert_eq!(suggest("/dc/vm/A%2FB", &["/dc/vm/a%2fb"]), "Did you mean `/dc/vm/a%2fb`?");
        assert_eq!(suggest("/dc/vm/b", &["/dc/vm/a%2fb"]), "Use one of `/dc/vm/a%2fb`");
    }
}
