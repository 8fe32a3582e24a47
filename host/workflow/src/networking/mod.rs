//! The CNI of a cluster: manifests of the release, or Cilium's chart made into manifests by Helm itself.

pub(crate) mod helm;
mod policies;
mod settings;
mod values;

use std::collections::BTreeSet;

use kedge_cluster_api::NAMESPACE;
use kedge_spec::cluster::CiliumConfig;
use serde_json::{Value, json};

use crate::error::WorkflowError;
use crate::load::Prepared;
use crate::options::Options;
use crate::tools::ToolError;
use helm::{Chart, Helm};

/// Where the objects of the CNI come from.
#[derive(Debug)]
pub(crate) enum Cni {
    /// A manifest of the release.
    Manifest(String),
    /// A chart, and the Helm that makes manifests of it.
    Chart(Box<(Helm, Chart)>),
}

impl Cni {
    /// What there is for the spec's CNI. That there is nothing, or no Helm for the chart, is said before anything is
    /// touched.
    pub(crate) fn of(prepared: &Prepared, options: &Options) -> Result<Self, WorkflowError> {
        let name = prepared.cluster().spec.cluster_network.cni_name().unwrap_or("cilium");
        if name == "kindnetd" {
            let manifest = prepared.view.kindnetd_manifest_url().map(str::to_owned);
            return manifest.map(Self::Manifest).ok_or_else(|| nothing(prepared, name));
        }
        let manifest = prepared.view.cilium_manifest_url().filter(|_| !has_own_values(prepared));
        let manifest = manifest.map(|address| Self::Manifest(address.to_owned()));
        let Some(reference) = prepared.view.cilium_chart() else {
            return manifest.ok_or_else(|| nothing(prepared, name));
        };
        let kubernetes = prepared.cluster().spec.kubernetes_version.to_string();
        let values = values::cilium(prepared.cluster(), &|name: &str| prepared.view.images.get(name).cloned());
        match (Helm::find(prepared.cluster(), options, prepared.view.management_image("eksa.cliTools")), manifest) {
            (Ok(helm), _) => Ok(Self::Chart(Box::new((helm, Chart { reference, kubernetes, values })))),
            (Err(WorkflowError::Tool(ToolError::Missing { .. })), Some(manifest)) => Ok(manifest),
            (Err(error), _) => Err(error),
        }
    }

    /// What it is, for people.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Manifest(address) => address.clone(),
            Self::Chart(both) => format!("the chart {}", both.1.reference),
        }
    }

    /// The objects.
    pub(crate) async fn objects(&self, prepared: &Prepared, options: &Options) -> Result<Vec<Value>, WorkflowError> {
        let mut objects = match self {
            Self::Manifest(address) => {
                let mut objects = prepared.objects(address).await?;
                let config = cilium(prepared).filter(|config| settings::any(config));
                if config.is_some_and(|config| !settings::apply(&mut objects, config)) {
                    return Err(WorkflowError::Input {
                        message: format!("`{address}` has no ConfigMap `cilium-config`, which is to hold the spec's settings"),
                        help: "remove the settings below `spec.clusterNetwork.cniConfig.cilium`, or use a release with a chart"
                            .into(),
                    });
                }
                objects
            }
            Self::Chart(both) => {
                let (helm, chart) = both.as_ref();
                let text = helm.template(chart, &options.interrupt).await?;
                prepared.objects_in(&chart.reference, &text)?
            }
        };
        let cluster = prepared.cluster();
        if cluster.spec.cluster_network.cni_name() == Some("kindnetd") {
            let pods = cluster.spec.cluster_network.pods.cidr_blocks.first().map_or("", String::as_str);
            for object in &mut objects {
                set_pod_subnet(object, pods);
            }
        }
        if values::refuses_all(cluster) {
            objects.extend(policies::allow_all(&namespaces(prepared)?));
        }
        Ok(objects)
    }
}

fn cilium(prepared: &Prepared) -> Option<&CiliumConfig> {
    prepared.cluster().spec.cluster_network.cni_config.as_ref()?.cilium.as_ref()
}

/// Values of a chart can't be put into finished manifests.
fn has_own_values(prepared: &Prepared) -> bool {
    cilium(prepared).is_some_and(|config| config.helm_values.is_some())
}

fn nothing(prepared: &Prepared, name: &str) -> WorkflowError {
    let (what, or) = if name == "cilium" && has_own_values(prepared) {
        ("no chart", ", or leave `helmValues` out")
    } else if name == "cilium" {
        ("neither a chart nor manifests", "")
    } else {
        ("no manifests", "")
    };
    WorkflowError::Input {
        message: format!(
            "the release `{}` has {what} of `{name}` for this Kubernetes version",
            prepared.release.name()
        ),
        help: format!("nothing was touched; use another release{or}"),
    }
}

/// The namespaces whose components talk to each other and to the API.
fn namespaces(prepared: &Prepared) -> Result<Vec<String>, WorkflowError> {
    let mut all: Vec<String> = Vec::new();
    if prepared.cluster().is_self_managed() {
        all.push(NAMESPACE.to_owned());
        all.extend(prepared.components()?.into_iter().map(|component| component.namespace));
    }
    all.extend(prepared.flux_namespace());
    let mut seen = BTreeSet::new();
    all.retain(|namespace| seen.insert(namespace.clone()));
    Ok(all)
}

/// kindnetd has to know the pods' addresses, and its manifest holds those of its makers.
fn set_pod_subnet(object: &mut Value, pods: &str) {
    let containers = object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        let variables = container.get_mut("env").and_then(Value::as_array_mut);
        for variable in variables.into_iter().flatten() {
            if variable.get("name").and_then(Value::as_str) == Some("POD_SUBNET")
                && let Some(map) = variable.as_object_mut()
            {
                map.insert("value".to_owned(), json!(pods));
            }
        }
    }
}

#[cfg(test)]
mod tests;
