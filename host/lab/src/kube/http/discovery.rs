//! Which groups, versions and resources there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Response;
use serde_json::{Value, json};

use super::accept;
use super::respond::{self, Body};
use super::{Api, Asked};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::resource::{Resource, Version};

/// Versions from the most to the least stable, as Kubernetes orders them: v2, v1, v1beta1, v1alpha1, others by name.
fn rank(version: &str) -> (u8, i64, i64, String) {
    let numbers = |text: &str| -> Option<(i64, u8, i64)> {
        let rest = text.strip_prefix('v')?;
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let major: i64 = rest.get(..digits)?.parse().ok()?;
        let tail = rest.get(digits..)?;
        for (word, level) in [("beta", 1), ("alpha", 2)] {
            if let Some(minor) = tail.strip_prefix(word) {
                return Some((major, level, minor.parse().ok()?));
            }
        }
        tail.is_empty().then_some((major, 0, 0))
    };
    match numbers(version) {
        Some((major, level, minor)) => (level, -major, -minor, String::new()),
        None => (3, 0, 0, version.to_owned()),
    }
}

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

impl Api {
    /// Every group with its versions, the preferred one first.
    pub(super) fn groups(&self) -> BTreeMap<String, Vec<String>> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for resource in self.store.resources() {
            for version in resource.versions.iter().filter(|version| version.served) {
                let versions = groups.entry(resource.key.group.clone()).or_default();
                if !versions.contains(&version.name) {
                    versions.push(version.name.clone());
                }
            }
        }
        for versions in groups.values_mut() {
            versions.sort_by_key(|version| rank(version));
        }
        groups
    }

    fn resources_of(&self, group: &str, version: &str) -> Vec<Arc<Resource>> {
        self.store
            .resources()
            .into_iter()
            .filter(|resource| resource.key.group == group && resource.version(version).is_some())
            .collect()
    }

    pub(super) fn discovery_root(&self, asked: &Asked) -> Result<Response<Body>, ApiError> {
        let core = asked.path.trim_end_matches('/') == "/api";
        if accept::aggregated_discovery(&asked.headers) {
            return Ok(respond::typed(
                200,
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                &self.aggregated(core),
            ));
        }
        if !accept::takes_json(&asked.headers) {
            return Err(ApiError::new(
                crate::kube::error::Reason::NotAcceptable,
                "only the following media types are accepted: application/json",
            ));
        }
        if core {
            return Ok(respond::json(
                200,
                &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
            ));
        }
        let groups: Vec<Value> = self
            .groups()
            .iter()
            .filter(|(group, _)| !group.is_empty())
            .map(|(group, versions)| group_value(group, versions, false))
            .collect();
        Ok(respond::json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})))
    }

    pub(super) fn discovery_group(&self, group: &str) -> Result<Response<Body>, ApiError> {
        let groups = self.groups();
        let versions = groups.get(group).ok_or_else(ApiError::no_such_resource)?;
        Ok(respond::json(200, &group_value(group, versions, true)))
    }

    pub(super) fn discovery_version(&self, group: &str, version: &str) -> Result<Response<Body>, ApiError> {
        let resources = self.resources_of(group, version);
        if resources.is_empty() {
            return Err(ApiError::no_such_resource());
        }
        let mut list = Vec::new();
        for resource in resources {
            let Some(declared) = resource.version(version) else {
                continue;
            };
            let mut entry = json!({
                "name": resource.key.plural, "singularName": resource.singular,
                "namespaced": resource.namespaced, "kind": resource.kind, "verbs": verbs(&resource),
            });
            if let Some(map) = entry.as_object_mut() {
                if !resource.short_names.is_empty() {
                    map.insert("shortNames".to_owned(), json!(resource.short_names));
                }
                if !resource.categories.is_empty() {
                    map.insert("categories".to_owned(), json!(resource.categories));
                }
                if resource.stored {
                    map.insert("storageVersionHash".to_owned(), json!(hash(&resource)));
                }
            }
            list.push(entry);
            for (name, kind, group, version) in subresources(&resource, declared) {
                let mut entry = json!({
                    "name": format!("{}/{name}", resource.key.plural), "singularName": "",
                    "namespaced": resource.namespaced, "kind": kind, "verbs": ["get", "patch", "update"],
                });
                if let (Some(map), true) = (entry.as_object_mut(), group != resource.key.group) {
                    map.insert("group".to_owned(), json!(group));
                    map.insert("version".to_owned(), json!(version));
                }
                list.push(entry);
            }
        }
        Ok(respond::json(
            200,
            &json!({
                "kind": "APIResourceList", "apiVersion": "v1",
                "groupVersion": object::api_version(group, version), "resources": list,
            }),
        ))
    }

    fn aggregated(&self, core: bool) -> Value {
        let items: Vec<Value> = self
            .groups()
            .iter()
            .filter(|(group, _)| group.is_empty() == core)
            .map(|(group, versions)| {
                let versions: Vec<Value> = versions
                    .iter()
                    .map(|version| {
                        let resources: Vec<Value> = self
                            .resources_of(group, version)
                            .iter()
                            .filter_map(|resource| {
                                let declared = resource.version(version)?;
                                Some(aggregated_resource(resource, declared))
                            })
                            .collect();
                        json!({"version": version, "resources": resources, "freshness": "Current"})
                    })
                    .collect();
                let metadata = if core {
                    json!({"creationTimestamp": null})
                } else {
                    json!({"name": group, "creationTimestamp": null})
                };
                json!({"metadata": metadata, "versions": versions})
            })
            .collect();
        json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {}, "items": items,
        })
    }
}

