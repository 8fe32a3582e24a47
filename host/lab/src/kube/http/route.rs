//! What a path names.

use crate::kube::kind::ResourceKey;

/// A collection, an object, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) key: ResourceKey,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// The path had the old `watch/` before it.
    pub(crate) watch: bool,
}

/// What a path below `/api` and `/apis` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Group(String),
    GroupVersion(String, String),
    Resource(Target),
}

fn decoded(part: &str) -> String {
    // A plus sign in a path is a plus sign.
    let escaped = part.replace('+', "%2B");
    url::form_urlencoded::parse(escaped.as_bytes()).next().map(|(key, _)| key.into_owned()).unwrap_or_default()
}

impl Route {
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/').skip(1).map(decoded);
        let (group, version) = match parts.next()?.as_str() {
            "api" => (String::new(), parts.next()),
            "apis" => (parts.next()?, parts.next()),
            _ => return None,
        };
        let Some(version) = version else {
            return Some(Self::Group(group));
        };
        let mut rest: Vec<String> = parts.collect();
        if rest.is_empty() {
            return Some(Self::GroupVersion(group, version));
        }
        if rest.iter().any(String::is_empty) {
            return None;
        }
        let watch = rest.first().is_some_and(|part| part == "watch");
        if watch {
            rest.remove(0);
        }
        let mut parts = rest.into_iter();
        let first = parts.next()?;
        let rest: Vec<String> = parts.collect();
        let target = |namespace, plural: &str, name: Option<&String>, sub: Option<&String>| Target {
            key: ResourceKey::new(group.clone(), plural),
            version: version.clone(),
            namespace,
            name: name.cloned(),
            subresource: sub.cloned(),
            watch,
        };
        Some(Self::Resource(match (first.as_str(), rest.as_slice()) {
            // `namespaces/NAME/status` and `namespaces/NAME/finalize` are of the namespace itself.
            ("namespaces", [name, sub]) if matches!(sub.as_str(), "status" | "finalize") => {
                target(None, "namespaces", Some(name), Some(sub))
            }
            ("namespaces", [namespace, plural, tail @ ..]) => {
                target(Some(namespace.clone()), plural, tail.first(), tail.get(1))
            }
            (plural, tail) => target(None, plural, tail.first(), tail.get(1)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Target {
        match Route::parse(path) {
            Some(Route::Resource(target)) => target,
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn paths_name_collections_objects_and_parts() {
        let pods = target("/api/v1/namespaces/a/pods");
        assert_eq!((pods.namespace.as_deref(), pods.name.as_deref()), (Some("a"), None));
        let status = target("/apis/apps/v1/namespaces/a/deployments/d/status");
        assert_eq!(status.subresource.as_deref(), Some("status"));
        assert_eq!(status.key, ResourceKey::new("apps", "deployments"));
        let namespace = target("/api/v1/namespaces/a/finalize");
        assert_eq!((namespace.namespace, namespace.name.as_deref()), (None, Some("a")));
        let role = target("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node%2Fa");
        assert_eq!(role.name.as_deref(), Some("system:node/a"));
        assert_eq!(Route::parse("/apis/apps"), Some(Route::Group("apps".to_owned())));
    }
}
