//! The columns of the built-in kinds, as `kubectl get` shows them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kube::kind::ResourceKey;
use crate::kube::object;

/// A column after the name.
pub(super) struct BuiltInColumn {
    pub(super) name: &'static str,
    pub(super) type_name: &'static str,
    /// Shown with `-o wide` only.
    pub(super) wide: bool,
    pub(super) cell: fn(&Value, Timestamp) -> Value,
}

const fn column(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> BuiltInColumn {
    BuiltInColumn { name, type_name: "string", wide: false, cell }
}

const fn number(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> BuiltInColumn {
    BuiltInColumn { name, type_name: "integer", wide: false, cell }
}

const fn wide(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> BuiltInColumn {
    BuiltInColumn { name, type_name: "string", wide: true, cell }
}

const AGE: BuiltInColumn = column("Age", age);

/// The columns of a built-in kind; `None`: its age only.
pub(super) fn of(key: &ResourceKey) -> Option<&'static [BuiltInColumn]> {
    match (key.group.as_str(), key.plural.as_str()) {
        ("", "namespaces") => Some(const { &[column("Status", |o, _| at(o, "/status/phase")), AGE] }),
        ("", "pods") => Some(PODS),
        ("", "nodes") => Some(NODES),
        ("", "services") => Some(SERVICES),
        ("", "secrets") => {
            Some(const { &[column("Type", |o, _| at(o, "/type")), number("Data", |o, _| size(o, &["/data"])), AGE] })
        }
        ("", "configmaps") => Some(const { &[number("Data", |o, _| size(o, &["/data", "/binaryData"])), AGE] }),
        ("", "serviceaccounts") => Some(const { &[number("Secrets", |o, _| size(o, &["/secrets"])), AGE] }),
        ("", "events") => Some(
            const {
                &[
                    column("Last Seen", |o, now| {
                        let seen = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"]
                            .iter()
                            .find_map(|path| o.pointer(path).and_then(Value::as_str));
                        json!(seen.map_or_else(|| "<unknown>".to_owned(), |text| since(text, now)))
                    }),
                    column("Type", |o, _| at(o, "/type")),
                    column("Reason", |o, _| at(o, "/reason")),
                    column("Object", |o, _| {
                        json!(format!(
                            "{}/{}",
                            text(o, "/involvedObject/kind").to_lowercase(),
                            text(o, "/involvedObject/name")
                        ))
                    }),
                    column("Message", |o, _| json!(text(o, "/message").trim())),
                ]
            },
        ),
        ("", "persistentvolumes") => Some(
            const {
                &[
                    column("Capacity", |o, _| at(o, "/spec/capacity/storage")),
                    column("Access Modes", |o, _| json!(join(o, "/spec/accessModes"))),
                    column("Reclaim Policy", |o, _| at(o, "/spec/persistentVolumeReclaimPolicy")),
                    column("Status", |o, _| at(o, "/status/phase")),
                    column("Claim", |o, _| {
                        json!(
                            format!("{}/{}", text(o, "/spec/claimRef/namespace"), text(o, "/spec/claimRef/name"))
                                .trim_matches('/')
                        )
                    }),
                    column("StorageClass", |o, _| at(o, "/spec/storageClassName")),
                    AGE,
                ]
            },
        ),
        ("", "persistentvolumeclaims") => Some(
            const {
                &[
                    column("Status", |o, _| at(o, "/status/phase")),
                    column("Volume", |o, _| at(o, "/spec/volumeName")),
                    column("Capacity", |o, _| at(o, "/status/capacity/storage")),
                    column("Access Modes", |o, _| json!(join(o, "/spec/accessModes"))),
                    column("StorageClass", |o, _| at(o, "/spec/storageClassName")),
                    AGE,
                ]
            },
        ),
        ("apps", "deployments") => Some(
            const {
                &[
                    column("Ready", |o, _| {
                        json!(format!("{}/{}", int(o, "/status/readyReplicas"), int(o, "/spec/replicas")))
                    }),
                    number("Up-to-date", |o, _| json!(int(o, "/status/updatedReplicas"))),
                    number("Available", |o, _| json!(int(o, "/status/availableReplicas"))),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                    SELECTOR,
                ]
            },
        ),
        ("apps", "replicasets") => Some(
            const {
                &[
                    number("Desired", |o, _| json!(int(o, "/spec/replicas"))),
                    number("Current", |o, _| json!(int(o, "/status/replicas"))),
                    number("Ready", |o, _| json!(int(o, "/status/readyReplicas"))),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                    SELECTOR,
                ]
            },
        ),
        ("apps", "statefulsets") => Some(
            const {
                &[
                    column("Ready", |o, _| {
                        json!(format!("{}/{}", int(o, "/status/readyReplicas"), int(o, "/spec/replicas")))
                    }),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                ]
            },
        ),
        ("apps", "daemonsets") => Some(
            const {
                &[
                    number("Desired", |o, _| json!(int(o, "/status/desiredNumberScheduled"))),
                    number("Current", |o, _| json!(int(o, "/status/currentNumberScheduled"))),
                    number("Ready", |o, _| json!(int(o, "/status/numberReady"))),
                    number("Up-to-date", |o, _| json!(int(o, "/status/updatedNumberScheduled"))),
                    number("Available", |o, _| json!(int(o, "/status/numberAvailable"))),
                    column("Node Selector", |o, _| json!(pairs(o, "/spec/template/spec/nodeSelector"))),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                    SELECTOR,
                ]
            },
        ),
        ("batch", "jobs") => Some(
            const {
                &[
                    column("Status", |o, _| {
                        json!(if int(o, "/status/succeeded") > 0 {
                            "Complete"
                        } else if int(o, "/status/failed") > 0 {
                            "Failed"
                        } else {
                            "Running"
                        })
                    }),
                    column("Completions", |o, _| {
                        json!(format!("{}/{}", int(o, "/status/succeeded"), int(o, "/spec/completions")))
                    }),
                    AGE,
                ]
            },
        ),
        ("storage.k8s.io", "storageclasses") => Some(
            const {
                &[
                    column("Provisioner", |o, _| at(o, "/provisioner")),
                    column("ReclaimPolicy", |o, _| at(o, "/reclaimPolicy")),
                    column("VolumeBindingMode", |o, _| at(o, "/volumeBindingMode")),
                    column("AllowVolumeExpansion", |o, _| {
                        json!(o.get("allowVolumeExpansion").and_then(Value::as_bool).unwrap_or_default().to_string())
                    }),
                    AGE,
                ]
            },
        ),
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            Some(const { &[column("Created At", |o, _| at(o, "/metadata/creationTimestamp"))] })
        }
        ("rbac.authorization.k8s.io", "roles" | "clusterroles") => {
            Some(const { &[column("Created At", |o, _| at(o, "/metadata/creationTimestamp"))] })
        }
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => Some(
            const {
                &[
                    column("Role", |o, _| json!(format!("{}/{}", text(o, "/roleRef/kind"), text(o, "/roleRef/name")))),
                    AGE,
                ]
            },
        ),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            Some(const { &[number("Webhooks", |o, _| size(o, &["/webhooks"])), AGE] })
        }
        ("coordination.k8s.io", "leases") => {
            Some(const { &[column("Holder", |o, _| at(o, "/spec/holderIdentity")), AGE] })
        }
        ("apiregistration.k8s.io", "apiservices") => Some(
            const {
                &[
                    column("Service", |_, _| json!("Local")),
                    column("Available", |o, _| at(o, "/status/conditions/0/status")),
                    AGE,
                ]
            },
        ),
        ("policy", "poddisruptionbudgets") => Some(
            const {
                &[
                    column("Min Available", |o, _| or_na(o, "/spec/minAvailable")),
                    column("Max Unavailable", |o, _| or_na(o, "/spec/maxUnavailable")),
                    number("Allowed Disruptions", |o, _| json!(int(o, "/status/disruptionsAllowed"))),
                    AGE,
                ]
            },
        ),
        _ => None,
    }
}

