//! The control plane's machines.

use kedge_spec::cluster::Taint;
use kedge_spec::provider::Role;
use serde_json::{Map, Value, json};

use super::context::{Context, put};
use super::kubelet::Kubelet;
use super::node::{self, Family};
use super::{admission, audit, aws_iam, encryption, health, kubeadm};
use crate::error::Error;
use crate::object::kinds;

/// The label and the taint of control plane nodes.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

pub(super) fn objects(context: &Context<'_>) -> Result<Vec<Value>, Error> {
    let own = &context.cluster.spec.control_plane_configuration;
    let template = context.template(&Role::ControlPlane)?;
    let contribution = context.node(&Role::ControlPlane)?;
    let family = Family::of(contribution)?;

    let kubelet = Kubelet::new(context.cluster, contribution, family, &own.labels, own.kubelet_configuration.as_ref());
    let taints = taints(context, family);
    let registration = node::registration(contribution, &kubelet, taints.as_deref());
    let mut init = Map::new();
    put(&mut init, "patches", kubelet.patches());
    init.insert("nodeRegistration".to_owned(), registration.clone());
    let mut config = Map::new();
    put(&mut config, "clusterConfiguration", kubeadm::cluster_configuration(context, contribution, family, &kubelet)?);
    put(&mut config, "initConfiguration", init);
    config.insert(
        "joinConfiguration".to_owned(),
        node::join(context, contribution, family, &kubelet, registration, None)?,
    );
    let mut files = vec![audit::file(context)];
    files.extend(kubelet.patch);
    if admission::wanted(context) {
        files.push(admission::file());
    }
    if aws_iam::wanted(context) {
        files.extend(aws_iam::files(context));
    }
    if encryption::wanted(context) {
        files.push(encryption::file(context));
    }
    node::common(context, contribution, family, files, &mut config)?;

    let surge =
        own.upgrade_rollout_strategy.as_ref().and_then(|s| s.rolling_update.as_ref()).map_or(1, |r| r.max_surge);
    let mut object = context.object(&kinds::CONTROL_PLANE.api_version, &kinds::CONTROL_PLANE.kind, context.name());
    if let Some(map) = object.as_object_mut() {
        map.insert(
            "spec".to_owned(),
            json!({
                "replicas": own.count,
                "version": context.release().kubernetes_version,
                "machineTemplate": {
                    "metadata": {"labels": {CONTROL_PLANE: ""}},
                    "spec": {"infrastructureRef": template.reference()},
                },
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

/// The spec's taints; none for kubeadm's own choice. Containers of a cluster without workers take everything.
fn taints(context: &Context<'_>, family: Family) -> Option<Vec<Taint>> {
    let own = context.cluster.spec.control_plane_configuration.taints.clone();
    if family == Family::Container {
        return if context.cluster.spec.worker_node_group_configurations.is_empty() { Some(Vec::new()) } else { own };
    }
    let usual = || Taint { key: CONTROL_PLANE.to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() };
    Some(own.unwrap_or_else(|| vec![usual()]))
}
