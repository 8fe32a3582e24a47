//! The control plane's machines.

use kedge_spec::provider::Role;
use serde_json::{Map, Value, json};

use super::context::{Context, put};
use super::node::{self, Family};
use super::{audit, health, kubeadm};
use crate::error::Error;
use crate::object::kinds;

pub(super) fn objects(context: &Context<'_>) -> Result<Vec<Value>, Error> {
    let own = &context.cluster.spec.control_plane_configuration;
    let template = context.template(&Role::ControlPlane)?;
    let contribution = context.node(&Role::ControlPlane)?;
    let family = Family::of(contribution)?;

    let registration = node::registration(context, contribution, family, &own.labels, own.taints.as_deref());
    let mut config = Map::new();
    put(&mut config, "clusterConfiguration", kubeadm::cluster_configuration(context, contribution, family)?);
    config.insert("initConfiguration".to_owned(), json!({"nodeRegistration": registration}));
    config.insert("joinConfiguration".to_owned(), node::join(context, contribution, family, registration, None)?);
    node::common(context, contribution, family, vec![audit::file(context)], &mut config)?;

    let surge =
        own.upgrade_rollout_strategy.as_ref().and_then(|s| s.rolling_update.as_ref()).map_or(1, |r| r.max_surge);
    let mut object = context.object(&kinds::CONTROL_PLANE.api_version, &kinds::CONTROL_PLANE.kind, context.name());
    if let Some(map) = object.as_object_mut() {
        map.insert(
            "spec".to_owned(),
            json!({
                "replicas": own.count,
                "version": context.release().kubernetes_version,
                "machineTemplate": {"spec": {"infrastructureRef": template.reference()}},
                "kubeadmConfigSpec": config,
                "rollout": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}}},
            }),
        );
    }
    let check = health::check(
        context,
        &format!("{}-kcp-unhealthy", context.name()),
        ("cluster.x-k8s.io/control-plane", ""),
        own.machine_health_check.as_ref(),
        "100%",
    )?;
    Ok(vec![template.object, object, check])
}
