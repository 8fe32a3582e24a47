//! The shapes of the provider's documents.

use kedge_sdk::prelude::*;
use kedge_sdk::schema::{Schema, boolean, integer, list, map, object, one_of, string};

use crate::{DATACENTER, MACHINE};

pub(crate) fn schema(kind: &str) -> Result<Value, Failure> {
    match kind {
        DATACENTER => Ok(datacenter()),
        MACHINE => Ok(machine()),
        other => Err(Failure::unknown_kind(other)),
    }
}

fn datacenter() -> Value {
    let failure_domain = object([
        ("name", string("The name that worker node groups refer to")),
        ("computeCluster", string("A cluster of hosts")),
        ("resourcePool", string("A resource pool of that cluster")),
        ("datastore", string("A datastore that its hosts reach")),
        ("folder", string("The folder of its virtual machines")),
        ("network", string("The network of its virtual machines")),
    ])
    .required(&["name", "computeCluster", "resourcePool", "datastore", "folder", "network"]);
    object([
        ("datacenter", string("The datacenter in the vCenter's inventory")),
        ("server", string("The vCenter: host or host:port, without scheme")),
        ("network", string("The network of the machines, as a name or as a path below /DATACENTER/network/")),
        ("thumbprint", string("The SHA-1 thumbprint of the vCenter's certificate, if it is self-signed")),
        ("insecure", boolean("Accept any certificate")),
        ("failureDomains", list(failure_domain, "Places that worker node groups can be put in")),
    ])
    .required(&["datacenter", "server", "network"])
    .document()
}

fn machine() -> Value {
    let user = object([
        ("name", string("Login name")),
        ("sshAuthorizedKeys", list(string("A public key"), "Keys that may log in")),
    ]);
    let cert_bundle = object([("name", string("A name for the bundle")), ("data", string("Certificates in PEM"))])
        .required(&["name", "data"]);
    let bottlerocket = object([
        ("kubernetes", bottlerocket_kubernetes().describe("Settings of the kubelet")),
        ("kernel", object([("sysctlSettings", map(string("A value"), "Kernel parameters at run time"))])),
        (
            "boot",
            object([("bootKernelParameters", map(list(string("A value"), "Values"), "Kernel parameters at boot"))]),
        ),
    ]);
    let ntp = object([("servers", list(string("A host name or address"), "Time servers"))]).required(&["servers"]);
    let host_os = object([
        ("ntpConfiguration", ntp),
        ("bottlerocketConfiguration", bottlerocket),
        ("certBundles", list(cert_bundle, "Certificates that the node trusts")),
    ]);
    object([
        ("datastore", string("A name, or a path below /DATACENTER/datastore/")),
        ("folder", string("A name, or a path below /DATACENTER/vm/; it is made where it is missing")),
        ("resourcePool", string("A name, the end of a path (`*/Resources`), or a whole path")),
        ("template", string("The template that machines are clones of: its name, the end of its path, or its path")),
        ("diskGiB", integer("GiB of disk; at least 20 and at least what the template has").minimum(0)),
        ("numCPUs", integer("Virtual CPUs").minimum(0)),
        ("memoryMiB", integer("MiB of memory; at least 2048, for etcd 8192").minimum(0)),
        ("osFamily", one_of(&["bottlerocket", "ubuntu", "redhat", ""], "The operating system of the template")),
        ("storagePolicyName", string("A storage policy of the vCenter")),
        ("cloneMode", one_of(&["fullClone", "linkedClone", ""], "Linked clones need a template with a snapshot")),
        ("users", list(user, "Users that may log in; the first one counts")),
        ("tags", list(string("A tag's id (urn:vmomi:InventoryServiceTag:...:GLOBAL)"), "Tags that the machines get")),
        ("networks", list(string("A network"), "Networks of worker machines, up to two").max_items(2)),
        ("hostOSConfiguration", host_os),
    ])
    .required(&["datastore", "resourcePool"])
    .document()
}

/// The settings of the kubelet that Bottlerocket has.
fn bottlerocket_kubernetes() -> Schema {
    object([
        ("allowedUnsafeSysctls", list(string("A sysctl"), "Sysctls that pods may set")),
        ("clusterDNSIPs", list(string("An address"), "Addresses of the cluster's DNS")),
        ("clusterDomain", string("The cluster's domain")),
        ("containerLogMaxFiles", integer("Files kept a container").minimum(0)),
        ("containerLogMaxSize", string("Size of a log file before it rotates")),
        ("cpuCFSQuota", boolean("Enforce CPU limits")),
        ("cpuManagerPolicy", one_of(&["none", "static"], "Policy of the CPU manager")),
        ("cpuManagerPolicyOptions", map(string("A value"), "Options of that policy")),
        ("cpuManagerReconcilePeriod", string("How often the CPU manager reconciles")),
        ("eventBurst", integer("Burst of events").minimum(0)),
        ("eventRecordQPS", integer("Events a second").minimum(0)),
        ("evictionHard", map(string("A threshold"), "Hard eviction thresholds")),
        ("evictionMaxPodGracePeriod", integer("Seconds a pod gets at most when it is evicted").minimum(0)),
        ("evictionSoft", map(string("A threshold"), "Soft eviction thresholds")),
        ("evictionSoftGracePeriod", map(string("A duration"), "How long a soft threshold may be passed")),
        ("imageGCHighThresholdPercent", integer("Disk use at which images are removed").minimum(0)),
        ("imageGCLowThresholdPercent", integer("Disk use down to which images are removed").minimum(0)),
        ("kubeAPIBurst", integer("Burst of requests to the API server").minimum(0)),
        ("kubeAPIQPS", integer("Requests a second to the API server").minimum(0)),
        ("kubeReserved", map(string("An amount"), "Kept for Kubernetes")),
        ("maxPods", integer("Pods a node")),
        ("memoryManagerPolicy", one_of(&["None", "Static"], "Policy of the memory manager")),
        ("podPidsLimit", integer("Processes a pod")),
        ("registryBurst", integer("Burst of pulls").minimum(0)),
        ("registryPullQPS", integer("Pulls a second").minimum(0)),
        ("shutdownGracePeriod", string("Time for pods when a node shuts down")),
        ("shutdownGracePeriodCriticalPods", string("Of it, the time for critical pods")),
        ("systemReserved", map(string("An amount"), "Kept for the system")),
        ("topologyManagerPolicy", string("Policy of the topology manager")),
        ("topologyManagerScope", string("Scope of the topology manager")),
    ])
}

/// Their names.
pub(crate) fn bottlerocket_kubelet_settings() -> Vec<String> {
    let schema = bottlerocket_kubernetes().build();
    let names = schema.get("properties").and_then(Value::as_object);
    names.into_iter().flat_map(|names| names.keys().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_refuse_unknown_fields() {
        for kind in [DATACENTER, MACHINE] {
            let schema = schema(kind).unwrap();
            assert_eq!(schema["properties"]["spec"]["additionalProperties"], false, "{kind}");
        }
        assert!(matches!(schema("DockerDatacenterConfig"), Err(Failure::Unsupported(_))));
    }
}
