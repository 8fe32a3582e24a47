//! Cilium's settings in finished manifests: its ConfigMap has one key for each field of the spec.

use kedge_spec::cluster::CiliumConfig;
use serde_json::{Value, json};

/// Puts what the spec sets into the ConfigMap `cilium-config`. Says whether the manifests have one.
pub(super) fn apply(objects: &mut [Value], config: &CiliumConfig) -> bool {
    let is_config = |o: &&mut Value| {
        o.get("kind").and_then(Value::as_str) == Some("ConfigMap")
            && o.pointer("/metadata/name").and_then(Value::as_str) == Some("cilium-config")
    };
    let Some(object) = objects.iter_mut().find(is_config).and_then(Value::as_object_mut) else { return false };
    let data = object.entry("data").or_insert_with(|| json!({}));
    if let Some(data) = data.as_object_mut() {
        for (key, value) in keys(config) {
            data.insert(key.to_owned(), Value::String(value));
        }
        if config.routing_mode.as_deref() == Some("direct") {
            data.shift_remove("tunnel-protocol");
        }
    }
    true
}

/// The keys are those of Cilium's agent (`pkg/option`, Cilium 1.15 and later).
fn keys(config: &CiliumConfig) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    let mut put = |key, value: Option<&str>| {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            keys.push((key, value.to_owned()));
        }
    };
    put("enable-policy", config.policy_enforcement_mode.as_deref());
    put("egress-masquerade-interfaces", config.egress_masquerade_interfaces.as_deref());
    put("cni-exclusive", config.cni_exclusive.map(|on| if on { "true" } else { "false" }));
    if config.routing_mode.as_deref() == Some("direct") {
        put("routing-mode", Some("native"));
        put("auto-direct-node-routes", Some("true"));
        put("ipv4-native-routing-cidr", config.ipv4_native_routing_cidr.as_deref());
        put("ipv6-native-routing-cidr", config.ipv6_native_routing_cidr.as_deref());
    }
    keys
}

/// Whether there is anything to set that such a ConfigMap can hold.
pub(super) fn any(config: &CiliumConfig) -> bool {
    !keys(config).is_empty()
}
