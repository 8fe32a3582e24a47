//! A release as one cluster sees it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::bundles::Bundle;
use super::component::url;
use super::{Mirror, ReleaseError};

/// The number of a manifest that describes Kubernetes itself, and no release of EKS Distro.
const UPSTREAM: u64 = 0;

/// An image in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Registry and path without the image's own name: what kubeadm calls `imageRepository`.
    pub repository: String,
    /// The image's own name.
    pub name: String,
    /// Its tag.
    pub tag: String,
}

impl Repository {
    /// The whole reference.
    pub fn uri(&self) -> String {
        format!("{}/{}:{}", self.repository, self.name, self.tag)
    }

    fn parse(image: &str) -> Option<Self> {
        let (path, tag) = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
        let (repository, name) = path.rsplit_once('/')?;
        Some(Self { repository: repository.to_owned(), name: name.to_owned(), tag: tag.to_owned() })
    }
}

/// The images that kubeadm has to be told of, mirrors applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repositories {
    /// Of the API server; the other parts of Kubernetes stand beside it with the same tag.
    pub kubernetes: Repository,
    /// etcd on the control plane.
    pub etcd: Repository,
    /// CoreDNS.
    pub coredns: Repository,
    /// The pause container.
    pub pause: Repository,
}

/// What a cluster (or a worker node group with a version of its own) is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseView {
    /// The version of machines, with the EKS-D release: `v1.31.14-eks-1-31-45`; without it for Kubernetes itself.
    pub kubernetes_version: String,
    /// The EKS-D release: `kubernetes-1-31-eks-45`, which machine templates are tagged with; empty for Kubernetes itself.
    pub eksd_name: String,
    /// `1-31`.
    pub channel: String,
    /// Without `v`: `3.5.21`.
    pub etcd_version: String,
    /// The archive of etcd for Linux on amd64.
    pub etcd_url: String,
    /// Images by name, mirrors applied: as the release names them (`kube-vip`), by their place in the release
    /// (`haproxy.image`), and those of EKS-D with and without `-image` (`kube-apiserver`).
    pub images: BTreeMap<String, String>,
    /// What kubeadm needs.
    pub repositories: Repositories,
    /// The entry of `versionsBundles` as it stands in the release, without mirrors.
    pub versions_bundle: Value,
    /// Worker node groups whose Kubernetes version differs.
    pub workers: BTreeMap<String, ReleaseView>,
    /// The first entry of `versionsBundles`: the management components.
    pub(super) management: Value,
    pub(super) mirror: Mirror,
    pub(super) name: String,
}

