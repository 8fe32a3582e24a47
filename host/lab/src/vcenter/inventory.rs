//! The inventory: managed entities in a tree, with their properties.

use std::collections::BTreeMap;

use super::data::{self, Data, Ref};
use super::schema;

/// A managed entity.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) reference: Ref,
    pub(crate) name: String,
    pub(crate) parent: Option<Ref>,
    /// Properties with one value each, in the order in which they were set.
    pub(crate) properties: Vec<(&'static str, Data)>,
    /// Properties that list other entities.
    pub(crate) links: BTreeMap<&'static str, Vec<Ref>>,
}

/// All managed entities of one vCenter.
#[derive(Debug, Clone)]
pub(crate) struct Inventory {
    entities: BTreeMap<Ref, Entity>,
    root: Ref,
    next: u32,
    seed: u64,
}

/// A UUID that depends on the seed and on what it is for.
pub(crate) fn uuid(seed: u64, what: &str) -> String {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(format!("{seed}/{what}"));
    let mut bytes = [0_u8; 16];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = from;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

impl Inventory {
    /// An inventory with nothing but its root folder. The seed decides the UUIDs.
    pub(crate) fn new(seed: u64) -> Self {
        let root = Ref::new("Folder", "group-d1");
        let mut inventory = Self { entities: BTreeMap::new(), root: root.clone(), next: 1, seed };
        inventory.put(
            root,
            "Datacenters",
            None,
            vec![("childType", data::strings(&["Folder", "Datacenter"]))],
            &["childEntity"],
        );
        inventory
    }

    pub(crate) fn root(&self) -> &Ref {
        &self.root
    }

    pub(crate) fn get(&self, reference: &Ref) -> Option<&Entity> {
        self.entities.get(reference)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Entity> {
        self.entities.values()
    }

    /// A fresh reference: type and identifier as a vCenter makes them.
    pub(crate) fn fresh(&mut self, kind: &str, prefix: &str) -> Ref {
        self.next += 1;
        Ref::new(kind, &format!("{prefix}{}", self.next))
    }

    /// A UUID that depends on the inventory's seed and on what it is for.
    pub(crate) fn uuid(&self, what: &str) -> String {
        uuid(self.seed, what)
    }

    /// Puts an entity into the inventory; `links` are its list properties, empty at first.
    pub(crate) fn put(
        &mut self,
        reference: Ref,
        name: &str,
        parent: Option<&Ref>,
        properties: Vec<(&'static str, Data)>,
        links: &[&'static str],
    ) {
        let links = links.iter().map(|link| (*link, Vec::new())).collect();
        let entity =
            Entity { reference: reference.clone(), name: name.to_owned(), parent: parent.cloned(), properties, links };
        self.entities.insert(reference, entity);
    }

    /// Adds `to` to a list property of `from`, once.
    pub(crate) fn link(&mut self, from: &Ref, property: &'static str, to: &Ref) {
        if let Some(entity) = self.entities.get_mut(from) {
            let list = entity.links.entry(property).or_default();
            if !list.contains(to) {
                list.push(to.clone());
            }
        }
    }

    /// Sets a property.
    pub(crate) fn set(&mut self, of: &Ref, property: &'static str, value: Data) {
        if let Some(entity) = self.entities.get_mut(of) {
            entity.properties.retain(|(name, _)| *name != property);
            entity.properties.push((property, value));
        }
    }

    /// The children of an entity as inventory paths see them, in order.
    pub(crate) fn children(&self, of: &Ref) -> Vec<Ref> {
        let Some(entity) = self.get(of) else { return Vec::new() };
        let links: &[&str] = match of.kind.as_str() {
            "Datacenter" => {
                return ["vmFolder", "hostFolder", "datastoreFolder", "networkFolder"]
                    .iter()
                    .filter_map(|folder| entity.property(folder))
                    .flat_map(|value| value.targets())
                    .collect();
            }
            "ComputeResource" | "ClusterComputeResource" => {
                let pool = entity.property("resourcePool").map(|value| value.targets()).unwrap_or_default();
                return entity.links.get("host").into_iter().flatten().cloned().chain(pool).collect();
            }
            "Folder" => &["childEntity"],
            "ResourcePool" | "VirtualApp" => &["resourcePool", "vm"],
            "HostSystem" => &["vm"],
            _ => &[],
        };
        links.iter().filter_map(|link| entity.links.get(link)).flatten().cloned().collect()
    }

    /// The child of this name.
    pub(crate) fn child(&self, of: &Ref, name: &str) -> Option<&Entity> {
        self.children(of).iter().filter_map(|child| self.get(child)).find(|child| child.name == name)
    }

    /// What an inventory path leads to; the root folder does not stand in the path.
    pub(crate) fn find(&self, path: &str) -> Option<&Entity> {
        let mut current = self.get(&self.root)?;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            current = self.child(&current.reference, part)?;
        }
        Some(current)
    }

    /// Everything below an entity, each entity once, parents first.
    pub(crate) fn below(&self, of: &Ref, recursive: bool) -> Vec<Ref> {
        let mut found: Vec<Ref> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut waiting: Vec<Ref> = self.children(of);
        waiting.reverse();
        while let Some(next) = waiting.pop() {
            if !seen.insert(next.clone()) {
                continue;
            }
            if recursive {
                let mut children = self.children(&next);
                children.reverse();
                waiting.extend(children);
            }
            found.push(next);
        }
        found
    }

    /// The inventory path of an entity.
    #[cfg(test)]
    pub(crate) fn path(&self, of: &Ref) -> String {
        let mut parts = Vec::new();
        let mut current = self.get(of);
        while let Some(entity) = current {
            if entity.reference == self.root {
                break;
            }
            parts.push(entity.name.clone());
            current = entity.parent.as_ref().and_then(|parent| self.get(parent));
        }
        parts.reverse();
        format!("/{}", parts.join("/"))
    }
}

impl Entity {
    /// The value of a property by its first name; nothing if it is unset or does not exist.
    pub(crate) fn property(&self, name: &str) -> Option<Data> {
        match name {
            "name" => Some(data::text(&self.name)),
            "parent" => self.parent.clone().map(Data::Ref),
            "overallStatus" | "configStatus" => Some(data::enumeration("ManagedEntityStatus", "green")),
            "effectiveRole" => Some(Data::List { item: "int", items: vec![data::int(-1)] }),
            "alarmActionsEnabled" => Some(data::boolean(true)),
            _ => {
                let set =
                    self.properties.iter().find(|(property, _)| *property == name).map(|(_, value)| value.clone());
                set.or_else(|| self.links.get(name).map(|list| data::references(list.clone())))
            }
        }
    }

    /// The names of all properties that are set.
    pub(crate) fn set_properties(&self) -> Vec<&'static str> {
        let common = ["name", "parent", "overallStatus", "configStatus", "effectiveRole", "alarmActionsEnabled"];
        let mut names: Vec<&'static str> = common.into_iter().filter(|name| self.property(name).is_some()).collect();
        names.extend(self.properties.iter().map(|(name, _)| *name));
        names.extend(self.links.keys().copied());
        names
    }

    /// Whether the entity is of the type or of one derived from it.
    pub(crate) fn is_a(&self, kind: &str) -> bool {
        schema::is_a(&self.reference.kind, kind)
    }
}
