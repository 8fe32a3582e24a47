//! The values of Cilium's chart for a spec: those that EKS Anywhere gives it (`pkg/networking/cilium`, v0.26.1).

use kedge_spec::cluster::{CiliumConfig, Cluster};
use serde_json::{Value, json};

/// Operator's image names end with this, and the chart adds it itself.
const OPERATOR_SUFFIX: &str = "-generic";

/// The values; `images` are those of the release by their place in it, mirrors applied. `helmValues` of the spec take the place of all others, as they do upstream.
pub(super) fn cilium(cluster: &Cluster, images: &dyn Fn(&str) -> Option<String>) -> Value {
    let default = CiliumConfig::default();
    let config = cluster.spec.cluster_network.cni_config.as_ref().and_then(|c| c.cilium.as_ref()).unwrap_or(&default);
    if let Some(own) = &config.helm_values {
        return Value::Object(own.clone());
    }
    let agent = image(images("cilium.cilium"));
    let operator = image(images("cilium.operator"));
    let tolerated =
        ["node-role.kubernetes.io/control-plane", "node.kubernetes.io/not-ready", "node.cilium.io/agent-not-ready"];
    let mut values = json!({
        "cni": {"chainingMode": "portmap"},
        "ipam": {"mode": "kubernetes"},
        "identityAllocationMode": "crd",
        "prometheus": {"enabled": true},
        "rollOutCiliumPods": true,
        "routingMode": "tunnel",
        "tunnelProtocol": "geneve",
        "image": {"repository": agent.0, "tag": agent.1},
        "operator": {
            "image": {"repository": operator.0.strip_suffix(OPERATOR_SUFFIX).unwrap_or(&operator.0), "tag": operator.1},
            "prometheus": {"enabled": true},
            "tolerations": tolerated.map(|key| json!({"key": key, "operator": "Exists"})),
        },
        "envoy": {"enabled": false},
    });
    let mut set = |at: &[&str], value: Value| put(&mut values, at, value);
    // Two operators want two nodes.
    if cluster.spec.worker_node_group_configurations.is_empty() && cluster.spec.control_plane_configuration.count == 1 {
        set(&["operator", "replicas"], json!(1));
    }
    if let Some(mode) = text(config.policy_enforcement_mode.as_deref()) {
        set(&["policyEnforcementMode"], json!(mode));
    }
    if let Some(interfaces) = text(config.egress_masquerade_interfaces.as_deref()) {
        set(&["egressMasqueradeInterfaces"], json!(interfaces));
    }
    if let Some(exclusive) = config.cni_exclusive {
        set(&["cni", "exclusive"], json!(exclusive));
    }
    if config.routing_mode.as_deref() == Some("direct") {
        set(&["routingMode"], json!("native"));
        set(&["autoDirectNodeRoutes"], json!("true"));
        if let Some(range) = text(config.ipv4_native_routing_cidr.as_deref()) {
            set(&["ipv4NativeRoutingCIDR"], json!(range));
        }
        if let Some(range) = text(config.ipv6_native_routing_cidr.as_deref()) {
            set(&["ipv6NativeRoutingCIDR"], json!(range));
        }
        if let Some(map) = values.as_object_mut() {
            map.shift_remove("tunnelProtocol");
        }
    }
    values
}

/// Whether a spec asks Cilium to refuse all traffic that no policy allows. `helmValues` decide where there are any.
pub(super) fn refuses_all(cluster: &Cluster) -> bool {
    let Some(config) = cluster.spec.cluster_network.cni_config.as_ref().and_then(|c| c.cilium.as_ref()) else {
        return false;
    };
    let mode = match &config.helm_values {
        Some(values) => values.get("policyEnforcementMode").and_then(Value::as_str),
        None => config.policy_enforcement_mode.as_deref(),
    };
    mode == Some("always")
}

/// Repository and tag of an image.
fn image(uri: Option<String>) -> (String, String) {
    let uri = uri.unwrap_or_default();
    match uri.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((repository, tag)) => (repository.to_owned(), tag.to_owned()),
        None => (uri, String::new()),
    }
}

fn text(value: Option<&str>) -> Option<&str> {
    value.filter(|text| !text.is_empty())
}

fn put(values: &mut Value, at: &[&str], value: Value) {
    let Some((last, path)) = at.split_last() else { return };
    let mut here = values;
    for key in path {
        let Some(map) = here.as_object_mut() else { return };
        here = map.entry(*key).or_insert_with(|| json!({}));
    }
    if let Some(map) = here.as_object_mut() {
        map.insert((*last).to_owned(), value);
    }
}