const CONTAINERS: BuiltInColumn = wide("Containers", |o, _| json!(containers(o, "name")));
const IMAGES: BuiltInColumn = wide("Images", |o, _| json!(containers(o, "image")));
const SELECTOR: BuiltInColumn = wide("Selector", |o, _| json!(pairs(o, "/spec/selector/matchLabels")));

const PODS: &[BuiltInColumn] = &[
    column("Ready", |o, _| {
        let statuses = o.pointer("/status/containerStatuses").and_then(Value::as_array);
        let ready = statuses.into_iter().flatten().filter(|s| s.get("ready") == Some(&json!(true))).count();
        json!(format!("{ready}/{}", length(o, "/spec/containers")))
    }),
    column("Status", |o, _| if object::is_deleting(o) { json!("Terminating") } else { at(o, "/status/phase") }),
    column("Restarts", |o, _| {
        let statuses = o.pointer("/status/containerStatuses").and_then(Value::as_array);
        let restarts: i64 = statuses.into_iter().flatten().filter_map(|s| s.get("restartCount")?.as_i64()).sum();
        json!(restarts.to_string())
    }),
    AGE,
    wide("IP", |o, _| or_none(o, "/status/podIP")),
    wide("Node", |o, _| or_none(o, "/spec/nodeName")),
    wide("Nominated Node", |o, _| or_none(o, "/status/nominatedNodeName")),
    wide("Readiness Gates", |_, _| json!("<none>")),
];

