//! The inventory of a spec: everything that it names exists, but for what a fault takes away.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::data::Ref;
use super::inventory::{Inventory, uuid};
use super::objects::{Cluster, Datacenter, Machine};
use super::tags::{Library, Tags};
use super::wanted::{Wanted, WantedDatacenter, WantedTemplate};
use crate::fault::{Fault, Faults};

const GIB: i64 = 1 << 30;
const TIB_IN_GIB: i64 = 1 << 10;
const HOSTS: u32 = 3;

/// What a vCenter holds.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    pub(crate) inventory: Inventory,
    pub(crate) tags: Tags,
    pub(crate) libraries: Vec<Library>,
}

/// What the inventory is filled from.
pub(crate) struct Filling<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) faults: &'a Faults,
    /// EKS-D release names by Kubernetes version.
    pub(crate) eksd_releases: &'a BTreeMap<String, String>,
    pub(crate) seed: u64,
    pub(crate) now: Timestamp,
}

impl Filling<'_> {
    pub(crate) fn fill(&self) -> Contents {
        let mut world = Contents { inventory: Inventory::new(self.seed), tags: Tags::default(), libraries: Vec::new() };
        for wanted in &self.wanted.datacenters {
            self.datacenter(&mut world, wanted);
        }
        for id in &self.wanted.tags {
            world.tags.ensure("lab", id, &|what| uuid(self.seed, what));
        }
        world
    }

    fn datacenter(&self, world: &mut Contents, wanted: &WantedDatacenter) {
        let inventory = &mut world.inventory;
        let Some((name, folders)) = wanted.path.split_last() else { return };
        let root = inventory.root().clone();
        let parent = inventory.folders(&root, folders.iter().map(String::as_str));
        // A vCenter without any datacenter would be a different mistake: another one is there.
        let name = if self.faults.has(&Fault::DatacenterMissing) { format!("not-{name}") } else { name.clone() };
        let datacenter = inventory.datacenter(&parent, &name);
        let path = format!("/{}", wanted.path.join("/"));

        let clusters = self.clusters(inventory, &datacenter, wanted);
        let network = self.networks(inventory, &datacenter, wanted);
        let datastore = self.datastores(inventory, &datacenter, wanted, &path);
        self.pools(inventory, &clusters, wanted);
        inventory.folder(&datacenter.vm, "Templates");
        if !self.faults.has(&Fault::FolderMissing) {
            for folder in &wanted.folders {
                inventory.folders(&datacenter.vm, folder.iter().map(String::as_str));
            }
        }
        connect(inventory, &datacenter, &clusters);
        let host = clusters.values().next().and_then(|cluster| first(inventory, &cluster.reference, "host"));
        let place = Place { vm: datacenter.vm.clone(), network, datastore: datastore.clone(), host };
        for (at, template) in &wanted.templates {
            self.template(world, &place, &path, at, template);
        }
        let id = world.inventory.uuid(&format!("library/{path}"));
        world.libraries.push(Library { id, name: "eks-a-templates".to_owned(), datastore });
    }

    fn clusters(
        &self,
        inventory: &mut Inventory,
        datacenter: &Datacenter,
        wanted: &WantedDatacenter,
    ) -> BTreeMap<Vec<String>, Cluster> {
        let mut clusters = BTreeMap::new();
        let root_pool_wanted = wanted.pools.iter().any(|pool| pool.path.is_empty());
        if self.faults.has(&Fault::ResourcePoolMissing) && root_pool_wanted {
            // Every compute cluster has a root pool: for it to be missing there must be no cluster.
            return clusters;
        }
        let mut paths: Vec<Vec<String>> = wanted.clusters.iter().cloned().collect();
        if paths.is_empty() {
            paths.push(vec!["Cluster-1".to_owned()]);
        }
        if self.faults.has(&Fault::ResourcePoolAmbiguous) {
            for path in paths.clone() {
                let mut twin = path;
                if let Some(last) = twin.last_mut() {
                    last.push_str("-twin");
                }
                paths.push(twin);
            }
        }
        for path in paths {
            let Some((name, folders)) = path.split_last() else { continue };
            let folder = inventory.folders(&datacenter.host, folders.iter().map(String::as_str));
            let cluster = inventory.cluster(&folder, name, HOSTS, self.now);
            clusters.insert(path, cluster);
        }
        clusters
    }

    fn networks(&self, inventory: &mut Inventory, datacenter: &Datacenter, wanted: &WantedDatacenter) -> Option<Ref> {
        let switch = inventory.switch(&datacenter.network, "lab-switch");
        inventory.portgroup(&datacenter.network, &switch, "lab-switch-DVUplinks");
        let mut chosen = None;
        for path in &wanted.networks {
            if self.faults.has(&Fault::NetworkMissing) {
                break;
            }
            let Some((name, folders)) = path.split_last() else { continue };
            let folder = inventory.folders(&datacenter.network, folders.iter().map(String::as_str));
            // Every new vCenter has a network of this name on standard switches; others are port groups of distributed ones.
            let network = if name == "VM Network" {
                inventory.network(&folder, name)
            } else {
                inventory.portgroup(&folder, &switch, name)
            };
            chosen.get_or_insert(network);
        }
        if inventory.child(&datacenter.network, "VM Network").is_none() && !self.faults.has(&Fault::NetworkMissing) {
            inventory.network(&datacenter.network, "VM Network");
        }
        chosen
    }

    fn datastores(
        &self,
        inventory: &mut Inventory,
        datacenter: &Datacenter,
        wanted: &WantedDatacenter,
        dc_path: &str,
    ) -> Option<Ref> {
        let mut chosen = None;
        for (path, asked) in &wanted.datastores {
            if self.faults.datastore_missing(&format!("{dc_path}/datastore/{}", path.join("/"))) {
                continue;
            }
            let Some((name, folders)) = path.split_last() else { continue };
            let folder = inventory.folders(&datacenter.datastore, folders.iter().map(String::as_str));
            let capacity = asked.saturating_mul(3).max(4 * TIB_IN_GIB).saturating_mul(GIB);
            let free = if self.faults.has(&Fault::DatastoreFull) { GIB } else { capacity / 4 * 3 };
            let datastore = inventory.datastore(&folder, name, capacity, free, self.now);
            chosen.get_or_insert(datastore);
        }
        chosen
    }

    fn pools(&self, inventory: &mut Inventory, clusters: &BTreeMap<Vec<String>, Cluster>, wanted: &WantedDatacenter) {
        if self.faults.has(&Fault::ResourcePoolMissing) {
            return;
        }
        let twins = self.faults.has(&Fault::ResourcePoolAmbiguous);
        // A pool that is named without its cluster may be one that is named with it elsewhere in the spec: it then exists once.
        let (placed, open): (Vec<_>, Vec<_>) = wanted.pools.iter().partition(|pool| pool.cluster.is_some());
        let mut made: Vec<Vec<String>> = Vec::new();
        for pool in placed.into_iter().chain(open) {
            if pool.cluster.is_none() && made.iter().any(|known| known.ends_with(&pool.path)) {
                continue;
            }
            let home = pool.cluster.as_ref().or_else(|| clusters.keys().next());
            for (path, cluster) in clusters {
                let is_twin = twins && path.last().is_some_and(|name| name.ends_with("-twin"));
                if Some(path) == home || is_twin {
                    pool.path.iter().fold(cluster.root_pool.clone(), |parent, name| {
                        inventory.pool(&parent, &cluster.reference, name)
                    });
                }
            }
            made.push(pool.path.clone());
        }
    }

    fn template(&self, world: &mut Contents, place: &Place, dc_path: &str, at: &[String], wanted: &WantedTemplate) {
        let path = format!("{dc_path}/vm/{}", at.join("/"));
        if self.faults.template_missing(&path) {
            return;
        }
        let Some((name, folders)) = at.split_last() else { return };
        let inventory = &mut world.inventory;
        let folder = inventory.folders(&place.vm, folders.iter().map(String::as_str));
        let os = wanted.os_families.first().map_or("ubuntu", String::as_str);
        let (guest_id, guest_name) = match os {
            "ubuntu" => ("ubuntu64Guest", "Ubuntu Linux (64-bit)"),
            "redhat" => ("rhel8_64Guest", "Red Hat Enterprise Linux 8 (64-bit)"),
            _ => ("otherLinux64Guest", "Other Linux (64-bit)"),
        };
        let machine = Machine {
            name,
            guest_id,
            guest_name,
            disk_gib: wanted.disk_gib(),
            cpus: 2,
            memory_mib: 2_048,
            datastore: place.datastore.as_ref(),
            network: place.network.as_ref(),
            host: place.host.as_ref(),
        };
        let reference = inventory.template(&folder, &machine, self.now);
        let uuid = |what: &str| uuid(self.seed, what);
        // The tags exist even if the template lacks them, as in a vCenter in which somebody forgot to attach them.
        let elsewhere = Ref::new("VirtualMachine", "vm-0");
        let object = if self.faults.template_untagged(&path) { &elsewhere } else { &reference };
        for os in &wanted.os_families {
            world.tags.attach("os", &format!("os:{os}"), object, &uuid);
        }
        for version in &wanted.kubernetes {
            if let Some(release) = self.eksd_releases.get(version) {
                world.tags.attach("eksdRelease", &format!("eksdRelease:{release}"), object, &uuid);
            }
        }
    }
}

