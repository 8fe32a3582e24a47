//! The vCenter over REST.
