//! The etcdadm providers: an etcd cluster outside of the control plane, machine by machine.

mod cluster;
mod config;

use super::controller::Controller;

pub(crate) fn controllers() -> Vec<Box<dyn Controller>> {
    vec![Box::new(config::EtcdadmConfigs), Box::new(cluster::EtcdClusters)]
}
