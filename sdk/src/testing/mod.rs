//! A host without a runtime.
