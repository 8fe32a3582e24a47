//! What is installed in a cluster: a controller acts only while the Deployment that it would run in is available.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::kube::object;

use super::conditions;
use super::kinds::names;

/// What has to be there for a controller to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    /// It is part of Kubernetes itself.
    Kubernetes,
    /// A Deployment with one of these as its provider label, its application name or its own name.
    Named(&'static str),
    /// The Deployment of the provider that brought the definition of the object's kind.
    OfDefinition,
}

pub(crate) const CORE: Component = Component::Named("cluster-api");
pub(crate) const KUBEADM_BOOTSTRAP: Component = Component::Named("bootstrap-kubeadm");
pub(crate) const KUBEADM_CONTROL_PLANE: Component = Component::Named("control-plane-kubeadm");
pub(crate) const ETCDADM_BOOTSTRAP: Component = Component::Named("bootstrap-etcdadm-bootstrap");
pub(crate) const ETCDADM_CONTROLLER: Component = Component::Named("bootstrap-etcdadm-controller");
pub(crate) const CERT_MANAGER: Component = Component::Named("cert-manager");
pub(crate) const CA_INJECTOR: Component = Component::Named("cert-manager-cainjector");
pub(crate) const EKSA: Component = Component::Named("eksa-controller-manager");

/// The names under which a Deployment is known.
pub(crate) fn names_of(deployment: &Value) -> impl Iterator<Item = &str> {
    let provider = object::label(deployment, names::PROVIDER);
    let application = object::label(deployment, "app.kubernetes.io/name");
    provider.into_iter().chain(application).chain([object::name(deployment)])
}

/// The components whose Deployments are available.
pub(crate) fn available(deployments: &[Arc<Value>]) -> BTreeSet<String> {
    let up = deployments.iter().filter(|one| !object::is_deleting(one) && conditions::is_true(one, "Available"));
    up.flat_map(|one| names_of(one).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Whether a user who asks for a fault of provider `fault` means the Deployment known as `name`: `etcdadm-controller` means
/// `bootstrap-etcdadm-controller`, `kubeadm` means both Kubeadm providers.
pub(crate) fn means(fault: &str, name: &str) -> bool {
    name == fault || name.strip_suffix(fault).is_some_and(|before| before.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_available_deployment_counts_and_under_each_of_its_names() {
        let deployment = |available: &str| {
            Arc::new(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "capi-controller-manager", "labels": {"cluster.x-k8s.io/provider": "cluster-api"}},
                "status": {"conditions": [{"type": "Available", "status": available}]},
            }))
        };
        assert!(available(&[deployment("False")]).is_empty());
        let found = available(&[deployment("True")]);
        assert!(found.contains("cluster-api") && found.contains("capi-controller-manager"));
    }

    #[test]
    fn a_fault_may_name_a_provider_in_short() {
        assert!(means("etcdadm-controller", "bootstrap-etcdadm-controller"));
        assert!(means("kubeadm", "control-plane-kubeadm"));
        assert!(!means("controller", "capi-controller-manager"));
    }
}
