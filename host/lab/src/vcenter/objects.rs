//! How each type of managed entity is made, with the properties that clients read.

use jiff::Timestamp;

use super::data::{self, Data, Ref, boolean, derived, enumeration, int, long, record, text};
use super::inventory::Inventory;

const GIB: i64 = 1 << 30;
const HOST_MEMORY: i64 = 512 * GIB;
const HOST_MHZ: i32 = 2_600;
const HOST_CORES: i16 = 64;

/// The four folders of a datacenter.
#[derive(Debug, Clone)]
pub(crate) struct Datacenter {
    pub(crate) reference: Ref,
    pub(crate) vm: Ref,
    pub(crate) host: Ref,
    pub(crate) datastore: Ref,
    pub(crate) network: Ref,
}

/// A compute cluster with its root resource pool.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) reference: Ref,
    pub(crate) root_pool: Ref,
}

/// What a virtual machine or a template is made of.
#[derive(Debug, Clone)]
pub(crate) struct Machine<'a> {
    pub(crate) name: &'a str,
    pub(crate) guest_id: &'a str,
    pub(crate) guest_name: &'a str,
    /// The size of its only disk, in GiB.
    pub(crate) disk_gib: i64,
    pub(crate) cpus: i32,
    pub(crate) memory_mib: i32,
    pub(crate) datastore: Option<&'a Ref>,
    pub(crate) network: Option<&'a Ref>,
    pub(crate) host: Option<&'a Ref>,
}

