//! One cluster's API: its objects, what they say of themselves, what happened, and what its controllers wrote.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use kedge_cluster_api::api::Api;
use kedge_cluster_api::{NAMESPACE, TypeRef, kinds};
use serde_json::Value;

use super::mask::Mask;
use crate::commands::conditions;
use crate::run::{Run, title};

/// Kinds that are looked at whatever the provider: the rest is found by its API group.
const CORE: [TypeRef; 8] = [
    kinds::CLUSTER,
    kinds::CONTROL_PLANE,
    kinds::ETCD_CLUSTER,
    kinds::MACHINE_DEPLOYMENT,
    TypeRef::of("cluster.x-k8s.io/v1beta2", "MachineSet"),
    kinds::MACHINE,
    kinds::MACHINE_HEALTH_CHECK,
    kinds::SECRET,
];

/// Lines of each container's log, and pods that are asked: what is wrong now is at the end, and one controller is like another.
const LINES: u32 = 300;
const PODS: usize = 40;

/// What was found on one cluster.
#[derive(Default)]
pub(super) struct Found {
    pub(super) conditions: String,
    pub(super) objects: String,
    pub(super) events: String,
    /// Logs by file name.
    pub(super) logs: Vec<(String, String)>,
    /// The condition that says best what is wrong, if one does.
    pub(super) worst: Option<String>,
}

pub(super) async fn look(run: &Run, api: &Api, mask: &mut Mask) -> Found {
    let mut found = Found::default();
    for kind in CORE.into_iter().chain(own(run)) {
        match api.list(&kind, Some(NAMESPACE), None).await {
            Ok(objects) => objects.into_iter().for_each(|object| add(&mut found, mask.take(object))),
            Err(kedge_cluster_api::Error::UnknownKind { .. }) => {}
            Err(error) => {
                let _ = writeln!(found.conditions, "{kind} can't be listed: {error}");
            }
        }
    }
    match api.list(&kinds::NODE, None, None).await {
        Ok(nodes) => nodes.into_iter().for_each(|node| add(&mut found, node)),
        Err(error) => {
            let _ = writeln!(found.conditions, "nodes can't be listed: {error}");
        }
    }
    events(api, &mut found).await;
    logs(run, api, &mut found).await;
    found
}

/// The kinds of the provider: `XMachineTemplate` makes `XMachine`s.
fn own(run: &Run) -> impl Iterator<Item = TypeRef> {
    let infrastructure = &run.prepared.description().infrastructure;
    infrastructure.api_versions.iter().flat_map(|version| {
        let version =
            if version.contains('/') { version.clone() } else { format!("{}/{version}", infrastructure.api_group) };
        [
            infrastructure.cluster_kind.clone(),
            infrastructure.machine_template_kind.clone(),
            infrastructure.machine_template_kind.trim_end_matches("Template").to_owned(),
        ]
        .map(|kind| TypeRef::new(version.clone(), kind))
    })
}

