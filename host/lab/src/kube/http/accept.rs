//! The forms in which a client takes an answer.

use http::header::{ACCEPT, HeaderMap};

use crate::kube::error::{ApiError, Reason};

/// How objects go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Object,
    /// As rows of a table.
    Table,
    /// Only their metadata.
    Metadata,
}

/// One entry of an Accept header.
struct Entry {
    media_type: String,
    parameters: Vec<(String, String)>,
}

impl Entry {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn entries(headers: &HeaderMap) -> Vec<Entry> {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            Entry {
                media_type: parts.next().unwrap_or_default().to_ascii_lowercase(),
                parameters: parts
                    .filter_map(|part| part.split_once('='))
                    .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
                    .collect(),
            }
        })
        .filter(|entry| !entry.media_type.is_empty())
        .collect()
}

fn is_json(entry: &Entry) -> bool {
    matches!(entry.media_type.as_str(), "application/json" | "*/*" | "application/*")
}

/// The form of the answer that the client likes best.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, ApiError> {
    let entries = entries(headers);
    if entries.is_empty() {
        return Ok(Form::Object);
    }
    for entry in entries.iter().filter(|entry| is_json(entry)) {
        match entry.get("as") {
            None => return Ok(Form::Object),
            Some("Table") => return Ok(Form::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
                return Ok(Form::Metadata);
            }
            Some(_) => {}
        }
    }
    Err(ApiError::new(Reason::NotAcceptable, "only the following media types are accepted: application/json"))
}

/// Whether the client takes aggregated discovery.
pub(crate) fn aggregated_discovery(headers: &HeaderMap) -> bool {
    entries(headers).iter().any(|entry| {
        is_json(entry)
            && entry.get("g") == Some("apidiscovery.k8s.io")
            && entry.get("v") == Some("v2")
            && entry.get("as") == Some("APIGroupDiscoveryList")
    })
}

/// Whether the client takes JSON at all.
pub(crate) fn takes_json(headers: &HeaderMap) -> bool {
    let entries = entries(headers);
    entries.is_empty() || entries.iter().any(is_json)
}
