//! Waiting for the node: its API from here, and its condition Ready as it changes.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::time::Instant;

use super::failure::Trouble;
use crate::{BootstrapError, Progress};

/// A node is Ready in some 20 s; on a machine that is very busy it takes minutes.
const PATIENCE: Duration = Duration::from_mins(5);
/// A watch ends after this long at most, and is begun again. In seconds.
const WATCH: u32 = 60;
/// Between two tries of an API server that does not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// Waits until the node says that it is Ready.
pub(super) async fn node(kubeconfig: &str, name: &str, progress: &dyn Progress) -> Result<(), BootstrapError> {
    let nodes: Api<Node> = Api::all(client(kubeconfig, name).await?);
    let begun = Instant::now();
    let object = format!("Node {name}");
    let mut last = "it is not there yet".to_owned();
    progress.waiting(&object, "Ready");
    loop {
        match look(&nodes, name, &mut last, begun).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => {
                last = format!("its API does not answer: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
        if begun.elapsed() > PATIENCE {
            return Err(BootstrapError::Node {
                node: name.to_owned(),
                action: "become Ready".into(),
                reason: format!("it is not after {} minutes: {last}", PATIENCE.as_secs() / 60),
                trouble: Trouble::Other,
            });
        }
        progress.waiting(&object, &format!("Ready; {last}"));
    }
}

/// Looks once, and then at each change until the watch ends.
async fn look(nodes: &Api<Node>, name: &str, last: &mut String, begun: Instant) -> Result<bool, kube::Error> {
    let there = nodes.get_opt(name).await?;
    if let Some(node) = &there
        && is_ready(node, last)
    {
        return Ok(true);
    }
    let version = there.and_then(|n| n.metadata.resource_version).unwrap_or_else(|| "0".into());
    let params = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(WATCH);
    let mut events = Box::pin(nodes.watch(&params, &version).await?);
    while let Some(event) = events.next().await {
        match event? {
            WatchEvent::Added(node) | WatchEvent::Modified(node) if is_ready(&node, last) => return Ok(true),
            WatchEvent::Error(_) => return Ok(false),
            _ => {}
        }
        if begun.elapsed() > PATIENCE {
            return Ok(false);
        }
    }
    Ok(false)
}

fn is_ready(node: &Node, last: &mut String) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let ready = conditions.into_iter().flatten().find(|c| c.type_ == "Ready");
    let Some(ready) = ready else {
        "its kubelet has not said anything yet".clone_into(last);
        return false;
    };
    *last = ready.message.clone().or_else(|| ready.reason.clone()).unwrap_or_else(|| "it does not say why".into());
    ready.status == "True"
}

async fn client(kubeconfig: &str, name: &str) -> Result<Client, BootstrapError> {
    let wrong = |reason: String| BootstrapError::Kubeconfig { origin: format!("that of `{name}`"), reason };
    let parsed = Kubeconfig::from_yaml(kubeconfig).map_err(|e| wrong(e.to_string()))?;
    let current = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(parsed, &current).await.map_err(|e| wrong(e.to_string()))?;
    // The API is reached through the engine of this machine, whatever the environment says of proxies.
    config.proxy_url = None;
    Client::try_from(config).map_err(|e| wrong(e.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_says_why_it_is_not_ready() {
        let node = |status: serde_json::Value| -> Node {
            serde_json::from_value(json!({"metadata": {"name": "n"}, "status": status})).unwrap()
        };
        let mut last = String::new();
        assert!(!is_ready(&node(json!({})), &mut last));
        assert_eq!(last, "its kubelet has not said anything yet");
        let condition = |status: &str, message: &str| json!({"conditions": [{"type": "Ready", "status": status, "message": message}]});
        assert!(!is_ready(&node(condition("False", "cni plugin not initialized")), &mut last));
        assert_eq!(last, "cni plugin not initialized");
        assert!(is_ready(&node(condition("True", "kubelet is posting ready status")), &mut last));
    }
}