const NODES: &[BuiltInColumn] = &[
    column("Status", |o, _| {
        let ready = o
            .pointer("/status/conditions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .find(|condition| text(condition, "/type") == "Ready");
        let mut shown = match ready.map(|condition| text(condition, "/status")) {
            Some("True") => "Ready".to_owned(),
            Some(_) => "NotReady".to_owned(),
            None => "Unknown".to_owned(),
        };
        if o.pointer("/spec/unschedulable") == Some(&json!(true)) {
            shown.push_str(",SchedulingDisabled");
        }
        json!(shown)
    }),
    column("Roles", |o, _| {
        let labels = o.pointer("/metadata/labels").and_then(Value::as_object);
        let mut roles: Vec<&str> =
            labels.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/")).collect();
        roles.sort_unstable();
        json!(if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") })
    }),
    AGE,
    column("Version", |o, _| at(o, "/status/nodeInfo/kubeletVersion")),
    wide("Internal-IP", |o, _| node_address(o, "InternalIP")),
    wide("External-IP", |o, _| node_address(o, "ExternalIP")),
    wide("OS-Image", |o, _| or_unknown(o, "/status/nodeInfo/osImage")),
    wide("Kernel-Version", |o, _| or_unknown(o, "/status/nodeInfo/kernelVersion")),
    wide("Container-Runtime", |o, _| or_unknown(o, "/status/nodeInfo/containerRuntimeVersion")),
];

const SERVICES: &[BuiltInColumn] = &[
    column("Type", |o, _| at(o, "/spec/type")),
    column("Cluster-IP", |o, _| or_none(o, "/spec/clusterIP")),
    column("External-IP", |o, _| {
        let addresses = join(o, "/spec/externalIPs");
        let ingress = text(o, "/status/loadBalancer/ingress/0/ip");
        json!(if !ingress.is_empty() {
            ingress.to_owned()
        } else if !addresses.is_empty() {
            addresses
        } else if text(o, "/spec/type") == "LoadBalancer" {
            "<pending>".to_owned()
        } else {
            "<none>".to_owned()
        })
    }),
    column("Port(s)", |o, _| {
        let ports: Vec<String> = o
            .pointer("/spec/ports")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|port| match int(port, "/nodePort") {
                0 => format!("{}/{}", int(port, "/port"), text(port, "/protocol")),
                node => format!("{}:{node}/{}", int(port, "/port"), text(port, "/protocol")),
            })
            .collect();
        json!(if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") })
    }),
    AGE,
    wide("Selector", |o, _| json!(pairs(o, "/spec/selector"))),
];

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn at(value: &Value, path: &str) -> Value {
    json!(text(value, path))
}

fn or_word(value: &Value, path: &str, word: &str) -> Value {
    match value.pointer(path) {
        Some(Value::String(found)) if !found.is_empty() => json!(found),
        Some(Value::Number(found)) => json!(found.to_string()),
        _ => json!(word),
    }
}

fn or_none(value: &Value, path: &str) -> Value {
    or_word(value, path, "<none>")
}

fn or_unknown(value: &Value, path: &str) -> Value {
    or_word(value, path, "<unknown>")
}

fn or_na(value: &Value, path: &str) -> Value {
    or_word(value, path, "N/A")
}

fn int(value: &Value, path: &str) -> i64 {
    value.pointer(path).and_then(Value::as_i64).unwrap_or_default()
}

fn length(value: &Value, path: &str) -> usize {
    match value.pointer(path) {
        Some(Value::Array(list)) => list.len(),
        Some(Value::Object(map)) => map.len(),
        _ => 0,
    }
}

fn size(value: &Value, paths: &[&str]) -> Value {
    json!(paths.iter().map(|path| length(value, path)).sum::<usize>())
}

fn join(value: &Value, path: &str) -> String {
    let list = value.pointer(path).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|mode| match mode {
            "ReadWriteOnce" => "RWO",
            "ReadOnlyMany" => "ROX",
            "ReadWriteMany" => "RWX",
            "ReadWriteOncePod" => "RWOP",
            other => other,
        })
        .collect::<Vec<_>>()
        .join(",")
}

fn pairs(value: &Value, path: &str) -> String {
    let map = value.pointer(path).and_then(Value::as_object);
    let text: Vec<String> =
        map.into_iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    if text.is_empty() { "<none>".to_owned() } else { text.join(",") }
}

fn containers(value: &Value, field: &str) -> String {
    let list = value.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|container| container.get(field)?.as_str()).collect::<Vec<_>>().join(",")
}

