//! The rules for a Cluster.

use crate::cluster::Cluster;
use crate::defaulted::DefaultedSpec;
use crate::finding::{Finding, ObjectRef};
use crate::provider::Description;
use crate::release::Release;

/// All rules.
pub(crate) fn all(
    spec: &DefaultedSpec,
    _provider: &Description,
    _release: &Release,
) -> Vec<Finding> {
    cluster_rules(spec.cluster(), &spec.cluster_ref())
}

/// The rules that need nothing but the Cluster.
pub(crate) fn cluster_rules(_cluster: &Cluster, _reference: &ObjectRef) -> Vec<Finding> {
    Vec::new()
}
