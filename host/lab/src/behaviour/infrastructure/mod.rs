//! Infrastructure providers, by Cluster API's contract alone: a kind that ends in `Cluster` is a cluster's infrastructure, one that ends in `Machine` a machine.

pub(crate) mod cluster;
pub(crate) mod contract;
mod guest;
mod machine;

use super::controller::Controller;

pub(crate) fn controllers() -> Vec<Box<dyn Controller>> {
    vec![Box::new(cluster::InfrastructureClusters), Box::new(machine::InfrastructureMachines)]
}
