//! What the documents of a spec want to find in a vCenter.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Everything in a vCenter that a spec names, with paths split into their parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The servers, as the spec has them.
    pub(crate) servers: Vec<String>,
    /// The datacenters.
    pub(crate) datacenters: Vec<WantedDatacenter>,
    /// The identifiers of tags that machines carry.
    pub(crate) tags: BTreeSet<String>,
}

/// What has to be in one datacenter. Paths are relative to the folder of their kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WantedDatacenter {
    /// The path of the datacenter.
    pub(crate) path: Vec<String>,
    pub(crate) networks: BTreeSet<Vec<String>>,
    /// Datastores, and how many GiB are asked of each.
    pub(crate) datastores: BTreeMap<Vec<String>, i64>,
    pub(crate) folders: BTreeSet<Vec<String>>,
    /// Compute clusters below the host folder.
    pub(crate) clusters: BTreeSet<Vec<String>>,
    pub(crate) pools: BTreeSet<WantedPool>,
    pub(crate) templates: BTreeMap<Vec<String>, WantedTemplate>,
}

/// A resource pool: its compute cluster, if the spec names one, and its path below that cluster's root pool (empty for the root pool).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WantedPool {
    pub(crate) cluster: Option<Vec<String>>,
    pub(crate) path: Vec<String>,
}

/// A template and what those who use it expect of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WantedTemplate {
    /// `ubuntu`, `bottlerocket`, `redhat`.
    pub(crate) os_families: BTreeSet<String>,
    /// Kubernetes versions (`1.34`) of the machines made from it.
    pub(crate) kubernetes: BTreeSet<String>,
    /// The sizes of the disks of these machines, in GiB.
    pub(crate) disks: BTreeSet<i64>,
    /// The size that a linked clone needs the template's disk to have, in GiB.
    pub(crate) linked: Option<i64>,
}

const DATACENTER: &str = "VSphereDatacenterConfig";
const MACHINE: &str = "VSphereMachineConfig";
const DEFAULT_DISK_GIB: i64 = 25;

impl Wanted {
    /// Reads the documents of a spec; those of other providers are passed over.
    pub(crate) fn from_documents(documents: &[Value]) -> Self {
        let mut wanted = Self::default();
        let of_kind =
            |kind: &'static str| documents.iter().filter(move |document| string(field(document, "kind")) == kind);
        let machines = kubernetes_versions(documents);
        for document in of_kind(DATACENTER) {
            let spec = field(document, "spec");
            let server = string(field(spec, "server"));
            if !server.is_empty() && !wanted.servers.contains(&server) {
                wanted.servers.push(server);
            }
            let path = parts(&string(field(spec, "datacenter")));
            if path.is_empty() {
                continue;
            }
            let mut datacenter = WantedDatacenter { path, ..WantedDatacenter::default() };
            datacenter.add_network(&string(field(spec, "network")));
            for domain in items(field(spec, "failureDomains")) {
                datacenter.add_failure_domain(domain);
            }
            for machine in of_kind(MACHINE) {
                let name = string(field(field(machine, "metadata"), "name"));
                let used = machines.get(&name);
                datacenter.add_machine(field(machine, "spec"), used);
            }
            datacenter.join_templates();
            wanted.datacenters.push(datacenter);
        }
        for machine in of_kind(MACHINE) {
            wanted
                .tags
                .extend(items(field(field(machine, "spec"), "tags")).iter().map(string).filter(|tag| is_tag(tag)));
        }
        wanted
    }
}

/// How the machines of one machine config are used: the Kubernetes versions and how many machines.
#[derive(Debug, Default)]
struct Use {
    kubernetes: BTreeSet<String>,
    count: i64,
}

