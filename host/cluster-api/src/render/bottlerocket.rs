//! Bottlerocket: settings where other systems have commands, and its containers by image. The fields are those that EKS
//! Anywhere's build of the kubeadm provider adds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kedge_spec::provider::NodeContribution;
use serde_json::{Map, Value, json};

use super::context::{Context, put};
use crate::error::Error;

/// The folder in which the bootstrap container keeps what belongs under /etc/kubernetes.
pub(super) const KUBEADM: &str = "/var/lib/kubeadm";

/// The settings of a role, into `clusterConfiguration` or `joinConfiguration`.
pub(super) fn settings(
    context: &Context<'_>,
    node: &NodeContribution,
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
    for (field, image) in [
        ("bottlerocketBootstrap", "bottlerocketHostContainers.kubeadmBootstrap"),
        ("bottlerocketAdmin", "bottlerocketHostContainers.admin"),
        ("bottlerocketControl", "bottlerocketHostContainers.control"),
    ] {
        let uri = release.images.get(image);
        if uri.is_none() && field == "bottlerocketBootstrap" {
            return Err(no_image(image));
        }
        if let Some((repository, tag)) = uri.and_then(|uri| uri.rsplit_once(':')) {
            put(into, field, json!({"imageRepository": repository, "imageTag": tag}));
        }
    }
    if let Some(own) = own_settings(node)? {
        put(into, "bottlerocket", own);
    }
    put(into, "certBundles", bundles(node)?);
    if let Some(proxy) = &context.proxy {
        put(into, "proxy", proxy.bottlerocket());
    }
    if let Some(mirror) = &context.mirror {
        put(into, "registryMirror", mirror.settings());
    }
    Ok(())
}

/// `bottlerocketConfig` of an etcd cluster.
pub(super) fn etcd(context: &Context<'_>, node: &NodeContribution) -> Result<Value, Error> {
    let release = context.release();
    let image = |name: &str| release.images.get(name).cloned();
    let mut config = Map::new();
    put(&mut config, "etcdImage", release.repositories.etcd.uri());
    let bootstrap = "bottlerocketHostContainers.kubeadmBootstrap";
    put(&mut config, "bootstrapImage", image(bootstrap).ok_or_else(|| no_image(bootstrap))?);
    put(&mut config, "adminImage", image("bottlerocketHostContainers.admin").unwrap_or_default());
    put(&mut config, "controlImage", image("bottlerocketHostContainers.control").unwrap_or_default());
    put(&mut config, "pauseImage", release.repositories.pause.uri());
    if let Some(Value::Object(own)) = own_settings(node)? {
        for key in ["kernel", "boot"] {
            put(&mut config, key, own.get(key).cloned().unwrap_or_default());
        }
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
    Ok(node
        .certificates
        .iter()
        .enumerate()
        .map(|(index, data)| json!({"name": name(index), "data": STANDARD.encode(data)}))
        .collect())
}

fn own_settings(node: &NodeContribution) -> Result<Option<Value>, Error> {
    match node.extensions.get("bottlerocket-settings") {
        Some(text) => serde_json::from_str(text).map(Some).map_err(|_| unreadable("bottlerocket-settings")),
        None => Ok(None),
    }
}

fn unreadable(name: &str) -> Error {
    Error::render(format!("the provider's `{name}` is not JSON"), "this is a fault of the provider")
}

fn no_image(name: &str) -> Error {
    Error::render(format!("the release has no image `{name}`"), "use a release that supports Bottlerocket")
}
