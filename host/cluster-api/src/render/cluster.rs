//! The Cluster object and its namespace.

use serde_json::{Value, json};

use super::context::{Context, put};
use crate::error::Error;
use crate::object::{kinds, text};

/// The namespace of all Cluster API objects.
pub(super) fn namespace() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": crate::NAMESPACE}})
}

pub(super) fn cluster(context: &Context<'_>) -> Result<Value, Error> {
    let given = &context.input.contributions.infrastructure.cluster;
    let (Some(api_version), Some(kind), Some(name)) =
        (text(given, "/apiVersion"), text(given, "/kind"), text(given, "/metadata/name"))
    else {
        return Err(Error::render(
            "the provider's infrastructure object has no `apiVersion`, `kind` or `metadata.name`",
            "this is a fault of the provider",
        ));
    };
    let described = &context.input.provider.infrastructure;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if kind != described.cluster_kind || group != described.api_group {
        return Err(Error::render(
            format!(
                "the provider gave a `{kind}` of `{group}` as its infrastructure object, and says of itself that it gives a `{}` of `{}`",
                described.cluster_kind, described.api_group
            ),
            "this is a fault of the provider",
        ));
    }
    let network = &context.cluster.spec.cluster_network;
    let mut spec = serde_json::Map::new();
    let mut ranges = serde_json::Map::new();
    for (key, blocks) in [("pods", &network.pods.cidr_blocks), ("services", &network.services.cidr_blocks)] {
        if !blocks.is_empty() {
            ranges.insert(key.to_owned(), json!({"cidrBlocks": blocks}));
        }
    }
    put(&mut spec, "clusterNetwork", ranges);
    put(
        &mut spec,
        "controlPlaneRef",
        json!({
            "apiGroup": kinds::CONTROL_PLANE.group(),
            "kind": kinds::CONTROL_PLANE.kind,
            "name": context.name(),
        }),
    );
    put(&mut spec, "infrastructureRef", json!({"apiGroup": group, "kind": kind, "name": name}));
    if context.cluster.spec.external_etcd_configuration.is_some() {
        put(
            &mut spec,
            "managedExternalEtcdRef",
            json!({
                "apiGroup": kinds::ETCD_CLUSTER.group(),
                "kind": kinds::ETCD_CLUSTER.kind,
                "name": format!("{}-etcd", context.name()),
            }),
        );
    }
    let mut object = context.object(&kinds::CLUSTER.api_version, &kinds::CLUSTER.kind, context.name());
    if let Some(map) = object.as_object_mut() {
        map.insert("spec".to_owned(), Value::Object(spec));
    }
    Ok(object)
}