fn node_address(value: &Value, kind: &str) -> Value {
    let found = value
        .pointer("/status/addresses")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|address| text(address, "/type") == kind)
        .map(|address| text(address, "/address").to_owned());
    json!(found.unwrap_or_else(|| "<none>".to_owned()))
}

/// How long ago an object was created.
pub(super) fn age(value: &Value, now: Timestamp) -> Value {
    json!(since(text(value, "/metadata/creationTimestamp"), now))
}

/// How long ago a time was, as Kubernetes writes it: `42s`, `3m10s`, `5h`, `12d`.
pub(super) fn since(time: &str, now: Timestamp) -> String {
    let Ok(then) = time.parse::<Timestamp>() else {
        return "<unknown>".to_owned();
    };
    let seconds = now.as_second() - then.as_second();
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    human(seconds.max(0))
}

/// A duration in seconds. Source: `k8s.io/apimachinery/pkg/util/duration`, `HumanDuration`.
fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let both = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{small_unit}") }
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        both(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        both(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 192 {
        both(days, "d", hours % 24, "h")
    } else if days < 730 {
        format!("{days}d")
    } else if days < 2920 {
        both(days / 365, "y", days % 365, "d")
    } else {
        format!("{}y", days / 365)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_kubernetes_writes_them() {
        let shown: Vec<String> =
            [0, 119, 120, 190, 900, 3 * 3600, 3 * 3600 + 60, 30 * 3600, 50 * 3600, 20 * 86400, 800 * 86400]
                .into_iter()
                .map(human)
                .collect();
        assert_eq!(shown, ["0s", "119s", "2m", "3m10s", "15m", "3h", "3h1m", "30h", "2d2h", "20d", "2y70d"]);
    }
}
