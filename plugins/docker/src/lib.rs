//! The Docker provider.
