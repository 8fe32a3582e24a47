//! Virtual machine templates: their devices, snapshots and summaries.

use jiff::Timestamp;

use super::data::{self, Data, Ref, boolean, derived, enumeration, int, long, record, text};
use super::inventory::Inventory;
use super::objects::Machine;

const KIB_IN_GIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

impl Inventory {
    /// A template in a folder: powered off, one disk, one network card, a snapshot called `root`.
    pub(crate) fn template(&mut self, folder: &Ref, machine: &Machine<'_>, now: Timestamp) -> Ref {
        let reference = self.fresh("VirtualMachine", "vm-");
        let uuid = self.uuid(&format!("vm/{}/{}", folder.id, machine.name));
        let instance = self.uuid(&format!("instance/{}/{}", folder.id, machine.name));
        let store = machine
            .datastore
            .and_then(|datastore| self.get(datastore))
            .map(|entity| entity.name.clone())
            .unwrap_or_default();
        let file = |ending: &str| format!("[{store}] {0}/{0}{ending}", machine.name);
        let switch_uuid = machine.network.and_then(|network| self.switch_of(network));
        let devices = Data::List {
            item: "VirtualDevice",
            items: devices(machine, switch_uuid.as_deref(), &file(".vmdk"), &uuid),
        };
        let runtime = runtime(machine.host);
        let snapshot = self.fresh("VirtualMachineSnapshot", "snapshot-");
        let config = config(machine, &uuid, &instance, &file(".vmx"), devices, now);
        let guest = record(
            "GuestInfo",
            vec![
                ("toolsStatus", enumeration("VirtualMachineToolsStatus", "toolsNotRunning")),
                ("guestState", text("notRunning")),
            ],
        );
        let mut properties = vec![
            ("config", config),
            ("summary", summary(&reference, machine, &uuid, &instance, &file(".vmx"), &runtime, now)),
            ("runtime", runtime),
            ("guest", guest),
            ("guestHeartbeatStatus", enumeration("ManagedEntityStatus", "gray")),
            ("layoutEx", layout(&file, machine.disk_gib, now)),
            ("rootSnapshot", data::references(vec![snapshot.clone()])),
        ];
        properties.push(("snapshot", snapshots(&reference, &snapshot, now)));
        self.put(reference.clone(), machine.name, Some(folder), properties, &["datastore", "network"]);
        self.link(folder, "childEntity", &reference);
        if let Some(datastore) = machine.datastore {
            self.link(&reference, "datastore", datastore);
            self.link(datastore, "vm", &reference);
        }
        if let Some(network) = machine.network {
            self.link(&reference, "network", network);
            self.link(network, "vm", &reference);
        }
        if let Some(host) = machine.host {
            self.link(host, "vm", &reference);
        }
        reference
    }

