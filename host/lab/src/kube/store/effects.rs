//! What follows from a write: a definition is served, a namespace gets what every namespace has.

use std::sync::Arc;

use serde_json::{Value, json};

use super::delete::defined;
use super::state::{Address, State};
use crate::kube::builtin;
use crate::kube::crd;
use crate::kube::kind::{Kind, ResourceKey};
use crate::kube::object;
use crate::kube::resource::Resource;

/// The ConfigMap in which namespaces publish the cluster's certificate authority.
const ROOT_CA: &str = "kube-root-ca.crt";

impl State {
    /// Registers the built-in kinds and creates what a fresh cluster has.
    pub(crate) fn begin(&mut self, ca_pem: &str) {
        for built_in in builtin::all() {
            self.register(Arc::clone(&built_in.resource));
        }
        // The system's own namespace first: the others copy the authority from it.
        self.add(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
            "data": {"client-ca-file": ca_pem},
        }));
        for name in ["kube-system", "kube-public", "kube-node-lease", "default"] {
            let mut namespace = json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
            });
            builtin::fill(&mut namespace, "namespaces", "", None);
            if let Some((resource, value)) = self.add(namespace) {
                self.follow_up(&resource, &value, None);
            }
        }
        self.add(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kubernetes", "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"],
                "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
            "status": {"loadBalancer": {}},
        }));
        let groups: std::collections::BTreeSet<(String, String)> =
            self.resources().flat_map(|r| r.versions.iter().map(|v| (r.key.group.clone(), v.name.clone()))).collect();
        for (group, version) in groups {
            self.announce(&group, &version);
        }
    }

    /// Adds an object of the system, as it is.
    fn add(&mut self, mut value: Value) -> Option<(Arc<Resource>, Arc<Value>)> {
        let (group, _) = object::group_version(&value);
        let kind = Kind::of(group, object::kind(&value));
        let resource = self.resource_of(&kind)?.clone();
        if self.get(&resource.key, &Address::of(&value)).is_some() {
            return None;
        }
        let now = self.now();
        let uid = self.clock.uid();
        let metadata = object::metadata(&mut value);
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("creationTimestamp".to_owned(), json!(now));
        let value = self.put(&resource, value);
        Some((resource, value))
    }

    /// Lists a group version among the APIServices.
    fn announce(&mut self, group: &str, version: &str) {
        let name = format!("{version}.{group}");
        self.add(json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": name, "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"}},
            "spec": {"group": group, "version": version, "groupPriorityMinimum": 1000, "versionPriority": 100},
            "status": {"conditions": [{"type": "Available", "status": "True", "reason": "Local",
                "message": "Local APIServices are always available", "lastTransitionTime": self.now()}]},
        }));
    }

    /// What follows from a stored object.
    pub(crate) fn follow_up(&mut self, resource: &Resource, value: &Value, old: Option<&Value>) {
        if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
            if let Some(declared) = crd::resource(value) {
                let group = declared.key.group.clone();
                for version in declared.versions.iter().filter(|v| v.served) {
                    self.announce(&group, &version.name);
                }
                self.register(Arc::new(declared));
            } else if let Some(key) = defined(value) {
                self.unregister(&key);
            }
        }
        if old.is_none() && resource.is("", "namespaces") {
            self.furnish(object::name(value));
        }
        let address = Address::of(value);
        if object::is_deleting(value) && !self.settle_finalizers(resource, &address) {
            self.settle_owner(resource, &address);
            if resource.is("", "namespaces") {
                self.settle_namespace(&address.name);
            }
        }
        // A dependent that no longer blocks, or no longer belongs, lets its owner go.
        let owners: Vec<String> = object::owners(value)
            .iter()
            .chain(old.map(object::owners).unwrap_or_default())
            .filter_map(|owner| owner.get("uid").and_then(Value::as_str))
            .map(str::to_owned)
            .collect();
        for uid in owners {
            if let Some((key, address)) = self.find_uid(&uid)
                && let Some(resource) = self.resource(&key).cloned()
            {
                self.settle_owner(&resource, &address);
            }
        }
    }

    fn furnish(&mut self, namespace: &str) {
        self.add(json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        }));
        let authority = self
            .get(
                &ResourceKey::new("", "configmaps"),
                &Address { namespace: "kube-system".to_owned(), name: "extension-apiserver-authentication".to_owned() },
            )
            .and_then(|map| map.pointer("/data/client-ca-file"))
            .cloned()
            .unwrap_or_default();
        self.add(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": ROOT_CA, "namespace": namespace, "annotations": {
                "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."}},
            "data": {"ca.crt": authority},
        }));
    }
}
