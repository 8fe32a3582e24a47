//! A management cluster to start from.
