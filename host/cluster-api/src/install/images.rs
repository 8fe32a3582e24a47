//! Other images than those that a component's manifest names.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::text;

/// What takes the place of a part of an image reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageOverride {
    /// In place of all before the image's name: `registry.example.com:5000/capi`.
    pub repository: Option<String>,
    /// In place of the image's name.
    pub name: Option<String>,
    /// In place of the tag; a digest goes with it.
    pub tag: Option<String>,
}

/// Which images are replaced, as the key `images` of clusterctl's configuration has it: `all`, a component
/// (`cert-manager`, `infrastructure-NAME`), or one image of a component (`cert-manager/cert-manager-webhook`). What is more
/// exact wins, part by part. A registry mirror is no override: manifests come with its images already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageOverrides {
    /// The overrides by their keys.
    pub by_key: BTreeMap<String, ImageOverride>,
}

/// Kinds whose pods get other images.
const WITH_PODS: [&str; 2] = ["Deployment", "DaemonSet"];

impl ImageOverrides {
    /// Replaces the images of an object. `component` is the name by which clusterctl knows its component.
    pub(super) fn apply(&self, component: &str, object: &mut Value) {
        if !text(object, "/kind").is_some_and(|kind| WITH_PODS.contains(&kind)) {
            return;
        }
        for list in ["/spec/template/spec/containers", "/spec/template/spec/initContainers"] {
            for container in object.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                let Some(image) = container.get_mut("image") else { continue };
                if let Some(old) = image.as_str() {
                    *image = self.image(component, old).into();
                }
            }
        }
    }

    fn image(&self, component: &str, image: &str) -> String {
        let reference = Reference::parse(image);
        let keys = ["all".to_owned(), component.to_owned(), format!("{component}/{}", reference.name)];
        let mut replaced = reference;
        for change in keys.iter().filter_map(|key| self.by_key.get(key)) {
            if let Some(repository) = &change.repository {
                replaced.repository = repository.trim_end_matches('/');
            }
            if let Some(name) = &change.name {
                replaced.name = name;
            }
            if let Some(tag) = &change.tag {
                replaced.tag = Some(tag);
                replaced.digest = None;
            }
        }
        replaced.to_string()
    }
}

/// The parts of an image reference.
#[derive(Debug, Clone, Copy)]
struct Reference<'a> {
    repository: &'a str,
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    fn parse(image: &'a str) -> Self {
        let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
        let (repository, last) = rest.rsplit_once('/').unwrap_or(("", rest));
        let (name, tag) = last.split_once(':').map_or((last, None), |(name, tag)| (name, Some(tag)));
        Self { repository, name, tag, digest }
    }
}

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.repository.is_empty() {
            write!(f, "{}/", self.repository)?;
        }
        f.write_str(self.name)?;
        if let Some(tag) = self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(repository: Option<&str>, name: Option<&str>, tag: Option<&str>) -> ImageOverride {
        let own = |part: Option<&str>| part.map(str::to_owned);
        ImageOverride { repository: own(repository), name: own(name), tag: own(tag) }
    }

    #[test]
    fn the_more_exact_key_wins_part_by_part() {
        let overrides = ImageOverrides {
            by_key: BTreeMap::from([
                ("all".to_owned(), one(Some("mirror:5000/all"), None, None)),
                ("cert-manager".to_owned(), one(None, None, Some("v9"))),
                ("cert-manager/webhook".to_owned(), one(Some("other"), Some("hook"), None)),
            ]),
        };
        for (component, image, expected) in [
            ("infrastructure-x", "registry.k8s.io/a/manager:v1@sha256:ab", "mirror:5000/all/manager:v1@sha256:ab"),
            ("cert-manager", "quay.io/jetstack/controller:v1@sha256:ab", "mirror:5000/all/controller:v9"),
            ("cert-manager", "quay.io/jetstack/webhook:v1", "other/hook:v9"),
            ("infrastructure-x", "localhost:5000/manager", "mirror:5000/all/manager"),
        ] {
            assert_eq!(overrides.image(component, image), expected);
        }
        assert_eq!(ImageOverrides::default().image("x", "a:5000/b/c:v1"), "a:5000/b/c:v1");
    }

    #[test]
    fn only_pods_of_deployments_and_daemon_sets_change() {
        let overrides = ImageOverrides { by_key: BTreeMap::from([("all".to_owned(), one(Some("m"), None, None))]) };
        let object = |kind: &str| json!({"kind": kind, "spec": {"template": {"spec": {"containers": [{"image": "r/a:1"}], "initContainers": [{"image": "r/b"}]}}}});
        let mut deployment = object("Deployment");
        overrides.apply("x", &mut deployment);
        assert_eq!(
            deployment["spec"]["template"]["spec"],
            json!({"containers": [{"image": "m/a:1"}], "initContainers": [{"image": "m/b"}]})
        );
        let mut job = object("Job");
        overrides.apply("x", &mut job);
        assert_eq!(job, object("Job"));
    }
}
