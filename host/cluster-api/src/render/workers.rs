//! The machines of one worker node group.

use kedge_spec::cluster::WorkerNodeGroupConfiguration;
use kedge_spec::provider::{NodeContribution, Role};
use serde_json::{Map, Value, json};

use super::context::{Context, put};
use super::kubelet::Kubelet;
use super::node::{self, Family};
use super::{health, names};
use crate::error::Error;
use crate::object::kinds;
use crate::readiness::CLUSTER_LABEL;

/// The label by which the machines of a MachineDeployment are found.
const DEPLOYMENT_LABEL: &str = "cluster.x-k8s.io/deployment-name";

pub(super) fn objects(context: &Context<'_>, group: &WorkerNodeGroupConfiguration) -> Result<Vec<Value>, Error> {
    let role = Role::Worker(group.name.clone());
    let template = context.template(&role)?;
    let contribution = context.node(&role)?;
    let family = Family::of(contribution)?;

    let kubelet =
        Kubelet::new(context.cluster, contribution, family, &group.labels, group.kubelet_configuration.as_ref());
    let registration = node::registration(contribution, &kubelet, Some(&group.taints));
    let mut config = Map::new();
    config.insert(
        "joinConfiguration".to_owned(),
        node::join(context, contribution, family, &kubelet, registration, Some(&group.name))?,
    );
    node::common(context, contribution, family, kubelet.patch.into_iter().collect(), &mut config)?;
    let body = json!({"kind": kinds::CONFIG_TEMPLATE.kind, "spec": {"template": {"spec": config}}});
    let config_name = format!("{}-{}-{}", context.name(), group.name, names::content(&body));
    let mut config_template =
        context.object(&kinds::CONFIG_TEMPLATE.api_version, &kinds::CONFIG_TEMPLATE.kind, &config_name);
    if let (Some(map), Value::Object(mut body)) = (config_template.as_object_mut(), body) {
        map.insert("spec".to_owned(), body.remove("spec").unwrap_or_default());
    }

    let name = format!("{}-{}", context.name(), group.name);
    let labels = json!({CLUSTER_LABEL: context.name(), DEPLOYMENT_LABEL: name});
    let mut machine = Map::new();
    put(&mut machine, "clusterName", context.name());
    put(&mut machine, "version", context.release().worker(&group.name).kubernetes_version.clone());
    put(
        &mut machine,
        "bootstrap",
        json!({"configRef": {
            "apiGroup": kinds::CONFIG_TEMPLATE.group(),
            "kind": kinds::CONFIG_TEMPLATE.kind,
            "name": config_name,
        }}),
    );
    put(&mut machine, "infrastructureRef", template.reference());
    put(&mut machine, "failureDomain", failure_domain(contribution, group).to_owned());

    let mut spec = Map::new();
    put(&mut spec, "clusterName", context.name());
    if group.autoscaling_configuration.is_none() {
        put(&mut spec, "replicas", group.replicas());
    }
    put(&mut spec, "selector", json!({"matchLabels": labels}));
    put(&mut spec, "template", json!({"metadata": {"labels": labels}, "spec": machine}));
    if let Some(update) = group.upgrade_rollout_strategy.as_ref().and_then(|s| s.rolling_update.as_ref()) {
        put(
            &mut spec,
            "rollout",
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {
                "maxSurge": update.max_surge,
                "maxUnavailable": update.max_unavailable.unwrap_or(0),
            }}}),
        );
    }
    let mut deployment = context.object(&kinds::MACHINE_DEPLOYMENT.api_version, &kinds::MACHINE_DEPLOYMENT.kind, &name);
    if let (Some(scaling), Some(metadata)) =
        (&group.autoscaling_configuration, deployment.get_mut("metadata").and_then(Value::as_object_mut))
    {
        metadata.insert(
            "annotations".to_owned(),
            json!({
                "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size": scaling.min_count.to_string(),
                "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size": scaling.max_count.to_string(),
            }),
        );
    }
    if let Some(map) = deployment.as_object_mut() {
        map.insert("spec".to_owned(), Value::Object(spec));
    }
    let check = health::check(
        context,
        &format!("{name}-worker-unhealthy"),
        (DEPLOYMENT_LABEL, &name),
        group.machine_health_check.as_ref(),
        "40%",
    )?;
    Ok(vec![config_template, template.object, deployment, check])
}

/// The name by which the infrastructure knows the group's failure domain: the provider's word, else the spec's.
fn failure_domain<'a>(node: &'a NodeContribution, group: &'a WorkerNodeGroupConfiguration) -> &'a str {
    let given = node.extensions.get("failure-domain").or_else(|| group.failure_domains.first());
    given.map_or("", String::as_str)
}
