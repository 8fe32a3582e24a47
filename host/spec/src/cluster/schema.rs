//! What a `Cluster` document may hold, as a JSON Schema.

use serde_json::Value;

/// The schema of the kind `Cluster`.
pub fn schema() -> Value {
    // The file is part of this crate and a test reads it; an unreadable one would mean no schema at all.
    serde_json::from_str(include_str!("schema.json")).unwrap_or_default()
}

/// The schema of the kind `OIDCConfig`.
pub fn oidc() -> Value {
    serde_json::from_str(include_str!("oidc.schema.json")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_is_json() {
        assert!(super::oidc().pointer("/properties/spec/properties/issuerUrl").is_some());
        assert!(super::schema().pointer("/properties/spec/properties/kubernetesVersion").is_some());
    }
}
