//! The managed object types that the inventory has: which is a kind of which, and what properties each has.
//!
//! Source: the vSphere Web Services API reference, release 8.0.

const ENTITY: &[&str] = &[
    "alarmActionsEnabled",
    "availableField",
    "configIssue",
    "configStatus",
    "customValue",
    "declaredAlarmState",
    "disabledMethod",
    "effectiveRole",
    "name",
    "overallStatus",
    "parent",
    "permission",
    "recentTask",
    "tag",
    "triggeredAlarmState",
    "value",
];

/// The base of a type, if it has one among the types that a client may name.
fn base(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Folder"
        | "Datacenter"
        | "ComputeResource"
        | "HostSystem"
        | "ResourcePool"
        | "Datastore"
        | "Network"
        | "DistributedVirtualSwitch"
        | "VirtualMachine" => "ManagedEntity",
        "ClusterComputeResource" => "ComputeResource",
        "VirtualApp" => "ResourcePool",
        "DistributedVirtualPortgroup" | "OpaqueNetwork" => "Network",
        "VmwareDistributedVirtualSwitch" => "DistributedVirtualSwitch",
        "StoragePod" => "Folder",
        "ManagedEntity" => "ExtensibleManagedObject",
        "ContainerView" | "InventoryView" | "ListView" => "View",
        _ => return None,
    })
}

/// Whether an object of type `kind` is one of type `wanted`.
pub(crate) fn is_a(kind: &str, wanted: &str) -> bool {
    let mut current = kind;
    loop {
        if current == wanted {
            return true;
        }
        match base(current) {
            Some(next) => current = next,
            None => return wanted == "ManagedObject",
        }
    }
}

fn own(kind: &str) -> &'static [&'static str] {
    match kind {
        "ManagedEntity" => ENTITY,
        "Folder" => &["childEntity", "childType", "namespace"],
        "StoragePod" => &["podStorageDrsEntry", "summary"],
        "Datacenter" => {
            &["configuration", "datastore", "datastoreFolder", "hostFolder", "network", "networkFolder", "vmFolder"]
        }
        "ComputeResource" => &[
            "configurationEx",
            "datastore",
            "environmentBrowser",
            "host",
            "lifecycleManaged",
            "network",
            "resourcePool",
            "summary",
        ],
        "ClusterComputeResource" => &[
            "actionHistory",
            "configuration",
            "drsFault",
            "drsRecommendation",
            "hciConfig",
            "migrationHistory",
            "recommendation",
            "summaryEx",
        ],
        "HostSystem" => &[
            "answerFileValidationResult",
            "answerFileValidationState",
            "capability",
            "complianceCheckResult",
            "complianceCheckState",
            "config",
            "configManager",
            "datastore",
            "datastoreBrowser",
            "hardware",
            "licensableResource",
            "network",
            "precheckRemediationResult",
            "remediationResult",
            "remediationState",
            "runtime",
            "summary",
            "systemResources",
            "vm",
        ],
        "ResourcePool" => {
            &["childConfiguration", "config", "namespace", "owner", "resourcePool", "runtime", "summary", "vm"]
        }
        "VirtualApp" => &["childLink", "datastore", "network", "parentFolder", "parentVApp", "vAppConfig"],
        "Datastore" => &["browser", "capability", "host", "info", "iormConfiguration", "summary", "vm"],
        "Network" => &["host", "summary", "vm"],
        "DistributedVirtualPortgroup" => &["config", "key", "portKeys"],
        "DistributedVirtualSwitch" => {
            &["capability", "config", "networkResourcePool", "portgroup", "runtime", "summary", "uuid"]
        }
        "VirtualMachine" => &[
            "capability",
            "config",
            "datastore",
            "environmentBrowser",
            "guest",
            "guestHeartbeatStatus",
            "layout",
            "layoutEx",
            "network",
            "parentVApp",
            "resourceConfig",
            "resourcePool",
            "rootSnapshot",
            "runtime",
            "snapshot",
            "storage",
            "summary",
        ],
        "ContainerView" => &["container", "recursive", "type"],
        "View" => &["view"],
        "SessionManager" => {
            &["currentSession", "defaultLocale", "message", "messageLocaleList", "sessionList", "supportedLocaleList"]
        }
        "ServiceInstance" => &["capability", "content", "serverClock"],
        "AuthorizationManager" => &["description", "privilegeList", "roleList"],
        "LicenseManager" => &["evaluation", "licenseAssignmentManager", "licensedEdition", "licenses"],
        "PropertyCollector" => &["filter"],
        "ViewManager" => &["viewList"],
        "CustomFieldsManager" => &["field"],
        "OptionManager" => &["setting", "supportedOption"],
        _ => &[],
    }
}

/// Whether objects of this type have a property of this name (the first part of a property path).
pub(crate) fn has_property(kind: &str, property: &str) -> bool {
    let mut current = kind;
    loop {
        if own(current).contains(&property) {
            return true;
        }
        match base(current) {
            Some(next) => current = next,
            None => return false,
        }
    }
}

/// Whether the type is one that a client may name in a request.
pub(crate) fn is_known(kind: &str) -> bool {
    base(kind).is_some() || !own(kind).is_empty() || matches!(kind, "ManagedObject" | "ExtensibleManagedObject")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_kinds_of_their_bases() {
        assert!(is_a("DistributedVirtualPortgroup", "Network"));
        assert!(is_a("ClusterComputeResource", "ManagedEntity"));
        assert!(is_a("VmwareDistributedVirtualSwitch", "DistributedVirtualSwitch"));
        assert!(!is_a("Network", "DistributedVirtualPortgroup"));
        assert!(!is_a("SessionManager", "ManagedEntity"));
    }

    #[test]
    fn properties_come_from_the_bases_too() {
        assert!(has_property("DistributedVirtualPortgroup", "summary"));
        assert!(has_property("VirtualMachine", "name"));
        assert!(!has_property("VirtualMachine", "childEntity"));
    }
}