fn add(found: &mut Found, mut object: Value) {
    let name = title(&object);
    let _ = writeln!(found.conditions, "{name}");
    for condition in conditions(&object) {
        let message = if condition.message.is_empty() { String::new() } else { format!(": {}", condition.message) };
        let _ = writeln!(found.conditions, "  {} {} {}{message}", condition.kind, condition.status, condition.reason);
    }
    if found.worst.is_none() {
        found.worst = error_of(&object).map(|said| format!("{name}: {said}"));
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    found.objects.push_str("---\n");
    found.objects.push_str(&kedge_spec::yaml_document(&object));
}

/// What an object reports that somebody has to do something about: Cluster API's severity for that is `Error`.
fn error_of(object: &Value) -> Option<String> {
    let text = |c: &Value, key: &str| c.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let lists = ["/status/deprecated/v1beta1/conditions", "/status/conditions"];
    let all = lists.into_iter().filter_map(|at| object.pointer(at)?.as_array()).flatten();
    let serious: Vec<&Value> = all.filter(|c| text(c, "severity") == "Error" && text(c, "status") == "False").collect();
    let one = serious.iter().find(|c| text(c, "type") != "Ready").or(serious.first())?;
    Some(format!("`{}` is False ({}): {}", text(one, "type"), text(one, "reason"), text(one, "message")))
}

async fn events(api: &Api, found: &mut Found) {
    let mut events = match api.list(&TypeRef::of("v1", "Event"), None, None).await {
        Ok(events) => events,
        Err(error) => {
            let _ = writeln!(found.events, "events can't be listed: {error}");
            return;
        }
    };
    let time = |event: &Value| {
        let at = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        at.into_iter().find_map(|at| event.pointer(at)?.as_str()).unwrap_or_default().to_owned()
    };
    events.sort_by_key(time);
    for event in &events {
        let text = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(
            found.events,
            "{} {} {} {} {}/{}: {}",
            time(event),
            text("/type"),
            text("/reason"),
            text("/involvedObject/kind"),
            text("/involvedObject/namespace"),
            text("/involvedObject/name"),
            text("/message")
        );
    }
}

/// The logs of the controllers, and of every other pod that is not ready.
async fn logs(run: &Run, api: &Api, found: &mut Found) {
    let Ok(pods) = api.list(&kinds::POD, None, None).await else { return };
    let components = run.prepared.components().unwrap_or_default();
    let controllers: BTreeSet<String> = components.into_iter().map(|component| component.namespace).collect();
    let text = |pod: &Value, at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let wanted = pods.iter().filter(|pod| {
        let namespace = text(pod, "/metadata/namespace");
        controllers.contains(&namespace) || namespace == NAMESPACE || !is_ready(pod)
    });
    for pod in wanted.take(PODS) {
        let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
        for container in containers(pod) {
            for previous in [false, true] {
                if previous && container.restarts == 0 {
                    continue;
                }
                let which = if previous { "-previous" } else { "" };
                let log = api.pod_log(&namespace, &name, &container.name, LINES, previous).await;
                let log = log.unwrap_or_else(|error| format!("the log can't be read: {error}\n"));
                found.logs.push((format!("{namespace}_{name}_{}{which}.log", container.name), log));
            }
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    let finished = pod.pointer("/status/phase").and_then(Value::as_str) == Some("Succeeded");
    finished || conditions(pod).iter().any(|c| c.kind == "Ready" && c.status == "True")
}

struct Container {
    name: String,
    restarts: i64,
}

/// The containers of a pod that have run, or might have.
fn containers(pod: &Value) -> Vec<Container> {
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses: Vec<&Value> = statuses.into_iter().filter_map(|at| pod.pointer(at)?.as_array()).flatten().collect();
    let restarts = |name: &str| {
        let of_it = statuses.iter().find(|s| s.get("name").and_then(Value::as_str) == Some(name));
        of_it.and_then(|s| s.get("restartCount")).and_then(Value::as_i64).unwrap_or(0)
    };
    let declared = ["/spec/initContainers", "/spec/containers"];
    let declared = declared.into_iter().filter_map(|at| pod.pointer(at)?.as_array()).flatten();
    declared
        .filter_map(|c| c.get("name").and_then(Value::as_str))
        .map(|name| Container { name: name.to_owned(), restarts: restarts(name) })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_error_behind_ready_is_what_is_told() {
        let machine = json!({"status": {"deprecated": {"v1beta1": {"conditions": [
            {"type": "Ready", "status": "False", "severity": "Error", "reason": "A", "message": "sum"},
            {"type": "BootstrapReady", "status": "False", "severity": "Info", "reason": "C", "message": "waits"},
            {"type": "InfrastructureReady", "status": "False", "severity": "Error", "reason": "B", "message": "no template"},
        ]}}}});
        assert_eq!(error_of(&machine).unwrap(), "`InfrastructureReady` is False (B): no template");
        assert_eq!(error_of(&json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})), None);
    }

    #[test]
    fn containers_know_their_restarts() {
        let pod = json!({
            "spec": {"initContainers": [{"name": "a"}], "containers": [{"name": "b"}]},
            "status": {"containerStatuses": [{"name": "b", "restartCount": 3}]},
        });
        let found: Vec<_> = containers(&pod).into_iter().map(|c| (c.name, c.restarts)).collect();
        assert_eq!(found, [("a".to_owned(), 0), ("b".to_owned(), 3)]);
    }
}
