//! Encryption of what etcd holds, by a KMS plugin on the control plane's nodes.

use kedge_spec::cluster::{EtcdEncryption, Kms};
use serde_json::{Map, Value, json};

use super::args::Args;
use super::context::{Context, put};
use super::file::File;

const ON_NODE: &str = "/var/lib/kubeadm/encryption-config.yaml";
const IN_API_SERVER: &str = "/etc/kubernetes/enc/encryption-config.yaml";
const SOCKETS: &str = "/var/run/kmsplugin/";

/// Version (1.x) from which the API server asks to be told that KMS v1 is meant.
const GATE_FROM: u32 = 29;
/// How many keys the API server remembers when the spec does not say.
const CACHE: i32 = 1000;
/// How long it waits for the plugin when the spec does not say.
const TIMEOUT: &str = "3s";

/// Whether the spec asks for it.
pub(super) fn wanted(context: &Context<'_>) -> bool {
    !context.cluster.spec.etcd_encryption.is_empty()
}

pub(super) fn file(context: &Context<'_>) -> File {
    let resources: Vec<Value> = context.cluster.spec.etcd_encryption.iter().map(resource).collect();
    let config = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": resources,
    });
    File::new(ON_NODE, kedge_spec::yaml_document(&config))
}

/// What is written is encrypted by the plugin; what was written before is still read.
fn resource(encryption: &EtcdEncryption) -> Value {
    let plugins = encryption.providers.iter().filter_map(|provider| provider.kms.as_ref());
    let mut providers: Vec<Value> = plugins.map(plugin).collect();
    providers.push(json!({"identity": {}}));
    json!({"resources": encryption.resources, "providers": providers})
}

fn plugin(kms: &Kms) -> Value {
    let mut object = Map::new();
    put(&mut object, "apiVersion", "v1");
    put(&mut object, "name", kms.name.clone());
    put(&mut object, "endpoint", kms.socket_listen_address.clone());
    put(&mut object, "cachesize", kms.cache_size.unwrap_or(CACHE));
    put(&mut object, "timeout", kms.timeout.clone().unwrap_or_else(|| TIMEOUT.to_owned()));
    json!({"kms": object})
}

pub(super) fn arguments(minor: u32, api_server: &mut Args) {
    api_server.set("encryption-provider-config", IN_API_SERVER);
    if minor >= GATE_FROM {
        api_server.join("feature-gates", "KMSv1=true");
    }
}

/// What the API server has to see of the node.
pub(super) fn volumes() -> [Value; 2] {
    [
        json!({"name": "encryption-config", "hostPath": ON_NODE, "mountPath": IN_API_SERVER, "pathType": "File", "readOnly": true}),
        json!({"name": "kms-plugin", "hostPath": SOCKETS, "mountPath": SOCKETS, "readOnly": false}),
    ]
}
