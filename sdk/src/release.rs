//! The release as one cluster sees it.

use std::rc::Rc;

use serde_json::Value;

use crate::{Failure, Finding, path};

/// Versions and images of a release. See `input.release` in `wit/types.wit`. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    whole: Rc<Value>,
    /// The worker node group through whose eyes it is seen.
    worker: Option<String>,
}

impl Release {
    /// From the object that the host hands out.
    pub fn new(value: Value) -> Self {
        Self { whole: Rc::new(value), worker: None }
    }

    /// For example `v1.31.4-eks-1-31-45`; empty if it has none.
    pub fn kubernetes_version(&self) -> &str {
        self.text("kubernetesVersion")
    }

    /// The minor version, 31 in `v1.31.4`; 0 if it has none.
    pub fn kubernetes_minor(&self) -> u32 {
        let mut numbers = self.kubernetes_version().trim_start_matches('v').split('.');
        numbers.nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)
    }

    /// The EKS Distro release, for example `kubernetes-1-31-eks-45`.
    pub fn eksd_name(&self) -> &str {
        self.text("eksdName")
    }

    /// An image by its place in the raw `versionsBundle` entry, for example `eksD.kindNode`, with mirrors applied where
    /// the release's table of images has it.
    ///
    /// # Errors
    /// The release has no such image.
    pub fn image(&self, place: &str) -> Result<String, Failure> {
        let raw = self.bundle(place);
        let name = raw.and_then(|image| image.get("name")).and_then(Value::as_str);
        let images = self.field("images");
        let listed = |name: &str| images.and_then(|images| images.get(name)).and_then(Value::as_str);
        let uri = raw.and_then(|image| image.get("uri")).and_then(Value::as_str);
        listed(place).or_else(|| name.and_then(listed)).or(uri).map(str::to_owned).ok_or_else(|| {
            Finding::error("image-missing", format!("the release names no image `{place}`"))
                .remedy("Use a release that has it (`--bundles-override`)")
                .into()
        })
    }

    /// A value of the raw `versionsBundle` entry by its path.
    pub fn bundle(&self, place: &str) -> Option<&Value> {
        path::get(self.field("versionsBundle")?, place)
    }

    /// As a worker node group with a Kubernetes version of its own sees it; fields it does not have are the cluster's.
    #[must_use]
    pub fn for_worker(&self, group: &str) -> Self {
        Self { whole: self.whole.clone(), worker: Some(group.to_owned()) }
    }

    fn field(&self, name: &str) -> Option<&Value> {
        let own = self.worker.as_ref().and_then(|group| self.whole.get("workers")?.get(group)?.get(name));
        own.or_else(|| self.whole.get(name))
    }

    fn text(&self, field: &str) -> &str {
        self.field(field).and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release() -> Release {
        Release::new(json!({
            "kubernetesVersion": "v1.31.4-eks-1-31-45",
            "images": {"kind-node": "mirror.example/kind-node:v1.31.4"},
            "versionsBundle": {"eksD": {"kindNode": {"name": "kind-node", "uri": "public.example/kind-node:v1.31.4"}},
                               "vSphere": {"kubeVip": {"name": "kube-vip", "uri": "public.example/kube-vip:v1"}}},
            "workers": {"old": {"kubernetesVersion": "v1.30.9-eks-1-30-40"}},
        }))
    }

    #[test]
    fn images_come_from_the_mirrored_table_first() {
        assert_eq!(release().image("eksD.kindNode").unwrap(), "mirror.example/kind-node:v1.31.4");
        assert_eq!(release().image("vSphere.kubeVip").unwrap(), "public.example/kube-vip:v1");
        assert!(release().image("vSphere.driver").is_err());
    }

    #[test]
    fn a_worker_group_may_have_its_own_version() {
        assert_eq!(release().kubernetes_minor(), 31);
        assert_eq!(release().for_worker("old").kubernetes_minor(), 30);
        assert_eq!(release().for_worker("md-0").kubernetes_minor(), 31);
    }
}
