//! Listing a collection, in pieces where the client asks for pieces.

use std::sync::Arc;

use base64::Engine;
use serde_json::{Value, json};

use super::Store;
use super::state::Address;
use crate::kube::error::ApiError;
use crate::kube::resource::Resource;
use crate::kube::selector::{FieldSelector, LabelSelector};

/// Which objects of a collection are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    pub(crate) namespace: Option<String>,
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
    pub(crate) limit: Option<usize>,
    /// Where the piece before this one ended.
    pub(crate) after: Option<Address>,
}

impl ListQuery {
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.namespace.as_deref().is_none_or(|ns| crate::kube::object::namespace(object) == ns)
            && self.labels.matches(object)
            && self.fields.matches(object)
    }
}

/// A list, or a piece of one.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) items: Vec<Arc<Value>>,
    pub(crate) resource_version: u64,
    /// How to ask for the next piece.
    pub(crate) next: Option<String>,
    pub(crate) remaining: usize,
}

impl Store {
    pub(crate) fn list_with(&self, resource: &Resource, query: &ListQuery) -> Listed {
        let state = self.read();
        let mut items: Vec<Arc<Value>> = state
            .list(&resource.key, query.namespace.as_deref())
            .filter(|object| query.labels.matches(object) && query.fields.matches(object))
            .filter(|object| query.after.as_ref().is_none_or(|after| Address::of(object) > *after))
            .cloned()
            .collect();
        let resource_version = state.latest();
        drop(state);
        let limit = query.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let remaining = items.len().saturating_sub(limit);
        items.truncate(limit);
        let next = (remaining > 0).then(|| items.last().map(|last| token(&Address::of(last)))).flatten();
        Listed { items, resource_version, next, remaining }
    }
}

fn token(last: &Address) -> String {
    let text = json!({"v": "meta.k8s.io/v1", "start": [last.namespace, last.name]}).to_string();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

/// Reads the `continue` parameter.
pub(crate) fn read_token(text: &str) -> Result<Address, ApiError> {
    let invalid = || ApiError::bad_request("continue key is not valid: it was not made by this server");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    let part = |at: &str| value.pointer(at).and_then(Value::as_str).map(str::to_owned);
    Ok(Address { namespace: part("/start/0").ok_or_else(invalid)?, name: part("/start/1").ok_or_else(invalid)? })
}
