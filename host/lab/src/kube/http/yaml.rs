//! Bodies that may be YAML: server-side apply, and objects sent as `application/yaml`.

use serde_json::Value;

use crate::kube::error::ApiError;

/// Reads a body that is called YAML. All known clients send JSON under that name, which is YAML too, and only that is read.
pub(super) fn read(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| {
        ApiError::bad_request(format!("the body has to be YAML that is JSON, as clients send it: {error}"))
    })
}
