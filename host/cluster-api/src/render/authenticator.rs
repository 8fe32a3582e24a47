//! The authenticator of AWS IAM on the cluster itself: it runs beside each API server, and knows roles and users from a
//! ConfigMap. What tells clusters apart, its identity, is made up once for a cluster and is no part of what is rendered.

use kedge_spec::cluster::{AwsIamConfig, Taint};
use kedge_spec::{Source, yaml_document, yaml_documents};
use serde_json::{Map, Value, json};

use super::context::{Context, put};
use crate::error::Error;

/// Its name, wherever it has one.
pub const NAME: &str = "aws-iam-authenticator";
/// Where it is.
pub const NAMESPACE: &str = "kube-system";

/// Its objects without images, arguments and what follows from the spec.
const OBJECTS: &str = include_str!("aws-iam-authenticator.yaml");

/// Its image, and that of what gives it its files.
const IMAGES: [(&str, &str); 2] =
    [("/spec/template/spec/containers/0", NAME), ("/spec/template/spec/initContainers/0", "eksa.diagnosticCollector")];

/// The ConfigMap that tells the authenticator which cluster it is: tokens are good for one.
pub fn identity(id: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"k8s-app": NAME}},
        "data": {"config.yaml": format!("clusterID: {id}\n")},
    })
}

/// The objects for the cluster itself; none if the spec does not ask for it.
pub(super) fn objects(context: &Context<'_>) -> Result<Vec<Value>, Error> {
    let Some(config) = context.input.spec.aws_iam() else { return Ok(Vec::new()) };
    let broken = |reason: String| {
        Error::render(format!("the authenticator's own objects: {reason}"), "this is a fault of kedge")
    };
    let mut objects = yaml_documents(&Source::new(NAME, OBJECTS)).map_err(|e| broken(e.to_string()))?;
    let daemon = objects.iter_mut().find(|o| o.get("kind").is_some_and(|kind| kind == "DaemonSet"));
    let daemon = daemon.ok_or_else(|| broken("there is no DaemonSet".to_owned()))?;
    for (container, name) in IMAGES {
        let image = context.release().images.get(name).ok_or_else(|| {
            Error::render(
                format!("the release has no image `{name}`, which `AWSIamConfig` needs"),
                "use another release, or remove the reference in `identityProviderRefs`",
            )
        })?;
        set(daemon, container, "image", json!(image));
    }
    let [(container, _), _] = IMAGES;
    set(daemon, container, "env", json!([{"name": "AWS_REGION", "value": config.aws_region}]));
    set(daemon, container, "args", json!(arguments(&config)));
    let tolerations = daemon.pointer_mut("/spec/template/spec/tolerations").and_then(Value::as_array_mut);
    if let (Some(tolerations), Some(taints)) = (tolerations, &context.cluster.spec.control_plane_configuration.taints) {
        tolerations.extend(taints.iter().map(toleration));
    }
    objects.push(mappings(&config));
    Ok(objects)
}

fn set(object: &mut Value, at: &str, key: &str, value: Value) {
    if let Some(map) = object.pointer_mut(at).and_then(Value::as_object_mut) {
        map.insert(key.to_owned(), value);
    }
}

fn arguments(config: &AwsIamConfig) -> Vec<String> {
    vec![
        "server".to_owned(),
        format!("--backend-mode={}", config.backend_mode.join(",")),
        format!("--partition={}", config.partition),
        "--config=/etc/aws-iam-authenticator/config.yaml".to_owned(),
        "--state-dir=/var/aws-iam-authenticator".to_owned(),
        "--generate-kubeconfig=/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml".to_owned(),
        "--kubeconfig-pregenerated=true".to_owned(),
    ]
}

fn toleration(taint: &Taint) -> Value {
    let mut toleration = Map::new();
    put(&mut toleration, "key", taint.key.clone());
    put(&mut toleration, "value", taint.value.clone());
    put(&mut toleration, "effect", taint.effect.clone());
    Value::Object(toleration)
}

/// Who roles and users are in the cluster, as EKS has it.
fn mappings(config: &AwsIamConfig) -> Value {
    let entry = |key: &str, arn: &str, username: &str, groups: &[String]| {
        let mut entry = Map::new();
        entry.insert(key.to_owned(), json!(arn));
        entry.insert("username".to_owned(), json!(username));
        put(&mut entry, "groups", groups);
        Value::Object(entry)
    };
    let roles: Vec<Value> =
        config.map_roles.iter().map(|r| entry("rolearn", &r.role_arn, &r.username, &r.groups)).collect();
    let users: Vec<Value> =
        config.map_users.iter().map(|u| entry("userarn", &u.user_arn, &u.username, &u.groups)).collect();
    let mut data = Map::new();
    for (key, entries) in [("mapRoles", roles), ("mapUsers", users)] {
        if !entries.is_empty() {
            data.insert(key.to_owned(), Value::String(yaml_document(&Value::Array(entries))));
        }
    }
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "aws-auth", "namespace": NAMESPACE},
    });
    if let Some(map) = object.as_object_mut() {
        put(map, "data", data);
    }
    object
}
