//! The simulated machines: what a hypervisor or a container engine would list.
//!
//! They live outside of every Kubernetes API, as real machines do. That is why a machine survives the move of its objects to another management cluster,
//! and why an object that was made twice, or lost, can be told from this list.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What a simulated machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineRole {
    /// A member of an external etcd cluster.
    Etcd,
    /// A control plane node.
    ControlPlane,
    /// A worker node.
    Worker,
}

impl MachineRole {
    /// The word for it: `etcd`, `control-plane` or `worker`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
        }
    }
}

/// A simulated machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SimulatedMachine {
    /// Its name, which is also its hostname.
    pub name: String,
    /// The cluster that it was made for.
    pub cluster: String,
    /// What it is for.
    pub role: MachineRole,
    /// The kind of infrastructure object that asked for it.
    pub kind: String,
    /// How Kubernetes knows it.
    pub provider_id: String,
    /// Its address; nothing listens there.
    pub address: String,
    /// Whether it has booted: it joined as a node, or it serves etcd.
    pub booted: bool,
}

/// All simulated machines of a lab.
#[derive(Debug, Default)]
pub struct Machines {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: BTreeMap<String, SimulatedMachine>,
    made: u32,
}

impl Machines {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All machines there are, by cluster and name.
    #[must_use]
    pub fn list(&self) -> Vec<SimulatedMachine> {
        let mut list: Vec<_> = self.with(|inner| inner.by_id.values().cloned().collect());
        list.sort_by(|a: &SimulatedMachine, b| (&a.cluster, &a.name).cmp(&(&b.cluster, &b.name)));
        list
    }

    /// How many machines were ever made; more than there should be means that something was made twice.
    #[must_use]
    pub fn made(&self) -> u32 {
        self.with(|inner| inner.made)
    }

    /// The machine with this provider ID.
    #[must_use]
    pub fn by_id(&self, provider_id: &str) -> Option<SimulatedMachine> {
        self.with(|inner| inner.by_id.get(provider_id).cloned())
    }

    /// The machine of this name in a cluster.
    #[must_use]
    pub fn by_name(&self, cluster: &str, name: &str) -> Option<SimulatedMachine> {
        self.with(|inner| inner.by_id.values().find(|one| one.cluster == cluster && one.name == name).cloned())
    }

    /// Makes a machine, or finds the one that this cluster has under that name.
    pub(crate) fn make(
        &self,
        provider: &str,
        cluster: &str,
        name: &str,
        role: MachineRole,
        kind: &str,
    ) -> SimulatedMachine {
        if let Some(there) = self.by_name(cluster, name) {
            return there;
        }
        self.with(|inner| {
            let number = inner.made;
            inner.made += 1;
            // 198.18.0.0/15 is set aside for benchmarks (RFC 2544): no real machine has such an address.
            let address = format!("198.{}.{}.{}", 18 + (number / 62_500) % 2, (number / 250) % 250, 2 + number % 250);
            let machine = SimulatedMachine {
                name: name.to_owned(),
                cluster: cluster.to_owned(),
                role,
                kind: kind.to_owned(),
                provider_id: format!("{provider}://{}", uuid::Uuid::new_v4()),
                address,
                booted: false,
            };
            inner.by_id.insert(machine.provider_id.clone(), machine.clone());
            machine
        })
    }

    pub(crate) fn booted(&self, provider_id: &str) {
        self.with(|inner| {
            if let Some(machine) = inner.by_id.get_mut(provider_id) {
                machine.booted = true;
            }
        });
    }

    pub(crate) fn destroy(&self, provider_id: &str) -> Option<SimulatedMachine> {
        self.with(|inner| inner.by_id.remove(provider_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_made_once_for_a_name_and_counted() {
        let machines = Machines::default();
        let first = machines.make("sim", "prod", "prod-a", MachineRole::Worker, "SimMachine");
        assert_eq!(machines.make("sim", "prod", "prod-a", MachineRole::Worker, "SimMachine"), first);
        let other = machines.make("sim", "test", "prod-a", MachineRole::Worker, "SimMachine");
        assert_ne!(first.address, other.address);
        assert_eq!((machines.list().len(), machines.made()), (2, 2));
        assert!(machines.destroy(&first.provider_id).is_some());
        assert_eq!((machines.list().len(), machines.made()), (1, 2));
        assert_eq!(machines.by_id(&first.provider_id), None);
    }
}
