//! What the controllers of a cluster do, played over a simulated Kubernetes API: Kubernetes' own, cert-manager's, Cluster API's and those of its providers.
//!
//! A controller acts only where it is installed: while the Deployment that it would run in is available in that cluster. Infrastructure providers are known by the
//! contract of Cluster API alone, so that a provider which the lab has never heard of works in it too.
//!
//! What is played: what other programs can see in the API, in the order in which the real controllers make it visible, and what they refuse. What is not: the
//! machines themselves ([`Machines`] is a list), and whatever runs in a container.

mod admission;
mod certificates;
mod component;
mod conditions;
mod controller;
mod core;
mod eksa;
mod engine;
mod etcdadm;
mod infrastructure;
mod kinds;
mod kubeadm;
mod kubernetes;
mod machines;
mod meta;
mod objects;
mod pace;
mod queue;
mod seed;
#[cfg(test)]
mod tests;
mod world;
pub(crate) mod yaml;

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::kube::KubeCluster;

use controller::Controller;
use engine::{Context, Engine};

pub use machines::{MachineRole, Machines, SimulatedMachine};
pub use pace::Pace;
pub use world::{ClusterRole, LabCluster, World, WorldOptions};

/// Starts the controllers of a cluster. They run until the task is aborted; [`World`] does this for the clusters that it starts.
pub fn run(cluster: KubeCluster, world: Arc<World>) -> JoinHandle<()> {
    let watch = engine::follow(&cluster);
    let context = Arc::new(Context::new(cluster, world));
    admission::register(&context);
    let mut controllers: Vec<Box<dyn Controller>> = kubernetes::controllers();
    controllers.extend(certificates::controllers());
    controllers.extend(core::controllers());
    controllers.extend(kubeadm::controllers());
    controllers.extend(etcdadm::controllers());
    controllers.extend(infrastructure::controllers());
    controllers.extend(eksa::controllers());
    tokio::spawn(Engine::new(context, controllers).run(watch))
}