impl ReleaseView {
    pub(super) fn new(
        bundle: &Bundle,
        eksd: &Value,
        management: &Bundle,
        mirror: &Mirror,
    ) -> Result<Self, ReleaseError> {
        let wrong = |field: &str| ReleaseError::Field { name: bundle.eksd_url.clone(), field: field.to_owned() };
        let text = |pointer: &str| url(eksd.pointer(pointer));
        let eksd_name = text("/metadata/name").ok_or_else(|| wrong("metadata.name"))?;
        let channel = text("/spec/channel").ok_or_else(|| wrong("spec.channel"))?;
        let number = eksd.pointer("/spec/number").and_then(Value::as_u64).ok_or_else(|| wrong("spec.number"))?;
        let mut images = BTreeMap::new();
        bundle_images(&bundle.value, "", mirror, &mut images);
        for asset in assets(eksd) {
            if let (Some(name), Some(uri)) = (url(asset.get("name")), url(asset.pointer("/image/uri"))) {
                let uri = mirror.rewrite(uri);
                if let Some(short) = name.strip_suffix("-image") {
                    images.insert(short.to_owned(), uri.clone());
                }
                images.insert(name.to_owned(), uri);
            }
        }
        let git_tag = |component: &str| {
            let tag = components(eksd).find(|c| c.get("name").and_then(Value::as_str) == Some(component));
            url(tag.and_then(|c| c.get("gitTag")))
                .ok_or_else(|| wrong(&format!("status.components[{component}].gitTag")))
        };
        let repository = |name: &str| {
            images.get(name).and_then(|image| Repository::parse(image)).ok_or_else(|| wrong(&format!("image `{name}`")))
        };
        let repositories = Repositories {
            kubernetes: repository("kube-apiserver-image")?,
            etcd: repository("etcd-image")?,
            coredns: repository("coredns-image")?,
            pause: repository("pause-image")?,
        };
        Ok(Self {
            kubernetes_version: match number {
                UPSTREAM => git_tag("kubernetes")?.to_owned(),
                number => format!("{}-eks-{channel}-{number}", git_tag("kubernetes")?),
            },
            // Templates of machines with Kubernetes itself say nothing of EKS Distro.
            eksd_name: if number == UPSTREAM { String::new() } else { eksd_name.to_owned() },
            channel: channel.to_owned(),
            etcd_version: git_tag("etcd")?.trim_start_matches('v').to_owned(),
            etcd_url: etcd_archive(eksd).ok_or_else(|| wrong("archive of etcd for linux on amd64"))?.to_owned(),
            images,
            repositories,
            versions_bundle: bundle.value.clone(),
            workers: BTreeMap::new(),
            management: management.value.clone(),
            mirror: mirror.clone(),
            name: bundle.eksd_url.clone(),
        })
    }

    /// As `input.release` of the provider contract has it.
    pub fn to_json(&self) -> Value {
        let workers: serde_json::Map<String, Value> =
            self.workers.iter().map(|(name, view)| (name.clone(), view.to_json())).collect();
        json!({
            "kubernetesVersion": self.kubernetes_version,
            "eksdName": self.eksd_name,
            "channel": self.channel,
            "etcdVersion": self.etcd_version,
            "etcdUrl": self.etcd_url,
            "images": self.images,
            "versionsBundle": self.versions_bundle,
            "workers": workers,
        })
    }

    /// The view of a worker node group: its own, or the cluster's.
    pub fn worker(&self, group: &str) -> &Self {
        self.workers.get(group).unwrap_or(self)
    }

    /// The mirror that images were rewritten for.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }
}

/// Every object with `uri` and an image's fields, by its name and by its place.
fn bundle_images(value: &Value, at: &str, mirror: &Mirror, images: &mut BTreeMap<String, String>) {
    let Some(object) = value.as_object() else {
        return;
    };
    if let Some(uri) = url(object.get("uri")) {
        if Repository::parse(uri).is_some() && !uri.contains("://") {
            let uri = mirror.rewrite(uri);
            if let Some(name) = url(object.get("name")) {
                images.entry(name.to_owned()).or_insert_with(|| uri.clone());
            }
            images.insert(at.to_owned(), uri);
        }
        return;
    }
    for (key, inner) in object {
        let here = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        bundle_images(inner, &here, mirror, images);
    }
}

fn components(eksd: &Value) -> impl Iterator<Item = &Value> {
    eksd.pointer("/status/components").and_then(Value::as_array).into_iter().flatten()
}

fn assets(eksd: &Value) -> impl Iterator<Item = &Value> {
    components(eksd).filter_map(|c| c.get("assets").and_then(Value::as_array)).flatten()
}

fn etcd_archive(eksd: &Value) -> Option<&str> {
    let etcd = components(eksd).find(|c| c.get("name").and_then(Value::as_str) == Some("etcd"))?;
    let archives = etcd.get("assets")?.as_array()?.iter().filter(|a| a.get("archive").is_some());
    let fits = |asset: &&Value| {
        let arch = asset.get("arch").and_then(Value::as_array);
        arch.is_some_and(|a| a.iter().any(|v| v == "amd64")) && asset.get("os").is_some_and(|os| os == "linux")
    };
    archives.filter(fits).find_map(|asset| url(asset.pointer("/archive/uri")))
}