fn verbs(resource: &Resource) -> Vec<&'static str> {
    if resource.stored { VERBS.to_vec() } else { vec!["create"] }
}

/// Something that changes when the storage version does.
fn hash(resource: &Resource) -> String {
    use base64::Engine;
    use sha2::Digest;
    let text = format!("{}/{}/{}", resource.key.group, resource.storage, resource.kind);
    let digest = sha2::Sha256::digest(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(digest.get(..8).unwrap_or_default())
}

/// The subresources of a version: name, kind, and the group version of the kind.
fn subresources<'a>(resource: &'a Resource, version: &'a Version) -> Vec<(&'static str, &'a str, &'a str, &'a str)> {
    let mut list = Vec::new();
    if version.scale.is_some() {
        list.push(("scale", "Scale", "autoscaling", "v1"));
    }
    if version.status {
        list.push(("status", resource.kind.as_str(), resource.key.group.as_str(), version.name.as_str()));
    }
    list
}

fn group_value(group: &str, versions: &[String], alone: bool) -> Value {
    let entry = |version: &String| json!({"groupVersion": object::api_version(group, version), "version": version});
    let mut value = json!({
        "name": group,
        "versions": versions.iter().map(entry).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(entry),
    });
    if let (true, Some(map)) = (alone, value.as_object_mut()) {
        map.insert("kind".to_owned(), json!("APIGroup"));
        map.insert("apiVersion".to_owned(), json!("v1"));
    }
    value
}

fn aggregated_resource(resource: &Resource, version: &Version) -> Value {
    let kind = |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let scope = if resource.namespaced { "Namespaced" } else { "Cluster" };
    let mut value = json!({
        "resource": resource.key.plural,
        "responseKind": kind(&resource.key.group, &version.name, &resource.kind),
        "scope": scope,
        "singularResource": resource.singular,
        "verbs": verbs(resource),
    });
    if let Some(map) = value.as_object_mut() {
        if !resource.short_names.is_empty() {
            map.insert("shortNames".to_owned(), json!(resource.short_names));
        }
        if !resource.categories.is_empty() {
            map.insert("categories".to_owned(), json!(resource.categories));
        }
        let parts: Vec<Value> = subresources(resource, version)
            .into_iter()
            .map(|(name, part, group, version)| {
                json!({"subresource": name, "responseKind": kind(group, version, part),
                    "verbs": ["get", "patch", "update"]})
            })
            .collect();
        if !parts.is_empty() {
            map.insert("subresources".to_owned(), json!(parts));
        }
    }
    value
}
