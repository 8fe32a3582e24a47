//! The defaults that the API gives to built-in objects.
//!
//! Source: `pkg/apis/*/v1/defaults.go` of Kubernetes; those that clients see and compare.

use base64::Engine;
use serde_json::{Map, Value, json};
use sha2::Digest;

use crate::kube::object;

/// Sets a field that is missing.
fn or(map: &mut Map<String, Value>, field: &str, default: Value) {
    map.entry(field).or_insert(default);
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn maps<'a>(map: &'a mut Map<String, Value>, field: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    map.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Fills in the defaults of a built-in object; `old` is what it replaces.
pub(crate) fn fill(value: &mut Value, plural: &str, group: &str, old: Option<&Value>) {
    match (group, plural) {
        ("", "namespaces") => namespace(value),
        ("", "secrets") => secret(value),
        ("", "services") => service(value, old),
        ("", "pods") => {
            if let Some(Value::Object(spec)) = value.get_mut("spec") {
                pod_spec(spec);
            }
            let status = object::ensure_map(value, &["status"]);
            or(status, "phase", json!("Pending"));
            or(status, "qosClass", json!("BestEffort"));
        }
        ("", "persistentvolumeclaims") => {
            or(object::ensure_map(value, &["spec"]), "volumeMode", json!("Filesystem"));
            or(object::ensure_map(value, &["status"]), "phase", json!("Pending"));
        }
        ("", "persistentvolumes") => {
            let spec = object::ensure_map(value, &["spec"]);
            or(spec, "volumeMode", json!("Filesystem"));
            or(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
            or(object::ensure_map(value, &["status"]), "phase", json!("Pending"));
        }
        ("apps", _) => workload(value, plural),
        ("batch", "jobs") => {
            let uid = object::uid(value).to_owned();
            job(object::ensure_map(value, &["spec"]), &uid);
        }
        ("batch", "cronjobs") => {
            let spec = object::ensure_map(value, &["spec"]);
            or(spec, "concurrencyPolicy", json!("Allow"));
            or(spec, "suspend", json!(false));
            or(spec, "successfulJobsHistoryLimit", json!(3));
            or(spec, "failedJobsHistoryLimit", json!(1));
        }
        ("storage.k8s.io", "storageclasses") => {
            if let Some(map) = value.as_object_mut() {
                or(map, "reclaimPolicy", json!("Delete"));
                or(map, "volumeBindingMode", json!("Immediate"));
            }
        }
        ("storage.k8s.io", "csidrivers") => {
            let spec = object::ensure_map(value, &["spec"]);
            or(spec, "attachRequired", json!(true));
            or(spec, "podInfoOnMount", json!(false));
            or(spec, "storageCapacity", json!(false));
            or(spec, "fsGroupPolicy", json!("ReadWriteOnceWithFSType"));
            or(spec, "volumeLifecycleModes", json!(["Persistent"]));
            or(spec, "requiresRepublish", json!(false));
        }
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => binding(value),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            if let Some(map) = value.as_object_mut() {
                webhooks(map, plural.starts_with("mutating"));
            }
        }
        ("networking.k8s.io", "networkpolicies") => {
            or(object::ensure_map(value, &["spec"]), "policyTypes", json!(["Ingress"]));
        }
        _ => {}
    }
}

fn namespace(value: &mut Value) {
    let name = object::name(value).to_owned();
    object::ensure_map(value, &["metadata", "labels"]).insert("kubernetes.io/metadata.name".to_owned(), json!(name));
    or(object::ensure_map(value, &["spec"]), "finalizers", json!(["kubernetes"]));
    or(object::ensure_map(value, &["status"]), "phase", json!("Active"));
}

fn secret(value: &mut Value) {
    let plain = value.as_object_mut().and_then(|map| map.shift_remove("stringData"));
    if let Some(Value::Object(plain)) = plain {
        let data = object::ensure_map(value, &["data"]);
        for (name, text) in plain {
            let bytes = text.as_str().unwrap_or_default().as_bytes();
            let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
            data.insert(name, json!(encoded));
        }
    }
    if let Some(map) = value.as_object_mut() {
        or(map, "type", json!("Opaque"));
    }
}

fn service(value: &mut Value, old: Option<&Value>) {
    let seed = format!("{}/{}", object::namespace(value), object::name(value));
    let digest = sha2::Sha256::digest(seed.as_bytes());
    let byte = |at: usize| digest.get(at).copied().unwrap_or_default();
    let address = format!("10.{}.{}.{}", 97 + byte(0) % 8, byte(1), byte(2).clamp(1, 254));
    let spec = object::ensure_map(value, &["spec"]);
    or(spec, "type", json!("ClusterIP"));
    or(spec, "sessionAffinity", json!("None"));
    let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if kind != "ExternalName" {
        let address =
            old.map(|old| text(old, "/spec/clusterIP")).filter(|old| !old.is_empty()).map_or(address, str::to_owned);
        or(spec, "clusterIP", json!(address));
        let address = spec.get("clusterIP").cloned().unwrap_or_default();
        or(spec, "clusterIPs", json!([address]));
        or(spec, "ipFamilies", json!(["IPv4"]));
        or(spec, "ipFamilyPolicy", json!("SingleStack"));
        or(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        or(spec, "externalTrafficPolicy", json!("Cluster"));
        if kind == "LoadBalancer" {
            or(spec, "allocateLoadBalancerNodePorts", json!(true));
        }
    }
    let node_ports = matches!(kind.as_str(), "NodePort" | "LoadBalancer");
    for (at, port) in maps(spec, "ports").enumerate() {
        or(port, "protocol", json!("TCP"));
        let number = port.get("port").cloned().unwrap_or_default();
        or(port, "targetPort", number);
        if node_ports {
            let offset = (usize::from(byte(3)) * 8 + at) % 2767;
            or(port, "nodePort", json!(30000 + offset));
        }
    }
    or(object::ensure_map(value, &["status"]), "loadBalancer", json!({}));
}

fn workload(value: &mut Value, plural: &str) {
    let Some(Value::Object(spec)) = value.get_mut("spec") else {
        return;
    };
    if let Some(Value::Object(pod)) = spec.get_mut("template").and_then(|t| t.get_mut("spec")) {
        pod_spec(pod);
    }
    match plural {
        "deployments" => {
            or(spec, "replicas", json!(1));
            or(spec, "revisionHistoryLimit", json!(10));
            or(spec, "progressDeadlineSeconds", json!(600));
            rolling(spec, "strategy", json!({"maxUnavailable": "25%", "maxSurge": "25%"}));
        }
        "replicasets" => or(spec, "replicas", json!(1)),
        "statefulsets" => {
            or(spec, "replicas", json!(1));
            or(spec, "revisionHistoryLimit", json!(10));
            or(spec, "podManagementPolicy", json!("OrderedReady"));
            or(spec, "persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
            rolling(spec, "updateStrategy", json!({"partition": 0}));
        }
        "daemonsets" => {
            or(spec, "revisionHistoryLimit", json!(10));
            rolling(spec, "updateStrategy", json!({"maxUnavailable": 1, "maxSurge": 0}));
        }
        _ => {}
    }
}

fn rolling(spec: &mut Map<String, Value>, field: &str, parameters: Value) {
    or(spec, field, json!({}));
    let Some(Value::Object(strategy)) = spec.get_mut(field) else {
        return;
    };
    or(strategy, "type", json!("RollingUpdate"));
    if strategy.get("type") == Some(&json!("RollingUpdate")) {
        or(strategy, "rollingUpdate", json!({}));
        if let (Some(Value::Object(given)), Value::Object(defaults)) = (strategy.get_mut("rollingUpdate"), parameters) {
            for (name, value) in defaults {
                given.entry(name).or_insert(value);
            }
        }
    }
}

fn job(spec: &mut Map<String, Value>, uid: &str) {
    or(spec, "parallelism", json!(1));
    or(spec, "completions", json!(1));
    or(spec, "backoffLimit", json!(6));
    or(spec, "completionMode", json!("NonIndexed"));
    or(spec, "suspend", json!(false));
    or(spec, "manualSelector", json!(false));
    or(spec, "podReplacementPolicy", json!("TerminatingOrFailed"));
    or(spec, "selector", json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    if let Some(Value::Object(pod)) = spec.get_mut("template").and_then(|t| t.get_mut("spec")) {
        pod_spec(pod);
    }
}

fn pod_spec(spec: &mut Map<String, Value>) {
    or(spec, "restartPolicy", json!("Always"));
    or(spec, "terminationGracePeriodSeconds", json!(30));
    or(spec, "dnsPolicy", json!("ClusterFirst"));
    or(spec, "securityContext", json!({}));
    or(spec, "schedulerName", json!("default-scheduler"));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        or(spec, "serviceAccount", account);
    }
    for field in ["containers", "initContainers"] {
        for container in maps(spec, field) {
            let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
            let tag = image.rsplit('/').next().unwrap_or_default();
            let newest = !image.contains('@') && (!tag.contains(':') || tag.ends_with(":latest"));
            let policy = if newest { "Always" } else { "IfNotPresent" };
            or(container, "imagePullPolicy", json!(policy));
            or(container, "terminationMessagePath", json!("/dev/termination-log"));
            or(container, "terminationMessagePolicy", json!("File"));
            or(container, "resources", json!({}));
            for port in maps(container, "ports") {
                or(port, "protocol", json!("TCP"));
            }
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                if let Some(Value::Object(probe)) = container.get_mut(probe) {
                    or(probe, "timeoutSeconds", json!(1));
                    or(probe, "periodSeconds", json!(10));
                    or(probe, "successThreshold", json!(1));
                    or(probe, "failureThreshold", json!(3));
                    if let Some(Value::Object(get)) = probe.get_mut("httpGet") {
                        or(get, "scheme", json!("HTTP"));
                        or(get, "path", json!("/"));
                    }
                }
            }
            for variable in maps(container, "env") {
                let reference = variable
                    .get_mut("valueFrom")
                    .and_then(|from| from.get_mut("fieldRef"))
                    .and_then(Value::as_object_mut);
                if let Some(reference) = reference {
                    or(reference, "apiVersion", json!("v1"));
                }
            }
        }
    }
    for volume in maps(spec, "volumes") {
        for source in ["secret", "configMap", "projected", "downwardAPI"] {
            if let Some(Value::Object(source)) = volume.get_mut(source) {
                or(source, "defaultMode", json!(420));
            }
        }
        if let Some(Value::Object(host)) = volume.get_mut("hostPath") {
            or(host, "type", json!(""));
        }
    }
}

fn binding(value: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let Some(map) = value.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(role)) = map.get_mut("roleRef") {
        or(role, "apiGroup", json!(GROUP));
    }
    for subject in maps(map, "subjects") {
        let person = matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group"));
        if person {
            or(subject, "apiGroup", json!(GROUP));
        }
    }
}

fn webhooks(map: &mut Map<String, Value>, mutating: bool) {
    for webhook in maps(map, "webhooks") {
        or(webhook, "failurePolicy", json!("Fail"));
        or(webhook, "matchPolicy", json!("Equivalent"));
        or(webhook, "namespaceSelector", json!({}));
        or(webhook, "objectSelector", json!({}));
        or(webhook, "timeoutSeconds", json!(10));
        if mutating {
            or(webhook, "reinvocationPolicy", json!("Never"));
        }
        for rule in maps(webhook, "rules") {
            or(rule, "scope", json!("*"));
        }
        let service =
            webhook.get_mut("clientConfig").and_then(|config| config.get_mut("service")).and_then(Value::as_object_mut);
        if let Some(service) = service {
            or(service, "port", json!(443));
        }
    }
}
