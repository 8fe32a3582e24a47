//! What the EKS Anywhere controller needs on a cluster: its kinds, itself, and the release that it looks everything up in.

use std::collections::BTreeSet;

use kedge_cluster_api::NAMESPACE;
use kedge_spec::cluster::Cluster;
use serde_json::{Map, Value, json};

use crate::error::WorkflowError;
use crate::load::Prepared;
use crate::options::Options;

/// The group of the controller's own kinds.
const VERSION: &str = "anywhere.eks.amazonaws.com/v1alpha1";
/// The controller's deployment.
const CONTROLLER: &str = "eksa-controller-manager";
/// Where the controller finds the images that upgrade machines in place.
const UPGRADERS: &str = "in-place-upgrade";

/// The objects of the kinds and the controller, set up for the spec; none if the release has none.
pub(crate) async fn components(prepared: &Prepared) -> Result<Vec<Value>, WorkflowError> {
    let Some(address) = prepared.view.eksa_components_url() else { return Ok(Vec::new()) };
    let mut objects = Vec::new();
    let mut seen = BTreeSet::new();
    for address in prepared.release.eksd_component_urls() {
        if seen.insert(address) {
            objects.extend(prepared.objects(address).await?);
        }
    }
    objects.extend(prepared.objects(address).await?);
    for object in &mut objects {
        set_proxy(object, prepared.cluster());
    }
    Ok(objects)
}

/// The controller reaches the Internet as the cluster's nodes do.
fn set_proxy(object: &mut Value, cluster: &Cluster) {
    let Some(proxy) = &cluster.spec.proxy_configuration else { return };
    let is = |at: &str, text: &str| object.pointer(at).and_then(Value::as_str) == Some(text);
    if !(is("/kind", "Deployment") && is("/metadata/name", CONTROLLER)) {
        return;
    }
    let network = &cluster.spec.cluster_network;
    let endpoint = cluster.spec.control_plane_configuration.endpoint_host().map(str::to_owned);
    let direct = proxy.no_proxy.iter().chain(&network.pods.cidr_blocks).chain(&network.services.cidr_blocks).cloned();
    let direct: Vec<String> = direct.chain(endpoint).collect();
    let variables = [
        ("HTTP_PROXY", proxy.http_proxy.clone()),
        ("HTTPS_PROXY", proxy.https_proxy.clone()),
        ("NO_PROXY", direct.join(",")),
    ];
    let first = object.pointer_mut("/spec/template/spec/containers/0").and_then(Value::as_object_mut);
    let Some(env) = first.map(|c| c.entry("env").or_insert_with(|| json!([]))).and_then(Value::as_array_mut) else {
        return;
    };
    for (name, value) in variables {
        env.retain(|v| v.get("name").and_then(Value::as_str) != Some(name));
        env.push(json!({"name": name, "value": value}));
    }
}

/// The release as the controller looks it up: the bundles, the release that names them, the EKS-D releases of all
/// Kubernetes versions, and the images of in-place upgrades. EKS-D releases that can't be had and that the cluster does
/// not need are named in the second list.
pub(crate) async fn release(prepared: &Prepared) -> Result<(Vec<Value>, Vec<String>), WorkflowError> {
    let release = &prepared.release;
    let mut bundles = release.manifest();
    into_namespace(&mut bundles);
    let version = release.eksa_version().unwrap_or_default();
    let listed = release.listed();
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let named = json!({
        "apiVersion": VERSION,
        "kind": "EKSARelease",
        "metadata": {"name": release_name(&version), "namespace": NAMESPACE},
        "spec": {
            "releaseDate": text(listed.map(|l| &l.date)),
            "version": version,
            "gitCommit": text(listed.map(|l| &l.git_commit)),
            "bundleManifestUrl": text(listed.map(|l| &l.bundles_url)),
            "bundlesRef": {"apiVersion": VERSION, "name": release.name(), "namespace": NAMESPACE},
        },
    });
    let mut objects = vec![bundles, named, upgraders(prepared)];
    let mut missing = Vec::new();
    let needed = kedge_spec::release::Release::needed(prepared.cluster());
    let mut seen = BTreeSet::new();
    for (kubernetes, address) in release.eksd_manifests() {
        if !seen.insert(address) {
            continue;
        }
        match prepared.objects(address).await {
            Ok(found) => objects.extend(found.into_iter().map(|mut object| {
                into_namespace(&mut object);
                object
            })),
            Err(_) if !needed.contains(&kubernetes) => missing.push(kubernetes.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok((objects, missing))
}

/// The name of an `EKSARelease`: `eksa-v0-26-1`.
fn release_name(version: &str) -> String {
    format!("eksa-{}", version.replace('+', "-plus-").replace('.', "-"))
}

/// The images that upgrade machines in place, by EKS-D version (`v1.34.8-eks-1-34-19`).
fn upgraders(prepared: &Prepared) -> Value {
    let manifest = prepared.release.manifest();
    let bundles = manifest.pointer("/spec/versionsBundles").and_then(Value::as_array);
    let mut images = Map::new();
    for bundle in bundles.into_iter().flatten() {
        let text = |at: &str| bundle.pointer(at).and_then(Value::as_str);
        let number = text("/eksD/name").and_then(|name| name.split('-').nth(4));
        let parts = (text("/eksD/kubeVersion"), text("/eksD/channel"), number, text("/upgrader/upgrader/uri"));
        if let (Some(version), Some(channel), Some(number), Some(image)) = parts {
            let key = format!("{version}-eks-{channel}-{number}");
            images.entry(key).or_insert_with(|| json!(prepared.view.mirror().rewrite(image)));
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": UPGRADERS, "namespace": NAMESPACE},
        "data": images,
    })
}

/// Secrets of the environment that the controller looks up by name.
pub(crate) fn secrets(prepared: &Prepared, options: &Options) -> Vec<Value> {
    let get = |name: &str| (options.environment)(name).filter(|value| !value.is_empty());
    let secret = |name: &str, data: Value| {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "stringData": data,
        })
    };
    let mut secrets = Vec::new();
    if let Some(license) = get("EKSA_LICENSE") {
        secrets.push(secret("eksa-license", json!({"license": license})));
    }
    let mirror = prepared.cluster().spec.registry_mirror_configuration.as_ref();
    if mirror.is_some_and(|mirror| mirror.authenticate == Some(true)) {
        let (user, password) = (get("REGISTRY_USERNAME"), get("REGISTRY_PASSWORD"));
        secrets.push(secret(
            "registry-credentials",
            json!({"username": user.unwrap_or_default(), "password": password.unwrap_or_default()}),
        ));
    }
    secrets
}

fn into_namespace(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("creationTimestamp");
        metadata.insert("namespace".to_owned(), json!(NAMESPACE));
    }
}
