//! What the webhooks of the core provider say about machines and sets of them.

use serde_json::{Value, json};

use crate::behaviour::kinds::names;
use crate::behaviour::meta::{number, set, text};
use crate::kube::{LabelSelector, object};

use super::control_plane::version;
use super::{Verdict, invalid, unchanged};

fn version_at(this: &mut Value, path: &[&str]) -> Verdict {
    let pointer: String = path.iter().flat_map(|step| ["/", *step]).collect();
    let wanted = text(this, &pointer).to_owned();
    if wanted.is_empty() {
        return Ok(());
    }
    let with_prefix = if wanted.starts_with('v') { wanted.clone() } else { format!("v{wanted}") };
    if version(&with_prefix).is_none() {
        return Err(invalid(
            this,
            &path.join("."),
            &format!("Invalid value: {wanted:?}: must be a valid semantic version"),
        ));
    }
    if with_prefix != wanted {
        set(this, path, json!(with_prefix));
    }
    Ok(())
}

fn label_cluster(this: &mut Value) {
    let name = text(this, "/spec/clusterName").to_owned();
    if !name.is_empty() {
        crate::behaviour::meta::set_label(this, names::CLUSTER_NAME, &name);
    }
}

pub(super) fn machine(new: &mut Value, old: Option<&Value>) -> Verdict {
    label_cluster(new);
    version_at(new, &["spec", "version"])?;
    if new.pointer("/spec/bootstrap/configRef").is_none() && new.pointer("/spec/bootstrap/dataSecretName").is_none() {
        return Err(invalid(
            new,
            "spec.bootstrap.dataSecretName",
            "Required value: expected spec.bootstrap.dataSecretName or spec.bootstrap.configRef to be populated",
        ));
    }
    unchanged(new, old, "/spec/clusterName")
}

fn template(new: &mut Value, old: Option<&Value>, own: (&str, &str)) -> Verdict {
    label_cluster(new);
    if new.pointer("/spec/replicas").is_none() {
        set(new, &["spec", "replicas"], json!(1));
    }
    let name = object::name(new).to_owned();
    if new.pointer("/spec/selector").is_none() {
        set(new, &["spec", "selector"], json!({}));
    }
    let cluster = text(new, "/spec/clusterName").to_owned();
    let empty =
        new.pointer("/spec/selector/matchLabels").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty)
            && new.pointer("/spec/selector/matchExpressions").is_none();
    if empty {
        set(new, &["spec", "selector", "matchLabels", own.0], json!(name));
        set(new, &["spec", "template", "metadata", "labels", own.0], json!(name));
    }
    if own.1 == "deployment" {
        for place in [
            ["spec", "selector", "matchLabels", names::CLUSTER_NAME].as_slice(),
            &["spec", "template", "metadata", "labels", names::CLUSTER_NAME],
            &["spec", "template", "metadata", "labels", own.0],
            &["spec", "selector", "matchLabels", own.0],
        ] {
            let value = if place.last() == Some(&names::CLUSTER_NAME) { &cluster } else { &name };
            set(new, place, json!(value));
        }
    }
    version_at(new, &["spec", "template", "spec", "version"])?;
    let selector = new.pointer("/spec/selector").map(LabelSelector::from_object);
    let labels = new.pointer("/spec/template/metadata/labels");
    match selector {
        Some(Ok(selector)) if selector.matches_labels(labels) => {}
        Some(Ok(_)) => {
            let field = "spec.template.metadata.labels";
            return Err(invalid(
                new,
                field,
                &format!("Invalid value: {}: must match spec.selector", labels.cloned().unwrap_or_default()),
            ));
        }
        _ => return Err(invalid(new, "spec.selector", "Invalid value: it is no label selector")),
    }
    let inner = text(new, "/spec/template/spec/clusterName").to_owned();
    if !inner.is_empty() && inner != cluster {
        return Err(invalid(
            new,
            "spec.template.spec.clusterName",
            &format!("Invalid value: {inner:?}: must match spec.clusterName"),
        ));
    }
    unchanged(new, old, "/spec/clusterName")
}

pub(super) fn set_of(new: &mut Value, old: Option<&Value>) -> Verdict {
    template(new, old, (names::SET_NAME, "set"))?;
    unchanged(new, old, "/spec/selector")
}