/// Where a datacenter's templates are put.
struct Place {
    vm: Ref,
    network: Option<Ref>,
    datastore: Option<Ref>,
    host: Option<Ref>,
}

fn first(inventory: &Inventory, of: &Ref, link: &str) -> Option<Ref> {
    inventory.get(of)?.links.get(link)?.first().cloned()
}

/// All hosts and clusters of the datacenter reach all its datastores and networks.
fn connect(inventory: &mut Inventory, datacenter: &Datacenter, clusters: &BTreeMap<Vec<String>, Cluster>) {
    let of = |inventory: &Inventory, folder: &Ref, kind: &str| -> Vec<Ref> {
        inventory.below(folder, true).into_iter().filter(|one| super::schema::is_a(&one.kind, kind)).collect()
    };
    let datastores = of(inventory, &datacenter.datastore, "Datastore");
    let networks = of(inventory, &datacenter.network, "Network");
    let hosts: Vec<Ref> = clusters
        .values()
        .filter_map(|cluster| inventory.get(&cluster.reference)?.links.get("host").cloned())
        .flatten()
        .collect();
    let members: Vec<Ref> = clusters
        .values()
        .map(|cluster| cluster.reference.clone())
        .chain(hosts.iter().cloned())
        .chain([datacenter.reference.clone()])
        .collect();
    for member in &members {
        for datastore in &datastores {
            inventory.link(member, "datastore", datastore);
        }
        for network in &networks {
            inventory.link(member, "network", network);
        }
    }
    let mounts = super::objects::mounts(&hosts);
    for datastore in &datastores {
        inventory.set(datastore, "host", mounts.clone());
    }
    for (network, host) in networks.iter().flat_map(|network| hosts.iter().map(move |host| (network, host))) {
        inventory.link(network, "host", host);
    }
}