fn kubernetes_versions(documents: &[Value]) -> BTreeMap<String, Use> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    for cluster in documents.iter().filter(|document| string(field(document, "kind")) == "Cluster") {
        let spec = field(cluster, "spec");
        let version = version(field(spec, "kubernetesVersion"));
        let mut note = |part: &Value, own: String| {
            let reference = field(part, "machineGroupRef");
            let name = string(field(reference, "name"));
            if name.is_empty() {
                return;
            }
            let usage = uses.entry(name).or_default();
            usage.count += field(part, "count").as_i64().unwrap_or(1).max(1);
            let version = if own.is_empty() { version.clone() } else { own };
            if !version.is_empty() {
                usage.kubernetes.insert(version);
            }
        };
        note(field(spec, "controlPlaneConfiguration"), String::new());
        note(field(spec, "externalEtcdConfiguration"), String::new());
        for group in items(field(spec, "workerNodeGroupConfigurations")) {
            note(group, self::version(field(group, "kubernetesVersion")));
        }
    }
    uses
}

impl WantedDatacenter {
    /// The path below the folder `kind` of this datacenter; nothing if an absolute path leads elsewhere.
    fn below(&self, given: &str, kind: &str) -> Option<Vec<String>> {
        let path = parts(given);
        if !given.starts_with('/') {
            return Some(path).filter(|path| !path.is_empty());
        }
        let rest = path.strip_prefix(self.path.as_slice())?;
        let (first, rest) = rest.split_first()?;
        (first == kind && !rest.is_empty()).then(|| rest.to_vec())
    }

    fn add_network(&mut self, given: &str) {
        self.networks.extend(self.below(given, "network"));
    }

    fn add_datastore(&mut self, given: &str, gib: i64) {
        if let Some(path) = self.below(given, "datastore") {
            *self.datastores.entry(path).or_default() += gib;
        }
    }

    fn add_folder(&mut self, given: &str) {
        self.folders.extend(self.below(given, "vm"));
    }

    fn add_cluster(&mut self, given: &str) -> Option<Vec<String>> {
        let path = self.below(given, "host")?;
        self.clusters.insert(path.clone());
        Some(path)
    }

    fn add_pool(&mut self, given: &str, in_cluster: Option<&Vec<String>>) {
        let given = given.strip_prefix("*/").unwrap_or(given);
        let Some(path) = self.below(given, "host") else { return };
        // A path that names the root pool names the compute cluster before it; any other is relative to a root pool.
        let pool = match path.iter().position(|part| part == "Resources") {
            Some(at) => {
                let (cluster, pool) = path.split_at(at);
                let cluster = Some(cluster.to_vec()).filter(|cluster| !cluster.is_empty());
                WantedPool {
                    cluster: cluster.or(in_cluster.cloned()),
                    path: pool.get(1..).unwrap_or_default().to_vec(),
                }
            }
            None => WantedPool { cluster: in_cluster.cloned(), path },
        };
        self.clusters.extend(pool.cluster.clone());
        self.pools.insert(pool);
    }

    fn add_failure_domain(&mut self, domain: &Value) {
        self.add_network(&string(field(domain, "network")));
        self.add_datastore(&string(field(domain, "datastore")), 0);
        self.add_folder(&string(field(domain, "folder")));
        let cluster = self.add_cluster(&string(field(domain, "computeCluster")));
        self.add_pool(&string(field(domain, "resourcePool")), cluster.as_ref());
    }

    fn add_machine(&mut self, spec: &Value, used: Option<&Use>) {
        let disk = field(spec, "diskGiB").as_i64().filter(|disk| *disk > 0).unwrap_or(DEFAULT_DISK_GIB);
        let count = used.map_or(1, |used| used.count);
        self.add_datastore(&string(field(spec, "datastore")), disk.saturating_mul(count));
        self.add_folder(&string(field(spec, "folder")));
        self.add_pool(&string(field(spec, "resourcePool")), None);
        for network in items(field(spec, "networks")) {
            self.add_network(&string(network));
        }
        let Some(path) = self.below(&string(field(spec, "template")), "vm") else { return };
        // An absolute path says where the template is. For a relative one the marker keeps that open until all are known.
        let absolute = string(field(spec, "template")).starts_with('/');
        let mut key = path;
        if !absolute {
            key.insert(0, RELATIVE.to_owned());
        }
        let template = self.templates.entry(key).or_default();
        let os = string(field(spec, "osFamily")).to_ascii_lowercase();
        template.os_families.insert(if os.is_empty() { "bottlerocket".to_owned() } else { os });
        template.disks.insert(disk);
        if string(field(spec, "cloneMode")) == "linkedClone" {
            template.linked = Some(disk);
        }
        if let Some(used) = used {
            template.kubernetes.extend(used.kubernetes.iter().cloned());
        }
    }

