//! What a `Cluster` document may hold, as a JSON Schema.

use serde_json::Value;

/// The schema of the kind `Cluster`.
pub fn schema() -> Value {
    // The file is part of this crate and a test reads it; an unreadable one would mean no schema at all.
    serde_json::from_str(include_str!("schema.json")).unwrap_or_default()
}

/// The schema of one of the host's kinds: of `Cluster`, or of one of [`HOST_KINDS`](super::HOST_KINDS).
pub fn of(kind: &str) -> Option<Value> {
    let text = match kind {
        super::KIND => return Some(schema()),
        super::OIDC_KIND => include_str!("oidc.schema.json"),
        super::AWS_IAM_KIND => include_str!("aws-iam.schema.json"),
        super::FLUX_KIND => include_str!("flux.schema.json"),
        super::GITOPS_KIND => include_str!("gitops.schema.json"),
        _ => return None,
    };
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_of_the_host_has_a_schema() {
        for kind in super::super::HOST_KINDS.into_iter().chain([super::super::KIND]) {
            let schema = super::of(kind).unwrap();
            assert!(schema.pointer("/properties/spec/properties").is_some(), "{kind}");
        }
        assert!(super::of("Namespace").is_none());
    }
}
