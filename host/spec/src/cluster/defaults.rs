//! The host's defaults of a Cluster, those that EKS Anywhere sets before it looks at anything else.

use serde_json::{Map, Value, json};

use crate::finding::ObjectRef;
use crate::provider::Change;

/// Completes the body of a Cluster and says what it set.
///
/// `eksa_version` is that of the release in use: it replaces what the file says, as upstream does.
pub(crate) fn apply(body: &mut Value, cluster: &ObjectRef, eksa_version: Option<&str>) -> Vec<Change> {
    let mut set = Set { cluster, changes: Vec::new() };
    let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    set.workers(spec);
    set.network(spec);
    set.mirror(spec);
    set.encryption(spec);
    let management = spec.entry("managementCluster").or_insert_with(|| json!({}));
    if text(management.get("name")).is_empty() {
        if let Some(object) = management.as_object_mut() {
            object.insert("name".to_owned(), Value::String(cluster.name.clone()));
        }
        set.change("spec.managementCluster.name", "a cluster that names no management cluster manages itself");
    }
    if let Some(version) = eksa_version
        && !spec.contains_key("bundlesRef")
    {
        let before = text(spec.get("eksaVersion")).to_owned();
        if before != version {
            spec.insert("eksaVersion".to_owned(), Value::String(version.to_owned()));
            let reason = if before.is_empty() {
                format!("the release in use is {version}")
            } else {
                format!("was {before}; the release in use is {version}")
            };
            set.change("spec.eksaVersion", &reason);
        }
    }
    set.changes
}

struct Set<'a> {
    cluster: &'a ObjectRef,
    changes: Vec<Change>,
}

impl Set<'_> {
    fn change(&mut self, path: &str, reason: &str) {
        self.changes.push(Change { document: self.cluster.clone(), path: path.to_owned(), reason: reason.to_owned() });
    }

    fn workers(&mut self, spec: &mut Map<String, Value>) {
        let groups = spec.get_mut("workerNodeGroupConfigurations").and_then(Value::as_array_mut);
        for (index, group) in groups.into_iter().flatten().enumerate() {
            let Some(group) = group.as_object_mut() else {
                continue;
            };
            let at = format!("spec.workerNodeGroupConfigurations[{index}]");
            if index == 0 && text(group.get("name")).is_empty() {
                group.insert("name".to_owned(), json!("md-0"));
                self.change(&format!("{at}.name"), "the first worker node group is called md-0 unless it has a name");
            }
            if !group.contains_key("count") {
                let least = group.get("autoscalingConfiguration").map(|a| a.get("minCount").and_then(Value::as_i64));
                let count = least.map_or(1, Option::unwrap_or_default);
                group.insert("count".to_owned(), json!(count));
                let reason = if least.is_some() {
                    format!("autoscaling starts with its least count, {count}")
                } else {
                    "a worker node group without a count has one node".to_owned()
                };
                self.change(&format!("{at}.count"), &reason);
            }
        }
    }

    /// `cni: cilium` is the old form of `cniConfig: {cilium: {}}`. Both at once is for the checks to refuse.
    fn network(&mut self, spec: &mut Map<String, Value>) {
        let Some(network) = spec.get_mut("clusterNetwork").and_then(Value::as_object_mut) else {
            return;
        };
        let name = text(network.get("cni")).to_owned();
        if matches!(name.as_str(), "cilium" | "kindnetd") && !network.contains_key("cniConfig") {
            network.remove("cni");
            network.insert("cniConfig".to_owned(), json!({ name.as_str(): {} }));
            self.change(
                "spec.clusterNetwork.cniConfig",
                &format!("`cni: {name}` is the old form of `cniConfig: {{{name}: {{}}}}`"),
            );
        }
    }

    fn mirror(&mut self, spec: &mut Map<String, Value>) {
        let Some(mirror) = spec.get_mut("registryMirrorConfiguration").and_then(Value::as_object_mut) else {
            return;
        };
        if text(mirror.get("port")).is_empty() {
            mirror.insert("port".to_owned(), json!("443"));
            self.change(
                "spec.registryMirrorConfiguration.port",
                "a registry mirror listens on 443 unless it says otherwise",
            );
        }
    }

    fn encryption(&mut self, spec: &mut Map<String, Value>) {
        let encryptions = spec.get_mut("etcdEncryption").and_then(Value::as_array_mut);
        for (index, encryption) in encryptions.into_iter().flatten().enumerate() {
            let providers = encryption.get_mut("providers").and_then(Value::as_array_mut);
            for (which, provider) in providers.into_iter().flatten().enumerate() {
                let Some(kms) = provider.get_mut("kms").and_then(Value::as_object_mut) else {
                    continue;
                };
                for (field, value) in [("cachesize", json!(1000)), ("timeout", json!("3s"))] {
                    if !kms.contains_key(field) {
                        kms.insert(field.to_owned(), value);
                        let path = format!("spec.etcdEncryption[{index}].providers[{which}].kms.{field}");
                        self.change(&path, "the usual value of a KMS provider");
                    }
                }
            }
        }
    }
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_set_and_said() {
        let mut body = json!({"spec": {
            "workerNodeGroupConfigurations": [{}, {"name": "b", "autoscalingConfiguration": {"minCount": 2, "maxCount": 4}}, {"name": "c", "count": 0}],
            "clusterNetwork": {"cni": "cilium"},
            "registryMirrorConfiguration": {"endpoint": "r.example.com"},
            "etcdEncryption": [{"providers": [{"kms": {"name": "k"}}]}],
            "eksaVersion": "v0.1.0"
        }});
        let changes = apply(&mut body, &ObjectRef::new("Cluster", "prod"), Some("v0.26.1"));
        assert_eq!(
            body,
            json!({"spec": {
                "workerNodeGroupConfigurations": [
                    {"name": "md-0", "count": 1},
                    {"name": "b", "autoscalingConfiguration": {"minCount": 2, "maxCount": 4}, "count": 2},
                    {"name": "c", "count": 0}],
                "clusterNetwork": {"cniConfig": {"cilium": {}}},
                "registryMirrorConfiguration": {"endpoint": "r.example.com", "port": "443"},
                "etcdEncryption": [{"providers": [{"kms": {"name": "k", "cachesize": 1000, "timeout": "3s"}}]}],
                "eksaVersion": "v0.26.1",
                "managementCluster": {"name": "prod"}
            }})
        );
        assert_eq!(changes.len(), 9);
        let mut again = body.clone();
        assert!(apply(&mut again, &ObjectRef::new("Cluster", "prod"), Some("v0.26.1")).is_empty());
        assert_eq!(again, body);
    }
}