    /// The UUID of the switch of a distributed port group.
    fn switch_of(&self, network: &Ref) -> Option<String> {
        let switch = self.get(network)?.property("config")?.at(["distributedVirtualSwitch"].into_iter())?.targets();
        match self.get(switch.first()?)?.property("uuid")? {
            Data::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
}

fn runtime(host: Option<&Ref>) -> Data {
    let mut fields = Vec::new();
    if let Some(host) = host {
        fields.push(("host", Data::Ref(host.clone())));
    }
    fields.extend([
        ("connectionState", enumeration("VirtualMachineConnectionState", "connected")),
        ("powerState", enumeration("VirtualMachinePowerState", "poweredOff")),
        ("faultToleranceState", enumeration("VirtualMachineFaultToleranceState", "notConfigured")),
        ("toolsInstallerMounted", boolean(false)),
        ("numMksConnections", int(0)),
        ("recordReplayState", enumeration("VirtualMachineRecordReplayState", "inactive")),
        ("onlineStandby", boolean(false)),
        ("consolidationNeeded", boolean(false)),
    ]);
    record("VirtualMachineRuntimeInfo", fields)
}

fn summary(
    reference: &Ref,
    machine: &Machine<'_>,
    uuid: &str,
    instance: &str,
    vmx: &str,
    runtime: &Data,
    now: Timestamp,
) -> Data {
    record(
        "VirtualMachineSummary",
        vec![
            ("vm", Data::Ref(reference.clone())),
            ("runtime", runtime.clone()),
            (
                "guest",
                record(
                    "VirtualMachineGuestSummary",
                    vec![("toolsStatus", enumeration("VirtualMachineToolsStatus", "toolsNotRunning"))],
                ),
            ),
            (
                "config",
                record(
                    "VirtualMachineConfigSummary",
                    vec![
                        ("name", text(machine.name)),
                        ("template", boolean(true)),
                        ("vmPathName", text(vmx)),
                        ("memorySizeMB", int(machine.memory_mib)),
                        ("cpuReservation", int(0)),
                        ("memoryReservation", int(0)),
                        ("numCpu", int(machine.cpus)),
                        ("numEthernetCards", int(1)),
                        ("numVirtualDisks", int(1)),
                        ("uuid", text(uuid)),
                        ("instanceUuid", text(instance)),
                        ("guestId", text(machine.guest_id)),
                        ("guestFullName", text(machine.guest_name)),
                        ("annotation", text("")),
                        ("hwVersion", text("vmx-19")),
                    ],
                ),
            ),
            (
                "storage",
                record(
                    "VirtualMachineStorageSummary",
                    vec![
                        ("committed", long(machine.disk_gib * GIB / 8)),
                        ("uncommitted", long(machine.disk_gib * GIB)),
                        ("unshared", long(machine.disk_gib * GIB / 8)),
                        ("timestamp", data::time(now)),
                    ],
                ),
            ),
            (
                "quickStats",
                record(
                    "VirtualMachineQuickStats",
                    vec![("guestHeartbeatStatus", enumeration("ManagedEntityStatus", "gray"))],
                ),
            ),
            ("overallStatus", enumeration("ManagedEntityStatus", "green")),
        ],
    )
}

fn config(machine: &Machine<'_>, uuid: &str, instance: &str, vmx: &str, devices: Data, now: Timestamp) -> Data {
    record(
        "VirtualMachineConfigInfo",
        vec![
            ("changeVersion", text(now.to_string())),
            ("modified", data::time(now)),
            ("name", text(machine.name)),
            ("guestFullName", text(machine.guest_name)),
            ("version", text("vmx-19")),
            ("uuid", text(uuid)),
            ("instanceUuid", text(instance)),
            ("template", boolean(true)),
            ("guestId", text(machine.guest_id)),
            ("alternateGuestName", text("")),
            ("annotation", text("")),
            ("files", record("VirtualMachineFileInfo", vec![("vmPathName", text(vmx))])),
            (
                "hardware",
                record(
                    "VirtualHardware",
                    vec![
                        ("numCPU", int(machine.cpus)),
                        ("numCoresPerSocket", int(1)),
                        ("memoryMB", int(machine.memory_mib)),
                        ("device", devices),
                    ],
                ),
            ),
        ],
    )
}

fn device(kind: &'static str, key: i32, label: &str, summary: &str, rest: Vec<(&'static str, Data)>) -> Data {
    let mut fields = vec![
        ("key", int(key)),
        ("deviceInfo", derived("Description", vec![("label", text(label)), ("summary", text(summary))])),
    ];
    fields.extend(rest);
    derived(kind, fields)
}

fn devices(machine: &Machine<'_>, switch_uuid: Option<&str>, vmdk: &str, uuid: &str) -> Vec<Data> {
    let at = |controller: i32, unit: i32| [("controllerKey", int(controller)), ("unitNumber", int(unit))];
    let numbers = |items: &[i32]| Data::List { item: "int", items: items.iter().map(|item| int(*item)).collect() };
    let kib = machine.disk_gib * KIB_IN_GIB;
    let mut backing = vec![("fileName", text(vmdk))];
    if let Some(datastore) = machine.datastore {
        backing.push(("datastore", Data::Ref(datastore.clone())));
    }
    backing.extend([
        ("diskMode", text("persistent")),
        ("split", boolean(false)),
        ("writeThrough", boolean(false)),
        ("thinProvisioned", boolean(true)),
        ("uuid", text(uuid)),
        ("digestEnabled", boolean(false)),
    ]);
    let mut disk = vec![("backing", derived("VirtualDiskFlatVer2BackingInfo", backing))];
    disk.extend(at(1000, 0));
    disk.extend([("capacityInKB", long(kib)), ("capacityInBytes", long(kib * 1024))]);
    let (card, network) = match (machine.network, switch_uuid) {
        (Some(network), Some(switch)) => {
            let port = record(
                "DistributedVirtualSwitchPortConnection",
                vec![("switchUuid", text(switch)), ("portgroupKey", text(&network.id))],
            );
            (
                derived("VirtualEthernetCardDistributedVirtualPortBackingInfo", vec![("port", port)]),
                format!("DVSwitch: {switch}"),
            )
        }
        _ => (
            derived("VirtualEthernetCardNetworkBackingInfo", vec![("deviceName", text("VM Network"))]),
            "VM Network".to_owned(),
        ),
    };
    let connectable = record(
        "VirtualDeviceConnectInfo",
        vec![
            ("startConnected", boolean(true)),
            ("allowGuestControl", boolean(true)),
            ("connected", boolean(false)),
            ("status", text("untried")),
        ],
    );
    let mut ethernet = vec![("backing", card), ("connectable", connectable)];
    ethernet.extend(at(100, 7));
    ethernet.extend([
        ("addressType", text("assigned")),
        ("macAddress", text("00:50:56:00:00:01")),
        ("wakeOnLanEnabled", boolean(true)),
    ]);
    let mut video: Vec<(&'static str, Data)> = at(100, 0).into();
    video.push(("videoRamSizeInKB", long(4_096)));
    let scsi = vec![
        ("controllerKey", int(100)),
        ("unitNumber", int(3)),
        ("busNumber", int(0)),
        ("device", numbers(&[2000])),
        ("hotAddRemove", boolean(true)),
        ("sharedBus", enumeration("VirtualSCSISharing", "noSharing")),
        ("scsiCtlrUnitNumber", int(7)),
    ];
    vec![
        device("VirtualIDEController", 200, "IDE 0", "IDE 0", vec![("busNumber", int(0))]),
        device("VirtualIDEController", 201, "IDE 1", "IDE 1", vec![("busNumber", int(1))]),
        device(
            "VirtualPS2Controller",
            300,
            "PS2 controller 0",
            "PS2 controller 0",
            vec![("busNumber", int(0)), ("device", numbers(&[600, 700]))],
        ),
        device(
            "VirtualPCIController",
            100,
            "PCI controller 0",
            "PCI controller 0",
            vec![("busNumber", int(0)), ("device", numbers(&[500, 1000, 4000]))],
        ),
        device("VirtualSIOController", 400, "SIO controller 0", "SIO controller 0", vec![("busNumber", int(0))]),
        device("VirtualKeyboard", 600, "Keyboard", "Keyboard", at(300, 0).into()),
        device("VirtualPointingDevice", 700, "Pointing device", "Pointing device; Device", at(300, 1).into()),
        device("VirtualMachineVideoCard", 500, "Video card", "Video card", video),
        device("ParaVirtualSCSIController", 1000, "SCSI controller 0", "VMware paravirtual SCSI", scsi),
        device("VirtualDisk", 2000, "Hard disk 1", &format!("{} KB", grouped(kib)), disk),
        device("VirtualVmxnet3", 4000, "Network adapter 1", &network, ethernet),
    ]
}

/// A number with a comma after each three digits, as a vCenter describes disks.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn snapshots(machine: &Ref, snapshot: &Ref, now: Timestamp) -> Data {
    let tree = record(
        "VirtualMachineSnapshotTree",
        vec![
            ("snapshot", Data::Ref(snapshot.clone())),
            ("vm", Data::Ref(machine.clone())),
            ("name", text("root")),
            ("description", text("")),
            ("id", int(1)),
            ("createTime", data::time(now)),
            ("state", enumeration("VirtualMachinePowerState", "poweredOff")),
            ("quiesced", boolean(false)),
            ("replaySupported", boolean(false)),
        ],
    );
    record(
        "VirtualMachineSnapshotInfo",
        vec![
            ("currentSnapshot", Data::Ref(snapshot.clone())),
            ("rootSnapshotList", Data::List { item: "VirtualMachineSnapshotTree", items: vec![tree] }),
        ],
    )
}

fn layout(file: &dyn Fn(&str) -> String, disk_gib: i64, now: Timestamp) -> Data {
    let entry = |key: i32, ending: &str, kind: &str, size: i64| {
        record(
            "VirtualMachineFileLayoutExFileInfo",
            vec![
                ("key", int(key)),
                ("name", text(file(ending))),
                ("type", text(kind)),
                ("size", long(size)),
                ("uniqueSize", long(size)),
                ("accessible", boolean(true)),
            ],
        )
    };
    let files = vec![
        entry(0, ".vmx", "config", 2_744),
        entry(1, ".nvram", "nvram", 8_684),
        entry(2, ".vmdk", "diskDescriptor", 549),
        entry(3, "-flat.vmdk", "diskExtent", disk_gib * GIB / 8),
    ];
    record(
        "VirtualMachineFileLayoutEx",
        vec![
            ("file", Data::List { item: "VirtualMachineFileLayoutExFileInfo", items: files }),
            ("timestamp", data::time(now)),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        assert_eq!([7, 700, 7_000, 23_068_672].map(grouped), ["7", "700", "7,000", "23,068,672"]);
    }
}
