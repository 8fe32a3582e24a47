//! Cluster API: core objects rendered, providers installed, readiness, the pivot.