/// The kinds of folder in a datacenter: the prefix of the identifier and what may be in it.
fn folder_shape(parent: &Ref) -> (&'static str, &'static [&'static str]) {
    match parent.id.get(..7) {
        Some("group-v") => ("group-v", &["Folder", "VirtualMachine", "VirtualApp"]),
        Some("group-h") => ("group-h", &["Folder", "ComputeResource"]),
        Some("group-s") => ("group-s", &["Folder", "Datastore", "StoragePod"]),
        Some("group-n") => ("group-n", &["Folder", "Network", "DistributedVirtualSwitch"]),
        _ => ("group-d", &["Folder", "Datacenter"]),
    }
}

impl Inventory {
    /// The folder of this name, made if it is not there.
    pub(crate) fn folder(&mut self, parent: &Ref, name: &str) -> Ref {
        if let Some(there) = self.child(parent, name).filter(|child| child.is_a("Folder")) {
            return there.reference.clone();
        }
        let (prefix, children) = folder_shape(parent);
        let reference = self.fresh("Folder", prefix);
        self.put(reference.clone(), name, Some(parent), vec![("childType", data::strings(children))], &["childEntity"]);
        self.link(parent, "childEntity", &reference);
        reference
    }

    /// All folders of a path, made where they are not there.
    pub(crate) fn folders<'a>(&mut self, parent: &Ref, path: impl IntoIterator<Item = &'a str>) -> Ref {
        path.into_iter().fold(parent.clone(), |parent, name| self.folder(&parent, name))
    }

    /// A datacenter with its folders.
    pub(crate) fn datacenter(&mut self, parent: &Ref, name: &str) -> Datacenter {
        let reference = self.fresh("Datacenter", "datacenter-");
        self.put(reference.clone(), name, Some(parent), Vec::new(), &["datastore", "network"]);
        self.link(parent, "childEntity", &reference);
        let mut folder = |name: &str, property: &'static str, prefix: &str| {
            let folder = self.fresh("Folder", prefix);
            let (_, children) = folder_shape(&folder);
            self.put(
                folder.clone(),
                name,
                Some(&reference),
                vec![("childType", data::strings(children))],
                &["childEntity"],
            );
            self.set(&reference, property, Data::Ref(folder.clone()));
            folder
        };
        let vm = folder("vm", "vmFolder", "group-v");
        let host = folder("host", "hostFolder", "group-h");
        let datastore = folder("datastore", "datastoreFolder", "group-s");
        let network = folder("network", "networkFolder", "group-n");
        Datacenter { reference, vm, host, datastore, network }
    }

    /// A compute cluster with `hosts` hosts and its root resource pool.
    pub(crate) fn cluster(&mut self, folder: &Ref, name: &str, hosts: u32, now: Timestamp) -> Cluster {
        let reference = self.fresh("ClusterComputeResource", "domain-c");
        self.put(reference.clone(), name, Some(folder), Vec::new(), &["host", "datastore", "network"]);
        self.link(folder, "childEntity", &reference);
        let root_pool = self.pool(&reference, &reference, "Resources");
        self.set(&reference, "resourcePool", Data::Ref(root_pool.clone()));
        for number in 1..=hosts {
            self.host(
                &reference,
                &format!("esx-{number}.{}.lab.test", name.to_ascii_lowercase().replace([' ', '/'], "-")),
                now,
            );
        }
        let hosts = i32::try_from(hosts).unwrap_or(i32::MAX);
        let (cores, memory) = (i32::from(HOST_CORES) * hosts, HOST_MEMORY * i64::from(hosts));
        let summary = derived(
            "ClusterComputeResourceSummary",
            vec![
                ("totalCpu", int(cores * HOST_MHZ)),
                ("totalMemory", long(memory)),
                ("numCpuCores", int(cores)),
                ("numCpuThreads", int(cores)),
                ("effectiveCpu", int(cores * HOST_MHZ)),
                ("effectiveMemory", long(memory >> 20)),
                ("numHosts", int(hosts)),
                ("numEffectiveHosts", int(hosts)),
                ("overallStatus", enumeration("ManagedEntityStatus", "green")),
                ("currentFailoverLevel", int(0)),
                ("numVmotions", int(0)),
                (
                    "usageSummary",
                    record(
                        "ClusterUsageSummary",
                        vec![
                            ("totalCpuCapacityMhz", int(cores * HOST_MHZ)),
                            ("totalMemCapacityMB", int(i32::try_from(memory >> 20).unwrap_or(i32::MAX))),
                            ("cpuReservationMhz", int(0)),
                            ("memReservationMB", int(0)),
                            ("poweredOffCpuReservationMhz", int(0)),
                            ("poweredOffMemReservationMB", int(0)),
                            ("cpuDemandMhz", int(0)),
                            ("memDemandMB", int(0)),
                            ("statsGenNumber", long(1)),
                            ("cpuEntitledMhz", int(0)),
                            ("memEntitledMB", int(0)),
                            ("poweredOffVmCount", int(0)),
                            ("totalVmCount", int(0)),
                        ],
                    ),
                ),
            ],
        );
        self.set(&reference, "summary", summary);
        Cluster { reference, root_pool }
    }

    fn host(&mut self, cluster: &Ref, name: &str, now: Timestamp) {
        let reference = self.fresh("HostSystem", "host-");
        let uuid = self.uuid(&format!("host/{name}"));
        let cores = i32::from(HOST_CORES);
        let short = |value: i16| Data::Scalar { kind: "xsd:short", text: value.to_string() };
        let product = record(
            "AboutInfo",
            vec![
                ("name", text("VMware ESXi")),
                ("fullName", text("VMware ESXi 8.0.2 build-22380479")),
                ("vendor", text("VMware, Inc.")),
                ("version", text("8.0.2")),
                ("build", text("22380479")),
                ("localeVersion", text("INTL")),
                ("localeBuild", text("000")),
                ("osType", text("vmnix-x86")),
                ("productLineId", text("embeddedEsx")),
                ("apiType", text("HostAgent")),
                ("apiVersion", text("8.0.2.0")),
                ("licenseProductName", text("VMware ESX Server")),
                ("licenseProductVersion", text("8.0")),
            ],
        );
        let runtime = record(
            "HostRuntimeInfo",
            vec![
                ("connectionState", enumeration("HostSystemConnectionState", "connected")),
                ("powerState", enumeration("HostSystemPowerState", "poweredOn")),
                ("standbyMode", text("none")),
                ("inMaintenanceMode", boolean(false)),
                ("bootTime", data::time(now)),
            ],
        );
        let summary = record(
            "HostListSummary",
            vec![
                ("host", Data::Ref(reference.clone())),
                (
                    "hardware",
                    record(
                        "HostHardwareSummary",
                        vec![
                            ("vendor", text("kedge")),
                            ("model", text("Lab")),
                            ("uuid", text(uuid)),
                            ("memorySize", long(HOST_MEMORY)),
                            ("cpuModel", text("Lab CPU @ 2.60GHz")),
                            ("cpuMhz", int(HOST_MHZ)),
                            ("numCpuPkgs", short(2)),
                            ("numCpuCores", short(HOST_CORES)),
                            ("numCpuThreads", short(HOST_CORES)),
                            ("numNics", int(2)),
                            ("numHBAs", int(2)),
                        ],
                    ),
                ),
                ("runtime", runtime.clone()),
                (
                    "config",
                    record(
                        "HostConfigSummary",
                        vec![
                            ("name", text(name)),
                            ("port", int(443)),
                            ("product", product),
                            ("vmotionEnabled", boolean(true)),
                            ("faultToleranceEnabled", boolean(false)),
                        ],
                    ),
                ),
                (
                    "quickStats",
                    record(
                        "HostListSummaryQuickStats",
                        vec![
                            ("overallCpuUsage", int(cores * 20)),
                            ("overallMemoryUsage", int(16_384)),
                            ("uptime", int(86_400)),
                        ],
                    ),
                ),
                ("overallStatus", enumeration("ManagedEntityStatus", "green")),
                ("rebootRequired", boolean(false)),
            ],
        );
        let properties = vec![("summary", summary), ("runtime", runtime)];
        self.put(reference.clone(), name, Some(cluster), properties, &["datastore", "network", "vm"]);
        self.link(cluster, "host", &reference);
    }

    /// The resource pool of this name, made if it is not there. `parent` is a pool, or the cluster for its root pool.
    pub(crate) fn pool(&mut self, parent: &Ref, owner: &Ref, name: &str) -> Ref {
        if let Some(there) = self.child(parent, name).filter(|child| child.is_a("ResourcePool")) {
            return there.reference.clone();
        }
        let reference = self.fresh("ResourcePool", "resgroup-");
        let allocation = || {
            record(
                "ResourceAllocationInfo",
                vec![
                    ("reservation", long(0)),
                    ("expandableReservation", boolean(true)),
                    ("limit", long(-1)),
                    (
                        "shares",
                        record(
                            "SharesInfo",
                            vec![("shares", int(4_000)), ("level", enumeration("SharesLevel", "normal"))],
                        ),
                    ),
                ],
            )
        };
        let usage = |most: i64| {
            record(
                "ResourcePoolResourceUsage",
                vec![
                    ("reservationUsed", long(0)),
                    ("reservationUsedForVm", long(0)),
                    ("unreservedForPool", long(most)),
                    ("unreservedForVm", long(most)),
                    ("overallUsage", long(0)),
                    ("maxUsage", long(most)),
                ],
            )
        };
        let config = record(
            "ResourceConfigSpec",
            vec![
                ("entity", Data::Ref(reference.clone())),
                ("cpuAllocation", allocation()),
                ("memoryAllocation", allocation()),
            ],
        );
        let runtime = record(
            "ResourcePoolRuntimeInfo",
            vec![
                ("memory", usage(HOST_MEMORY)),
                ("cpu", usage(i64::from(HOST_CORES) * i64::from(HOST_MHZ))),
                ("overallStatus", enumeration("ManagedEntityStatus", "green")),
            ],
        );
        let summary = record(
            "ResourcePoolSummary",
            vec![("name", text(name)), ("config", config.clone()), ("runtime", runtime.clone())],
        );
        let properties =
            vec![("summary", summary), ("runtime", runtime), ("owner", Data::Ref(owner.clone())), ("config", config)];
        self.put(reference.clone(), name, Some(parent), properties, &["resourcePool", "vm"]);
        if parent.kind == "ResourcePool" {
            self.link(parent, "resourcePool", &reference);
        }
        reference
    }

    /// A datastore. Capacity and free space are in bytes.
    pub(crate) fn datastore(&mut self, folder: &Ref, name: &str, capacity: i64, free: i64, now: Timestamp) -> Ref {
        let reference = self.fresh("Datastore", "datastore-");
        let url = format!("ds:///vmfs/volumes/{}/", self.uuid(&format!("datastore/{name}")));
        let info = derived(
            "VmfsDatastoreInfo",
            vec![
                ("name", text(name)),
                ("url", text(&url)),
                ("freeSpace", long(free)),
                ("maxFileSize", long(70_368_744_177_664)),
                ("timestamp", data::time(now)),
            ],
        );
        let summary = record(
            "DatastoreSummary",
            vec![
                ("datastore", Data::Ref(reference.clone())),
                ("name", text(name)),
                ("url", text(&url)),
                ("capacity", long(capacity)),
                ("freeSpace", long(free)),
                ("uncommitted", long(0)),
                ("accessible", boolean(true)),
                ("multipleHostAccess", boolean(true)),
                ("type", text("VMFS")),
                ("maintenanceMode", text("normal")),
            ],
        );
        let host = Data::List { item: "DatastoreHostMount", items: Vec::new() };
        self.put(
            reference.clone(),
            name,
            Some(folder),
            vec![("info", info), ("summary", summary), ("host", host)],
            &["vm"],
        );
        self.link(folder, "childEntity", &reference);
        reference
    }

    /// A distributed switch.
    pub(crate) fn switch(&mut self, folder: &Ref, name: &str) -> Ref {
        let reference = self.fresh("VmwareDistributedVirtualSwitch", "dvs-");
        let uuid = self.uuid(&format!("switch/{name}"));
        let summary = record("DVSSummary", vec![("name", text(name)), ("uuid", text(&uuid)), ("numPorts", int(512))]);
        self.put(
            reference.clone(),
            name,
            Some(folder),
            vec![("summary", summary), ("uuid", text(uuid))],
            &["portgroup"],
        );
        self.link(folder, "childEntity", &reference);
        reference
    }

    /// A distributed port group of a switch.
    pub(crate) fn portgroup(&mut self, folder: &Ref, switch: &Ref, name: &str) -> Ref {
        let reference = self.fresh("DistributedVirtualPortgroup", "dvportgroup-");
        let config = record(
            "DVPortgroupConfigInfo",
            vec![
                ("key", text(&reference.id)),
                ("name", text(name)),
                ("numPorts", int(128)),
                ("distributedVirtualSwitch", Data::Ref(switch.clone())),
                ("type", text("earlyBinding")),
                ("backingType", text("standard")),
                ("uplink", boolean(false)),
            ],
        );
        let properties =
            vec![("summary", network_summary(&reference, name)), ("config", config), ("key", text(&reference.id))];
        self.put(reference.clone(), name, Some(folder), properties, &["host", "vm"]);
        self.link(folder, "childEntity", &reference);
        self.link(switch, "portgroup", &reference);
        reference
    }

    /// A network of a standard switch.
    pub(crate) fn network(&mut self, folder: &Ref, name: &str) -> Ref {
        let reference = self.fresh("Network", "network-");
        let properties = vec![("summary", network_summary(&reference, name))];
        self.put(reference.clone(), name, Some(folder), properties, &["host", "vm"]);
        self.link(folder, "childEntity", &reference);
        reference
    }
}

fn network_summary(reference: &Ref, name: &str) -> Data {
    derived(
        "NetworkSummary",
        vec![
            ("network", Data::Ref(reference.clone())),
            ("name", text(name)),
            ("accessible", boolean(true)),
            ("ipPoolName", text("")),
        ],
    )
}

/// The hosts that mount a datastore.
pub(crate) fn mounts(hosts: &[Ref]) -> Data {
    let mount = |host: &Ref| {
        let info = record(
            "HostMountInfo",
            vec![("accessMode", text("readWrite")), ("mounted", boolean(true)), ("accessible", boolean(true))],
        );
        record("DatastoreHostMount", vec![("key", Data::Ref(host.clone())), ("mountInfo", info)])
    };
    Data::List { item: "DatastoreHostMount", items: hosts.iter().map(mount).collect() }
}
