//! The embedded infrastructure: Kubernetes API, Cluster API behaviour, vCenter.
