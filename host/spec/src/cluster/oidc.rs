//! The typed `OIDCConfig` document.

use serde::{Deserialize, Serialize};

/// The kind.
pub const OIDC_KIND: &str = "OIDCConfig";

/// How the API server trusts an OpenID Connect provider: `OIDCConfig.spec`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OidcConfig {
    /// `--oidc-client-id`.
    pub client_id: String,
    /// `--oidc-issuer-url`, with HTTPS.
    pub issuer_url: String,
    /// `--oidc-groups-claim`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub groups_claim: String,
    /// `--oidc-groups-prefix`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub groups_prefix: String,
    /// `--oidc-required-claim`, at most one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_claims: Vec<RequiredClaim>,
    /// `--oidc-username-claim`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username_claim: String,
    /// `--oidc-username-prefix`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username_prefix: String,
}

/// A claim that a token has to have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RequiredClaim {
    /// Its name.
    pub claim: String,
    /// Its value.
    pub value: String,
}