    /// Relative template paths are suffixes: several may mean the same template, which then exists once.
    fn join_templates(&mut self) {
        let mut given: Vec<(Vec<String>, WantedTemplate)> = std::mem::take(&mut self.templates).into_iter().collect();
        let is_relative = |path: &[String]| path.first().is_some_and(|first| first == RELATIVE);
        given.sort_by_key(|(path, _)| (is_relative(path), std::cmp::Reverse(path.len())));
        let mut joined: Vec<(Vec<String>, WantedTemplate)> = Vec::new();
        for (path, template) in given {
            let relative = is_relative(&path);
            let path = if relative { path.get(1..).unwrap_or_default().to_vec() } else { path };
            let same =
                joined.iter_mut().find(|(known, _)| if relative { known.ends_with(&path) } else { *known == path });
            if let Some((_, known)) = same {
                known.join(template);
            } else {
                let place = if path.len() == 1 { vec!["Templates".to_owned()] } else { Vec::new() };
                let path = if relative { place.into_iter().chain(path).collect() } else { path };
                joined.push((path, template));
            }
        }
        self.templates = joined.into_iter().collect();
    }
}

const RELATIVE: &str = "*";

impl WantedTemplate {
    fn join(&mut self, other: Self) {
        self.os_families.extend(other.os_families);
        self.kubernetes.extend(other.kubernetes);
        self.disks.extend(other.disks);
        self.linked = self.linked.or(other.linked);
    }

    /// The size of the template's disk that suits all who use it, in GiB. Bottlerocket images have one of 22.
    pub(crate) fn disk_gib(&self) -> i64 {
        let usual = if self.os_families.contains("bottlerocket") { 22 } else { 20 };
        let least = self.disks.first().copied().unwrap_or(usual);
        self.linked
            .unwrap_or_else(|| if self.os_families.contains("bottlerocket") { usual } else { least.clamp(20, 25) })
    }
}

/// A field by name; like upstream, upper and lower case are the same.
fn field<'a>(of: &'a Value, name: &str) -> &'a Value {
    let Some(map) = of.as_object() else { return &Value::Null };
    map.get(name)
        .or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
        .unwrap_or(&Value::Null)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn string(value: impl std::borrow::Borrow<Value>) -> String {
    value.borrow().as_str().map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// `1.34`, also where YAML made a number of it: 1.3 was 1.30.
fn version(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            match text.split_once('.') {
                Some((major, minor)) if minor.len() == 1 => format!("{major}.{minor}0"),
                _ => text,
            }
        }
        other => string(other).trim_start_matches('v').to_owned(),
    }
}

fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Whether a tag is given as vCenter names tags; one that is not cannot exist.
fn is_tag(id: &str) -> bool {
    id.strip_prefix("urn:vmomi:InventoryServiceTag:")
        .and_then(|rest| rest.strip_suffix(":GLOBAL"))
        .is_some_and(|uuid| !uuid.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn machine(name: &str, spec: &Value) -> Value {
        json!({"kind": MACHINE, "metadata": {"name": name}, "spec": spec})
    }

    fn datacenter(spec: &Value) -> Value {
        json!({"kind": DATACENTER, "metadata": {"name": "dc"}, "spec": spec})
    }

    fn path(text: &str) -> Vec<String> {
        parts(text)
    }

    #[test]
    fn relative_and_absolute_paths_mean_the_same_things() {
        let absolute = machine(
            "a",
            &json!({"datastore": "/DC/datastore/store", "folder": "/DC/vm/Work", "resourcePool": "/DC/host/C1/Resources/P",
                   "template": "/DC/vm/T/ubuntu", "osFamily": "ubuntu"}),
        );
        let relative = machine(
            "b",
            &json!({"datastore": "store", "folder": "Work", "resourcePool": "*/P", "template": "ubuntu", "osFamily": "ubuntu"}),
        );
        let wanted = Wanted::from_documents(&[
            datacenter(&json!({"datacenter": "DC", "server": "vc.test", "network": "/DC/network/net"})),
            absolute,
            relative,
        ]);
        assert_eq!(wanted.servers, ["vc.test"]);
        let dc = &wanted.datacenters[0];
        assert_eq!(dc.networks, [path("net")].into());
        assert_eq!(dc.datastores, [(path("store"), 50)].into());
        assert_eq!(dc.folders, [path("Work")].into());
        assert_eq!(dc.clusters, [path("C1")].into());
        assert_eq!(dc.templates.keys().collect::<Vec<_>>(), [&path("T/ubuntu")]);
        assert_eq!(
            dc.pools,
            [WantedPool { cluster: None, path: path("P") }, WantedPool { cluster: Some(path("C1")), path: path("P") }]
                .into()
        );
    }

    #[test]
    fn a_path_into_another_datacenter_is_not_made_up() {
        let wanted = Wanted::from_documents(&[
            datacenter(&json!({"datacenter": "DC", "server": "vc.test", "network": "/Other/network/net"})),
            machine("a", &json!({"datastore": "/DC/vm/store", "template": "/Other/vm/t"})),
        ]);
        let dc = &wanted.datacenters[0];
        assert!(dc.networks.is_empty() && dc.datastores.is_empty() && dc.templates.is_empty());
    }

    #[test]
    fn templates_know_the_kubernetes_versions_of_their_machines() {
        let wanted = Wanted::from_documents(&[
            json!({"kind": "Cluster", "spec": {"kubernetesVersion": "1.34", "controlPlaneConfiguration": {"machineGroupRef": {"name": "cp"}},
                "workerNodeGroupConfigurations": [{"count": 3, "kubernetesVersion": 1.3, "machineGroupRef": {"name": "md"}}]}}),
            datacenter(&json!({"datacenter": "/Folder/DC", "server": "vc.test", "network": "n"})),
            machine("cp", &json!({"template": "Templates/new", "osFamily": "ubuntu", "datastore": "s", "diskGiB": 30})),
            machine("md", &json!({"template": "old", "datastore": "s"})),
        ]);
        let dc = &wanted.datacenters[0];
        assert_eq!(dc.path, path("Folder/DC"));
        assert_eq!(dc.datastores[&path("s")], 30 + 3 * 25);
        let new = &dc.templates[&path("Templates/new")];
        let old = &dc.templates[&path("Templates/old")];
        assert_eq!((&new.kubernetes, &new.os_families), (&["1.34".to_owned()].into(), &["ubuntu".to_owned()].into()));
        assert_eq!(
            (&old.kubernetes, &old.os_families),
            (&["1.30".to_owned()].into(), &["bottlerocket".to_owned()].into())
        );
        assert_eq!((new.disk_gib(), old.disk_gib()), (25, 22));
    }

    #[test]
    fn failure_domains_bring_their_compute_clusters() {
        let wanted = Wanted::from_documents(&[datacenter(
            &json!({"datacenter": "DC", "server": "vc.test", "network": "n",
            "failureDomains": [{"computeCluster": "East", "resourcePool": "P", "datastore": "e", "folder": "f", "network": "e-net"}]}),
        )]);
        let dc = &wanted.datacenters[0];
        assert_eq!(dc.clusters, [path("East")].into());
        assert_eq!(dc.pools, [WantedPool { cluster: Some(path("East")), path: path("P") }].into());
        assert_eq!(dc.networks, [path("n"), path("e-net")].into());
    }

    #[test]
    fn only_tags_that_can_exist_are_wanted() {
        let good = "urn:vmomi:InventoryServiceTag:8e0ce079:GLOBAL";
        let wanted = Wanted::from_documents(&[machine("a", &json!({"tags": [good, "my-tag"]}))]);
        assert_eq!(wanted.tags, [good.to_owned()].into());
    }
}
