//! The host's defaults of a Cluster, those that EKS Anywhere sets before it looks at anything else.

use serde_json::{Map, Value, json};

use super::{AWS_IAM_KIND, AWS_PARTITION, FLUX_KIND, FLUX_NAMESPACE, GIT_BRANCH, GITOPS_KIND, SSH_KEY_ALGORITHM};
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
    // Beside a version it is an error, for which it stays.
    if text(spec.get("eksaVersion")).is_empty() && spec.shift_remove("bundlesRef").is_some() {
        set.change("spec.bundlesRef", "the release in use has its own bundles");
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

/// Completes the body of a document of another of the host's kinds, and says what it set. `manager` is the name of the
/// cluster that manages the spec's: the folder of a repository is called after it.
pub(crate) fn apply_to_host_kinds(body: &mut Value, document: &ObjectRef, manager: &str) -> Vec<Change> {
    let mut set = Set { cluster: document, changes: Vec::new() };
    let folder = format!("clusters/{manager}");
    let usual: &[(&str, &str)] = match document.kind.as_str() {
        AWS_IAM_KIND => &[("partition", AWS_PARTITION)],
        FLUX_KIND => {
            &[("systemNamespace", FLUX_NAMESPACE), ("branch", GIT_BRANCH), ("clusterConfigPath", folder.as_str())]
        }
        GITOPS_KIND => {
            &[("fluxSystemNamespace", FLUX_NAMESPACE), ("branch", GIT_BRANCH), ("clusterConfigPath", folder.as_str())]
        }
        _ => return Vec::new(),
    };
    let at = if document.kind == GITOPS_KIND { "spec.flux.github" } else { "spec" };
    let pointer = format!("/{}", at.replace('.', "/"));
    if let Some(fields) = body.pointer_mut(&pointer).and_then(Value::as_object_mut) {
        for (field, value) in usual {
            if text(fields.get(*field)).is_empty() {
                fields.insert((*field).to_owned(), json!(value));
                set.change(&format!("{at}.{field}"), &format!("the usual value is {value}"));
            }
        }
    }
    if document.kind == FLUX_KIND
        && let Some(git) = body.pointer_mut("/spec/git").and_then(Value::as_object_mut)
        && text(git.get("sshKeyAlgorithm")).is_empty()
    {
        git.insert("sshKeyAlgorithm".to_owned(), json!(SSH_KEY_ALGORITHM));
        set.change("spec.git.sshKeyAlgorithm", &format!("keys are {SSH_KEY_ALGORITHM} unless it says otherwise"));
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
        let plugin = match name.as_str() {
            "cilium" | "cilium-enterprise" => "cilium",
            "kindnetd" => "kindnetd",
            _ => return,
        };
        if !network.contains_key("cniConfig") {
            network.remove("cni");
            network.insert("cniConfig".to_owned(), json!({ plugin: {} }));
            self.change(
                "spec.clusterNetwork.cniConfig",
                &format!("`cni: {name}` is the old form of `cniConfig: {{{plugin}: {{}}}}`"),
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
    fn other_kinds_are_completed_too() {
        for (kind, before, after) in [
            ("AWSIamConfig", json!({}), json!({"partition": "aws"})),
            (
                "FluxConfig",
                json!({"branch": "b", "git": {"repositoryUrl": "ssh://x"}}),
                json!({"branch": "b", "git": {"repositoryUrl": "ssh://x", "sshKeyAlgorithm": "ecdsa"},
                    "systemNamespace": "flux-system", "clusterConfigPath": "clusters/mgmt"}),
            ),
            (
                "GitOpsConfig",
                json!({"flux": {"github": {"owner": "o"}}}),
                json!({"flux": {"github": {"owner": "o", "fluxSystemNamespace": "flux-system", "branch": "main",
                    "clusterConfigPath": "clusters/mgmt"}}}),
            ),
            ("OIDCConfig", json!({}), json!({})),
        ] {
            let mut body = json!({"spec": before});
            let reference = ObjectRef::new(kind, "x");
            let changes = apply_to_host_kinds(&mut body, &reference, "mgmt");
            assert_eq!(body, json!({"spec": after}), "{kind}");
            assert_eq!(changes.is_empty(), kind == "OIDCConfig", "{kind}");
            assert!(apply_to_host_kinds(&mut body, &reference, "mgmt").is_empty(), "{kind}");
        }
    }

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
