//! The embedded infrastructure: Kubernetes API, Cluster API behaviour, vCenter.
//!
//! A lab is reached as real infrastructure is: over HTTPS. Its control API hands out bootstrap clusters, its simulated vCenter is filled from the
//! documents of the user's spec, and each Kubernetes cluster in it has an address, a certificate authority and an administrator of its own.
#![forbid(unsafe_code)]

pub mod behaviour;
pub mod connection;
pub mod control;
mod error;
pub mod fault;
pub mod kube;
mod lab;
pub mod release;
mod serve;
pub mod tls;
pub mod vcenter;

pub use connection::{Connection, EndpointAddress};
pub use control::{ClusterStatus, Status, VcenterStatus};
pub use error::LabError;
pub use fault::{Fault, Faults};
pub use lab::{Lab, LabOptions};
