//! The parts of Kubernetes that turn a Deployment into running pods, and a machine into a ready node.

mod daemonset;
mod deployment;
pub(crate) mod node;
pub(crate) mod pod;
mod replicaset;

use super::controller::Controller;

pub(crate) fn controllers() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(deployment::Deployments),
        Box::new(replicaset::ReplicaSets),
        Box::new(daemonset::DaemonSets),
        Box::new(pod::Pods),
        Box::new(node::Nodes),
    ]
}
