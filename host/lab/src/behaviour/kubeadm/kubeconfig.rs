//! The kubeconfig of a workload cluster, as its Secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::behaviour::kinds::{SECRET, names};
use crate::behaviour::meta::own;
use crate::behaviour::objects::Objects;
use crate::behaviour::objects::Refused;
use crate::kube::{KubeCluster, object};

/// Makes the Secret `CLUSTER-kubeconfig` with the address at which this program serves the cluster's API.
///
/// # Errors
/// What the API refused.
pub(super) fn ensure(objects: &Objects, cluster: &str, running: &KubeCluster, owner: &Value) -> Result<(), Refused> {
    let name = format!("{cluster}-kubeconfig");
    if let Some(there) = objects.get(&SECRET, object::namespace(owner), &name) {
        if object::owners(&there).is_empty() {
            objects.change_this(&there, |there| own(there, owner, true));
        }
        return Ok(());
    }
    let text = running.kubeconfig(&format!("{cluster}-admin@{cluster}"));
    let mut made = json!({
        "apiVersion": "v1", "kind": "Secret", "type": names::SECRET_TYPE,
        "metadata": {"name": name, "namespace": object::namespace(owner), "labels": {names::CLUSTER_NAME: cluster}},
        "data": {"value": STANDARD.encode(text)},
    });
    own(&mut made, owner, true);
    objects.ensure(made).map(|_| ())
}
