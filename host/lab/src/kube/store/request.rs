//! How a write is asked for, and what comes of it.

use std::sync::Arc;

use serde_json::Value;

/// What to do about fields that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them and say so.
    #[default]
    Warn,
    /// Refuse the object.
    Strict,
}

/// How a write is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) manager: String,
    /// The version that the client speaks.
    pub(crate) version: String,
    pub(crate) validation: FieldValidation,
    pub(crate) dry_run: bool,
    /// The `status` subresource, not the object.
    pub(crate) status: bool,
}

impl Request {
    pub(crate) fn by(manager: &str, version: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            version: version.to_owned(),
            validation: FieldValidation::Ignore,
            dry_run: false,
            status: false,
        }
    }
}

/// What came of a write; the object is in the version of the request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) object: Arc<Value>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}
