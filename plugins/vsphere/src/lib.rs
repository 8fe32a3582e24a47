//! The vSphere provider.
