//! Bottlerocket: settings where other systems have commands, and its containers by image. The fields are those that EKS
//! Anywhere's build of the kubeadm provider adds.

use kedge_spec::provider::NodeContribution;
use serde_json::{Map, Value, json};

use super::context::{Context, put};
use super::kubelet::Kubelet;
use crate::error::Error;

/// The folder in which the bootstrap container keeps what belongs under /etc/kubernetes.
pub(super) const KUBEADM: &str = "/var/lib/kubeadm";

const BOOTSTRAP: &str = "bottlerocketHostContainers.kubeadmBootstrap";

/// The settings of a role, into `clusterConfiguration` or `joinConfiguration`.
pub(super) fn settings(
    context: &Context<'_>,
    node: &NodeContribution,
    kubelet: &Kubelet,
    group: Option<&str>,
    into: &mut Map<String, Value>,
) -> Result<(), Error> {
    let release = group.map_or(context.release(), |group| context.release().worker(group));
    let pause = &release.repositories.pause;
    put(
        into,
        "pause",
        json!({"imageRepository": format!("{}/{}", pause.repository, pause.name), "imageTag": pause.tag}),
    );
    let bootstrap = release.images.get(BOOTSTRAP).and_then(|uri| uri.rsplit_once(':'));
    let (repository, tag) = bootstrap.ok_or_else(|| no_image(BOOTSTRAP))?;
    put(into, "bottlerocketBootstrap", json!({"imageRepository": repository, "imageTag": tag}));
    let mut own = own_settings(node)?;
    // The Cluster's kubelet configuration wins over that of the machines as a whole.
    if let Some(settings) = &kubelet.settings {
        put(&mut own, "kubernetes", settings.clone());
    }
    put(into, "bottlerocket", own);
    put(into, "certBundles", bundles(node)?);
    if let Some(proxy) = &context.proxy {
        put(into, "proxy", proxy.bottlerocket());
    }
    if let Some(mirror) = &context.mirror {
        put(into, "registryMirror", mirror.settings());
    }
    Ok(())
}

/// Containers that run before the node joins: the provider's.
pub(super) fn bootstrap_containers(node: &NodeContribution) -> Result<Value, Error> {
    let name = "bottlerocket-bootstrap-containers";
    match node.extensions.get(name) {
        Some(text) => serde_json::from_str(text).map_err(|_| unreadable(name)),
        None => Ok(Value::Null),
    }
}

/// `bottlerocketConfig` of an etcd cluster.
pub(super) fn etcd(context: &Context<'_>, node: &NodeContribution) -> Result<Value, Error> {
    let release = context.release();
    let mut config = Map::new();
    put(&mut config, "etcdImage", release.repositories.etcd.uri());
    put(&mut config, "bootstrapImage", release.images.get(BOOTSTRAP).cloned().ok_or_else(|| no_image(BOOTSTRAP))?);
    put(&mut config, "pauseImage", release.repositories.pause.uri());
    let own = own_settings(node)?;
    for key in ["kernel", "boot"] {
        put(&mut config, key, own.get(key).cloned().unwrap_or_default());
    }
    Ok(Value::Object(config))
}

/// Certificates that the node trusts, each by a name.
pub(super) fn bundles(node: &NodeContribution) -> Result<Vec<Value>, Error> {
    let names: Vec<String> = match node.extensions.get("certificate-names") {
        Some(text) => serde_json::from_str(text).map_err(|_| unreadable("certificate-names"))?,
        None => Vec::new(),
    };
    let name = |index: usize| names.get(index).cloned().unwrap_or_else(|| format!("certificate-{}", index + 1));
    let bundle = |(index, data): (usize, &String)| json!({"name": name(index), "data": data});
    Ok(node.certificates.iter().enumerate().map(bundle).collect())
}

/// The settings of the machines, without parts that say nothing.
fn own_settings(node: &NodeContribution) -> Result<Map<String, Value>, Error> {
    let name = "bottlerocket-settings";
    let Some(text) = node.extensions.get(name) else { return Ok(Map::new()) };
    let given: Map<String, Value> = serde_json::from_str(text).map_err(|_| unreadable(name))?;
    let mut settings = Map::new();
    for (part, value) in given {
        let Value::Object(fields) = value else { continue };
        let mut kept = Map::new();
        for (field, value) in fields {
            put(&mut kept, &field, value);
        }
        put(&mut settings, &part, kept);
    }
    Ok(settings)
}

fn unreadable(name: &str) -> Error {
    Error::render(format!("the provider's `{name}` is not JSON"), "this is a fault of the provider")
}

fn no_image(name: &str) -> Error {
    Error::render(format!("the release has no image `{name}`"), "use a release that supports Bottlerocket")
}
