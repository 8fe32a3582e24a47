//! The `Bundles` manifest, as far as it has to be understood.

use serde_json::Value;

use super::ReleaseError;
use crate::source::Source;
use crate::version::KubernetesVersion;

/// One of `versionsBundles`.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    pub(super) version: KubernetesVersion,
    pub(super) eksd_url: String,
    pub(super) value: Value,
}

/// The document of a kind in a manifest.
pub(super) fn read_one(text: &str, name: &str, kind: &'static str) -> Result<Value, ReleaseError> {
    let documents = crate::yaml_documents(&Source::new(name, text))
        .map_err(|source| ReleaseError::Unreadable { name: name.to_owned(), source: Box::new(source) })?;
    documents
        .into_iter()
        .find(|d| d.get("kind").and_then(Value::as_str) == Some(kind))
        .ok_or_else(|| ReleaseError::WrongKind { name: name.to_owned(), kind })
}

/// The manifest and its bundles in their order.
pub(super) fn read_bundles(text: &str, name: &str) -> Result<(Value, Vec<Bundle>), ReleaseError> {
    let mut manifest = read_one(text, name, "Bundles")?;
    let listed = manifest.pointer_mut("/spec/versionsBundles").map(Value::take);
    let Some(Value::Array(entries)) = listed else {
        return Err(ReleaseError::Empty { name: name.to_owned() });
    };
    let bundles: Vec<Bundle> =
        entries.into_iter().enumerate().map(|(index, value)| bundle(value, index, name)).collect::<Result<_, _>>()?;
    if bundles.is_empty() {
        return Err(ReleaseError::Empty { name: name.to_owned() });
    }
    Ok((manifest, bundles))
}

fn bundle(value: Value, index: usize, name: &str) -> Result<Bundle, ReleaseError> {
    let wrong = |field: &str| ReleaseError::Field {
        name: name.to_owned(),
        field: format!("spec.versionsBundles[{index}].{field}"),
    };
    let version = match value.get("kubeVersion") {
        Some(Value::String(text)) => text.parse().map_err(|_| wrong("kubeVersion"))?,
        _ => return Err(wrong("kubeVersion")),
    };
    let eksd_url =
        value.pointer("/eksD/manifestUrl").and_then(Value::as_str).ok_or_else(|| wrong("eksD.manifestUrl"))?;
    Ok(Bundle { version, eksd_url: eksd_url.to_owned(), value })
}
