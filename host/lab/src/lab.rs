//! The lab as a whole: start, stop.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::{Connection, Fault};

/// What a lab is started with.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// The documents of the user's spec: what they name exists in the lab.
    pub documents: Vec<Value>,
    /// How fast simulated time runs: 1 is realistic, 10 ten times as fast, 0 or infinity as fast as it goes.
    pub speed: f64,
    /// What is missing, wrong or slow.
    pub faults: Vec<Fault>,
    /// The address that everything listens on; ports are free ones.
    pub listen: IpAddr,
    /// EKS-D release names by Kubernetes version (`1.34`), where they differ from those of the embedded release.
    pub eksd_releases: BTreeMap<String, String>,
    /// The seed of what is random in the simulated infrastructure (names, identifiers); passwords and tokens are always random.
    pub seed: u64,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            speed: 1.0,
            faults: Vec::new(),
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            eksd_releases: BTreeMap::new(),
            seed: 0,
        }
    }
}

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    connection: Connection,
}

impl Lab {
    /// How to reach it.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}
