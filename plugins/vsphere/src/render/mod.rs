//! Cluster API objects of a spec.

pub(crate) mod addons;
pub(crate) mod cluster;
mod kube_vip;
pub(crate) mod node;
pub(crate) mod templates;

/// The API version of the infrastructure provider's objects.
pub(crate) const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io/v1beta1";
