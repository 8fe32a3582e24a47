//! What the webhooks of the core provider say about Clusters and ClusterResourceSets.

use serde_json::Value;

use crate::behaviour::meta::text;
use crate::kube::object;

use super::{Verdict, invalid, unchanged};

pub(super) fn cluster(new: &mut Value, old: Option<&Value>) -> Verdict {
    let has = |pointer: &str| new.pointer(pointer).is_some();
    if !has("/spec/topology") && !has("/spec/infrastructureRef") {
        return Err(invalid(new, "spec.infrastructureRef", "Required value: must be set if spec.topology is not"));
    }
    for kind in ["pods", "services"] {
        let blocks = new
            .pointer(&format!("/spec/clusterNetwork/{kind}/cidrBlocks"))
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        for (index, block) in blocks.iter().enumerate() {
            if !is_block(block.as_str().unwrap_or_default()) {
                return Err(invalid(
                    new,
                    &format!("spec.clusterNetwork.{kind}.cidrBlocks[{index}]"),
                    &format!("Invalid value: {block}: invalid CIDR address"),
                ));
            }
        }
    }
    if !text(old.unwrap_or(&Value::Null), "/spec/controlPlaneEndpoint/host").is_empty() {
        unchanged(new, old, "/spec/controlPlaneEndpoint")?;
    }
    for reference in ["/spec/infrastructureRef", "/spec/controlPlaneRef"] {
        let kinds = [Some(&*new), old].map(|one| one.and_then(|one| one.pointer(reference)).map(object::kind));
        if let [Some(now), Some(before)] = kinds
            && now != before
        {
            let field = reference.trim_start_matches('/').replace('/', ".");
            return Err(invalid(new, &format!("{field}.kind"), &format!("Invalid value: {now:?}: field is immutable")));
        }
    }
    Ok(())
}

/// `ADDRESS/BITS`.
fn is_block(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    bits.parse::<u8>().is_ok_and(|bits| bits <= if address.is_ipv4() { 32 } else { 128 })
}

pub(super) fn resource_set(new: &mut Value, old: Option<&Value>) -> Verdict {
    if new.pointer("/spec/strategy").is_none() {
        crate::behaviour::meta::set(new, &["spec", "strategy"], Value::String("ApplyOnce".to_owned()));
    }
    let selector = new.pointer("/spec/clusterSelector").and_then(Value::as_object);
    let empty = |key: &str| {
        selector.and_then(|one| one.get(key)).is_none_or(|one| {
            one.as_object().is_none_or(serde_json::Map::is_empty) && one.as_array().is_none_or(Vec::is_empty)
        })
    };
    if empty("matchLabels") && empty("matchExpressions") {
        return Err(invalid(new, "spec.clusterSelector", "Invalid value: selector must not be empty"));
    }
    unchanged(new, old, "/spec/clusterSelector")?;
    unchanged(new, old, "/spec/strategy")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"name": "prod"}, "spec": {
            "clusterNetwork": {"pods": {"cidrBlocks": ["192.168.0.0/16"]}},
            "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "SimCluster", "name": "prod"},
            "controlPlaneEndpoint": {"host": "198.18.0.9", "port": 6443},
        }})
    }

    #[test]
    fn a_cluster_needs_infrastructure_and_sound_networks() {
        assert_eq!(cluster(&mut sample(), None), Ok(()));
        let mut without = sample();
        crate::behaviour::meta::unset(&mut without, &["spec", "infrastructureRef"]);
        assert!(cluster(&mut without, None).unwrap_err().contains("spec.infrastructureRef: Required value"));
        let mut broken = sample();
        broken["spec"]["clusterNetwork"]["pods"]["cidrBlocks"][0] = json!("192.168.0.0/40");
        assert!(cluster(&mut broken, None).unwrap_err().contains("cidrBlocks[0]"));
    }

    #[test]
    fn an_endpoint_stays_where_it_is() {
        let mut moved = sample();
        moved["spec"]["controlPlaneEndpoint"]["host"] = json!("198.18.0.10");
        assert!(cluster(&mut moved, Some(&sample())).unwrap_err().contains("field is immutable"));
        let mut unset = sample();
        unset["spec"].as_object_mut().unwrap().remove("controlPlaneEndpoint");
        assert_eq!(cluster(&mut sample(), Some(&unset)), Ok(()));
        let mut other = sample();
        other["spec"]["infrastructureRef"]["kind"] = json!("OtherCluster");
        assert!(cluster(&mut other, Some(&sample())).unwrap_err().contains("spec.infrastructureRef.kind"));
    }
}
