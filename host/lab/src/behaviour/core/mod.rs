//! The core of Cluster API: clusters, machines, sets of machines, and what is applied to a workload cluster.

mod cluster;
mod deployment;
mod health;
mod machine;
mod remove;
mod resources;
mod rollup;
mod set;
pub(crate) mod template;

use super::controller::Controller;

pub(crate) fn controllers() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(cluster::Clusters),
        Box::new(machine::MachineController),
        Box::new(set::MachineSets),
        Box::new(deployment::MachineDeployments),
        Box::new(health::HealthChecks),
        Box::new(resources::ResourceSets),
    ]
}
