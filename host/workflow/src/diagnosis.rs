//! What was found when a step failed, on the disk: a failed create leaves a diagnosis, never a mystery.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use kedge_cluster_api::api::{Api, Retry};
use kedge_cluster_api::{NAMESPACE, TypeRef, kinds};
use serde_json::{Value, json};

use crate::commands::conditions;
use crate::folder::{DIAGNOSIS, Readers};
use crate::run::{Run, Side, title};
use crate::step::Failure;

/// Looking must not take longer than doing.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Writes the diagnosis of a failed step: `summary.txt` with what is wrong, where and what to try, and for each API
/// that answers the objects, their conditions and the events. Secrets are masked.
pub(crate) async fn write(run: &Run, step: &str, failure: &Failure) -> Result<PathBuf, Failure> {
    let at = run.options.clock.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let folder = format!("{DIAGNOSIS}/{at}");
    let path = run.folder.make_dir(&folder)?;
    let put = |name: &str, text: &str| {
        let text = run.secrets.redact(text);
        run.folder.write(&format!("{folder}/{name}"), &text, Readers::Owner)
    };
    put("summary.txt", &summary(step, failure))?;
    let sides = [("bootstrap", run.bootstrap_side().await), ("workload", run.workload_side().await)];
    for (name, side) in sides {
        match side {
            Ok(Side::There(api)) => {
                let found =
                    look(run, &api.retrying(Retry { budget: PATIENCE, request: PATIENCE, ..Retry::default() })).await;
                put(&format!("{name}-conditions.txt"), &found.conditions)?;
                put(&format!("{name}-objects.yaml"), &found.objects)?;
                put(&format!("{name}-events.txt"), &found.events)?;
            }
            Ok(Side::Silent(error)) => put(&format!("{name}-unreachable.txt"), &format!("{error}\n"))?,
            Ok(Side::Absent) => {}
            Err(error) => put(&format!("{name}-unreachable.txt"), &format!("{error}\n"))?,
        }
    }
    for (name, text) in run.driver.evidence(&run.identity).await {
        put(&format!("bootstrap-{name}"), &text)?;
    }
    Ok(path)
}

fn summary(step: &str, failure: &Failure) -> String {
    let place = failure
        .object
        .as_ref()
        .map_or_else(|| format!("at the step \"{step}\""), |o| format!("{o}, at the step \"{step}\""));
    let remedy = if failure.remedy.is_empty() { "run the same command again" } else { &failure.remedy };
    let mut text =
        format!("what is wrong: {}\nwhere: {place}\nwhat to try: {remedy}\n", failure.message.replace('\n', " "));
    let mut cause = failure.source.as_ref().map(|s| s.as_ref() as &dyn std::error::Error);
    while let Some(error) = cause {
        let _ = writeln!(text, "because: {error}");
        cause = error.source();
    }
    text
}

#[derive(Default)]
struct Found {
    conditions: String,
    objects: String,
    events: String,
}

async fn look(run: &Run, api: &Api) -> Found {
    let mut found = Found::default();
    let infrastructure = &run.prepared.description().infrastructure;
    let own = infrastructure.api_versions.iter().flat_map(|version| {
        let version =
            if version.contains('/') { version.clone() } else { format!("{}/{version}", infrastructure.api_group) };
        [
            infrastructure.cluster_kind.clone(),
            infrastructure.machine_template_kind.clone(),
            machine_kind(&infrastructure.machine_template_kind),
        ]
        .map(|kind| TypeRef::new(version.clone(), kind))
    });
    for kind in CORE.into_iter().chain(own) {
        match api.list(&kind, Some(NAMESPACE), None).await {
            Ok(objects) => objects.into_iter().for_each(|object| add(&mut found, masked(object))),
            Err(kedge_cluster_api::Error::UnknownKind { .. }) => {}
            Err(error) => {
                let _ = writeln!(found.conditions, "{kind} can't be listed: {error}");
            }
        }
    }
    if let Ok(nodes) = api.list(&kinds::NODE, None, None).await {
        for node in nodes {
            add(&mut found, node);
        }
    }
    match api.list(&TypeRef::of("v1", "Event"), None, None).await {
        Ok(events) => events.iter().for_each(|event| add_event(&mut found, event)),
        Err(error) => {
            let _ = writeln!(found.events, "events can't be listed: {error}");
        }
    }
    found
}

/// `XMachineTemplate` makes `XMachine`s.
fn machine_kind(template: &str) -> String {
    template.trim_end_matches("Template").to_owned()
}

fn add(found: &mut Found, mut object: Value) {
    let _ = writeln!(found.conditions, "{}", title(&object));
    for condition in conditions(&object) {
        let message = if condition.message.is_empty() { String::new() } else { format!(": {}", condition.message) };
        let _ = writeln!(found.conditions, "  {} {} {}{message}", condition.kind, condition.status, condition.reason);
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    found.objects.push_str("---\n");
    found.objects.push_str(&kedge_spec::yaml_document(&object));
}

fn add_event(found: &mut Found, event: &Value) {
    let text = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let _ = writeln!(
        found.events,
        "{} {} {} {}/{}: {}",
        text("/lastTimestamp"),
        text("/type"),
        text("/reason"),
        text("/involvedObject/kind"),
        text("/involvedObject/name"),
        text("/message")
    );
}

/// Keys stay, values go.
fn masked(mut object: Value) -> Value {
    if object.get("kind").and_then(Value::as_str) == Some("Secret") {
        for field in ["data", "stringData"] {
            if let Some(data) = object.get_mut(field).and_then(Value::as_object_mut) {
                data.values_mut().for_each(|value| *value = json!("***"));
            }
        }
        if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_three_lines_and_the_causes() {
        let failure = Failure::new("Machine eksa-system/prod-1 never got a node", "look at its console")
            .about("Machine eksa-system/prod-1");
        assert_eq!(
            summary("Creating new workload cluster", &failure),
            "what is wrong: Machine eksa-system/prod-1 never got a node\n\
             where: Machine eksa-system/prod-1, at the step \"Creating new workload cluster\"\n\
             what to try: look at its console\n"
        );
    }

    #[test]
    fn no_value_of_a_secret_is_left() {
        let secret = json!({
            "kind": "Secret", "data": {"a": "aGlkZGVu"}, "stringData": {"b": "hidden"},
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hidden", "x": "y"}},
        });
        let text = masked(secret).to_string();
        assert!(!text.contains("hidden") && !text.contains("aGlkZGVu"), "{text}");
        assert!(text.contains("\"a\":\"***\"") && text.contains("\"x\":\"y\""), "{text}");
    }
}