pub(super) fn deployment(new: &mut Value, old: Option<&Value>) -> Verdict {
    template(new, old, (names::DEPLOYMENT_NAME, "deployment"))?;
    if new.pointer("/spec/rollout/strategy/type").is_none() {
        set(new, &["spec", "rollout", "strategy", "type"], json!("RollingUpdate"));
    }
    if text(new, "/spec/rollout/strategy/type") == "RollingUpdate" {
        for (field, value) in [("maxSurge", 1), ("maxUnavailable", 0)] {
            if new.pointer(&format!("/spec/rollout/strategy/rollingUpdate/{field}")).is_none() {
                set(new, &["spec", "rollout", "strategy", "rollingUpdate", field], json!(value));
            }
        }
    }
    let zero = |field: &str| {
        let value = new.pointer(&format!("/spec/rollout/strategy/rollingUpdate/{field}"));
        value == Some(&json!(0)) || value == Some(&json!("0%"))
    };
    if zero("maxSurge") && zero("maxUnavailable") {
        return Err(invalid(
            new,
            "spec.rollout.strategy.rollingUpdate.maxUnavailable",
            "Invalid value: 0: may not be 0 when maxSurge is 0",
        ));
    }
    unchanged(new, old, "/spec/selector")
}

pub(super) fn health_check(new: &mut Value, old: Option<&Value>) -> Verdict {
    label_cluster(new);
    if number(new, "/spec/checks/nodeStartupTimeoutSeconds").is_some_and(|seconds| seconds != 0 && seconds < 30) {
        return Err(invalid(new, "spec.checks.nodeStartupTimeoutSeconds", "Invalid value: must be at least 30s"));
    }
    let selector = new.pointer("/spec/selector").and_then(Value::as_object);
    if selector.is_none_or(|one| {
        one.values().all(|value| {
            value.as_object().is_none_or(serde_json::Map::is_empty) && value.as_array().is_none_or(Vec::is_empty)
        })
    }) {
        return Err(invalid(new, "spec.selector", "Required value: selector must not be empty"));
    }
    unchanged(new, old, "/spec/clusterName")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachineDeployment", "metadata": {"name": "prod-md-0"}, "spec": {
            "clusterName": "prod", "replicas": 2, "selector": {"matchLabels": {}},
            "template": {"metadata": {"labels": {}}, "spec": {"clusterName": "prod", "version": "1.34.1"}},
        }})
    }

    #[test]
    fn a_deployment_gets_its_labels_its_version_prefix_and_a_strategy() {
        let mut new = sample();
        deployment(&mut new, None).unwrap();
        assert_eq!(new.pointer("/spec/selector/matchLabels"), new.pointer("/spec/template/metadata/labels"));
        assert_eq!(text(&new, "/spec/template/spec/version"), "v1.34.1");
        assert_eq!(object::label(&new, names::CLUSTER_NAME), Some("prod"));
        let before = new.clone();
        deployment(&mut new, Some(&before)).unwrap();
        assert_eq!(new, before);
    }

    #[test]
    fn a_selector_that_selects_something_else_is_refused() {
        let mut new = sample();
        new["spec"]["selector"]["matchLabels"]["a"] = json!("b");
        assert!(deployment(&mut new, None).unwrap_err().contains("must match spec.selector"));
        let mut other = sample();
        other["spec"]["template"]["spec"]["clusterName"] = json!("test");
        assert!(deployment(&mut other, None).unwrap_err().contains("must match spec.clusterName"));
        let mut unversioned = sample();
        unversioned["spec"]["template"]["spec"]["version"] = json!("newest");
        assert!(deployment(&mut unversioned, None).unwrap_err().contains("semantic version"));
        let mut stuck = sample();
        stuck["spec"]["rollout"] =
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}});
        assert!(deployment(&mut stuck, None).unwrap_err().contains("maxSurge is 0"));
    }

    #[test]
    fn a_machine_needs_bootstrap_data() {
        let mut new =
            json!({"kind": "Machine", "metadata": {"name": "m"}, "spec": {"clusterName": "prod", "bootstrap": {}}});
        assert!(machine(&mut new, None).unwrap_err().contains("dataSecretName"));
        new["spec"]["bootstrap"]["dataSecretName"] = json!("x");
        assert_eq!(machine(&mut new, None), Ok(()));
        let mut moved = new.clone();
        moved["spec"]["clusterName"] = json!("other");
        assert!(machine(&mut moved, Some(&new)).unwrap_err().contains("immutable"));
    }

    #[test]
    fn a_health_check_selects_something() {
        let mut new = json!({"kind": "MachineHealthCheck", "metadata": {"name": "m"}, "spec": {"clusterName": "prod", "selector": {"matchLabels": {}}}});
        assert!(health_check(&mut new, None).unwrap_err().contains("must not be empty"));
        new["spec"]["selector"]["matchLabels"]["a"] = json!("b");
        assert_eq!(health_check(&mut new, None), Ok(()));
    }
}
