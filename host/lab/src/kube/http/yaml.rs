//! Bodies in YAML, as server-side apply may send them.

use serde_json::Value;

use crate::kube::error::ApiError;

/// Reads one document; JSON is YAML too.
pub(super) fn read(bytes: &[u8]) -> Result<Value, ApiError> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    Err(ApiError::bad_request("the object provided is not JSON"))
}
